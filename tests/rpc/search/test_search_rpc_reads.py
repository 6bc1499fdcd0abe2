"""SearchReads in its forms, GetRead and GetReadImage over the network, with real database and image store."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from typing import Any
from uuid import uuid4

import grpc
import pytest
from PIL import Image

from alpr.search.v1 import archive_service_pb2 as archive_pb
from alpr.search.v1 import area_pb2
from alpr.search.v1 import search_service_pb2 as pb
from alpr.type.v1 import error_reason_pb2, notice_pb2, read_pb2, sensor_pb2
from services.common.errors import NotPermittedError, from_rpc_error
from services.common.imagecrypt import image_key, seal_image
from services.common.wire import to_datetime, to_timestamp
from tests.support.search_kit import OTHER_ORI, archived_read, now
from tests.support.search_world import World, question

DAY_KEY = bytes(range(32, 64))


async def store(world: World, *reads: archive_pb.ArchivedRead) -> None:
    answer = await world.archive.AppendReads(archive_pb.AppendReadsRequest(reads=reads), timeout=60)
    assert {one.status for one in answer.results} == {read_pb2.READ_STATUS_STORED}


def photograph() -> bytes:
    """A picture with a red plate at (100, 60), 80 by 20."""
    image = Image.new("RGB", (640, 480), (200, 200, 200))
    image.paste((255, 0, 0), (100, 60, 180, 80))
    written = BytesIO()
    image.save(written, "JPEG", quality=95)
    return written.getvalue()


async def pictured(world: World, plate: str, picture: bytes, **changes: Any) -> archive_pb.ArchivedRead:
    """A stored read whose picture lies in the image store, as ocr puts it there."""
    message = archived_read(plate=plate, **changes)
    read, digest = message.read, hashlib.sha256(picture).digest()
    read.image.sha256, read.image.size_bytes = digest, len(picture)
    read.image.image_key = key = image_key(DAY_KEY, digest)
    read.plate_box.x, read.plate_box.y, read.plate_box.width, read.plate_box.height = 100, 60, 80, 20
    path = image_path(world, message)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(seal_image(key, to_datetime(read.capture_time).date(), picture))
    await store(world, message)
    return message


def image_path(world: World, message: archive_pb.ArchivedRead) -> Path:
    image = message.read.image
    return world.settings.image_store_dir / "days" / image.day / image.sha256.hex()


async def get_read(world: World, read_id: str, **changes: Any) -> pb.GetReadResponse:
    request = pb.GetReadRequest(
        request_id=str(uuid4()), read_id=read_id, justification=question("A1").justification, **changes
    )
    answer: pb.GetReadResponse = await world.search.GetRead(request, metadata=world.metadata, timeout=60)
    return answer


async def get_image(world: World, read_id: str, **changes: Any) -> pb.GetReadImageResponse:
    request = pb.GetReadImageRequest(
        **{
            "request_id": str(uuid4()),
            "read_id": read_id,
            "justification": question("A1").justification,
            **changes,
        }
    )
    answer: pb.GetReadImageResponse = await world.search.GetReadImage(
        request, metadata=world.metadata, timeout=20
    )
    return answer


async def refusal(call: Any) -> Any:
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await call
    return from_rpc_error(error.value)


async def test_a_plate_is_found_by_a_part_of_it_with_its_state(world: World, plate: str) -> None:
    here, elsewhere = archived_read(plate=plate), archived_read(plate=plate)
    elsewhere.read.states[0].state = "WI"
    await store(world, here, elsewhere)

    answer = await world.ask(f"{plate[:4]}?{plate[5:8]}*", state="il")

    assert [found.read.read_id for found in answer.reads] == [here.read.read_id]


async def test_a_plate_is_found_though_it_was_misread(world: World) -> None:
    reads = [archived_read(plate=text) for text in ("QB81LZ5", "OB8ILZS", "QB81LZ")]
    await store(world, *reads)

    alike = await world.ask("QB81LZ5", plate_match=pb.PLATE_MATCH_LOOK_ALIKE)
    one_off = await world.ask("QB81LZ5", plate_match=pb.PLATE_MATCH_ONE_OFF)

    assert {found.read.plate for found in alike.reads} == {"QB81LZ5", "OB8ILZS"}
    assert {found.read.plate for found in one_off.reads} == {"QB81LZ5", "QB81LZ"}


@pytest.mark.clause("II.F")
async def test_whatever_passed_a_place_is_found_and_may_be_parted_by_origin(world: World, plate: str) -> None:
    near, private, far = (archived_read(plate=f"{plate[:7]}{end}") for end in "NPF")
    far.read.place.latitude = 43.1
    private.provenance = sensor_pb2.PROVENANCE_COMMERCIAL
    for message in (near, private):
        message.read.place.latitude, message.read.place.longitude = 42.4712, -89.1234
    await store(world, near, private, far)
    area = area_pb2.Area(
        circle=area_pb2.Circle(
            center=area_pb2.MapPoint(latitude=42.4712, longitude=-89.1234), radius_meters=100
        )
    )

    both = await world.ask("", area=area)
    own = await world.ask("", area=area, provenances=[sensor_pb2.PROVENANCE_OWN])

    assert {found.read.read_id for found in both.reads} == {near.read.read_id, private.read.read_id}
    assert [found.read.read_id for found in own.reads] == [near.read.read_id]


@pytest.mark.clause("II.F", "II.G")
async def test_a_patrol_cars_reads_are_found_where_each_was_made_beside_those_of_fixed_cameras(
    world: World, plate: str
) -> None:
    spots = ((40.1000, -88.2000), (40.1005, -88.2005), (40.2500, -88.2000))
    drive = [archived_read(plate=f"{plate[:7]}C{n}") for n in range(len(spots))]
    for message, (latitude, longitude) in zip(drive, spots, strict=True):
        message.read.sensor_id = "car-21"
        message.read.place.latitude, message.read.place.longitude = latitude, longitude
    fixed = archived_read(plate=f"{plate[:7]}FX")
    fixed.read.sensor_id = "pole-4"
    fixed.read.place.latitude, fixed.read.place.longitude = 40.1002, -88.2001
    await store(world, *drive, fixed)
    area = area_pb2.Area(
        circle=area_pb2.Circle(center=area_pb2.MapPoint(latitude=40.1, longitude=-88.2), radius_meters=200)
    )

    answer = await world.ask("", area=area)
    by_car = await world.ask("", area=area_pb2.Area(sensors=area_pb2.SensorList(sensor_ids=["car-21"])))

    assert {found.read.sensor_id for found in answer.reads} == {"car-21", "pole-4"}
    assert {found.read.plate for found in answer.reads} == {
        message.read.plate for message in (*drive[:2], fixed)
    }
    assert {found.read.plate for found in by_car.reads} == {message.read.plate for message in drive}


async def test_pages_of_a_pattern_go_on_with_their_token_and_with_no_other_question(
    world: World, plate: str
) -> None:
    reads = [archived_read(now() - timedelta(hours=hours), plate=plate) for hours in range(1, 6)]
    await store(world, *reads)
    text = f"{plate[:8]}*"

    first = await world.ask(text, page_size=2)
    second = await world.ask(text, page_size=3, page_token=first.next_page_token)

    ids = [found.read.read_id for answer in (first, second) for found in answer.reads]
    assert ids == [message.read.read_id for message in reads]
    assert not second.next_page_token
    for changes in (
        {"state": "IL"},
        {"plate_match": pb.PLATE_MATCH_LOOK_ALIKE},
        {"provenances": [sensor_pb2.PROVENANCE_OWN]},
        {"area": area_pb2.Area(sensor_group="expressway-north")},
    ):
        error = await refusal(world.ask(text, page_token=first.next_page_token, **changes))
        assert error.reason == error_reason_pb2.ERROR_REASON_BAD_TOKEN


@pytest.mark.clause("III.B.2.a")
async def test_a_search_that_takes_long_goes_on_page_by_page_until_it_has_looked_everywhere(
    world: World, plate: str
) -> None:
    # What is looked for is the oldest of some hours, at a camera that saw others since.
    reads = [archived_read(now() - timedelta(hours=hours), plate=plate) for hours in (4, 3, 2, 1)]
    for message in reads:
        message.read.sensor_id = f"cam-{plate.lower()}"
    reads[0].read.states[0].state = "HI"
    await store(world, *reads)
    patience = (
        "CREATE OR REPLACE FUNCTION archive.page_patience() RETURNS interval LANGUAGE sql IMMUTABLE "
        "SET search_path = archive, pg_temp RETURN interval '{} seconds'"
    )
    area = area_pb2.Area(sensors=area_pb2.SensorList(sensor_ids=[f"cam-{plate.lower()}"]))
    since = {"from": to_timestamp(now() - timedelta(hours=5))}
    await world.admin(patience.format(0))
    try:
        found, token, empty = [], "", 0
        while True:
            answer = await world.ask("", area=area, state="HI", page_token=token, **since)
            found += [one.read.read_id for one in answer.reads]
            token = answer.next_page_token
            empty += not answer.reads
            if not token:
                break
    finally:
        await world.admin(patience.format(2))

    assert found == [reads[0].read.read_id]
    assert empty >= 3


async def test_audit_is_told_all_that_is_asked_in_words(world: World) -> None:
    await world.ask(
        "AB1*",
        state="IL",
        area=area_pb2.Area(sensors=area_pb2.SensorList(sensor_ids=["cam-1", "cam-2"])),
        provenances=[sensor_pb2.PROVENANCE_PARTNER, sensor_pb2.PROVENANCE_OWN],
    )

    said = {one.name: one.value for one in world.audit.asked[-1].question.archive.arguments}
    assert said == {
        "plate_form": "pattern",
        "plate": "AB1*",
        "state": "IL",
        "provenance": "OWN,PARTNER",
        "area": '{"sensors":["cam-1","cam-2"]}',
        "before_us": "",
        "before_read_id": "",
    }


async def test_nobody_searches_everything(world: World) -> None:
    asked = len(world.audit.asked)

    for text in ("", "*", "A*", "??????"):
        error = await refusal(world.ask(text))
        assert [violation.field for violation in error.violations] == ["plate"]

    assert len(world.audit.asked) == asked


@pytest.mark.clause("IV.C.5", "IV.C.6")
async def test_one_read_is_a_question_of_its_own_with_receipts(world: World, plate: str) -> None:
    message = archived_read(plate=plate)
    await store(world, message)

    answer = await get_read(world, message.read.read_id)

    message.read.image.ClearField("image_key")
    assert answer.read.read == message.read
    assert answer.notice.lead_only
    assert answer.notice.verification_state == notice_pb2.VERIFICATION_STATE_NEW
    assert answer.question_receipt.entry_id and answer.outcome_receipt.entry_id
    asked = world.audit.asked[-1].question.archive
    assert (asked.kind, [(one.name, one.value) for one in asked.arguments]) == (
        "read",
        [("read_id", message.read.read_id)],
    )
    assert world.audit.outcomes[-1].row_count == 1


@pytest.mark.parametrize("get", [get_read, get_image])
async def test_what_may_not_be_seen_is_not_there_and_the_look_is_on_record(
    world: World, plate: str, get: Callable[..., Any]
) -> None:
    theirs = archived_read(plate=plate, agency=OTHER_ORI)
    await store(world, theirs)

    for read_id in (theirs.read.read_id, str(uuid4())):
        error = await refusal(get(world, read_id))

        assert error.reason == error_reason_pb2.ERROR_REASON_NOT_FOUND
        assert (world.audit.outcomes[-1].row_count, world.audit.outcomes[-1].rows_digest) == (
            0,
            hashlib.sha256(b"").digest(),
        )


async def test_a_picture_comes_as_plate_scene_and_if_asked_as_it_was_sent(world: World, plate: str) -> None:
    picture = photograph()
    message = await pictured(world, plate, picture)

    brief = await get_image(world, message.read.read_id)
    whole = await get_image(world, message.read.read_id, with_original=True)

    crop, overview = (Image.open(BytesIO(data)) for data in (brief.crop_image, brief.overview_image))
    assert (crop.size, overview.size) == ((104, 36), (640, 480))
    red, green, _ = crop.convert("RGB").getpixel((52, 18))
    assert red > 200 and green < 60
    assert brief.original_image == b""
    assert whole.original_image == picture
    assert brief.image.sha256 == hashlib.sha256(picture).digest()
    assert not brief.image.image_key
    assert brief.notice.lead_only and brief.question_receipt.entry_id
    assert world.audit.asked[-1].question.archive.kind == "image"


async def test_the_same_request_gives_the_same_picture_again(world: World, plate: str) -> None:
    message = await pictured(world, plate, photograph())
    request_id = str(uuid4())

    first = await get_image(world, message.read.read_id, request_id=request_id)
    again = await get_image(world, message.read.read_id, request_id=request_id)

    assert again.crop_image == first.crop_image


async def test_a_refused_look_opens_no_picture(world: World, plate: str) -> None:
    message = await pictured(world, plate, photograph())
    world.audit.refusal = NotPermittedError("not you", metadata={"clauses": "III.D.3"})

    error = await refusal(get_image(world, message.read.read_id))

    assert error.reason == error_reason_pb2.ERROR_REASON_NOT_PERMITTED


async def test_no_picture_leaves_before_audit_has_it_that_it_does(world: World, plate: str) -> None:
    message = await pictured(world, plate, photograph())
    world.audit.outcome_error = NotPermittedError("no more")

    error = await refusal(get_image(world, message.read.read_id))

    assert error.reason == error_reason_pb2.ERROR_REASON_AUDIT_UNAVAILABLE


async def test_a_picture_that_was_changed_in_the_store_is_not_shown(world: World, plate: str) -> None:
    message = await pictured(world, plate, photograph())
    path = image_path(world, message)
    path.write_bytes(path.read_bytes()[:-1] + b"\x00")

    error = await refusal(get_image(world, message.read.read_id))

    assert error.reason == error_reason_pb2.ERROR_REASON_STORAGE_UNAVAILABLE


async def test_a_picture_that_is_gone_says_so(world: World, plate: str) -> None:
    message = await pictured(world, plate, photograph())
    image_path(world, message).unlink()

    error = await refusal(get_image(world, message.read.read_id))

    assert error.reason == error_reason_pb2.ERROR_REASON_NOT_FOUND
    assert "image store" in error.message


async def test_a_stored_picture_that_nobody_can_decode_is_given_as_it_is(world: World, plate: str) -> None:
    message = await pictured(world, plate, b"\xff\xd8 a camera's own format")

    answer = await get_image(world, message.read.read_id, with_original=True)

    assert (answer.crop_image, answer.overview_image) == (b"", b"")
    assert answer.original_image == b"\xff\xd8 a camera's own format"


@pytest.mark.clause("IV.E.1")
async def test_neither_read_nor_picture_is_given_past_the_retention_period(world: World, plate: str) -> None:
    message = await pictured(world, plate, photograph(), captured=now() - timedelta(days=3))
    await world.admin("UPDATE archive.setting SET retention_days = 2")
    try:
        for get in (get_read, get_image):
            error = await refusal(get(world, message.read.read_id))
            assert error.reason == error_reason_pb2.ERROR_REASON_NOT_FOUND
        found = await world.ask(f"{plate[:9]}*")
    finally:
        await world.admin("UPDATE archive.setting SET retention_days = 90")

    assert not found.reads
