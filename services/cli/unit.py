"""`platewarden unit`: districts, zones and specialty units, and who coordinates each (ENF-051 III.C.1)."""

import hashlib
from pathlib import Path
from typing import Annotated

import typer

from alpr.audit.v1 import unit_service_pb2 as pb
from alpr.audit.v1 import unit_service_pb2_grpc as rpc
from services.cli.options import DATA_DIR, As, DataDir, Json, new_request_id, run_signed_in
from services.cli.output import Output
from services.cli.session import Session
from services.cli.words import UNIT_KIND

app = typer.Typer(
    no_args_is_help=True, help="Units: register, appoint the coordinator, end an appointment, list."
)
Code = Annotated[str, typer.Argument(help="Code of the unit, as accounts name it.")]
Agency = Annotated[str, typer.Option("--agency", help="ORI of the agency.")]


@app.command()
def register(
    code: Code,
    agency: Agency,
    name: Annotated[str, typer.Option("--name", help="Name of the unit.")],
    kind: Annotated[str, typer.Option("--kind", help="district, zone or specialty.")],
    subject: As = "",
    data_dir: DataDir = DATA_DIR,
    as_json: Json = False,
) -> None:
    """Registers a unit. Accounts can be made in it, and enabled once it has a coordinator."""

    async def work(session: Session, output: Output) -> None:
        show(await registered(session, agency, code, name, kind), output)

    run_signed_in(work, data_dir=data_dir, subject=subject, as_json=as_json)


@app.command()
def appoint(
    code: Code,
    account_id: Annotated[str, typer.Argument(help="Account of the coordinator.")],
    agency: Agency,
    commander: Annotated[str, typer.Option("--commander", help="Who appoints, with title.")],
    document: Annotated[
        Path, typer.Option("--document", exists=True, dir_okay=False, help="The appointing document.")
    ],
    subject: As = "",
    data_dir: DataDir = DATA_DIR,
    as_json: Json = False,
) -> None:
    """Records whom the unit's commander has appointed. An earlier appointment ends at that moment."""

    async def work(session: Session, output: Output) -> None:
        digest = hashlib.sha256(document.read_bytes()).digest()
        appointment = pb.Appointment(account_id=account_id, commander=commander, document_sha256=digest)
        show(await appointed(session, agency, code, appointment), output)

    run_signed_in(work, data_dir=data_dir, subject=subject, as_json=as_json)


@app.command("end")
def end_appointment(
    code: Code,
    agency: Agency,
    reason: Annotated[str, typer.Option("--reason", help="Why.")],
    subject: As = "",
    data_dir: DataDir = DATA_DIR,
    as_json: Json = False,
) -> None:
    """Ends the appointment. The unit's accounts go on; nobody new is enabled."""

    async def work(session: Session, output: Output) -> None:
        request = pb.EndAppointmentRequest(
            request_id=new_request_id(), agency_ori=agency, code=code, reason=reason
        )
        show((await session.call(_stub(session).EndAppointment, request)).unit, output)

    run_signed_in(work, data_dir=data_dir, subject=subject, as_json=as_json)


@app.command("list")
def list_units(subject: As = "", data_dir: DataDir = DATA_DIR, as_json: Json = False) -> None:
    """The units of your agency, and which of them nobody coordinates."""

    async def work(session: Session, output: Output) -> None:
        found = await all_units(session)
        rows = (
            (one.code, one.name, UNIT_KIND.word(one.kind), str(one.enabled_accounts), standing(one))
            for one in found
        )
        output.table(found, ("code", "name", "kind", "enabled accounts", "coordinator"), rows)

    run_signed_in(work, data_dir=data_dir, subject=subject, as_json=as_json)


async def registered(session: Session, ori: str, code: str, name: str, kind: str) -> pb.Unit:
    """The unit, registered now. Raises AlprError when refused."""
    unit = pb.Unit(agency_ori=ori, code=code, name=name, kind=UNIT_KIND.number(kind))
    request = pb.RegisterUnitRequest(request_id=new_request_id(), unit=unit)
    made: pb.Unit = (await session.call(_stub(session).RegisterUnit, request)).unit
    return made


async def appointed(session: Session, ori: str, code: str, appointment: pb.Appointment) -> pb.Unit:
    """The unit with its new coordinator. Raises AlprError when refused."""
    request = pb.AppointCoordinatorRequest(
        request_id=new_request_id(), agency_ori=ori, code=code, appointment=appointment
    )
    made: pb.Unit = (await session.call(_stub(session).AppointCoordinator, request)).unit
    return made


async def all_units(session: Session) -> list[pb.Unit]:
    """The units of the caller's agency, by code."""
    found: list[pb.Unit] = []
    request = pb.ListUnitsRequest()
    while True:
        answer = await session.call(_stub(session).ListUnits, request)
        found.extend(answer.units)
        if not answer.next_page_token:
            return found
        request.page_token = answer.next_page_token


def standing(one: pb.Unit) -> str:
    """Who coordinates the unit, in words."""
    if not one.HasField("appointment"):
        return "VACANT: nobody was ever appointed"
    last = one.appointment
    by = f"{last.account_id}, appointed by {last.commander} on {last.appoint_time.ToDatetime():%Y-%m-%d}"
    if one.served:
        return by
    if last.HasField("end_time"):
        return f"VACANT since {last.end_time.ToDatetime():%Y-%m-%d}: {by}"
    return f"VACANT: whom it was given to may not coordinate it now ({by})"


def show(one: pb.Unit, output: Output) -> None:
    """Prints a unit in one line."""
    output.result(one, f"[bold]{one.code}[/] {one.name} ({UNIT_KIND.word(one.kind)}): {standing(one)}")


def _stub(session: Session) -> rpc.UnitServiceStub:
    return rpc.UnitServiceStub(session.channel("audit"))
