"""Snapshot files of large lists: a replica that starts does not read ten million rows from the database."""

from __future__ import annotations

import contextlib
import os
import tempfile
import uuid
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Final

import numpy as np
import structlog

from services.matcher.core.columns import Columns
from services.matcher.core.index import SMALL_LIST
from services.matcher.core.snapshot import SnapshotError, read_snapshot, write_snapshot

log = structlog.get_logger()

_SUFFIX: Final = ".list"
_UNFINISHED: Final = ".part"


class Snapshots:
    """The files of one folder. It may be lost, and may be shared by replicas of one machine.

    What cannot be read or written is noted and done without: the database has everything.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    def load(self, hot_list_id: uuid.UUID, version: int) -> Columns | None:
        """The entries of that version, or None when there is no good file of it."""
        if self._folder is None:
            return None
        path = self._path(self._folder, hot_list_id, version)
        try:
            return read_snapshot(_read(path), hot_list_id, version)
        except FileNotFoundError:
            return None
        except (OSError, SnapshotError) as error:
            log.warning("snapshot_not_read", hot_list_id=str(hot_list_id), version=version, reason=str(error))
            return None

    def has(self, hot_list_id: uuid.UUID, version: int) -> bool:
        """True when there is a file of that version, or none is ever written."""
        return self._folder is None or self._path(self._folder, hot_list_id, version).exists()

    def save(self, hot_list_id: uuid.UUID, version: int, columns: Columns) -> None:
        """Writes the file of a large list, whole or not at all."""
        if self._folder is None or len(columns) <= SMALL_LIST:
            return
        try:
            self._write(self._folder, hot_list_id, version, columns)
        except OSError as error:
            log.warning(
                "snapshot_not_written", hot_list_id=str(hot_list_id), version=version, reason=error.strerror
            )

    def keep_only(self, versions: Mapping[uuid.UUID, Collection[int]]) -> None:
        """Removes the files of all other lists and versions."""
        if self._folder is None:
            return
        kept = {self._path(self._folder, key, one) for key, numbers in versions.items() for one in numbers}
        with contextlib.suppress(OSError):
            for path in self._folder.glob(f"*{_SUFFIX}"):
                if path not in kept:
                    path.unlink(missing_ok=True)

    def _write(self, folder: Path, hot_list_id: uuid.UUID, version: int, columns: Columns) -> None:
        # Made for its owner only: it says which plates are looked for.
        handle, unfinished = tempfile.mkstemp(suffix=_UNFINISHED, dir=folder)
        try:
            with os.fdopen(handle, "wb") as file:
                for part in write_snapshot(hot_list_id, version, columns):
                    file.write(part)
                file.flush()
                os.fsync(file.fileno())
            Path(unfinished).replace(self._path(folder, hot_list_id, version))
        except BaseException:
            Path(unfinished).unlink(missing_ok=True)
            raise
        opened = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(opened)
        finally:
            os.close(opened)

    @staticmethod
    def _path(folder: Path, hot_list_id: uuid.UUID, version: int) -> Path:
        return folder / f"{hot_list_id}-{version}{_SUFFIX}"


def _read(path: Path) -> memoryview:
    """The file in memory that may be written to: compiled code takes no other."""
    with path.open("rb") as file:
        held = np.empty(os.fstat(file.fileno()).st_size, np.uint8)
        size = file.readinto(held.data) if held.size else 0
    return held[:size].data
