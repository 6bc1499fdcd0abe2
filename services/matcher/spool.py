"""Uploads on their way in: on disk, not in memory."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import tempfile
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path
from typing import BinaryIO, Final

from services.common.errors import FieldViolation, InvalidFieldError, StorageUnavailableError
from services.matcher.core.hot_list import UploadHeader

_UPLOADS_AT_ONCE: Final = 2


class Spool:
    """Takes files into a folder, two at a time; others wait.

    The files have no name: a person list holds names and dates of birth, and nothing but this process can
    open it again. They end with the upload, or with the process.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._free = asyncio.Semaphore(_UPLOADS_AT_ONCE)

    @contextlib.asynccontextmanager
    async def receive(self, header: UploadHeader, chunks: AsyncIterator[bytes]) -> AsyncIterator[BinaryIO]:
        """The whole file, checked against `header`.

        Raises:
            InvalidFieldError: Size or SHA-256 is not what the header says.
            StorageUnavailableError: The folder cannot be written.
        """
        async with self._free:
            try:
                file = tempfile.TemporaryFile(dir=self._folder)  # noqa: SIM115 - closed below
            except OSError:
                raise StorageUnavailableError("the upload could not be spooled") from None
            try:
                await _fill(file, header, chunks)
                yield file
            finally:
                with contextlib.suppress(OSError):  # a full disk takes not even what a file has left to write
                    file.close()


async def _fill(file: BinaryIO, header: UploadHeader, chunks: AsyncIterator[bytes]) -> None:
    digest, size = hashlib.sha256(), 0

    def keep(chunk: bytes) -> None:
        digest.update(chunk)
        file.write(chunk)

    async for chunk in chunks:
        size += len(chunk)
        if size > header.size_bytes:
            break
        await _in_thread(partial(keep, chunk))
    # Now, not when it is read: a file of which the disk had no room for the end would count as a broken one.
    await _in_thread(file.flush)
    if size != header.size_bytes:
        raise _wrong("header.size_bytes", "the file has another size")
    if digest.digest() != header.sha256:
        raise _wrong("header.sha256", "the file has another SHA-256")


async def _in_thread(write: Callable[[], None]) -> None:
    try:
        await asyncio.to_thread(write)
    except OSError:
        raise StorageUnavailableError("the upload could not be spooled") from None


def _wrong(field: str, description: str) -> InvalidFieldError:
    return InvalidFieldError(description, violations=[FieldViolation(field, description)])
