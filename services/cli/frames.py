"""Pictures to send: a photograph, a folder of them, or frames of a video file."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import cv2

from services.cli.locate import CommandError

_PHOTOS = {".jpg", ".jpeg", ".png"}
_VIDEOS = {".mp4", ".mov", ".mkv", ".avi", ".webm"}
_JPEG_QUALITY = 92


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture to send: its name (the sender's frame id), its bytes and the moment of its capture."""

    name: str
    image: bytes
    capture_time: datetime | None


def pictures(path: Path, every_seconds: float) -> Iterator[Picture]:
    """The pictures of `path` in order; a video gives one frame for each `every_seconds` of it.

    A photograph has no capture time of its own and gets the moment at which it is sent; a video's frames are
    placed as if the video ended now.

    Raises:
        CommandError: There is nothing that can be sent.
    """
    if not path.exists():
        raise CommandError(f"{path} does not exist")
    files = photographs(path) if path.is_dir() else [path]
    if not files:
        raise CommandError(f"{path} holds no photograph (.jpg, .jpeg, .png)")
    for file in files:
        if file.suffix.lower() in _VIDEOS:
            yield from _video(file, every_seconds)
        elif file.suffix.lower() in _PHOTOS:
            yield _photograph(file)
        else:
            raise CommandError(
                f"{file} is neither a photograph (.jpg, .png) nor a video (.mp4, .mov, .mkv, .avi)"
            )


def photographs(folder: Path) -> list[Path]:
    """The photographs in `folder`, or in its folder `images`, by name."""
    found = [p for p in sorted(folder.iterdir()) if p.suffix.lower() in _PHOTOS]
    images = folder / "images"
    return found or (photographs(images) if images.is_dir() else [])


def _photograph(file: Path) -> Picture:
    image = file.read_bytes()
    return Picture(_frame_id(file, image), image, None)


def _video(file: Path, every_seconds: float) -> Iterator[Picture]:
    video = cv2.VideoCapture(str(file))
    rate, count = video.get(cv2.CAP_PROP_FPS) or 25.0, video.get(cv2.CAP_PROP_FRAME_COUNT)
    if not video.isOpened() or count < 1:
        raise CommandError(f"{file} cannot be decoded")
    step = max(1, round(rate * every_seconds))
    start = datetime.now(UTC) - timedelta(seconds=count / rate)
    index = 0
    while video.grab():
        if index % step == 0:
            _, frame = video.retrieve()
            _, encoded = cv2.imencode(".jpg", frame, (cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY))
            image = encoded.tobytes()
            yield Picture(_frame_id(file, image), image, start + timedelta(seconds=index / rate))
        index += 1
    video.release()


def _frame_id(file: Path, image: bytes) -> str:
    return f"{file.name[-80:]}#{hashlib.sha256(image).hexdigest()[:16]}"
