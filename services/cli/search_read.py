"""`platewarden search read` and `search image`: one read by its id, and its picture."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from alpr.search.v1 import motor_carrier_service_pb2 as apart_pb
from alpr.search.v1 import search_service_pb2 as pb
from alpr.search.v1 import search_service_pb2_grpc as rpc
from services.cli.locate import CommandError
from services.cli.options import new_request_id
from services.cli.output import Output, message_to_dict
from services.cli.question import Asked, show_notice, show_record, with_options
from services.cli.search import COLUMNS, row
from services.cli.session import Session

ReadId = Annotated[str, typer.Argument(help="Id of the read; every answer shows it.")]
_PICTURES: tuple[Literal["crop_image", "overview_image", "original_image"], ...] = (
    "crop_image",
    "overview_image",
    "original_image",
)
Pictures = pb.GetReadImageResponse | apart_pb.GetMotorCarrierReadImageResponse
_ENDINGS = {"image/jpeg": "jpg", "image/png": "png"}


@with_options
def read(read_id: ReadId, asked: Asked) -> None:
    """What is in this read? With all that the recogniser said of it (--json)."""

    async def work(session: Session, output: Output) -> None:
        request = pb.GetReadRequest(
            request_id=new_request_id(), justification=asked.justification(), read_id=read_id
        )
        stub = rpc.SearchServiceStub(session.channel("search"))
        answer: pb.GetReadResponse = await session.call(stub.GetRead, request)
        asked.keep_receipts(answer)
        if output.as_json:
            output.json_line(answer)
            return
        show_notice(answer, output)
        output.table([answer.read], COLUMNS, [row(answer.read)])
        show_record(answer, "1 read", output)

    asked.run(work)


@with_options
def image(
    read_id: ReadId,
    asked: Asked,
    out: Annotated[Path, typer.Option("--out", help="Folder for the pictures; made when it is missing.")],
    original: Annotated[
        bool, typer.Option("--original", help="Write the picture as the sensor sent it, too.")
    ] = False,
) -> None:
    """The pictures of this read: the plate, the scene, and with --original what was stored."""

    async def work(session: Session, output: Output) -> None:
        request = pb.GetReadImageRequest(
            request_id=new_request_id(),
            justification=asked.justification(),
            read_id=read_id,
            with_original=original,
        )
        stub = rpc.SearchServiceStub(session.channel("search"))
        answer: pb.GetReadImageResponse = await session.call(stub.GetReadImage, request)
        show_pictures(answer, read_id, out, asked, output)

    asked.run(work)


def show_pictures(answer: Pictures, read_id: str, folder: Path, asked: Asked, output: Output) -> None:
    """Writes what came into `folder` and says where.

    Raises:
        CommandError: The folder cannot be written.
    """
    asked.keep_receipts(answer)
    written = _write_pictures(answer, read_id, folder)
    if output.as_json:
        for field in _PICTURES:
            answer.ClearField(field)
        output.json_line(message_to_dict(answer) | {"files": [str(path) for path in written]})
        return
    show_notice(answer, output)
    for path in written:
        output.say(str(path))
    show_record(answer, f"{len(written)} picture(s)", output)


def _write_pictures(answer: Pictures, read_id: str, folder: Path) -> list[Path]:
    """Writes what came as <read id>-plate.jpg, -scene.jpg and -original, and gives the paths.

    Raises:
        CommandError: The folder cannot be written.
    """
    ending = _ENDINGS.get(answer.image.media_type, "bin")
    names = (f"{read_id}-plate.jpg", f"{read_id}-scene.jpg", f"{read_id}-original.{ending}")
    pictures = {name: getattr(answer, field) for name, field in zip(names, _PICTURES, strict=True)}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        written = [folder / name for name, data in pictures.items() if data]
        for path in written:
            path.write_bytes(pictures[path.name])
    except OSError as error:
        raise CommandError(f"{folder} cannot be written: {error.strerror}") from None
    return written
