"""People: what their accounts say about them at one moment."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from services.audit.core.declaration import Standing
from services.audit.core.document import DocumentKind, Duty, changes_after, open_kinds
from services.audit.core.escort import Escorted
from services.audit.core.sign_in import NOTHING_ENDED, SignedOut


class Role(StrEnum):
    """Roles of ENF-051 III.B.3.l; the names are those of the contract without their prefix."""

    STATEWIDE_COORDINATOR = "STATEWIDE_COORDINATOR"
    WORK_UNIT_COORDINATOR = "WORK_UNIT_COORDINATOR"
    USER = "USER"
    TELECOM_CENTER = "TELECOM_CENTER"
    SYSTEM_ADMINISTRATOR = "SYSTEM_ADMINISTRATOR"
    AUDITOR = "AUDITOR"
    HOT_LIST_MANAGER = "HOT_LIST_MANAGER"
    CVEO = "CVEO"
    CVEO_SUPERVISOR = "CVEO_SUPERVISOR"
    VENDOR_SUPPORT = "VENDOR_SUPPORT"
    SENSOR_OPERATOR = "SENSOR_OPERATOR"
    PARTNER_AGENCY = "PARTNER_AGENCY"


MOTOR_CARRIER_ROLES = frozenset({Role.CVEO, Role.CVEO_SUPERVISOR})
"""Roles of the Motor Carrier Safety system; they reach nothing else (II.H)."""


class CertificationKind(StrEnum):
    """What a person must have completed."""

    ALPR_TRAINING = "ALPR_TRAINING"
    LEADS = "LEADS"
    SECURITY_AWARENESS = "SECURITY_AWARENESS"
    BACKGROUND_CHECK = "BACKGROUND_CHECK"
    MOTOR_CARRIER_TRAINING = "MOTOR_CARRIER_TRAINING"


class AccountState(StrEnum):
    """Whether an account may be used."""

    PENDING = "PENDING"
    ENABLED = "ENABLED"
    SUSPENDED = "SUSPENDED"


@dataclass(frozen=True, slots=True)
class Certification:
    """Something completed, in force from `valid_from` up to, not including, `valid_until`."""

    kind: CertificationKind
    valid_from: datetime
    valid_until: datetime
    reference: str


@dataclass(frozen=True, slots=True)
class Profile:
    """Who a person is, as the agency says."""

    subject: str
    issuer: str
    full_name: str
    badge_number: str
    email: str
    agency_ori: str
    unit: str


@dataclass(frozen=True, slots=True)
class Vetting:
    """The decision that a person may see data of other agencies (III.B.3.f), in force until `valid_until`.

    `decided_by` and `decided_at` are "" and None before it is on record.
    """

    document_sha256: bytes
    reference: str
    valid_until: datetime
    decided_by: str = ""
    decided_at: datetime | None = None


_IDLE_AFTER = timedelta(days=90)
_REVIEW_EVERY = timedelta(days=365)


@dataclass(frozen=True, slots=True)
class Life:
    """How long an account is good for: to before `end_time`, and while it is used; None where there is none.

    `use_time` is when it was last used or enabled, to the hour. `idle_after` and `review_every` are settings:
    after so long without use it is worth nothing (CJIS AC-2(3)), and so often its access is reviewed
    (CJIS AC-6(7)).
    """

    made_time: datetime | None = None
    end_time: datetime | None = None
    use_time: datetime | None = None
    review_time: datetime | None = None
    idle_after: timedelta = _IDLE_AFTER
    review_every: timedelta = _REVIEW_EVERY

    def is_over(self, moment: datetime) -> bool:
        """True from its end on."""
        return self.end_time is not None and moment >= self.end_time

    def is_idle(self, moment: datetime) -> bool:
        """True when nobody has used it for so long as accounts may lie idle."""
        return self.use_time is not None and moment >= self.use_time + self.idle_after

    def is_review_due(self, moment: datetime) -> bool:
        """True when nobody has reviewed it for so long as that may wait."""
        since = self.review_time or self.made_time
        return since is not None and moment >= since + self.review_every


@dataclass(frozen=True, slots=True)
class Account:
    """A person's account with everything on record; `standing` is None for agencies of the home state."""

    account_id: str
    profile: Profile
    state: AccountState
    roles: frozenset[Role]
    certifications: tuple[Certification, ...]
    vetting: Vetting | None = None
    duties: tuple[Duty, ...] = ()
    escorted: Escorted | None = None
    life: Life = Life()
    email_until: datetime | None = None
    standing: Standing | None = None
    signed_out: SignedOut = NOTHING_ENDED

    def has_good_address(self, moment: datetime) -> bool:
        """True for an address of the agency, and for another while its approval counts (III.B.3.j)."""
        return self.email_until is None or moment < self.email_until

    def may_see_others(self, moment: datetime) -> bool:
        """True when a vetting decision is in force at `moment`."""
        return self.vetting is not None and moment < self.vetting.valid_until

    def in_force(self, moment: datetime) -> frozenset[CertificationKind]:
        """The kinds of certification that are in force at `moment`."""
        return frozenset(
            one.kind for one in self.certifications if one.valid_from <= moment < one.valid_until
        )

    def unread(self, moment: datetime) -> frozenset[DocumentKind]:
        """The kinds of documents that the person should have acknowledged at `moment` and has not."""
        kinds = open_kinds(self.duties, moment)
        spared = set() if self.roles & MOTOR_CARRIER_ROLES else {DocumentKind.MOTOR_CARRIER_GUIDELINES}
        return kinds - spared

    def next_change(self, moment: datetime) -> datetime | None:
        """When the next certification in force, or the escort, ends or the next document is due, or None."""
        ends = [one.valid_until for one in self.certifications if one.valid_from <= moment < one.valid_until]
        ends += self.standing.changes_after(moment) if self.standing else []
        ends += [self.escorted.ends_at] if self.escorted else []
        ends += [self.life.end_time] if self.life.end_time and self.life.end_time > moment else []
        ends += [self.email_until] if self.email_until and self.email_until > moment else []
        return min([*ends, *changes_after(self.duties, moment)], default=None)


def missing(account: Account, moment: datetime) -> tuple[str, ...]:
    """What the account lacks to be enabled, sorted (III.B.3.a-b, III.C.2.b-c, III.D, III.E.3-4, IV.A.4)."""
    profile = account.profile
    texts = {
        "full_name": profile.full_name,
        "badge_number": profile.badge_number,
        "email": profile.email,
        "unit": profile.unit,
    }
    empty = [name for name, text in texts.items() if not text]
    held = account.in_force(moment)
    lapsed = [kind.lower() for kind in _needed(account.roles) if kind not in held]
    unread = [kind.lower() for kind in account.unread(moment)]
    roles = [] if account.roles else ["role"]
    roles += [] if account.has_good_address(moment) else ["email_exception"]
    return tuple(sorted([*empty, *lapsed, *unread, *roles]))


def _needed(roles: frozenset[Role]) -> list[CertificationKind]:
    """What must be in force for these roles. Each system has a course of its own (III.D.1, III.E.4)."""
    spared = set()
    if roles and roles <= MOTOR_CARRIER_ROLES | {Role.VENDOR_SUPPORT}:
        spared.add(CertificationKind.ALPR_TRAINING)
    if roles == {Role.VENDOR_SUPPORT}:
        spared.add(CertificationKind.LEADS)
    if not roles & MOTOR_CARRIER_ROLES:
        spared.add(CertificationKind.MOTOR_CARRIER_TRAINING)
    return [kind for kind in CertificationKind if kind not in spared]
