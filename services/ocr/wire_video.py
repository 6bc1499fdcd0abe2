"""Messages of videos: options and open passages in, answers out."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from alpr.ocr.v1 import ocr_service_pb2 as pb
from alpr.type.v1 import read_pb2
from services.common.errors import FieldViolation, InvalidFieldError
from services.common.stopping import Stopping
from services.common.wire import parse_moment, parse_uuid, raise_violations, to_datetime, to_timestamp
from services.ocr import wire
from services.ocr.core.alphabet import CHARACTERS
from services.ocr.core.fusion import fuse_track
from services.ocr.core.reading import MOST_CANDIDATES, Candidate, Reading
from services.ocr.core.tracks import Mark, Motion, Track
from services.ocr.frames import FrameAnswer, OpenPassage, SeenPlate, VideoAnswer
from services.ocr.passages import MOST_FRAMES_KEPT

_LEAST_FRAMES_KEPT: Final = 2
_MOST_OPEN_PASSAGES: Final = 64
_LONGEST_PLATE: Final = 12
_MOST_PIXELS: Final = 1e6


@dataclass(frozen=True, slots=True)
class VideoOptions:
    """How a video is to be worked on."""

    frames_kept: int
    open_passages: tuple[OpenPassage, ...]


def parse_options(options: pb.StreamOptions) -> VideoOptions | None:
    """The options of a video; None when every frame stands for itself.

    Raises:
        InvalidFieldError: A number is out of range, or an open passage is not as it was given.
    """
    wrong: list[FieldViolation] = []
    kept = options.frames_kept or MOST_FRAMES_KEPT
    if not _LEAST_FRAMES_KEPT <= kept <= MOST_FRAMES_KEPT:
        wrong.append(FieldViolation("options.frames_kept", "must be 2 to 256"))
    if not options.video and (options.frames_kept or options.open_passages):
        wrong.append(FieldViolation("options.video", "must be set: the other options are for videos"))
    if len(options.open_passages) > _MOST_OPEN_PASSAGES:
        wrong.append(FieldViolation("options.open_passages", "must be at most 64"))
    raise_violations(wrong)
    passages = tuple(_parse_open_passage(one, wrong) for one in options.open_passages)
    raise_violations(wrong)
    return VideoOptions(kept, passages) if options.video else None


async def begun(
    requests: AsyncIterator[pb.RecognizeStreamRequest], stopping: Stopping
) -> tuple[AsyncGenerator[pb.RecognizeStreamRequest], VideoOptions | None]:
    """The requests that have a frame, and the options in the first message; None where each frame is alone.

    Raises:
        InvalidFieldError: The options are wrong.
    """
    coming = asyncio.ensure_future(_next(requests))
    told = asyncio.ensure_future(stopping.wait())
    try:
        await asyncio.wait({coming, told}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        told.cancel()
        if not coming.done():
            coming.cancel()
        await asyncio.gather(coming, told, return_exceptions=True)
    first = None if coming.cancelled() else coming.result()
    options = parse_options(first.options) if first is not None else None
    return _with_frames(first, requests), options


async def _with_frames(
    first: pb.RecognizeStreamRequest | None, rest: AsyncIterator[pb.RecognizeStreamRequest]
) -> AsyncGenerator[pb.RecognizeStreamRequest]:
    if first is None:
        return
    # Options may come alone; whatever else comes without a frame is answered with what is missing.
    if first.HasField("frame") or not first.HasField("options"):
        yield first
    async for request in rest:
        if request.HasField("options"):
            raise InvalidFieldError(
                "1 field is missing or wrong: see the details",
                violations=(FieldViolation("options", "must be in the first message only"),),
            )
        yield request


async def _next(requests: AsyncIterator[pb.RecognizeStreamRequest]) -> pb.RecognizeStreamRequest | None:
    return await anext(requests, None)


def to_stream_answer(answer: VideoAnswer) -> pb.RecognizeStreamResponse:
    """The message for the final word on a frame of a video."""
    return pb.RecognizeStreamResponse(
        frame_id=answer.frame_id,
        plates=wire.to_recognized_plates(answer.reads),
        recognition_time=wire.to_duration(answer.seconds),
        unreadable_count=answer.unreadable,
        error=wire.to_frame_error(answer.error) if answer.error else None,
        sightings=[_to_sighting(seen) for seen in answer.seen],
        open_passages=[to_open_passage(one) for one in answer.open_passages],
        notice=None if answer.error else wire.NOTICE,
    )


def to_open_passage(passage: OpenPassage) -> pb.OpenPassage:
    """The message for a passage that may go on."""
    track, motion = passage.track, passage.track.motion
    return pb.OpenPassage(
        passage_id=str(passage.passage_id),
        first_time=to_timestamp(passage.first_time),
        plate=passage.text,
        corrected=passage.corrected,
        frame_count=track.frames,
        lattice=wire.to_lattice(fuse_track(track.readings)),
        first=_to_point(track.first),
        last=_to_point(track.last),
        motion=pb.PlateMotion(x=motion.x, y=motion.y, growth=motion.growth) if motion else None,
    )


def to_sightings(answer: FrameAnswer) -> list[pb.Sighting]:
    """What a single frame shows."""
    read = [SeenPlate(None, one.plate, unreadable=False) for one, _ in answer.reads]
    return [_to_sighting(one) for one in (*read, *(SeenPlate(None, p, True) for p in answer.unreadable))]


def _to_sighting(seen: SeenPlate) -> pb.Sighting:
    return pb.Sighting(
        passage_id=str(seen.passage_id) if seen.passage_id else "",
        plate_box=wire.to_box(seen.plate.box),
        plate=seen.plate.text,
        confidence=seen.plate.probability,
        frame_count=seen.frames,
        direction=wire.DIRECTIONS[seen.direction],
        plate_corners=wire.to_quad(seen.plate.quad),
        lattice=wire.to_lattice(seen.plate.reading),
        states=wire.to_states(seen.plate.issuers),
        unreadable=seen.unreadable,
    )


def _to_point(mark: Mark) -> pb.PlatePoint:
    time = to_timestamp(datetime.fromtimestamp(mark.at, UTC))
    return pb.PlatePoint(time=time, x=mark.x, y=mark.y, width=mark.width)


def _parse_open_passage(message: pb.OpenPassage, wrong: list[FieldViolation]) -> OpenPassage:
    found: list[FieldViolation] = []
    passage_id = parse_uuid("options.open_passages.passage_id", message.passage_id, found)
    first_time = parse_moment("options.open_passages.first_time", message, found)
    first, last = _parse_point(message.first, found), _parse_point(message.last, found)
    motion = Motion(message.motion.x, message.motion.y, message.motion.growth)
    numbers = (motion.x, motion.y, motion.growth)
    if message.frame_count < 1 or not all(math.isfinite(one) and abs(one) < _MOST_PIXELS for one in numbers):
        found.append(FieldViolation("options.open_passages", "must be as the last answer gave it"))
    reading = _parse_lattice(message.lattice, found)
    if not _is_text(message.plate):
        found.append(FieldViolation("options.open_passages.plate", "must be as the last answer gave it"))
    wrong += found[:1]
    track = Track(
        number=0,
        first=first,
        last=last,
        motion=motion if message.HasField("motion") else None,
        frames=message.frame_count,
        readings=(reading,),
    )
    return OpenPassage(passage_id, first_time, message.plate, message.corrected, track)


def _parse_point(point: pb.PlatePoint, wrong: list[FieldViolation]) -> Mark:
    numbers = (point.x, point.y, point.width)
    try:
        at = to_datetime(point.time).timestamp()
    except ValueError:
        at = 0.0
    if not at > 0 or point.width < 1 or not all(abs(one) < _MOST_PIXELS for one in numbers):
        wrong.append(FieldViolation("options.open_passages", "must be as the last answer gave it"))
    return Mark(at, point.x, point.y, max(point.width, 1.0))


def _parse_lattice(lattice: read_pb2.Lattice, wrong: list[FieldViolation]) -> Reading:
    candidates = tuple(Candidate(one.plate, one.probability) for one in lattice.candidates)
    positions = tuple(
        tuple((one.character, one.probability) for one in position.characters)
        for position in lattice.positions
    )
    pairs = [pair for position in positions for pair in position]
    right = (
        1 <= len(candidates) <= MOST_CANDIDATES
        and all(_is_text(one.text) and 0 <= one.probability <= 1 for one in candidates)
        and len(positions) <= _LONGEST_PLATE
        and all(positions)
        and all(one in CHARACTERS and len(one) == 1 and 0 <= value <= 1 for one, value in pairs)
    )
    if not right:
        wrong.append(FieldViolation("options.open_passages.lattice", "must be as the last answer gave it"))
        return Reading((Candidate("", 0.0),), ())
    return Reading(candidates, positions)


def _is_text(text: str) -> bool:
    return 1 <= len(text) <= _LONGEST_PLATE and all(one in CHARACTERS for one in text)
