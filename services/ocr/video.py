"""A stream of frames as a video: plates are followed, and each passage gives one read.

A frame is answered when all passages that it shows have their read on disk. What is decided is a function of
the frames alone, so that frames sent again give the same reads; only when frames stop does our clock decide.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import TypeVar

import structlog

from services.common.errors import AlprError, InternalError
from services.common.stopping import Stopping
from services.ocr.app import FrameIntake
from services.ocr.config import OcrSettings
from services.ocr.core.fusion import fuse_track
from services.ocr.core.passages import PassageSettings, is_corrected, is_due
from services.ocr.core.plates import Plate
from services.ocr.core.reading import Reading
from services.ocr.core.tracks import Sighting, Track, Tracker, TrackSettings
from services.ocr.errors import may_pass
from services.ocr.frames import Looked, NewRead, OpenPassage, SeenPlate, VideoAnswer
from services.ocr.metrics import PASSAGES
from services.ocr.passages import (
    MOST_FRAMES_KEPT,
    After,
    HeldBytes,
    Kept,
    Passage,
    PendingFrame,
    Shot,
    shot_of,
)
from services.ocr.pipeline import in_order
from services.ocr.recognition import Recognized

log = structlog.get_logger()

Taken = tuple[str, Looked | AlprError]
"""A frame's id, and what is in it or why it failed."""
_Item = TypeVar("_Item")


@dataclass(frozen=True, slots=True)
class VideoSettings:
    """How videos are worked on.

    Attributes:
        tracks: When tracks begin and end.
        passages: When reads are written.
        idle_seconds: When no frame came for so long, by our clock, reads are written from what was seen.
        in_flight: Frames of one stream that are looked at at the same time.
        held_bytes: Of the best frames of all streams; at more, reads are written early.
    """

    tracks: TrackSettings = field(default_factory=TrackSettings)
    passages: PassageSettings = field(default_factory=PassageSettings)
    idle_seconds: float = 2.0
    in_flight: int = 4
    held_bytes: int = 256 << 20


def video_settings(settings: OcrSettings) -> VideoSettings:
    """From the settings of the service."""
    return VideoSettings(
        tracks=TrackSettings(
            gap_seconds=settings.passage_gap_seconds,
            longest_seconds=settings.passage_end_seconds,
            most=settings.passages_open,
        ),
        passages=PassageSettings(
            sure=settings.passage_sure,
            fair=settings.passage_fair,
            patience_seconds=settings.passage_patience_seconds,
            longest_seconds=settings.passage_longest_seconds,
        ),
        idle_seconds=settings.video_idle_seconds,
        in_flight=settings.stream_frames_in_flight,
        held_bytes=settings.passage_megabytes << 20,
    )


class VideoStream:
    """One stream of one sensor.

    Args:
        intake: Keeps images and sends reads on.
        sensor_id: The sensor.
        settings: How videos are worked on.
        held: Counts the bytes that are held, for all streams together.
        frames_kept: Frames that the sender keeps without an answer.
        open_passages: What the stream before left.
    """

    def __init__(  # noqa: PLR0913 - what a stream is made of
        self,
        intake: FrameIntake,
        sensor_id: str,
        settings: VideoSettings,
        held: HeldBytes,
        *,
        frames_kept: int,
        open_passages: Sequence[OpenPassage] = (),
    ) -> None:
        self._intake = intake
        self._sensor_id = sensor_id
        self._settings = settings
        self._held = held
        # A sender all of whose frames are in our hands sends no more until the first is answered.
        self._most_pending = max(1, frames_kept - settings.in_flight)
        tracks = [replace(one.track, number=n) for n, one in enumerate(open_passages, 1)]
        self._tracker = Tracker(settings.tracks, tracks)
        self._passages = {track.number: _known(one) for track, one in zip(tracks, open_passages, strict=True)}
        self._pending: deque[PendingFrame | None] = deque()
        self._came, self._went = asyncio.Event(), asyncio.Event()
        self._keeping: set[asyncio.Task[None]] = set()
        self._looking = 0

    async def answers(
        self, items: AsyncIterator[_Item], look: Callable[[_Item], Awaitable[Taken]], stopping: Stopping
    ) -> AsyncGenerator[VideoAnswer]:
        """The answer for each of `items`, in order; `look` says what is in one.

        Raises:
            AlprError: Something failed that may succeed later; frames without an answer are to be sent again.
        """
        following = asyncio.create_task(self._follow_all(items, look, stopping))
        try:
            while (pending := await self._oldest()) is not None:
                answer = await _answer_of(pending)
                self._pending.popleft()
                self._went.set()
                yield answer
            await following
        finally:
            for task in (following, *self._keeping):
                task.cancel()
            await asyncio.gather(following, *self._keeping, return_exceptions=True)
            for passage in self._passages.values():
                self._let_go(passage)

    async def _oldest(self) -> PendingFrame | None:
        """The oldest frame without an answer; None after the last."""
        while not self._pending:
            self._came.clear()
            await self._came.wait()
        return self._pending[0]

    async def _follow_all(
        self, items: AsyncIterator[_Item], look: Callable[[_Item], Awaitable[Taken]], stopping: Stopping
    ) -> None:
        async def looked_at(item: _Item) -> Taken:
            self._looking += 1
            try:
                return await look(item)
            finally:
                self._looking -= 1

        try:
            frames = in_order(items, looked_at, most=self._settings.in_flight, stopping=stopping)
            async with aclosing(frames):
                async for frame_id, result in self._with_pauses(frames):
                    await self._until_room()
                    self._put(self._follow(frame_id, result))
            self._write_all("end")
        except Exception as error:
            if not isinstance(error, AlprError):
                log.exception("video_failed")
            self._give_up(error if isinstance(error, AlprError) else InternalError("the video failed"))
            raise
        finally:
            self._put(None)

    async def _with_pauses(self, frames: AsyncIterator[Taken]) -> AsyncIterator[Taken]:
        """`frames`; while none comes and none is looked at, reads are written from what was seen."""
        coming: asyncio.Future[Taken | None] | None = None
        try:
            while True:
                coming = coming or asyncio.ensure_future(_next(frames))
                done, _ = await asyncio.wait({coming}, timeout=self._settings.idle_seconds)
                if not done:
                    if not self._looking:
                        self._write_all("idle")
                    continue
                taken, coming = coming.result(), None
                if taken is None:
                    return
                yield taken
        finally:
            if coming is not None:
                coming.cancel()
                await asyncio.gather(coming, return_exceptions=True)

    async def _until_room(self) -> None:
        """Returns when one frame more may be held: its reads and its answer."""
        while self._keeping and (self._held.full or len(self._keeping) >= self._settings.tracks.most):
            await asyncio.wait(self._keeping, return_when=asyncio.FIRST_COMPLETED)
        while len(self._pending) >= MOST_FRAMES_KEPT:
            self._went.clear()
            await self._went.wait()

    def _put(self, pending: PendingFrame | None) -> None:
        self._pending.append(pending)
        self._came.set()
        if self._held.full:
            self._write_all("room")
        oldest = self._pending[0]
        if oldest is not None and len(self._pending) >= self._most_pending:
            waited_for = {id(passage) for passage in oldest.waits}
            for track in self._tracker.open:
                if id(self._passages.get(track.number)) in waited_for:
                    self._end(track, "room")

    def _follow(self, frame_id: str, result: Looked | AlprError) -> PendingFrame:
        if isinstance(result, AlprError):
            if may_pass(result):
                raise result
            answer = VideoAnswer(frame_id, error=result)
            return PendingFrame(answer, after=self._after())
        found = result.found
        step = self._tracker.step(_sightings(found), result.frame.capture_time.timestamp())
        given = [self._see(result, n, track) for n, track in enumerate(step.tracks)]
        shown = [self._passages.get(track.number) for track in step.tracks]
        for track in step.ended:
            self._end(track)
        plates = (*found.plates, *found.unreadable)
        seen = tuple(
            _seen(passage, plate, number >= len(found.plates), track)
            for number, (passage, plate, track) in enumerate(zip(shown, plates, step.tracks, strict=True))
        )
        answer = VideoAnswer(frame_id, seconds=found.seconds, unreadable=len(found.unreadable), seen=seen)
        return PendingFrame(answer, tuple(filter(None, shown)), tuple(filter(None, given)), self._after())

    def _after(self) -> tuple[After, ...]:
        """The open passages; a track that nobody could read yet is none."""
        return tuple(
            After(track, passage, passage.text, passage.corrected)
            for track in self._tracker.open
            if (passage := self._passages.get(track.number)) is not None
        )

    def _see(self, looked: Looked, number: int, track: Track) -> asyncio.Future[Kept] | None:
        """Takes a plate of a frame into its passage; gives the read that stands in the frame's answer."""
        passage, readable = self._passages.get(track.number), number < len(looked.found.plates)
        begins = passage is None and readable
        if begins:
            passage = self._passages[track.number] = self._begin(looked, number)
        if passage is None:
            return None
        passage.last_time = looked.frame.capture_time
        if not passage.written:
            if readable:
                self._show(passage, shot_of(looked, number))
            self._write_if_due(track, passage)
        elif readable and not passage.corrected and looked.found.plates[number].text != passage.text:
            return self._reconsider(track, passage, looked, number)
        return passage.kept if begins else None

    def _write_if_due(self, track: Track, passage: Passage) -> None:
        fused = fuse_track(track.readings)
        seconds = (passage.last_time - passage.first_time).total_seconds()
        if is_due(fused, track.frames, seconds, self._settings.passages):
            self._write(track, passage, fused, "in_sight")

    def _begin(self, looked: Looked, plate_number: int) -> Passage:
        draft = self._intake.read_of(looked, plate_number, self._sensor_id)
        kept: asyncio.Future[Kept] = asyncio.get_running_loop().create_future()
        first_time = draft.capture_time
        return Passage(draft.read_id, first_time, first_time, draft=draft, kept=kept)

    def _show(self, passage: Passage, shot: Shot) -> None:
        if passage.best is None or shot.quality > passage.best.quality:
            self._let_go(passage)
            passage.best = shot
            self._held.change(shot.size)

    def _let_go(self, passage: Passage) -> None:
        if passage.best is not None:
            self._held.change(-passage.best.size)
            passage.best = None

    def _reconsider(
        self, track: Track, passage: Passage, looked: Looked, plate_number: int
    ) -> asyncio.Future[Kept] | None:
        """The second read of a passage, when it has turned out that the first was wrong."""
        fused = fuse_track(track.readings)
        if passage.text is None or not is_corrected(fused, passage.text, self._settings.passages):
            return None
        draft = self._intake.read_of(looked, plate_number, self._sensor_id)
        shot = shot_of(looked, plate_number)
        passage.text, passage.corrected = fused.text, True
        kept: asyncio.Future[Kept] = asyncio.get_running_loop().create_future()
        self._held.change(shot.size)
        self._keep(shot, passage.second_read(track, fused, shot, draft), kept, after=passage.kept)
        PASSAGES.labels("corrected").inc()
        return kept

    def _write_all(self, why: str) -> None:
        """Writes the reads of all open passages that have none."""
        for track in self._tracker.open:
            self._end(track, why)

    def _end(self, track: Track, why: str = "gone") -> None:
        """Writes the read of a passage, if it has none, from what was seen."""
        passage = self._passages.get(track.number)
        if passage is not None and not passage.written:
            self._write(track, passage, fuse_track(track.readings), why)
        if why == "gone":
            self._passages.pop(track.number, None)

    def _write(self, track: Track, passage: Passage, fused: Reading, why: str) -> None:
        shot, passage.best = passage.best, None
        if shot is None or passage.kept is None:
            raise ValueError("a passage without a frame")
        passage.text = passage.first_text = fused.text
        self._keep(shot, passage.read(track, fused, shot), passage.kept)
        PASSAGES.labels(why).inc()

    def _keep(
        self,
        shot: Shot,
        read: NewRead,
        kept: asyncio.Future[Kept],
        after: asyncio.Future[Kept] | None = None,
    ) -> None:
        task = asyncio.create_task(self._kept(shot, read, kept, after))
        self._keeping.add(task)
        task.add_done_callback(self._keeping.discard)

    async def _kept(
        self, shot: Shot, read: NewRead, kept: asyncio.Future[Kept], after: asyncio.Future[Kept] | None
    ) -> None:
        try:
            if after is not None:
                # A second read never overtakes the first.
                await after
            ((stored, outcome),) = await self._intake.keep(shot.looked, (read,))
            kept.set_result((stored, outcome))
        except AlprError as error:
            kept.set_result(error)
        except Exception:
            log.exception("passage_failed")
            kept.set_result(InternalError("the passage failed for a reason of ours"))
        finally:
            self._held.change(-shot.size)

    def _give_up(self, error: AlprError) -> None:
        """No passage without a read will get one here; its frames belong to the sender again."""
        for passage in self._passages.values():
            if not passage.written and passage.kept is not None and not passage.kept.done():
                passage.kept.set_result(error)


def _sightings(found: Recognized) -> list[Sighting]:
    """The plates of a frame, readable ones first; what cannot be read alone may count with others."""
    return [
        Sighting(plate.quad, plate.reading, plate.issuers, plate.kinds)
        for plate in (*found.plates, *found.unreadable)
    ]


def _seen(passage: Passage | None, plate: Plate, unreadable: bool, track: Track) -> SeenPlate:
    passage_id = passage.passage_id if passage else None
    return SeenPlate(passage_id, plate, unreadable, track.frames, track.direction)


def _known(one: OpenPassage) -> Passage:
    last_time = one.first_time
    return Passage(one.passage_id, one.first_time, last_time, text=one.text, corrected=one.corrected)


async def _next(frames: AsyncIterator[Taken]) -> Taken | None:
    return await anext(frames, None)


async def _answer_of(pending: PendingFrame) -> VideoAnswer:
    """The answer to a frame, final.

    Raises:
        AlprError: A read could not be kept now, and may be when it is sent again.
    """
    try:
        return await pending.answered()
    except AlprError as error:
        if may_pass(error):
            raise
        return replace(pending.answer, error=error)
