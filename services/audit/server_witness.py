"""Servicer of alpr.audit.v1.LogWitnessService: decode, call, encode."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing

from alpr.audit.v1 import log_witness_service_pb2 as pb
from alpr.audit.v1 import log_witness_service_pb2_grpc as rpc
from services.audit.app_witness import Copied, CopyEnd, Witnesses
from services.audit.server_streams import until_stopping
from services.common.identity import Context, require_service

# The one caller of these: it has a certificate of its own, and no service of ours does its work.
WITNESS = "witness"


class LogWitnessServicer(rpc.LogWitnessServiceServicer):
    """What the witness calls."""

    def __init__(self, witnesses: Witnesses) -> None:
        self._witnesses = witnesses

    async def AddWitnessedCheckpoint(
        self, request: pb.AddWitnessedCheckpointRequest, context: Context
    ) -> pb.AddWitnessedCheckpointResponse:
        """See log_witness_service.proto."""
        require_service(context, WITNESS)
        await self._witnesses.add(request.checkpoint)
        return pb.AddWitnessedCheckpointResponse()

    async def CopyEntries(
        self, request: pb.CopyEntriesRequest, context: Context
    ) -> AsyncIterator[pb.CopyEntriesResponse]:
        """See log_witness_service.proto."""
        require_service(context, WITNESS)
        async with aclosing(self._witnesses.copies(request.first_index, request.redactions)) as copies:
            async for one in until_stopping(copies, context):
                yield _message(one)


def _message(one: Copied | CopyEnd) -> pb.CopyEntriesResponse:
    if isinstance(one, CopyEnd):
        return pb.CopyEntriesResponse(end=pb.CopyEnd(checkpoint=one.checkpoint, redactions=one.redactions))
    entry = pb.CopiedEntry(log_index=one.log_index, leaf=one.leaf, sealed=one.sealed)
    return pb.CopyEntriesResponse(entry=entry)
