"""Whose hot list is compared on whose camera (ENF-051 II.D, II.H, III.B.1).

Three things must hold, and each can only take away: list and sensor are of one partition; the list is of the
sensor's own agency, or an agreement in effect lets the other agency's lists in; and the sensor group's row of
the matrix admits it.
"""

from __future__ import annotations

import enum
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Protocol

from services.matcher.core.entry import Category, Source
from services.matcher.core.hot_list import FileFormat


class Partition(enum.IntEnum):
    """Data sets that never meet (ENF-051 II.H); numbers as in alpr.type.v1.Partition."""

    GENERAL = 1
    MOTOR_CARRIER = 2


# The Motor Carrier Safety system holds federal DOT and ICC data and nothing else; they are held nowhere else.
_MOTOR_CARRIER_SOURCES: Final = frozenset({Source.FEDERAL_DOT, Source.ICC})
# What such data may say of a plate. Crimes, wanted and missing persons are no matter of motor carrier safety.
_MOTOR_CARRIER_CATEGORIES: Final = frozenset(
    {Category.SUSPENDED, Category.REVOKED, Category.EXPIRED_REGISTRATION, Category.OTHER}
)
# Layouts that are not one source's own.
_MOTOR_CARRIER_LAYOUTS: Final = frozenset({FileFormat.CSV, FileFormat.JSON_LINES})


class GroupMode(enum.IntEnum):
    """How a row of the matrix is read; numbers as in alpr.matcher.v1.GroupMode."""

    ALL_BUT = 1
    ONLY = 2


class ScopedList(Protocol):
    """What scope needs to know of an active list; `ListHeader` has it."""

    @property
    def hot_list_id(self) -> uuid.UUID:
        """The list."""

    @property
    def agency_ori(self) -> str:
        """Who owns it."""

    @property
    def source(self) -> Source:
        """Where it comes from."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """Reads of one agency's sensors may be compared with another agency's lists (III.B.1)."""

    agreement_id: uuid.UUID
    sensor_agency_ori: str
    list_agency_ori: str
    partitions: frozenset[Partition]
    start: datetime
    end: datetime

    def is_in_effect(self, moment: datetime) -> bool:
        """True from its start to before its end."""
        return self.start <= moment < self.end

    def lets_in(self, agency_ori: str, list_agency_ori: str, partition: Partition) -> bool:
        """True when it is for lists of the second agency on sensors of the first, in the partition."""
        return (self.sensor_agency_ori, self.list_agency_ori) == (agency_ori, list_agency_ori) and (
            partition in self.partitions
        )


@dataclass(frozen=True, slots=True)
class AgreementNews:
    """What audit says of agreements.

    Attributes:
        audit_revision: Audit's number of the newest change in it.
        in_force: New and changed agreements that both parties have accepted; all of them in a snapshot.
        ended: Agreements that do not count, ended ones among them.
        snapshot: True when what is not in `in_force` does not count.
    """

    audit_revision: int
    in_force: tuple[Agreement, ...]
    ended: tuple[uuid.UUID, ...]
    snapshot: bool


@dataclass(frozen=True, slots=True)
class GroupRow:
    """A sensor group's row of the matrix. A list that is made later is out with ONLY and in with ALL_BUT."""

    agency_ori: str
    sensor_group: str
    mode: GroupMode
    hot_list_ids: frozenset[uuid.UUID]

    def admits(self, hot_list_id: uuid.UUID) -> bool:
        """True when the list may be compared with reads of the group."""
        return (hot_list_id in self.hot_list_ids) == (self.mode is GroupMode.ONLY)


@dataclass(frozen=True, slots=True)
class Rules:
    """What may be compared with what at one moment. Without any, an agency's lists meet its own sensors.

    Attributes:
        shared: Agency of the sensors, agency of the lists, partition: what agreements in effect let in.
        rows: The matrix, by agency and sensor group; a group without a row admits everything.
    """

    shared: frozenset[tuple[str, str, Partition]] = frozenset()
    rows: Mapping[tuple[str, str], GroupRow] = field(default_factory=dict)
    # What was found last for a group, and in which headers: every batch asks again, and lists are thousands.
    _found: dict[tuple[str, str, Partition], tuple[Sequence[ScopedList], frozenset[int]]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def lists_for(
        self, agency_ori: str, sensor_group: str, partition: Partition, headers: Sequence[ScopedList]
    ) -> frozenset[int]:
        """The numbers (places in `headers`) of the lists that reads of such a sensor are compared with.

        `headers` must not change while these rules are in use.
        """
        key = (agency_ori, sensor_group, partition)
        known, numbers = self._found.get(key, ((), frozenset[int]()))
        if known is not headers:
            numbers = self._look_up(agency_ori, sensor_group, partition, headers)
            self._found[key] = headers, numbers
        return numbers

    def _look_up(
        self, agency_ori: str, sensor_group: str, partition: Partition, headers: Sequence[ScopedList]
    ) -> frozenset[int]:
        row = self.rows.get((agency_ori, sensor_group))
        return frozenset(
            number
            for number, header in enumerate(headers)
            if partition_of(header.source) is partition
            and (header.agency_ori == agency_ori or (agency_ori, header.agency_ori, partition) in self.shared)
            and (row is None or row.admits(header.hot_list_id))
        )


@dataclass(frozen=True, slots=True)
class Scope:
    """Agreements and matrix as stored at one revision."""

    agreements: tuple[Agreement, ...] = ()
    rows: tuple[GroupRow, ...] = ()
    # The rules that were asked for last: they hold until an agreement begins or ends.
    _last: list[Rules] = field(default_factory=list, init=False, repr=False, compare=False)

    def rules_at(self, moment: datetime) -> Rules:
        """The rules at `moment`: an agreement counts from its start to before its end."""
        shared = frozenset(_shared(one for one in self.agreements if one.is_in_effect(moment)))
        for last in self._last:
            if last.shared == shared:
                return last
        rules = Rules(shared, {(row.agency_ori, row.sensor_group): row for row in self.rows})
        self._last[:] = [rules]
        return rules

    def admits_others(self, agency_ori: str, moment: datetime) -> bool:
        """True when an agreement in effect lets lists of another agency meet this agency's sensors."""
        return any(
            one.sensor_agency_ori == agency_ori and one.is_in_effect(moment) for one in self.agreements
        )


def partition_of(source: Source) -> Partition:
    """The one partition in which lists of `source` are compared."""
    return Partition.MOTOR_CARRIER if source in _MOTOR_CARRIER_SOURCES else Partition.GENERAL


def takes_layout(source: Source, layout: FileFormat) -> bool:
    """True when a list of `source` may be made from a file of `layout` (ENF-051 II.H).

    Files of NCIC, LEADS and SOS go into no Motor Carrier Safety list, whatever they are said to be.
    """
    return partition_of(source) is Partition.GENERAL or layout in _MOTOR_CARRIER_LAYOUTS


def may_hold(source: Source, category: Category) -> bool:
    """True when a list of `source` may have entries of `category` (ENF-051 II.H)."""
    return partition_of(source) is Partition.GENERAL or category in _MOTOR_CARRIER_CATEGORIES


def _shared(agreements: Iterable[Agreement]) -> Iterable[tuple[str, str, Partition]]:
    for one in agreements:
        for partition in one.partitions:
            yield one.sensor_agency_ori, one.list_agency_ori, partition
