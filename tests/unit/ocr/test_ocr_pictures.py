"""Pictures that are taken: what their headers say, how they are decoded, and how they are cut down."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from services.ocr.core.pictures import crop_jpeg, decoded, kind_of, overview_jpeg
from services.ocr.core.quad import Box
from tests.support.pictures_kit import (
    END,
    GREY,
    GREY_ALPHA,
    PALETTE,
    RGB,
    RGB_ALPHA,
    after_start,
    as_decoded,
    as_held,
    chunk,
    encoded,
    exif,
    noise,
    planes_jpeg,
    png,
    quarters,
    samples_of,
    segment,
    tiff,
)

PROGRESSIVE = (cv2.IMWRITE_JPEG_PROGRESSIVE, 1)
ORIENTATIONS = range(1, 9)


def near(image: object, expected: object) -> bool:
    """Whether they are the same but for what JPEG loses."""
    one, other = np.asarray(image, dtype=int), np.asarray(expected, dtype=int)
    return one.shape == other.shape and float(np.abs(one - other).mean()) < 5


@pytest.mark.parametrize(("suffix", "media_type"), [(".jpg", "image/jpeg"), (".png", "image/png")])
def test_header_tells_kind_and_size(suffix: str, media_type: str) -> None:
    kind = kind_of(encoded(suffix, noise(48, 80)))

    assert (kind.media_type, kind.width, kind.height) == (media_type, 80, 48)


@pytest.mark.parametrize(
    "data",
    [
        encoded(".jpg", quarters()),
        encoded(".jpg", quarters(), *PROGRESSIVE),
        encoded(".jpg", quarters(), cv2.IMWRITE_JPEG_RST_INTERVAL, 2),
        encoded(".jpg", quarters(), *PROGRESSIVE, cv2.IMWRITE_JPEG_RST_INTERVAL, 2),
        encoded(".jpg", quarters(), cv2.IMWRITE_JPEG_OPTIMIZE, 1),
        encoded(".jpg", quarters(), cv2.IMWRITE_JPEG_SAMPLING_FACTOR, 0x111111),
        encoded(".jpg", quarters(), cv2.IMWRITE_JPEG_SAMPLING_FACTOR, 0x411111),
        encoded(".jpg", quarters()).replace(b"\xff\xd9", b"\xff\xff\xff\xd9"),
        after_start(encoded(".jpg", quarters()), segment(0xFE, b"said in a comment: \xff\xd9\xff\xda")),
    ],
    ids=["baseline", "progressive", "restarts", "both", "own tables", "4:4:4", "4:1:1", "fill", "comment"],
)
def test_jpeg_is_decoded_however_it_is_coded(data: bytes) -> None:
    assert (kind_of(data).width, kind_of(data).height) == (80, 48)
    assert near(decoded(data), quarters())


def test_grey_jpeg_becomes_three_equal_colours() -> None:
    grey = cv2.cvtColor(quarters(), cv2.COLOR_BGR2GRAY)

    assert near(decoded(encoded(".jpg", grey)), np.repeat(grey[..., None], 3, axis=2))


@pytest.mark.parametrize("adobe", [0, 2], ids=["CMYK", "YCCK"])
def test_cmyk_jpeg_has_the_colours_that_a_printer_would_give_it(adobe: int) -> None:
    # As Adobe stores it: 255 is no ink, so that without black the planes are red, green and blue.
    image = quarters() if adobe == 0 else np.full((48, 80, 3), 90, dtype=np.uint8)
    planes = [np.ascontiguousarray(image[..., n]) for n in (2, 1, 0)]
    if adobe:
        planes = [255 - planes[0], *[np.full((48, 80), 128, dtype=np.uint8)] * 2]
    no_black = np.full((48, 80), 255, dtype=np.uint8)

    assert near(decoded(planes_jpeg([*planes, no_black], adobe=adobe)), image)


def test_rgb_jpeg_of_adobe_is_not_taken_for_ycbcr() -> None:
    planes = [np.ascontiguousarray(quarters()[..., n]) for n in (2, 1, 0)]

    assert near(decoded(planes_jpeg(planes, adobe=0)), quarters())


@pytest.mark.parametrize("interlaced", [False, True], ids=["plain", "interlaced"])
@pytest.mark.parametrize(
    ("colour", "depth"),
    [
        *((GREY, depth) for depth in (1, 2, 4, 8, 16)),
        *((PALETTE, depth) for depth in (1, 2, 4, 8)),
        *((colour, depth) for colour in (RGB, GREY_ALPHA, RGB_ALPHA) for depth in (8, 16)),
    ],
)
def test_png_of_every_kind_is_decoded_to_the_pixel(colour: int, depth: int, interlaced: bool) -> None:
    samples = samples_of(depth, colour)

    image = decoded(png(samples, depth, colour, interlaced=interlaced))

    assert np.array_equal(image, as_decoded(samples, depth, colour))


@pytest.mark.parametrize(
    "extra",
    [
        chunk(b"tRNS", b"\0\1\0\2\0\3"),
        chunk(b"PLTE", bytes(30)),
        chunk(b"gAMA", b"\0\0\0\1"),
        chunk(b"iCCP", b"broken\0\0broken"),
        chunk(b"tEXt", b"Comment\0words"),
        chunk(b"zTXt", b"Raw profile type exif\0\0broken"),
        chunk(b"prVt", bytes(9_000_000)),
    ],
    ids=[
        "transparent colour",
        "suggested palette",
        "gamma",
        "broken profile",
        "text",
        "broken text",
        "private",
    ],
)
def test_what_a_png_says_besides_its_pixels_changes_nothing(extra: bytes) -> None:
    samples = samples_of(8, RGB)

    assert np.array_equal(decoded(png(samples, 8, RGB, extra=extra)), as_decoded(samples, 8, RGB))


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_jpeg_is_turned_upright_as_its_exif_says(orientation: int) -> None:
    held = encoded(".jpg", as_held(quarters(), orientation), cv2.IMWRITE_JPEG_QUALITY, 98)

    for order in "<>":
        assert near(decoded(after_start(held, exif(orientation, order=order))), quarters())


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_png_is_turned_upright_as_its_exif_says(orientation: int) -> None:
    held = as_held(quarters(), orientation)[..., ::-1]

    image = decoded(png(held, 8, RGB, extra=chunk(b"eXIf", tiff(orientation))))

    assert np.array_equal(image, quarters())


@pytest.mark.parametrize(
    "said",
    [
        exif(0),
        exif(9),
        exif(65535),
        exif(6, kind=4),
        exif(6, count=2),
        segment(0xE1, b"Exif\0\0"),
        segment(0xE1, b"Exif\0\0II*\0\xff\xff\xff\xff"),
        segment(0xE1, b"Exif\0\0II*\0\x08\0\0\0\xff\xff" + bytes(12)),
        segment(0xE1, b"Exif\0\0MM\0*" + bytes(12) + b"\x06"),
        segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0<tiff:Orientation>6</tiff:Orientation>"),
        exif(1) + exif(6),
    ],
    ids=[
        "0",
        "9",
        "65535",
        "wrong type",
        "two values",
        "empty",
        "far away",
        "torn",
        "loop",
        "XMP",
        "the first counts",
    ],
)
def test_exif_that_says_nothing_valid_turns_nothing(said: bytes) -> None:
    assert near(decoded(after_start(encoded(".jpg", quarters()), said)), quarters())


@pytest.mark.parametrize("padding", [b"\0" * 500, b"\xff" * 3, b"\r\n"], ids=["zeros", "ones", "line end"])
@pytest.mark.parametrize("suffix", [".jpg", ".png"])
def test_padding_after_the_end_is_no_data(suffix: str, padding: bytes) -> None:
    assert near(decoded(encoded(suffix, quarters()) + padding), quarters())


def test_polyglot_inside_the_segments_is_decoded_as_the_picture_it_is() -> None:
    # Nothing can tell a comment from a document; it stays a picture, by its media type, wherever it goes.
    page = segment(0xFE, b"%PDF-1.7\n<html><script>alert(1)</script></html>PK\x03\x04")

    data = after_start(encoded(".jpg", quarters()), page)

    assert kind_of(data).media_type == "image/jpeg"
    assert near(decoded(data), quarters())


def test_a_thumbnail_is_not_taken_for_the_picture() -> None:
    thumbnail = exif(1)[4:] + encoded(".jpg", noise(32, 32))

    data = after_start(encoded(".jpg", quarters()), segment(0xE1, thumbnail))

    assert near(decoded(data), quarters())
    assert data.count(END) == 2


def test_overview_and_crop_of_the_worst_picture_keep_their_limits() -> None:
    image = noise(2160, 3840)

    assert len(overview_jpeg(image)) <= 384 << 10
    assert len(crop_jpeg(image, Box(0, 0, 3840, 2160))) <= 128 << 10


@pytest.mark.parametrize(("height", "width"), [(32, 16_384), (16_384, 32)])
def test_overview_and_crop_of_a_strip_are_strips(height: int, width: int) -> None:
    image = noise(height, width)

    for jpeg in (
        overview_jpeg(image),
        crop_jpeg(image, Box(0, 0, width, 1)),
        crop_jpeg(image, Box(9, 0, 1, height)),
    ):
        assert cv2.imdecode(np.frombuffer(jpeg, dtype=np.uint8), cv2.IMREAD_COLOR).size > 0


def test_small_picture_is_not_enlarged() -> None:
    assert decoded(overview_jpeg(noise(48, 80))).shape == (48, 80, 3)


def test_crop_shows_the_plate_with_a_margin_and_stays_inside_the_image() -> None:
    image = np.zeros((120, 200, 3), dtype=np.uint8)
    image[90:120, 150:200] = 255

    crop = decoded(crop_jpeg(image, Box(150, 90, 50, 30)))

    assert crop.shape == (42, 58, 3)
    assert crop[-5, -5].min() > 200
    assert crop[1, 1].max() < 50
