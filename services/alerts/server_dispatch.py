"""The servicer of alpr.alerts.v1.DispatchService: decode, call, encode."""

from alpr.alerts.v1 import dispatch_service_pb2 as pb
from alpr.alerts.v1 import dispatch_service_pb2_grpc as rpc
from services.alerts import wire_dispatch as wire
from services.alerts.app_dispatch import Dispatch
from services.alerts.callers import token_of
from services.alerts.dispatch_streams import DispatchStreams
from services.alerts.entitlement import Entitlement, EntitlementTerms
from services.alerts.races import first_ending
from services.alerts.store_messages import Escalated, Unseen
from services.common.clock import Clock
from services.common.errors import StoppingError
from services.common.identity import Context
from services.common.stopping import stopping_of


class DispatchServicer(rpc.DispatchServiceServicer):
    """See dispatch_service.proto."""

    def __init__(
        self, dispatch: Dispatch, streams: DispatchStreams, terms: EntitlementTerms, clock: Clock
    ) -> None:
        self._dispatch = dispatch
        self._streams = streams
        self._terms = terms
        self._clock = clock

    async def ProposeAssets(
        self, request: pb.ProposeAssetsRequest, context: Context
    ) -> pb.ProposeAssetsResponse:
        """See dispatch_service.proto."""
        proposal = await self._dispatch.propose(*wire.parse_propose(request), token_of(context))
        return wire.encode_proposal(proposal)

    async def Broadcast(self, request: pb.BroadcastRequest, context: Context) -> pb.BroadcastResponse:
        """See dispatch_service.proto."""
        ask, asset_ids = wire.parse_broadcast(request)
        broadcast_id, told = await self._dispatch.broadcast(ask, asset_ids, token_of(context))
        return pb.BroadcastResponse(broadcast_id=str(broadcast_id), asset_ids=map(str, told))

    async def CancelBroadcast(
        self, request: pb.CancelBroadcastRequest, context: Context
    ) -> pb.CancelBroadcastResponse:
        """See dispatch_service.proto."""
        told = await self._dispatch.cancel(wire.parse_ask(request), token_of(context))
        return pb.CancelBroadcastResponse(asset_ids=map(str, told))

    async def ListDeliveries(
        self, request: pb.ListDeliveriesRequest, context: Context
    ) -> pb.ListDeliveriesResponse:
        """See dispatch_service.proto."""
        records, receipt = await self._dispatch.records(wire.parse_ask(request), token_of(context))
        return pb.ListDeliveriesResponse(deliveries=map(wire.encode_record, records), receipt=receipt)

    async def AcknowledgeDelivery(
        self, request: pb.AcknowledgeDeliveryRequest, context: Context
    ) -> pb.AcknowledgeDeliveryResponse:
        """See dispatch_service.proto."""
        await self._dispatch.acknowledge(*wire.parse_acknowledge(request), token_of(context))
        return pb.AcknowledgeDeliveryResponse()

    # Coroutines that write, not generators: who does not read must not hold up the end of the stream.
    async def WatchDeliveries(  # type: ignore[override]
        self, request: pb.WatchDeliveriesRequest, context: Context
    ) -> None:
        """See dispatch_service.proto."""

        async def send(message: Unseen | Escalated | None) -> None:
            await context.write(wire.encode_message(message, self._clock))

        entitlement = await Entitlement.open(self._terms, token_of(context), "dispatch.receive")
        try:
            messages = self._streams.messages(entitlement, send)
            await first_ending(messages, entitlement.hold(), _stop(context))
        finally:
            await entitlement.close()

    async def WatchEscalations(  # type: ignore[override]
        self, request: pb.WatchEscalationsRequest, context: Context
    ) -> None:
        """See dispatch_service.proto."""

        async def send(escalated: Unseen | Escalated | None) -> None:
            await context.write(wire.encode_escalated(escalated, self._clock))

        entitlement = await Entitlement.open(self._terms, token_of(context), "escalations.watch")
        try:
            escalations = self._streams.escalations(entitlement, send)
            await first_ending(escalations, entitlement.hold(), _stop(context))
        finally:
            await entitlement.close()


async def _stop(context: Context) -> None:
    await stopping_of(context).wait()
    raise StoppingError("the service is stopping; begin again on another replica")
