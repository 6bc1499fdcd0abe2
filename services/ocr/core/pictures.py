"""Images as sensors send them: checked by their headers, decoded, and cut down for people."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from services.ocr.core.quad import Box, Image

MOST_BYTES: Final = 16 << 20
MOST_PIXELS: Final = 50_000_000
MOST_CROP_BYTES: Final = 128 << 10
MOST_OVERVIEW_BYTES: Final = 384 << 10
_SHORTEST_SIDE: Final = 32

_PNG: Final = b"\x89PNG\r\n\x1a\n"
_JPEG: Final = b"\xff\xd8\xff"
_JPEG_END: Final = b"\xff\xd9"
# Start of frame, in all variants (ITU-T T.81, table B.1); C4, C8 and CC are other segments.
_FRAME_MARKERS: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_WITHOUT_LENGTH: Final = frozenset({0x01, *range(0xD0, 0xD8)})
_SCAN_MARKER: Final = 0xDA
_OVERVIEW_SIDE: Final = 1280
_CROP_SIDE: Final = 640
_CROP_MARGIN: Final = (0.15, 0.4)
_QUALITIES: Final = (88, 75, 60)
_SMALLER: Final = 0.7


class PictureError(Exception):
    """The bytes are no image that is taken; the text says why and repeats nothing of them."""


@dataclass(frozen=True, slots=True)
class PictureKind:
    """What the header of an image says; sides in pixels."""

    media_type: str
    width: int
    height: int


def kind_of(data: bytes) -> PictureKind:
    """What the image is, from its header alone: nothing is decoded.

    Raises:
        PictureError: Neither JPEG nor PNG, torn, or larger than 16 MiB or 50 megapixels.
    """
    if len(data) > MOST_BYTES:
        raise PictureError("the image is larger than 16 MiB")
    if data.startswith(_PNG):
        kind = PictureKind("image/png", *_png_size(data))
    elif data.startswith(_JPEG):
        kind = PictureKind("image/jpeg", *_jpeg_size(data))
    else:
        raise PictureError("the image is neither JPEG nor PNG")
    if min(kind.width, kind.height) < _SHORTEST_SIDE:
        raise PictureError(f"the image's sides must have at least {_SHORTEST_SIDE} pixels")
    if kind.width * kind.height > MOST_PIXELS:
        raise PictureError("the image has more than 50 megapixels")
    return kind


def decoded(data: bytes) -> Image:
    """The pixels of the image (BGR), turned upright as its EXIF says; call `kind_of` first.

    Raises:
        PictureError: The bytes cannot be decoded.
    """
    try:
        image = cv2.imdecode(np.frombuffer(data, dtype=np.uint8), cv2.IMREAD_COLOR)
    except cv2.error:
        image = None
    if image is None:
        raise PictureError("the image cannot be decoded")
    return np.asarray(image, dtype=np.uint8)


def crop_jpeg(image: Image, box: Box) -> bytes:
    """A JPEG of the plate in `box` with a little round it, at most 128 KiB."""
    height, width = image.shape[:2]
    across, down = _CROP_MARGIN[0] * box.width, _CROP_MARGIN[1] * box.height
    left, top = max(0, int(box.x - across)), max(0, int(box.y - down))
    right = min(width, max(left + 1, int(box.x + box.width + across)))
    bottom = min(height, max(top + 1, int(box.y + box.height + down)))
    return _jpeg_within(image[top:bottom, left:right], _CROP_SIDE, MOST_CROP_BYTES)


def overview_jpeg(image: Image) -> bytes:
    """A JPEG of the whole image, its longer side at most 1280 pixels, at most 384 KiB."""
    return _jpeg_within(image, _OVERVIEW_SIDE, MOST_OVERVIEW_BYTES)


def _jpeg_within(image: Image, longest_side: float, most_bytes: int) -> bytes:
    scale = min(1.0, longest_side / max(image.shape[:2]))
    while True:
        small = image
        if scale < 1:
            small = np.asarray(
                cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), dtype=np.uint8
            )
        for quality in _QUALITIES:
            _, encoded = cv2.imencode(".jpg", small, (cv2.IMWRITE_JPEG_QUALITY, quality))
            if encoded.size <= most_bytes:
                return encoded.tobytes()
        scale *= _SMALLER


def _png_size(data: bytes) -> tuple[int, int]:
    # PNG (W3C), 5.6: IHDR is the first chunk.
    if data[12:16] != b"IHDR" or len(data) < 24:  # noqa: PLR2004 - end of width and height
        raise PictureError("the PNG has no header")
    width, height = struct.unpack(">II", data[16:24])
    return width, height


def _jpeg_size(data: bytes) -> tuple[int, int]:
    """Width and height from the frame header (ITU-T T.81, B.2.2)."""
    at = 2
    try:
        while True:
            if data[at] != 0xFF:  # noqa: PLR2004 - every segment begins so
                raise PictureError("the JPEG has no frame header")
            marker = data[at + 1]
            if marker == 0xFF or marker in _WITHOUT_LENGTH:  # noqa: PLR2004 - a fill byte
                at += 1 if marker == 0xFF else 2  # noqa: PLR2004
                continue
            (length,) = struct.unpack(">H", data[at + 2 : at + 4])
            if marker in _FRAME_MARKERS:
                height, width = struct.unpack(">HH", data[at + 5 : at + 9])
                break
            if marker == _SCAN_MARKER:
                raise PictureError("the JPEG has no frame header")
            at += 2 + length
    except (IndexError, struct.error):
        raise PictureError("the JPEG has no frame header") from None
    # A transfer that broke off leaves no end; the decoder would fill the rest with grey and say nothing.
    if data.rfind(_JPEG_END) < at:
        raise PictureError("the JPEG is torn: its end is missing")
    return width, height
