"""`platewarden patrol`: go aboard of a patrol asset, say where it is, get what is sent to it (IV.D.3)."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from google.protobuf.timestamp_pb2 import Timestamp
from rich.markup import escape

from alpr.alerts.v1 import alert_service_pb2 as alert_pb
from alpr.alerts.v1 import asset_service_pb2 as asset_pb
from alpr.alerts.v1 import asset_service_pb2_grpc as asset_rpc
from alpr.alerts.v1 import dispatch_service_pb2 as pb
from alpr.alerts.v1 import dispatch_service_pb2_grpc as rpc
from alpr.type.v1.error_reason_pb2 import ErrorReason
from services.cli.options import DATA_DIR, As, DataDir, Json, new_request_id, run_signed_in
from services.cli.output import Output
from services.cli.session import Session, is_passing
from services.cli.watch.lines import alert_lines
from services.cli.words import DELIVERY_KIND
from services.common.errors import AlprError

app = typer.Typer(no_args_is_help=True, help="A patrol asset's crew: go aboard, report, receive, leave.")

_PAUSE_SECONDS = 0.5
# A personal stream ends with its token, and a fresh token is a new sign-in.
_RESUMABLE = frozenset({ErrorReason.ERROR_REASON_ENTITLEMENT_ENDED, ErrorReason.ERROR_REASON_SLOW_SUBSCRIBER})
_STAND_DOWN = frozenset(
    {pb.DELIVERY_KIND_NOT_CONFIRMED, pb.DELIVERY_KIND_WITHDRAWN, pb.DELIVERY_KIND_CANCELLED}
)


@app.command("board")
def board(
    call_sign: Annotated[str, typer.Argument(help="Call sign of an asset of your unit.")],
    subject: As = "",
    data_dir: DataDir = DATA_DIR,
    as_json: Json = False,
) -> None:
    """Goes aboard of a patrol asset; you leave the one you were aboard of."""

    async def work(session: Session, output: Output) -> None:
        request = asset_pb.BoardAssetRequest(request_id=new_request_id(), call_sign=call_sign)
        stub = asset_rpc.AssetServiceStub(session.channel("alerts"))
        answer: asset_pb.BoardAssetResponse = await session.call(stub.BoardAsset, request)
        output.result(answer.asset, f"You are aboard of {escape(call_sign)}.")

    run_signed_in(work, data_dir=data_dir, subject=subject, as_json=as_json)


@app.command("leave")
def leave(subject: As = "", data_dir: DataDir = DATA_DIR, as_json: Json = False) -> None:
    """Leaves the patrol asset that you are aboard of."""

    async def work(session: Session, output: Output) -> None:
        stub = asset_rpc.AssetServiceStub(session.channel("alerts"))
        request = asset_pb.LeaveAssetRequest(request_id=new_request_id())
        output.result(await session.call(stub.LeaveAsset, request), "You are aboard of nothing.")

    run_signed_in(work, data_dir=data_dir, subject=subject, as_json=as_json)


@app.command("position", context_settings={"ignore_unknown_options": True})
def report_position(
    latitude: Annotated[float, typer.Argument(help="Degrees, WGS 84.")],
    longitude: Annotated[float, typer.Argument(help="Degrees, WGS 84.")],
    subject: As = "",
    data_dir: DataDir = DATA_DIR,
    as_json: Json = False,
) -> None:
    """Says where your patrol asset is now; only the newest position is kept."""

    async def work(session: Session, output: Output) -> None:
        now = Timestamp()
        now.FromDatetime(datetime.now(UTC))
        position = asset_pb.AssetPosition(latitude=latitude, longitude=longitude, position_time=now)
        stub = asset_rpc.AssetServiceStub(session.channel("alerts"))
        request = asset_pb.ReportAssetPositionRequest(position=position)
        output.result(await session.call(stub.ReportAssetPosition, request), "The position is reported.")

    run_signed_in(work, data_dir=data_dir, subject=subject, as_json=as_json)


@app.command("receive")
def receive(
    count: Annotated[
        int, typer.Option("--count", min=0, help="Stop after so many messages; 0 means never.")
    ] = 0,
    subject: As = "",
    data_dir: DataDir = DATA_DIR,
    as_json: Json = False,
) -> None:
    """Messages for your patrol asset as they come; the dispatcher sees that this device has them."""

    async def work(session: Session, output: Output) -> None:
        stub = rpc.DispatchServiceStub(session.channel("alerts"))
        shown: set[str] = set()
        async for answer in followed(session, stub.WatchDeliveries, pb.WatchDeliveriesRequest(), output):
            if answer.WhichOneof("event") == "heartbeat":
                continue
            message = answer.message
            # After a break what nobody has seen is sent anew.
            if message.delivery_id not in shown:
                shown.add(message.delivery_id)
                _show(message, output)
                await acknowledge(session, message.delivery_id, pb.DELIVERY_STAGE_RECEIVED)
            if len(shown) == count:
                return

    run_signed_in(work, data_dir=data_dir, subject=subject, as_json=as_json)


@app.command("seen")
def seen(
    delivery_id: Annotated[str, typer.Argument(help="Id of the message.")],
    subject: As = "",
    data_dir: DataDir = DATA_DIR,
    as_json: Json = False,
) -> None:
    """Says that you have seen a message."""
    work = _saying(delivery_id, pb.DELIVERY_STAGE_SEEN, "you have seen it")
    run_signed_in(work, data_dir=data_dir, subject=subject, as_json=as_json)


@app.command("en-route")
def en_route(
    delivery_id: Annotated[str, typer.Argument(help="Id of the message.")],
    subject: As = "",
    data_dir: DataDir = DATA_DIR,
    as_json: Json = False,
) -> None:
    """Says that you are on the way."""
    work = _saying(delivery_id, pb.DELIVERY_STAGE_EN_ROUTE, "you are on the way")
    run_signed_in(work, data_dir=data_dir, subject=subject, as_json=as_json)


def _saying(
    delivery_id: str, stage: pb.DeliveryStage.ValueType, what: str
) -> Callable[[Session, Output], Awaitable[None]]:
    async def work(session: Session, output: Output) -> None:
        answer = await acknowledge(session, delivery_id, stage)
        output.result(answer, f"The dispatcher knows that {what}.")

    return work


async def followed(session: Session, method: Any, request: Any, output: Output) -> AsyncIterator[Any]:
    """Answers of a stream that begins with what still waits, without end; it is begun again after a break.

    Raises:
        AlprError: It ended for a reason that trying again does not mend.
    """
    while True:
        try:
            async for answer in session.stream(method, request):
                yield answer
        except AlprError as error:
            if not (is_passing(error) or error.reason in _RESUMABLE):
                raise
            output.note("The stream broke; it begins again with what still waits")
        await asyncio.sleep(_PAUSE_SECONDS)


async def acknowledge(session: Session, delivery_id: str, stage: pb.DeliveryStage.ValueType) -> Any:
    """The answer, once it is on record how far the message has come. Raises AlprError when refused."""
    stub = rpc.DispatchServiceStub(session.channel("alerts"))
    request = pb.AcknowledgeDeliveryRequest(request_id=new_request_id(), delivery_id=delivery_id, stage=stage)
    return await session.call(stub.AcknowledgeDelivery, request)


def _show(message: pb.AssetMessage, output: Output) -> None:
    if output.as_json:
        output.json_line(message)
        return
    word = DELIVERY_KIND.word(message.kind).replace("-", " ").upper()
    colour = "black on yellow" if message.kind in _STAND_DOWN else "white on blue"
    output.console.print(f"[bold {colour}] {word} [/]  [dim]message {message.delivery_id}[/]")
    for line in alert_lines(message.alert, fresh=message.kind == pb.DELIVERY_KIND_ALERT):
        output.console.print(line)
    if message.alert.severity == alert_pb.SEVERITY_URGENT and output.console.is_terminal:
        output.console.bell()
