"""Frames of video files and of live cameras (RTSP), decoded by FFmpeg through PyAV."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from services.cli.locate import CommandError

if TYPE_CHECKING:
    from av.container import InputContainer

# A camera that says nothing for so long is asked anew, and given up when it stays away.
_SILENCE_SECONDS = 5.0
_PATIENCE_SECONDS = 45.0
_PAUSE_SECONDS = 1.0
# TCP: a plate is worth more than a few milliseconds, and lost packets smear it.
_RTSP_OPTIONS = {"rtsp_transport": "tcp", "fflags": "nobuffer"}
# A camera's frames are dated by its own clock from the first one on, unless that clock runs away from ours.
_MOST_DRIFT = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Shown:
    """A decoded frame, BGR, and when it was taken."""

    pixels: npt.NDArray[np.uint8]
    capture_time: datetime


def video_frames(file: Path, every_seconds: float, *, begins_now: bool) -> Iterator[Shown]:
    """A frame for each `every_seconds` of the file, dated as if it ended now, or began now.

    Raises:
        CommandError: It cannot be decoded.
    """
    av = _av()
    try:
        with av.open(str(file)) as container:
            length = timedelta(microseconds=0 if begins_now else container.duration or 0)
            start = datetime.now(UTC) - length
            for seconds, pixels in _sampled(container, every_seconds):
                yield Shown(pixels, start + timedelta(seconds=seconds))
    except (av.FFmpegError, IndexError):
        raise CommandError(f"{file} cannot be decoded") from None


def live_frames(address: str, every_seconds: float) -> Iterator[Shown]:
    """A frame of the camera for each `every_seconds`, for ever; a camera that went away is asked again.

    Raises:
        CommandError: No frame came for 45 seconds.
    """
    av, heard = _av(), time.monotonic()
    while True:
        try:
            with av.open(address, options=_RTSP_OPTIONS, timeout=_SILENCE_SECONDS) as container:
                for shown in _dated_by_arrival(_sampled(container, every_seconds)):
                    heard = time.monotonic()
                    yield shown
        except (av.FFmpegError, IndexError) as error:
            reason = type(error).__name__
        else:
            reason = "the stream ended"
        if time.monotonic() - heard > _PATIENCE_SECONDS:
            raise CommandError(f"no frame came from the camera for {_PATIENCE_SECONDS:.0f} s ({reason})")
        time.sleep(_PAUSE_SECONDS)


def _dated_by_arrival(frames: Iterator[tuple[float, npt.NDArray[np.uint8]]]) -> Iterator[Shown]:
    start: datetime | None = None
    for seconds, pixels in frames:
        now, since = datetime.now(UTC), timedelta(seconds=seconds)
        if start is None or abs(start + since - now) > _MOST_DRIFT:
            start = now - since
        yield Shown(pixels, start + since)


def _sampled(
    container: "InputContainer", every_seconds: float
) -> Iterator[tuple[float, npt.NDArray[np.uint8]]]:
    """Seconds since the first frame, and pixels, of a frame for each `every_seconds`."""
    stream = container.streams.video[0]
    stream.thread_type = "AUTO"
    rate = float(stream.average_rate or 25)
    first: float | None = None
    due = 0.0
    for number, frame in enumerate(container.decode(stream)):
        at = frame.time if frame.time is not None else number / rate
        first = at if first is None else first
        seconds = at - first
        # Half a frame early is nearer than half a frame late.
        if seconds < due - 0.5 / rate:
            continue
        due = max(due + every_seconds, seconds - every_seconds) if every_seconds else seconds
        yield seconds, _upright(frame)


def _upright(frame: Any) -> npt.NDArray[np.uint8]:
    """The pixels, turned as the video says; a telephone held upright films lying down."""
    turns = round(frame.rotation / 90) % 4
    pixels = np.rot90(frame.to_ndarray(format="bgr24"), turns)
    return np.ascontiguousarray(pixels, dtype=np.uint8)


def _av() -> Any:
    try:
        import av  # noqa: PLC0415 - only who sends video needs it
    except ImportError:
        raise CommandError("video needs PyAV: pip install 'platewarden[video]'") from None
    return av
