"""`platewarden alert`: look at an alert, acknowledge it, verify it, record what was done."""

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from alpr.alerts.v1 import alert_service_pb2 as pb
from alpr.alerts.v1 import alert_service_pb2_grpc as rpc
from alpr.type.v1 import justification_pb2
from services.cli.options import DATA_DIR, As, DataDir, Json, new_request_id, run_signed_in
from services.cli.output import Output, message_to_dict
from services.cli.session import Session
from services.cli.watch.lines import alert_lines, step_line
from services.cli.words import CASE_KIND, DISPOSITION, UNSPECIFIED_CASE, VERIFICATION

app = typer.Typer(no_args_is_help=True, help="Alerts: show, acknowledge, verify, dispose.")
AlertId = Annotated[str, typer.Argument(help="Id of the alert.")]


@app.command("show")
def show_alert(
    alert_id: AlertId,
    subject: As = "",
    images: Annotated[
        Path | None, typer.Option("--images", help="Write crop.jpg and overview.jpg into this folder.")
    ] = None,
    kind: Annotated[str, typer.Option("--case-kind", help="For alerts older than 24 hours.")] = "",
    case_number: Annotated[str, typer.Option("--case", help="For alerts older than 24 hours.")] = "",
    purpose: Annotated[str, typer.Option("--purpose", help="For alerts older than 24 hours.")] = "",
    offence: Annotated[str, typer.Option("--offence", help="For alerts older than 24 hours.")] = "",
    data_dir: DataDir = DATA_DIR,
    as_json: Json = False,
) -> None:
    """One alert with its pictures and its history; the look is recorded."""

    async def work(session: Session, output: Output) -> None:
        request = pb.GetAlertRequest(request_id=new_request_id(), alert_id=alert_id)
        if kind or case_number or purpose:
            request.justification.CopyFrom(
                justification_pb2.Justification(
                    case_number_kind=CASE_KIND.number(kind) if kind else UNSPECIFIED_CASE,
                    case_number=case_number,
                    purpose=purpose,
                    offence_code=offence,
                )
            )
        answer = await session.call(rpc.AlertServiceStub(session.channel("alerts")).GetAlert, request)
        if images is not None:
            images.mkdir(parents=True, exist_ok=True)
            (images / "crop.jpg").write_bytes(answer.crop_image)
            (images / "overview.jpg").write_bytes(answer.overview_image)
        steps = [message_to_dict(step) for step in answer.history]
        lines = [
            *alert_lines(answer.alert, fresh=False),
            *(f"  {escape(step_line(one))}" for one in answer.history),
        ]
        output.result({**message_to_dict(answer.alert), "history": steps}, "\n".join(lines))

    run_signed_in(work, data_dir=data_dir, subject=subject, as_json=as_json)


@app.command("ack")
def acknowledge_alert(
    alert_id: AlertId, subject: As = "", data_dir: DataDir = DATA_DIR, as_json: Json = False
) -> None:
    """Says that you have seen it."""

    async def work(session: Session, output: Output) -> None:
        _print(await acknowledge(session, alert_id), output)

    run_signed_in(work, data_dir=data_dir, subject=subject, as_json=as_json)


@app.command("verify")
def verify_alert(
    alert_id: AlertId,
    state: Annotated[
        str, typer.Argument(help="verifying, confirmed, not-confirmed, misread, wrong-state or stale.")
    ],
    system: Annotated[
        str, typer.Option("--system", help="Who answered: LEADS, NCIC or the record's owner.")
    ] = "",
    response_id: Annotated[str, typer.Option("--response", help="Id of that answer.")] = "",
    check: Annotated[
        str, typer.Option("--check", help="In place of both: the answer that `platewarden alert ask` got.")
    ] = "",
    subject: As = "",
    data_dir: DataDir = DATA_DIR,
    as_json: Json = False,
) -> None:
    """Records a step of the verification with LEADS or NCIC (ENF-051 III.D.4)."""

    async def work(session: Session, output: Output) -> None:
        _print(await verify(session, alert_id, state, system, response_id, check=check), output)

    run_signed_in(work, data_dir=data_dir, subject=subject, as_json=as_json)


@app.command("dispose")
def dispose_alert(
    alert_id: AlertId,
    disposition: Annotated[
        str, typer.Argument(help="stopped, arrest, recovered, not-located, false-alarm or no-action.")
    ],
    report: Annotated[str, typer.Option("--report", help="Report number.")] = "",
    reported_by: Annotated[
        str, typer.Option("--reported-by", help="Unit or officer that reported it by radio, if not you.")
    ] = "",
    subject: As = "",
    data_dir: DataDir = DATA_DIR,
    as_json: Json = False,
) -> None:
    """Records what was done, or what a patrol reported; enforcement needs a recorded confirmation first."""

    async def work(session: Session, output: Output) -> None:
        _print(await dispose(session, alert_id, disposition, report, reported_by=reported_by), output)

    run_signed_in(work, data_dir=data_dir, subject=subject, as_json=as_json)


async def acknowledge(session: Session, alert_id: str) -> pb.Alert:
    """The alert as stored. Raises AlprError when refused."""
    stub = rpc.AlertServiceStub(session.channel("alerts"))
    request = pb.AcknowledgeAlertRequest(request_id=new_request_id(), alert_id=alert_id)
    answer: pb.AcknowledgeAlertResponse = await session.call(stub.AcknowledgeAlert, request)
    return answer.alert


async def verify(
    session: Session, alert_id: str, state: str, system: str, response_id: str, *, check: str = ""
) -> pb.Alert:
    """The alert as stored. Raises AlprError when refused, CommandError for an unknown state."""
    stub = rpc.AlertServiceStub(session.channel("alerts"))
    request = pb.VerifyAlertRequest(
        request_id=new_request_id(),
        alert_id=alert_id,
        system=system,
        response_id=response_id,
        state=VERIFICATION.number(state),
        check_id=check,
    )
    answer: pb.VerifyAlertResponse = await session.call(stub.VerifyAlert, request)
    return answer.alert


async def dispose(
    session: Session, alert_id: str, disposition: str, report: str, *, reported_by: str = ""
) -> pb.Alert:
    """The alert as stored. Raises AlprError when refused, CommandError for an unknown disposition."""
    stub = rpc.AlertServiceStub(session.channel("alerts"))
    request = pb.DisposeAlertRequest(
        request_id=new_request_id(),
        alert_id=alert_id,
        report_number=report,
        disposition=DISPOSITION.number(disposition),
        reported_by=reported_by,
    )
    answer: pb.DisposeAlertResponse = await session.call(stub.DisposeAlert, request)
    return answer.alert


def _print(alert: pb.Alert, output: Output) -> None:
    output.result(alert, "\n".join(alert_lines(alert, fresh=False)))
