"""The servicer of alpr.alerts.v1.AlertService: decode, call, encode."""

from alpr.alerts.v1 import alert_service_pb2 as pb
from alpr.alerts.v1 import alert_service_pb2_grpc as rpc
from services.alerts import wire
from services.alerts.app import Alerts
from services.alerts.callers import token_of
from services.alerts.core.actions import action_in
from services.alerts.core.model import StepRequest
from services.alerts.entitlement import ACTION, Entitlement, EntitlementTerms
from services.alerts.races import first_ending
from services.alerts.store_dispositions import DispositionStore
from services.alerts.subscription import Subscriptions
from services.alerts.wire_dispositions import encode_dispositions, parse_dispositions
from services.alerts.wire_hits import parse_hits, parse_withdrawal
from services.common.errors import StoppingError
from services.common.identity import Context, require_service
from services.common.stopping import stopping_of


class AlertServicer(rpc.AlertServiceServicer):
    """See alert_service.proto."""

    def __init__(
        self,
        alerts: Alerts,
        dispositions: DispositionStore,
        subscriptions: Subscriptions,
        terms: EntitlementTerms,
    ) -> None:
        self._alerts = alerts
        self._dispositions = dispositions
        self._subscriptions = subscriptions
        self._terms = terms

    async def RaiseAlerts(self, request: pb.RaiseAlertsRequest, context: Context) -> pb.RaiseAlertsResponse:
        """See alert_service.proto."""
        require_service(context, "matcher")
        alert_ids = await self._alerts.raise_alerts(parse_hits(request))
        return pb.RaiseAlertsResponse(alert_ids=[str(alert_id) for alert_id in alert_ids])

    async def WithdrawAlerts(
        self, request: pb.WithdrawAlertsRequest, context: Context
    ) -> pb.WithdrawAlertsResponse:
        """See alert_service.proto."""
        require_service(context, "matcher")
        await self._alerts.withdraw(parse_withdrawal(request))
        return pb.WithdrawAlertsResponse()

    async def ListDispositions(
        self, request: pb.ListDispositionsRequest, context: Context
    ) -> pb.ListDispositionsResponse:
        """See alert_service.proto."""
        require_service(context, "matcher")
        page = await self._dispositions.page(*parse_dispositions(request))
        return encode_dispositions(page)

    # A coroutine that writes, not a generator: a subscriber that does not read must not hold up its own end.
    async def SubscribeAlerts(  # type: ignore[override]
        self, request: pb.SubscribeAlertsRequest, context: Context
    ) -> None:
        """See alert_service.proto."""
        token = token_of(context)
        start = wire.parse_subscribe(request)
        async with self._subscriptions.door:
            entitlement = await Entitlement.open(self._terms, token, action_in(start.partition, ACTION))

        async def stop() -> None:
            await stopping_of(context).wait()
            raise StoppingError("the service is stopping; resume on another replica")

        try:
            await first_ending(self._subscriptions.run(start, entitlement, context.write), stop())
        finally:
            await entitlement.close()

    async def GetAlert(self, request: pb.GetAlertRequest, context: Context) -> pb.GetAlertResponse:
        """See alert_service.proto."""
        found = await self._alerts.look(wire.parse_get(request), token_of(context))
        alert = wire.encode_alert(found.alert)
        return pb.GetAlertResponse(
            alert=alert,
            notice=alert.notice,
            crop_image=found.crop,
            overview_image=found.overview,
            history=[wire.encode_step(step) for step in found.history],
            receipt=found.receipt,
        )

    async def AcknowledgeAlert(
        self, request: pb.AcknowledgeAlertRequest, context: Context
    ) -> pb.AcknowledgeAlertResponse:
        """See alert_service.proto."""
        return pb.AcknowledgeAlertResponse(alert=await self._step(wire.parse_acknowledge(request), context))

    async def VerifyAlert(self, request: pb.VerifyAlertRequest, context: Context) -> pb.VerifyAlertResponse:
        """See alert_service.proto."""
        return pb.VerifyAlertResponse(alert=await self._step(wire.parse_verify(request), context))

    async def DisposeAlert(
        self, request: pb.DisposeAlertRequest, context: Context
    ) -> pb.DisposeAlertResponse:
        """See alert_service.proto."""
        return pb.DisposeAlertResponse(alert=await self._step(wire.parse_dispose(request), context))

    async def _step(self, step: StepRequest, context: Context) -> pb.Alert:
        return wire.encode_alert(await self._alerts.take_step(step, token_of(context)))
