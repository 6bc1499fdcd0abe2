"""The pictures of pushed reads: checked, decoded as those of frames are, and cut down for people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from services.ocr.core.pictures import PictureError, crop_jpeg, decoded, kind_of, overview_jpeg
from services.ocr.core.pushed.model import PushedRead
from services.ocr.core.quad import Box, Image
from services.ocr.errors import BadImageError


@dataclass(frozen=True, slots=True)
class Shot:
    """The pictures of one read.

    Attributes:
        image: What is stored for the read, as it was sent: the picture, or the crop where only that came;
            empty when neither did.
        media_type: Of `image`.
        crop: JPEG of the plate, at most 128 KiB; empty when it is not known where the plate is.
        overview: JPEG of vehicle or scene, at most 384 KiB; empty when only a crop came.
    """

    image: bytes
    media_type: str
    crop: bytes
    overview: bytes


NO_SHOT: Final = Shot(b"", "", b"", b"")


def shots_of(reads: Sequence[PushedRead]) -> tuple[Shot, ...]:
    """The pictures of each read; a picture that several show is decoded once. Takes a while: for a thread.

    Raises:
        BadImageError: A picture is damaged, too large or too small.
    """
    decoded_once: dict[bytes, Image] = {}
    try:
        return tuple(_shot(read, decoded_once) for read in reads)
    except PictureError as error:
        raise BadImageError.of(error) from None


def _shot(read: PushedRead, decoded_once: dict[bytes, Image]) -> Shot:
    if not read.picture:
        if not read.crop:
            return NO_SHOT
        return Shot(read.crop, kind_of(read.crop).media_type, _whole(read.crop), b"")
    if read.picture not in decoded_once:
        decoded_once[read.picture] = decoded(read.picture)
    scene = decoded_once[read.picture]
    return Shot(read.picture, kind_of(read.picture).media_type, _crop(read, scene), overview_jpeg(scene))


def _crop(read: PushedRead, scene: Image) -> bytes:
    """The crop that came, or the plate's box cut out of the scene; empty when there is neither."""
    if read.crop:
        try:
            return _whole(read.crop)
        except PictureError:
            # Plates that are far away make crops of a few pixels; the scene shows more than they would.
            return b""
    if read.plate_box is None:
        return b""
    height, width = scene.shape[:2]
    x, y, across, down = read.plate_box
    return crop_jpeg(scene, Box(x, y, across, down)) if x < width and y < height else b""


def _whole(picture: bytes) -> bytes:
    image = decoded(picture)
    return crop_jpeg(image, Box(0, 0, image.shape[1], image.shape[0]))
