"""Local lists in a real PostgreSQL."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest
import pytest_asyncio

from services.common.errors import RequestIdReusedError, WrongStateError
from services.common.pg import Pool, connection, open_pool
from services.matcher.core.entry import Category, Vehicle
from services.matcher.core.hot_list import Act
from services.matcher.core.local import (
    MOST_ENTRIES,
    EndReason,
    Grounds,
    LocalEntry,
    Owner,
    OwnerKind,
    Watched,
)
from services.matcher.errors import LocalEntryNotFoundError
from services.matcher.store_local import LocalStore, Viewer, read_live
from tests.support.databases import MigratedDatabase, fetch

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
NEWEST = 1 << 62

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def database(migrated_database: Callable[..., Awaitable[MigratedDatabase]]) -> MigratedDatabase:
    return await migrated_database("matcher")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pool(database: MigratedDatabase) -> AsyncIterator[Pool]:
    pool = await open_pool(database.url("matcher_app"), application_name="test-local", min_size=1)
    yield pool
    await pool.close()


@pytest.fixture
def agency() -> str:
    """An agency that no other test has."""
    return uuid.uuid4().hex[:9].upper()


def an_owner(
    agency: str, kind: OwnerKind = OwnerKind.USER, key: str = "account-1", unit: str = "D1"
) -> Owner:
    return Owner(agency, kind, key, "" if kind is OwnerKind.SENSOR else unit)


def an_entry(owner: Owner, pattern: str = "ABC?23", *, hours: float = 24) -> LocalEntry:
    return LocalEntry(
        entry_id=uuid.uuid4(),
        owner=owner,
        watched=Watched(pattern, "IL", "PC", Category.FELONY, Vehicle("2019", "FORD", "", "", "BLK")),
        grounds=Grounds(1, "2026-004711", "", "homicide investigation, victim's car", "HOMICIDE"),
        account_id="account-1",
        added_at=NOW,
        expires_at=NOW + timedelta(hours=hours),
        added_revision=0,
    )


def an_act(action: str, entry: LocalEntry) -> Act:
    return Act(uuid.uuid4(), uuid.uuid4(), action, entry.owner.hot_list_id, "account-1", {}, NOW)


async def added(pool: Pool, entry: LocalEntry) -> LocalEntry:
    stored, _ = await LocalStore(pool).add(an_act("local_list.add", entry), entry)
    return stored


async def live(pool: Pool, agency: str, now: datetime = NOW) -> list[str]:
    """Patterns that are compared with reads of the agency."""
    async with connection(pool) as held:
        return [one.watched.pattern for one in await read_live(held, now) if one.owner.agency_ori == agency]


@pytest.mark.clause("II.D", "III.B.3.d")
async def test_an_entry_is_stored_with_reason_case_number_and_who_answers_for_it(
    pool: Pool, agency: str
) -> None:
    entry = an_entry(an_owner(agency))

    stored, revision = await LocalStore(pool).add(an_act("local_list.add", entry), entry)

    assert stored == replace(entry, added_revision=revision)
    assert stored == await LocalStore(pool).get(entry.entry_id)
    assert await live(pool, agency) == ["ABC?23"]


async def test_the_same_act_again_gives_the_same_entry_and_another_act_is_refused(
    pool: Pool, agency: str
) -> None:
    store, entry = LocalStore(pool), an_entry(an_owner(agency))
    act = an_act("local_list.add", entry)

    first, again = await store.add(act, entry), await store.add(act, entry)
    with pytest.raises(RequestIdReusedError):
        await store.add(replace(act, intent_id=uuid.uuid4()), entry)

    assert first == again
    assert await live(pool, agency) == ["ABC?23"]


async def test_every_addition_and_every_end_takes_a_revision_of_its_own_without_gaps(
    pool: Pool, agency: str
) -> None:
    store, entries = LocalStore(pool), [an_entry(an_owner(agency)) for _ in range(8)]

    before = (await added(pool, an_entry(an_owner(agency)))).added_revision
    stored = await asyncio.gather(*(added(pool, entry) for entry in entries))
    ends = [
        (await store.end(an_act("local_list.remove", one), one.entry_id, EndReason.REMOVED))[1]
        for one in stored
    ]

    revisions = sorted(one.added_revision for one in stored) + ends
    assert revisions == list(range(before + 1, before + 17))


@pytest.mark.clause("II.D")
async def test_an_entry_ends_once_and_stays_as_it_ended(pool: Pool, agency: str) -> None:
    store, entry = LocalStore(pool), await added(pool, an_entry(an_owner(agency)))
    act = an_act("local_list.remove", entry)

    ended, revision = await store.end(act, entry.entry_id, EndReason.REMOVED)
    again = await store.end(act, entry.entry_id, EndReason.REMOVED)
    later = await store.end(an_act("local_list.suspend", entry), entry.entry_id, EndReason.SUSPENDED)

    assert (ended.end_reason, ended.ended_at) == (EndReason.REMOVED, NOW)
    assert revision > entry.added_revision
    assert again == (ended, revision)
    assert later == (ended, 0)
    assert await live(pool, agency) == []


async def test_what_is_not_there_cannot_end(pool: Pool, agency: str) -> None:
    entry = an_entry(an_owner(agency))

    with pytest.raises(LocalEntryNotFoundError):
        await LocalStore(pool).end(an_act("local_list.remove", entry), entry.entry_id, EndReason.REMOVED)
    with pytest.raises(LocalEntryNotFoundError):
        await LocalStore(pool).get(entry.entry_id)


@pytest.mark.clause("II.D")
async def test_an_entry_whose_time_is_over_is_live_no_more_though_nobody_ended_it(
    pool: Pool, agency: str
) -> None:
    await added(pool, an_entry(an_owner(agency), hours=1))

    assert await live(pool, agency, NOW + timedelta(minutes=59, seconds=59)) == ["ABC?23"]
    assert await live(pool, agency, NOW + timedelta(hours=1)) == []


@pytest.mark.clause("II.D")
async def test_a_life_of_more_than_thirty_days_is_refused_by_the_database_itself(
    pool: Pool, agency: str
) -> None:
    await added(pool, an_entry(an_owner(agency), hours=720))

    with pytest.raises(asyncpg.CheckViolationError):
        await added(pool, an_entry(an_owner(agency), hours=720.001))


@pytest.mark.clause("II.D")
async def test_a_list_takes_no_more_entries_than_it_may_have_and_takes_one_for_each_that_ends(
    pool: Pool, agency: str
) -> None:
    owner = an_owner(agency)
    first = await added(pool, an_entry(owner, "AAA1111"))
    for n in range(MOST_ENTRIES - 1):
        await added(pool, an_entry(owner, f"B{n:06d}"))

    with pytest.raises(WrongStateError) as full:
        await added(pool, an_entry(owner, "CCC3333"))
    await added(pool, an_entry(an_owner(agency, key="account-2"), "DDD4444"))
    await LocalStore(pool).end(an_act("local_list.remove", first), first.entry_id, EndReason.REMOVED)
    await added(pool, an_entry(owner, "CCC3333"))

    assert full.value.metadata["state"] == "FULL"


@pytest.mark.clause("II.D", "III.C.2.a")
async def test_people_see_their_own_their_units_and_their_agencys_sensors_lists(
    pool: Pool, agency: str
) -> None:
    for owner, pattern in (
        (an_owner(agency), "MINE"),
        (an_owner(agency, key="account-2"), "COLLEAGUES"),
        (an_owner(agency, key="account-3", unit="D2"), "ANOTHERS"),
        (an_owner(agency, OwnerKind.UNIT, "D1"), "UNITS"),
        (an_owner(agency, OwnerKind.UNIT, "D2", unit="D2"), "OTHERUNIT"),
        (an_owner(agency, OwnerKind.SENSOR, "i90-mile12-east"), "SENSORS"),
        (an_owner(agency[::-1]), "FOREIGN"),
    ):
        await added(pool, an_entry(owner, pattern))

    async def seen(*, sees_unit: bool = False, sees_agency: bool = False) -> set[str]:
        viewer = Viewer(agency, "account-1", "D1", sees_unit, sees_agency)
        page = await LocalStore(pool).page(viewer, with_ended=False, before=NEWEST, now=NOW, size=50)
        return {one.watched.pattern for one in page}

    assert await seen() == {"MINE", "UNITS", "SENSORS"}
    assert await seen(sees_unit=True) == {"MINE", "COLLEAGUES", "UNITS", "SENSORS"}
    assert await seen(sees_agency=True) == {
        *("MINE", "COLLEAGUES", "ANOTHERS", "UNITS", "OTHERUNIT", "SENSORS")
    }


async def test_pages_go_on_where_the_one_before_ended_and_show_the_ended_on_demand(
    pool: Pool, agency: str
) -> None:
    store, viewer = LocalStore(pool), Viewer(agency, "account-1", "D1", sees_unit=False, sees_agency=False)
    stored = [await added(pool, an_entry(an_owner(agency), f"AAA{n}")) for n in range(5)]
    await store.end(an_act("local_list.remove", stored[1]), stored[1].entry_id, EndReason.REMOVED)

    first = await store.page(viewer, with_ended=False, before=NEWEST, now=NOW, size=2)
    second = await store.page(viewer, with_ended=False, before=first[-1].added_revision, now=NOW, size=2)
    everything = await store.page(viewer, with_ended=True, before=NEWEST, now=NOW, size=9)

    assert [one.watched.pattern for one in (*first, *second)] == ["AAA4", "AAA3", "AAA2", "AAA0"]
    assert len(everything) == 5


@pytest.mark.clause("II.D")
async def test_counts_of_all_replicas_add_up_and_count_from_the_moment_an_entry_was_added(
    pool: Pool, agency: str
) -> None:
    store, owner = LocalStore(pool), an_owner(agency)
    old = await added(pool, an_entry(owner))
    await store.count({owner.hot_list_id: 1000}, {old.entry_id: 3})
    new = await added(pool, an_entry(owner))

    await asyncio.gather(
        *(store.count({owner.hot_list_id: 50}, {old.entry_id: 4, new.entry_id: 5}) for _ in range(4))
    )

    old, new = await store.get(old.entry_id), await store.get(new.entry_id)
    assert (old.read_count, old.match_count) == (1200, 19)
    assert (new.read_count, new.match_count) == (200, 20)
    crowded = [one.entry_id for one in await store.crowded(NOW, 20) if one.owner == owner]
    assert crowded == [new.entry_id]


async def test_the_counts_of_an_entry_stand_still_when_it_has_ended(pool: Pool, agency: str) -> None:
    store, owner = LocalStore(pool), an_owner(agency)
    entry = await added(pool, an_entry(owner))
    await store.count({owner.hot_list_id: 70}, {entry.entry_id: 12})
    await store.end(an_act("local_list.suspend", entry), entry.entry_id, EndReason.SUSPENDED)
    await store.count({owner.hot_list_id: 1000}, {})

    ended = await store.get(entry.entry_id)

    assert (ended.read_count, ended.match_count) == (70, 12)
    viewer = Viewer(agency, "account-1", "D1", sees_unit=False, sees_agency=False)
    assert await store.suspended(viewer, NOW - timedelta(days=1)) == (ended,)
    assert await store.suspended(viewer, NOW) == ()
    assert await store.suspended_of_list(owner.hot_list_id, NOW - timedelta(days=1)) == (ended,)


@pytest.mark.clause("III.B.3.d")
async def test_the_service_can_neither_change_nor_delete_what_was_watched_for(
    pool: Pool, agency: str
) -> None:
    entry = await added(pool, an_entry(an_owner(agency)))
    await LocalStore(pool).end(an_act("local_list.remove", entry), entry.entry_id, EndReason.REMOVED)

    async with pool.acquire() as held:
        for statement in (
            "DELETE FROM matcher.local_entry",
            "DELETE FROM matcher.local_list",
            "UPDATE matcher.local_entry SET pattern = 'XXX'",
            "UPDATE matcher.local_entry SET expires_at = now()",
            "UPDATE matcher.local_entry SET end_reason = NULL",
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await held.execute(statement)


async def test_every_change_wakes_those_who_wait(database: MigratedDatabase, pool: Pool, agency: str) -> None:
    heard: asyncio.Queue[str] = asyncio.Queue()
    listener = await asyncpg.connect(database.url("matcher_app"))
    await listener.add_listener("matcher_revision", lambda *event: heard.put_nowait(event[-1]))

    entry = await added(pool, an_entry(an_owner(agency)))
    _, revision = await LocalStore(pool).end(
        an_act("local_list.remove", entry), entry.entry_id, EndReason.REMOVED
    )

    assert await asyncio.wait_for(heard.get(), 60) == str(entry.added_revision)
    assert await asyncio.wait_for(heard.get(), 60) == str(revision)
    await listener.close()
    rows = await fetch(database.admin_url, "SELECT match_revision FROM matcher.revision")
    assert rows[0]["match_revision"] == revision
