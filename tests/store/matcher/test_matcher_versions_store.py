"""Increments, differences, approvals and quarantine in a real PostgreSQL, and in a simple model."""

from __future__ import annotations

import asyncio
import random
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import UTC, date, datetime, timedelta

import asyncpg
import pytest
import pytest_asyncio

from services.common.errors import NotPermittedError, WrongStateError
from services.common.pg import Pool, open_pool
from services.matcher.core.entry import Category, ListRow, Source, Vehicle, entry_id
from services.matcher.core.hot_list import (
    NOTHING_FOUND,
    Act,
    Checked,
    Comparison,
    Difference,
    FileFormat,
    Finding,
    HotList,
    Removal,
    UploadHeader,
    UploadKind,
    VersionSummary,
)
from services.matcher.errors import AbsentEntriesError, UploadNotFoundError
from services.matcher.store_difference import DifferenceStore
from services.matcher.store_history import HistoryStore
from services.matcher.store_index import IndexStore
from services.matcher.store_lists import HotListStore
from services.matcher.store_versions import VersionStore
from tests.support.databases import MigratedDatabase

ORI = "IL0160000"
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
FIRST = uuid.UUID(int=0)
FULL, ADD, REMOVE = UploadKind.FULL, UploadKind.ADD, UploadKind.REMOVE

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def database(migrated_database: Callable[..., Awaitable[MigratedDatabase]]) -> MigratedDatabase:
    return await migrated_database("matcher")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pool(database: MigratedDatabase) -> AsyncIterator[Pool]:
    pool = await open_pool(database.url("matcher_app"), application_name="test-matcher", min_size=1)
    yield pool
    await pool.close()


def an_act(action: str, hot_list_id: uuid.UUID, account: str = "uploader", moment: datetime = NOW) -> Act:
    return Act(uuid.uuid4(), uuid.uuid4(), action, hot_list_id, account, {}, moment)


async def a_list(pool: Pool) -> HotList:
    act = an_act("hot_list.create", uuid.uuid4())
    return await HotListStore(pool).create(act, ORI, str(act.hot_list_id), Source.NCIC)


def row(plate: str, *, color: str = "", category: Category = Category.WANTED) -> ListRow:
    return ListRow(plate, "IL", category, "W1", "PC", Vehicle(color=color))


async def upload(  # noqa: PLR0913 - all that an upload is
    pool: Pool,
    hot_list: HotList,
    rows: Sequence[ListRow],
    kind: UploadKind = FULL,
    base: int = 0,
    *,
    checked: Checked = NOTHING_FOUND,
) -> VersionSummary:
    act = an_act("hot_list.upload", hot_list.hot_list_id)
    header = UploadHeader(
        act.request_id, act.hot_list_id, FileFormat.CSV, bytes(32), 1, "lawful and current", kind, base
    )
    return await VersionStore(pool).add(act, header, iter(rows), checked)


async def activate(pool: Pool, hot_list: HotList, version: int, share: float = 1.0) -> None:
    act = an_act("hot_list.activate", hot_list.hot_list_id)
    await HotListStore(pool).activate(act, version, share)


Content = dict[uuid.UUID, ListRow]


def difference_of(before: Content, after: Content) -> Difference:
    changed = sum(before[one] != after[one] for one in before.keys() & after.keys())
    return Difference(len(after.keys() - before.keys()), len(before.keys() - after.keys()), changed)


def some_rows(chance: random.Random) -> list[ListRow]:
    categories = (Category.WANTED, Category.AMBER)
    return [
        row(f"A{n}", color=chance.choice(["RED", "BLU"]), category=categories[n % 2])
        for n in range(12)
        if chance.random() < 0.5
    ]


async def next_version(
    pool: Pool, hot_list: HotList, versions: list[Content], chance: random.Random
) -> VersionSummary:
    """Uploads something at random, and adds to `versions` what the new version must hold."""
    kind, before = chance.choice([FULL, ADD, REMOVE]), versions[-1]
    rows = some_rows(chance) or [row("A0")]
    named = {entry_id(hot_list.hot_list_id, one): one for one in rows}
    if kind is REMOVE:
        named = {key: one for key, one in named.items() if key in before}
    if kind is FULL or not named or len(versions) == 1:
        kind, named = FULL, named or {entry_id(hot_list.hot_list_id, row("A0")): row("A0")}
        versions.append(named)
    elif kind is ADD:
        versions.append(before | named)
    else:
        versions.append({key: one for key, one in before.items() if key not in named})
    base = 0 if kind is FULL else len(versions) - 2
    return await upload(pool, hot_list, list(named.values()), kind, base)


@pytest.mark.clause("II.D", "III.B.3.h")
@pytest.mark.parametrize("seed", range(3))
async def test_every_version_and_difference_is_what_a_model_that_keeps_everything_says(
    pool: Pool, seed: int
) -> None:
    chance, hot_list = random.Random(seed), await a_list(pool)
    versions: list[Content] = [{}]
    active = 0
    for number in range(1, 11):
        summary = await next_version(pool, hot_list, versions, chance)
        told = difference_of(versions[active], versions[number])
        assert summary.version == number
        assert (summary.added_count, summary.removal) == (
            told.added,
            Removal(active, told.removed, len(versions[active])),
        )
        assert dict(summary.categories) == Counter(one.category for one in versions[number].values())
        if chance.random() < 0.4:
            active = chance.randint(1, number)
            await activate(pool, hot_list, active)

    store = DifferenceStore(pool)
    for before in range(1, 11):
        for after in range(1, 11):
            asked = Comparison(hot_list.hot_list_id, before, after, FIRST, 100)
            difference, changes = await store.read(asked)
            assert difference == difference_of(versions[before], versions[after])
            for change in changes:
                assert change.before == versions[before].get(change.entry_id)
                assert change.after == versions[after].get(change.entry_id)
                assert change.before != change.after
            assert len(changes) == difference.added + difference.removed + difference.changed


async def test_an_entry_keeps_its_date_and_its_end_and_both_reach_the_index(pool: Pool) -> None:
    hot_list = await a_list(pool)
    end = NOW + timedelta(hours=3)
    dated = ListRow("AAA1", "IL", Category.WANTED, "W1", "TK", Vehicle(), date(2026, 11, 1), end)
    await upload(pool, hot_list, [dated])
    await upload(pool, hot_list, [dated])
    await activate(pool, hot_list, 2)

    _, lists = await IndexStore(pool).load({})

    asked = Comparison(hot_list.hot_list_id, 1, 2, FIRST, 10)
    assert (await DifferenceStore(pool).read(asked))[0] == Difference(0, 0, 0)
    rows = await pool.fetch(
        "SELECT plate_type, entry_date, expires_at FROM matcher.hot_list_entry WHERE hot_list_id = $1",
        hot_list.hot_list_id,
    )
    assert [tuple(one) for one in rows] == [("TK", date(2026, 11, 1), end)]
    assert hot_list.hot_list_id in {one.header.hot_list_id for one in lists}


async def test_an_increment_that_is_refused_leaves_nothing(pool: Pool) -> None:
    hot_list = await a_list(pool)
    await upload(pool, hot_list, [row("AAA1")])

    with pytest.raises(WrongStateError):
        await upload(pool, hot_list, [row("BBB2")], ADD, 7)
    with pytest.raises(AbsentEntriesError) as absent:
        await upload(pool, hot_list, [row("AAA1"), row("BBB2")], REMOVE, 1)

    assert absent.value.count == 1
    assert (await HotListStore(pool).get(hot_list.hot_list_id)).latest_version == 1
    assert await pool.fetchval("SELECT count(*) FROM matcher.stage") == 0


async def test_of_two_increments_of_one_version_only_the_first_is_taken(pool: Pool) -> None:
    hot_list = await a_list(pool)
    await upload(pool, hot_list, [row("AAA1")])

    outcomes = await asyncio.gather(
        *(upload(pool, hot_list, [row(f"B{n}")], ADD, 1) for n in range(4)), return_exceptions=True
    )

    assert [type(one) for one in outcomes].count(WrongStateError) == 3
    (taken,) = [one for one in outcomes if isinstance(one, VersionSummary)]
    assert (taken.version, taken.entry_count) == (2, 2)


@pytest.mark.clause("III.B.3.h")
@pytest.mark.parametrize(
    ("left", "needed"), [(10, False), (8, False), (7, True), (0, True)], ids=["all", "share", "more", "none"]
)
async def test_a_version_needs_approval_when_more_than_the_share_goes(
    pool: Pool, left: int, needed: bool
) -> None:
    hot_list = await a_list(pool)
    await upload(pool, hot_list, [row(f"A{n}") for n in range(10)])
    await activate(pool, hot_list, 1)
    summary = await upload(pool, hot_list, [row(f"A{n}") for n in range(left)] + [row("B1")])

    assert summary.removal.needs_approval(0.2) == needed
    if needed:
        with pytest.raises(WrongStateError):
            await activate(pool, hot_list, 2, 0.2)
    else:
        await activate(pool, hot_list, 2, 0.2)


@pytest.mark.clause("III.B.3.h")
async def test_many_small_steps_of_one_day_are_a_large_one(pool: Pool) -> None:
    hot_list, store = await a_list(pool), HotListStore(pool)
    rows = [row(f"A{n}") for n in range(20)]
    for left in (20, 17, 15):
        await upload(pool, hot_list, rows[:left])

    def activation(version: int, after_h: int) -> Awaitable[object]:
        moment = NOW + timedelta(hours=after_h)
        act = an_act("hot_list.activate", hot_list.hot_list_id, moment=moment)
        return store.activate(act, version, 0.2)

    await activation(1, 0)
    await activation(2, 30)
    with pytest.raises(WrongStateError):
        await activation(3, 31)
    await activation(3, 55)

    assert (await store.get(hot_list.hot_list_id)).active_version == 3


@pytest.mark.clause("III.B.3.h")
async def test_the_uploader_cannot_approve_and_an_approval_is_stored_once(pool: Pool) -> None:
    hot_list, store = await a_list(pool), HotListStore(pool)
    await upload(pool, hot_list, [row(f"A{n}") for n in range(10)])
    await activate(pool, hot_list, 1)
    await upload(pool, hot_list, [row("A1")])
    act = an_act("hot_list.approve", hot_list.hot_list_id, "second")

    with pytest.raises(NotPermittedError):
        await store.approve(an_act("hot_list.approve", hot_list.hot_list_id), 2, 0.2)
    removals = await asyncio.gather(store.approve(act, 2, 0.2), store.approve(act, 2, 0.2))
    versions = await HistoryStore(pool).versions(hot_list.hot_list_id, 100, 10)

    assert removals == [Removal(1, 9, 10)] * 2
    assert [one.account_id for one in versions[0].approvals] == ["second"]
    assert [one.active for one in versions] == [False, True]


@pytest.mark.clause("II.E")
async def test_rows_of_file_n_are_not_stored_once_the_setting_is_off(pool: Pool) -> None:
    hot_list = await a_list(pool)

    with pytest.raises(WrongStateError):
        await upload(pool, hot_list, [row("AAA1")], checked=Checked(immigration_file=True))

    assert (await HotListStore(pool).get(hot_list.hot_list_id)).latest_version == 0


async def test_notes_are_kept_with_their_version_and_errors_with_their_upload(pool: Pool) -> None:
    hot_list, store = await a_list(pool), HistoryStore(pool)
    notes = tuple(Finding(n, "1", "left out") for n in range(1, 151))
    summary = await upload(pool, hot_list, [row("AAA1")], checked=Checked(notes, 2000))
    act = an_act("hot_list.upload", hot_list.hot_list_id)
    header = UploadHeader(act.request_id, act.hot_list_id, FileFormat.CSV, bytes(32), 1, "lawful, current")
    errors = [Finding(n, "plate", "wrong") for n in range(1, 8)]

    for _ in range(2):
        await store.quarantine(act, header, errors, 3, stopped=False)
    upload_, first = await store.report(act.request_id, 0, 5)
    _, rest = await store.report(act.request_id, 5, 5)

    assert (summary.note_count, summary.notes) == (2000, notes[:100])
    assert [*first, *rest] == errors
    assert (upload_.row_count, upload_.error_count, upload_.stopped) == (3, 7, False)
    with pytest.raises(UploadNotFoundError):
        await store.report(uuid.uuid4(), 0, 5)


@pytest.mark.clause("III.B.3.d", "III.B.3.h")
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE matcher.hot_list_version SET removed_count = 0, complete = true",
        "UPDATE matcher.hot_list_version SET complete = false",
        "UPDATE matcher.hot_list_version SET immigration_file = false",
        "DELETE FROM matcher.version_approval",
        "UPDATE matcher.version_approval SET account_id = 'somebody else'",
        "DELETE FROM matcher.quarantined_upload",
        "UPDATE matcher.quarantined_upload SET error_count = 1",
        "DELETE FROM matcher.row_finding",
        "UPDATE matcher.activation SET version = NULL",
    ],
)
async def test_the_service_itself_cannot_change_what_has_become_of_uploads(
    pool: Pool, statement: str
) -> None:
    hot_list = await a_list(pool)
    await upload(pool, hot_list, [row("AAA1")])

    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await pool.execute(statement)
