"""The hot lists in memory. What is asked of them is small: the entries of one folded plate."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Final

from services.matcher.core.entry import Category, Entry, Source, Vehicle
from services.matcher.core.lattice import folded
from services.matcher.core.scope import Scope

_FIELD: Final = "\x1f"
_ROW: Final = "\x1e"


@dataclass(frozen=True, slots=True)
class ListHeader:
    """An active list and version, as hits show them (ENF-051 II.D).

    Attributes:
        version: Grows with every change of the list's content; list and version together never change theirs.
        upload_time: When the content was received; the list's age counts from it.
        expires_at: From this second on the whole list matches nothing; None when it does not expire.
        is_local: True for a local list (`core/local.py`).
        sensor_id: The one sensor whose reads it is compared with; empty for all that scope lets in.
    """

    hot_list_id: uuid.UUID
    name: str
    agency_ori: str
    source: Source
    version: int
    upload_time: datetime
    activated_at: datetime
    expires_at: datetime | None = None
    is_local: bool = False
    sensor_id: str = ""


class ListIndex:
    """The entries of one version of one list. Never changes once it is made.

    One text a plate holds all of its entries: the collector has nothing to follow in a dict of texts, so a
    million entries cost it nothing, and they are taken apart only when a plate is hit.
    """

    __slots__ = ("_packed", "entry_count")

    def __init__(self, packed: Mapping[str, str], entry_count: int) -> None:
        self._packed = packed
        self.entry_count = entry_count

    @property
    def plate_count(self) -> int:
        """Distinct plates, after folding."""
        return len(self._packed)

    def find(self, plate: str) -> tuple[Entry, ...]:
        """The entries whose folded plate is `plate`."""
        packed = self._packed.get(plate)
        return tuple(_unpacked(row) for row in packed.split(_ROW)) if packed else ()


class ListIndexBuilder:
    """Makes a ListIndex from entries that come in parts."""

    def __init__(self) -> None:
        self._packed: dict[str, str] = {}
        self._count = 0

    def add(self, entries: Iterable[Entry]) -> None:
        """Adds `entries`."""
        packed = self._packed
        for entry in entries:
            plate, row = folded(entry.plate), _packed(entry)
            before = packed.get(plate)
            packed[plate] = row if before is None else f"{before}{_ROW}{row}"
            self._count += 1

    def build(self) -> ListIndex:
        """The index of all that was added; the builder is of no more use."""
        packed, self._packed = self._packed, {}
        return ListIndex(packed, self._count)


@dataclass(frozen=True, slots=True)
class ActiveList:
    """A list that reads are compared with."""

    header: ListHeader
    entries: ListIndex


@dataclass(frozen=True, slots=True)
class Index:
    """All active lists at one revision. A list's number is its place in `lists`, in this index only."""

    revision: int
    load_time: datetime
    lists: tuple[ActiveList, ...]
    scope: Scope = field(default_factory=Scope)

    @property
    def headers(self) -> tuple[ListHeader, ...]:
        """The header of every list, by number."""
        return tuple(one.header for one in self.lists)

    def loaded(self) -> Mapping[tuple[uuid.UUID, int], ListIndex]:
        """What is in memory by list and version, so that the next index makes only what is new."""
        return {(one.header.hot_list_id, one.header.version): one.entries for one in self.lists}

    @property
    def entry_count(self) -> int:
        """Entries over all lists."""
        return sum(one.entries.entry_count for one in self.lists)

    @property
    def plate_count(self) -> int:
        """Distinct plates of each list, summed over all lists."""
        return sum(one.entries.plate_count for one in self.lists)


def _packed(entry: Entry) -> str:
    vehicle = entry.vehicle
    return _FIELD.join(
        (
            entry.entry_id.hex,
            entry.plate,
            entry.state,
            str(entry.category.value),
            entry.record_number,
            entry.plate_type,
            entry.entry_date.isoformat() if entry.entry_date else "",
            str(int(entry.expires_at.timestamp())) if entry.expires_at else "",
            vehicle.year,
            vehicle.make,
            vehicle.model,
            vehicle.style,
            vehicle.color,
        )
    )


def _unpacked(row: str) -> Entry:
    entry_id, plate, state, category, record_number, plate_type, entered, expires, *vehicle = row.split(
        _FIELD
    )
    return Entry(
        entry_id=uuid.UUID(entry_id),
        plate=plate,
        state=state,
        category=Category(int(category)),
        record_number=record_number,
        vehicle=Vehicle(*vehicle),
        plate_type=plate_type,
        entry_date=date.fromisoformat(entered) if entered else None,
        expires_at=datetime.fromtimestamp(int(expires), UTC) if expires else None,
    )
