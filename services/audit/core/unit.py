"""Units of an agency, and whom their commanders appoint to coordinate them (ENF-051 III.C.1)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from services.audit.core.person import Account, AccountState, Role


class UnitKind(StrEnum):
    """What a unit is; the names are those of the contract without their prefix."""

    DISTRICT = "DISTRICT"
    ZONE = "ZONE"
    SPECIALTY = "SPECIALTY"


@dataclass(frozen=True, slots=True)
class Appointment:
    """A commander's word on who coordinates a unit; `end_time` is None while it lasts."""

    account_id: str
    commander: str
    document_sha256: bytes
    appoint_time: datetime | None = None
    end_time: datetime | None = None


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit with its last appointment; `served` says that somebody who may act coordinates it now."""

    agency_ori: str
    code: str
    name: str
    kind: UnitKind
    appointment: Appointment | None = None
    served: bool = False
    enabled_accounts: int = 0

    @property
    def appointee(self) -> str:
        """Account of who is appointed now, whether or not the account may act; "" for nobody."""
        lasts = self.appointment is not None and self.appointment.end_time is None
        return self.appointment.account_id if self.appointment and lasts else ""

    @property
    def coordinator(self) -> str:
        """Account of who coordinates it now; "" for nobody."""
        return self.appointee if self.served else ""

    def lets_in(self, account: Account) -> bool:
        """True when the account may be enabled: the unit is served, or the account is its coordinator's."""
        return self.served or self.appointee == account.account_id


@dataclass(frozen=True, slots=True)
class Vacancy:
    """A unit, registered or only named by accounts, with enabled accounts and nobody who coordinates it."""

    agency_ori: str
    code: str
    enabled_accounts: int


def hindrances(account: Account, unit: Unit, moment: datetime) -> tuple[str, ...]:
    """What keeps the account from being appointed to coordinate the unit; empty when nothing does.

    Whoever is to coordinate a unit is of it, or is the statewide coordinator, and administers no system
    (III.B.3.g).
    """
    heads_agency = Role.STATEWIDE_COORDINATOR in account.roles
    checks = (
        ("is of another agency", account.profile.agency_ori != unit.agency_ori),
        ("is of another unit", account.profile.unit != unit.code and not heads_agency),
        ("is suspended", account.state is AccountState.SUSPENDED),
        ("has ended", account.life.is_over(moment)),
        ("administers the system", Role.SYSTEM_ADMINISTRATOR in account.roles),
        ("is a vendor's", Role.VENDOR_SUPPORT in account.roles),
    )
    return tuple(name for name, holds in checks if holds)
