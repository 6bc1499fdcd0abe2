"""Hot lists, versions, revisions and acts in a real PostgreSQL."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest
import pytest_asyncio

from services.common.errors import AlreadyExistsError, RequestIdReusedError
from services.common.pg import Pool, open_pool
from services.matcher.core.columns import columns_of
from services.matcher.core.entry import Category, ListRow, Source, Vehicle
from services.matcher.core.hot_list import Act, FileFormat, HotList, Removal, UploadHeader, VersionSummary
from services.matcher.core.index import ListIndex
from services.matcher.errors import HotListNotFoundError
from services.matcher.store_acts import ActStore
from services.matcher.store_index import IndexStore
from services.matcher.store_lists import HotListStore
from services.matcher.store_revision import CHANNEL
from services.matcher.store_versions import VersionStore
from tests.support.databases import MigratedDatabase

ORI = "IL0160000"
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
# As the share of entries that may be removed: everything.
NO_LIMIT = 1.0

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def database(migrated_database: Callable[..., Awaitable[MigratedDatabase]]) -> MigratedDatabase:
    return await migrated_database("matcher")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pool(database: MigratedDatabase) -> AsyncIterator[Pool]:
    pool = await open_pool(database.url("matcher_app"), application_name="test-matcher", min_size=1)
    yield pool
    await pool.close()


def an_act(action: str, hot_list_id: uuid.UUID, **details: str) -> Act:
    return Act(uuid.uuid4(), uuid.uuid4(), action, hot_list_id, "account", details, NOW)


async def a_list(pool: Pool, name: str = "") -> HotList:
    act = an_act("hot_list.create", uuid.uuid4())
    return await HotListStore(pool).create(act, ORI, name or str(act.hot_list_id), Source.LEADS)


def row(plate: str, *, state: str = "IL", color: str = "", category: Category = Category.WANTED) -> ListRow:
    return ListRow(plate, state, category, "W1", "PC", Vehicle(color=color))


async def upload(
    pool: Pool, hot_list: HotList, rows: Sequence[ListRow], act: Act | None = None
) -> VersionSummary:
    act = act or an_act("hot_list.upload", hot_list.hot_list_id)
    header = UploadHeader(
        act.request_id, hot_list.hot_list_id, FileFormat.CSV, bytes(32), 1, "lawful and current"
    )
    return await VersionStore(pool).add(act, header, iter(rows))


async def activate(pool: Pool, hot_list: HotList, version: int) -> int:
    act = an_act("hot_list.activate", hot_list.hot_list_id)
    _, revision = await HotListStore(pool).activate(act, version, NO_LIMIT)
    return revision


async def active_entries(pool: Pool, hot_list: HotList) -> ListIndex:
    _, lists = await IndexStore(pool).load({})
    (one,) = [one for one in lists if one.header.hot_list_id == hot_list.hot_list_id]
    return one.entries


@pytest.mark.clause("II.D")
async def test_a_version_has_the_entries_of_its_file_and_keeps_them(pool: Pool) -> None:
    hot_list = await a_list(pool)
    first = await upload(pool, hot_list, [row("AAA1"), row("BBB2"), row("CCC3")])
    second = await upload(pool, hot_list, [row("BBB2"), row("DDD4")])

    await activate(pool, hot_list, 2)
    new = await active_entries(pool, hot_list)
    await activate(pool, hot_list, 1)
    old = await active_entries(pool, hot_list)

    assert (first.version, second.version) == (1, 2)
    assert (new.entry_count, old.entry_count) == (2, 3)
    assert new.find("AAA1") == ()
    assert old.find("AAA1")[0].plate == "AAA1"
    assert old.find("DDD4") == ()
    assert new.find("BBB2") == old.find("BBB2")


async def test_counts_of_a_version_compare_it_with_the_active_one(pool: Pool) -> None:
    hot_list = await a_list(pool)
    first = await upload(pool, hot_list, [row("AAA1"), row("BBB2")])
    await activate(pool, hot_list, 1)
    await upload(pool, hot_list, [row("AAA1")])
    third = await upload(
        pool, hot_list, [row("BBB2"), row("CCC3"), row("DDD4", category=Category.AMBER), row("CCC3")]
    )

    assert (first.added_count, first.removal) == (2, Removal(0, 0, 0))
    assert (third.added_count, third.removal) == (2, Removal(1, 1, 2))
    assert third.entry_count == 3
    assert third.row_count == 4
    assert third.categories == ((Category.WANTED, 2), (Category.AMBER, 1))


async def test_an_entry_keeps_its_id_and_a_changed_vehicle_is_history_too(pool: Pool) -> None:
    hot_list = await a_list(pool)
    await upload(pool, hot_list, [row("AAA1", color="RED")])
    await upload(pool, hot_list, [row("AAA1", color="BLU")])
    await activate(pool, hot_list, 1)
    red = (await active_entries(pool, hot_list)).find("AAA1")[0]
    await activate(pool, hot_list, 2)
    blue = (await active_entries(pool, hot_list)).find("AAA1")[0]

    assert red.entry_id == blue.entry_id
    assert (red.vehicle.color, blue.vehicle.color) == ("RED", "BLU")


async def test_rows_that_repeat_an_entry_give_one_entry_whatever_their_order(pool: Pool) -> None:
    hot_list = await a_list(pool)
    rows = [row("AAA1", color="RED"), row("AAA1", color="BLU")]
    await upload(pool, hot_list, rows)
    await upload(pool, hot_list, rows[::-1])

    entries = await pool.fetchval(
        "SELECT count(*) FROM matcher.hot_list_entry WHERE hot_list_id = $1", hot_list.hot_list_id
    )
    assert entries == 1


async def test_an_upload_sent_again_is_the_same_version(pool: Pool) -> None:
    hot_list = await a_list(pool)
    act = an_act("hot_list.upload", hot_list.hot_list_id)
    rows = [row("AAA1"), row("BBB2")]

    first, again = await asyncio.gather(upload(pool, hot_list, rows, act), upload(pool, hot_list, rows, act))

    assert first == again
    assert first.version == 1
    assert await VersionStore(pool).find(act.intent_id) == first
    assert await pool.fetchval("SELECT count(*) FROM matcher.stage") == 0


async def test_an_upload_that_breaks_off_leaves_nothing(pool: Pool) -> None:
    hot_list = await a_list(pool)

    def rows() -> Iterator[ListRow]:
        yield from (row(f"A{n}") for n in range(5000))
        raise OSError

    act = an_act("hot_list.upload", hot_list.hot_list_id)
    header = UploadHeader(
        act.request_id, hot_list.hot_list_id, FileFormat.CSV, bytes(32), 1, "lawful and current"
    )
    with pytest.raises(Exception, match=r"."):
        await VersionStore(pool).add(act, header, rows())

    assert await VersionStore(pool).find(act.intent_id) is None
    assert (await HotListStore(pool).get(hot_list.hot_list_id)).latest_version == 0
    assert (await upload(pool, hot_list, [row("AAA1")], act)).version == 1


async def test_uploads_of_one_list_at_the_same_time_get_versions_in_a_row(pool: Pool) -> None:
    hot_list = await a_list(pool)

    made = await asyncio.gather(*(upload(pool, hot_list, [row(f"A{n}")]) for n in range(4)))

    assert sorted(summary.version for summary in made) == [1, 2, 3, 4]
    await activate(pool, hot_list, 3)
    assert (await active_entries(pool, hot_list)).entry_count == 1


async def test_a_name_is_taken_once_in_an_agency(pool: Pool) -> None:
    made = await a_list(pool, "stolen vehicles")
    elsewhere = an_act("hot_list.create", uuid.uuid4())

    with pytest.raises(AlreadyExistsError):
        await a_list(pool, "stolen vehicles")
    other = await HotListStore(pool).create(elsewhere, "IL0990000", "stolen vehicles", Source.SOS)

    assert other.hot_list_id != made.hot_list_id


async def test_a_list_made_again_by_the_same_request_is_the_same_list(pool: Pool) -> None:
    act = an_act("hot_list.create", uuid.uuid4(), name="x")
    store = HotListStore(pool)

    first = await store.create(act, ORI, "made twice", Source.AGENCY)
    again = await store.create(act, ORI, "made twice", Source.AGENCY)

    assert first == again


async def test_a_request_id_that_stood_for_something_else_is_refused(pool: Pool) -> None:
    hot_list = await a_list(pool)
    await upload(pool, hot_list, [row("AAA1")])
    act = an_act("hot_list.activate", hot_list.hot_list_id, version="1")
    await HotListStore(pool).activate(act, 1, NO_LIMIT)
    other = Act(
        uuid.uuid4(), act.request_id, act.action, act.hot_list_id, act.account_id, {"version": "2"}, NOW
    )

    with pytest.raises(RequestIdReusedError):
        await HotListStore(pool).activate(other, 2, NO_LIMIT)


async def test_activating_a_version_that_does_not_exist_changes_nothing(pool: Pool) -> None:
    hot_list = await a_list(pool)
    before = await IndexStore(pool).revision()

    with pytest.raises(HotListNotFoundError):
        await activate(pool, hot_list, 7)

    assert await IndexStore(pool).revision() == before


async def test_activations_at_the_same_time_get_revisions_without_gap_and_notify(
    pool: Pool, database: MigratedDatabase
) -> None:
    hot_list = await a_list(pool)
    await upload(pool, hot_list, [row("AAA1")])
    before = await IndexStore(pool).revision()
    heard: list[str] = []
    listener = await asyncpg.connect(database.url("matcher_app"))
    await listener.add_listener(CHANNEL, lambda *event: heard.append(event[-1]))

    revisions = await asyncio.gather(*(activate(pool, hot_list, 1) for _ in range(8)))
    await asyncio.sleep(0.2)
    await listener.close()

    assert sorted(revisions) == list(range(before + 1, before + 9))
    assert heard == [str(revision) for revision in sorted(revisions)]


async def test_an_activation_sent_again_is_the_same_revision(pool: Pool) -> None:
    hot_list = await a_list(pool)
    await upload(pool, hot_list, [row("AAA1")])
    act = an_act("hot_list.activate", hot_list.hot_list_id, version="1")
    store = HotListStore(pool)

    first, again = await asyncio.gather(store.activate(act, 1, NO_LIMIT), store.activate(act, 1, NO_LIMIT))

    assert first == again
    assert first[0].active_version == 1
    assert first[0].entry_count == 1


async def test_loading_again_reads_only_what_is_new(pool: Pool) -> None:
    hot_list = await a_list(pool)
    await upload(pool, hot_list, [row("AAA1")])
    await activate(pool, hot_list, 1)
    other = ListIndex(columns_of([]))
    known = {(hot_list.hot_list_id, 1): other}

    _, lists = await IndexStore(pool).load(known)

    (one,) = [one for one in lists if one.header.hot_list_id == hot_list.hot_list_id]
    assert one.entries is other


async def test_lists_are_paged_by_name_within_the_agency(pool: Pool) -> None:
    store = HotListStore(pool)
    for name in ("c", "a", "b"):
        await store.create(an_act("hot_list.create", uuid.uuid4()), "IL0550000", name, Source.NCIC)

    first = await store.page("IL0550000", "", 2)
    rest = await store.page("IL0550000", first[-1].name, 2)

    assert [one.name for one in (*first, *rest)] == ["a", "b", "c"]


async def test_an_act_is_open_until_its_outcome_is_noted(pool: Pool) -> None:
    act = an_act("hot_list.create", uuid.uuid4())
    await HotListStore(pool).create(act, ORI, f"open {act.hot_list_id}", Source.AGENCY)
    store = ActStore(pool)

    before = await store.open_before(NOW + timedelta(seconds=1))
    await store.close(act.intent_id, NOW)
    after = await store.open_before(NOW + timedelta(seconds=1))

    assert act.intent_id in before
    assert act.intent_id not in after
    assert act.intent_id not in await store.open_before(NOW)


@pytest.mark.clause("III.B.3.d", "III.B.3.h")
@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM matcher.hot_list_version",
        "DELETE FROM matcher.hot_list_entry",
        "DELETE FROM matcher.hot_list",
        "DELETE FROM matcher.act",
        "DELETE FROM matcher.activation",
        "TRUNCATE matcher.hot_list_entry",
        "UPDATE matcher.hot_list_entry SET plate = 'X'",
        "UPDATE matcher.hot_list_version SET attestation = ''",
        "UPDATE matcher.act SET account_id = 'somebody else'",
        "UPDATE matcher.hot_list_entry SET last_version = 9 WHERE last_version IS NOT NULL",
        "DROP TABLE matcher.act",
    ],
)
async def test_the_service_itself_cannot_change_history(pool: Pool, statement: str) -> None:
    hot_list = await a_list(pool)
    await upload(pool, hot_list, [row("AAA1")])
    await upload(pool, hot_list, [row("BBB2")])

    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await pool.execute(statement)
