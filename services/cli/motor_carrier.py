"""`platewarden mcs`: questions to the Motor Carrier Safety data set (ENF-051 II.H)."""

from pathlib import Path
from typing import Annotated

import typer

from alpr.search.v1 import motor_carrier_service_pb2 as pb
from alpr.search.v1 import motor_carrier_service_pb2_grpc as rpc
from services.cli.options import new_request_id
from services.cli.output import Output
from services.cli.question import Asked, Page, Window, show_notice, show_record, with_options
from services.cli.search import COLUMNS, row
from services.cli.search_read import show_pictures
from services.cli.session import Session

app = typer.Typer(
    no_args_is_help=True,
    help="Motor Carrier Safety: a data set of its own, for its officers and their supervisors alone.",
)


@app.command()
@with_options
def search(
    asked: Asked,
    window: Window,
    page: Page,
    plate: Annotated[str, typer.Argument(help="The plate, exactly; may be left out with --sensor.")] = "",
    sensor: Annotated[str, typer.Option("--sensor", help="Only what this sensor saw.")] = "",
) -> None:
    """Where was this plate, or what did this sensor see?"""

    async def work(session: Session, output: Output) -> None:
        request = pb.SearchMotorCarrierReadsRequest(
            request_id=new_request_id(),
            justification=asked.justification(),
            plate=plate,
            sensor_id=sensor,
            page_size=page.limit,
            page_token=page.token,
        )
        window.set_in(request)
        stub = rpc.MotorCarrierServiceStub(session.channel("search"))
        answer: pb.SearchMotorCarrierReadsResponse = await session.call(stub.SearchMotorCarrierReads, request)
        asked.keep_receipts(answer)
        if output.as_json:
            output.json_line(answer)
            return
        show_notice(answer, output)
        output.table(list(answer.reads), COLUMNS, map(row, answer.reads))
        show_record(answer, f"{len(answer.reads)} read(s)", output)
        if answer.next_page_token:
            output.note(f"More: --page {answer.next_page_token}")

    asked.run(work)


@app.command()
@with_options
def image(
    read_id: Annotated[str, typer.Argument(help="Id of the read; every answer shows it.")],
    asked: Asked,
    out: Annotated[Path, typer.Option("--out", help="Folder for the pictures; made when it is missing.")],
    original: Annotated[
        bool, typer.Option("--original", help="Write the picture as the sensor sent it, too.")
    ] = False,
) -> None:
    """The pictures of this read: the plate, the scene, and with --original what was stored."""

    async def work(session: Session, output: Output) -> None:
        request = pb.GetMotorCarrierReadImageRequest(
            request_id=new_request_id(),
            justification=asked.justification(),
            read_id=read_id,
            with_original=original,
        )
        stub = rpc.MotorCarrierServiceStub(session.channel("search"))
        answer: pb.GetMotorCarrierReadImageResponse = await session.call(
            stub.GetMotorCarrierReadImage, request
        )
        show_pictures(answer, read_id, out, asked, output)

    asked.run(work)
