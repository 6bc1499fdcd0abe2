"""Passages whose frames are said, not seen: what a video gives, without a network and its moods."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np

from alpr.matcher.v1.match_service_pb2_grpc import MatchServiceStub
from services.common.client import ClientTls, service_channel
from services.common.clock import SystemClock
from services.common.errors import AlprError
from services.common.objects import FileObjectStore
from services.common.stopping import Stopping
from services.dev.pki import DevelopmentAuthority
from services.ocr.app import FrameIntake
from services.ocr.core.calibration import Clues
from services.ocr.core.picture_limits import PictureKind
from services.ocr.core.plates import Plate
from services.ocr.core.quad import Box
from services.ocr.core.reading import Candidate, Reading
from services.ocr.frames import Frame, Looked, OpenPassage, Position, VideoAnswer
from services.ocr.limits import Load
from services.ocr.matcher_link import MatcherLink
from services.ocr.passages import HeldBytes
from services.ocr.recognition import Recognized
from services.ocr.store import ImageKeks, ImageVault
from services.ocr.video import VideoSettings, VideoStream
from tests.support.ocr_kit import FIXED, Matcher, Neighbours

START = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=5)
_CROP = cv2.imencode(".jpg", np.full((40, 120, 3), 90, dtype=np.uint8))[1].tobytes()


def plate(text: str, p: float = 0.6, *, x: float = 300, y: float = 300, width: float = 100) -> Plate:
    """A plate with its upper left corner there, read as `text` with probability `p`."""
    positions = tuple(((character, 1.0),) for character in text)
    clues = Clues(fit=-1, gap=1, agreement=1, width=width, score=1, arrangement=1, length=len(text))
    quad = Box(x, y, width, width / 4).quad()
    return Plate(Reading((Candidate(text, p),), positions), quad, clues)


def looked(at: float, *plates: Plate, unreadable: Sequence[Plate] = (), name: str = "") -> Looked:
    """A frame `at` seconds after the start, with those plates."""
    image = f"the image of {name} at {at}".encode()
    taken = START + timedelta(seconds=at)
    frame = Frame(image, PictureKind("image/jpeg", 1280, 720), taken, None)
    crops = tuple(_CROP for _ in plates)
    found = Recognized(plates, tuple(unreadable), crops, _CROP if plates else b"", 0.01, "plates-1")
    sha256 = (image * 8)[:32] if plates else b""
    return Looked(frame, sha256, Position(42.1, -88.2, "here"), datetime.now(UTC), found)


Script = Sequence[tuple[str, Looked | AlprError]]


def passage(text: str, frames: int, *, p: float = 0.6, begins: float = 0, every: float = 0.04) -> Script:
    """A plate that comes nearer for some frames."""
    return [
        (
            f"{text}-{n}",
            looked(begins + n * every, plate(text, p, x=300 + 8 * n, width=100 + 4 * n), name=text),
        )
        for n in range(frames)
    ]


@dataclass
class Videos:
    """What streams of videos need, with a real image store and a matcher behind real gRPC."""

    neighbours: Neighbours
    intake: FrameIntake
    settings: VideoSettings = field(default_factory=VideoSettings)
    held: HeldBytes = field(default_factory=lambda: HeldBytes(256 << 20))
    stopping: Stopping = field(default_factory=Stopping)

    @property
    def matcher(self) -> Matcher:
        return self.neighbours.matcher

    def stream(self, frames_kept: int = 256, open_passages: Sequence[OpenPassage] = ()) -> VideoStream:
        return VideoStream(
            self.intake,
            FIXED,
            self.settings,
            self.held,
            frames_kept=frames_kept,
            open_passages=open_passages,
        )

    async def answers(self, script: Script, open_passages: Sequence[OpenPassage] = ()) -> list[VideoAnswer]:
        """What a stream of those frames answers."""
        return [one async for one in self.running(_items(script), open_passages)]

    def running(
        self,
        items: AsyncIterator[tuple[str, Looked | AlprError]],
        open_passages: Sequence[OpenPassage] = (),
        frames_kept: int = 256,
    ) -> Any:
        """The answers of a stream, as they come."""
        return self.stream(frames_kept, open_passages).answers(items, _as_it_is, self.stopping)

    def plates(self) -> list[str]:
        """The texts that the matcher has, in the order of arrival."""
        return [captured.read.plate for captured in self.matcher.reads.values()]


async def _as_it_is(item: tuple[str, Looked | AlprError]) -> tuple[str, Looked | AlprError]:
    return item


async def _items(script: Script) -> AsyncIterator[tuple[str, Looked | AlprError]]:
    for item in script:
        yield item


@asynccontextmanager
async def videos(
    tls: DevelopmentAuthority, folder: Path, timeout_seconds: float = 10
) -> AsyncIterator[Videos]:
    """Videos with neighbours of their own."""
    neighbours = Neighbours(tls)
    await neighbours.open()
    files = tls.service("ocr")
    client = ClientTls(files.cert_file, files.key_file, files.ca_file)
    channel = service_channel(neighbours.matcher_target, client, server_name="matcher")
    link = MatcherLink(MatchServiceStub(channel), timeout_seconds=timeout_seconds)
    clock = SystemClock()
    intake = FrameIntake(
        # The frames of these tests have been looked at: nobody is asked about sensors or plates.
        sensors=cast(Any, None),
        recognizer=cast(Any, None),
        vault=ImageVault(
            FileObjectStore(folder / "images"),
            ImageKeks(bytes(32), b"m" * 32),
            clock,
            retention_days=lambda: 90,
        ),
        matcher=link,
        clock=clock,
        load=Load(workers=1, most_bytes=1 << 20),
        in_flight=4,
    )
    try:
        yield Videos(neighbours, intake)
    finally:
        await link.close()
        await channel.close()
        await neighbours.close()
