"""`platewarden read`: read the plates of pictures here, without services; nothing is kept or sent."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import cv2
import typer
from rich.markup import escape

from services.cli.frames import Picture, is_live, is_video, pictures
from services.cli.lines import Document, line_of_sight
from services.cli.locate import CommandError
from services.cli.options import Json, run
from services.cli.output import Output
from services.common.config import ConfigError
from services.dev.places import default_model_dir
from services.ocr.core.fusion import fuse_track
from services.ocr.core.pictures import PictureError, decoded
from services.ocr.core.plates import Sight
from services.ocr.core.tracks import Sighting, Track, Tracker
from services.ocr.models import known_versions

if TYPE_CHECKING:
    from services.ocr.engine import Engine

_NO_SIGHT = Sight((), ())


def read(
    source: Annotated[str, typer.Argument(help="A photograph, a folder of them, or a video file.")],
    models: Annotated[
        Path | None, typer.Option("--models", help="Folder of the models (or PW_MODEL_DIR).")
    ] = None,
    version: Annotated[
        str | None, typer.Option("--version", help="Version of the models; the newest if not named.")
    ] = None,
    threads: Annotated[int, typer.Option("--threads", min=1, help="Threads for one picture.")] = 1,
    every: Annotated[
        float, typer.Option("--every", min=0, help="Seconds between frames of a video; 0 takes all.")
    ] = 0.1,
    as_json: Json = False,
) -> None:
    """Reads the plates of pictures on this machine and prints them. Needs no stack and keeps nothing.

    With --json one line for each picture, as `platewarden capture`, and one for each passage of a video.
    """

    async def work(output: Output) -> None:
        if is_live(source):
            raise CommandError("a live camera is for `platewarden capture`")
        engine = _engine(models or default_model_dir(), version, threads)
        passages = Passages() if is_video(source) else None
        for picture in pictures(source, every):
            line, sight = look(engine, picture)
            _show(line, output)
            if passages is not None and picture.capture_time is not None:
                for track in passages.after(sight, picture.capture_time.timestamp()):
                    _show_passage(track, picture.file, output)
        for track in passages.rest() if passages else ():
            _show_passage(track, Path(source).name, output)

    run(work, as_json=as_json)


class Passages:
    """The passages of a video. A plate that could never be read by itself is none."""

    def __init__(self) -> None:
        self._tracker = Tracker()
        self._readable: set[int] = set()

    def after(self, sight: Sight, at: float) -> list[Track]:
        """Takes the plates of a frame; the passages that ended before it."""
        plates = (*sight.plates, *sight.unreadable)
        step = self._tracker.step([Sighting(plate.quad, plate.reading) for plate in plates], at)
        self._readable.update(track.number for track in step.tracks[: len(sight.plates)])
        return self._of_readable(step.ended)

    def rest(self) -> list[Track]:
        """The passages that are under way; they end."""
        return self._of_readable(self._tracker.end())

    def _of_readable(self, tracks: tuple[Track, ...]) -> list[Track]:
        return [track for track in tracks if track.number in self._readable]


def look(engine: "Engine", picture: Picture) -> tuple[Document, Sight]:
    """What is in the picture, as a line and as it is."""
    start = time.process_time()
    try:
        image = decoded(picture.image)
    except PictureError as error:
        failed = {"reason": "BAD_IMAGE", "message": f"the image {error}"}
        return {"file": picture.file, "plates": [], "unreadable": [], "error": failed}, _NO_SIGHT
    sight = engine.look(image)
    return line_of_sight(picture.file, sight, time.process_time() - start), sight


def _engine(folder: Path, version: str | None, threads: int) -> "Engine":
    # Loading it takes longer than most commands.
    from services.ocr.engine import Engine  # noqa: PLC0415

    cv2.setNumThreads(1)
    try:
        versions = known_versions(folder)
        if version is not None and version not in versions:
            raise CommandError(f"there is no version {version}; there are: {', '.join(versions)}")
        return Engine(versions[version] if version else list(versions.values())[-1], threads=threads)
    except ConfigError as error:
        raise CommandError(str(error)) from None


def _show(line: Document, output: Output) -> None:
    if output.as_json:
        output.json_line(line)
    elif "error" in line:
        output.console.print(f"  {escape(line['file'])}: [red]{line['error']['message']}[/]")
    else:
        read = "  ".join(f"[bold]{plate['text']}[/] {plate['score']:.2f}" for plate in line["plates"])
        output.console.print(f"  {escape(line['file'])}: {read or 'no plate read'}  [dim]{line['ms']} ms[/]")


def _show_passage(track: Track, file: str, output: Output) -> None:
    fused = fuse_track(track.readings)
    document = {
        "file": file,
        "passage": track.number,
        "text": fused.text,
        "score": round(fused.probability, 4),
        "candidates": [{"text": one.text, "score": round(one.probability, 4)} for one in fused.candidates],
        "frames": track.frames,
        "direction": track.direction.value,
        "seconds": round(track.last.at - track.first.at, 2),
    }
    words = f"{fused.probability:.2f}, {track.frames} frame(s), {track.direction.value}"
    output.result(document, f"  passage {track.number}: [bold]{fused.text}[/] {words}")
