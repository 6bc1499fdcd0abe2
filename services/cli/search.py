"""`platewarden search`: questions to the archive, each with its case number and purpose."""

from typing import Annotated, Any

import typer

from alpr.audit.v1 import authorization_service_pb2 as audit_pb
from alpr.audit.v1 import authorization_service_pb2_grpc as audit_rpc
from alpr.search.v1 import search_service_pb2 as pb
from alpr.search.v1 import search_service_pb2_grpc as rpc
from services.cli.options import DATA_DIR, As, DataDir, Json, new_request_id, run_signed_in
from services.cli.output import Output
from services.cli.question import Asked, Page, Window, show_notice, show_record, with_options
from services.cli.session import Session

app = typer.Typer(
    no_args_is_help=True,
    help="Questions to the archive; each needs a case number and an authorized purpose, recorded first.",
)


@app.command()
@with_options
def plate(
    plate: Annotated[str, typer.Argument(help="The plate; spaces and dashes are dropped.")],
    asked: Asked,
    window: Window,
    page: Page,
) -> None:
    """Where was this plate?"""

    async def work(session: Session, output: Output) -> None:
        request = pb.SearchReadsRequest(
            request_id=new_request_id(),
            justification=asked.justification(),
            plate=plate,
            page_size=page.limit,
            page_token=page.token,
        )
        window.set_in(request)
        stub = rpc.SearchServiceStub(session.channel("search"))
        answer = await session.call(stub.SearchReads, request)
        asked.keep_receipts(answer)
        show(answer, output)

    asked.run(work)


def purposes(subject: As = "", data_dir: DataDir = DATA_DIR, as_json: Json = False) -> None:
    """The offence and activity codes that a purpose may name."""

    async def work(session: Session, output: Output) -> None:
        stub = audit_rpc.AuthorizationServiceStub(session.channel("audit"))
        answer = await session.call(stub.GetPurposeCatalogue, audit_pb.GetPurposeCatalogueRequest())
        output.table(list(answer.codes), ("code", "title"), ((c.code, c.title) for c in answer.codes))

    run_signed_in(work, data_dir=data_dir, subject=subject, as_json=as_json)


def show(answer: pb.SearchReadsResponse, output: Output) -> None:
    """Prints an answer: the notice first, then the reads, then where the record of it stands."""
    if output.as_json:
        output.json_line(answer)
        return
    show_notice(answer, output)
    output.table(
        list(answer.reads), ("captured (UTC)", "plate", "agency", "sensor", "place"), map(_row, answer.reads)
    )
    show_record(answer, f"{len(answer.reads)} read(s)", output)
    if answer.next_page_token:
        output.note(f"More: --page {answer.next_page_token}")


def _row(found: Any) -> tuple[str, ...]:
    read = found.read
    captured = f"{read.capture_time.ToDatetime():%Y-%m-%d %H:%M:%S}"
    return captured, read.plate, found.agency_ori, read.sensor_id, read.place.description
