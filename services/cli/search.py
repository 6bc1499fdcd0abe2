"""`platewarden search`: a question to the archive, with its case number and purpose."""

import json
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from google.protobuf.timestamp_pb2 import Timestamp

from alpr.audit.v1 import authorization_service_pb2 as audit_pb
from alpr.audit.v1 import authorization_service_pb2_grpc as audit_rpc
from alpr.search.v1 import search_service_pb2 as pb
from alpr.search.v1 import search_service_pb2_grpc as rpc
from alpr.type.v1 import justification_pb2
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
    run_signed_in,
)
from services.cli.output import Output
from services.cli.session import Session
from services.cli.words import CASE_KIND, UNSPECIFIED_CASE
from services.common.receipts import receipt_to_json


def search(
    plate: Annotated[str, typer.Argument(help="The plate; spaces and dashes are dropped.")],
    subject: As = "",
    kind: CaseKind = "",
    case_number: CaseNumber = "",
    outside_agency: OutsideAgency = "",
    purpose: Purpose = "",
    offence: Offence = "",
    since: Annotated[datetime | None, typer.Option("--from", help="From this moment, UTC.")] = None,
    until: Annotated[datetime | None, typer.Option("--to", help="To this moment, UTC.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=1000, help="Most rows of a page.")] = 100,
    page: Annotated[str, typer.Option("--page", help="Token of the next page, from the page before.")] = "",
    receipts: Annotated[
        Path | None,
        typer.Option("--receipts", help="Write the receipts of question and answer into this folder."),
    ] = None,
    data_dir: DataDir = DATA_DIR,
    as_json: Json = False,
) -> None:
    """Where was this plate? Needs a case number and an authorized purpose; both are recorded first."""

    async def work(session: Session, output: Output) -> None:
        request = pb.SearchReadsRequest(
            request_id=new_request_id(),
            justification=justification_pb2.Justification(
                case_number_kind=CASE_KIND.number(kind) if kind else UNSPECIFIED_CASE,
                case_number=case_number,
                outside_agency=outside_agency,
                purpose=purpose,
                offence_code=offence,
            ),
            plate=plate,
            page_size=limit,
            page_token=page,
        )
        for field, moment in (("from", since), ("to", until)):
            if moment is not None:
                stamp = Timestamp()
                stamp.FromDatetime(moment)
                getattr(request, field).CopyFrom(stamp)
        stub = rpc.SearchServiceStub(session.channel("search"))
        answer = await session.call(stub.SearchReads, request)
        if receipts is not None:
            write_receipts(answer, receipts)
        show(answer, output)

    run_signed_in(work, data_dir=data_dir, subject=subject, as_json=as_json)


def purposes(subject: As = "", data_dir: DataDir = DATA_DIR, as_json: Json = False) -> None:
    """The offence and activity codes that a purpose may name."""

    async def work(session: Session, output: Output) -> None:
        stub = audit_rpc.AuthorizationServiceStub(session.channel("audit"))
        answer = await session.call(stub.GetPurposeCatalogue, audit_pb.GetPurposeCatalogueRequest())
        output.table(list(answer.codes), ("code", "title"), ((c.code, c.title) for c in answer.codes))

    run_signed_in(work, data_dir=data_dir, subject=subject, as_json=as_json)


def write_receipts(answer: pb.SearchReadsResponse, folder: Path) -> None:
    """Writes the answer's two receipts into `folder` as question-<index>.json and outcome-<index>.json."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, receipt in (("question", answer.question_receipt), ("outcome", answer.outcome_receipt)):
        path = folder / f"{name}-{receipt.log_index}.json"
        path.write_text(json.dumps(receipt_to_json(receipt), indent=2) + "\n", encoding="utf-8")


def show(answer: pb.SearchReadsResponse, output: Output) -> None:
    """Prints an answer: the notice first, then the reads, then where the record of it stands."""
    if output.as_json:
        output.json_line(answer)
        return
    output.console.print(f"[bold yellow]{answer.notice.text}[/]")
    output.table(
        list(answer.reads), ("captured (UTC)", "plate", "agency", "sensor", "place"), map(_row, answer.reads)
    )
    output.note(
        f"{len(answer.reads)} read(s) between {answer.searched_from.ToDatetime():%Y-%m-%d %H:%M} and "
        f"{answer.searched_to.ToDatetime():%Y-%m-%d %H:%M} UTC; recorded as log entries "
        f"{answer.question_receipt.log_index} (question) and {answer.outcome_receipt.log_index} (answer)"
    )
    if answer.next_page_token:
        output.note(f"More: --page {answer.next_page_token}")


def _row(found: Any) -> tuple[str, ...]:
    read = found.read
    captured = f"{read.capture_time.ToDatetime():%Y-%m-%d %H:%M:%S}"
    return captured, read.plate, found.agency_ori, read.sensor_id, read.place.description
