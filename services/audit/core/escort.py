"""Support by the vendor under escort (ENF-051 III.B.3.p)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class EscortScope(StrEnum):
    """What a vendor may do under escort; the names are those of the contract without their prefix."""

    HEALTH = "HEALTH"
    MODELS = "MODELS"


@dataclass(frozen=True, slots=True)
class Escorted:
    """The escort that an account is under: by whom, for what, and in force to before `ends_at`."""

    escort_id: str
    escort_account_id: str
    scope: EscortScope
    begin_time: datetime
    ends_at: datetime


@dataclass(frozen=True, slots=True)
class Plan:
    """What an escort agrees to."""

    vendor_account_id: str
    scope: EscortScope
    minutes: int
    reason: str


@dataclass(frozen=True, slots=True)
class Escort:
    """An escort as on record. `ended_time` is None while it lasts; `cut_by` is "" unless somebody cut it."""

    escort_id: str
    agency_ori: str
    vendor_account_id: str
    escort_account_id: str
    scope: EscortScope
    reason: str
    begin_time: datetime
    end_time: datetime
    ended_time: datetime | None
    cut_by: str
    calls: int


@dataclass(frozen=True, slots=True)
class VendorCall:
    """A call of a vendor under escort; `number` counts from 1 within the escort."""

    entry_id: str
    number: int
    call_time: datetime
    action: str
    service: str
