"""The log as the rest of the service uses it: append, prove, read."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from uuid import uuid4

import structlog

from services.audit.checkpoint_copies import CheckpointFolder, Copier
from services.audit.core.checkpoint import Checkpoint, Signer, tlog_proof
from services.audit.core.entry import EntryKind, make_entry, rfc3339
from services.audit.core.merkle import Tree
from services.audit.core.numbering import Position
from services.audit.errors import EntryNotFoundError, RegistryMovedError
from services.audit.metrics import ENTRIES, LOG_SIZE
from services.audit.store_log import Appended, LogHead, LogStore, NewEntry, StoredEntry
from services.common.clock import Clock
from services.common.config import ConfigError
from services.common.errors import (
    AlprError,
    AuditUnavailableError,
    RequestIdReusedError,
    StorageUnavailableError,
)
from services.common.groupcommit import GroupCommit
from services.common.merkle import EMPTY_ROOT, Frontier
from services.common.tlog import NoteError, TreeHead

log = structlog.get_logger()

# The tree is filled in pieces, so that the event loop goes on meanwhile.
_PAGE = 4096
_EXPORT_PAGE = 256
# After so many batches of one's own, the next one is tried without the lock.
_ALONE = 4
# Between batches of several entries. A batch costs as much processor as some entries do.
_PACE_SECONDS = 0.004
_NOT_WRITTEN = "the record could not be written; nothing was done; try again"


@dataclass(frozen=True, slots=True)
class Draft:
    """An entry as it is asked for.

    Args:
        kind: What it records.
        request_key: Unique in the log; "" for an entry that nothing may ask for twice.
        values: Text by field name; without entry id, kind and time.
        revision: Of the registry, by which it was decided. It is recorded only if that stands still.
    """

    kind: EntryKind
    request_key: str
    values: Mapping[str, str]
    revision: int | None = None


@dataclass(frozen=True, slots=True)
class Receipt:
    """An entry and the proof that it stands in the log."""

    stored: StoredEntry
    proof: str


class Log:
    """Appends through one group commit, and keeps the tree for proofs.

    The tree follows what is committed, never what is about to be: a failed commit leaves no trace in it. With
    several replicas it catches up from the table.
    """

    def __init__(
        self, store: LogStore, signer: Signer, clock: Clock, copies: CheckpointFolder | None = None
    ) -> None:
        self._store = store
        self._folder = copies
        self._copier: Copier | None = None
        self._signer = signer
        self._clock = clock
        self._tree = Tree()
        self._head = LogHead(Frontier(), "")
        self._alone = 0  # batches in a row between which no other replica has appended
        self._following = asyncio.Lock()
        self._commits: GroupCommit[NewEntry, tuple[Position, NewEntry]] = GroupCommit(
            self._flush, name="log", pace_seconds=_PACE_SECONDS
        )

    async def open(self) -> None:
        """Reads the log's head and fills the tree.

        Raises:
            ConfigError: The log was signed by another origin or key, lacks what its newest copied checkpoint
                says, or what guards its tables is off.
        """
        if missing := await self._store.missing_guards():
            msg = f"the database's guards of the log are off: {', '.join(sorted(missing))}"
            raise ConfigError(msg)
        head = await self._store.head()
        if head.size and not self._signer.signed(head.checkpoint, head.size, head.frontier.root()):
            raise ConfigError(
                "PW_LOG_ORIGIN or PW_LOG_SIGNING_KEY_FILE is not the one that this log was signed with"
            )
        await self._follow(head)
        if self._folder is not None:
            await self._check_copies(self._folder)
            self._copier = Copier(self._folder)
            if head.size:
                self._copier.offer(head.checkpoint)
        log.info("log_opened", size=head.size)
        if self._signer.public.others:
            await self._tell_keys()

    async def _tell_keys(self) -> None:
        """Says in the log which keys sign it and signed it: so each vouches for the next one."""
        keys = self._signer.verifier_key().split("\n")
        named = {f"detail.key_{number}": key for number, key in enumerate(keys, start=1)}
        signing = {"detail.signing": str(1 + len(self._signer.others))}
        values = {"action": "log.keys", "service": "audit", "clauses": "IV.E.2", **signing, **named}
        digest = sha256("\n".join((signing["detail.signing"], *keys)).encode()).hexdigest()
        await self.append(Draft(EntryKind.EVENT, f"log-keys/{digest}", values))

    async def _check_copies(self, folder: CheckpointFolder) -> None:
        try:
            newest = await asyncio.to_thread(folder.newest)
        except (OSError, NoteError):
            raise ConfigError("PW_LOG_CHECKPOINT_DIR holds a checkpoint that cannot be read") from None
        if newest is not None and not await self.holds(newest.head):
            msg = (
                f"a checkpoint over {newest.head.size} entries has left this log, and the database does not "
                f"hold it: its log has {self._head.size}; restore it (python -m services.audit.restore)"
            )
            raise ConfigError(msg)

    async def close(self) -> None:
        """Waits for what is on its way to the disk; nothing more is accepted."""
        await self._commits.close()
        if self._copier is not None:
            await self._copier.close()

    async def holds(self, head: TreeHead) -> bool:
        """True when the log begins with the tree that a checkpoint of it was signed over."""
        if head.size > (await self.checkpoint()).size:
            return False
        return self._root(head.size) == head.root

    async def append(self, draft: Draft) -> StoredEntry:
        """The entry, once it is on disk; the one from before when its request came before.

        Raises:
            RequestIdReusedError: The request came before with other content.
            RegistryMovedError: The registry does not stand at the draft's revision; it is not recorded.
            AuditUnavailableError: It could not be recorded.
        """
        new = self._new(draft)
        try:
            position, _ = await self._commits.submit(new)
        except StorageUnavailableError:
            raise AuditUnavailableError(_NOT_WRITTEN) from None
        except (AlprError, RegistryMovedError):
            raise
        except Exception as error:
            # A lost privilege or constraint is our fault, not the caller's; to the caller it is all the same.
            log.exception("entry_not_recorded")
            raise AuditUnavailableError(_NOT_WRITTEN) from error
        if not position.same:
            raise RequestIdReusedError("this request id came before with other content; use a new one")
        if position.fresh:
            ENTRIES.labels(draft.kind.value).inc()
            return StoredEntry(position.log_index, new.entry, new.record_time)
        return await self.entry(position.log_index)

    def _new(self, draft: Draft) -> NewEntry:
        now = self._clock.now()
        entry_id = str(uuid4())
        values = {**draft.values, "entry_id": entry_id, "kind": draft.kind.value, "record_time": rfc3339(now)}
        entry = make_entry(draft.request_key or f"entry/{entry_id}", values, secrets.token_bytes)
        return NewEntry(entry, now, draft.revision)

    async def _flush(self, batch: Sequence[NewEntry]) -> Sequence[tuple[Position, NewEntry] | Exception]:
        before = self._head
        expected = before if self._alone >= _ALONE else None
        appended = await self._store.append(batch, self._signer.checkpoint, expected)
        self._alone = self._alone + 1 if appended.first == before.size else 0
        await self._adopt(appended)
        pairs = zip(appended.positions, batch, strict=True)
        return [(position, new) if position else RegistryMovedError() for position, new in pairs]

    async def _adopt(self, appended: Appended) -> None:
        """Takes a committed batch into the tree, after what other replicas committed before it."""
        async with self._following:
            await self._fill(appended.first)
            for leaf in appended.leaf_hashes[self._tree.size - appended.first :]:
                self._tree.append(leaf)
            self._take_head(appended.head)

    async def _follow(self, head: LogHead) -> None:
        async with self._following:
            await self._fill(head.size)
            self._take_head(head)

    async def _fill(self, size: int) -> None:
        """Reads entries that are committed and not in the tree yet, up to `size`."""
        while self._tree.size < size:
            start = self._tree.size
            for leaf in await self._store.leaf_hashes(start, min(size, start + _PAGE)):
                self._tree.append(leaf)

    def _take_head(self, head: LogHead) -> None:
        if head.size > self._head.size:
            self._head = head
            LOG_SIZE.set(head.size)
            if self._copier is not None:
                self._copier.offer(head.checkpoint)

    async def entry(self, log_index: int) -> StoredEntry:
        """The entry at that place."""
        found = await self._store.entries(log_index, log_index + 1)
        if not found:
            raise EntryNotFoundError("there is no such entry", resource=str(log_index))
        return found[0]

    async def entries_at(self, places: Sequence[int]) -> list[StoredEntry]:
        """The entries at those places, in that order."""
        found = {one.log_index: one for one in await self._store.entries_at(places)}
        return [found[place] for place in places]

    async def find(self, entry_id: str) -> StoredEntry | None:
        """The entry with that id, or None."""
        return await self._store.find(entry_id)

    async def receipt(self, stored: StoredEntry) -> Receipt:
        """The entry with its proof, against the newest checkpoint that this replica knows."""
        if stored.log_index >= self._head.size:
            await self._follow(await self._store.head())
        return Receipt(stored, self._proof(stored.log_index))

    async def checkpoint(self) -> Checkpoint:
        """The newest checkpoint, of any replica."""
        head = await self._store.head()
        await self._follow(head)
        if not head.size:
            return self._signer.checkpoint(0, head.frontier.root())
        return Checkpoint(head.size, head.checkpoint)

    async def inclusion(self, log_index: int) -> tuple[str, bytes]:
        """Proof text and leaf hash of the entry at that place.

        Raises:
            EntryNotFoundError: The log is not that long.
        """
        checkpoint = await self.checkpoint()
        if not 0 <= log_index < checkpoint.size:
            raise EntryNotFoundError("the log has no such entry", resource=str(log_index))
        return self._proof(log_index), self._tree.leaf(log_index)

    async def consistency(self, first: int, second: int) -> tuple[list[bytes], Checkpoint]:
        """Proof that the tree of `first` entries begins that of `second`, and the checkpoint of the latter.

        Raises:
            ValueError: A size is larger than the log, or `first` is not between 1 and `second`.
        """
        newest = await self.checkpoint()
        hashes = self._tree.consistency_proof(first, second or newest.size)
        return hashes, await self.checkpoint_over(second) if second else newest

    async def checkpoint_over(self, size: int) -> Checkpoint:
        """The checkpoint over the first `size` entries, which are committed."""
        newest = await self.checkpoint()
        return newest if size == newest.size else self._signer.checkpoint(size, self._root(size))

    def _root(self, size: int) -> bytes:
        return self._tree.root(size) if size else EMPTY_ROOT

    async def export(self, first: int, size: int) -> AsyncGenerator[StoredEntry, None]:
        """The entries from `first` up to, not including, `size`."""
        for start in range(first, size, _EXPORT_PAGE):
            for stored in await self._store.entries(start, min(size, start + _EXPORT_PAGE)):
                yield stored

    def _proof(self, log_index: int) -> str:
        head = self._head
        hashes = self._tree.inclusion_proof(log_index, head.size)
        return tlog_proof(log_index, hashes, Checkpoint(head.size, head.checkpoint))
