"""Pictures of a report: the plate and the scene, no larger than they are shown."""

from __future__ import annotations

import io
import math
from dataclasses import dataclass
from typing import Final

from PIL import Image, ImageOps

from services.search.core.report import NO_PICTURES, Pictures

_FORMATS: Final = ("JPEG", "PNG", "WEBP", "BMP", "TIFF")
# A file of a few bytes may claim a picture of gigabytes.
_MOST_PIXELS: Final = 80_000_000
_OVERVIEW: Final = (960, 720)
_CROP: Final = (480, 240)
_MARGIN: Final = 0.15
_QUALITY: Final = 82


@dataclass(frozen=True, slots=True)
class PlateBox:
    """Where the plate is, in pixels of the picture as it was stored."""

    x: float
    y: float
    width: float
    height: float


def pictures_of(stored: bytes, box: PlateBox) -> Pictures:
    """Plate and scene of a stored picture; none when it cannot be read, the crop empty when the box is none.

    What came with the picture beside its pixels (place, camera, thumbnails) stays behind.
    """
    try:
        with Image.open(io.BytesIO(stored), formats=_FORMATS) as opened:
            if opened.width * opened.height > _MOST_PIXELS:
                return NO_PICTURES
            # The box is of the picture as it is looked at, upright.
            whole = ImageOps.exif_transpose(opened).convert("RGB")
    except (OSError, ValueError, Image.DecompressionBombError, SyntaxError):
        return NO_PICTURES
    crop = _crop(whole, box)
    return Pictures(
        crop=_jpeg(crop, _CROP) if crop else b"",
        overview=_jpeg(whole, _OVERVIEW),
    )


def _crop(whole: Image.Image, box: PlateBox) -> Image.Image | None:
    if not all(map(math.isfinite, (box.x, box.y, box.width, box.height))):
        return None
    aside, above = box.width * _MARGIN, box.height * _MARGIN
    left, top = max(0, round(box.x - aside)), max(0, round(box.y - above))
    right = min(whole.width, round(box.x + box.width + aside))
    bottom = min(whole.height, round(box.y + box.height + above))
    if right - left < 2 or bottom - top < 2:  # noqa: PLR2004 -- a picture of one pixel shows nothing
        return None
    return whole.crop((left, top, right, bottom))


def _jpeg(picture: Image.Image, most: tuple[int, int]) -> bytes:
    file = io.BytesIO()
    small = (
        ImageOps.contain(picture, most) if picture.width > most[0] or picture.height > most[1] else picture
    )
    small.save(file, "JPEG", quality=_QUALITY)
    return file.getvalue()
