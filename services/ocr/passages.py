"""A passage while it is under way, the frames that wait for it, and the memory that it holds."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final
from uuid import UUID

from services.common.errors import AlprError
from services.common.readid import read_id_of_correction
from services.ocr.core.fusion import fuse_shares
from services.ocr.core.passages import quality, sharpness
from services.ocr.core.plates import Plate
from services.ocr.core.reading import Reading
from services.ocr.core.tracks import Track
from services.ocr.frames import (
    Looked,
    NewRead,
    OpenPassage,
    Outcome,
    PassageFacts,
    VideoAnswer,
)

MOST_FRAMES_KEPT: Final = 256

Kept = tuple[NewRead, Outcome] | AlprError
"""A read and what became of it, or why it could not be kept."""


class HeldBytes:
    """Counts the bytes of the best frames that all streams hold, and says when they are too many."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._held = 0

    @property
    def full(self) -> bool:
        """Whether reads are to be written now, so that frames can be let go."""
        return self._held > self._most

    def change(self, by: int) -> None:
        """Counts bytes that are held from now on, or, below zero, no longer."""
        self._held += by


@dataclass(frozen=True, slots=True)
class Shot:
    """A frame as the picture of one of its plates; more `quality` is better."""

    looked: Looked
    number: int
    quality: float

    @property
    def plate(self) -> Plate:
        """The plate as this frame shows it."""
        return self.looked.found.plates[self.number]

    @property
    def crop(self) -> bytes:
        """JPEG of the plate."""
        return self.looked.found.crops[self.number]

    @property
    def size(self) -> int:
        """Bytes that it holds."""
        found = self.looked.found
        return len(self.looked.frame.image) + len(found.overview) + sum(map(len, found.crops))


def shot_of(looked: Looked, number: int) -> Shot:
    """The frame as the picture of its plate of that number."""
    plate = looked.found.plates[number]
    worth = quality(plate.reading, plate.quad.width, sharpness(looked.found.crops[number]))
    return Shot(looked, number, worth)


@dataclass(slots=True)
class Passage:
    """A passage under way.

    Attributes:
        passage_id: Id of its first read.
        first_time: Capture time of its first frame.
        last_time: And of its last until now.
        draft: The read as its first frame alone would have it; None when another stream wrote the read.
        best: The best frame until now; None once the read is written.
        kept: What becomes of the read; None when another stream wrote it.
        first_text: Of its first read; empty until it is written.
        text: Of its last read; None until one is written.
        corrected: Whether it has its second read.
    """

    passage_id: UUID
    first_time: datetime
    last_time: datetime
    draft: NewRead | None = None
    best: Shot | None = None
    kept: asyncio.Future[Kept] | None = None
    first_text: str = ""
    text: str | None = None
    corrected: bool = False

    @property
    def written(self) -> bool:
        """Whether its read is written or on its way."""
        return self.text is not None

    def read(self, track: Track, fused: Reading, shot: Shot) -> NewRead:
        """Its first read: what the frames say together, with the best of them as the picture."""
        if self.draft is None:
            raise ValueError("the read of this passage was written by another stream")
        return replace(
            self.draft,
            plate=_fused_plate(shot, track, fused),
            crop=shot.crop,
            overview=shot.looked.found.overview,
            passage=self._facts(track, shot),
        )

    def second_read(self, track: Track, fused: Reading, shot: Shot, draft: NewRead) -> NewRead:
        """The read that says what later frames knew better; `draft` is that of the frame of `shot` alone."""
        return replace(
            draft,
            read_id=read_id_of_correction(draft.sensor_id, self.first_time, self.passage_id, fused.text),
            capture_time=self.first_time,
            plate=_fused_plate(shot, track, fused),
            passage=self._facts(track, shot),
        )

    def _facts(self, track: Track, shot: Shot) -> PassageFacts:
        return PassageFacts(
            passage_id=self.passage_id,
            frames=track.frames,
            direction=track.direction,
            image_time=shot.looked.frame.capture_time,
            last_time=self.last_time,
        )


def _fused_plate(shot: Shot, track: Track, fused: Reading) -> Plate:
    return replace(
        shot.plate, reading=fused, issuers=fuse_shares(track.issuers), kinds=fuse_shares(track.kinds)
    )


@dataclass(frozen=True, slots=True)
class After:
    """An open passage as it stood after a frame; `text` is None where its read was written later."""

    track: Track
    passage: Passage
    text: str | None
    corrected: bool

    def as_open(self) -> OpenPassage:
        """For the stream that follows; by now the first read is written."""
        text = self.text or self.passage.first_text
        passage = self.passage
        return OpenPassage(passage.passage_id, passage.first_time, text, self.corrected, self.track)


@dataclass(frozen=True, slots=True)
class PendingFrame:
    """A frame without its answer.

    Attributes:
        answer: As far as it is known.
        waits: The passages that it shows.
        gives: Reads that stand in its answer.
        after: The passages that are open after it.
    """

    answer: VideoAnswer
    waits: tuple[Passage, ...] = ()
    gives: tuple[asyncio.Future[Kept], ...] = ()
    after: tuple[After, ...] = ()

    async def answered(self) -> VideoAnswer:
        """The answer, once it is final.

        Raises:
            AlprError: A read could not be kept.
        """
        for passage in self.waits:
            if passage.kept is not None:
                _require(await passage.kept)
        reads = [_require(await kept) for kept in self.gives]
        return replace(
            self.answer, reads=tuple(reads), open_passages=tuple(one.as_open() for one in self.after)
        )


def _require(kept: Kept) -> tuple[NewRead, Outcome]:
    if isinstance(kept, AlprError):
        raise kept
    return kept
