"""Agreements and the matrix in a real PostgreSQL: what counts, what is kept, and who is first."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest
import pytest_asyncio

from services.common.errors import RequestIdReusedError
from services.common.pg import Pool, open_pool
from services.matcher.core.entry import Source
from services.matcher.core.hot_list import Act
from services.matcher.core.scope import Agreement, AgreementNews, GroupMode, GroupRow, Partition, Scope
from services.matcher.errors import HotListNotFoundError
from services.matcher.store_index import IndexStore
from services.matcher.store_lists import HotListStore
from services.matcher.store_revision import CHANNEL
from services.matcher.store_scope import ScopeStore
from tests.support.databases import MigratedDatabase

ORI, OTHER_ORI, THIRD_ORI = "IL0160000", "IL0990000", "IL0770000"
NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def database(migrated_database: Callable[..., Awaitable[MigratedDatabase]]) -> MigratedDatabase:
    return await migrated_database("matcher")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pool(database: MigratedDatabase) -> AsyncIterator[Pool]:
    pool = await open_pool(database.url("matcher_app"), application_name="test-matcher", min_size=1)
    yield pool
    await pool.close()


def an_act(action: str = "scope.set", thing: uuid.UUID | None = None, **details: str) -> Act:
    return Act(uuid.uuid4(), uuid.uuid4(), action, thing or uuid.uuid4(), "account", details, NOW)


async def a_list(pool: Pool, agency: str = ORI) -> uuid.UUID:
    act = an_act("hot_list.create")
    made = await HotListStore(pool).create(act, agency, str(act.hot_list_id), Source.LEADS)
    return made.hot_list_id


def a_row(*lists: uuid.UUID, mode: GroupMode = GroupMode.ONLY, group: str = "expressway") -> GroupRow:
    return GroupRow(ORI, group, mode, frozenset(lists))


def an_agreement(lists: str = OTHER_ORI) -> Agreement:
    partitions = frozenset({Partition.GENERAL, Partition.MOTOR_CARRIER})
    return Agreement(uuid.uuid4(), ORI, lists, partitions, NOW, NOW + timedelta(days=30))


async def scope(pool: Pool) -> Scope:
    return await IndexStore(pool).scope()


async def revision(pool: Pool) -> int:
    return await IndexStore(pool).revision()


async def heard(pool: Pool) -> int:
    """The next number of a change in audit."""
    async with pool.acquire() as held:
        newest: int = await held.fetchval("SELECT audit_revision FROM matcher.agreement_head")
    return newest + 1


def news(
    number: int, *in_force: Agreement, ended: tuple[uuid.UUID, ...] = (), snapshot: bool = False
) -> AgreementNews:
    return AgreementNews(number, in_force, ended, snapshot)


async def test_a_row_takes_the_next_revision_and_tells_every_replica(
    pool: Pool, database: MigratedDatabase
) -> None:
    named, before = await a_list(pool), await revision(pool)
    told: asyncio.Queue[str] = asyncio.Queue()
    listening = await asyncpg.connect(database.url("matcher_app"))
    await listening.add_listener(CHANNEL, lambda *event: told.put_nowait(event[-1]))

    set_at = await ScopeStore(pool).set_row(an_act(), a_row(named))

    assert set_at == before + 1 == await revision(pool)
    assert await asyncio.wait_for(told.get(), 60) == str(set_at)
    assert a_row(named) in (await scope(pool)).rows
    await listening.close()


async def test_the_newest_row_of_a_group_counts_and_the_older_ones_are_kept(
    pool: Pool, database: MigratedDatabase
) -> None:
    first, second, store = await a_list(pool), await a_list(pool), ScopeStore(pool)
    await store.set_row(an_act(), a_row(first, group="history"))
    await store.set_row(an_act(), a_row(second, mode=GroupMode.ALL_BUT, group="history"))

    rows = [one for one in (await scope(pool)).rows if one.sensor_group == "history"]

    assert rows == [a_row(second, mode=GroupMode.ALL_BUT, group="history")]
    async with pool.acquire() as held:
        assert (
            await held.fetchval("SELECT count(*) FROM matcher.group_row WHERE sensor_group = 'history'") == 2
        )
        for statement in (
            "DELETE FROM matcher.group_row",
            "UPDATE matcher.group_row SET mode = 1",
            "DELETE FROM matcher.agreement",
            "UPDATE matcher.agreement SET in_force = true",
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await held.execute(statement)


async def test_an_act_that_comes_again_changes_nothing_and_gives_its_revision(pool: Pool) -> None:
    act, row = an_act(mode="ONLY"), a_row(await a_list(pool), group="again")
    first = await ScopeStore(pool).set_row(act, row)
    later = await ScopeStore(pool).set_row(an_act(), a_row(group="again"))

    assert await ScopeStore(pool).set_row(act, row) == first < later == await revision(pool)
    with pytest.raises(RequestIdReusedError):
        await ScopeStore(pool).set_row(replace(act, details={"mode": "ALL_BUT"}), row)


@pytest.mark.clause("III.B.1")
async def test_a_list_can_be_named_only_by_its_agency_or_under_an_agreement(pool: Pool) -> None:
    foreign, before = await a_list(pool, THIRD_ORI), await revision(pool)
    row = a_row(foreign, group="named")

    for hot_list_id in (foreign, uuid.uuid4()):
        with pytest.raises(HotListNotFoundError):
            await ScopeStore(pool).set_row(an_act(), a_row(hot_list_id, group="named"))
    assert await revision(pool) == before

    agreement = an_agreement(THIRD_ORI)
    await ScopeStore(pool).take(news(await heard(pool), agreement))
    assert await ScopeStore(pool).set_row(an_act(), row) == before + 2


@pytest.mark.clause("III.B.1")
async def test_an_agreement_counts_once_heard_and_no_more_once_it_has_ended(pool: Pool) -> None:
    agreement, store, before = an_agreement(), ScopeStore(pool), await revision(pool)

    begun = await store.take(news(await heard(pool), agreement))
    during = await scope(pool)
    ended = await store.take(news(await heard(pool), ended=(agreement.agreement_id,)))

    assert (begun, ended) == (before + 1, before + 2)
    assert agreement in during.agreements
    assert agreement not in (await scope(pool)).agreements


async def test_what_changes_nothing_takes_no_revision(pool: Pool) -> None:
    agreement, store = an_agreement(), ScopeStore(pool)
    await store.take(news(await heard(pool), agreement))
    before = await revision(pool)

    assert await store.take(news(await heard(pool), agreement)) is None
    assert await store.take(news(await heard(pool), ended=(uuid.uuid4(),))) is None
    assert await store.take(news(await heard(pool))) is None
    assert await revision(pool) == before


async def test_a_snapshot_ends_what_is_not_in_it(pool: Pool) -> None:
    gone, kept, store = an_agreement(), an_agreement(), ScopeStore(pool)
    await store.take(news(await heard(pool), gone, kept))

    await store.take(news(await heard(pool), kept, snapshot=True))

    assert (await scope(pool)).agreements == (kept,)


async def test_replicas_that_hear_the_same_store_it_once(pool: Pool) -> None:
    told, before = news(await heard(pool), an_agreement()), await revision(pool)

    results = await asyncio.gather(*(ScopeStore(pool).take(told) for _ in range(4)))

    assert sorted(results, key=bool) == [None, None, None, before + 1]
    assert await revision(pool) == before + 1


async def test_an_older_word_of_audit_does_not_bring_an_ended_agreement_back(pool: Pool) -> None:
    agreement, store, number = an_agreement(), ScopeStore(pool), await heard(pool)
    await store.take(news(number, agreement))
    await store.take(news(number + 1, ended=(agreement.agreement_id,)))

    assert await store.take(news(number, agreement)) is None
    assert await store.take(news(number, agreement, snapshot=True)) is None
    assert agreement not in (await scope(pool)).agreements


async def test_rows_are_listed_by_group_to_their_agency(pool: Pool) -> None:
    for group in ("page-b", "page-a", "page-c"):
        await ScopeStore(pool).set_row(an_act(), a_row(group=group))
    await ScopeStore(pool).set_row(an_act(), a_row(group="page-b", mode=GroupMode.ALL_BUT))

    page = await ScopeStore(pool).page(ORI, "page", 2)

    assert [(one.sensor_group, one.mode) for one in page] == [
        ("page-a", GroupMode.ONLY),
        ("page-b", GroupMode.ALL_BUT),
    ]
    assert not await ScopeStore(pool).page(OTHER_ORI, "", 10)
