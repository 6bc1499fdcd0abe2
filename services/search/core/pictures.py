"""Pictures of reads for people: the plate, and the whole scene no larger than a screen shows."""

from __future__ import annotations

import math
from dataclasses import dataclass
from io import BytesIO
from typing import Final

from PIL import Image, ImageOps

# What ocr takes at most (its contract); nothing larger is ever stored.
_MOST_PIXELS: Final = 50_000_000
_FORMATS: Final = ("JPEG", "PNG")
_OVERVIEW_SIDE: Final = 1280
_CROP_SIDE: Final = 640
# Of the plate's width and height, on each side: the letters, and what stands round them.
_MARGIN: Final = (0.15, 0.4)
_QUALITY: Final = 85


class PictureError(Exception):
    """The bytes are no picture that can be shown."""


@dataclass(frozen=True, slots=True)
class PlateBox:
    """Where the plate is, in pixels of the upright picture."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Pictures:
    """JPEG of the plate with a little round it, empty where its box is not known, and of the whole scene."""

    crop: bytes
    overview: bytes


def crop_and_overview(image: bytes, box: PlateBox | None) -> Pictures:
    """The pictures for people, made from the stored one, turned upright as its EXIF says.

    Takes at most 6 bytes of memory a pixel.

    Raises:
        PictureError: Neither JPEG nor PNG, torn, or of more than 50 megapixels.
    """
    try:
        with Image.open(BytesIO(image), formats=_FORMATS) as opened:
            if math.prod(opened.size) > _MOST_PIXELS:
                raise PictureError("the picture has more than 50 megapixels")
            upright = ImageOps.exif_transpose(opened).convert("RGB")
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        # Pillow says of a torn PNG that its syntax is wrong.
        raise PictureError("the picture cannot be decoded") from error
    area = _around(box, upright.size) if box else None
    crop = _jpeg(upright.crop(area), _CROP_SIDE) if area else b""
    return Pictures(crop, _jpeg(upright, _OVERVIEW_SIDE))


def _around(box: PlateBox, size: tuple[int, int]) -> tuple[int, int, int, int] | None:
    """The box with its margin, cut to the picture; None for one that lies outside or is none."""
    values = (box.x, box.y, box.width, box.height)
    if not all(map(math.isfinite, values)) or min(box.width, box.height) <= 0:
        return None
    across, down = _MARGIN[0] * box.width, _MARGIN[1] * box.height
    left, top = max(0, int(box.x - across)), max(0, int(box.y - down))
    right = min(size[0], int(box.x + box.width + across))
    bottom = min(size[1], int(box.y + box.height + down))
    return (left, top, right, bottom) if left < right and top < bottom else None


def _jpeg(picture: Image.Image, longest_side: int) -> bytes:
    small = picture.copy()
    small.thumbnail((longest_side, longest_side))
    written = BytesIO()
    # Without the EXIF of the stored one: a place or a serial number in it is no business of who gets a crop.
    small.save(written, "JPEG", quality=_QUALITY)
    return written.getvalue()
