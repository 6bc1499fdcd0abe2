"""`platewarden alert list`: which alerts were there?"""

from typing import Annotated

import typer

from alpr.alerts.v1 import alert_search_service_pb2 as pb
from alpr.alerts.v1 import alert_search_service_pb2_grpc as rpc
from alpr.alerts.v1 import alert_service_pb2 as alert_pb
from services.cli.options import (
    DATA_DIR,
    As,
    CaseKind,
    CaseNumber,
    DataDir,
    Json,
    Offence,
    OutsideAgency,
    Purpose,
    new_request_id,
)
from services.cli.output import Output, folded
from services.cli.question import Asked, Window, with_options
from services.cli.session import Session
from services.cli.subscription import MotorCarrier, partition
from services.cli.words import CATEGORY, SEVERITY, VERIFICATION

COLUMNS = folded("raised (UTC)", "plate", "severity", "about", "verified", "place", "alert")


@with_options
def list_alerts(
    window: Window,
    category: Annotated[
        list[str] | None, typer.Option("--category", help="Only these; may be repeated.")
    ] = None,
    state: Annotated[
        list[str] | None, typer.Option("--state", help="Only so far verified, for instance new or confirmed.")
    ] = None,
    plate: Annotated[str, typer.Option("--plate", help="Only this plate, exactly.")] = "",
    unseen: Annotated[bool, typer.Option("--unseen", help="Only what nobody has acknowledged.")] = False,
    limit: Annotated[int, typer.Option("--limit", min=1, max=200, help="Most alerts of a page.")] = 50,
    page: Annotated[str, typer.Option("--page", help="Token of the next page, from the page before.")] = "",
    motor_carrier: MotorCarrier = False,
    subject: As = "",
    kind: CaseKind = "",
    case_number: CaseNumber = "",
    outside_agency: OutsideAgency = "",
    purpose: Purpose = "",
    offence: Offence = "",
    data_dir: DataDir = DATA_DIR,
    as_json: Json = False,
) -> None:
    """Alerts of your agency, newest first. More than 24 hours back needs a case number and a purpose."""
    asked = Asked(
        subject=subject,
        kind=kind,
        case_number=case_number,
        outside_agency=outside_agency,
        purpose=purpose,
        offence=offence,
        data_dir=data_dir,
        as_json=as_json,
    )

    async def work(session: Session, output: Output) -> None:
        request = pb.ListAlertsRequest(
            request_id=new_request_id(),
            partition=partition(motor_carrier),
            page_size=limit,
            page_token=page,
            categories=[CATEGORY.number(word) for word in category or ()],
            verification_states=[VERIFICATION.number(word) for word in state or ()],
            only_unacknowledged=unseen,
            plate=plate,
        )
        window.set_in(request)
        if kind or case_number or purpose:
            request.justification.CopyFrom(asked.justification())
        stub = rpc.AlertSearchServiceStub(session.channel("alerts"))
        show(await session.call(stub.ListAlerts, request), output)

    asked.run(work)


def show(answer: pb.ListAlertsResponse, output: Output) -> None:
    """Prints the page: first what alerts are good for, last where its record stands."""
    if output.as_json:
        output.json_line(answer)
        return
    output.console.print(f"[bold yellow]{answer.notice.text}[/]")
    output.table(list(answer.alerts), COLUMNS, map(_row, answer.alerts))
    output.note(f"{len(answer.alerts)} alert(s); recorded as log entry {answer.receipt.log_index}")
    if answer.next_page_token:
        output.note(f"More: --page {answer.next_page_token}")


def _row(alert: alert_pb.Alert) -> tuple[str, ...]:
    place = alert.place
    return (
        f"{alert.raise_time.ToDatetime():%Y-%m-%d %H:%M:%S}",
        f"{alert.plate} {alert.state}".strip(),
        SEVERITY.word(alert.severity),
        CATEGORY.word(alert.entries[0].category),
        VERIFICATION.word(alert.notice.verification_state),
        place.description or f"{place.latitude:.5f}, {place.longitude:.5f}",
        alert.alert_id,
    )
