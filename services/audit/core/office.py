"""The office of an agency's statewide coordinator: held by one, handed over in one moment (ENF-051 III.A)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from services.audit.core.person import Account, AccountState, CertificationKind, Role

OFFER_LIFE = timedelta(days=7)
"""How long an offer may be accepted."""
NEEDED = (
    CertificationKind.ALPR_TRAINING,
    CertificationKind.LEADS,
    CertificationKind.SECURITY_AWARENESS,
    CertificationKind.BACKGROUND_CHECK,
)
"""What whoever takes the office must have in force: that of every user, for he answers for all of them."""


@dataclass(frozen=True, slots=True)
class Offer:
    """The office, offered to somebody on an official's word; audit sets what has a default."""

    successor_account_id: str
    official: str
    document_sha256: bytes
    offer_id: str = ""
    agency_ori: str = ""
    holder_account_id: str = ""
    offer_time: datetime | None = None
    is_open: bool = False

    def expires_at(self) -> datetime | None:
        """From when on it may not be accepted; None before it is stored."""
        return self.offer_time + OFFER_LIFE if self.offer_time else None

    def may_be_accepted(self, moment: datetime) -> bool:
        """True while nobody has accepted it or offered anew, within its life."""
        end = self.expires_at()
        return self.is_open and end is not None and moment < end


@dataclass(frozen=True, slots=True)
class Office:
    """Who holds the office of an agency; "" for nobody."""

    agency_ori: str
    holder_account_id: str = ""
    holder_name: str = ""
    offer: Offer | None = None


def unfit(account: Account, moment: datetime) -> tuple[str, ...]:
    """What keeps the account's holder from the office, sorted; empty when nothing does."""
    held = account.in_force(moment)
    lapsed = [kind.lower() for kind in NEEDED if kind not in held]
    checks = (
        ("enabled", account.state is not AccountState.ENABLED),
        ("not_ended", account.life.is_over(moment)),
        ("not_idle", account.life.is_idle(moment)),
        ("not_system_administrator", Role.SYSTEM_ADMINISTRATOR in account.roles),
        ("not_vendor", Role.VENDOR_SUPPORT in account.roles),
    )
    states = [name for name, fails in checks if fails]
    unread = [kind.lower() for kind in account.unread(moment)]
    return tuple(sorted([*lapsed, *states, *unread]))
