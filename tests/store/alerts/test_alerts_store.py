"""Writer, store and outbox on a real PostgreSQL, with the login of the service."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import UUID, uuid4

import asyncpg
import pytest
import pytest_asyncio

from services.alerts.core.digest import hit_digest
from services.alerts.core.model import Category, Disposition, FeedKind, Hit, StepKind, Verification
from services.alerts.errors import NotConfirmedError
from services.alerts.rows import MATCH_COLUMNS, SIGHTING_COLUMNS
from services.alerts.store import AlertStore
from services.alerts.store_batch import OutboxItem
from services.alerts.store_outbox import OutboxStore
from services.alerts.store_writer import AlertWriter, Change
from services.common.errors import NotFoundError, RequestIdReusedError, WrongStateError
from services.common.pg import Pool, open_pool
from tests.support.alerts_kit import (
    NOON,
    OTHER,
    OWN,
    WINDOW,
    confirmed,
    disposed,
    entry_of,
    hit_of,
    many_hits,
    step_of,
    verifying,
)
from tests.support.clock import ManualClock
from tests.support.databases import MigratedDatabase


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def database(migrated_database) -> MigratedDatabase:
    return await migrated_database("alerts")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def pool(database: MigratedDatabase) -> AsyncIterator[Pool]:
    opened = await open_pool(database.url("alerts_app"), application_name="alerts-test")
    yield opened
    await opened.close()


@pytest.fixture
def writer(pool: Pool) -> AlertWriter:
    return AlertWriter(pool, ManualClock(NOON), passage_window=WINDOW, new_id=uuid4)


@pytest.fixture
def store(pool: Pool) -> AlertStore:
    return AlertStore(pool)


def plate() -> str:
    return "T" + uuid4().hex[:7].upper()


async def one(writer: AlertWriter, change: Change) -> UUID:
    (done,) = await writer.flush([change])
    if isinstance(done, Exception):
        raise done
    return done


async def raised(writer: AlertWriter) -> UUID:
    return await one(writer, hit_of(plate=plate()))


async def news_after(store: AlertStore, position: int) -> list[tuple[UUID, FeedKind]]:
    return [(item.alert.alert_id, item.kind) for item in await store.feed_after(position, 1000)]


@pytest.mark.clause("IV.E.2", "II.D")
async def test_a_hit_comes_back_as_it_was_stored(writer: AlertWriter, store: AlertStore) -> None:
    hit = hit_of(entry_of(Category.OTHER), entry_of(Category.AMBER, agency=OTHER), plate=plate())

    alert = await store.alert(await one(writer, hit))

    assert alert is not None
    assert alert.sighting == hit.sighting
    assert [m.entry for m in alert.matches] == [hit.matches[1].entry, hit.matches[0].entry]
    assert alert.raise_time == NOON
    assert (alert.verification, alert.acknowledged) == (Verification.NEW, False)


async def test_the_same_hit_again_changes_nothing(writer: AlertWriter, store: AlertStore) -> None:
    hit = hit_of(plate=plate())
    first = await one(writer, hit)
    before = await store.head()

    again = await writer.flush([hit, hit])

    assert again == [first, first]
    assert await store.head() == before


async def test_the_same_hit_twice_in_one_batch_is_one_hit(writer: AlertWriter, store: AlertStore) -> None:
    hit = hit_of(plate=plate())
    before = (await store.head()).last_position

    first, second = await writer.flush([hit, hit])

    assert first == second
    assert (await store.head()).last_position == before + 1


async def test_a_further_camera_of_the_passage_updates_the_alert(
    writer: AlertWriter, store: AlertStore
) -> None:
    number, entry = plate(), entry_of()
    before = (await store.head()).last_position
    first = await one(writer, hit_of(entry, plate=number))
    later = hit_of(entry, plate=number, at=NOON + timedelta(minutes=4))

    second = await one(writer, later)

    assert second == first
    assert await news_after(store, before) == [(first, FeedKind.RAISED), (first, FeedKind.UPDATED)]
    alert = await store.alert(first)
    assert alert is not None
    assert alert.sighting == later.sighting
    assert len(alert.matches) == 1


async def test_a_further_entry_updates_the_alert_even_in_the_same_batch(
    writer: AlertWriter, store: AlertStore
) -> None:
    number = plate()
    hits = [hit_of(entry_of(Category.OTHER), plate=number), hit_of(entry_of(Category.FELONY), plate=number)]

    first, second = await writer.flush(hits)

    assert first == second
    assert isinstance(first, UUID)
    alert = await store.alert(first)
    assert alert is not None
    assert [m.entry.category for m in alert.matches] == [Category.FELONY, Category.OTHER]


async def test_after_the_window_the_plate_raises_a_new_alert(writer: AlertWriter) -> None:
    number, entry = plate(), entry_of()
    first = await one(writer, hit_of(entry, plate=number))

    second = await one(writer, hit_of(entry, plate=number, at=NOON + timedelta(minutes=6)))

    assert second != first


async def test_two_reads_that_claim_one_id_both_keep_what_they_said(
    writer: AlertWriter, store: AlertStore
) -> None:
    read_id = uuid4()
    first = await one(writer, hit_of(plate=plate(), read_id=read_id))

    other = hit_of(plate=plate(), read_id=read_id)
    second = await store.alert(await one(writer, other))

    assert second is not None
    assert second.alert_id != first
    assert second.sighting.plate == other.sighting.plate


@pytest.mark.clause("III.D.4", "IV.D.4", "II.A")
async def test_an_enforcement_is_stored_only_after_a_confirmation(
    writer: AlertWriter, store: AlertStore
) -> None:
    alert_id = await raised(writer)
    with pytest.raises(NotConfirmedError):
        await one(writer, disposed(alert_id, Disposition.STOPPED))
    await one(writer, verifying(alert_id))
    with pytest.raises(NotConfirmedError):
        await one(writer, disposed(alert_id, Disposition.STOPPED))
    await one(writer, confirmed(alert_id))

    await one(writer, disposed(alert_id, Disposition.STOPPED))

    alert = await store.alert(alert_id)
    assert alert is not None
    assert (alert.verification, alert.disposition) == (Verification.CONFIRMED, Disposition.STOPPED)
    history = await store.history(alert_id)
    assert [(s.verification, s.disposition) for s in history] == [
        (Verification.VERIFYING, Disposition.NONE),
        (Verification.CONFIRMED, Disposition.NONE),
        (Verification.CONFIRMED, Disposition.STOPPED),
    ]
    assert (history[1].system, history[1].response_id) == ("LEADS", "R-778")


async def test_a_step_is_idempotent_by_its_request_id(writer: AlertWriter, store: AlertStore) -> None:
    alert_id = await raised(writer)
    step = verifying(alert_id)
    await one(writer, step)
    before = await store.head()

    await one(writer, step)
    with pytest.raises(RequestIdReusedError):
        changed = step_of(alert_id, StepKind.ACKNOWLEDGE, request_id=step.request.request_id)
        await one(writer, changed)

    assert await store.head() == before
    assert len(await store.history(alert_id)) == 1


async def test_a_refused_step_takes_no_position_and_spoils_no_neighbour(
    writer: AlertWriter, store: AlertStore
) -> None:
    alert_id = await raised(writer)
    before = (await store.head()).last_position
    ack = step_of(alert_id, StepKind.ACKNOWLEDGE)

    done = await writer.flush([confirmed(alert_id), ack, verifying(uuid4()), hit_of(plate=plate())])

    assert [type(one) for one in done] == [WrongStateError, UUID, NotFoundError, UUID]
    items = await store.feed_after(before, 10)
    assert [item.position for item in items] == [before + 1, before + 2]
    assert {item.kind for item in items} == {FeedKind.RAISED, FeedKind.UPDATED}


async def test_a_change_that_the_database_refuses_spoils_no_neighbour(
    writer: AlertWriter, store: AlertStore
) -> None:
    before = (await store.head()).last_position
    poison = hit_of(plate="not a plate")

    done = await writer.flush([hit_of(plate=plate()), poison, hit_of(plate=plate())])

    assert [type(one) for one in done] == [UUID, asyncpg.CheckViolationError, UUID]
    assert [item.position for item in await store.feed_after(before, 10)] == [before + 1, before + 2]


async def test_the_outbox_holds_every_change_in_order(pool: Pool, writer: AlertWriter) -> None:
    outbox = OutboxStore(pool)
    await outbox.recorded(max([p.outbox_id for p in await outbox.pending(100_000)], default=0))
    hit = hit_of(plate=plate())
    alert_id = await one(writer, hit)
    step = verifying(alert_id)
    await one(writer, step)
    own = OutboxItem(uuid4(), "alerts.delivery_unproven", "somebody", OWN, NOON, {"lease_until": "x"})
    await one(writer, own)

    pending = [p.item for p in await outbox.pending(10)]

    assert [item.action for item in pending] == ["hit.raised", "alert.verify", "alerts.delivery_unproven"]
    assert pending[0].details["read_id"] == str(hit.sighting.read_id)
    assert (pending[1].subject_id, pending[1].result) == (step.intent_id, 1)
    assert pending[2] == own
    assert await outbox.depth() == 3


@pytest.mark.clause("IV.E.2")
async def test_the_log_holds_the_digest_of_the_hit_as_it_is_in_the_table(
    pool: Pool, writer: AlertWriter
) -> None:
    hit = hit_of(plate=plate())
    alert_id = await one(writer, hit)

    row = await pool.fetchrow(
        f"SELECT alert_id, hit_time, {SIGHTING_COLUMNS}, {MATCH_COLUMNS}, match_revision"  # noqa: S608
        " FROM alerts.hit WHERE alert_id = $1",
        alert_id,
    )
    details = await pool.fetchval(
        "SELECT details->>'hits_sha256' FROM alerts.outbox WHERE resource = $1", str(alert_id)
    )

    assert hit_digest(row.values()) == details


async def test_the_outbox_is_never_marked_backwards(pool: Pool) -> None:
    outbox = OutboxStore(pool)
    pending = await outbox.pending(100_000)
    await outbox.recorded(pending[-1].outbox_id)

    await outbox.recorded(pending[0].outbox_id)

    assert await outbox.pending(1) == ()


async def test_a_reader_that_follows_eight_writers_sees_every_position_once_and_in_order(
    pool: Pool, store: AlertStore
) -> None:
    writers = [AlertWriter(pool, ManualClock(NOON), passage_window=WINDOW, new_id=uuid4) for _ in range(8)]
    start = (await store.head()).last_position
    total = 8 * 60
    seen: list[int] = []

    async def write(number: int) -> None:
        hits = list(many_hits(60, at=NOON + timedelta(hours=number + 1)))
        while hits:
            batch: list[Hit] = [hits.pop() for _ in range(min(len(hits), 1 + len(hits) % 5))]
            await writers[number].flush(batch)

    async def read() -> None:
        position = start
        while len(seen) < total:
            for item in await store.feed_after(position, 50):
                seen.append(item.position)
                position = item.position
            await asyncio.sleep(0)

    await asyncio.gather(read(), *(write(number) for number in range(8)))

    assert seen == list(range(start + 1, start + total + 1))


async def test_since_begins_before_the_first_item_of_that_moment(pool: Pool, store: AlertStore) -> None:
    clock = ManualClock(NOON + timedelta(days=2))
    writer = AlertWriter(pool, clock, passage_window=WINDOW, new_id=uuid4)
    before = (await store.head()).last_position
    await one(writer, hit_of(plate=plate()))

    assert await store.position_before(clock.now()) == before
    assert await store.position_before(clock.now() + timedelta(seconds=1)) is None
    assert await store.feed_time(before + 1) == clock.now()
