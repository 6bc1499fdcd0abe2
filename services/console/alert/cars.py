"""From the telecommunication centre to the patrol cars: who is near, is told, has seen it (IV.D.3)."""

from __future__ import annotations

from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from alpr.alerts.v1 import dispatch_service_pb2 as pb
from alpr.alerts.v1 import dispatch_service_pb2_grpc as rpc
from services.common.errors import AlprError
from services.console.alert.acts import recorded
from services.console.alert.look import Desk, Refused
from services.console.door import Person

_STUB: Final = rpc.DispatchServiceStub
_METRES: Final = 1000
_FARTHEST_KM: Final = 100_000


async def propose(request: Request, person: Person) -> Response:
    """The cars that could be told, nearest first; the look is recorded."""
    desk = Desk.of(request, person)
    wish = pb.ProposeAssetsRequest(
        request_id=person.field("request_id"),
        alert_id=desk.alert_id,
        units=[one for one in (part.strip() for part in person.field("units").split(",")) if one],
        # More than the service takes, and not more than the field holds: the service says what it takes.
        radius_metres=_METRES * min(person.number("radius_km"), _FARTHEST_KM),
    )
    try:
        found = await desk.call(_STUB, "ProposeAssets", wish)
    except AlprError as error:
        return await desk.show(Refused("cars", error))
    return await desk.show(cars=found, sent=person.form)


async def broadcast(request: Request, person: Person) -> Response:
    """Tells the chosen cars."""
    desk = Desk.of(request, person)
    told = pb.BroadcastRequest(
        request_id=person.field("request_id"), alert_id=desk.alert_id, asset_ids=person.fields("asset_id")
    )
    return await recorded(desk, "cars", "The cars are told.", [(_STUB, "Broadcast", told)])


async def cancel(request: Request, person: Person) -> Response:
    """Tells every car that was told to stand down."""
    desk = Desk.of(request, person)
    off = pb.CancelBroadcastRequest(request_id=person.field("request_id"), alert_id=desk.alert_id)
    return await recorded(desk, "cars", "The cars are told to stand down.", [(_STUB, "CancelBroadcast", off)])


async def deliveries(request: Request, person: Person) -> Response:
    """What was sent to whom, and who received and saw it; the look is recorded."""
    desk = Desk.of(request, person)
    asked = pb.ListDeliveriesRequest(request_id=person.field("request_id"), alert_id=desk.alert_id)
    try:
        found = await desk.call(_STUB, "ListDeliveries", asked)
    except AlprError as error:
        return await desk.show(Refused("cars", error))
    return await desk.show(deliveries=found)
