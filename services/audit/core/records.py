"""Incidents, contracts and requests for support (ENF-051 III.B.2, III.B.3.c, III.E.2, IV.F)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from services.audit.core.registry import Partition

TIME_TO_TELL = timedelta(hours=1)
"""From noticing an incident to the notice to the CJIS agency coordinator (CJIS IR-6)."""


class IncidentKind(StrEnum):
    """What happened; the names are those of the contract without their prefix."""

    BREACH = "BREACH"
    DENIAL_OF_SERVICE = "DENIAL_OF_SERVICE"
    MALWARE = "MALWARE"
    STOLEN_ACCESS = "STOLEN_ACCESS"
    OTHER = "OTHER"


class IncidentRecipient(StrEnum):
    """Who is told of an incident."""

    CJIS_COORDINATOR = "CJIS_COORDINATOR"
    PLATFORM_OPERATOR = "PLATFORM_OPERATOR"
    PARTNER_AGENCY = "PARTNER_AGENCY"
    OTHER = "OTHER"


class ContractKind(StrEnum):
    """What kind of contract."""

    CONTRACT = "CONTRACT"
    WARRANTY = "WARRANTY"
    LICENCE = "LICENCE"
    LEASE = "LEASE"


class ContractStanding(StrEnum):
    """How a contract stands at a moment."""

    AHEAD = "AHEAD"
    RUNNING = "RUNNING"
    ENDING = "ENDING"
    OVER = "OVER"


class SupportCategory(StrEnum):
    """What a request for support is about (IV.F.2.c)."""

    LPR_TECH_SUPPORT = "LPR_TECH_SUPPORT"
    LICENSE_KEY_REQUEST = "LICENSE_KEY_REQUEST"
    CCTV_AND_SURVEILLANCE_WORK = "CCTV_AND_SURVEILLANCE_WORK"
    OTHER = "OTHER"


@dataclass(frozen=True, slots=True)
class Contact:
    """Whom people write to and call; `url` may be empty."""

    name: str
    email: str
    telephone: str
    url: str


@dataclass(frozen=True, slots=True)
class Contacts:
    """The contacts of the policy folder (III.B.3, III.B.3.c, IV.F.2)."""

    first_tier: Contact
    cjis_coordinator: Contact
    platform_operator: Contact


@dataclass(frozen=True, slots=True)
class IncidentNotice:
    """Somebody was told."""

    recipient: IncidentRecipient
    name: str
    way: str
    notice_time: datetime
    account_id: str


@dataclass(frozen=True, slots=True)
class Incident:
    """An incident with its notices, oldest first; `finding` is "" and `close_time` None while it is open."""

    incident_id: str
    agency_ori: str
    kind: IncidentKind
    summary: str
    discover_time: datetime
    open_time: datetime
    finding: str = ""
    close_time: datetime | None = None
    notices: tuple[IncidentNotice, ...] = ()

    @property
    def due_time(self) -> datetime:
        """When the CJIS agency coordinator must have been told."""
        return self.discover_time + TIME_TO_TELL

    @property
    def told_time(self) -> datetime | None:
        """When the CJIS agency coordinator was told first, or None."""
        told = (one for one in self.notices if one.recipient is IncidentRecipient.CJIS_COORDINATOR)
        return min((one.notice_time for one in told), default=None)

    def is_fresh(self, moment: datetime) -> bool:
        """True when it was noticed within the 30 days before `moment`."""
        return moment - timedelta(days=30) <= self.discover_time <= moment

    def is_overdue(self, moment: datetime) -> bool:
        """True when the notice came too late, or has not come by `moment` and should have."""
        return (self.told_time or moment) > self.due_time


@dataclass(frozen=True, slots=True)
class Contract:
    """A contract, in force from `start_time` to before `end_time`."""

    contract_id: str
    agency_ori: str
    kind: ContractKind
    party: str
    subject: str
    document_sha256: bytes
    start_time: datetime
    end_time: datetime
    warning_days: int
    partition: Partition

    def standing(self, moment: datetime) -> ContractStanding:
        """How it stands at `moment`."""
        if moment >= self.end_time:
            return ContractStanding.OVER
        if moment < self.start_time:
            return ContractStanding.AHEAD
        is_ending = moment >= self.end_time - timedelta(days=self.warning_days)
        return ContractStanding.ENDING if is_ending else ContractStanding.RUNNING


@dataclass(frozen=True, slots=True)
class SupportRequest:
    """A request for support; `resolution` is "" and `close_time` None while it is open."""

    support_request_id: str
    agency_ori: str
    category: SupportCategory
    details: str
    open_time: datetime
    account_id: str
    resolution: str = ""
    close_time: datetime | None = None


@dataclass(frozen=True, slots=True)
class MonthOfUse:
    """Questions of one UTC month, "2026-05", that were allowed and that were refused, and what left."""

    month: str
    questions: int
    refused: int
    disclosures: int = 0


@dataclass(frozen=True, slots=True)
class Use:
    """How a data set was used."""

    months: tuple[MonthOfUse, ...]
    people: int
    deployments_approved: int
