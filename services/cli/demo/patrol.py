"""The demo's patrol car: the dispatcher sends it after an alert, and knows that it heard (IV.D.3)."""

from __future__ import annotations

import time
from datetime import UTC, datetime

from google.protobuf.timestamp_pb2 import Timestamp

from alpr.alerts.v1 import asset_service_pb2 as asset_pb
from alpr.alerts.v1 import asset_service_pb2_grpc as asset_rpc
from alpr.alerts.v1 import dispatch_service_pb2 as pb
from alpr.alerts.v1 import dispatch_service_pb2_grpc as rpc
from services.cli.dispatch import propose
from services.cli.locate import CommandError
from services.cli.options import new_request_id
from services.cli.output import Output
from services.cli.patrol import acknowledge, followed
from services.cli.session import Session

CALL_SIGN = "DEMO-1"
# Some 1.4 km from the demo's camera.
_LATITUDE, _LONGITUDE = 41.99, -87.88


async def send_car(centre: Session, crew: Session, alert_id: str, unit: str, output: Output) -> str:
    """What became of it, in a sentence.

    Raises:
        CommandError: The service did not propose the only car, or the car did not hear of the alert.
        AlprError: A call was refused that must be allowed.
    """
    await _go_on_patrol(centre, crew, unit)
    proposed = [one for one in await propose(centre, alert_id, (), 0, 0) if one.proposed]
    if [one.call_sign for one in proposed] != [CALL_SIGN]:
        raise CommandError("the only patrol car was not proposed for the alert")
    request = pb.BroadcastRequest(
        request_id=new_request_id(), alert_id=alert_id, asset_ids=[one.asset_id for one in proposed]
    )
    started = time.monotonic()
    await centre.call(rpc.DispatchServiceStub(centre.channel("alerts")).Broadcast, request)
    await _hear(crew, alert_id, output)
    milliseconds = (time.monotonic() - started) * 1000
    kilometres = proposed[0].distance_metres / 1000
    return (
        f"The service proposed patrol car {CALL_SIGN}, {kilometres:.1f} km away, and the dispatcher sent it; "
        f"{milliseconds:.0f} ms later its crew had seen the alert."
    )


async def _go_on_patrol(centre: Session, crew: Session, unit: str) -> None:
    register = asset_pb.RegisterAssetRequest(request_id=new_request_id(), unit=unit, call_sign=CALL_SIGN)
    await centre.call(asset_rpc.AssetServiceStub(centre.channel("alerts")).RegisterAsset, register)
    stub = asset_rpc.AssetServiceStub(crew.channel("alerts"))
    board = asset_pb.BoardAssetRequest(request_id=new_request_id(), call_sign=CALL_SIGN)
    await crew.call(stub.BoardAsset, board)
    now = Timestamp()
    now.FromDatetime(datetime.now(UTC))
    position = asset_pb.AssetPosition(latitude=_LATITUDE, longitude=_LONGITUDE, position_time=now)
    await crew.call(stub.ReportAssetPosition, asset_pb.ReportAssetPositionRequest(position=position))


async def _hear(crew: Session, alert_id: str, output: Output) -> None:
    stub = rpc.DispatchServiceStub(crew.channel("alerts"))
    async for answer in followed(crew, stub.WatchDeliveries, pb.WatchDeliveriesRequest(), output):
        # What waits comes first; a heartbeat says that it was all.
        if answer.WhichOneof("event") == "heartbeat":
            break
        if answer.message.alert.alert_id == alert_id:
            await acknowledge(crew, answer.message.delivery_id, pb.DELIVERY_STAGE_SEEN)
            return
    raise CommandError("the patrol car did not hear of the alert")
