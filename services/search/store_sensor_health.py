"""How sensors do, in the database: the search_health login, which sees no read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from services.common.pg import Pool, connection, transaction
from services.search.core.sensor_activity import Activity
from services.search.core.sensor_health import Hour, Kind, Usual, usual_of

_NOTE: Final = (
    "SELECT archive.note_sensor_activity($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)"
)
_RECORD: Final = "SELECT archive.record_sensor_status($1, $2, $3, $4, $5, $6)"
_STATES: Final = (
    "SELECT sensor_id, first_hour, last_capture, last_receive, drift_metres, last_report, clock_offset_us,"
    " backlog_count, backlog_since, storage_used FROM archive.sensor_states($1)"
)
_HOURS: Final = (
    "SELECT sensor_id, hour, reads, received, quarantined, judged, far, least_delay_us"
    " FROM archive.sensor_hours($1, $2)"
)
_USUAL: Final = "SELECT sensor_id, weekend, hour_of_day, reads FROM archive.usual_reads($1, $2, $3)"
_ACTIVE: Final = "SELECT sensor_id, reads FROM archive.active_sensors($1, $2, $3)"
_MAY_JUDGE: Final = "SELECT archive.may_judge($1, $2)"
_OPEN: Final = "SELECT sensor_id, kind FROM archive.open_maintenance()"
_CHANGE: Final = "SELECT archive.change_maintenance($1, $2, $3, $4, $5, $6, $7, $8, $9)"
_NOTICE: Final = (
    "SELECT notice_id, sensor_id, sensor_group, kind, description, open_time, clear_time, position"
)
_PAGE: Final = f"{_NOTICE} FROM archive.maintenance_page($1, $2, $3, $4, $5, $6)"
_SINCE: Final = f"{_NOTICE} FROM archive.maintenance_since($1, $2, $3, $4, $5)"
_POSITION: Final = "SELECT archive.maintenance_position()"
_FORGET: Final = "SELECT archive.forget_sensor_history($1)"
_MICROSECOND: Final = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class SensorStatus:
    """What a sensor said of itself; `clock_offset` is its clock minus ours."""

    sensor_id: str
    receive_time: datetime
    clock_offset: timedelta
    backlog_count: int
    backlog_since: datetime | None
    storage_used: float | None


@dataclass(frozen=True, slots=True)
class SensorState:
    """The newest of a sensor; None for what never happened."""

    sensor_id: str
    first_hour: datetime | None
    last_capture: datetime | None
    last_receive: datetime | None
    drift_metres: float | None
    last_report: datetime | None
    clock_offset: timedelta | None
    backlog_count: int | None
    backlog_since: datetime | None
    storage_used: float | None


@dataclass(frozen=True, slots=True)
class NewNotice:
    """A notice that is to be opened."""

    sensor_id: str
    sensor_group: str
    agency_ori: str
    motor_carrier: bool
    kind: Kind
    description: str


@dataclass(frozen=True, slots=True)
class Notice:
    """A notice as it stands; `clear_time` is None while it is open."""

    notice_id: UUID
    sensor_id: str
    sensor_group: str
    kind: Kind
    description: str
    open_time: datetime
    clear_time: datetime | None
    position: int


@dataclass(frozen=True, slots=True)
class Audience:
    """Whose notices: one agency's, of one data set's sensors."""

    agency_ori: str
    motor_carrier: bool


class SensorHealthStore:
    """Counts, states and notices; every method may raise StorageUnavailableError."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def note(self, process_id: UUID, sequence: int, activity: Activity) -> None:
        """Returns when the counts are on disk; the same sequence number again counts nothing."""
        hours, newest = activity.hours.items(), activity.newest.items()
        columns: list[list[Any]] = [
            [sensor_id for (sensor_id, _), _ in hours],
            [hour for (_, hour), _ in hours],
            [count.reads for _, count in hours],
            [count.received for _, count in hours],
            [count.quarantined for _, count in hours],
            [count.judged for _, count in hours],
            [count.far for _, count in hours],
            [_microseconds(count.least_delay) for _, count in hours],
            [sensor_id for sensor_id, _ in newest],
            [one.capture for _, one in newest],
            [one.receipt for _, one in newest],
            [one.drift_metres for _, one in newest],
        ]
        async with transaction(self._pool) as held:
            await held.execute(_NOTE, process_id, sequence, *columns)

    async def record(self, status: SensorStatus) -> None:
        """Returns when it is on disk, unless something newer is."""
        async with connection(self._pool) as held:
            await held.execute(
                _RECORD,
                status.sensor_id,
                status.receive_time,
                _microseconds(status.clock_offset),
                status.backlog_count,
                status.backlog_since,
                status.storage_used,
            )

    async def states(self, sensor_ids: Sequence[str]) -> dict[str, SensorState]:
        """The newest of these sensors, as far as there is anything."""
        async with connection(self._pool) as held:
            rows = await held.fetch(_STATES, sensor_ids)
        return {row["sensor_id"]: _state(row) for row in rows}

    async def hours(self, sensor_ids: Sequence[str], from_hour: datetime) -> dict[str, list[Hour]]:
        """The hours of these sensors from a full hour on, ascending."""
        async with connection(self._pool) as held:
            rows = await held.fetch(_HOURS, sensor_ids, from_hour)
        found: dict[str, list[Hour]] = {}
        for row in rows:
            values = dict(row)
            sensor_id, delay = values.pop("sensor_id"), _duration(values.pop("least_delay_us"))
            found.setdefault(sensor_id, []).append(
                Hour(start=values.pop("hour"), least_delay=delay, **values)
            )
        return found

    async def usual(
        self, firsts: Mapping[str, datetime], from_hour: datetime, to_hour: datetime
    ) -> dict[str, Usual]:
        """What is usual for the sensors, each from its first hour in `firsts` on, between two full hours.

        Sensors with a history that is too short are left out.
        """
        async with connection(self._pool) as held:
            rows = await held.fetch(_USUAL, list(firsts), from_hour, to_hour)
        sums: dict[str, dict[tuple[bool, int], int]] = {sensor_id: {} for sensor_id in firsts}
        for sensor_id, weekend, hour, reads in (tuple(row.values()) for row in rows):
            sums[sensor_id][weekend, hour] = reads
        found = {
            sensor_id: usual_of(reads, max(from_hour, firsts[sensor_id]), to_hour)
            for sensor_id, reads in sums.items()
        }
        return {sensor_id: usual for sensor_id, usual in found.items() if usual is not None}

    async def active(
        self, sensor_ids: Sequence[str], from_hour: datetime, to_hour: datetime
    ) -> dict[str, int]:
        """Reads between two full hours of those of the sensors that captured any."""
        async with connection(self._pool) as held:
            rows = await held.fetch(_ACTIVE, sensor_ids, from_hour, to_hour)
        return {row["sensor_id"]: row["reads"] for row in rows}

    async def may_judge(self, process_id: UUID, seconds: int) -> bool:
        """Whether this process is the one that judges for the next so many seconds."""
        async with connection(self._pool) as held:
            mine: bool = await held.fetchval(_MAY_JUDGE, process_id, seconds)
        return mine

    async def open_kinds(self) -> dict[str, set[Kind]]:
        """The kinds of open notices by sensor."""
        async with connection(self._pool) as held:
            rows = await held.fetch(_OPEN)
        found: dict[str, set[Kind]] = {}
        for row in rows:
            found.setdefault(row["sensor_id"], set()).add(Kind(row["kind"]))
        return found

    async def change(
        self, opened: Sequence[NewNotice], cleared: Sequence[tuple[str, Kind]], moment: datetime
    ) -> int:
        """The number of notices that were opened and cleared, once it is on disk."""
        columns: list[list[Any]] = [
            [one.sensor_id for one in opened],
            [one.sensor_group for one in opened],
            [one.agency_ori for one in opened],
            [one.motor_carrier for one in opened],
            [one.kind.value for one in opened],
            [one.description for one in opened],
            [sensor_id for sensor_id, _ in cleared],
            [kind.value for _, kind in cleared],
        ]
        async with transaction(self._pool) as held:
            changed: int = await held.fetchval(_CHANGE, *columns, moment)
        return changed

    async def page(
        self, audience: Audience, *, open_only: bool, before: tuple[datetime, UUID], limit: int
    ) -> list[Notice]:
        """Notices that opened before `before`, newest first."""
        arguments = (audience.agency_ori, audience.motor_carrier, open_only, *before, limit)
        async with connection(self._pool) as held:
            return [_notice(row) for row in await held.fetch(_PAGE, *arguments)]

    async def since(self, audience: Audience, *, open_only: bool, after: int, limit: int) -> list[Notice]:
        """Notices whose last change comes after the position, in that order."""
        arguments = (audience.agency_ori, audience.motor_carrier, open_only, after, limit)
        async with connection(self._pool) as held:
            return [_notice(row) for row in await held.fetch(_SINCE, *arguments)]

    async def position(self) -> int:
        """The position of the last change of any notice."""
        async with connection(self._pool) as held:
            position: int = await held.fetchval(_POSITION)
        return position

    async def forget(self, days: int) -> None:
        """Forgets what was over so many days ago."""
        async with connection(self._pool) as held:
            await held.execute(_FORGET, days)


def _microseconds(length: timedelta | None) -> int | None:
    return None if length is None else length // _MICROSECOND


def _duration(microseconds: int | None) -> timedelta | None:
    return None if microseconds is None else microseconds * _MICROSECOND


def _state(row: Any) -> SensorState:
    values = dict(row)
    return SensorState(clock_offset=_duration(values.pop("clock_offset_us")), **values)


def _notice(row: Any) -> Notice:
    return Notice(**{**dict(row), "kind": Kind(row["kind"])})
