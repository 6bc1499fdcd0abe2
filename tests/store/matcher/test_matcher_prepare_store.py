"""The next version of a large list is got ready as a file before it is activated."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from services.common.pg import Pool, open_pool
from services.matcher import snapshots, store_index
from services.matcher.app_prepare import Preparer
from services.matcher.core.entry import Category, ListRow, Source, Vehicle
from services.matcher.core.hot_list import Act, FileFormat, HotList, UploadHeader
from services.matcher.snapshots import Snapshots
from services.matcher.store_index import IndexStore
from services.matcher.store_lists import HotListStore
from services.matcher.store_versions import VersionStore
from tests.support.databases import MigratedDatabase

NOW = datetime.now(UTC)

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pool(
    migrated_database: Callable[..., Awaitable[MigratedDatabase]],
) -> AsyncIterator[Pool]:
    database = await migrated_database("matcher")
    pool = await open_pool(database.url("matcher_app"), application_name="test-prepare", min_size=1)
    yield pool
    await pool.close()


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Snapshots:
    """Where a list of two entries is a large one."""
    for module in (snapshots, store_index):
        monkeypatch.setattr(module, "SMALL_LIST", 1)
    return Snapshots(tmp_path)


def an_act(action: str, changed: uuid.UUID) -> Act:
    return Act(uuid.uuid4(), uuid.uuid4(), action, changed, "account", {}, NOW)


async def a_list(pool: Pool) -> HotList:
    act = an_act("hot_list.create", uuid.uuid4())
    return await HotListStore(pool).create(act, "IL0160000", str(act.hot_list_id), Source.LEADS)


async def upload(pool: Pool, hot_list: HotList, *plates: str, **header: Any) -> None:
    act = an_act("hot_list.upload", hot_list.hot_list_id)
    rows = [ListRow(plate, "IL", Category.WANTED, "W1", "", Vehicle()) for plate in plates]
    sent = UploadHeader(
        act.request_id, hot_list.hot_list_id, FileFormat.CSV, bytes(32), 1, "lawful", **header
    )
    await VersionStore(pool).add(act, sent, iter(rows))


async def activate(pool: Pool, hot_list: HotList, version: int) -> None:
    await HotListStore(pool).activate(an_act("hot_list.activate", hot_list.hot_list_id), version, 1.0)


@pytest.mark.clause("II.E")
async def test_an_uploaded_version_is_a_file_before_it_is_activated_and_is_loaded_from_it(
    pool: Pool, files: Snapshots, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, hot_list = IndexStore(pool, files), await a_list(pool)
    await upload(pool, hot_list, "AAA1", "BBB2")
    preparer = Preparer(store)

    assert await preparer.work_once() == 1
    assert await preparer.work_once() == 0
    assert files.has(hot_list.hot_list_id, 1)

    async def from_the_database(*_: object) -> None:
        raise AssertionError("it was read from the database")

    monkeypatch.setattr(store_index, "_copied", from_the_database)
    await activate(pool, hot_list, 1)
    _, lists = await store.load({})
    (loaded,) = [one for one in lists if one.header.hot_list_id == hot_list.hot_list_id]
    assert {entry.plate for plate in ("AAA1", "BBB2") for entry in loaded.entries.find(plate)} == {
        "AAA1",
        "BBB2",
    }


async def test_the_version_in_use_and_the_newest_are_kept_and_no_other(pool: Pool, files: Snapshots) -> None:
    store, hot_list = IndexStore(pool, files), await a_list(pool)
    for number in (1, 2, 3):
        await upload(pool, hot_list, "AAA1", f"BBB{number}")
        await store.prepare(hot_list.hot_list_id, number)
    await activate(pool, hot_list, 1)

    await store.load({})

    assert [files.has(hot_list.hot_list_id, number) for number in (1, 2, 3)] == [True, False, True]


async def test_a_small_version_and_one_whose_time_is_over_are_not_got_ready(
    pool: Pool, files: Snapshots
) -> None:
    store, small, over = IndexStore(pool, files), await a_list(pool), await a_list(pool)
    await upload(pool, small, "AAA1")
    await upload(pool, over, "AAA1", "BBB2", expire_time=NOW - timedelta(hours=1))

    found = await store.unprepared()
    await store.prepare(small.hot_list_id, 1)

    assert not {small.hot_list_id, over.hot_list_id} & {hot_list_id for hot_list_id, _ in found}
    assert not files.has(small.hot_list_id, 1)


async def test_a_folder_that_cannot_be_written_is_tried_once(
    pool: Pool, files: Snapshots, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, hot_list = IndexStore(pool, files), await a_list(pool)
    await upload(pool, hot_list, "AAA1", "BBB2")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Snapshots, "_write", full)
    preparer = Preparer(store)

    assert await preparer.work_once() >= 1
    assert await preparer.work_once() == 0
    assert not files.has(hot_list.hot_list_id, 1)


async def test_without_a_folder_nothing_is_got_ready(pool: Pool, files: Snapshots) -> None:
    hot_list = await a_list(pool)
    await upload(pool, hot_list, "AAA1", "BBB2")

    assert await Preparer(IndexStore(pool)).work_once() == 0
