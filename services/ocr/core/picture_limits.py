"""What a picture may be, and the error of one that is not so."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

MOST_BYTES: Final = 16 << 20
MOST_PIXELS: Final = 50_000_000
SHORTEST_SIDE: Final = 32
# Longer ones are strips, which shrink to nothing where a whole picture is looked at.
LONGEST_SIDE: Final = 16_384

# What may follow the end of a picture: cameras fill up blocks, and streams of JPEGs leave a line end behind.
_PADDING: Final = b"\x00\xff\r\n"


class PictureError(Exception):
    """The bytes are no picture that is taken.

    The text goes on from "the image", says what to change, and repeats nothing of the bytes.
    """


@dataclass(frozen=True, slots=True)
class PictureKind:
    """What the header of an image says; sides in pixels, before it is turned upright."""

    media_type: str
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Essence:
    """What the decoder is given of a picture, and how it has to be turned (EXIF, 1 to 8)."""

    data: bytes
    orientation: int


def require_size(kind: PictureKind) -> PictureKind:
    """`kind`, when a picture of its size is taken.

    Raises:
        PictureError: A side is too short or too long, or there are too many pixels.
    """
    if min(kind.width, kind.height) < SHORTEST_SIDE:
        raise PictureError(f"has a side of less than {SHORTEST_SIDE} pixels: send it larger")
    if kind.width * kind.height > MOST_PIXELS:
        raise PictureError("has more than 50 megapixels: send it smaller")
    if max(kind.width, kind.height) > LONGEST_SIDE:
        raise PictureError("has a side of more than 16,384 pixels: send it smaller")
    return kind


def require_end(data: bytes, end: int) -> None:
    """Returns when the picture that ends at `end` is the last thing in `data`.

    What comes after is looked at by nobody, yet would be stored as evidence and handed out: a hiding place,
    and how a file is made that is a picture for us and a document or program for whoever opens it. It is not
    cut off either, for a picture is stored under the hash of what the sensor sent.

    Raises:
        PictureError: Something comes after it.
    """
    if data[end:].strip(_PADDING):
        raise PictureError("has data after its end: send the picture alone, without anything appended")
