"""`platewarden sensor` and `platewarden agency`: the registry that cameras and people stand on."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from alpr.audit.v1 import governance_service_pb2 as agency_pb
from alpr.audit.v1 import governance_service_pb2_grpc as agency_rpc
from alpr.audit.v1 import sensor_service_pb2 as pb
from alpr.audit.v1 import sensor_service_pb2_grpc as rpc
from alpr.type.v1 import read_pb2, sensor_pb2
from services.cli.account import stamp
from services.cli.options import DATA_DIR, As, DataDir, Json, new_request_id, run_signed_in
from services.cli.output import Output
from services.cli.session import Session
from services.cli.words import DEPLOYMENT, DEPLOYMENT_STATUS, PARTITION, PROVENANCE

app = typer.Typer(
    no_args_is_help=True,
    help="Sensors: register, approve, place, survey, certify, revoke, suspend, show, list.",
)
agency_app = typer.Typer(no_args_is_help=True, help="Agencies: register, list.")
SensorId = Annotated[str, typer.Argument(help="Id of the sensor: lower case letters, digits and dashes.")]


@app.command()
def register(
    sensor_id: SensorId,
    agency: Annotated[str, typer.Option("--agency", help="ORI of the agency that owns it.")],
    group: Annotated[str, typer.Option("--group", help="Sensor group, for instance expressway-north.")],
    latitude: Annotated[float, typer.Option("--latitude", min=-90, max=90)],
    longitude: Annotated[float, typer.Option("--longitude", min=-180, max=180)],
    place: Annotated[str, typer.Option("--place", help="The place in words.")] = "",
    deployment: Annotated[str, typer.Option("--deployment", help="fixed, mobile or portable.")] = "fixed",
    provenance: Annotated[str, typer.Option("--provenance", help="own, partner or commercial.")] = "own",
    partition: Annotated[
        str, typer.Option("--partition", help="general, or motor-carrier for Motor Carrier Safety (II.H).")
    ] = "general",
    unit: Annotated[str, typer.Option("--unit", help="Unit of the agency that it belongs to.")] = "",
    vehicle: Annotated[
        str, typer.Option("--vehicle", help="Fleet number of the vehicle that a mobile one is on; no plate.")
    ] = "",
    subject: As = "",
    data_dir: DataDir = DATA_DIR,
    as_json: Json = False,
) -> None:
    """Registers a sensor. Nothing is accepted from it before a coordinator approves where it stands."""

    async def work(session: Session, output: Output) -> None:
        sensor = sensor_pb2.Sensor(
            sensor_id=sensor_id,
            agency_ori=agency,
            sensor_group=group,
            deployment_type=DEPLOYMENT.number(deployment),
            provenance=PROVENANCE.number(provenance),
            partition=PARTITION.number(partition),
            place=read_pb2.Place(latitude=latitude, longitude=longitude, description=place),
            unit=unit,
            vehicle=vehicle,
        )
        _print(await register_sensor(session, sensor), output)

    run_signed_in(work, data_dir=data_dir, subject=subject, as_json=as_json)


@app.command()
def approve(
    sensor_id: SensorId, subject: As = "", data_dir: DataDir = DATA_DIR, as_json: Json = False
) -> None:
    """Approves where it stands, from now on."""

    async def work(session: Session, output: Output) -> None:
        _print(await approve_deployment(session, sensor_id), output)

    run_signed_in(work, data_dir=data_dir, subject=subject, as_json=as_json)


@app.command()
def suspend(
    sensor_id: SensorId, subject: As = "", data_dir: DataDir = DATA_DIR, as_json: Json = False
) -> None:
    """Accepts nothing from it any more."""

    async def work(session: Session, output: Output) -> None:
        stub = rpc.SensorServiceStub(session.channel("audit"))
        request = pb.ApproveDeploymentRequest(
            request_id=new_request_id(), sensor_id=sensor_id, status=sensor_pb2.DEPLOYMENT_STATUS_SUSPENDED
        )
        _print((await session.call(stub.ApproveDeployment, request)).sensor, output)

    run_signed_in(work, data_dir=data_dir, subject=subject, as_json=as_json)


@app.command("list")
def list_sensors(subject: As = "", data_dir: DataDir = DATA_DIR, as_json: Json = False) -> None:
    """The sensors of your agency."""

    async def work(session: Session, output: Output) -> None:
        stub = rpc.SensorServiceStub(session.channel("audit"))
        sensors: list[sensor_pb2.Sensor] = []
        request = pb.ListSensorsRequest()
        while True:
            answer = await session.call(stub.ListSensors, request)
            sensors.extend(answer.sensors)
            if not answer.next_page_token:
                break
            request = pb.ListSensorsRequest(page_token=answer.next_page_token)
        rows = (
            (
                s.sensor_id,
                s.sensor_group,
                s.unit,
                PARTITION.word(s.partition),
                DEPLOYMENT.word(s.deployment_type),
                DEPLOYMENT_STATUS.word(s.status),
                s.place.description,
            )
            for s in sensors
        )
        output.table(sensors, ("sensor", "group", "unit", "partition", "deployment", "status", "place"), rows)

    run_signed_in(work, data_dir=data_dir, subject=subject, as_json=as_json)


@agency_app.command("register")
def register_agency(
    ori: Annotated[str, typer.Argument(help="ORI, 9 characters.")],
    name: Annotated[str, typer.Option("--name", help="Name of the agency.")],
    domains: Annotated[list[str], typer.Option("--email-domain", help="Government domain; may be repeated.")],
    subject: As = "",
    data_dir: DataDir = DATA_DIR,
    as_json: Json = False,
) -> None:
    """Registers an agency."""

    async def work(session: Session, output: Output) -> None:
        stub = agency_rpc.GovernanceServiceStub(session.channel("audit"))
        agency = agency_pb.Agency(ori=ori, name=name, email_domains=domains)
        request = agency_pb.RegisterAgencyRequest(request_id=new_request_id(), agency=agency)
        answer = await session.call(stub.RegisterAgency, request)
        output.result(answer.agency, f"Agency [bold]{answer.agency.ori}[/] {answer.agency.name}")

    run_signed_in(work, data_dir=data_dir, subject=subject, as_json=as_json)


@agency_app.command("list")
def list_agencies(subject: As = "", data_dir: DataDir = DATA_DIR, as_json: Json = False) -> None:
    """All agencies."""

    async def work(session: Session, output: Output) -> None:
        stub = agency_rpc.GovernanceServiceStub(session.channel("audit"))
        agencies: list[agency_pb.Agency] = []
        request = agency_pb.ListAgenciesRequest()
        while True:
            answer = await session.call(stub.ListAgencies, request)
            agencies.extend(answer.agencies)
            if not answer.next_page_token:
                break
            request = agency_pb.ListAgenciesRequest(page_token=answer.next_page_token)
        output.table(
            agencies,
            ("ORI", "name", "e-mail domains"),
            ((a.ori, a.name, ", ".join(a.email_domains)) for a in agencies),
        )

    run_signed_in(work, data_dir=data_dir, subject=subject, as_json=as_json)


async def register_sensor(session: Session, sensor: sensor_pb2.Sensor) -> sensor_pb2.Sensor:
    """The sensor as registered. Raises AlprError when refused."""
    stub = rpc.SensorServiceStub(session.channel("audit"))
    answer: pb.RegisterSensorResponse = await session.call(
        stub.RegisterSensor, pb.RegisterSensorRequest(request_id=new_request_id(), sensor=sensor)
    )
    return answer.sensor


async def approve_deployment(session: Session, sensor_id: str) -> sensor_pb2.Sensor:
    """The sensor, approved from now on. Raises AlprError when refused."""
    stub = rpc.SensorServiceStub(session.channel("audit"))
    request = pb.ApproveDeploymentRequest(
        request_id=new_request_id(),
        sensor_id=sensor_id,
        status=sensor_pb2.DEPLOYMENT_STATUS_APPROVED,
        approved_from=stamp(datetime.now(UTC)),
    )
    answer: pb.ApproveDeploymentResponse = await session.call(stub.ApproveDeployment, request)
    return answer.sensor


def _print(sensor: sensor_pb2.Sensor, output: Output) -> None:
    output.result(
        sensor,
        f"Sensor [bold]{sensor.sensor_id}[/] of {sensor.agency_ori}, group {sensor.sensor_group}: "
        f"{DEPLOYMENT_STATUS.word(sensor.status)}",
    )
