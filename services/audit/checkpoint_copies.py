"""Checkpoints in a second place, outside the database: a folder that should be on another disk (ADR 0035).

A database that was restored to an older state does not know what it has lost. The newest checkpoint that left
it, kept here, does: the service does not start on a log that lacks what it has signed.
"""

from __future__ import annotations

import asyncio
import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

import structlog

from services.audit.metrics import CHECKPOINT_COPIED, COPIES_FAILED
from services.common.durable import replace_file
from services.common.tlog import Note, NoteError

log = structlog.get_logger()

# Each copy waits for the disk twice, and what happens within a second is in the next one.
_PAUSE_SECONDS = 1.0


class CheckpointFolder:
    """The newest checkpoint of each log, a file each. Several replicas may share it."""

    def __init__(self, folder: Path, origin: str) -> None:
        self._folder = folder
        self._file = folder / f"{sha256(origin.encode()).hexdigest()[:32]}.checkpoint"

    def newest(self) -> Note | None:
        """The newest checkpoint kept here, or None.

        Raises:
            OSError: It cannot be read.
            NoteError: The file holds something else.
        """
        try:
            return Note.parse(self._file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None

    def keep(self, text: str) -> None:
        """Keeps the checkpoint unless a larger one is here already; on disk when this returns.

        Raises:
            OSError: The folder cannot be written.
        """
        note = Note.parse(text)
        with self._alone():
            kept = self.newest()
            if kept is None or kept.head.size < note.head.size:
                replace_file(self._file, text.encode(), 0o644)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        with (self._folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


class Copier:
    """Copies the newest committed checkpoint, within about a second, without anybody waiting for it."""

    def __init__(self, folder: CheckpointFolder) -> None:
        self._folder = folder
        self._newest = ""
        self._copied = ""
        self._wake = asyncio.Event()
        self._work = asyncio.create_task(self._run())

    def offer(self, text: str) -> None:
        """Takes a checkpoint that is committed."""
        self._newest = text
        self._wake.set()

    async def close(self) -> None:
        """Copies the last one, and ends."""
        self._work.cancel()
        await asyncio.gather(self._work, return_exceptions=True)
        await self._copy()

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            await self._copy()
            await asyncio.sleep(_PAUSE_SECONDS)

    async def _copy(self) -> None:
        text = self._newest
        if text == self._copied:
            return
        try:
            await asyncio.shield(asyncio.to_thread(self._folder.keep, text))
        except (OSError, NoteError) as error:
            COPIES_FAILED.inc()
            log.warning("checkpoint_not_copied", error=type(error).__name__)
        else:
            self._copied = text
            CHECKPOINT_COPIED.set_to_current_time()
