"""Objects of some kilobytes to megabytes, written once, in files.

An object is never changed: a key names one content for ever, and writing the same content again is no error.
So whoever is not sure whether a `put` worked may repeat it. Objects end by prefix, as with their day.
"""

import asyncio
import contextlib
import errno
import os
import re
import secrets
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from services.common.errors import AlreadyExistsError, NotFoundError, StorageUnavailableError
from services.common.metrics import timed_object

# No segment begins with a dot, so neither `..` nor an unfinished file is ever a key.
_SEGMENT = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,199}")
_MOST_SEGMENTS = 8
_UNFINISHED = ".new-"
_TRIES = 5
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


class KeepsVersionsError(StorageUnavailableError):
    """The store keeps what is deleted as an older version, so nothing may be put into it."""


@dataclass(frozen=True, slots=True)
class Usage:
    """How many objects there are, and their bytes."""

    objects: int
    size_bytes: int


class ObjectStore(Protocol):
    """Durable objects by key. A key is 1 to 8 segments of A-Z, a-z, 0-9, `.`, `_` and `-`, joined by `/`.

    Every method raises ValueError for what is no key, and StorageUnavailableError when the store is full,
    cannot be written or cannot be reached.
    """

    async def check(self) -> None:
        """Returns unless it is certain that what is deleted would stay in the store (ENF-051 IV.E.1).

        Raises:
            KeepsVersionsError: It keeps older versions.
        """

    async def put(self, key: str, data: bytes) -> None:
        """Returns when `data` is durably stored under `key`.

        Raises:
            AlreadyExistsError: Another content is there.
        """

    async def put_new(self, key: str, data: bytes) -> bytes:
        """What is durably stored under `key` now: `data`, or what somebody stored there before."""

    async def get(self, key: str) -> bytes:
        """The content of `key`.

        Raises:
            NotFoundError: There is none.
        """

    async def exists(self, key: str) -> bool:
        """Whether there is an object `key`."""

    async def children(self, prefix: str) -> Sequence[str]:
        """The next segments of the keys below `prefix`, each once, in order; of all keys for ""."""

    async def usage(self, prefix: str) -> Usage:
        """What lies below `prefix`, which is a whole number of segments."""

    async def delete_prefix(self, prefix: str) -> int:
        """Removes all objects below `prefix`, which is a whole number of segments, and returns how many.

        When it returns, they are durably gone. Repeat it after a failure.
        """


class FileObjectStore:
    """Objects in files below a folder, each as durable as the disk when `put` returns.

    A write goes to an unfinished file, is synced, and gets its name by a hard link, which fails when the name
    is taken: of two writers at once one wins and both know. Then the folder is synced, for otherwise a crash
    could take the name back. The system calls run in threads; none of them holds up the event loop.
    """

    def __init__(self, root: Path) -> None:
        """Nothing happens yet; the folder is made by the first write.

        Args:
            root: A folder of our own, on a file system with hard links.
        """
        self._root = root.absolute()

    async def check(self) -> None:
        """See ObjectStore: a file that is deleted is gone."""

    async def put(self, key: str, data: bytes) -> None:
        """See ObjectStore."""
        if await self.put_new(key, data) != data:
            raise AlreadyExistsError("an object with another content has that key")

    @timed_object("put")
    async def put_new(self, key: str, data: bytes) -> bytes:
        """See ObjectStore."""
        path = self._path(key)
        with _storage_errors():
            return await asyncio.to_thread(_put_new, self._root, path, data)

    @timed_object("get")
    async def get(self, key: str) -> bytes:
        """See ObjectStore."""
        path = self._path(key)
        with _storage_errors():
            try:
                return await asyncio.to_thread(path.read_bytes)
            except (FileNotFoundError, IsADirectoryError):
                raise NotFoundError("there is no such object") from None

    async def exists(self, key: str) -> bool:
        """See ObjectStore."""
        path = self._path(key)
        with _storage_errors():
            return await asyncio.to_thread(path.is_file)

    async def children(self, prefix: str) -> Sequence[str]:
        """See ObjectStore."""
        path = self._path(prefix) if prefix else self._root
        with _storage_errors():
            return await asyncio.to_thread(_children, path)

    async def usage(self, prefix: str) -> Usage:
        """See ObjectStore."""
        path = self._path(prefix)
        with _storage_errors():
            return await asyncio.to_thread(_usage, path)

    @timed_object("delete")
    async def delete_prefix(self, prefix: str) -> int:
        """See ObjectStore."""
        path = self._path(prefix)
        with _storage_errors():
            return await asyncio.to_thread(_delete, path)

    def _path(self, key: str) -> Path:
        check_key(key)
        return self._root.joinpath(*key.split("/"))


def check_key(key: str) -> None:
    """Returns for a key or prefix. Raises ValueError for what is none."""
    segments = key.split("/")
    if len(segments) > _MOST_SEGMENTS or not all(_SEGMENT.fullmatch(segment) for segment in segments):
        raise ValueError("an object key has 1 to 8 segments of letters, digits, dots, dashes and underscores")


@contextmanager
def _storage_errors() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        full = error.errno in _FULL
        text = (
            "the image store is full; try again later"
            if full
            else "the image store cannot be used; try again"
        )
        raise StorageUnavailableError(text) from error


def _put_new(root: Path, path: Path, data: bytes) -> bytes:
    for last_try in (*[False] * (_TRIES - 1), True):
        _make_folders(root, path.parent)
        try:
            there = _link_new(path, data)
            # The writer who was faster may not have come to this yet, and we are about to rely on its file.
            _sync_folder(path.parent)
        except FileNotFoundError:  # the folder was deleted meanwhile, before the file was in it or with it
            if last_try:
                raise
            continue
        return there
    raise AssertionError


def _link_new(path: Path, data: bytes) -> bytes:
    unfinished = path.with_name(f"{_UNFINISHED}{secrets.token_hex(8)}")
    try:
        with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(unfinished, path)
        except FileExistsError:
            return path.read_bytes()
        return data
    finally:
        with contextlib.suppress(OSError):
            unfinished.unlink()


def _make_folders(root: Path, folder: Path) -> None:
    """Makes `folder` and what is above it, each synced into the folder that holds it."""
    if folder.is_dir():
        return
    if folder == root:
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
    else:
        _make_folders(root, folder.parent)
        folder.mkdir(mode=0o700, exist_ok=True)
    _sync_folder(folder.parent)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _children(path: Path) -> list[str]:
    try:
        return sorted(name for name in os.listdir(path) if not name.startswith("."))  # noqa: PTH208
    except (FileNotFoundError, NotADirectoryError):
        return []


def _usage(path: Path) -> Usage:
    sizes = []
    for folder, _, names in os.walk(path):
        for name in names:
            # Whatever goes while it is counted counts as gone.
            with contextlib.suppress(FileNotFoundError):
                if not name.startswith("."):
                    sizes.append((Path(folder) / name).stat().st_size)
    return Usage(len(sizes), sum(sizes))


def _delete(path: Path) -> int:
    objects = _usage(path).objects
    for last_try in (*[False] * (_TRIES - 1), True):
        try:
            shutil.rmtree(path)
            break
        except FileNotFoundError:
            break
        except OSError as error:  # a writer put one more object there
            if last_try or error.errno != errno.ENOTEMPTY:
                raise
    if path.parent.is_dir():
        _sync_folder(path.parent)
    return objects
