"""`platewarden dispatch`: patrol assets, broadcasts to them, and what nobody answered (ENF-051 IV.D.3)."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated

import typer
from google.protobuf.timestamp_pb2 import Timestamp
from rich.markup import escape

from alpr.alerts.v1 import alert_service_pb2 as alert_pb
from alpr.alerts.v1 import asset_service_pb2 as asset_pb
from alpr.alerts.v1 import asset_service_pb2_grpc as asset_rpc
from alpr.alerts.v1 import dispatch_service_pb2 as pb
from alpr.alerts.v1 import dispatch_service_pb2_grpc as rpc
from services.cli.locate import CommandError
from services.cli.options import DATA_DIR, As, DataDir, Json, new_request_id, run_signed_in
from services.cli.output import Output, folded
from services.cli.patrol import followed
from services.cli.session import Session
from services.cli.watch.lines import alert_lines, plain
from services.cli.words import DELIVERY_KIND, ESCALATION_KIND

app = typer.Typer(
    no_args_is_help=True, help="Dispatch: patrol assets, broadcasts to them, and what nobody answered."
)
AlertId = Annotated[str, typer.Argument(help="Id of the alert.")]
CallSign = Annotated[str, typer.Argument(help="Call sign of the asset.")]
Units = Annotated[list[str] | None, typer.Option("--unit", help="Only assets of this unit; may be repeated.")]


@app.command("register")
def register_asset(
    call_sign: CallSign,
    unit: Annotated[str, typer.Option("--unit", help="Unit that it belongs to.")],
    subject: As = "",
    data_dir: DataDir = DATA_DIR,
    as_json: Json = False,
) -> None:
    """Makes a patrol asset of your agency."""

    async def work(session: Session, output: Output) -> None:
        request = asset_pb.RegisterAssetRequest(request_id=new_request_id(), unit=unit, call_sign=call_sign)
        stub = asset_rpc.AssetServiceStub(session.channel("alerts"))
        answer: asset_pb.RegisterAssetResponse = await session.call(stub.RegisterAsset, request)
        output.result(answer.asset, f"{escape(call_sign)} of {escape(unit)} is in use.")

    run_signed_in(work, data_dir=data_dir, subject=subject, as_json=as_json)


@app.command("retire")
def retire_asset(
    call_sign: CallSign, subject: As = "", data_dir: DataDir = DATA_DIR, as_json: Json = False
) -> None:
    """Takes a patrol asset out of use for good."""

    async def work(session: Session, output: Output) -> None:
        (asset_id,) = _ids(await _assets(session), [call_sign])
        request = asset_pb.RetireAssetRequest(request_id=new_request_id(), asset_id=asset_id)
        stub = asset_rpc.AssetServiceStub(session.channel("alerts"))
        answer = await session.call(stub.RetireAsset, request)
        output.result(answer, f"{escape(call_sign)} is out of use.")

    run_signed_in(work, data_dir=data_dir, subject=subject, as_json=as_json)


@app.command("assets")
def list_assets(subject: As = "", data_dir: DataDir = DATA_DIR, as_json: Json = False) -> None:
    """The patrol assets of your agency, who is aboard, and where they were last."""

    async def work(session: Session, output: Output) -> None:
        assets = await _assets(session)
        columns = folded("unit", "call sign", "aboard", "position", "reported")
        output.table(assets, columns, [_asset_row(asset) for asset in assets])

    run_signed_in(work, data_dir=data_dir, subject=subject, as_json=as_json)


@app.command("propose")
def propose_assets(
    alert_id: AlertId,
    unit: Units = None,
    radius_km: Annotated[
        float, typer.Option("--radius-km", min=0, max=500, help="Propose at most so far away; 0 means 30.")
    ] = 0,
    most: Annotated[int, typer.Option("--most", min=0, max=100, help="Propose so many; 0 means 5.")] = 0,
    subject: As = "",
    data_dir: DataDir = DATA_DIR,
    as_json: Json = False,
) -> None:
    """Which assets could be told of an alert, nearest first; the look is recorded."""

    async def work(session: Session, output: Output) -> None:
        found = await propose(session, alert_id, unit or (), radius_km, most)
        columns = folded("call sign", "unit", "distance", "reported", "proposed", "told")
        output.table(found, columns, [_proposed_row(one) for one in found])

    run_signed_in(work, data_dir=data_dir, subject=subject, as_json=as_json)


@app.command("broadcast")
def broadcast(
    alert_id: AlertId,
    call_signs: Annotated[
        list[str] | None, typer.Argument(help="Assets to tell; without any, those that are proposed.")
    ] = None,
    without: Annotated[
        list[str] | None, typer.Option("--without", help="Not this proposed one; may be repeated.")
    ] = None,
    unit: Units = None,
    subject: As = "",
    data_dir: DataDir = DATA_DIR,
    as_json: Json = False,
) -> None:
    """Tells patrol assets of an alert: the named ones, or those that the service proposes."""

    async def work(session: Session, output: Output) -> None:
        if call_signs:
            asset_ids = _ids(await _assets(session), call_signs)
            chosen = dict(zip(call_signs, asset_ids, strict=True))
        else:
            found = await propose(session, alert_id, unit or (), 0, 0)
            chosen = {one.call_sign: one.asset_id for one in found if one.proposed}
        told = [asset_id for sign, asset_id in chosen.items() if sign not in (without or ())]
        if not told:
            raise CommandError("nobody is left to tell; name an asset")
        request = pb.BroadcastRequest(request_id=new_request_id(), alert_id=alert_id, asset_ids=told)
        stub = rpc.DispatchServiceStub(session.channel("alerts"))
        answer: pb.BroadcastResponse = await session.call(stub.Broadcast, request)
        signs = {asset_id: sign for sign, asset_id in chosen.items()}
        output.result(answer, _told("Told", [signs[one] for one in answer.asset_ids]))

    run_signed_in(work, data_dir=data_dir, subject=subject, as_json=as_json)


@app.command("cancel")
def cancel_broadcast(
    alert_id: AlertId, subject: As = "", data_dir: DataDir = DATA_DIR, as_json: Json = False
) -> None:
    """Calls a broadcast off: every asset that was told is told to stand down."""

    async def work(session: Session, output: Output) -> None:
        request = pb.CancelBroadcastRequest(request_id=new_request_id(), alert_id=alert_id)
        stub = rpc.DispatchServiceStub(session.channel("alerts"))
        answer: pb.CancelBroadcastResponse = await session.call(stub.CancelBroadcast, request)
        signs = {asset.asset_id: asset.call_sign for asset in await _assets(session)}
        names = [signs.get(asset_id, asset_id) for asset_id in answer.asset_ids]
        output.result(answer, _told("Told to stand down", names))

    run_signed_in(work, data_dir=data_dir, subject=subject, as_json=as_json)


@app.command("deliveries")
def list_deliveries(
    alert_id: AlertId, subject: As = "", data_dir: DataDir = DATA_DIR, as_json: Json = False
) -> None:
    """What was sent to whom of an alert, and who received and saw it; the look is recorded."""

    async def work(session: Session, output: Output) -> None:
        request = pb.ListDeliveriesRequest(request_id=new_request_id(), alert_id=alert_id)
        stub = rpc.DispatchServiceStub(session.channel("alerts"))
        answer: pb.ListDeliveriesResponse = await session.call(stub.ListDeliveries, request)
        columns = folded(
            "call sign", "message", "sent", "received", "seen", "on the way", "distance", "proposed"
        )
        output.table(answer.deliveries, columns, [_delivery_row(one) for one in answer.deliveries])

    run_signed_in(work, data_dir=data_dir, subject=subject, as_json=as_json)


@app.command("escalations")
def watch_escalations(
    count: Annotated[int, typer.Option("--count", min=0, help="Stop after so many; 0 means never.")] = 0,
    subject: As = "",
    data_dir: DataDir = DATA_DIR,
    as_json: Json = False,
) -> None:
    """Alerts that nobody answered in time: those that wait still, then others as they come."""

    async def work(session: Session, output: Output) -> None:
        stub = rpc.DispatchServiceStub(session.channel("alerts"))
        shown: set[str] = set()
        async for answer in followed(session, stub.WatchEscalations, pb.WatchEscalationsRequest(), output):
            if answer.WhichOneof("event") == "heartbeat":
                continue
            # After a break all that waits still is sent anew.
            if answer.escalated.escalation.escalation_id not in shown:
                shown.add(answer.escalated.escalation.escalation_id)
                _show(answer.escalated, output)
            if len(shown) == count:
                return

    run_signed_in(work, data_dir=data_dir, subject=subject, as_json=as_json)


async def _assets(session: Session) -> Sequence[asset_pb.PatrolAsset]:
    stub = asset_rpc.AssetServiceStub(session.channel("alerts"))
    answer: asset_pb.ListAssetsResponse = await session.call(stub.ListAssets, asset_pb.ListAssetsRequest())
    return answer.assets


def _ids(assets: Sequence[asset_pb.PatrolAsset], call_signs: Sequence[str]) -> list[str]:
    known = {asset.call_sign: asset.asset_id for asset in assets}
    missing = [sign for sign in call_signs if sign not in known]
    if missing:
        msg = f"no asset in use is called {', '.join(missing)}; `platewarden dispatch assets` lists them"
        raise CommandError(msg)
    return [known[sign] for sign in call_signs]


async def propose(
    session: Session, alert_id: str, units: Sequence[str], radius_km: float, most: int
) -> Sequence[pb.ProposedAsset]:
    """Assets that could be told, nearest first. Raises AlprError when refused."""
    request = pb.ProposeAssetsRequest(
        request_id=new_request_id(),
        alert_id=alert_id,
        units=units,
        radius_metres=round(radius_km * 1000),
        most=most,
    )
    stub = rpc.DispatchServiceStub(session.channel("alerts"))
    answer: pb.ProposeAssetsResponse = await session.call(stub.ProposeAssets, request)
    return answer.assets


def _told(what: str, call_signs: Sequence[str]) -> str:
    return f"{what}: {escape(', '.join(call_signs))}" if call_signs else "All of them had been told before."


def _show(escalated: pb.EscalatedAlert, output: Output) -> None:
    if output.as_json:
        output.json_line(escalated)
        return
    word = ESCALATION_KIND.word(escalated.escalation.kind).replace("-", " ").upper()
    output.console.print(f"[bold white on red] {word} [/] since {_moment(escalated.escalation.due_time)}")
    for line in alert_lines(escalated.alert, fresh=True):
        output.console.print(line)
    if escalated.alert.severity == alert_pb.SEVERITY_URGENT and output.console.is_terminal:
        output.console.bell()


def _asset_row(asset: asset_pb.PatrolAsset) -> list[str]:
    row = [plain(asset.unit), asset.call_sign, str(len(asset.crew_account_ids))]
    if not asset.HasField("position"):
        return [*row, "-", "-"]
    position = asset.position
    return [*row, f"{position.latitude:.5f}, {position.longitude:.5f}", _ago(position.position_time)]


def _proposed_row(one: pb.ProposedAsset) -> list[str]:
    reported = _ago(one.position_time) if one.HasField("position_time") else "-"
    marks = ["yes" if mark else "" for mark in (one.proposed, one.told)]
    return [one.call_sign, plain(one.unit), _distance(one), reported, *marks]


def _delivery_row(one: pb.DeliveryRecord) -> list[str]:
    received = _moment(one.receive_time) if one.HasField("receive_time") else "-"
    seen = _moment(one.seen_time) if one.HasField("seen_time") else "-"
    going = _moment(one.en_route_time) if one.HasField("en_route_time") else "-"
    word = DELIVERY_KIND.word(one.kind)
    sent = _moment(one.delivery_time)
    return [one.call_sign, word, sent, received, seen, going, _distance(one), "yes" if one.proposed else ""]


def _distance(one: pb.ProposedAsset | pb.DeliveryRecord) -> str:
    return f"{one.distance_metres / 1000:.1f} km" if one.HasField("distance_metres") else "-"


def _moment(stamp: Timestamp) -> str:
    return stamp.ToDatetime(UTC).strftime("%H:%M:%S")


def _ago(stamp: Timestamp) -> str:
    return f"{max(0, int((datetime.now(UTC) - stamp.ToDatetime(UTC)).total_seconds()))} s ago"
