from __future__ import annotations

import asyncio
import hashlib
import shutil
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import cv2
import grpc
import pytest
from prometheus_client import generate_latest

from alpr.ocr.v1 import ocr_service_pb2 as pb
from alpr.type.v1 import read_pb2
from services.common.imagecrypt import open_image
from services.common.readid import read_id_of_frame
from services.common.wire import to_datetime
from services.dev.pki import DevelopmentAuthority
from tests.support.ocr_kit import (
    FIXED,
    MOBILE,
    PHOTOGRAPHED,
    PLACED,
    RAMP,
    SCALE,
    SURVEYED,
    SUSPENDED,
    UNPLACED,
    World,
    error_of,
    frame_of,
    model,
    photograph,
    pixels,
    scene_frame,
    without_plate,
)

HERE = read_pb2.Place(latitude=41.88, longitude=-87.63, description="State and Lake")


@pytest.mark.clause("II.B", "IV.C.1")
async def test_plate_of_a_real_photograph_is_read_and_sent_on(ocr: World) -> None:
    answer = await ocr.recognize(frame_of(photograph()))

    assert [plate.read.plate for plate in answer.plates] == [PHOTOGRAPHED]
    assert answer.plates[0].status == read_pb2.READ_STATUS_STORED
    assert answer.plates[0].confidence > 0.9
    assert [read.read.plate for read in ocr.matcher.reads.values()] == [PHOTOGRAPHED]


@pytest.mark.clause("II.J", "III.B.2.b")
async def test_read_has_all_that_a_read_must_have(ocr: World) -> None:
    frame, plate = scene_frame(1)

    await ocr.recognize(frame)

    (captured,) = ocr.matcher.reads.values()
    read = captured.read
    assert (read.plate, read.sensor_id, read.place) == (plate, FIXED, SURVEYED)
    assert read.capture_time == frame.capture_time
    assert to_datetime(read.receive_time) >= to_datetime(read.capture_time)
    assert (read.image.sha256, read.image.size_bytes) == (
        hashlib.sha256(frame.image).digest(),
        len(frame.image),
    )
    assert (read.image.media_type, len(read.image.image_key)) == ("image/jpeg", 32)
    assert read.model_version == model().version
    assert 0 < sum(one.probability for one in read.states) <= 1.00001
    assert all(bool(one.state) == (one.country == "US") for one in read.states)
    assert 0 < sum(one.probability for one in read.plate_types) <= 1.00001
    corners = read.plate_corners
    assert corners.upper_left.x < corners.upper_right.x
    assert corners.upper_left.y < corners.lower_left.y


async def test_lattice_has_one_position_a_character_and_the_best_text_first(ocr: World) -> None:
    frame, plate = scene_frame(2)

    (answered,) = (await ocr.recognize(frame)).plates

    lattice = answered.read.lattice
    assert "".join(position.characters[0].character for position in lattice.positions) == plate
    assert lattice.candidates[0].plate == plate
    assert lattice.candidates[0].probability == pytest.approx(answered.confidence)
    assert all(sum(one.probability for one in position.characters) <= 1.001 for position in lattice.positions)


async def test_read_id_is_derived_from_sensor_time_frame_and_box(ocr: World) -> None:
    frame, _ = scene_frame(3)

    (answered,) = (await ocr.recognize(frame)).plates

    box = answered.read.plate_box
    derived = read_id_of_frame(
        FIXED,
        to_datetime(frame.capture_time),
        hashlib.sha256(frame.image).digest(),
        (box.x, box.y, box.width, box.height),
    )
    assert answered.read.read_id == str(derived)


async def test_same_frame_again_gives_the_same_read_and_image_once(ocr: World) -> None:
    frame, _ = scene_frame(4)

    first, again = await ocr.recognize(frame), await ocr.recognize(frame)

    assert [plate.status for plate in again.plates] == [read_pb2.READ_STATUS_DUPLICATE]
    assert first.plates[0].read.read_id == again.plates[0].read.read_id
    assert first.plates[0].read.lattice == again.plates[0].read.lattice
    assert len(ocr.stored()) == 1


async def test_stored_image_opens_with_the_key_of_its_read_only(ocr: World) -> None:
    frame, _ = scene_frame(5)

    (answered,) = (await ocr.recognize(frame)).plates

    (captured,) = ocr.matcher.reads.values()
    image = captured.read.image
    (path,) = ocr.stored()
    assert path == ocr.store / "days" / image.day / image.sha256.hex()
    sealed = path.read_bytes()
    assert open_image(image.image_key, date.fromisoformat(image.day), image.sha256, sealed) == frame.image
    assert frame.image[200:300] not in sealed
    assert answered.read.image.image_key == b""


@pytest.mark.clause("II.H", "III.E.5")
async def test_an_image_of_a_motor_carrier_safety_sensor_lies_apart_under_a_key_of_its_own(
    ocr: World,
) -> None:
    frame, _ = scene_frame(5)

    await ocr.recognize(frame)
    await ocr.recognize(frame, sensor_id=SCALE)

    by_sensor = {one.read.sensor_id: one.read.image for one in ocr.matcher.reads.values()}
    general, apart = by_sensor[FIXED], by_sensor[SCALE]
    folder = ocr.store / "days" / apart.day
    assert set(ocr.stored()) == {folder / general.sha256.hex(), folder / "mcs" / apart.sha256.hex()}
    assert general.sha256 == apart.sha256
    assert general.image_key != apart.image_key


async def test_frame_without_a_plate_is_not_stored(ocr: World) -> None:
    answer = await ocr.recognize(frame_of(without_plate()))

    assert not answer.plates
    assert answer.recognition_time.ToMicroseconds() > 0
    assert ocr.stored() == []
    assert ocr.matcher.batches == []


async def test_pictures_of_a_read_are_jpegs_within_their_limits(ocr: World) -> None:
    frame, _ = scene_frame(6)
    large = cv2.resize(pixels(frame.image), (3840, 2160))
    frame.image = cv2.imencode(".png", large)[1].tobytes()

    await ocr.recognize(frame)

    (captured,) = ocr.matcher.reads.values()
    assert len(captured.crop_image) <= 128 << 10
    assert len(captured.overview_image) <= 384 << 10
    assert pixels(captured.overview_image).shape == (720, 1280, 3)
    assert captured.read.image.media_type == "image/png"
    box = captured.read.plate_box
    assert 0 < box.x < box.x + box.width <= 3840


@pytest.mark.clause("II.G", "II.J")
async def test_mobile_sensor_must_say_where_it_was(ocr: World) -> None:
    frame, _ = scene_frame(0)

    refused = await error_of(ocr.recognize(frame, sensor_id=MOBILE))
    frame.place.CopyFrom(HERE)
    answer = await ocr.recognize(frame, sensor_id=MOBILE)

    assert refused == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD")
    assert answer.plates[0].read.place == HERE


@pytest.mark.clause("II.I", "III.B.3.e")
async def test_a_portable_sensor_is_where_it_was_approved_for_that_time_and_nowhere_else(ocr: World) -> None:
    frame, _ = scene_frame(0)

    answer = await ocr.recognize(frame, sensor_id=PLACED)
    kept = len(ocr.stored())
    refused = await error_of(ocr.recognize(frame, sensor_id=UNPLACED))

    assert answer.plates[0].read.place == RAMP
    assert refused == (grpc.StatusCode.PERMISSION_DENIED, "SENSOR_NOT_APPROVED")
    assert len(ocr.stored()) == kept


@pytest.mark.clause("III.B.3.h")
async def test_a_frame_with_a_certificate_that_is_not_on_record_is_not_looked_at(
    ocr: World, tmp_path: Path
) -> None:
    frame, _ = scene_frame(0)
    for name in ("ca.pem", "ca-key.pem"):
        shutil.copy(ocr.tls.ca_file.with_name(name), tmp_path)
    another = DevelopmentAuthority(tmp_path).sensor(FIXED)

    refused = await error_of(ocr.stub(another).Recognize(pb.RecognizeRequest(frame=frame)))

    assert refused == (grpc.StatusCode.PERMISSION_DENIED, "CERTIFICATE_NOT_VALID")
    assert ocr.stored() == []


@pytest.mark.clause("III.B.3.e")
@pytest.mark.parametrize("sensor_id", [SUSPENDED, "never-registered"])
async def test_sensor_that_is_not_approved_is_refused_before_a_byte_is_stored(
    ocr: World, sensor_id: str
) -> None:
    frame, _ = scene_frame(0)

    refused = await error_of(ocr.recognize(frame, sensor_id=sensor_id))

    assert refused == (grpc.StatusCode.PERMISSION_DENIED, "SENSOR_NOT_APPROVED")
    assert ocr.stored() == []
    assert ocr.matcher.batches == []


async def test_service_may_not_send_frames(ocr: World) -> None:
    frame, _ = scene_frame(0)

    call = ocr.stub(ocr.tls.service("search")).Recognize(pb.RecognizeRequest(frame=frame))

    assert await error_of(call) == (grpc.StatusCode.PERMISSION_DENIED, "NOT_PERMITTED")


async def test_logs_and_metrics_hold_nothing_of_what_was_read(
    ocr: World, capfd: pytest.CaptureFixture[str]
) -> None:
    frame, plate = scene_frame(7, place=HERE)
    frame.frame_id = "frame-of-7K-secret"

    await ocr.recognize(frame)

    logged = "".join(capfd.readouterr())
    said = logged + generate_latest().decode()
    assert "platewarden_ocr_plates_total" in said
    assert "/alpr.ocr.v1.OcrService/Recognize" in logged
    for secret in (plate, "7K-secret", "41.88", "State and Lake"):
        assert secret not in said


@pytest.mark.parametrize(
    ("image", "reason"),
    [(b"GIF89a" + bytes(400), "BAD_IMAGE"), (b"\xff\xd8\xff", "BAD_IMAGE"), (b"", "INVALID_FIELD")],
)
async def test_what_is_no_image_is_refused(ocr: World, image: bytes, reason: str) -> None:
    refused = await error_of(ocr.recognize(frame_of(image)))

    assert refused == (grpc.StatusCode.INVALID_ARGUMENT, reason)


@pytest.mark.clause("II.J")
async def test_frame_without_time_or_from_the_future_is_refused(ocr: World) -> None:
    timeless, _ = scene_frame(0)
    timeless.ClearField("capture_time")
    ahead, _ = scene_frame(0, at=datetime.now(UTC) + timedelta(hours=1))

    for frame in (timeless, ahead):
        refused = await error_of(ocr.recognize(frame))
        assert refused == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD")
    assert ocr.stored() == []


@pytest.mark.clause("IV.E.1")
async def test_frame_older_than_the_retention_period_is_answered_so_and_not_kept(ocr: World) -> None:
    frame, _ = scene_frame(0, at=datetime.now(UTC) - timedelta(days=120))

    (answered,) = (await ocr.recognize(frame)).plates

    assert answered.status == read_pb2.READ_STATUS_OUT_OF_RETENTION
    assert not answered.read.HasField("image")
    assert ocr.stored() == []
    assert ocr.matcher.batches == []


@pytest.mark.clause("IV.E.1.a")
async def test_a_shorter_retention_period_counts_within_seconds(ocr: World) -> None:
    frame, _ = scene_frame(0, at=datetime.now(UTC) - timedelta(days=40))
    before = (await ocr.recognize(frame)).plates[0].status
    ocr.neighbours.system.days = 30

    try:
        async with asyncio.timeout(60):
            while (await ocr.recognize(frame)).plates[0].status != read_pb2.READ_STATUS_OUT_OF_RETENTION:  # noqa: ASYNC110 - an answer has no event
                await asyncio.sleep(0.1)
    finally:
        ocr.neighbours.system.days = 90

    assert before == read_pb2.READ_STATUS_STORED
