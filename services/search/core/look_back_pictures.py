"""Pictures of reads that match what a change of the hot lists brought (ENF-051 II.D)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from io import BytesIO
from typing import Final
from uuid import UUID

from PIL import Image

from services.search.core.pictures import PictureError, Pictures, PlateBox, crop_and_overview

MOST_READS: Final = 50
"""Reads of one question."""
MOST_BYTES: Final = 480 * 1024
"""Of both pictures of a read together; alerts takes at most 512 KiB with a hit."""
_SIDES: Final = (1280, 960, 640, 320)


@dataclass(frozen=True, slots=True)
class LookBackPictureQuestion:
    """The pictures of these reads, in the name of whoever did the act `intent_id`; times in UTC.

    `motor_carrier` is true for reads of the Motor Carrier Safety data set (ENF-051 II.H).
    """

    intent_id: UUID
    changed_id: UUID
    from_time: datetime
    to_time: datetime
    read_ids: tuple[UUID, ...]
    motor_carrier: bool = False

    @property
    def kind(self) -> str:
        """As audit and the data set know it."""
        return "mcslookbackimage" if self.motor_carrier else "lookbackimage"

    @property
    def arguments(self) -> tuple[tuple[str, str], ...]:
        """As the question is recorded, and as the archive recomputes it."""
        return (
            ("intent_id", str(self.intent_id)),
            ("changed_id", str(self.changed_id)),
            ("read_ids", ",".join(map(str, self.read_ids))),
        )


def pictures_of(image: bytes, box: PlateBox | None) -> Pictures:
    """Crop and overview of a stored image, together no larger than a hit takes; empty for no image."""
    try:
        made = crop_and_overview(image, box)
    except PictureError:
        return Pictures(b"", b"")
    return Pictures(made.crop, _fitted(made.overview, MOST_BYTES - len(made.crop)))


def _fitted(overview: bytes, most: int) -> bytes:
    """The overview in at most `most` bytes: smaller, where it is all leaves or noise."""
    if len(overview) <= most:
        return overview
    for side in _SIDES:
        with Image.open(BytesIO(overview), formats=("JPEG",)) as opened:
            small = opened.convert("RGB")
        small.thumbnail((side, side))
        written = BytesIO()
        small.save(written, "JPEG", quality=60)
        if written.tell() <= most:
            return written.getvalue()
    return b""
