"""Follows a log of audit: asks for its newest checkpoint, has it signed, hands the signature back, copies."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from typing import TYPE_CHECKING

import grpc
import structlog

from alpr.audit.v1 import log_service_pb2 as log_pb
from alpr.audit.v1 import log_witness_service_pb2 as pb
from alpr.audit.v1.log_service_pb2_grpc import LogServiceStub
from alpr.audit.v1.log_witness_service_pb2_grpc import LogWitnessServiceStub
from services.common.tlog import Note, NoteError, VerifierKey
from services.witness.app import FOLLOWED, Witness
from services.witness.core.add_checkpoint import Request, Verdict
from services.witness.store import CopiedEntry, CopyError

if TYPE_CHECKING:
    from alpr.audit.v1.log_service_pb2_grpc import LogServiceAsyncStub
    from alpr.audit.v1.log_witness_service_pb2_grpc import LogWitnessServiceAsyncStub

log = structlog.get_logger()

_CALL_SECONDS = 30.0
_COPY_SECONDS = 600.0


class LogRefusedError(Exception):
    """The log presents what does not belong to what it signed before; one sentence."""


class Follower:
    """Follows one log for as long as it runs. Every failure is told, and the next turn tries again."""

    def __init__(
        self, channel: grpc.aio.Channel, witness: Witness, key: VerifierKey, *, with_copy: bool
    ) -> None:
        self._log: LogServiceAsyncStub = LogServiceStub(channel)
        self._back: LogWitnessServiceAsyncStub = LogWitnessServiceStub(channel)
        self._witness = witness
        self._key = key
        self._with_copy = with_copy

    async def run(self, every_seconds: float, told: Callable[[str], None]) -> None:
        """Takes a turn again and again; `told` gets a sentence when how it goes has changed."""
        before = ""
        while True:
            now = await self._one_turn()
            if now != before:
                told(now)
            before = now
            await asyncio.sleep(every_seconds)

    async def _one_turn(self) -> str:
        try:
            await self.turn()
            FOLLOWED.set_to_current_time()
        except LogRefusedError as error:
            return f"ALARM: {error}"
        except grpc.aio.AioRpcError as error:
            return f"audit does not answer ({error.code().name}); trying again"
        except (NoteError, CopyError) as error:
            log.warning("turn_failed", error=str(error))
            return f"what audit says cannot be used: {error}"
        except sqlite3.Error as error:
            log.warning("store_failed", error=str(error))
            return f"the witness's own store cannot be used: {error}; trying again"
        return "The log is followed"

    async def turn(self) -> int:
        """The size that is witnessed now.

        Raises:
            LogRefusedError: The newest checkpoint does not continue what was signed.
            NoteError, CopyError: What audit says is not in its form.
        """
        given = await self._log.GetCheckpoint(log_pb.GetCheckpointRequest(), timeout=_CALL_SECONDS)
        note = Note.parse(given.checkpoint)
        own = note.signature_of(self._key)
        note = note.with_only([own])
        known = await self._witness.newest(note.head.origin)
        if known is not None and note.head.size < known.head.size:
            await self._confront(known, note)
        if known is None or known.head != note.head:
            await self._advance(known, note)
        newest = await self._witness.newest(note.head.origin)
        if newest is None:
            return 0
        if newest.text() not in given.witnessed:
            await self._hand_back(newest)
        if self._with_copy:
            await self._copy()
        return newest.head.size

    async def _advance(self, known: Note | None, note: Note) -> None:
        first = known.head.size if known else 0
        proof: tuple[bytes, ...] = ()
        if first and note.head.size > first:
            asked = log_pb.GetConsistencyProofRequest(first_size=first, second_size=note.head.size)
            proof = tuple((await self._log.GetConsistencyProof(asked, timeout=_CALL_SECONDS)).hashes)
        answer = await self._witness.add(Request(first, proof, note))
        if answer.verdict is not Verdict.ACCEPTED and known is not None:
            await self._confront(known, note)

    async def _confront(self, known: Note, note: Note) -> None:
        """Shows audit what it signed before, which closes a log that does not hold it.

        Raises:
            LogRefusedError: Always.
        """
        try:
            await self._hand_back(known)
        except grpc.aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.FAILED_PRECONDITION:
                raise
            await self._witness.refuse(note)
            raise LogRefusedError(
                f"the log is no continuation of the {known.head.size} entries that it signed; it is closed"
            ) from None
        raise LogRefusedError("the log gave an older or other checkpoint than the one that it holds")

    async def _hand_back(self, note: Note) -> None:
        request = pb.AddWitnessedCheckpointRequest(checkpoint=note.text())
        await self._back.AddWitnessedCheckpoint(request, timeout=_CALL_SECONDS)

    async def _copy(self) -> None:
        while await self._copy_some():
            pass

    async def _copy_some(self) -> bool:
        """True when something came. Audit sends a part at a time, with the checkpoint that it leads to."""
        state = await self._witness.copy_state(self._key.name)
        request = pb.CopyEntriesRequest(first_index=state.frontier.size, redactions=state.redactions)
        entries: list[CopiedEntry] = []
        async for message in self._back.CopyEntries(request, timeout=_COPY_SECONDS):
            if message.WhichOneof("item") == "entry":
                one = message.entry
                entries.append(CopiedEntry(one.log_index, one.leaf, one.sealed))
                continue
            end = Note.parse(message.end.checkpoint)
            end.signature_of(self._key)
            if entries:
                await self._witness.copy(entries, end, message.end.redactions)
        return bool(entries)
