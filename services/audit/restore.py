"""Brings a log back that has lost entries: `python -m services.audit.restore`, with the migration credential.

A database that was restored to an older state lacks entries that the log has signed; a log that went on from
there would have two pasts. So one of two things is done, while no replica runs (ADR 0035):

    replay  the lost entries come back from the witness's copy, and the log says that it was restored. What
            was done by the replayed acts and is not in the tables is named.
    close   no copy reaches far enough. The old log is closed, its tables stay as they are, and a new log with
            another origin begins, whose first entry names the loss.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import secrets
import sys
from base64 import b64decode
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

from services.audit.checkpoint_copies import CheckpointFolder
from services.audit.config import read_signer
from services.audit.core.checkpoint import Signer, is_origin
from services.audit.core.entry import Entry, EntryKind, commitment, make_entry, rfc3339
from services.audit.core.seal import Sealer, SealError
from services.audit.store_log import NewEntry, append_in
from services.audit.store_restore import Restored, close_and_begin, locked_head, replay_in
from services.common.config import ConfigError
from services.common.database import DatabaseError, admin_connection
from services.common.keyfile import read_key
from services.common.merkle import Frontier, leaf_hash
from services.common.tlog import Note, NoteError, TreeHead, VerifierKey

COPY_FORMAT = "platewarden.log.copy/v1"


class RestoreError(Exception):
    """The log cannot be restored this way; one sentence."""


@dataclass(frozen=True, slots=True)
class Copy:
    """A witness's copy whose tree has the root that the log signed."""

    entries: tuple[tuple[bytes, bytes], ...]
    """Leaf and sealed rest, from entry 0 on."""
    checkpoint: Note
    witnessed: Note

    def frontier(self, size: int) -> Frontier:
        """The frontier of its first `size` entries."""
        return Frontier().extended(leaf_hash(leaf) for leaf, _ in self.entries[:size])


def read_copy(file: Path, key: VerifierKey, witness: VerifierKey) -> Copy:
    """The copy in a file that `platewarden witness copy` wrote.

    Raises:
        RestoreError: It is none, or its entries are not those that log and witness signed.
    """
    try:
        lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
        header, *entries, end = lines
        if header != {"format": COPY_FORMAT, "origin": key.name}:
            raise RestoreError(f"the copy is not one of the log {key.name}")
        if [one["log_index"] for one in entries] != list(range(len(entries))):
            raise RestoreError("entries of the copy are missing")
        held = tuple((b64decode(one["leaf"]), b64decode(one["sealed"])) for one in entries)
        checkpoint, witnessed = Note.parse(end["checkpoint"]), Note.parse(end["witnessed"])
        for note in (checkpoint, witnessed):
            note.signature_of(key)
        witnessed.cosigned_at(witness)
    except (OSError, ValueError, KeyError, TypeError, NoteError) as error:
        msg = f"the copy cannot be used: {error}"
        raise RestoreError(msg) from None
    copy = Copy(held, checkpoint, witnessed)
    if checkpoint.head.size != len(held) or copy.frontier(len(held)).root() != checkpoint.head.root:
        raise RestoreError("the copy's entries are not those over which the log signed its checkpoint")
    if witnessed.head.size > len(held) or copy.frontier(witnessed.head.size).root() != witnessed.head.root:
        raise RestoreError("the copy is not of the log that the witness signed; close the log instead")
    return copy


async def replay(
    admin_url: str, copy: Copy, signer: Signer, sealer: Sealer, second_place: Note | None
) -> Restored:
    """What came back, once it is on disk; the log then goes on.

    Raises:
        RestoreError: The database's log is no beginning of the copy, or more than the copy holds has left it.
        DatabaseError: The database cannot be reached.
    """
    size = len(copy.entries)
    for left in [copy.witnessed, *([second_place] if second_place else [])]:
        if left.head.size > size or copy.frontier(left.head.size).root() != left.head.root:
            raise RestoreError(
                f"a checkpoint over {left.head.size} entries has left the log, and the copy ends at {size}: "
                "entries are lost for good; close the log instead"
            )
    async with admin_connection(admin_url) as connection, connection.transaction():
        frontier = await locked_head(connection)
        if frontier.size > size or copy.frontier(frontier.size) != frontier:
            raise RestoreError("the database's log is no beginning of the copy; close the log instead")
        lost = list(_opened(copy, sealer, frontier.size))
        whole = copy.frontier(size)
        checkpoint = signer.checkpoint(size, whole.root()).text
        restored = await replay_in(connection, lost, whole, checkpoint)
        now = datetime.now(UTC)
        note = _entry("log.restore", now, {"detail.from": str(frontier.size), "detail.to": str(size)})
        await append_in(connection, [NewEntry(note, now)], signer.checkpoint)
    return restored


def _opened(copy: Copy, sealer: Sealer, first: int) -> Iterator[tuple[int, Entry, datetime]]:
    for place in range(first, len(copy.entries)):
        leaf, sealed = copy.entries[place]
        try:
            opened = sealer.open(place, leaf, sealed)
        except SealError as error:
            msg = f"{error}: PW_LOG_COPY_KEY_FILE is another key, or the copy was changed"
            raise RestoreError(msg) from None
        lines = {line.partition(" ")[0]: line.partition(" ")[2] for line in leaf.decode().splitlines()[1:]}
        for field in opened.entry.fields:
            if b64decode(lines.get(field.name, "")) != commitment(field):
                raise RestoreError(f"entry {place} of the copy has a field that its leaf does not commit to")
        yield place, opened.entry, datetime.fromisoformat(opened.record_time)


async def close(admin_url: str, old: Signer, new: Signer, lost: TreeHead, reason: str) -> str:
    """Id of the new log's first entry, once the old log is closed and the new one has begun.

    Args:
        admin_url: The migration credential.
        old: The log that is closed.
        new: The log that begins; another origin.
        lost: The largest tree that is known to have been signed.
        reason: In words, for whoever reads the new log.

    Raises:
        RestoreError: The new log has the old one's origin.
        DatabaseError: The database cannot be reached.
    """
    if new.origin == old.origin:
        raise RestoreError("the new log needs an origin of its own: give --new-origin")
    now = datetime.now(UTC)
    async with admin_connection(admin_url) as connection, connection.transaction():
        frontier = await locked_head(connection)
        details = {
            "detail.closed_origin": old.origin,
            "detail.closed_key": old.verifier_key(),
            "detail.closed_size": str(frontier.size),
            "detail.closed_root": frontier.root().hex(),
            "detail.signed_size": str(lost.size),
            "detail.signed_root": lost.root.hex(),
            "detail.lost_entries": str(max(0, lost.size - frontier.size)),
            "detail.reason": reason,
        }
        kept = await close_and_begin(connection)
        entry = _entry("log.begin", now, {**details, "detail.closed_tables": kept}, EntryKind.GENESIS)
        await append_in(connection, [NewEntry(entry, now)], new.checkpoint)
    return entry.entry_id


def _entry(action: str, now: datetime, details: dict[str, str], kind: EntryKind = EntryKind.EVENT) -> Entry:
    entry_id = str(uuid4())
    values = {
        "entry_id": entry_id,
        "kind": kind.value,
        "record_time": rfc3339(now),
        "action": action,
        "actor": "audit",
        "service": "audit",
        "clauses": "IV.E.2",
        **details,
    }
    return make_entry(f"{action}/{entry_id}", values, secrets.token_bytes)


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m services.audit.restore")
    ways = parser.add_subparsers(dest="way", required=True)
    for name, words in (("replay", "bring lost entries back"), ("close", "close the log and begin another")):
        way = ways.add_parser(name, help=words)
        way.add_argument("--admin-url", required=True, help="database URL of the migration credential")
        if name == "replay":
            way.add_argument("--copy", required=True, type=Path, help="of `platewarden witness copy`")
            way.add_argument("--witness-key", required=True, type=Path, help="the witness's public key")
        else:
            way.add_argument("--signed", type=Path, help="the newest checkpoint that is known to have left")
            way.add_argument("--new-origin", required=True, help="then also PW_LOG_ORIGIN")
            way.add_argument(
                "--new-key", type=Path, help="then also PW_LOG_SIGNING_KEY_FILE; for a key that was stolen"
            )
            way.add_argument("--reason", required=True, help="what was lost, and how")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """0 and what was done; 1 and one sentence on standard error when it was not."""
    given = _arguments().parse_args(arguments)
    try:
        signer, folder = _log()
        if given.way == "replay":
            _replay(given, signer, folder)
        else:
            _close(given, signer, folder)
    except (RestoreError, ConfigError, DatabaseError, NoteError, OSError) as error:
        print(f"not restored: {error}", file=sys.stderr)
        return 1
    return 0


def _log() -> tuple[Signer, CheckpointFolder]:
    names = ("PW_LOG_ORIGIN", "PW_LOG_SIGNING_KEY_FILE", "PW_LOG_CHECKPOINT_DIR", "PW_LOG_COPY_KEY_FILE")
    if missing := [name for name in names if not os.environ.get(name)]:
        msg = f"{' and '.join(missing)} must be set as for the service"
        raise ConfigError(msg)
    origin = os.environ["PW_LOG_ORIGIN"]
    signer = read_signer(origin, Path(os.environ["PW_LOG_SIGNING_KEY_FILE"]))
    return signer, CheckpointFolder(Path(os.environ["PW_LOG_CHECKPOINT_DIR"]), origin)


def _replay(given: argparse.Namespace, signer: Signer, folder: CheckpointFolder) -> None:
    witness = VerifierKey.parse(given.witness_key.read_text(encoding="utf-8"))
    copy = read_copy(given.copy, signer.public, witness)
    key = read_key(Path(os.environ["PW_LOG_COPY_KEY_FILE"]), "PW_LOG_COPY_KEY_FILE")
    sealer = Sealer(signer.origin, key)
    restored = asyncio.run(replay(given.admin_url, copy, signer, sealer, folder.newest()))
    print(f"restored {restored.entries} entries; the log has {len(copy.entries) + 1}")
    if restored.hits:
        print(
            f"{restored.hits} hits of the lost time are on record; `python -m services.common.restored` has "
            "matcher look for them in the archive"
        )
    for act in restored.undone:
        print(f"on record and not in the tables; do it again: {act}")


def _close(given: argparse.Namespace, signer: Signer, folder: CheckpointFolder) -> None:
    if not is_origin(given.new_origin):
        raise ConfigError("--new-origin must be printable ASCII without space and plus")
    known = [folder.newest()]
    if given.signed is not None:
        signed = Note.parse(given.signed.read_text(encoding="utf-8"))
        signed.signature_of(signer.public)
        known.append(signed)
    heads = [note.head for note in known if note is not None]
    lost = max(heads, key=lambda one: one.size, default=TreeHead(signer.origin, 0, Frontier().root()))
    new = (
        read_signer(given.new_origin, given.new_key)
        if given.new_key
        else Signer(given.new_origin, signer.key)
    )
    entry_id = asyncio.run(close(given.admin_url, signer, new, lost, given.reason))
    print(f"the log {signer.origin} is closed; {new.origin} begins with entry {entry_id}")
    print(f"verifier-key {new.verifier_key()}")


if __name__ == "__main__":
    sys.exit(main())
