"""The witness's own store: one SQLite file, which no other service reaches. One method is one transaction."""

from __future__ import annotations

import fcntl
import json
import sqlite3
from base64 import b64encode
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from services.common.config import StartError
from services.common.merkle import Frontier, leaf_hash
from services.common.tlog import Note, Signature, TreeHead
from services.witness.core.add_checkpoint import Request, Verdict, judge, shows_a_fork

_SCHEMA = """
    PRAGMA journal_mode = DELETE;
    PRAGMA synchronous = EXTRA;
    PRAGMA secure_delete = ON;
    CREATE TABLE IF NOT EXISTS witnessed (
        origin TEXT NOT NULL, size INTEGER NOT NULL, note TEXT NOT NULL, PRIMARY KEY (origin, size)
    ) STRICT;
    CREATE TABLE IF NOT EXISTS refused (
        number INTEGER PRIMARY KEY, origin TEXT NOT NULL, note TEXT NOT NULL UNIQUE, known TEXT NOT NULL,
        time INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE IF NOT EXISTS copied (
        origin TEXT NOT NULL, log_index INTEGER NOT NULL, leaf BLOB NOT NULL, sealed BLOB NOT NULL,
        PRIMARY KEY (origin, log_index)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS copy (
        origin TEXT PRIMARY KEY, size INTEGER NOT NULL, frontier BLOB NOT NULL, redactions INTEGER NOT NULL,
        checkpoint TEXT NOT NULL
    ) STRICT;
"""


_FILE = "witness.sqlite"
COPY_FORMAT = "platewarden.log.copy/v1"


class CopyError(Exception):
    """What came is no continuation of the copy; one sentence."""


@dataclass(frozen=True, slots=True)
class Refused:
    """A checkpoint that the log signed and the witness did not, and what it had signed before."""

    note: str
    known: str
    time: int


@dataclass(frozen=True, slots=True)
class Added:
    """What became of a checkpoint; `size` is what was signed last before, `fork` that it is evidence."""

    verdict: Verdict
    signature: Signature | None
    size: int
    fork: bool


@dataclass(frozen=True, slots=True)
class CopyState:
    """What the copy of a log holds."""

    frontier: Frontier = field(default_factory=Frontier)
    redactions: int = 0
    checkpoint: str = ""


@dataclass(frozen=True, slots=True)
class CopiedEntry:
    """An entry of the copy."""

    log_index: int
    leaf: bytes
    sealed: bytes


class WitnessStore:
    """What the witness has signed, what it refused, and its copies. One process writes; others may read."""

    def __init__(self, folder: Path, *, only_read: bool = False) -> None:
        """Opens the store, or makes it.

        Raises:
            StartError: Another process writes it already, or it cannot be used.
        """
        self._lock: IO[str] | None = None
        try:
            if only_read:
                self._base = sqlite3.connect(
                    f"{(folder / _FILE).absolute().as_uri()}?mode=ro", uri=True, isolation_level=None
                )
                return
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = (folder / "lock").open("w")
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._base = sqlite3.connect(folder / _FILE, isolation_level=None, check_same_thread=False)
            # On disk before an answer leaves; what is redacted is overwritten.
            self._base.executescript(_SCHEMA)
        except BlockingIOError:
            self._close_lock()
            msg = f"another witness uses {folder}"
            raise StartError(msg) from None
        except (OSError, sqlite3.Error) as error:
            self._close_lock()
            msg = f"the witness's store in {folder} cannot be used: {error}"
            raise StartError(msg) from None

    def close(self) -> None:
        """Closes it."""
        self._base.close()
        self._close_lock()

    def _close_lock(self) -> None:
        if self._lock is not None:
            self._lock.close()

    def newest(self, origin: str) -> Note | None:
        """The largest checkpoint signed of that log, or None."""
        row = self._base.execute(
            "SELECT note FROM witnessed WHERE origin = ? ORDER BY size DESC LIMIT 1", (origin,)
        ).fetchone()
        return Note.parse(row[0]) if row else None

    def witnessed(self, origin: str) -> list[str]:
        """Every checkpoint signed of that log, smallest first."""
        rows = self._base.execute("SELECT note FROM witnessed WHERE origin = ? ORDER BY size", (origin,))
        return [row[0] for row in rows.fetchall()]

    def refused(self, origin: str) -> list[Refused]:
        """Checkpoints of that log that do not belong to what was signed before; each is evidence."""
        rows = self._base.execute(
            "SELECT note, known, time FROM refused WHERE origin = ? ORDER BY number", (origin,)
        )
        return [Refused(*row) for row in rows.fetchall()]

    def add(self, request: Request, cosign: Callable[[str], Signature], time: int) -> Added:
        """What became of a checkpoint, on disk. `cosign` signs a body.

        Checked and stored in one transaction, so that two requests at once cannot lead back.
        """
        origin = request.note.head.origin
        with self._transaction() as base:
            known = self.newest(origin)
            head: TreeHead | None = known.head if known else None
            verdict = judge(head, request)
            signature = None
            if verdict is Verdict.ACCEPTED:
                signature = cosign(request.note.body)
                note = request.note.with_only([*request.note.signatures, signature])
                base.execute(
                    "INSERT OR IGNORE INTO witnessed (origin, size, note) VALUES (?, ?, ?)",
                    (origin, note.head.size, note.text()),
                )
            fork = shows_a_fork(head, request, verdict)
            if fork:
                self._refuse(request.note.text(), known.text() if known else "", origin, time)
        return Added(verdict, signature, head.size if head else 0, fork)

    def refuse(self, note: Note, time: int) -> None:
        """Keeps a checkpoint that is behind what was signed before, as evidence."""
        known = self.newest(note.head.origin)
        with self._transaction():
            self._refuse(note.text(), known.text() if known else "", note.head.origin, time)

    def _refuse(self, note: str, known: str, origin: str, time: int) -> None:
        self._base.execute(
            "INSERT OR IGNORE INTO refused (origin, note, known, time) VALUES (?, ?, ?, ?)",
            (origin, note, known, time),
        )

    def copy_state(self, origin: str) -> CopyState:
        """What the copy of that log holds."""
        row = self._base.execute(
            "SELECT size, frontier, redactions, checkpoint FROM copy WHERE origin = ?", (origin,)
        ).fetchone()
        return CopyState(Frontier.from_bytes(row[0], row[1]), row[2], row[3]) if row else CopyState()

    def origins(self) -> list[str]:
        """The logs of which anything was signed."""
        rows = self._base.execute("SELECT DISTINCT origin FROM witnessed ORDER BY origin")
        return [row[0] for row in rows.fetchall()]

    def write_copy(self, origin: str, file: Path) -> int:
        """Number of entries of the copy, written to `file`.

        Lines of JSON: {"format", "origin"}, then {"leaf", "log_index", "sealed"} for each entry, then
        {"checkpoint", "witnessed"}: what the log signed over them all, and what this witness signed last.

        Raises:
            OSError: The file cannot be written.
        """
        part = file.with_name(f"{file.name}.part")
        with self._one_state(), part.open("w", encoding="utf-8") as out:
            state, newest = self.copy_state(origin), self.newest(origin)
            out.write(_line({"format": COPY_FORMAT, "origin": origin}))
            for one in self.copies(origin):
                leaf, sealed = b64encode(one.leaf).decode(), b64encode(one.sealed).decode()
                out.write(_line({"leaf": leaf, "log_index": one.log_index, "sealed": sealed}))
            witnessed = newest.text() if newest else ""
            out.write(_line({"checkpoint": state.checkpoint, "witnessed": witnessed}))
        part.replace(file)
        return state.frontier.size

    def copies(self, origin: str) -> Iterator[CopiedEntry]:
        """The entries of the copy, in order."""
        rows = self._base.execute(
            "SELECT log_index, leaf, sealed FROM copied WHERE origin = ? ORDER BY log_index", (origin,)
        )
        return (CopiedEntry(*row) for row in rows)

    def copy(self, origin: str, entries: Iterable[CopiedEntry], end: Note, redactions: int) -> None:
        """Takes entries into the copy: new ones, and older ones that were redacted.

        Raises:
            CopyError: They do not lead to the tree of `end`; the copy stays as it was.
        """
        with self._transaction() as base:
            frontier = self.copy_state(origin).frontier
            for one in entries:
                if one.log_index < frontier.size:
                    self._replace(origin, one)
                elif one.log_index > frontier.size:
                    raise CopyError(f"entry {frontier.size} is missing from what came for the copy")
                else:
                    frontier = frontier.extended([leaf_hash(one.leaf)])
                    base.execute(
                        "INSERT INTO copied (origin, log_index, leaf, sealed) VALUES (?, ?, ?, ?)",
                        (origin, one.log_index, one.leaf, one.sealed),
                    )
            if (frontier.size, frontier.root()) != (end.head.size, end.head.root):
                raise CopyError("what came for the copy does not lead to the checkpoint")
            base.execute(
                "INSERT OR REPLACE INTO copy (origin, size, frontier, redactions, checkpoint)"
                " VALUES (?, ?, ?, ?, ?)",
                (origin, frontier.size, frontier.to_bytes(), redactions, end.text()),
            )

    def _replace(self, origin: str, one: CopiedEntry) -> None:
        """A redacted entry has fewer fields and the same leaf."""
        changed = self._base.execute(
            "UPDATE copied SET sealed = ? WHERE origin = ? AND log_index = ? AND leaf = ?",
            (one.sealed, origin, one.log_index, one.leaf),
        )
        if changed.rowcount != 1:
            raise CopyError(f"entry {one.log_index} came with another leaf than the copy has")

    @contextmanager
    def _one_state(self) -> Iterator[None]:
        """All that is read inside belongs together, while another process writes."""
        self._base.execute("BEGIN")
        try:
            yield
        finally:
            self._base.execute("COMMIT")

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        self._base.execute("BEGIN IMMEDIATE")
        try:
            yield self._base
            # A reader who takes his time, or a full disk, can refuse it: then nothing stays open.
            self._base.execute("COMMIT")
        except BaseException:
            if self._base.in_transaction:
                self._base.execute("ROLLBACK")
            raise


def _line(item: dict[str, str | int]) -> str:
    return json.dumps(item, sort_keys=True, separators=(",", ":"), ensure_ascii=False) + "\n"
