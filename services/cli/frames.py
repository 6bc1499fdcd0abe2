"""Pictures to send: a photograph, a folder of them, the frames of a video file, or those of a live camera."""

import hashlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import cv2
import numpy as np

from services.cli.footage import Shown, live_frames, video_frames
from services.cli.locate import CommandError

_SENT_AS_THEY_ARE = {".jpg", ".jpeg", ".png"}
_PHOTOS = _SENT_AS_THEY_ARE | {".bmp", ".webp", ".tif", ".tiff"}
_VIDEOS = {".mp4", ".mov", ".mkv", ".avi", ".webm", ".ts", ".m4v", ".mpg", ".mpeg", ".h264"}
_LIVE = ("rtsp://", "rtsps://")
_JPEG_QUALITY = 92
_SHORT_HASH = 16
_LONGEST_NAME = 80


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture to send.

    Attributes:
        name: The sender's frame id.
        image: Its bytes.
        capture_time: None for a photograph, which is taken to be made when it is sent.
        file: Where it comes from: a path relative to the folder that was named, a video's name, an address.
    """

    name: str
    image: bytes
    capture_time: datetime | None
    file: str = ""


def is_live(source: str) -> bool:
    """Whether `source` is the address of a camera."""
    return source.lower().startswith(_LIVE)


def is_video(source: str) -> bool:
    """Whether the pictures of `source` are frames that follow one another: a video file or a camera."""
    return is_live(source) or Path(source).suffix.lower() in _VIDEOS


def pictures(source: str | Path, every_seconds: float, *, real_time: bool = False) -> Iterator[Picture]:
    """The pictures of `source` in order; a video gives a frame for each `every_seconds`, 0 for all of them.

    A photograph has no capture time of its own; a video's frames are placed as if the video ended now, or,
    with `real_time`, as if it began now, and then they come no faster than they were taken.

    Raises:
        CommandError: There is nothing that can be sent.
    """
    if is_live(str(source)):
        yield from _encoded(live_frames(str(source), every_seconds), _without_secrets(str(source)))
        return
    path = Path(source)
    if not path.exists():
        raise CommandError(f"{path} does not exist")
    folder = path if path.is_dir() else path.parent
    files = photographs(path) if path.is_dir() else [path]
    if not files:
        raise CommandError(f"{path} holds no photograph ({', '.join(sorted(_PHOTOS))})")
    for file in files:
        if file.suffix.lower() in _VIDEOS:
            frames = video_frames(file, every_seconds, begins_now=real_time)
            yield from _encoded(_paced(frames) if real_time else frames, file.name)
        elif file.suffix.lower() in _PHOTOS:
            yield _photograph(file, file.relative_to(folder).as_posix())
        else:
            raise CommandError(f"{file} is neither a photograph nor a video by its name")


def photographs(folder: Path) -> list[Path]:
    """The photographs in `folder` and below it, by name."""
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in _PHOTOS and path.is_file())


def _photograph(file: Path, shown: str) -> Picture:
    image = file.read_bytes()
    if file.suffix.lower() not in _SENT_AS_THEY_ARE:
        # Whatever cannot be decoded here is sent as it is, and refused with the reason.
        image = _as_png(image) or image
    return Picture(_frame_id(shown, image), image, None, shown)


def _as_png(image: bytes) -> bytes | None:
    pixels = cv2.imdecode(np.frombuffer(image, dtype=np.uint8), cv2.IMREAD_COLOR)
    return None if pixels is None else cv2.imencode(".png", pixels)[1].tobytes()


def _encoded(frames: Iterator[Shown], name: str) -> Iterator[Picture]:
    for frame in frames:
        _, encoded = cv2.imencode(".jpg", frame.pixels, (cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY))
        image = encoded.tobytes()
        yield Picture(_frame_id(name, image), image, frame.capture_time, name)


def _paced(frames: Iterator[Shown]) -> Iterator[Shown]:
    for frame in frames:
        time.sleep(max(0.0, (frame.capture_time - datetime.now(UTC)).total_seconds()))
        yield frame


def _without_secrets(address: str) -> str:
    """The address of a camera without the name and password that often stand in it."""
    scheme, _, rest = address.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}"


def _frame_id(name: str, image: bytes) -> str:
    return f"{name[-_LONGEST_NAME:]}#{hashlib.sha256(image).hexdigest()[:_SHORT_HASH]}"
