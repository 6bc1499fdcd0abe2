from __future__ import annotations

import asyncio
import errno
import os
import stat
from pathlib import Path

import pytest

from services.common import objects
from services.common.errors import AlreadyExistsError, NotFoundError, StorageUnavailableError
from services.common.objects import FileObjectStore

KEY = "days/2026-05-01/abc"


@pytest.fixture
def store(tmp_path: Path) -> FileObjectStore:
    return FileObjectStore(tmp_path / "images")


async def test_an_object_comes_back_as_it_was(store: FileObjectStore) -> None:
    await store.put(KEY, b"one")

    assert await store.get(KEY) == b"one"
    assert await store.exists(KEY)


async def test_the_same_content_may_be_put_again_and_another_may_not(store: FileObjectStore) -> None:
    await store.put(KEY, b"one")
    await store.put(KEY, b"one")

    with pytest.raises(AlreadyExistsError):
        await store.put(KEY, b"two")

    assert await store.get(KEY) == b"one"


async def test_of_many_writers_one_wins_and_all_learn_what_is_there(store: FileObjectStore) -> None:
    answers = await asyncio.gather(*(store.put_new(KEY, bytes([n])) for n in range(20)))

    assert set(answers) == {await store.get(KEY)}


async def test_what_is_not_there_is_not_found(store: FileObjectStore) -> None:
    assert not await store.exists(KEY)
    with pytest.raises(NotFoundError):
        await store.get(KEY)
    await store.put(KEY, b"one")
    with pytest.raises(NotFoundError):
        await store.get("days/2026-05-01")


async def test_deleting_a_prefix_takes_its_objects_and_no_others(store: FileObjectStore) -> None:
    await store.put("days/2026-05-01/a", b"1")
    await store.put("days/2026-05-01/b", b"2")
    await store.put("days/2026-05-01x/c", b"3")

    assert await store.delete_prefix("days/2026-05-01") == 2
    assert await store.delete_prefix("days/2026-05-01") == 0

    assert await store.children("days") == ["2026-05-01x"]
    assert not await store.exists("days/2026-05-01/a")


async def test_writers_and_a_purge_of_the_same_day_do_not_fail(store: FileObjectStore) -> None:
    writes = [store.put(f"days/2026-05-01/{n}", b"1") for n in range(50)]
    purges = [store.delete_prefix("days/2026-05-01") for _ in range(5)]

    done = await asyncio.gather(*writes, *purges, return_exceptions=True)

    assert [one for one in done if isinstance(one, Exception)] == []


async def test_children_of_nothing_are_none(store: FileObjectStore) -> None:
    assert await store.children("days") == []


@pytest.mark.parametrize(
    "key",
    [
        "",
        "/etc/passwd",
        "../x",
        "a/../b",
        "a//b",
        ".hidden",
        "a/.new-1",
        "a\\b",
        "a b",
        "a\0b",
        "a/" * 9 + "a",
    ],
)
async def test_what_is_no_key_is_refused(store: FileObjectStore, key: str) -> None:
    with pytest.raises(ValueError, match="object key"):
        await store.put(key, b"")
    with pytest.raises(ValueError, match="object key"):
        await store.delete_prefix(key)


async def test_files_are_closed_to_others_and_nothing_unfinished_stays(
    store: FileObjectStore, tmp_path: Path
) -> None:
    await store.put(KEY, b"one")
    with pytest.raises(AlreadyExistsError):
        await store.put(KEY, b"two")

    paths = list((tmp_path / "images").rglob("*"))
    assert [path.name for path in paths if path.is_file()] == ["abc"]
    assert all(stat.S_IMODE(path.stat().st_mode) & 0o077 == 0 for path in paths)


async def test_file_and_every_new_folder_are_synced_before_put_returns(
    store: FileObjectStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced = []
    real = os.fsync

    def fsync(handle: int) -> None:
        synced.append(Path(f"/proc/self/fd/{handle}").readlink())
        real(handle)

    monkeypatch.setattr(objects.os, "fsync", fsync)

    await store.put(KEY, b"one")

    root = tmp_path / "images"
    content, *folders = (path for path in reversed(synced))
    assert content == root / "days/2026-05-01"  # last, and it holds the name
    assert {tmp_path, root, root / "days"} <= set(folders)
    assert any(path.name.startswith(".new-") for path in folders)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EACCES])
async def test_a_disk_that_does_not_take_it_is_a_typed_error_and_leaves_nothing(
    store: FileObjectStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    await store.put("days/2026-05-01/first", b"one")

    def fsync(_: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(objects.os, "fsync", fsync)

    with pytest.raises(StorageUnavailableError):
        await store.put(KEY, b"one")

    left = [path.name for path in tmp_path.rglob("*") if path.is_file()]  # noqa: ASYNC240
    assert left == ["first"]
