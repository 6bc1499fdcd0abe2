"""Requests of dispatchers and crews, with every check of them; what they are shown into the contract."""

from uuid import UUID

from alpr.alerts.v1 import alert_service_pb2 as alert_pb
from alpr.alerts.v1 import dispatch_service_pb2 as pb
from services.alerts.app_dispatch import Ask, Proposal
from services.alerts.checks import Checks
from services.alerts.core.dispatch import MOST_ASSETS, RADIUS_METRES, DeliveryStage, Wish
from services.alerts.store_messages import DeliveryRecord, Escalated, Unseen
from services.alerts.wire import encode_alert, encode_escalation
from services.alerts.wire_assets import LONGEST_UNIT
from services.common.clock import Clock
from services.common.wire import to_timestamp

_MOST_UNITS = 50
_MOST_RADIUS = 500_000
_MOST_PROPOSED = 100
_MOST_TOLD = 100
_STAGES: frozenset[int] = frozenset(DeliveryStage)


def parse_ask(
    request: pb.CancelBroadcastRequest | pb.ListDeliveriesRequest,
) -> Ask:
    """Which alert it is about. Raises InvalidFieldError."""
    checks = Checks()
    ask = _ask(request, checks)
    checks.raise_if_any()
    return ask


def parse_propose(request: pb.ProposeAssetsRequest) -> tuple[Ask, Wish]:
    """Which alert it is about, and which assets are wished for. Raises InvalidFieldError."""
    checks = Checks()
    ask = _ask(request, checks)
    if len(request.units) > _MOST_UNITS:
        checks.note("units", f"at most {_MOST_UNITS}")
    units = frozenset(
        checks.text(f"units[{number}]", unit, longest=LONGEST_UNIT)
        for number, unit in enumerate(request.units[:_MOST_UNITS])
    )
    if not 0 <= request.radius_metres <= _MOST_RADIUS:
        checks.note("radius_metres", f"1 to {_MOST_RADIUS}, or 0 for {RADIUS_METRES}")
    if not 0 <= request.most <= _MOST_PROPOSED:
        checks.note("most", f"1 to {_MOST_PROPOSED}, or 0 for {MOST_ASSETS}")
    checks.raise_if_any()
    return ask, Wish(units, request.radius_metres or RADIUS_METRES, request.most or MOST_ASSETS)


def parse_broadcast(request: pb.BroadcastRequest) -> tuple[Ask, tuple[UUID, ...]]:
    """Which alert, and to which assets. Raises InvalidFieldError."""
    checks = Checks()
    ask = _ask(request, checks)
    if not 1 <= len(request.asset_ids) <= _MOST_TOLD:
        checks.note("asset_ids", f"1 to {_MOST_TOLD} assets")
    asset_ids = tuple(
        checks.uuid(f"asset_ids[{number}]", text)
        for number, text in enumerate(request.asset_ids[:_MOST_TOLD])
    )
    if len(set(request.asset_ids)) < len(request.asset_ids):
        checks.note("asset_ids", "each asset once")
    checks.raise_if_any()
    return ask, asset_ids


def parse_acknowledge(request: pb.AcknowledgeDeliveryRequest) -> tuple[UUID, UUID, DeliveryStage]:
    """The request's id, the message, and how far it has come. Raises InvalidFieldError."""
    checks = Checks()
    ids = checks.uuid("request_id", request.request_id), checks.uuid("delivery_id", request.delivery_id)
    if request.stage not in _STAGES:
        checks.note("stage", "RECEIVED, SEEN or EN_ROUTE")
    checks.raise_if_any()
    return (*ids, DeliveryStage(request.stage))


def encode_proposal(proposal: Proposal) -> pb.ProposeAssetsResponse:
    """Assets for a dispatcher to choose from."""
    response = pb.ProposeAssetsResponse(receipt=proposal.receipt)
    for one in proposal.candidates:
        asset = one.asset
        position_time = to_timestamp(asset.position.moment) if asset.position else None
        response.assets.add(
            asset_id=str(asset.asset_id),
            unit=asset.unit,
            call_sign=asset.call_sign,
            distance_metres=one.distance_metres,
            position_time=position_time,
            proposed=one.proposed,
            told=asset.asset_id in proposal.told,
        )
    return response


def encode_record(record: DeliveryRecord) -> pb.DeliveryRecord:
    """What became of one message to one asset."""
    return pb.DeliveryRecord(
        delivery_id=str(record.delivery_id),
        asset_id=str(record.asset_id),
        call_sign=record.call_sign,
        kind=pb.DeliveryKind.ValueType(record.kind),
        delivery_time=to_timestamp(record.delivery_time),
        receive_time=to_timestamp(record.receive_time) if record.receive_time else None,
        seen_time=to_timestamp(record.seen_time) if record.seen_time else None,
        seen_account_id=record.seen_account_id or "",
        distance_metres=record.distance_metres,
        proposed=record.proposed,
        en_route_time=to_timestamp(record.en_route_time) if record.en_route_time else None,
        en_route_account_id=record.en_route_account_id or "",
    )


def encode_message(message: Unseen | Escalated | None, clock: Clock) -> pb.WatchDeliveriesResponse:
    """A message for an asset; a heartbeat when there is none."""
    if not isinstance(message, Unseen):
        return pb.WatchDeliveriesResponse(heartbeat=_heartbeat(clock))
    return pb.WatchDeliveriesResponse(
        message=pb.AssetMessage(
            delivery_id=str(message.delivery_id),
            kind=pb.DeliveryKind.ValueType(message.kind),
            delivery_time=to_timestamp(message.delivery_time),
            alert=encode_alert(message.alert),
        )
    )


def encode_escalated(escalated: Unseen | Escalated | None, clock: Clock) -> pb.WatchEscalationsResponse:
    """An alert that nobody answered in time; a heartbeat when there is none."""
    if not isinstance(escalated, Escalated):
        return pb.WatchEscalationsResponse(heartbeat=_heartbeat(clock))
    return pb.WatchEscalationsResponse(
        escalated=pb.EscalatedAlert(
            escalation=encode_escalation(escalated.escalation), alert=encode_alert(escalated.alert)
        )
    )


def _heartbeat(clock: Clock) -> alert_pb.Heartbeat:
    return alert_pb.Heartbeat(server_time=to_timestamp(clock.now()))


def _ask(
    request: pb.CancelBroadcastRequest
    | pb.ListDeliveriesRequest
    | pb.ProposeAssetsRequest
    | pb.BroadcastRequest,
    checks: Checks,
) -> Ask:
    return Ask(checks.uuid("request_id", request.request_id), checks.uuid("alert_id", request.alert_id))
