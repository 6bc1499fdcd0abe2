"""`platewarden incident`, `contract` and `support`: what goes wrong, what was bought, who helps."""

import csv
import hashlib
import io
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from alpr.audit.v1 import contract_service_pb2 as contract_pb
from alpr.audit.v1 import contract_service_pb2_grpc as contract_rpc
from alpr.audit.v1 import incident_service_pb2 as incident_pb
from alpr.audit.v1 import incident_service_pb2_grpc as incident_rpc
from alpr.audit.v1 import support_service_pb2 as support_pb
from alpr.audit.v1 import support_service_pb2_grpc as support_rpc
from alpr.type.v1 import sensor_pb2
from services.cli.hotlist import parse_moment
from services.cli.options import DATA_DIR, As, DataDir, Json, new_request_id, run_signed_in
from services.cli.output import Output
from services.cli.session import Session
from services.cli.words import (
    CONTRACT_KIND,
    CONTRACT_STANDING,
    INCIDENT_KIND,
    INCIDENT_RECIPIENT,
    SUPPORT_CATEGORY,
)

incident_app = typer.Typer(no_args_is_help=True, help="Breaches and attacks: open, tell, close, list.")
contract_app = typer.Typer(no_args_is_help=True, help="Contracts, warranties, licences: record, list, use.")
support_app = typer.Typer(no_args_is_help=True, help="Requests for support: request, close, list.")
RecordId = Annotated[str, typer.Argument(help="Its id.")]


@incident_app.command("open")
def open_incident(
    kind: Annotated[str, typer.Argument(help="breach, denial-of-service, malware, stolen-access or other.")],
    summary: Annotated[str, typer.Option("--summary", help="What happened, without plates and names.")],
    noticed: Annotated[
        str, typer.Option("--noticed", help="When, as 2026-05-01T12:00Z; now when left out.")
    ] = "",
    subject: As = "",
    data_dir: DataDir = DATA_DIR,
    as_json: Json = False,
) -> None:
    """Records an incident and says whom to tell, until when."""

    async def work(session: Session, output: Output) -> None:
        request = incident_pb.OpenIncidentRequest(
            request_id=new_request_id(), kind=INCIDENT_KIND.number(kind), summary=summary
        )
        if noticed:
            request.discover_time.CopyFrom(parse_moment(noticed))
        else:
            request.discover_time.FromDatetime(datetime.now(UTC))
        answer = await session.call(_incidents(session).OpenIncident, request)
        made, first = answer.incident, answer.cjis_coordinator
        told = [
            f"incident {made.incident_id}",
            f"until {made.due_time.ToJsonString()} tell {_contact(first)}",
        ]
        told.append(f"then {_contact(answer.platform_operator)}")
        told += [f"and agency {ori}" for ori in answer.partner_agencies]
        output.result(answer, "\n".join(told))

    run_signed_in(work, data_dir=data_dir, subject=subject, as_json=as_json)


@incident_app.command()
def tell(
    incident_id: RecordId,
    recipient: Annotated[
        str, typer.Argument(help="cjis-coordinator, platform-operator, partner-agency or other.")
    ],
    name: Annotated[str, typer.Option("--name", help="Who was told.")],
    way: Annotated[str, typer.Option("--way", help="How: telephone, e-mail, in person.")],
    subject: As = "",
    data_dir: DataDir = DATA_DIR,
    as_json: Json = False,
) -> None:
    """Records that somebody was told."""

    async def work(session: Session, output: Output) -> None:
        notice = incident_pb.IncidentNotice(
            recipient=INCIDENT_RECIPIENT.number(recipient), name=name, way=way
        )
        request = incident_pb.RecordIncidentNoticeRequest(
            request_id=new_request_id(), incident_id=incident_id, notice=notice
        )
        answer = await session.call(_incidents(session).RecordIncidentNotice, request)
        output.result(answer, _clock(answer.incident))

    run_signed_in(work, data_dir=data_dir, subject=subject, as_json=as_json)


@incident_app.command("close")
def close_incident(
    incident_id: RecordId,
    finding: Annotated[str, typer.Option("--finding", help="What was found and done.")],
    subject: As = "",
    data_dir: DataDir = DATA_DIR,
    as_json: Json = False,
) -> None:
    """Closes an incident."""

    async def work(session: Session, output: Output) -> None:
        request = incident_pb.CloseIncidentRequest(
            request_id=new_request_id(), incident_id=incident_id, finding=finding
        )
        answer = await session.call(_incidents(session).CloseIncident, request)
        output.result(answer, f"{incident_id} is closed")

    run_signed_in(work, data_dir=data_dir, subject=subject, as_json=as_json)


@incident_app.command("list")
def list_incidents(subject: As = "", data_dir: DataDir = DATA_DIR, as_json: Json = False) -> None:
    """The agency's incidents, newest first."""

    async def work(session: Session, output: Output) -> None:
        request = incident_pb.ListIncidentsRequest(page_size=200)
        found = (await session.call(_incidents(session).ListIncidents, request)).incidents
        rows = (
            (
                one.discover_time.ToJsonString(),
                INCIDENT_KIND.word(one.kind),
                one.incident_id,
                "closed" if one.HasField("close_time") else "open",
                _clock(one),
            )
            for one in found
        )
        output.table(found, ("noticed", "kind", "id", "state", "told"), rows)

    run_signed_in(work, data_dir=data_dir, subject=subject, as_json=as_json)


@contract_app.command("record")
def record_contract(
    kind: Annotated[str, typer.Argument(help="contract, warranty, licence or lease.")],
    document: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="Its SHA-256 goes.")],
    party: Annotated[str, typer.Option("--party", help="The other party.")],
    about: Annotated[str, typer.Option("--about", help="What it is about.")],
    start: Annotated[str, typer.Option("--from", help="From then, as 2026-05-01T00:00Z.")],
    end: Annotated[str, typer.Option("--until", help="Until then.")],
    warning: Annotated[int, typer.Option("--warn", min=1, max=730, help="Days before its end.")] = 90,
    motor_carrier: Annotated[
        bool, typer.Option("--motor-carrier", help="It is about the Motor Carrier Safety system.")
    ] = False,
    subject: As = "",
    data_dir: DataDir = DATA_DIR,
    as_json: Json = False,
) -> None:
    """Records a contract with its term."""

    async def work(session: Session, output: Output) -> None:
        made = contract_pb.Contract(
            kind=CONTRACT_KIND.number(kind),
            party=party,
            subject=about,
            document_sha256=hashlib.sha256(document.read_bytes()).digest(),
            start_time=parse_moment(start),
            end_time=parse_moment(end),
            warning_days=warning,
            partition=(sensor_pb2.PARTITION_MOTOR_CARRIER if motor_carrier else sensor_pb2.PARTITION_GENERAL),
        )
        request = contract_pb.RecordContractRequest(request_id=new_request_id(), contract=made)
        answer = await session.call(_contracts(session).RecordContract, request)
        standing = CONTRACT_STANDING.word(answer.contract.standing)
        output.result(answer, f"{answer.contract.contract_id} is {standing}")

    run_signed_in(work, data_dir=data_dir, subject=subject, as_json=as_json)


@contract_app.command("list")
def list_contracts(subject: As = "", data_dir: DataDir = DATA_DIR, as_json: Json = False) -> None:
    """The agency's contracts, those that end first first."""

    async def work(session: Session, output: Output) -> None:
        request = contract_pb.ListContractsRequest()
        found = (await session.call(_contracts(session).ListContracts, request)).contracts
        rows = (
            (
                one.end_time.ToJsonString(),
                CONTRACT_STANDING.word(one.standing),
                CONTRACT_KIND.word(one.kind),
                one.party,
                one.subject,
                one.contract_id,
            )
            for one in found
        )
        output.table(found, ("ends", "standing", "kind", "party", "about", "id"), rows)

    run_signed_in(work, data_dir=data_dir, subject=subject, as_json=as_json)


@contract_app.command()
def use(
    contract_id: RecordId,
    start: Annotated[str, typer.Option("--from", help="From then, as 2026-05-01T00:00Z.")],
    end: Annotated[str, typer.Option("--until", help="Until then, at most 400 days later.")],
    out: Annotated[Path | None, typer.Option("--out", help="Write it as CSV, for the lessor.")] = None,
    subject: As = "",
    data_dir: DataDir = DATA_DIR,
    as_json: Json = False,
) -> None:
    """How the Motor Carrier Safety system was used, for its lessor. It names nobody, and is on record."""

    async def work(session: Session, output: Output) -> None:
        request = contract_pb.ReportUseRequest(contract_id=contract_id)
        getattr(request, "from").CopyFrom(parse_moment(start))
        request.to.CopyFrom(parse_moment(end))
        answer = await session.call(_contracts(session).ReportUse, request)
        if out is not None:
            out.write_text(_use_table(answer), encoding="utf-8", newline="")
        lines = [
            f"{one.month}: {one.questions} questions, {one.refused} refused, {one.disclosures} disclosures"
            for one in answer.months
        ]
        lines.append(f"{answer.people} people; {answer.deployments_approved} deployments approved")
        output.result(answer, "\n".join(lines))

    run_signed_in(work, data_dir=data_dir, subject=subject, as_json=as_json)


@support_app.command("request")
def request_support(
    category: Annotated[
        str,
        typer.Argument(help="lpr-tech-support, license-key-request, cctv-and-surveillance-work or other."),
    ],
    details: Annotated[str, typer.Option("--details", help="What is wrong, without plates and names.")],
    subject: As = "",
    data_dir: DataDir = DATA_DIR,
    as_json: Json = False,
) -> None:
    """Opens a request for support, and says where to reach it. Coordinators only."""

    async def work(session: Session, output: Output) -> None:
        request = support_pb.RequestSupportRequest(
            request_id=new_request_id(), category=SUPPORT_CATEGORY.number(category), details=details
        )
        answer = await session.call(_support(session).RequestSupport, request)
        request_id = answer.support_request.support_request_id
        output.result(answer, f"request {request_id}; first tier: {_contact(answer.first_tier)}")

    run_signed_in(work, data_dir=data_dir, subject=subject, as_json=as_json)


@support_app.command("close")
def close_support(
    request_id: RecordId,
    resolution: Annotated[str, typer.Option("--resolution", help="How it ended.")],
    subject: As = "",
    data_dir: DataDir = DATA_DIR,
    as_json: Json = False,
) -> None:
    """Closes a request for support."""

    async def work(session: Session, output: Output) -> None:
        request = support_pb.CloseSupportRequest(
            request_id=new_request_id(), support_request_id=request_id, resolution=resolution
        )
        answer = await session.call(_support(session).CloseSupport, request)
        output.result(answer, f"{request_id} is closed")

    run_signed_in(work, data_dir=data_dir, subject=subject, as_json=as_json)


@support_app.command("list")
def list_support(subject: As = "", data_dir: DataDir = DATA_DIR, as_json: Json = False) -> None:
    """The agency's requests for support, newest first, and the contact of the first tier."""

    async def work(session: Session, output: Output) -> None:
        request = support_pb.ListSupportRequest(page_size=200)
        answer = await session.call(_support(session).ListSupport, request)
        rows = (
            (
                one.open_time.ToJsonString(),
                SUPPORT_CATEGORY.word(one.category),
                one.support_request_id,
                "closed" if one.HasField("close_time") else "open",
                one.details,
            )
            for one in answer.support_requests
        )
        output.table(answer.support_requests, ("opened", "category", "id", "state", "details"), rows)
        output.note(f"first tier: {_contact(answer.first_tier)}")

    run_signed_in(work, data_dir=data_dir, subject=subject, as_json=as_json)


def _use_table(answer: contract_pb.ReportUseResponse) -> str:
    """The report as CSV: the agreement it is held against, then a line a month."""
    text, lease = io.StringIO(newline=""), answer.contract
    writer = csv.writer(text)
    writer.writerow(("agreement with", lease.party))
    writer.writerow(("SHA-256 of the agreement", lease.document_sha256.hex()))
    writer.writerow(("in force", lease.start_time.ToJsonString(), lease.end_time.ToJsonString()))
    writer.writerow(("people", answer.people))
    writer.writerow(("deployments approved", answer.deployments_approved))
    writer.writerow(("month", "questions", "refused", "disclosures"))
    for one in answer.months:
        writer.writerow((one.month, one.questions, one.refused, one.disclosures))
    return text.getvalue()


def _clock(one: incident_pb.Incident) -> str:
    late = ", too late" if one.overdue else ""
    if one.notified_after_seconds:
        return f"after {one.notified_after_seconds // 60} min{late}"
    return f"not yet, due {one.due_time.ToJsonString()}{late}"


def _contact(one: support_pb.Contact) -> str:
    return ", ".join(part for part in (one.name, one.email, one.telephone, one.url) if part)


def _incidents(session: Session) -> incident_rpc.IncidentServiceStub:
    return incident_rpc.IncidentServiceStub(session.channel("audit"))


def _contracts(session: Session) -> contract_rpc.ContractServiceStub:
    return contract_rpc.ContractServiceStub(session.channel("audit"))


def _support(session: Session) -> support_rpc.SupportServiceStub:
    return support_rpc.SupportServiceStub(session.channel("audit"))
