"""The log and those who watch it from outside (ADR 0035)."""

from __future__ import annotations

import secrets
from collections.abc import AsyncGenerator
from dataclasses import dataclass

import structlog

from services.audit.app_log import Log
from services.audit.core.entry import rfc3339
from services.audit.core.seal import Sealer
from services.audit.store_log import StoredEntry
from services.audit.store_witness import WitnessStore
from services.common.errors import FieldViolation, InvalidFieldError, WrongStateError
from services.common.tlog import Note, NoteError, VerifierKey

log = structlog.get_logger()

_NONCE_BYTES = 12
# New entries of one answer; the witness asks again for the next ones.
_MOST_COPIED = 10_000


@dataclass(frozen=True, slots=True)
class Copied:
    """An entry for the copy."""

    log_index: int
    leaf: bytes
    sealed: bytes


@dataclass(frozen=True, slots=True)
class CopyEnd:
    """What a copy holds after all its entries."""

    checkpoint: str
    redactions: int


class Witnesses:
    """Takes what witnesses signed, closes the log that lacks it, and gives them their copies."""

    def __init__(self, journal: Log, store: WitnessStore, key: VerifierKey, sealer: Sealer) -> None:
        self._log = journal
        self._store = store
        self._key = key
        self._sealer = sealer

    async def newest(self) -> list[str]:
        """The newest checkpoint that each witness has signed."""
        return await self._store.witnessed()

    async def add(self, text: str) -> None:
        """Keeps the checkpoint that a witness has signed.

        Raises:
            InvalidFieldError: It is no checkpoint of this log, or nobody else has signed it.
            WrongStateError: The log signed it and does not hold it; the log is closed now.
        """
        note, witness = self._parse(text)
        if not await self._log.holds(note.head):
            await self._store.close_log(text)
            log.critical("log_closed", signed=note.head.size)
            raise WrongStateError(
                "the log has signed this and does not hold it; it is closed until it is restored",
                metadata={"state": "LOG_CLOSED"},
            )
        await self._store.add(witness, note.head.size, text)

    def _parse(self, text: str) -> tuple[Note, str]:
        try:
            note = Note.parse(text)
            note.signature_of(self._key)
        except NoteError:
            violation = FieldViolation("checkpoint", "must be a checkpoint with this log's own signature")
            raise InvalidFieldError("no checkpoint of this log", violations=[violation]) from None
        others = [one.name for one in note.signatures if one.name != self._key.name]
        if note.head.origin != self._key.name or not others:
            violation = FieldViolation("checkpoint", "must bear a witness's signature beside the log's")
            raise InvalidFieldError("no witnessed checkpoint", violations=[violation])
        return note, others[0]

    async def copies(self, first: int, redactions: int) -> AsyncGenerator[Copied | CopyEnd, None]:
        """Entries that were redacted since, new ones from `first` on, and what the copy then holds.

        Raises:
            InvalidFieldError: The log does not reach `first`, or a number is negative.
        """
        checkpoint = await self._log.checkpoint()
        if not 0 <= first <= checkpoint.size or redactions < 0:
            violation = FieldViolation("first_index", "must be 0 or more, and not beyond the log's end")
            raise InvalidFieldError("the log does not reach there", violations=[violation])
        for log_index, number in await self._store.redacted_since(redactions):
            redactions = number
            if log_index < first:
                yield self._sealed(await self._log.entry(log_index))
        size = min(checkpoint.size, first + _MOST_COPIED)
        async for stored in self._log.export(first, size):
            yield self._sealed(stored)
        yield CopyEnd((await self._log.checkpoint_over(size)).text, redactions)

    def _sealed(self, stored: StoredEntry) -> Copied:
        nonce = secrets.token_bytes(_NONCE_BYTES)
        entry, time = stored.entry, rfc3339(stored.record_time)
        return Copied(stored.log_index, entry.leaf, self._sealer.seal(stored.log_index, entry, time, nonce))
