"""What is left to do after changes of the hot lists, in a real PostgreSQL."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest
import pytest_asyncio

from services.common.pg import Pool, open_pool
from services.matcher.core.entry import Category, ListRow, Source, Vehicle, entry_id
from services.matcher.core.hot_list import Act, FileFormat, HotList, UploadHeader
from services.matcher.core.local import EndReason, Grounds, LocalEntry, Owner, OwnerKind, Watched
from services.matcher.core.look_back import ChangeKind, ListChange
from services.matcher.store_lists import HotListStore
from services.matcher.store_local import LocalStore
from services.matcher.store_look_back import LookBackStore
from services.matcher.store_versions import VersionStore
from tests.support.databases import MigratedDatabase, fetch

ORI = "IL0160000"
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
NIL = uuid.UUID(int=0)

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def database(migrated_database: Callable[..., Awaitable[MigratedDatabase]]) -> MigratedDatabase:
    return await migrated_database("matcher")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pool(database: MigratedDatabase) -> AsyncIterator[Pool]:
    pool = await open_pool(database.url("matcher_app"), application_name="test-look-back", min_size=1)
    yield pool
    await pool.close()


@pytest.fixture
def store(pool: Pool) -> LookBackStore:
    return LookBackStore(pool)


def an_act(action: str, changed: uuid.UUID) -> Act:
    return Act(uuid.uuid4(), uuid.uuid4(), action, changed, "account", {}, NOW)


def row(plate: str, color: str = "") -> ListRow:
    return ListRow(plate, "IL", Category.WANTED, "W1", "PC", Vehicle(color=color))


async def a_list(pool: Pool, *versions: Sequence[ListRow]) -> HotList:
    """A list with these versions, none of them active."""
    made_by = an_act("hot_list.create", uuid.uuid4())
    made = await HotListStore(pool).create(made_by, ORI, str(made_by.hot_list_id), Source.LEADS)
    for rows in versions:
        act = an_act("hot_list.upload", made.hot_list_id)
        header = UploadHeader(act.request_id, made.hot_list_id, FileFormat.CSV, bytes(32), 1, "lawful")
        await VersionStore(pool).add(act, header, iter(rows))
    return made


async def activate(pool: Pool, hot_list: HotList, version: int) -> int:
    act = an_act("hot_list.activate", hot_list.hot_list_id)
    _, revision = await HotListStore(pool).activate(act, version, 1.0)
    return revision


async def claim(store: LookBackStore) -> ListChange | None:
    """What has waited longest, of an entry before of a version."""
    return await store.claim(urgent=True) or await store.claim(urgent=False)


async def claimed(store: LookBackStore, revision: int) -> ListChange:
    """The change of that revision; what others have left is put aside."""
    while change := await claim(store):
        if change.revision == revision:
            return change
        await store.finish(change.revision, refused=False)
    raise AssertionError("the change does not wait")


async def settle(store: LookBackStore) -> None:
    """Ends what other tests have left to do."""
    while change := await claim(store):
        await store.finish(change.revision, refused=False)


async def ids(pool: Pool, hot_list: HotList, *plates: str) -> set[uuid.UUID]:
    return {entry_id(hot_list.hot_list_id, row(plate)) for plate in plates}


@pytest.mark.clause("II.D")
async def test_an_activation_brings_what_the_version_before_it_did_not_have(
    pool: Pool, store: LookBackStore
) -> None:
    hot_list = await a_list(
        pool, [row("AAA1"), row("BBB2", "RED"), row("CCC3")], [row("BBB2", "BLU"), row("DDD4")]
    )
    await activate(pool, hot_list, 1)

    change = await claimed(store, await activate(pool, hot_list, 2))

    assert (change.kind, change.version, change.previous_version) == (ChangeKind.VERSION, 2, 1)
    assert (change.hot_list_id, change.changed_id) == (hot_list.hot_list_id, hot_list.hot_list_id)
    assert set(await store.patterns(change, 10)) == {"DDD4"}
    assert set(await store.removed(change, NIL, 10)) == await ids(pool, hot_list, "AAA1", "CCC3")
    everything = await ids(pool, hot_list, "BBB2", "DDD4")
    assert await store.brought(change, everything) == await ids(pool, hot_list, "DDD4")


async def test_a_roll_back_brings_and_takes_off_the_other_way_round(pool: Pool, store: LookBackStore) -> None:
    hot_list = await a_list(pool, [row("AAA1"), row("BBB2")], [row("BBB2"), row("DDD4")], [row("AAA1")])
    for version in (1, 3):
        await activate(pool, hot_list, version)

    change = await claimed(store, await activate(pool, hot_list, 2))

    assert set(await store.patterns(change, 10)) == {"BBB2", "DDD4"}
    assert set(await store.removed(change, NIL, 10)) == await ids(pool, hot_list, "AAA1")


async def test_the_first_version_brings_everything_and_an_idle_list_takes_everything_off(
    pool: Pool, store: LookBackStore
) -> None:
    hot_list = await a_list(pool, [row("AAA1"), row("BBB2")])

    first = await claimed(store, await activate(pool, hot_list, 1))
    _, revision = await HotListStore(pool).deactivate(an_act("hot_list.deactivate", hot_list.hot_list_id))
    idle = await claimed(store, revision)

    assert (first.previous_version, idle.version, idle.previous_version) == (0, 0, 1)
    assert set(await store.patterns(first, 10)) == {"AAA1", "BBB2"}
    assert await store.removed(first, NIL, 10) == ()
    assert set(await store.removed(idle, NIL, 10)) == await ids(pool, hot_list, "AAA1", "BBB2")


async def test_removed_entries_come_in_pages_and_plates_up_to_a_number(
    pool: Pool, store: LookBackStore
) -> None:
    plates = [f"P{number}" for number in range(7)]
    hot_list = await a_list(pool, [row(plate) for plate in plates], [row("ZZZ9")])
    first = await claimed(store, await activate(pool, hot_list, 1))
    change = await claimed(store, await activate(pool, hot_list, 2))

    pages, after = [], NIL
    while page := await store.removed(change, after, 3):
        pages.append(page)
        after = page[-1]

    assert [len(page) for page in pages] == [3, 3, 1]
    assert {one for page in pages for one in page} == await ids(pool, hot_list, *plates)
    assert len(await store.patterns(first, 5)) == 5


async def test_the_same_version_again_leaves_nothing_to_do(pool: Pool, database: MigratedDatabase) -> None:
    hot_list = await a_list(pool, [row("AAA1")])
    await activate(pool, hot_list, 1)

    revision = await activate(pool, hot_list, 1)

    made = await fetch(database.admin_url, "SELECT match_revision FROM matcher.look_back")
    assert revision not in {one["match_revision"] for one in made}


def an_entry() -> LocalEntry:
    return LocalEntry(
        entry_id=uuid.uuid4(),
        owner=Owner(ORI, OwnerKind.USER, str(uuid.uuid4()), "D1"),
        watched=Watched("ABC?23", "IL", "", Category.WANTED, Vehicle()),
        grounds=Grounds(1, "2026-1", "", "homicide investigation", "HOMICIDE"),
        account_id="account",
        added_at=NOW,
        expires_at=NOW + timedelta(days=1),
        added_revision=0,
    )


@pytest.mark.clause("II.D")
@pytest.mark.parametrize("reason", EndReason)
async def test_a_local_entry_is_looked_back_from_and_its_end_withdraws_it(
    pool: Pool, store: LookBackStore, reason: EndReason
) -> None:
    entry = an_entry()
    added_by = an_act("local_list.add", entry.owner.hot_list_id)
    _, revision = await LocalStore(pool).add(added_by, entry)
    added = await claimed(store, revision)
    ended_by = an_act("local_list.remove", entry.owner.hot_list_id)
    _, end = await LocalStore(pool).end(ended_by, entry.entry_id, reason)
    ended = await claimed(store, end)

    assert (added.kind, added.changed_id, added.intent_id) == (
        ChangeKind.ENTRY_ADDED,
        entry.entry_id,
        added_by.intent_id,
    )
    assert await store.patterns(added, 10) == ("ABC?23",)
    assert await store.brought(added, [entry.entry_id, uuid.uuid4()]) == {entry.entry_id}
    assert (ended.kind, ended.changed_id, ended.end_reason, ended.intent_id) == (
        ChangeKind.ENTRY_ENDED,
        entry.entry_id,
        reason.value,
        ended_by.intent_id,
    )


async def test_a_change_is_one_replicas_until_it_gives_it_back_or_dies(
    pool: Pool, store: LookBackStore, database: MigratedDatabase
) -> None:
    await settle(store)
    revision = await activate(pool, await a_list(pool, [row("AAA1")]), 1)
    held = await claimed(store, revision)
    waiting = await store.open_count()

    several = await asyncio.gather(*(claim(store) for _ in range(4)))
    await store.passed(revision)
    again = await claimed(store, revision)
    await fetch(
        database.admin_url,
        "UPDATE matcher.look_back SET next_at = now()"
        " WHERE match_revision = (SELECT max(match_revision) FROM matcher.look_back) RETURNING 1",
    )
    taken_over = await claimed(store, revision)
    await store.finish(revision, refused=False)

    assert (held.pass_count, again.pass_count, taken_over.pass_count) == (0, 1, 1)
    assert several == [None] * 4
    assert await claim(store) is None
    assert await store.open_count() == waiting - 1


async def test_an_entry_does_not_wait_for_a_version(pool: Pool, store: LookBackStore) -> None:
    await settle(store)
    version = await activate(pool, await a_list(pool, [row("AAA1")]), 1)
    entry = an_entry()
    _, urgent = await LocalStore(pool).add(an_act("local_list.add", entry.owner.hot_list_id), entry)

    found = [await store.claim(urgent=True), await store.claim(urgent=True), await store.claim(urgent=False)]

    assert [one and one.revision for one in found] == [urgent, None, version]


async def test_a_postponed_change_waits(pool: Pool, store: LookBackStore) -> None:
    await settle(store)
    revision = await activate(pool, await a_list(pool, [row("AAA1")]), 1)
    await claimed(store, revision)

    await store.postpone(revision, 0.5)
    at_once = await claim(store)
    await asyncio.sleep(0.6)
    later = await claim(store)

    assert at_once is None
    assert later is not None
    await store.finish(revision, refused=True)


async def test_a_revision_is_reached_when_no_living_replica_is_behind_it(
    store: LookBackStore, database: MigratedDatabase
) -> None:
    one, other = uuid.uuid4(), uuid.uuid4()
    nobody = await store.all_reached(1)
    await store.report(one, 7)
    await store.report(other, 6)

    behind = await store.all_reached(7)
    at_least = await store.all_reached(6)
    await store.report(other, 7)
    reached = await store.all_reached(7)
    await store.report(other, 8)
    ahead = await store.all_reached(8)
    await fetch(
        database.admin_url,
        "UPDATE matcher.replica SET seen_at = now() - interval '91 seconds' WHERE match_revision = 7"
        " RETURNING 1",
    )
    dead = await store.all_reached(8)
    await store.leave(other)

    assert (nobody, behind, at_least, reached, ahead, dead) == (False, False, True, True, False, True)
    assert not await store.all_reached(1)


async def test_the_service_cannot_make_or_forget_what_is_left_to_do(pool: Pool) -> None:
    for statement in (
        "DELETE FROM matcher.look_back",
        "UPDATE matcher.look_back SET intent_id = gen_random_uuid()",
        "INSERT INTO matcher.look_back SELECT * FROM matcher.look_back",
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await pool.execute(statement)
