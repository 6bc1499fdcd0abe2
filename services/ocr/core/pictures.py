"""Images as sensors send them: checked, decoded without what no decoder needs, and cut down for people."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np

from services.ocr.core import jpeg, png
from services.ocr.core.picture_limits import MOST_BYTES, PictureError, PictureKind, require_size
from services.ocr.core.quad import Box, Image

__all__ = ["PictureError", "PictureKind", "crop_jpeg", "decoded", "kind_of", "overview_jpeg"]

MOST_CROP_BYTES: Final = 128 << 10
MOST_OVERVIEW_BYTES: Final = 384 << 10

_OVERVIEW_SIDE: Final = 1280
_CROP_SIDE: Final = 640
_CROP_MARGIN: Final = (0.15, 0.4)
_QUALITIES: Final = (88, 75, 60)
_SMALLER: Final = 0.7

# EXIF is read here and not by the decoder, which is not given it.
_DECODING: Final = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
# EXIF 2.32, 4.6.4: the orientations whose rows are the columns of the scene ...
_TRANSPOSED: Final = frozenset({5, 6, 7, 8})
# ... and what is then left to flip: 0 upside down, 1 left to right, -1 both.
_FLIPS: Final = {2: 1, 3: -1, 4: 0, 6: 1, 7: -1, 8: 0}


def kind_of(data: bytes) -> PictureKind:
    """What the image is, from its header alone: nothing is decoded, and time does not grow with its length.

    Raises:
        PictureError: Neither JPEG nor PNG, or larger than 16 MiB or 50 megapixels.
    """
    if len(data) > MOST_BYTES:
        raise PictureError("is larger than 16 MiB: send it smaller or more compressed")
    if data.startswith(png.SIGNATURE):
        return require_size(png.kind_of_png(data))
    if data.startswith(jpeg.SIGNATURE):
        return require_size(jpeg.kind_of_jpeg(data))
    raise PictureError("is neither JPEG nor PNG: send one of them")


def decoded(data: bytes) -> Image:
    """The pixels of the image (BGR), turned upright as its EXIF says.

    Takes at most 6 bytes of memory a pixel, and a copy of `data`.

    Raises:
        PictureError: What `kind_of` refuses; or torn, malformed, animated, with something after its end, or
            not decodable.
    """
    kind = kind_of(data)
    essence = png.png_essence(data) if kind.media_type == "image/png" else jpeg.jpeg_essence(data)
    try:
        image = cv2.imdecode(np.frombuffer(essence.data, dtype=np.uint8), _DECODING)
    except cv2.error:
        image = None
    if image is None or image.shape != (kind.height, kind.width, 3):
        raise PictureError("cannot be decoded: its data are damaged; send it again")
    return _upright(np.asarray(image, dtype=np.uint8), essence.orientation)


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
            # A strip keeps one row of pixels, for a picture of none cannot be encoded.
            sides = [max(1, round(side * scale)) for side in (image.shape[1], image.shape[0])]
            small = np.asarray(cv2.resize(image, sides, interpolation=cv2.INTER_AREA), dtype=np.uint8)
        for quality in _QUALITIES:
            _, encoded = cv2.imencode(".jpg", small, (cv2.IMWRITE_JPEG_QUALITY, quality))
            if encoded.size <= most_bytes:
                return encoded.tobytes()
        scale *= _SMALLER


def _upright(image: Image, orientation: int) -> Image:
    """The image turned; flips are in place, for a second and third copy of 50 megapixels is much."""
    if orientation in _TRANSPOSED:
        image = np.asarray(cv2.transpose(image), dtype=np.uint8)
    if orientation in _FLIPS:
        cv2.flip(image, _FLIPS[orientation], image)
    return image
