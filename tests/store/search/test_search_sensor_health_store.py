"""Counts, states and notices of sensors in the database, through the search_health login."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest
import pytest_asyncio

from services.search.core.sensor_activity import Activity, HourCount, Newest, hour_of
from services.search.core.sensor_health import Kind
from services.search.store_sensor_health import Audience, NewNotice, Notice, SensorHealthStore, SensorStatus
from tests.support.search_kit import ORI, OTHER_ORI, now

Connect = Callable[[str], Awaitable[asyncpg.Connection]]
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
LATEST = (datetime(9000, 1, 1, tzinfo=UTC), UUID(int=2**128 - 1))
OURS = Audience(ORI, motor_carrier=False)


@pytest_asyncio.fixture
async def store(archive_database: Any) -> AsyncIterator[SensorHealthStore]:
    async with asyncpg.create_pool(archive_database.database.url("search_health"), min_size=1) as pool:
        yield SensorHealthStore(pool)


@pytest.fixture
def sensor() -> str:
    return f"cam-{uuid4().hex[:12]}"


def activity(sensor: str, captured: datetime, reads: int = 1, drift: float | None = None) -> Activity:
    count = HourCount(
        reads=reads, received=reads, judged=reads, far=reads - 1, least_delay=timedelta(seconds=2)
    )
    return Activity(
        hours={(sensor, hour_of(captured)): count}, newest={sensor: Newest(captured, captured, drift)}
    )


def notice(sensor: str, kind: Kind = Kind.SILENT, **changes: Any) -> NewNotice:
    usual = {
        "sensor_id": sensor,
        "sensor_group": "expressway",
        "agency_ori": ORI,
        "motor_carrier": False,
        "kind": kind,
        "description": "No read for 3 h.",
    }
    return NewNotice(**{**usual, **changes})


async def of(store: SensorHealthStore, sensor: str) -> list[Notice]:
    page = await store.page(OURS, open_only=False, before=LATEST, limit=500)
    return [one for one in page if one.sensor_id == sensor]


async def test_counts_add_up_over_processes_and_a_flush_that_comes_again_counts_once(
    store: SensorHealthStore, sensor: str
) -> None:
    one, other, moment = uuid4(), uuid4(), now()

    for process, sequence in ((one, 1), (one, 1), (other, 1), (one, 2), (one, 1)):
        await store.note(process, sequence, activity(sensor, moment, reads=3))

    (hour,) = (await store.hours([sensor], moment - DAY))[sensor]
    assert (hour.reads, hour.received, hour.judged, hour.far) == (9, 9, 9, 6)
    assert hour.least_delay == timedelta(seconds=2)


async def test_the_newest_stays_whatever_comes_later(store: SensorHealthStore, sensor: str) -> None:
    newest = now()
    for sequence, (captured, drift) in enumerate(((newest, 7.0), (newest - DAY, 900.0), (newest, None))):
        await store.note(
            UUID(int=sequence + 1 << 64 | hash(sensor) % 2**60), 1, activity(sensor, captured, 1, drift)
        )

    state = (await store.states([sensor]))[sensor]

    assert (state.last_capture, state.last_receive, state.drift_metres) == (newest, newest, 7.0)
    assert state.first_hour == hour_of(newest - DAY)


@pytest.mark.clause("III.B.2.c")
async def test_what_a_sensor_said_last_is_kept_and_nothing_older(
    store: SensorHealthStore, sensor: str
) -> None:
    moment = now()
    for age, waiting in ((0, 3), (60, 99)):
        said = SensorStatus(
            sensor, moment - timedelta(seconds=age), timedelta(seconds=-4), waiting, moment - HOUR, 0.5
        )
        await store.record(said)

    state = (await store.states([sensor]))[sensor]

    assert (state.last_report, state.backlog_count, state.backlog_since) == (moment, 3, moment - HOUR)
    assert (state.clock_offset, state.storage_used, state.last_receive) == (timedelta(seconds=-4), 0.5, None)


async def test_what_is_usual_is_counted_by_hour_of_the_day_and_weekend(
    store: SensorHealthStore, sensor: str
) -> None:
    monday = datetime(2026, 11, 23, tzinfo=UTC)
    for n, (days, hours, reads) in enumerate(((-7, 8, 10), (-6, 8, 20), (-2, 8, 5), (0, 8, 1000))):
        captured = monday + timedelta(days=days, hours=hours)
        await store.note(uuid4(), n, activity(sensor, captured, reads))

    usual = (await store.usual({sensor: monday - timedelta(days=7)}, monday - 4 * 7 * DAY, monday))[sensor]

    assert usual.reads == {(False, 8): 30, (True, 8): 5}
    assert usual.days == (5.0, 2.0)


@pytest.mark.clause("III.B.2.c")
async def test_active_sensors_are_those_with_a_read_in_the_period(
    store: SensorHealthStore, sensor: str
) -> None:
    moment = hour_of(now())
    await store.note(uuid4(), 1, activity(sensor, moment - 2 * HOUR, reads=4))

    assert await store.active([sensor], moment - 2 * HOUR, moment - HOUR) == {sensor: 4}
    assert await store.active([sensor], moment - HOUR, moment) == {}
    assert await store.active(["another"], moment - DAY, moment) == {}


@pytest.mark.clause("III.B.2.c")
async def test_a_notice_opens_once_clears_once_and_may_open_again(
    store: SensorHealthStore, sensor: str
) -> None:
    moment = now()
    changed = [
        await store.change([notice(sensor)], [], moment),
        await store.change([notice(sensor)], [], moment),
        await store.change([], [(sensor, Kind.SILENT)], moment + HOUR),
        await store.change([], [(sensor, Kind.SILENT)], moment + HOUR),
        await store.change([notice(sensor)], [], moment + 2 * HOUR),
    ]

    assert changed == [1, 0, 1, 0, 1]
    again, first = await of(store, sensor)
    assert (first.open_time, first.clear_time) == (moment, moment + HOUR)
    assert (again.open_time, again.clear_time) == (moment + 2 * HOUR, None)
    assert (await store.open_kinds())[sensor] == {Kind.SILENT}


async def test_positions_have_no_gap_however_many_change_notices_at_once(store: SensorHealthStore) -> None:
    before = await store.position()
    sensors = [f"cam-{uuid4().hex[:12]}" for _ in range(12)]

    await asyncio.gather(
        *(store.change([notice(one), notice(one, Kind.MOVED)], [], now()) for one in sensors * 2)
    )

    changes = await store.since(OURS, open_only=False, after=before, limit=500)
    assert [one.position for one in changes] == list(range(before + 1, before + 25))
    assert await store.position() == before + 24


async def test_notices_are_paged_newest_first_and_are_one_audiences(store: SensorHealthStore) -> None:
    names, moment = [f"cam-{uuid4().hex[:12]}" for _ in range(5)], now() + DAY
    for n, name in enumerate(names):
        await store.change([notice(name)], [], moment + n * HOUR)
    await store.change(
        [notice("foreign", agency_ori=OTHER_ORI), notice("scale", motor_carrier=True)], [], moment + DAY
    )

    first = await store.page(OURS, open_only=True, before=LATEST, limit=3)
    second = await store.page(
        OURS, open_only=True, before=(first[-1].open_time, first[-1].notice_id), limit=2
    )
    apart = await store.page(Audience(ORI, motor_carrier=True), open_only=True, before=LATEST, limit=9)

    assert [one.sensor_id for one in (*first, *second)] == names[::-1]
    assert [one.sensor_id for one in apart] == ["scale"]


async def test_one_process_judges_until_it_is_not_heard_any_more(store: SensorHealthStore) -> None:
    one, other = uuid4(), uuid4()

    assert await store.may_judge(one, 600)
    assert not await store.may_judge(other, 600)
    assert await store.may_judge(one, 0)
    assert await store.may_judge(other, 0)


async def test_history_is_forgotten_after_its_days_and_what_is_open_is_not(
    store: SensorHealthStore, sensor: str
) -> None:
    old = now() - timedelta(days=60)
    await store.note(uuid4(), 1, activity(sensor, old))
    await store.change([notice(sensor), notice(sensor, Kind.MOVED)], [], old)
    await store.change([], [(sensor, Kind.SILENT)], old + HOUR)

    await store.forget(90)
    kept = len(await of(store, sensor))
    await store.forget(40)

    assert kept == 2
    assert [one.kind for one in await of(store, sensor)] == [Kind.MOVED]
    assert sensor not in await store.hours([sensor], old - HOUR)


@pytest.mark.clause("III.B.3.l", "IV.A.5")
async def test_the_login_of_sensor_health_sees_no_read_and_no_other_login_sees_sensors(
    connect: Connect,
) -> None:
    admin = await connect("admin")
    health = await admin.fetch(
        "SELECT p.proname FROM pg_proc AS p"
        " WHERE p.pronamespace IN ('archive'::regnamespace, 'motor_carrier'::regnamespace)"
        " AND has_function_privilege('search_health', p.oid, 'EXECUTE')"
    )
    tables = await admin.fetch(
        "SELECT c.oid::regclass::text FROM pg_class AS c"
        " WHERE c.relnamespace IN ('archive'::regnamespace, 'motor_carrier'::regnamespace)"
        " AND c.relkind IN ('r', 'p', 'v') AND has_table_privilege('search_health', c.oid,"
        " 'SELECT, INSERT, UPDATE, DELETE')"
    )
    source = await admin.fetch(
        "SELECT p.proname FROM pg_proc AS p WHERE has_function_privilege('search_health', p.oid, 'EXECUTE')"
        " AND p.pronamespace = 'archive'::regnamespace"
        r" AND (p.prosrc || coalesce(pg_get_function_sqlbody(p.oid), '')) ~ '\m(read|quarantine)\M'"
    )

    assert {row["proname"] for row in health} == {
        "note_sensor_activity",
        "record_sensor_status",
        "sensor_states",
        "sensor_hours",
        "usual_reads",
        "active_sensors",
        "may_judge",
        "open_maintenance",
        "change_maintenance",
        "maintenance_page",
        "maintenance_since",
        "maintenance_position",
        "forget_sensor_history",
    }
    assert ([row[0] for row in tables], [row[0] for row in source]) == ([], [])
