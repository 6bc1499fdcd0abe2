"""What crews and centres do about patrol cars. Each act carries the id that was drawn with its form."""

from __future__ import annotations

from typing import Any, Final

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from alpr.alerts.v1 import asset_service_pb2 as pb
from alpr.alerts.v1 import asset_service_pb2_grpc as rpc
from alpr.alerts.v1 import dispatch_service_pb2 as dispatch_pb
from alpr.alerts.v1 import dispatch_service_pb2_grpc as dispatch_rpc
from services.common.errors import AlprError, FieldViolation, InvalidFieldError
from services.console.door import Person
from services.console.patrol.page import shown

_CARS: Final = rpc.AssetServiceStub
_DISPATCH: Final = dispatch_rpc.DispatchServiceStub
_PLACES: Final = {
    "seen": "messages",
    **dict.fromkeys(("aboard", "leave", "position"), "aboard-title"),
    **dict.fromkeys(("register", "retire"), "cars-title"),
}
"""Where on the page each form is."""


async def go_aboard(_request: Request, person: Person) -> Response:
    """The person goes aboard, and leaves the car before."""
    aboard = pb.BoardAssetRequest(request_id=person.field("request_id"), call_sign=person.field("call_sign"))
    return await _done(person, "aboard", _CARS, "BoardAsset", aboard)


async def leave(_request: Request, person: Person) -> Response:
    """The person is aboard of nothing."""
    left = pb.LeaveAssetRequest(request_id=person.field("request_id"))
    return await _done(person, "leave", _CARS, "LeaveAsset", left)


async def report(_request: Request, person: Person) -> Response:
    """Where the car is now; only the newest position is kept."""
    try:
        position = pb.AssetPosition(
            latitude=_degrees(person, "latitude"), longitude=_degrees(person, "longitude")
        )
    except InvalidFieldError as error:
        return await shown(person, form="position", error=error)
    position.position_time.GetCurrentTime()
    reported = pb.ReportAssetPositionRequest(position=position)
    return await _done(person, "position", _CARS, "ReportAssetPosition", reported)


async def received(_request: Request, person: Person) -> Response:
    """The page has the message on its screen. Nothing is shown anew."""
    await person.call(_DISPATCH, "AcknowledgeDelivery", _stage(person, dispatch_pb.DELIVERY_STAGE_RECEIVED))
    return Response(status_code=204)


async def seen(_request: Request, person: Person) -> Response:
    """A person aboard has seen it."""
    stage = _stage(person, dispatch_pb.DELIVERY_STAGE_SEEN)
    return await _done(person, "seen", _DISPATCH, "AcknowledgeDelivery", stage)


async def en_route(_request: Request, person: Person) -> Response:
    """The crew is on the way."""
    stage = _stage(person, dispatch_pb.DELIVERY_STAGE_EN_ROUTE)
    return await _done(person, "seen", _DISPATCH, "AcknowledgeDelivery", stage)


async def register(_request: Request, person: Person) -> Response:
    """A new car of the agency."""
    made = pb.RegisterAssetRequest(
        request_id=person.field("request_id"), unit=person.field("unit"), call_sign=person.field("call_sign")
    )
    return await _done(person, "register", _CARS, "RegisterAsset", made)


async def retire(_request: Request, person: Person) -> Response:
    """A car is out of use for good."""
    gone = pb.RetireAssetRequest(request_id=person.field("request_id"), asset_id=person.field("asset_id"))
    return await _done(person, "retire", _CARS, "RetireAsset", gone)


async def _done(person: Person, form: str, stub: Any, name: str, request: Any) -> Response:
    try:
        await person.call(stub, name, request)
    except AlprError as error:
        return await shown(person, form=form, error=error)
    # Whoever works without a mouse goes on where the form was.
    return RedirectResponse(f"/patrol#{_PLACES[form]}", 303)


def _stage(
    person: Person, stage: dispatch_pb.DeliveryStage.ValueType
) -> dispatch_pb.AcknowledgeDeliveryRequest:
    return dispatch_pb.AcknowledgeDeliveryRequest(
        request_id=person.field("request_id"), delivery_id=person.field("delivery_id"), stage=stage
    )


def _degrees(person: Person, name: str) -> float:
    """The number in the field; whether it is on earth the service says. Raises InvalidFieldError."""
    try:
        return float(person.field(name))
    except ValueError:
        wrong = FieldViolation(f"position.{name}", "Degrees as a number, for instance 41.88.")
        raise InvalidFieldError("a position cannot be read", violations=[wrong]) from None
