"""What the writer keeps for subscriptions and subscribers: facets, marks, and the two data sets apart."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from uuid import UUID, uuid4

import asyncpg
import pytest
import pytest_asyncio

from services.alerts.core.model import Category, FeedKind, Hit, Partition, Place, Severity, StepKind
from services.alerts.store import AlertStore
from services.alerts.store_writer import AlertWriter
from services.common.database import admin_connection
from services.common.pg import Pool, open_pool
from tests.support.alerts_kit import NOON, WINDOW, entry_of, hit_of, many_hits, step_of
from tests.support.clock import ManualClock
from tests.support.databases import MigratedDatabase

FEDERAL_DOT, LEADS = 5, 2


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def database(migrated_database) -> MigratedDatabase:
    return await migrated_database("alerts")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def pool(database: MigratedDatabase) -> AsyncIterator[Pool]:
    opened = await open_pool(database.url("alerts_app"), application_name="alerts-test")
    yield opened
    await opened.close()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOON)


@pytest.fixture
def writer(pool: Pool, clock: ManualClock) -> AlertWriter:
    return AlertWriter(pool, clock, passage_window=WINDOW, new_id=uuid4)


@pytest.fixture
def store(pool: Pool) -> AlertStore:
    return AlertStore(pool)


def plate() -> str:
    return "T" + uuid4().hex[:7].upper()


def seen_at(hit: Hit, latitude: float, *, probability: float = 0.97, sensor: str = "cam-north-1") -> Hit:
    """The plate of `hit` once more, by a further read."""
    place = Place(latitude, -87.63, "")
    matches = tuple(replace(match, probability=probability) for match in hit.matches)
    sighting = replace(hit.sighting, read_id=uuid4(), place=place, sensor_id=sensor)
    return replace(hit, sighting=sighting, matches=matches)


@pytest.mark.clause("IV.D.1")
async def test_an_alert_keeps_every_place_and_probability_at_which_it_was_seen(
    writer: AlertWriter, store: AlertStore
) -> None:
    first = hit_of(entry_of(Category.WANTED), plate=plate())
    hits = [
        first,
        seen_at(first, 41.95, probability=0.5),
        seen_at(first, 41.95000001, probability=0.504),
        seen_at(first, 41.95, probability=0.5, sensor="cam-north-2"),
    ]

    (alert_id, *_) = await writer.flush(hits)
    alert = await store.alert(alert_id)

    assert alert is not None
    kept = {(facet.latitude, facet.percent, facet.sensor_id, facet.severity) for facet in alert.facets}
    assert kept == {
        (41.88, 97, "cam-north-1", Severity.HIGH),
        (41.95, 50, "cam-north-1", Severity.HIGH),
        (41.95, 50, "cam-north-2", Severity.HIGH),
    }
    assert len(alert.facets) == 3


@pytest.mark.clause("IV.D.1")
async def test_an_alert_keeps_the_unit_of_every_sensor_that_saw_it(
    writer: AlertWriter, store: AlertStore
) -> None:
    first = hit_of(plate=plate())
    of_none = seen_at(first, 41.88, sensor="cam-of-none")
    of_none = replace(of_none, sighting=replace(of_none.sighting, sensor_unit=""))

    (alert_id, *_) = await writer.flush([first, of_none])
    alert = await store.alert(alert_id)

    assert alert is not None
    assert {(facet.sensor_id, facet.sensor_unit) for facet in alert.facets} == {
        ("cam-north-1", "District 15"),
        ("cam-of-none", ""),
    }
    newest = max((first, of_none), key=lambda hit: hit.sighting.read_id).sighting
    assert (alert.sighting.sensor_id, alert.sighting.sensor_unit) == (newest.sensor_id, newest.sensor_unit)


async def test_a_car_that_stands_in_view_does_not_make_its_alert_longer(
    writer: AlertWriter, store: AlertStore
) -> None:
    first = hit_of(plate=plate())

    (alert_id, *_) = await writer.flush([first, *(seen_at(first, 41.88) for _ in range(50))])
    await writer.flush([seen_at(first, 41.88) for _ in range(50)])

    alert = await store.alert(alert_id)
    assert alert is not None
    assert len(alert.facets) == 1


async def test_marks_rise_with_positions_and_tell_the_time(
    writer: AlertWriter, store: AlertStore, clock: ManualClock
) -> None:
    begin = (await store.head()).last_position
    await writer.flush(many_hits(50))
    clock.advance(timedelta(seconds=1))
    await writer.flush([hit_of(plate=plate())])

    marks = [item.mark for item in await store.feed_after(begin, 100)]

    assert marks == sorted(set(marks))
    assert marks[-1] - marks[0] == pytest.approx(1_000_000, abs=20_000)


async def test_marks_do_not_count(writer: AlertWriter, store: AlertStore) -> None:
    begin = (await store.head()).last_position
    await writer.flush(many_hits(100, at=NOON + timedelta(hours=1)))

    marks = [item.mark for item in await store.feed_after(begin, 100)]

    steps = {later - earlier for earlier, later in pairwise(marks)}
    assert len(steps) > 20


async def test_marks_rise_although_the_clock_is_set_back(
    writer: AlertWriter, store: AlertStore, clock: ManualClock
) -> None:
    begin = (await store.head()).last_position
    alert_id = (await writer.flush([hit_of(plate=plate())]))[0]
    clock.set(NOON - timedelta(days=1))
    assert isinstance(alert_id, UUID)
    await writer.flush([step_of(alert_id, StepKind.ACKNOWLEDGE), hit_of(plate=plate())])

    marks = [item.mark for item in await store.feed_after(begin, 100)]

    assert marks == sorted(set(marks))
    assert len(marks) == 3


def motor_carrier_hit(the_plate: str) -> Hit:
    return hit_of(replace(entry_of(Category.OTHER), source=FEDERAL_DOT), plate=the_plate)


@pytest.mark.clause("II.H")
async def test_one_passage_is_two_alerts_when_both_data_sets_list_the_plate(
    writer: AlertWriter, store: AlertStore
) -> None:
    begin, car = (await store.head()).last_position, plate()
    general = hit_of(plate=car)

    ids = await writer.flush([general, motor_carrier_hit(car)])
    again = await writer.flush([motor_carrier_hit(car), seen_at(general, 41.9)])

    assert ids[0] != ids[1]
    assert again == [ids[1], ids[0]]
    news = [(item.alert.partition, item.kind) for item in await store.feed_after(begin, 10)]
    assert news == [
        (Partition.GENERAL, FeedKind.RAISED),
        (Partition.MOTOR_CARRIER, FeedKind.RAISED),
        (Partition.MOTOR_CARRIER, FeedKind.UPDATED),
        (Partition.GENERAL, FeedKind.UPDATED),
    ]


@pytest.mark.clause("II.H")
@pytest.mark.parametrize(("alert_is_motor_carrier", "source"), [(True, LEADS), (False, FEDERAL_DOT)])
async def test_the_database_takes_no_hit_of_one_data_set_into_an_alert_of_the_other(
    database: MigratedDatabase,
    writer: AlertWriter,
    pool: Pool,
    alert_is_motor_carrier: bool,
    source: int,
) -> None:
    car = plate()
    (alert_id,) = await writer.flush(
        [motor_carrier_hit(car) if alert_is_motor_carrier else hit_of(plate=car)]
    )
    async with admin_connection(database.admin_url) as admin:
        names = [
            row["column_name"]
            for row in await admin.fetch(
                "SELECT column_name FROM information_schema.columns WHERE table_schema = 'alerts'"
                " AND table_name = 'hit' AND is_generated = 'NEVER'"
            )
        ]
    columns = ", ".join(names)
    values = ", ".join({"read_id": "gen_random_uuid()", "source": str(source)}.get(n, n) for n in names)

    with pytest.raises(asyncpg.ForeignKeyViolationError):
        await pool.execute(
            f"INSERT INTO alerts.hit ({columns}) SELECT {values} FROM alerts.hit WHERE alert_id = $1",  # noqa: S608
            alert_id,
        )


@pytest.mark.clause("II.H")
async def test_the_service_cannot_move_an_alert_to_the_other_data_set(pool: Pool) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await pool.execute("UPDATE alerts.alert SET motor_carrier = false")
