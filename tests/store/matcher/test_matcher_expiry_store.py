"""What runs out by the clock is noted once, as a change of its own, in a real PostgreSQL."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest
import pytest_asyncio

from services.common.pg import Pool, open_pool
from services.matcher.core.entry import Category, ListRow, Source, Vehicle, entry_id
from services.matcher.core.hot_list import Act, FileFormat, HotList, UploadHeader
from services.matcher.core.local import EndReason, Grounds, LocalEntry, Owner, OwnerKind, Watched
from services.matcher.core.look_back import ChangeKind, ListChange
from services.matcher.store_expiry import ExpiryStore
from services.matcher.store_lists import HotListStore
from services.matcher.store_local import LocalStore
from services.matcher.store_look_back import LookBackStore
from services.matcher.store_versions import VersionStore
from tests.support.databases import MigratedDatabase, fetch

ORI = "IL0160000"
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
NIL = uuid.UUID(int=0)
HOUR = timedelta(hours=1)

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def database(migrated_database: Callable[..., Awaitable[MigratedDatabase]]) -> MigratedDatabase:
    return await migrated_database("matcher")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pool(database: MigratedDatabase) -> AsyncIterator[Pool]:
    pool = await open_pool(database.url("matcher_app"), application_name="test-expiry", min_size=1)
    yield pool
    await pool.close()


@pytest_asyncio.fixture(loop_scope="module")
async def expiry(pool: Pool) -> ExpiryStore:
    """With nothing left to note, whatever other tests made."""
    store = ExpiryStore(pool)
    while await store.note(NOW + 10 * HOUR):
        pass
    await changes(pool)
    return store


def an_act(action: str, changed: uuid.UUID, moment: datetime = NOW) -> Act:
    return Act(uuid.uuid4(), uuid.uuid4(), action, changed, "account", {}, moment)


def row(plate: str, ends: datetime | None = None) -> ListRow:
    return replace(ListRow(plate, "IL", Category.WANTED, "W1", "PC", Vehicle()), expires_at=ends)


async def upload(
    pool: Pool,
    hot_list: HotList,
    *rows: ListRow,
    ends: datetime | None = None,
    version: int = 1,
    moment: datetime = NOW,
) -> Act:
    """The upload of these rows, active since `moment`."""
    act = an_act("hot_list.upload", hot_list.hot_list_id)
    header = UploadHeader(
        act.request_id, hot_list.hot_list_id, FileFormat.CSV, bytes(32), 1, "lawful", expire_time=ends
    )
    await VersionStore(pool).add(act, header, iter(rows))
    activation = an_act("hot_list.activate", hot_list.hot_list_id, moment)
    await HotListStore(pool).activate(activation, version, 1.0)
    return act


async def a_list(
    pool: Pool, *rows: ListRow, ends: datetime | None = None, moment: datetime = NOW
) -> tuple[HotList, Act]:
    """A list with an active version, and its upload."""
    made_by = an_act("hot_list.create", uuid.uuid4())
    made = await HotListStore(pool).create(made_by, ORI, str(made_by.hot_list_id), Source.LEADS)
    return made, await upload(pool, made, *rows, ends=ends, moment=moment)


async def a_local_entry(pool: Pool, ends: datetime) -> LocalEntry:
    entry = LocalEntry(
        entry_id=uuid.uuid4(),
        owner=Owner(ORI, OwnerKind.USER, str(uuid.uuid4()), "D1"),
        watched=Watched("AB12345", "IL", "", Category.FELONY, Vehicle()),
        grounds=Grounds(1, "2026-1", "", "homicide investigation", "HOMICIDE"),
        account_id="account",
        added_at=NOW - HOUR,
        expires_at=ends,
        added_revision=0,
    )
    stored, _ = await LocalStore(pool).add(an_act("local_list.add", entry.entry_id), entry)
    return stored


async def changes(pool: Pool, *kinds: ChangeKind) -> Sequence[ListChange]:
    """What waits, of these kinds."""
    store, found = LookBackStore(pool), []
    for urgent in (True, False):
        while change := await store.claim(urgent=urgent):
            await store.finish(change.revision, refused=False)
            found += [change] if change.kind in kinds else []
    return found


@pytest.mark.clause("II.D", "III.D.4")
async def test_an_entry_of_a_local_list_whose_time_is_over_is_noted_once(
    pool: Pool, expiry: ExpiryStore
) -> None:
    ended, live = await a_local_entry(pool, NOW + HOUR), await a_local_entry(pool, NOW + 3 * HOUR)
    assert await expiry.note(NOW + HOUR - timedelta(seconds=1)) == 0

    assert await expiry.note(NOW + HOUR) == 1
    assert await expiry.note(NOW + HOUR) == 0

    (change,) = await changes(pool, ChangeKind.ENTRY_EXPIRED)
    assert (change.changed_id, change.hot_list_id) == (ended.entry_id, ended.owner.hot_list_id)
    assert change.changed_at == NOW + HOUR
    assert change.revision > live.added_revision


@pytest.mark.clause("III.D.4")
async def test_an_entry_that_was_taken_off_before_does_not_run_out(pool: Pool, expiry: ExpiryStore) -> None:
    entry = await a_local_entry(pool, NOW + HOUR)
    act = an_act("local_list.remove", entry.entry_id)
    await LocalStore(pool).end(act, entry.entry_id, EndReason.REMOVED)

    assert await expiry.note(NOW + 2 * HOUR) == 0


@pytest.mark.clause("II.D", "III.D.4")
async def test_a_version_whose_time_is_over_takes_all_its_entries_off(
    pool: Pool, expiry: ExpiryStore
) -> None:
    hot_list, uploaded = await a_list(pool, row("AAA1"), row("BBB2"), ends=NOW + HOUR)

    assert await expiry.note(NOW + HOUR) == 1
    assert await expiry.note(NOW + 2 * HOUR) == 0

    (change,) = await changes(pool, ChangeKind.LIST_EXPIRED)
    assert (change.hot_list_id, change.intent_id) == (hot_list.hot_list_id, uploaded.intent_id)
    gone = await LookBackStore(pool).removed(change, NIL, 10)
    assert set(gone) == {entry_id(hot_list.hot_list_id, row(plate)) for plate in ("AAA1", "BBB2")}


@pytest.mark.clause("II.D")
async def test_what_takes_the_place_of_a_version_that_ran_out_is_looked_back_for_as_a_whole(
    pool: Pool, expiry: ExpiryStore
) -> None:
    hot_list, _ = await a_list(pool, row("AAA1"), ends=NOW - HOUR, moment=NOW - 2 * HOUR)
    await expiry.note(NOW)
    await changes(pool)

    await upload(pool, hot_list, row("AAA1"), row("BBB2"), version=2)

    (change,) = await changes(pool, ChangeKind.VERSION)
    store = LookBackStore(pool)
    assert change.previous_version == 0
    assert set(await store.patterns(change, 10)) == {"AAA1", "BBB2"}


@pytest.mark.clause("II.D", "III.D.4")
async def test_entries_that_end_before_their_list_are_noted_as_they_do(
    pool: Pool, expiry: ExpiryStore
) -> None:
    hot_list, uploaded = await a_list(
        pool, row("AAA1", NOW + HOUR), row("BBB2", NOW + 2 * HOUR), row("CCC3"), row("DDD4", NOW + 9 * HOUR)
    )
    store = LookBackStore(pool)

    found = []
    for hours in (1, 1.5, 2, 3):
        found.append(await expiry.note(NOW + hours * HOUR))

    assert found == [1, 0, 1, 0]
    first, second = await changes(pool, ChangeKind.ENTRIES_EXPIRED)
    assert first.intent_id == uploaded.intent_id
    gone = [await store.removed(change, NIL, 10) for change in (first, second)]
    assert gone == [
        (entry_id(hot_list.hot_list_id, row("AAA1")),),
        (entry_id(hot_list.hot_list_id, row("BBB2")),),
    ]


async def test_two_replicas_note_it_once(pool: Pool, expiry: ExpiryStore) -> None:
    await a_local_entry(pool, NOW + HOUR)
    await a_list(pool, row("AAA1"), ends=NOW + HOUR)

    noted = await asyncio.gather(*(expiry.note(NOW + HOUR) for _ in range(4)))

    assert sum(noted) == 2
    assert len(await changes(pool, ChangeKind.ENTRY_EXPIRED, ChangeKind.LIST_EXPIRED)) == 2


async def test_that_a_time_was_over_is_no_change_that_can_be_made_up_for_an_entry_that_ended(
    pool: Pool, database: MigratedDatabase, expiry: ExpiryStore
) -> None:
    entry = await a_local_entry(pool, NOW + HOUR)
    act = an_act("local_list.remove", entry.entry_id)
    await LocalStore(pool).end(act, entry.entry_id, EndReason.REMOVED)

    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await fetch(
            database.admin_url,
            "UPDATE matcher.local_entry SET expired_revision = 1 WHERE entry_id = $1",
            entry.entry_id,
        )
