"""Local lists: kept by a user, a unit or for a sensor, apart from what agencies upload (ENF-051 II.D)."""

from __future__ import annotations

import enum
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol

from services.matcher.core.entry import Category, Vehicle

LONGEST_LIFE: Final = timedelta(days=30)
"""An entry lives no longer; who still needs it gives the reason anew."""
MOST_ENTRIES: Final = 200
"""Live entries of one list. Whoever needs more has a hot list, with a second pair of eyes on it."""
MOST_WILDCARDS: Final = 200
"""Live entries with wildcards of one agency: each of them is compared with every read by itself."""
FEWEST_MATCHES: Final = 10
"""Below so many nothing is said of an entry: one car that passes a few times is no measure of it."""
_LIMIT: Final = 10_000
# As of a hot list; whoever takes hits relies on it.
_LONGEST_NAME: Final = 100
_NAMESPACE: Final = uuid.UUID("8f1f0c0e-55a4-5d1b-9a5e-4c1c6f1b7d20")


class OwnerKind(enum.IntEnum):
    """Who keeps a local list; numbers as in alpr.matcher.v1.LocalListOwnerKind."""

    USER = 1
    UNIT = 2
    SENSOR = 3


class EndReason(enum.IntEnum):
    """Why an entry ended before its time; numbers as in alpr.matcher.v1.LocalEntryState."""

    REMOVED = 3
    SUSPENDED = 4


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose list it is.

    Attributes:
        key: Account id, unit, or sensor id.
        unit: The unit that answers for the list; empty for a sensor's.
    """

    agency_ori: str
    kind: OwnerKind
    key: str
    unit: str = ""

    @property
    def hot_list_id(self) -> uuid.UUID:
        """The list of this owner: there is one each."""
        return uuid.uuid5(_NAMESPACE, f"{self.agency_ori}\n{self.kind.value}\n{self.key}")

    @property
    def list_name(self) -> str:
        """How hits name the list. An account stands there by its id: no name is in a hit (IV.C.2)."""
        return f"local list of {self.kind.name.lower()} {self.key}"[:_LONGEST_NAME]


@dataclass(frozen=True, slots=True)
class Grounds:
    """Why a plate is watched for, as alpr.type.v1.Justification has it (IV.C.5, IV.C.6); audit judges it."""

    case_number_kind: int
    case_number: str
    outside_agency: str
    purpose: str
    offence_code: str


@dataclass(frozen=True, slots=True)
class Watched:
    """What is watched for: a plate or pattern of plates, and what is known besides.

    Attributes:
        pattern: A-Z and 0-9, `?` for any one of them.
        state: Empty when unknown.
        plate_type: NCIC code; empty when unknown.
    """

    pattern: str
    state: str
    plate_type: str
    category: Category
    vehicle: Vehicle


@dataclass(frozen=True, slots=True)
class LocalEntry:
    """An entry of a local list with its history.

    Attributes:
        account_id: Who put it on the list and answers for it (III.B.3.d).
        added_revision: From which revision reads are compared with it; also its version.
        ended_at: When it was taken off or suspended itself; None while neither happened.
        read_count: Reads that it was compared with.
        match_count: Of those, how many it matched; reads of one plate within an hour count as one.
    """

    entry_id: uuid.UUID
    owner: Owner
    watched: Watched
    grounds: Grounds
    account_id: str
    added_at: datetime
    expires_at: datetime
    added_revision: int
    end_reason: EndReason | None = None
    ended_at: datetime | None = None
    read_count: int = 0
    match_count: int = 0

    def is_live(self, moment: datetime) -> bool:
        """True while reads are compared with it: neither ended nor expired, to the second."""
        return self.end_reason is None and moment < self.expires_at


def matches_too_much(match_count: int, read_count: int) -> bool:
    """True for an entry that matches more than 1 in 10,000 reads, once it has FEWEST_MATCHES."""
    return match_count >= FEWEST_MATCHES and match_count * _LIMIT > read_count


class OfOwner(Protocol):
    """What must be known of a list in memory; `ListHeader` has it."""

    @property
    def agency_ori(self) -> str:
        """Who owns it."""

    @property
    def is_local(self) -> bool:
        """True for a local list."""

    @property
    def sensor_id(self) -> str:
        """The one sensor whose reads it is compared with; empty for all."""


def without_others_local(
    numbers: Iterable[int], headers: Sequence[OfOwner], agency_ori: str, sensor_id: str
) -> frozenset[int]:
    """`numbers`, places in `headers`, without the local lists that are not for this agency's sensor.

    No agreement lets a local list out of its agency: it has one officer's word behind it.
    """

    def is_for(header: OfOwner) -> bool:
        return header.agency_ori == agency_ori and header.sensor_id in ("", sensor_id)

    return frozenset(number for number in numbers if not headers[number].is_local or is_for(headers[number]))
