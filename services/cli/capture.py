"""`platewarden capture`: send a photograph, a folder or a video file as a camera would."""

from pathlib import Path
from typing import Annotated

import typer

from alpr.ocr.v1 import ocr_service_pb2 as pb
from alpr.type.v1 import read_pb2
from services.cli.camera import Camera
from services.cli.frames import pictures
from services.cli.locate import CommandError, locate
from services.cli.options import DATA_DIR, DataDir, Json, run
from services.cli.output import Output
from services.cli.sensor_channel import sensor_channel
from services.cli.words import READ_STATUS


def capture(
    path: Annotated[Path, typer.Argument(help="A photograph, a folder of them, or a video file.")],
    sensor: Annotated[str, typer.Option("--sensor", help="Id of the registered sensor.")],
    certificate: Annotated[
        Path | None,
        typer.Option("--cert", help="The sensor's certificate; made here for a stack of this machine."),
    ] = None,
    key: Annotated[Path | None, typer.Option("--key", help="Its private key.")] = None,
    every: Annotated[
        float, typer.Option("--every", min=0.01, help="Seconds between frames of a video.")
    ] = 0.5,
    latitude: Annotated[
        float | None, typer.Option("--latitude", help="For mobile and portable sensors.")
    ] = None,
    longitude: Annotated[
        float | None, typer.Option("--longitude", help="For mobile and portable sensors.")
    ] = None,
    data_dir: DataDir = DATA_DIR,
    as_json: Json = False,
) -> None:
    """Sends pictures to the ocr service and prints what each one became."""

    async def work(output: Output) -> None:
        if (latitude is None) != (longitude is None):
            raise CommandError("give --latitude and --longitude together")
        place = None
        if latitude is not None and longitude is not None:
            place = read_pb2.Place(latitude=latitude, longitude=longitude)
        connection = locate(data_dir)
        async with sensor_channel(connection, sensor, certificate, key) as channel:
            camera = Camera(channel, place, on_wait=output.note)
            async for frame, answer in camera.send(pictures(path, every)):
                show(frame, answer, output)

    run(work, as_json=as_json)


def show(frame: pb.Frame, answer: pb.RecognizeStreamResponse, output: Output) -> None:
    """Prints what one picture became: a line for each plate, or why there is none."""
    if output.as_json:
        output.json_line(answer)
        return
    name = frame.frame_id.rpartition("#")[0] or frame.frame_id
    took = answer.recognition_time.ToTimedelta().total_seconds() * 1000
    if answer.HasField("error"):
        output.console.print(f"  {name}: [red]{answer.error.message}[/]")
    elif not answer.plates:
        output.console.print(f"  {name}: no plate found, nothing stored  [dim]{took:.0f} ms[/]")
    for plate in answer.plates:
        output.console.print(
            f"  {name}: [bold]{plate.read.plate}[/]  confidence {plate.confidence:.2f}  "
            f"{READ_STATUS.word(plate.status)}  [dim]{took:.0f} ms[/]"
            + (f"  [yellow]{plate.status_reason}[/]" if plate.status_reason else "")
        )
