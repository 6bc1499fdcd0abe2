"""`platewarden search`: questions to the archive, each with its case number and purpose."""

from typing import Annotated, Any

import typer
from rich.table import Column

from alpr.audit.v1 import authorization_service_pb2 as audit_pb
from alpr.audit.v1 import authorization_service_pb2_grpc as audit_rpc
from alpr.search.v1 import search_service_pb2 as pb
from alpr.search.v1 import search_service_pb2_grpc as rpc
from services.cli.locate import CommandError
from services.cli.options import DATA_DIR, As, DataDir, Json, new_request_id, run_signed_in
from services.cli.output import Output
from services.cli.question import Asked, Page, Where, Window, show_notice, show_record, with_options
from services.cli.session import Session
from services.cli.words import PROVENANCE

app = typer.Typer(
    no_args_is_help=True,
    help="Questions to the archive; each needs a case number and an authorized purpose, recorded first.",
)

# On a narrow screen all is folded and nothing cut off: ids are copied into the next question.
COLUMNS = (
    *(Column(name, no_wrap=True) for name in ("captured (UTC)", "plate")),
    *(Column(name, overflow="fold") for name in ("state", "agency", "origin", "sensor", "place", "read")),
)

State = Annotated[
    str, typer.Option("--state", help="Issuing state, two letters; reads without a state stay in.")
]
Origin = Annotated[
    str, typer.Option("--origin", help="Whose reads: own, partner, commercial; joined by commas.")
]

OwnOnly = Annotated[bool, typer.Option("--own-only", help="Leave out what other agencies share.")]


@app.command()
@with_options
def plate(
    plate: Annotated[
        str,
        typer.Argument(help="The plate; ? stands for any one character, * for any number (quote it)."),
    ],
    asked: Asked,
    window: Window,
    where: Where,
    page: Page,
    look_alike: Annotated[
        bool,
        typer.Option("--look-alike", help="0 O Q D are one character, and so 1 I L, 2 Z, 5 S, 6 G, 8 B."),
    ] = False,
    one_off: Annotated[
        bool, typer.Option("--one-off", help="One character may be another one, missing or too much.")
    ] = False,
    state: State = "",
    origin: Origin = "",
    own_only: OwnOnly = False,
) -> None:
    """Where was this plate, or one like it?"""
    if look_alike and one_off:
        raise typer.BadParameter("choose --look-alike or --one-off")
    match = pb.PLATE_MATCH_LOOK_ALIKE if look_alike else pb.PLATE_MATCH_UNSPECIFIED
    request = pb.SearchReadsRequest(
        plate=plate,
        plate_match=pb.PLATE_MATCH_ONE_OFF if one_off else match,
        state=state,
        own_agency_only=own_only,
    )
    _search(request, asked, window, where, page, origin)


@app.command()
@with_options
def area(
    asked: Asked,
    window: Window,
    where: Where,
    page: Page,
    state: State = "",
    origin: Origin = "",
    own_only: OwnOnly = False,
) -> None:
    """What was seen here? Needs --near, --within, --group or --sensors."""
    request = pb.SearchReadsRequest(state=state, own_agency_only=own_only)
    _search(request, asked, window, where, page, origin)


def _search(
    request: pb.SearchReadsRequest, asked: Asked, window: Window, where: Where, page: Page, origin: str
) -> None:
    async def work(session: Session, output: Output) -> None:
        request.request_id = new_request_id()
        request.justification.CopyFrom(asked.justification())
        request.page_size, request.page_token = page.limit, page.token
        request.provenances.extend(PROVENANCE.number(word) for word in origin.split(",") if word)
        place = where.area()
        if place is not None:
            request.area.CopyFrom(place)
        elif not request.plate:
            raise CommandError("say where: --near, --within, --group or --sensors")
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
    output.table(list(answer.reads), COLUMNS, map(row, answer.reads))
    show_record(answer, f"{len(answer.reads)} read(s)", output)
    if answer.next_page_token:
        output.note(f"More: --page {answer.next_page_token}")


def row(found: Any) -> tuple[str, ...]:
    """A read as a line of a table."""
    read = found.read
    return (
        f"{read.capture_time.ToDatetime():%Y-%m-%d %H:%M:%S}",
        read.plate,
        read.states[0].state or read.states[0].country if read.states else "",
        found.agency_ori,
        PROVENANCE.word(found.provenance),
        read.sensor_id,
        read.place.description,
        read.read_id,
    )
