"""Pictures that are refused, each with a sentence that says what to change, and before a decoder sees it."""

from __future__ import annotations

import struct
import zlib
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from services.ocr.core.pictures import PictureError, decoded, kind_of
from tests.support.pictures_kit import (
    END,
    FRAMES,
    GREY,
    PALETTE,
    PNG_SIGNATURE,
    RGB,
    SCAN,
    START,
    after_start,
    animated,
    chunk,
    encoded,
    exif,
    ihdr,
    jpeg_parts,
    noise,
    planes_jpeg,
    png,
    quarters,
    samples_of,
    segment,
    with_frame,
)

JPEG = encoded(".jpg", quarters())
GREY_JPEG = encoded(".jpg", quarters()[..., 0].copy())
PROGRESSIVE = encoded(".jpg", quarters(), cv2.IMWRITE_JPEG_PROGRESSIVE, 1)
PNG = encoded(".png", quarters())
LINES = zlib.compress(bytes(48 * 241), 0)
PARTS = jpeg_parts(JPEG)
FRAME = next(part for part in PARTS if part[1] in FRAMES)
MANY = chunk(b"abCd") * 9000


def by_answer(value: object) -> str:
    """A name for a case: what is said, and not the bytes."""
    return value if isinstance(value, str) else "picture"


def png_of(*chunks: bytes) -> bytes:
    return PNG_SIGNATURE + b"".join(chunks)


def refusal(data: bytes, read: Any = decoded) -> str:
    with pytest.raises(PictureError) as refused:
        read(data)
    return str(refused.value)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "neither JPEG nor PNG"),
        (b"\xff\xd8", "neither JPEG nor PNG"),
        (b"GIF89a" + bytes(400), "neither JPEG nor PNG"),
        (b"BM" + bytes(100), "neither JPEG nor PNG"),
        (b"II*\0" + bytes(100), "neither JPEG nor PNG"),
        (b"RIFF\0\0\0\0WEBPVP8 ", "neither JPEG nor PNG"),
        (b"\0\0\0\x0cjP  \r\n\x87\n", "neither JPEG nor PNG"),
        (b"\0\0\0\x1cftypavif", "neither JPEG nor PNG"),
        (b"<svg/>", "neither JPEG nor PNG"),
        (b"%PDF-1.7\n" + JPEG, "neither JPEG nor PNG"),
        (b"PK\x03\x04" + JPEG, "neither JPEG nor PNG"),
        (b"\n" + PNG, "neither JPEG nor PNG"),
        (bytes((16 << 20) + 1), "larger than 16 MiB"),
        (encoded(".png", noise(1, 1)), "less than 32 pixels"),
        (encoded(".jpg", noise(1, 1)), "less than 32 pixels"),
        (encoded(".jpg", noise(31, 400)), "less than 32 pixels"),
        (png_of(ihdr(0, 0)), "less than 32 pixels"),
        (with_frame(JPEG, 5, bytes(2)), "less than 32 pixels"),
        (with_frame(JPEG, 7, bytes(2)), "less than 32 pixels"),
        (png_of(ihdr(20_000, 20_000)), "50 megapixels"),
        (with_frame(JPEG, 5, struct.pack(">HH", 20_000, 20_000)), "50 megapixels"),
        (png_of(ihdr(2**31 - 1, 2**31 - 1)), "50 megapixels"),
        (png_of(ihdr(1_500_000, 32)), "more than 16,384 pixels"),
        (with_frame(JPEG, 5, struct.pack(">HH", 65_535, 400)), "more than 16,384 pixels"),
    ],
    ids=by_answer,
)
def test_wrong_type_or_size_is_refused_by_the_header(data: bytes, said: str) -> None:
    assert said in refusal(data, kind_of)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (START + b"\xff", "torn"),
        (START + segment(0xFE, b"x")[:-1], "torn"),
        (START + segment(0xFE, b"only words") + END, "frame header is missing"),
        (after_start(START + END, segment(0xE1, exif(1)[4:] + JPEG)), "frame header is missing"),
        (b"".join(part for part in PARTS if part[1] not in FRAMES), "frame header is missing"),
        (START + b"\xff\xda\0\x02" + JPEG[2:], "frame header is missing"),
        (START + b"\xff\xe0\0\0" * 3, "malformed"),
        (START + b"\xff\xe0\0\1" * 3, "malformed"),
        (START + b"\xff\x01" + JPEG[2:], "malformed"),
        (START + b"\xff\xd0" + JPEG[2:], "malformed"),
        (START + JPEG, "malformed"),
        (START + b"\xff\0" + JPEG[2:], "malformed"),
        (START + segment(0xDE, bytes(15)) + JPEG[2:], "malformed"),
        (START + segment(0xCC, b"\0\x10") + JPEG[2:], "malformed"),
        (with_frame(JPEG, 4, b"\x0c"), "unusual"),
        (with_frame(JPEG, 4, b"\0"), "unusual"),
        *((with_frame(JPEG, 1, bytes([marker])), "unusual") for marker in (0xC3, *range(0xC5, 0xC8))),
        *((with_frame(JPEG, 1, bytes([marker])), "unusual") for marker in (0xC9, 0xCA, 0xCB, 0xCD, 0xCF)),
        *((with_frame(JPEG, 9, bytes([components])), "malformed") for components in (0, 1, 2, 4, 255)),
        *((with_frame(JPEG, 11, bytes([factors])), "malformed") for factors in (0x00, 0x01, 0x51, 0x15)),
        (START + b"\xff\xc0\0\x04\x08\0" + END, "malformed"),
        (START + segment(0xFE) * 2000 + JPEG[2:], "too many segments"),
    ],
    ids=by_answer,
)
def test_jpeg_of_an_unusual_or_impossible_kind_is_refused_by_its_header(data: bytes, said: str) -> None:
    assert said in refusal(data, kind_of)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (PNG_SIGNATURE, "header"),
        (PNG[:28], "header"),
        (png_of(chunk(b"CgBI", bytes(4)), ihdr(80, 48)), "header"),
        (png_of(chunk(b"IHDR", bytes(12))), "header"),
        *((png_of(ihdr(80, 48, depth, colour)), "header") for depth, colour in ((4, 2), (16, 3), (3, 0))),
        *((png_of(ihdr(80, 48, 8, colour)), "header") for colour in (1, 5, 7, 255)),
        *((png_of(ihdr(80, 48, 8, RGB, *rest)), "header") for rest in ((1, 0, 0), (0, 1, 0), (0, 0, 2))),
    ],
    ids=by_answer,
)
def test_png_with_an_impossible_header_is_refused(data: bytes, said: str) -> None:
    assert said in refusal(data, kind_of)


@pytest.mark.parametrize("data", [JPEG, PROGRESSIVE, PNG], ids=["JPEG", "progressive", "PNG"])
def test_picture_cut_off_anywhere_is_refused(data: bytes) -> None:
    for length in range(len(data)):
        refusal(data[:length])


@pytest.mark.parametrize("data", [JPEG, PROGRESSIVE], ids=["JPEG", "progressive"])
def test_jpeg_whose_end_is_missing_is_called_torn(data: bytes) -> None:
    assert "torn" in refusal(data[:-2])


def test_png_with_any_one_byte_changed_is_refused() -> None:
    for at in range(len(PNG)):
        refusal(PNG[:at] + bytes([PNG[at] ^ 0x41]) + PNG[at + 1 :])


@pytest.mark.parametrize(
    "after",
    [
        b"PK\x03\x04" + bytes(26) + b"PK\x05\x06" + bytes(18),
        b"%PDF-1.7\n%%EOF",
        b"<html><script>alert(1)</script></html>",
        b"\r\n--boundary\r\n",
        JPEG,
        PNG,
        b"\0" * 40 + b"x",
    ],
    ids=["zip", "pdf", "html", "boundary of a stream", "second JPEG", "second PNG", "after padding"],
)
@pytest.mark.parametrize("data", [JPEG, PROGRESSIVE, PNG], ids=["JPEG", "progressive", "PNG"])
def test_picture_with_something_after_its_end_is_refused(data: bytes, after: bytes) -> None:
    assert "data after its end" in refusal(data + after)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (
            b"".join([*PARTS[:-1], FRAME, END]),
            "several frame headers",
        ),
        (b"".join([*PARTS[:-1], segment(0xDC, b"\0\x30"), END]), "malformed"),
        (b"".join([*PARTS[:-1], *PARTS[1:]]), "several frame headers"),
        (b"".join([*PARTS[:-1], *PARTS]), "malformed"),
        (b"".join([*PARTS[:3], b"words", *PARTS[3:]]), "malformed"),
        (b"".join(part for part in PARTS if part[1] != SCAN), "frame header is missing"),
        (with_frame(JPEG, 5, struct.pack(">H", 6000)), "less data"),
        (with_frame(JPEG, 5, struct.pack(">HH", 7000, 7000)), "less data"),
        (with_frame(PROGRESSIVE, 5, struct.pack(">HH", 7000, 7000)), "less data"),
        (b"".join([*PARTS[:-2], PARTS[-2][:14], END]), "less data"),
        (planes_jpeg([quarters()[..., 0].copy()] * 4, adobe=None), "CMYK"),
        (b"".join([*PARTS[:-1], PARTS[-2] * 4, END]), "too many scans"),
        (b"".join([*jpeg_parts(PROGRESSIVE)[:-1], jpeg_parts(PROGRESSIVE)[-2] * 60, END]), "too many scans"),
        (b"".join([*PARTS[:-2], b"\xff\xda\0\x02", PARTS[-2][14:], END]), "cannot be decoded"),
        (b"".join(part for part in PARTS if part[1] != 0xDB), "cannot be decoded"),
    ],
    ids=[
        "two frame headers",
        "number of lines",
        "two pictures in one",
        "picture in the picture",
        "bytes between segments",
        "no scan",
        "higher than its scan",
        "bomb",
        "progressive bomb",
        "empty scan",
        "CMYK of unknown polarity",
        "scan again and again",
        "progressive scans without end",
        "scan header too short",
        "no quantisation",
    ],
)
def test_jpeg_whose_parts_do_not_fit_is_refused(data: bytes, said: str) -> None:
    assert said in refusal(data)


def test_progressive_jpeg_that_would_take_too_much_memory_is_refused_unseen() -> None:
    options = (cv2.IMWRITE_JPEG_PROGRESSIVE, 1, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, 0x111111)
    data = encoded(".jpg", np.zeros((5300, 5300, 3), dtype=np.uint8), *options)

    assert "too much memory" in refusal(data)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (animated(PNG), "animated"),
        (png_of(ihdr(80, 48), chunk(b"acTL", bytes(8)), chunk(b"IDAT", LINES), chunk(b"IEND")), "animated"),
        (png_of(ihdr(80, 48), chunk(b"IEND")), "malformed"),
        (png_of(ihdr(80, 48), ihdr(80, 48), chunk(b"IDAT", LINES), chunk(b"IEND")), "malformed"),
        (png_of(ihdr(80, 48), chunk(b"IDAT", LINES), ihdr(99, 99), chunk(b"IEND")), "malformed"),
        (png_of(ihdr(80, 48), chunk(b"IDAT", LINES), chunk(b"PLTE", bytes(3)), chunk(b"IEND")), "malformed"),
        (png_of(ihdr(80, 48), chunk(b"XXXX"), chunk(b"IDAT", LINES), chunk(b"IEND")), "malformed"),
        (png_of(ihdr(80, 48), chunk(b"a\n c"), chunk(b"IDAT", LINES), chunk(b"IEND")), "malformed"),
        (
            png_of(ihdr(80, 48), MANY, chunk(b"IDAT", LINES), chunk(b"IEND")),
            "too many chunks",
        ),
        (png_of(ihdr(80, 48), b"\xff\xff\xff\xffIDAT" + LINES), "torn"),
        (png_of(ihdr(80, 48), struct.pack(">I", 2**31) + b"teXt" + bytes(100)), "torn"),
        (png_of(ihdr(80, 48), b"\0\0\0\0" + chunk(b"IDAT", LINES)[4:], chunk(b"IEND")), "checksum"),
        (png_of(ihdr(80, 48), chunk(b"IDAT", LINES), b"\0\0\0\0IEND\0\0\0\0"), "checksum"),
        (png_of(ihdr(80, 48), chunk(b"IDAT", LINES[:-30]), chunk(b"IEND")), "cannot be decoded"),
        (png_of(ihdr(80, 48), chunk(b"IDAT", b"no deflate at all"), chunk(b"IEND")), "cannot be decoded"),
        (png_of(ihdr(80, 48), chunk(b"IDAT", zlib.compress(b"\x09" * 48 * 241)), chunk(b"IEND")), "decoded"),
        (png_of(ihdr(7000, 7000), chunk(b"IDAT", LINES), chunk(b"IEND")), "less data"),
        (png_of(ihdr(80, 48, 8, PALETTE), chunk(b"IDAT", LINES), chunk(b"IEND")), "cannot be decoded"),
    ],
    ids=[
        "animated",
        "animation of one",
        "no data",
        "two headers",
        "late header",
        "late palette",
        "unknown critical chunk",
        "name of no chunk",
        "chunks without end",
        "length of 4 GiB",
        "length of 2 GiB",
        "length too short",
        "bad checksum",
        "data end early",
        "no deflate",
        "no such filter",
        "bomb",
        "no palette",
    ],
)
def test_png_whose_parts_do_not_fit_is_refused(data: bytes, said: str) -> None:
    assert said in refusal(data)


def test_png_whose_data_are_interrupted_is_refused() -> None:
    halves = chunk(b"IDAT", LINES[:20]), chunk(b"IDAT", LINES[20:])

    assert decoded(png_of(ihdr(80, 48), *halves, chunk(b"IEND"))).shape == (48, 80, 3)
    assert "malformed" in refusal(png_of(ihdr(80, 48), halves[0], chunk(b"teXt"), halves[1], chunk(b"IEND")))


@given(st.binary(max_size=400), st.sampled_from([START + b"\xff", PNG_SIGNATURE, JPEG[:-2], PNG[:-12]]))
@example(b"\xff\xff\xd0\xd1\xc0\x00\x11\x08\x00\x40\x00\x40", START + b"\xff")
def test_any_bytes_after_a_good_beginning_are_a_picture_or_refused(tail: bytes, start: bytes) -> None:
    try:
        image = decoded(start + tail)
    except PictureError:
        return
    assert min(image.shape[:2]) >= 32


def test_jpeg_with_damaged_data_is_decoded_without_a_word_of_it_and_nothing_else_of_the_heap(
    capfd: pytest.CaptureFixture[str],
) -> None:
    # A decoder cannot tell damage in a JPEG from content. What is missing becomes grey, the same each time.
    words = segment(0xFE, b"7KSECRET comment")
    torn = b"".join([*PARTS[:1], words, *PARTS[1:-2], PARTS[-2][:-60], END])

    assert np.array_equal(decoded(torn), decoded(torn))
    assert "7KSECRET" not in "".join(capfd.readouterr())


def test_decoders_say_nothing_of_a_picture_that_they_cannot_decode(capfd: pytest.CaptureFixture[str]) -> None:
    words = chunk(b"tEXt", b"Comment\0of 7KSECRET") + chunk(b"iCCP", b"7KSECRET\0\0broken")

    refusal(png(samples_of(8, GREY), 8, GREY, extra=words).replace(b"IDAT", b"IDAT"[::-1]))
    refusal(png_of(ihdr(80, 48), words, chunk(b"IDAT", LINES[:-30]), chunk(b"IEND")))

    assert "7KSECRET" not in "".join(capfd.readouterr())
