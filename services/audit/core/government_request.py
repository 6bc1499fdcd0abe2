"""Requests of government entities that enforce no law, and what was decided on them (ENF-051 IV.B.3)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

LONGEST_GRANT = timedelta(days=366)
# What goes to such an entity, by the actions under which services record it.
LEAVING = frozenset({"dissemination.government", "mcs_dissemination.government"})


class RequestDecision(StrEnum):
    """What was decided; the names are those of the contract without their prefix."""

    GRANTED = "GRANTED"
    REFUSED = "REFUSED"


@dataclass(frozen=True, slots=True)
class Decided:
    """A decision: what, why, and for a grant until when; by whom and when once it is on record."""

    decision: RequestDecision
    reason: str
    valid_until: datetime | None
    decided_by: str = ""
    decide_time: datetime | None = None


@dataclass(frozen=True, slots=True)
class GovernmentRequest:
    """A request as it came in; `decided` is None while nobody has decided."""

    request_id: str
    agency_ori: str
    entity: str
    entity_type: str
    person: str
    purpose: str
    document_sha256: bytes
    receive_time: datetime
    record_time: datetime | None = None
    decided: Decided | None = None
