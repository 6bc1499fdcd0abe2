"""Frames of a camera without a reader of its own: found, read, stored, compared, answered.

Drawn scenes with a vehicle each; a comment makes every frame a picture of its own, which has to be stored.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from typing import Any, Final

from alpr.ocr.v1 import ocr_service_pb2 as pb
from alpr.ocr.v1.ocr_service_pb2_grpc import OcrServiceStub
from benchmarks._pipeline_cameras import Camera
from services.cli.scenes import draw_scene
from services.common.client import service_channel
from services.common.wire import to_timestamp

_SCENES: Final = 40
_AT_ONCE: Final = 3
_CALL_SECONDS: Final = 30.0
_JPEG_START: Final = b"\xff\xd8"
_JPEG_COMMENT: Final = b"\xff\xfe"


@dataclass(frozen=True, slots=True)
class Read:
    """What became of frames."""

    frames: int
    plates: int
    seconds: float


async def drawn() -> list[bytes]:
    """Frames as they leave the camera."""
    return await asyncio.to_thread(lambda: [draw_scene(seed).image for seed in range(_SCENES)])


async def send_frames(camera: Camera, target: str, frames: Sequence[bytes], seconds: float) -> Read:
    """Sends frames for so long, a few under way at a time; answered means stored and compared."""
    numbers, plates, sent = count(), 0, 0
    start = time.perf_counter()
    async with service_channel(target, camera.tls, server_name="ocr") as channel:
        stub: Any = OcrServiceStub(channel)

        async def sender() -> None:
            nonlocal plates, sent
            while time.perf_counter() < start + seconds:
                number = next(numbers)
                frame = pb.Frame(
                    frame_id=f"frame-{number}",
                    image=_with_comment(frames[number % len(frames)], f"{start}-{number}"),
                    capture_time=to_timestamp(datetime.now(UTC)),
                )
                answer = await stub.Recognize(pb.RecognizeRequest(frame=frame), timeout=_CALL_SECONDS)
                plates += len(answer.plates)
                sent += 1

        await asyncio.gather(*(sender() for _ in range(_AT_ONCE)))
    return Read(sent, plates, time.perf_counter() - start)


def _with_comment(jpeg: bytes, text: str) -> bytes:
    comment = text.encode()
    return _JPEG_START + _JPEG_COMMENT + (len(comment) + 2).to_bytes(2, "big") + comment + jpeg[2:]
