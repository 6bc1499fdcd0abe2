"""`platewarden search report` and `search evidence`: answers as files, which leave on record."""

from pathlib import Path
from typing import Annotated

import typer

from alpr.search.v1 import motor_carrier_service_pb2 as apart_pb
from alpr.search.v1 import motor_carrier_service_pb2_grpc as apart_rpc
from alpr.search.v1 import report_service_pb2 as pb
from alpr.search.v1 import report_service_pb2_grpc as rpc
from alpr.search.v1 import search_service_pb2 as search_pb
from alpr.search.v1 import search_service_pb2_grpc as search_rpc
from services.cli.files import receive, show_file
from services.cli.locate import CommandError
from services.cli.options import new_request_id
from services.cli.output import Output
from services.cli.question import Asked, Window, with_options
from services.cli.recipient import ForWhom, redactions_of
from services.cli.session import Session
from services.cli.subscription import MotorCarrier, partition

_FORMS = {
    ".geojson": pb.REPORT_FORMAT_GEOJSON,
    ".json": pb.REPORT_FORMAT_GEOJSON,
    ".csv": pb.REPORT_FORMAT_CSV,
    ".html": pb.REPORT_FORMAT_HTML,
    ".pdf": pb.REPORT_FORMAT_PDF,
}


@with_options
def report(
    out: Annotated[
        Path, typer.Option("--out", help="File to write; its ending says what: .pdf, .html, .csv, .geojson.")
    ],
    asked: Asked,
    window: Window,
    for_whom: ForWhom,
    plate: Annotated[
        str, typer.Argument(help="The plate; or name reads of an earlier answer with --read.")
    ] = "",
    read: Annotated[list[str] | None, typer.Option("--read", help="Id of a read; may be repeated.")] = None,
    pictures: Annotated[
        int, typer.Option("--pictures", min=0, max=50, help="Show pictures of so many reads, the newest.")
    ] = 12,
    caption: Annotated[str, typer.Option("--caption", help="A line at the head of the report.")] = "",
    redact: Annotated[
        list[str] | None,
        typer.Option(
            "--redact",
            help="FIELD=REASON: leave out plate, place, picture, time or case, or say none=REASON;"
            " may be repeated.",
        ),
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=1000, help="Most reads.")] = 1000,
    motor_carrier: MotorCarrier = False,
) -> None:
    """A report with map, timeline and pictures, marked with your account and the log entries."""
    if bool(plate) == bool(read):
        raise typer.BadParameter("name a plate, or reads with --read")

    async def work(session: Session, output: Output) -> None:
        if out.suffix.lower() not in _FORMS:
            raise CommandError("--out must end with .pdf, .html, .csv or .geojson")
        request = pb.ExportReportRequest(
            request_id=new_request_id(),
            justification=asked.justification(),
            read_ids=read or (),
            format=_FORMS[out.suffix.lower()],
            picture_count=pictures,
            caption=caption,
            recipient=for_whom.message(),
            redactions=redactions_of(redact or []),
            partition=partition(motor_carrier),
        )
        if for_whom.delete_by:
            for_whom.set_due(request.due_to_delete)
        if plate:
            question = _question(plate, window, limit, asked)
            find = _find_apart if motor_carrier else _find
            await find(session, request, question)
        stub = rpc.ReportServiceStub(session.channel("search"))
        described, notice = await receive(session.stream(stub.ExportReport, request), out)
        show_file(described, notice, asked, out, output)

    asked.run(work)


def _question(plate: str, window: Window, limit: int, asked: Asked) -> search_pb.SearchReadsRequest:
    """The question for the reads of the plate, which is recorded by itself."""
    question = search_pb.SearchReadsRequest(
        request_id=new_request_id(),
        justification=asked.justification(),
        plate=plate,
        page_size=limit,
    )
    window.set_in(question)
    return question


async def _find(
    session: Session, request: pb.ExportReportRequest, question: search_pb.SearchReadsRequest
) -> None:
    """Puts the reads that the question finds into the request.

    Raises:
        CommandError: There is none.
    """
    stub = search_rpc.SearchServiceStub(session.channel("search"))
    _put_found(request, await session.call(stub.SearchReads, question))


async def _find_apart(
    session: Session, request: pb.ExportReportRequest, question: search_pb.SearchReadsRequest
) -> None:
    """The same in the Motor Carrier Safety data set."""
    apart = apart_pb.SearchMotorCarrierReadsRequest(
        request_id=question.request_id,
        justification=question.justification,
        plate=question.plate,
        page_size=question.page_size,
    )
    for name in ("from", "to"):
        if question.HasField(name):
            getattr(apart, name).CopyFrom(getattr(question, name))
    stub = apart_rpc.MotorCarrierServiceStub(session.channel("search"))
    _put_found(request, await session.call(stub.SearchMotorCarrierReads, apart))


def _put_found(
    request: pb.ExportReportRequest,
    answer: search_pb.SearchReadsResponse | apart_pb.SearchMotorCarrierReadsResponse,
) -> None:
    if not answer.reads:
        raise CommandError("no read of this plate was found, so there is nothing to report")
    request.read_ids.extend(found.read.read_id for found in answer.reads)
    request.found_by = answer.question_receipt.entry_id


@with_options
def evidence(
    read_id: Annotated[str, typer.Argument(help="Id of the read; every answer shows it.")],
    report_number: Annotated[
        str, typer.Option("--report-number", help="The report that the evidence belongs to.")
    ],
    system: Annotated[str, typer.Option("--system", help="The evidence system that it goes to.")],
    out: Annotated[Path, typer.Option("--out", help="ZIP file to write, or a folder for it.")],
    asked: Asked,
    item: Annotated[str, typer.Option("--item", help="Its number in the evidence system.")] = "",
    motor_carrier: MotorCarrier = False,
) -> None:
    """The evidence package of one read; `platewarden evidence verify` checks it without any network."""

    async def work(session: Session, output: Output) -> None:
        request = pb.ExportEvidenceRequest(
            request_id=new_request_id(),
            justification=asked.justification(),
            read_id=read_id,
            report_number=report_number,
            evidence_system=system,
            evidence_item=item,
            partition=partition(motor_carrier),
        )
        stub = rpc.ReportServiceStub(session.channel("search"))
        described, notice = await receive(session.stream(stub.ExportEvidence, request), out)
        show_file(described, notice, asked, out, output)

    asked.run(work)
