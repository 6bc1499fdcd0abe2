"""Bad pictures over the wire: each is refused with what to change, nothing is stored, a stream goes on."""

from __future__ import annotations

from typing import Any, cast

import cv2
import grpc
import numpy as np
import pytest
from google.rpc import error_details_pb2  # type: ignore[import-untyped]
from grpc_status import rpc_status

from tests.support.ocr_kit import World, answers_of, frame_of, pixels, scene_frame, without_plate
from tests.support.pictures_kit import (
    PNG_SIGNATURE,
    RGB,
    after_start,
    animated,
    as_held,
    chunk,
    encoded,
    exif,
    ihdr,
    jpeg_parts,
    planes_jpeg,
    png,
    tiff,
    with_frame,
)

ROAD = without_plate()
ROAD_PNG = encoded(".png", pixels(ROAD))

BAD = {
    "wrong type": (b"GIF89a" + bytes(400), "is neither JPEG nor PNG"),
    "1 x 1": (encoded(".png", np.zeros((1, 1, 3), dtype=np.uint8)), "has a side of less than 32 pixels"),
    "20,000 x 20,000": (PNG_SIGNATURE + ihdr(20_000, 20_000), "has more than 50 megapixels"),
    "truncated JPEG": (ROAD[:-200], "is torn"),
    "truncated PNG": (ROAD_PNG[:-200], "is torn"),
    "corrupt PNG": (ROAD_PNG[:200] + b"\0\0\0" + ROAD_PNG[203:], "was damaged on its way"),
    "animated": (animated(ROAD_PNG), "is animated"),
    "bomb": (with_frame(ROAD, 5, b"\x1b\x58\x1b\x58"), "has less data than its size in pixels needs"),
    "zip behind a JPEG": (ROAD + b"PK\x03\x04" + bytes(30), "has data after its end"),
    "page behind a PNG": (ROAD_PNG + b"<html></html>", "has data after its end"),
    "arithmetic coding": (with_frame(ROAD, 1, b"\xc9"), "is an unusual JPEG"),
    "12 bits": (with_frame(ROAD, 4, b"\x0c"), "is an unusual JPEG"),
    "no tables": (b"".join(p for p in jpeg_parts(ROAD) if p[1] != 0xDB), "cannot be decoded"),
}


def plates_of(answer: Any) -> list[tuple[str, Any]]:
    """Text and place of each plate."""
    return [(plate.read.plate, plate.read.plate_box) for plate in answer.plates]


@pytest.mark.parametrize(("image", "said"), BAD.values(), ids=BAD)
async def test_bad_picture_is_refused_with_the_field_and_what_to_change(
    ocr: World, image: bytes, said: str
) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await ocr.recognize(frame_of(image))

    status = rpc_status.from_call(cast(grpc.Call, refused.value))
    info, wrong = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
    for detail in status.details:
        detail.Unpack(info)
        detail.Unpack(wrong)
    (violation,) = wrong.field_violations
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert info.reason == "ERROR_REASON_BAD_IMAGE"
    assert violation.field == "frame.image"
    assert violation.description.startswith(said)
    assert status.message == f"the image {violation.description}"
    assert ocr.stored() == []
    assert ocr.matcher.batches == []


async def test_bad_pictures_in_a_stream_are_answered_one_by_one_and_the_stream_goes_on(ocr: World) -> None:
    bad = [frame_of(image, frame_id=name) for name, (image, _) in BAD.items()]
    frames = [frame_of(ROAD, frame_id="first"), *bad, frame_of(ROAD, frame_id="last")]

    answers = await answers_of(ocr.sensor(), frames)

    assert [answer.frame_id for answer in answers] == [frame.frame_id for frame in frames]
    assert not answers[0].HasField("error")
    assert not answers[-1].HasField("error")
    for answer, (_, said) in zip(answers[1:-1], BAD.values(), strict=True):
        assert answer.error.reason == "ERROR_REASON_BAD_IMAGE"
        assert answer.error.message.startswith(f"frame.image {said}")
        assert not answer.error.retryable
    assert ocr.stored() == []
    assert ocr.matcher.batches == []


async def test_unusual_pictures_are_read_or_empty_and_no_error(ocr: World) -> None:
    road = pixels(ROAD)
    ink = [np.ascontiguousarray(road[..., n]) for n in (2, 1, 0)] + [np.full(road.shape[:2], 255, np.uint8)]
    pictures = {
        "CMYK": planes_jpeg(ink, adobe=0),
        "16 bits": png(road.astype(int) * 257, 16, RGB),
        "interlaced": png(road, 8, RGB, interlaced=True),
        "progressive": encoded(".jpg", road, cv2.IMWRITE_JPEG_PROGRESSIVE, 1),
        "restarts": encoded(".jpg", road, cv2.IMWRITE_JPEG_RST_INTERVAL, 4),
        "grey": encoded(".jpg", np.ascontiguousarray(road[..., 0])),
        "smallest": encoded(".png", road[:32, :32]),
        "black": encoded(".png", np.zeros((480, 640, 3), dtype=np.uint8)),
        "strip": encoded(".png", np.zeros((32, 16_384, 3), dtype=np.uint8)),
        "mirrored": encoded(".jpg", road[:, ::-1]),
    }

    for name, image in pictures.items():
        answer = await ocr.recognize(frame_of(image, frame_id=name))
        assert not answer.plates, name
    assert ocr.stored() == []


@pytest.mark.parametrize("orientation", [2, 3, 4, 5, 6, 7, 8])
async def test_picture_of_a_turned_camera_gives_the_plates_of_the_upright_one(
    ocr: World, orientation: int
) -> None:
    upright = pixels(scene_frame(2)[0].image)
    held = png(as_held(upright, orientation)[..., ::-1], 8, RGB, extra=chunk(b"eXIf", tiff(orientation)))

    expected = await ocr.recognize(frame_of(encoded(".png", upright)))
    answer = await ocr.recognize(frame_of(held))

    assert expected.plates
    assert plates_of(answer) == plates_of(expected)


async def test_exif_of_a_jpeg_is_stored_as_it_was_sent(ocr: World) -> None:
    frame, _ = scene_frame(2)
    frame.image = after_start(frame.image, exif(1))

    (plate,) = (await ocr.recognize(frame)).plates

    assert plate.read.image.size_bytes == len(frame.image)
    assert len(ocr.stored()) == 1


async def test_bad_picture_leaves_no_trace_of_itself_in_the_log(
    ocr: World, capfd: pytest.CaptureFixture[str]
) -> None:
    words = chunk(b"tEXt", b"Comment\0of 7KSECRET")
    parts = jpeg_parts(ROAD)
    bad = [
        ROAD_PNG[:33] + words + ROAD_PNG[33:-30],
        ROAD_PNG[:33] + words + chunk(b"IDAT", b"no deflate" * 100) + ROAD_PNG[-12:],
        after_start(b"".join(part for part in parts if part[1] != 0xDB), b"\xff\xfe\0\x0b7KSECRET"[:11]),
    ]

    for image in bad:
        with pytest.raises(grpc.aio.AioRpcError, match="the image"):
            await ocr.recognize(frame_of(image))

    assert "7KSECRET" not in "".join(capfd.readouterr())
