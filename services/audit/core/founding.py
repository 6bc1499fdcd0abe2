"""How a system begins: nobody grants to himself, so an official appoints the first people on paper."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from services.audit.core.email import is_domain, is_government_address
from services.audit.core.person import Account, AccountState, Certification, CertificationKind, Profile, Role
from services.audit.core.registry import Agency
from services.audit.core.unit import Appointment, Unit, UnitKind

_ORI = re.compile(r"[A-Z0-9]{9}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_COORDINATOR = "coordinator"
_MOST_CODE = 50
_ROLES = {_COORDINATOR: Role.STATEWIDE_COORDINATOR, "administrator": Role.SYSTEM_ADMINISTRATOR}


class FoundingError(Exception):
    """The system cannot be founded like this; the text is one sentence for the operator."""


@dataclass(frozen=True, slots=True)
class Appointee:
    """A person whom the official appoints; `office` is "coordinator" or "administrator"."""

    office: str
    account_id: str
    profile: Profile
    certified_until: datetime


@dataclass(frozen=True, slots=True)
class Founding:
    """The appointment: by whom, on which document, of whom (ENF-051 III.A)."""

    agency: Agency
    official: str
    document_sha256: str
    appointees: tuple[Appointee, ...]


def check(founding: Founding) -> None:
    """Returns when the system may begin like this.

    Raises:
        FoundingError: Something is missing or wrong.
    """
    agency, people = founding.agency, founding.appointees
    offices = sorted(one.office for one in people)
    checks = (
        (_ORI.fullmatch(agency.ori), "the agency's ORI must be 9 of A-Z and 0-9"),
        (agency.name.strip(), "the agency needs a name"),
        (agency.email_domains, "the agency needs an e-mail domain"),
        (all(map(is_domain, agency.email_domains)), "an e-mail domain must be a DNS name in lower case"),
        (founding.official.strip(), "the appointing official must be named"),
        (_SHA256.fullmatch(founding.document_sha256), "the document's SHA-256 must be 64 of 0-9 and a-f"),
        (
            offices in (["coordinator"], ["administrator", "coordinator"]),
            "appoint one person to the office coordinator and at most one to administrator",
        ),
        (_are_different(people), "coordinator and administrator must be two different people"),
    )
    for good, sentence in checks:
        if not good:
            raise FoundingError(sentence)
    for one in people:
        _check_person(one, agency)


def account_of(one: Appointee, now: datetime) -> Account:
    """The appointee's account: enabled, certified on the word of the appointing document."""
    certifications = tuple(
        Certification(kind, now, one.certified_until, "appointing document") for kind in CertificationKind
    )
    roles = frozenset({_ROLES[one.office]})
    return Account(one.account_id, one.profile, AccountState.ENABLED, roles, certifications)


def units_of(founding: Founding) -> list[tuple[Unit, Appointment]]:
    """The units of the first people, coordinated by the statewide coordinator until their commanders appoint.

    The appointing document is their commander's word, too: without a coordinator nobody of a unit is enabled
    (III.C.1).
    """
    head = next(one.account_id for one in founding.appointees if one.office == _COORDINATOR)
    document = bytes.fromhex(founding.document_sha256)
    appointment = Appointment(head, founding.official, document)
    codes = sorted({one.profile.unit for one in founding.appointees})
    return [(Unit(founding.agency.ori, code, code, UnitKind.SPECIALTY), appointment) for code in codes]


def _check_person(one: Appointee, agency: Agency) -> None:
    who = one.profile
    texts = (who.subject, who.issuer, who.full_name, who.badge_number, who.unit)
    if not all(text.strip() and text.isprintable() for text in texts):
        msg = f"the {one.office} needs subject, issuer, full name, badge number and unit"
        raise FoundingError(msg)
    if len(who.unit) > _MOST_CODE:
        msg = f"the {one.office}'s unit must have {_MOST_CODE} characters at most"
        raise FoundingError(msg)
    if not is_government_address(who.email, agency.email_domains):
        msg = f"the {one.office}'s e-mail address must be of the agency's domain"
        raise FoundingError(msg)


def _are_different(people: Sequence[Appointee]) -> bool:
    marks = [
        [one.profile.subject.casefold(), one.profile.email.casefold(), one.profile.badge_number.casefold()]
        for one in people
    ]
    return all(len(set(mark)) == len(mark) for mark in zip(*marks, strict=True))
