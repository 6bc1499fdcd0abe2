"""`platewarden sensor place, end-place, survey, show`: where a sensor stands, and who saw to it."""

from typing import Annotated

import typer
from google.protobuf.timestamp_pb2 import Timestamp
from rich.markup import escape

from alpr.audit.v1 import sensor_placement_service_pb2 as pb
from alpr.audit.v1 import sensor_placement_service_pb2_grpc as rpc
from alpr.audit.v1 import sensor_service_pb2 as sensor_pb
from alpr.audit.v1.sensor_service_pb2_grpc import SensorServiceStub
from alpr.type.v1 import read_pb2, sensor_pb2
from services.cli.hotlist import parse_moment
from services.cli.options import DATA_DIR, As, DataDir, Json, new_request_id, run_signed_in
from services.cli.output import Output
from services.cli.session import Session
from services.cli.words import DEPLOYMENT, DEPLOYMENT_STATUS

SensorId = Annotated[str, typer.Argument(help="Id of the sensor.")]
Latitude = Annotated[float, typer.Option("--latitude", min=-90, max=90)]
Longitude = Annotated[float, typer.Option("--longitude", min=-180, max=180)]
PlaceWords = Annotated[str, typer.Option("--place", help="The place in words.")]


def place(
    sensor_id: SensorId,
    latitude: Latitude,
    longitude: Longitude,
    start: Annotated[str, typer.Option("--from", help="Moment from which it stands there.")],
    end: Annotated[str, typer.Option("--until", help="Moment before which it stands there.")],
    words: PlaceWords = "",
    subject: As = "",
    data_dir: DataDir = DATA_DIR,
    as_json: Json = False,
) -> None:
    """Approves a place and a period for a portable sensor; outside of its periods its reads are refused."""

    async def work(session: Session, output: Output) -> None:
        request = pb.ApprovePlacementRequest(
            request_id=new_request_id(),
            sensor_id=sensor_id,
            place=read_pb2.Place(latitude=latitude, longitude=longitude, description=words),
            start_time=parse_moment(start),
            end_time=parse_moment(end),
        )
        _show((await session.call(_stub(session).ApprovePlacement, request)).sensor, output)

    run_signed_in(work, data_dir=data_dir, subject=subject, as_json=as_json)


def end_place(
    sensor_id: SensorId,
    placement_id: Annotated[str, typer.Argument(help="Id of the period; `sensor show` lists them.")],
    subject: As = "",
    data_dir: DataDir = DATA_DIR,
    as_json: Json = False,
) -> None:
    """Ends a period of a portable sensor now, or takes back one that has not begun."""

    async def work(session: Session, output: Output) -> None:
        request = pb.EndPlacementRequest(
            request_id=new_request_id(), sensor_id=sensor_id, placement_id=placement_id
        )
        _show((await session.call(_stub(session).EndPlacement, request)).sensor, output)

    run_signed_in(work, data_dir=data_dir, subject=subject, as_json=as_json)


def survey(
    sensor_id: SensorId,
    latitude: Latitude,
    longitude: Longitude,
    work_time: Annotated[str, typer.Option("--at", help="Moment at which the vendor had done the work.")],
    work_order: Annotated[str, typer.Option("--work-order", help="The vendor's work order.")],
    escort_id: Annotated[str, typer.Option("--escort", help="Escort under which the vendor worked.")],
    words: PlaceWords = "",
    subject: As = "",
    data_dir: DataDir = DATA_DIR,
    as_json: Json = False,
) -> None:
    """Puts on record where the vendor's work has put a fixed sensor; agency personnel move none (IV.C.4)."""

    async def work(session: Session, output: Output) -> None:
        request = pb.RecordSurveyRequest(
            request_id=new_request_id(),
            sensor_id=sensor_id,
            place=read_pb2.Place(latitude=latitude, longitude=longitude, description=words),
            work_time=parse_moment(work_time),
            work_order=work_order,
            escort_id=escort_id,
        )
        _show((await session.call(_stub(session).RecordSurvey, request)).sensor, output)

    run_signed_in(work, data_dir=data_dir, subject=subject, as_json=as_json)


def show(sensor_id: SensorId, subject: As = "", data_dir: DataDir = DATA_DIR, as_json: Json = False) -> None:
    """The sensor: its places, its certificates, and what was done about it, by whom and when."""

    async def work(session: Session, output: Output) -> None:
        stub = SensorServiceStub(session.channel("audit"))
        answer: sensor_pb.GetSensorResponse = await session.call(
            stub.GetSensor, sensor_pb.GetSensorRequest(sensor_id=sensor_id)
        )
        if output.as_json:
            output.json_line(answer)
            return
        _show(answer.sensor, output)
        output.table(
            answer.acts,
            ("when", "what", "account"),
            ((_moment(one.act_time), one.action, one.account_id) for one in answer.acts),
        )

    run_signed_in(work, data_dir=data_dir, subject=subject, as_json=as_json)


def _show(sensor: sensor_pb2.Sensor, output: Output) -> None:
    if output.as_json:
        output.json_line(sensor)
        return
    kind, status = DEPLOYMENT.word(sensor.deployment_type), DEPLOYMENT_STATUS.word(sensor.status)
    vehicle = f", vehicle {escape(sensor.vehicle)}" if sensor.vehicle else ""
    output.say(f"Sensor [bold]{sensor.sensor_id}[/] of {sensor.agency_ori}, {kind}{vehicle}: {status}")
    # Ids in full: other commands take them.
    for stood in sensor.placements:
        output.say(_placement(stood))
    for held in sensor.certificates:
        output.say(_certificate(held))


def _placement(one: sensor_pb2.Placement) -> str:
    until = _moment(one.end_time) if one.HasField("end_time") else "open"
    where = f"{one.place.latitude:.5f}, {one.place.longitude:.5f} {escape(one.place.description)}".strip()
    return f"  place {one.placement_id}  {_moment(one.start_time)} to {until}: {where}"


def _certificate(one: sensor_pb2.SensorCertificate) -> str:
    revoked = f"  [red]revoked {_moment(one.revoke_time)}[/]" if one.HasField("revoke_time") else ""
    period = f"{_moment(one.start_time)} to {_moment(one.end_time)}"
    return f"  certificate {one.sha256.hex()}  {period}{revoked}"


def _moment(stamp: Timestamp) -> str:
    return f"{stamp.ToDatetime():%Y-%m-%d %H:%M:%SZ}"


def _stub(session: Session) -> rpc.SensorPlacementServiceStub:
    return rpc.SensorPlacementServiceStub(session.channel("audit"))
