"""`platewarden capture`: send pictures, video, a live camera or pushed messages, as a sensor would."""

import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from time import monotonic
from typing import Annotated

import typer

from alpr.ocr.v1 import ocr_service_pb2 as pb
from alpr.type.v1 import read_pb2
from services.cli.camera import Camera
from services.cli.feed import Feed
from services.cli.frames import Picture, is_live, is_video, pictures
from services.cli.lines import line_of_answer
from services.cli.locate import CommandError, locate
from services.cli.options import DATA_DIR, DataDir, Json, run
from services.cli.output import Output
from services.cli.push import push, secret_of
from services.cli.sensor_channel import sensor_channel
from services.cli.words import READ_STATUS

_MOST_WAITING = 16


def capture(
    source: Annotated[
        str,
        typer.Argument(help="A photograph, a folder of them, a video file, rtsp://... of a camera, or JSON."),
    ],
    sensor: Annotated[str, typer.Option("--sensor", help="Id of the registered sensor.")],
    certificate: Annotated[
        Path | None,
        typer.Option("--cert", help="The sensor's certificate; else the one that `sensor certify` got here."),
    ] = None,
    key: Annotated[Path | None, typer.Option("--key", help="Its private key.")] = None,
    layout: Annotated[
        str,
        typer.Option(
            "--from",
            help="The source is a JSON file of messages that cameras push: rekor, plate-recognizer, flock.",
        ),
    ] = "",
    secret: Annotated[
        Path | None,
        typer.Option(
            "--secret", help="File with the sensor's secret, for --from; made here for this machine's stack."
        ),
    ] = None,
    every: Annotated[
        float, typer.Option("--every", min=0, help="Seconds between frames of a video; 0 takes all.")
    ] = 0.1,
    singly: Annotated[
        bool, typer.Option("--singly", help="Each frame of a video is read by itself; no passages.")
    ] = False,
    real_time: Annotated[
        bool, typer.Option("--real-time", help="Send a video file no faster than it was taken.")
    ] = False,
    seconds: Annotated[
        float | None, typer.Option("--seconds", min=0.1, help="Stop a live camera after so long.")
    ] = None,
    latitude: Annotated[
        float | None, typer.Option("--latitude", help="For mobile and portable sensors.")
    ] = None,
    longitude: Annotated[
        float | None, typer.Option("--longitude", help="For mobile and portable sensors.")
    ] = None,
    data_dir: DataDir = DATA_DIR,
    as_json: Json = False,
) -> None:
    """Sends pictures to the ocr service, or messages to its receiver, and prints what each one became.

    With --json one line for each picture: file, plates (text, score, box, corners, candidates), status.
    """

    async def work(output: Output) -> None:
        place = _place(latitude, longitude)
        connection = locate(data_dir)
        if layout:
            shown = secret_of(connection, sensor, secret)
            await push(connection, layout, sensor, _file(source), shown, output)
            return
        files: dict[str, str] = {}
        sent = _noted(_until(pictures(source, every, real_time=real_time), seconds), files)
        feed = Feed(sent, most=_MOST_WAITING, live=is_live(source))
        async with sensor_channel(connection, sensor, certificate, key) as channel:
            video = is_video(source) and not singly
            camera = Camera(channel, place, on_wait=output.note, video=video)
            async for frame, answer in camera.send(feed.items()):
                show(frame, answer, output, files.pop(frame.frame_id, ""))
        if feed.dropped:
            output.note(f"Dropped {feed.dropped} frame(s): the camera was faster than they could be sent")

    run(work, as_json=as_json)


def show(frame: pb.Frame, answer: pb.RecognizeStreamResponse, output: Output, file: str = "") -> None:
    """Prints what one picture became: a line for each plate, or why there is none."""
    name = file or frame.frame_id.rpartition("#")[0] or frame.frame_id
    if output.as_json:
        output.json_line(line_of_answer(name, answer))
        return
    took = answer.recognition_time.ToTimedelta().total_seconds() * 1000
    if answer.HasField("error"):
        output.console.print(f"  {name}: [red]{answer.error.message}[/]")
    elif not answer.plates and not any(one.passage_id for one in answer.sightings):
        output.console.print(f"  {name}: no plate found, nothing stored  [dim]{took:.0f} ms[/]")
    for plate in answer.plates:
        output.console.print(
            f"  {name}: [bold]{plate.read.plate}[/]  confidence {plate.confidence:.2f}  "
            f"{_passage(plate)}{READ_STATUS.word(plate.status)}  [dim]{took:.0f} ms[/]"
            + (f"  [yellow]{plate.status_reason}[/]" if plate.status_reason else "")
        )


def _passage(plate: pb.RecognizedPlate) -> str:
    if not plate.read.HasField("passage"):
        return ""
    passage = plate.read.passage
    direction = read_pb2.TravelDirection.Name(passage.direction).removeprefix("TRAVEL_DIRECTION_").lower()
    words = f"{passage.frame_count} frame(s)"
    return f"{words}, {direction}  " if passage.direction else f"{words}  "


def _file(source: str) -> Path:
    file = Path(source)
    if not file.is_file():
        msg = f"{source} is no file"
        raise CommandError(msg)
    return file


def _place(latitude: float | None, longitude: float | None) -> read_pb2.Place | None:
    if (latitude is None) != (longitude is None):
        raise CommandError("give --latitude and --longitude together")
    if latitude is None or longitude is None:
        return None
    return read_pb2.Place(latitude=latitude, longitude=longitude)


def _noted(sent: Iterable[Picture], files: dict[str, str]) -> Iterator[Picture]:
    """`sent`; notes in `files` where each comes from, by the id of its frame."""
    for picture in sent:
        files[picture.name] = picture.file
        yield picture


def _until(sent: Iterator[Picture], seconds: float | None) -> Iterator[Picture]:
    """`sent`, for so long from the first picture on."""
    end = None
    for picture in sent:
        end = end or monotonic() + (seconds or math.inf)
        if monotonic() >= end:
            return
        yield picture
