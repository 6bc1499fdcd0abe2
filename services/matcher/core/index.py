"""The hot lists in memory. What is asked of them is small: the entries of one folded plate."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from services.matcher.core.entry import Category, Entry, Source, Vehicle
from services.matcher.core.lattice import folded

_FIELD: Final = "\x1f"
_ROW: Final = "\x1e"


@dataclass(frozen=True, slots=True)
class ListHeader:
    """An active list and version, as hits show them (ENF-051 II.D)."""

    hot_list_id: uuid.UUID
    name: str
    agency_ori: str
    source: Source
    version: int
    upload_time: datetime
    activated_at: datetime


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
    """All active lists at one revision, by the agency that owns them."""

    revision: int
    load_time: datetime
    by_agency: Mapping[str, tuple[ActiveList, ...]]

    def lists_of(self, agency_ori: str) -> tuple[ActiveList, ...]:
        """The lists that reads of this agency's sensors are compared with: its own."""
        return self.by_agency.get(agency_ori, ())

    def loaded(self) -> Mapping[tuple[uuid.UUID, int], ListIndex]:
        """What is in memory by list and version, so that the next index makes only what is new."""
        return {
            (one.header.hot_list_id, one.header.version): one.entries
            for lists in self.by_agency.values()
            for one in lists
        }

    @property
    def entry_count(self) -> int:
        """Entries over all lists."""
        return sum(one.entries.entry_count for lists in self.by_agency.values() for one in lists)

    @property
    def plate_count(self) -> int:
        """Distinct plates of each list, summed over all lists."""
        return sum(one.entries.plate_count for lists in self.by_agency.values() for one in lists)


def _packed(entry: Entry) -> str:
    vehicle = entry.vehicle
    return _FIELD.join(
        (
            entry.entry_id.hex,
            entry.plate,
            entry.state,
            str(entry.category.value),
            entry.record_number,
            vehicle.year,
            vehicle.make,
            vehicle.model,
            vehicle.style,
            vehicle.color,
        )
    )


def _unpacked(row: str) -> Entry:
    entry_id, plate, state, category, record_number, *vehicle = row.split(_FIELD)
    return Entry(uuid.UUID(entry_id), plate, state, Category(int(category)), record_number, Vehicle(*vehicle))
