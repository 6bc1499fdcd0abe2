from __future__ import annotations

import struct

import cv2
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from services.ocr.core.pictures import PictureError, crop_jpeg, decoded, kind_of, overview_jpeg
from services.ocr.core.quad import Box, Image, Quad, around, cut_out


def noise(height: int, width: int) -> Image:
    """What compresses worst."""
    return np.random.default_rng(1).integers(0, 256, (height, width, 3), dtype=np.uint8)


def encoded(suffix: str, image: Image, *options: int) -> bytes:
    return cv2.imencode(suffix, image, options)[1].tobytes()


@pytest.mark.parametrize(("suffix", "media_type"), [(".jpg", "image/jpeg"), (".png", "image/png")])
def test_header_tells_kind_and_size(suffix: str, media_type: str) -> None:
    kind = kind_of(encoded(suffix, noise(48, 80)))

    assert (kind.media_type, kind.width, kind.height) == (media_type, 80, 48)


def test_progressive_jpeg_is_taken() -> None:
    kind = kind_of(encoded(".jpg", noise(48, 80), cv2.IMWRITE_JPEG_PROGRESSIVE, 1))

    assert (kind.width, kind.height) == (80, 48)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"GIF89a",
        b"BM" + bytes(100),
        b"RIFF\x00\x00\x00\x00WEBP",
        b"\x89PNG\r\n\x1a\n",
        b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sII", 13, b"IHDR", 100_000, 100_000),
        b"\xff\xd8\xff\xda\x00\x02",
        b"\xff\xd8\xff\xe0\x00\x00" * 3,
        encoded(".png", noise(16, 16)),
        encoded(".jpg", noise(64, 64))[:-400],
    ],
    ids=["empty", "gif", "bmp", "webp", "png", "bomb", "no frame", "loop", "tiny", "torn"],
)
def test_what_is_no_picture_for_us_is_refused_by_its_header(data: bytes) -> None:
    with pytest.raises(PictureError):
        kind_of(data)


def test_more_than_16_mib_is_refused_unseen() -> None:
    with pytest.raises(PictureError, match="16 MiB"):
        kind_of(bytes((16 << 20) + 1))


@given(st.binary(max_size=400))
@example(b"\xff\xff\xff\xff\xd0\xd1\xc0\x00\x11\x08\x00\x40\x00\x40")
def test_any_bytes_after_a_jpeg_mark_are_measured_or_refused(tail: bytes) -> None:
    try:
        kind = kind_of(b"\xff\xd8\xff" + tail)
    except PictureError:
        return
    assert min(kind.width, kind.height) >= 32


def test_good_header_with_a_bad_body_is_refused_when_decoded() -> None:
    data = encoded(".png", noise(64, 64))[:33] + bytes(100)

    with pytest.raises(PictureError):
        decoded(data)


def test_overview_and_crop_of_the_worst_picture_keep_their_limits() -> None:
    image = noise(2160, 3840)

    assert len(overview_jpeg(image)) <= 384 << 10
    assert len(crop_jpeg(image, Box(0, 0, 3840, 2160))) <= 128 << 10


def test_small_picture_is_not_enlarged() -> None:
    assert decoded(overview_jpeg(noise(48, 80))).shape == (48, 80, 3)


def test_crop_shows_the_plate_with_a_margin_and_stays_inside_the_image() -> None:
    image = np.zeros((100, 200, 3), dtype=np.uint8)
    image[80:100, 150:200] = 255

    crop = decoded(crop_jpeg(image, Box(150, 80, 50, 20)))

    assert crop.shape == (28, 58, 3)
    assert crop[-5, -5].min() > 200
    assert crop[1, 1].max() < 50


@pytest.mark.parametrize("degrees", [-35, -10, 0, 10, 35])
def test_corners_of_a_tilted_line_begin_at_its_upper_left(degrees: float) -> None:
    turn = np.radians(degrees)
    along = np.array([np.cos(turn), np.sin(turn)])
    down = np.array([-along[1], along[0]])
    corners = np.array(
        [300 + a * 80 * along + d * 20 * down for a, d in ((-1, -1), (1, -1), (1, 1), (-1, 1))]
    )

    found = around(corners[[2, 0, 3, 1]].astype(np.float32))

    assert found.array() == pytest.approx(corners, abs=0.5)
    assert (found.width, found.height) == pytest.approx((160, 40), abs=0.5)


def test_grown_line_is_larger_on_every_side() -> None:
    square = Quad(((10, 10), (50, 10), (50, 20), (10, 20)))

    assert square.grown(2).points == ((8, 8), (52, 8), (52, 22), (8, 22))


@pytest.mark.parametrize("scale", [1, 4])
def test_cut_out_part_is_upright_and_of_the_asked_size(scale: int) -> None:
    image = np.zeros((200 * scale, 300 * scale, 3), dtype=np.uint8)
    image[100 * scale : 140 * scale, 100 * scale : 180 * scale] = 90
    image[100 * scale : 140 * scale, 180 * scale : 260 * scale] = 200
    corners = ((100, 100), (260, 100), (260, 140), (100, 140))

    part = cut_out(image, Quad(tuple((x * scale, y * scale) for x, y in corners)), 48, 192)

    assert part.shape == (48, 192, 3)
    assert part[24, 20, 0] == 90
    assert part[24, 170, 0] == 200
