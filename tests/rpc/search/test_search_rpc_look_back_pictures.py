"""GetLookBackPictures over gRPC: for the matcher alone, and no picture leaves before that is recorded."""

from __future__ import annotations

import hashlib
import os
from datetime import date, timedelta
from io import BytesIO
from typing import Any
from uuid import UUID, uuid4

import grpc
import pytest
from PIL import Image

from alpr.audit.v1 import authorization_service_pb2 as audit_pb
from alpr.search.v1 import archive_service_pb2 as pb
from alpr.search.v1.archive_service_pb2_grpc import ArchiveServiceStub
from alpr.type.v1 import sensor_pb2
from services.common.errors import AuditUnavailableError, NotFoundError, from_rpc_error
from services.common.imagecrypt import image_key, seal_image
from services.common.objects import FileObjectStore
from services.common.wire import to_timestamp
from tests.support.search_kit import archived_read, now
from tests.support.search_world import World

DAY_KEY = b"D" * 32
MOST_BYTES = 480 * 1024


def jpeg(width: int = 1600, height: int = 900, *, noise: bool = False) -> bytes:
    """A picture, black but for some bytes of its own, or all noise."""
    picture = Image.new("RGB", (width, height))
    picture.putpixel((0, 0), (os.urandom(1)[0], 1, 2))
    if noise:
        picture = Image.frombytes("RGB", (width, height), os.urandom(3 * width * height))
    written = BytesIO()
    picture.save(written, "JPEG", quality=95)
    return written.getvalue() + os.urandom(4)


async def stored(
    world: World,
    image: bytes | None,
    partition: sensor_pb2.Partition.ValueType = sensor_pb2.PARTITION_GENERAL,
    **changes: Any,
) -> pb.ArchivedRead:
    """A read in the archive whose image is `image`; None for one that is lost."""
    read = archived_read(seed=str(uuid4()), **changes)
    content = image or b"lost"
    digest, day = hashlib.sha256(content).digest(), date.fromisoformat(read.read.image.day)
    key = image_key(DAY_KEY, digest)
    read.read.image.sha256, read.read.image.image_key = digest, key
    read.partition = partition
    folder = "/mcs" if partition == sensor_pb2.PARTITION_MOTOR_CARRIER else ""
    if image:
        objects = FileObjectStore(world.settings.image_store_dir)
        await objects.put(f"days/{day.isoformat()}{folder}/{digest.hex()}", seal_image(key, day, image))
    await world.archive.AppendReads(pb.AppendReadsRequest(reads=[read]), timeout=60)
    return read


def request(*reads: pb.ArchivedRead, **changes: Any) -> pb.GetLookBackPicturesRequest:
    """A complete request."""
    usual = {
        "request_id": str(uuid4()),
        "intent_id": str(uuid4()),
        "changed_id": str(uuid4()),
        "capture_from": to_timestamp(now() - timedelta(hours=24)),
        "capture_until": to_timestamp(now()),
        "read_ids": [one.read.read_id for one in reads],
    }
    return pb.GetLookBackPicturesRequest(**{**usual, **changes})


async def found(world: World, asked: pb.GetLookBackPicturesRequest) -> dict[str, Any]:
    """The pictures by read id."""
    return {one.read_id: one async for one in world.archive.GetLookBackPictures(asked, timeout=60)}


@pytest.mark.clause("II.D", "IV.E.2")
async def test_the_matcher_gets_crop_and_overview_and_that_is_recorded_first(world: World) -> None:
    one, other = await stored(world, jpeg()), await stored(world, jpeg())
    asked = request(one, other)
    seen: list[int] = []

    async def note() -> None:
        seen.append(len(world.audit.outcomes))

    world.audit.before_outcome = note
    answer = await found(world, asked)

    assert set(answer) == {one.read.read_id, other.read.read_id}
    for picture in answer.values():
        crop, overview = (
            Image.open(BytesIO(data)).size for data in (picture.crop_image, picture.overview_image)
        )
        assert overview == (1280, 720)
        # The plate of 120 by 40 with what stands round it, as far as the picture goes.
        assert crop[0] > 120
        assert crop[1] > 40
        assert crop < overview
    question = world.audit.asked[-1].question.look_back_pictures
    assert (question.intent_id, question.changed_id) == (asked.intent_id, asked.changed_id)
    assert not world.audit.asked[-1].access_token
    outcome = world.audit.outcomes[-1]
    ids = sorted(UUID(read_id).bytes for read_id in answer)
    assert (outcome.result, outcome.row_count) == (audit_pb.OUTCOME_RESULT_DONE, 2)
    assert outcome.rows_digest == hashlib.sha256(b"".join(ids)).digest()
    assert seen == [0]


@pytest.mark.clause("II.D")
async def test_a_read_whose_image_is_gone_or_is_no_image_comes_without_pictures(world: World) -> None:
    lost, broken = await stored(world, None), await stored(world, b"\xff\xd8 no picture")

    answer = await found(world, request(lost, broken))

    assert {(one.crop_image, one.overview_image) for one in answer.values()} == {(b"", b"")}
    assert set(answer) == {lost.read.read_id, broken.read.read_id}


@pytest.mark.clause("II.D")
async def test_pictures_fit_into_a_hit_whatever_they_show(world: World) -> None:
    read = await stored(world, jpeg(1600, 1200, noise=True))

    (picture,) = (await found(world, request(read))).values()

    assert picture.overview_image
    assert len(picture.crop_image) + len(picture.overview_image) <= MOST_BYTES


@pytest.mark.clause("IV.A.5")
async def test_no_picture_leaves_when_its_leaving_is_not_recorded(world: World) -> None:
    read = await stored(world, jpeg())
    world.audit.outcome_error = AuditUnavailableError("away")

    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await found(world, request(read))

    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


@pytest.mark.clause("IV.A.5")
async def test_audits_refusal_reaches_the_matcher(world: World) -> None:
    read = await stored(world, jpeg())
    world.audit.refusal = NotFoundError("no such act")

    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await found(world, request(read))

    assert from_rpc_error(caught.value).code is grpc.StatusCode.NOT_FOUND


@pytest.mark.clause("IV.A.5")
@pytest.mark.parametrize("service", ["alerts", "ocr"])
async def test_no_other_service_gets_pictures(world: World, service: str) -> None:
    async with world.channel(service) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            call = ArchiveServiceStub(channel).GetLookBackPictures(request(archived_read()), timeout=20)
            _ = [one async for one in call]

    assert caught.value.code() is grpc.StatusCode.PERMISSION_DENIED


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"read_ids": []}, "read_ids"),
        ({"read_ids": [str(uuid4())] * 51}, "read_ids"),
        ({"read_ids": ["x"]}, "read_ids[0]"),
        ({"intent_id": ""}, "intent_id"),
        ({"changed_id": "x"}, "changed_id"),
        ({"request_id": ""}, "request_id"),
        ({"capture_from": None}, "capture_from"),
        ({"capture_until": to_timestamp(now() - timedelta(days=3))}, "capture_until"),
    ],
)
async def test_an_incomplete_request_is_refused_by_field(
    world: World, changes: dict[str, Any], field: str
) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await found(world, request(archived_read(), **changes))

    error = from_rpc_error(caught.value)
    assert error.code is grpc.StatusCode.INVALID_ARGUMENT
    assert field in {one.field for one in error.violations}


@pytest.mark.clause("II.H", "III.E.5")
async def test_pictures_come_from_the_data_set_that_is_asked_alone(world: World) -> None:
    apart = sensor_pb2.PARTITION_MOTOR_CARRIER
    general, scale = await stored(world, jpeg()), await stored(world, jpeg(), apart)

    found_general = await found(world, request(general, scale))
    found_apart = await found(world, request(general, scale, partition=apart))

    assert set(found_general) == {general.read.read_id}
    assert set(found_apart) == {scale.read.read_id}
    assert found_apart[scale.read.read_id].overview_image.startswith(b"\xff\xd8")
    assert world.audit.asked[-1].question.look_back_pictures.partition == apart
