"""FindForLookBack over gRPC: for the matcher alone, and nothing leaves before it is recorded."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import grpc
import pytest

from alpr.audit.v1 import authorization_service_pb2 as audit_pb
from alpr.search.v1 import archive_service_pb2 as pb
from alpr.search.v1.archive_service_pb2_grpc import ArchiveServiceStub
from alpr.type.v1 import sensor_pb2
from services.common.errors import AuditUnavailableError, NotFoundError, from_rpc_error
from services.common.wire import to_timestamp
from tests.support.search_kit import archived_read, now
from tests.support.search_motor_carrier import scale_read
from tests.support.search_world import World


def request(*plates: str, **changes: Any) -> pb.FindForLookBackRequest:
    """A complete request."""
    usual = {
        "request_id": str(uuid4()),
        "intent_id": str(uuid4()),
        "changed_id": str(uuid4()),
        "match_revision": 8,
        "capture_from": to_timestamp(now() - timedelta(hours=24)),
        "capture_until": to_timestamp(now()),
        "plates": plates,
        "page_size": 1000,
    }
    return pb.FindForLookBackRequest(**{**usual, **changes})


async def found(world: World, asked: pb.FindForLookBackRequest) -> list[pb.FindForLookBackResponse]:
    return [part async for part in world.archive.FindForLookBack(asked, timeout=60)]


async def store(world: World, *reads: pb.ArchivedRead) -> None:
    await world.archive.AppendReads(pb.AppendReadsRequest(reads=reads), timeout=60)


@pytest.mark.clause("II.D", "IV.E.2")
async def test_the_matcher_gets_older_reads_without_image_keys_and_that_is_recorded_first(
    world: World,
) -> None:
    plate = f"L{uuid4().hex[:8].upper()}"
    read = archived_read(plate=plate, revision=7)
    await store(world, read, archived_read(plate=plate, revision=8))
    asked = request(plate, "NEVER1")

    (part,) = await found(world, asked)

    (one,) = part.reads
    assert (one.read.read_id, one.match_revision, part.has_more) == (read.read.read_id, 7, False)
    assert (one.agency_ori, one.sensor_group, one.provenance) == (
        read.agency_ori,
        read.sensor_group,
        read.provenance,
    )
    assert one.read.lattice == read.read.lattice
    assert one.read.image.image_key == b""
    question = world.audit.asked[-1]
    assert question.access_token == ""
    assert question.question.look_back.intent_id == asked.intent_id
    assert question.question.look_back.plates_sha256 == hashlib.sha256(f"{plate},NEVER1".encode()).digest()
    outcome = world.audit.outcomes[-1]
    assert (outcome.result, outcome.row_count) == (audit_pb.OUTCOME_RESULT_DONE, 1)
    assert outcome.rows_digest == hashlib.sha256(UUID(read.read.read_id).bytes).digest()


async def test_a_long_answer_comes_in_parts_and_says_at_its_end_that_there_is_more(world: World) -> None:
    plate = f"M{uuid4().hex[:8].upper()}"
    reads = [archived_read(plate=plate) for _ in range(300)]
    await store(world, *reads)

    parts = await found(world, request(plate, page_size=299))
    last = parts[-1].reads[-1].read.read_id
    (rest,) = await found(world, request(plate, page_size=299, after_read_id=last))

    assert [len(part.reads) for part in parts] == [250, 49]
    assert [part.has_more for part in parts] == [False, True]
    ids = [one.read.read_id for part in (*parts, rest) for one in part.reads]
    assert ids == sorted(one.read.read_id for one in reads)
    assert not rest.has_more


async def test_an_empty_answer_is_one_empty_part(world: World) -> None:
    (part,) = await found(world, request("NEVER2"))

    assert (len(part.reads), part.has_more) == (0, False)
    assert world.audit.outcomes[-1].row_count == 0


@pytest.mark.clause("IV.A.5")
async def test_nothing_leaves_when_the_outcome_cannot_be_recorded(world: World) -> None:
    plate = f"N{uuid4().hex[:8].upper()}"
    await store(world, archived_read(plate=plate))
    world.audit.outcome_error = AuditUnavailableError("away")
    parts = []

    with pytest.raises(grpc.aio.AioRpcError) as caught:
        async for part in world.archive.FindForLookBack(request(plate), timeout=20):
            parts.append(part)

    assert from_rpc_error(caught.value).code is grpc.StatusCode.UNAVAILABLE
    assert parts == []


@pytest.mark.clause("IV.A.5")
async def test_audits_refusal_reaches_the_matcher_unchanged(world: World) -> None:
    world.audit.refusal = NotFoundError("there is no such act", resource="x")

    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await found(world, request("AB1"))

    assert from_rpc_error(caught.value).code is grpc.StatusCode.NOT_FOUND


@pytest.mark.parametrize("service", ["alerts", "ocr", "audit"])
async def test_no_other_service_may_look_back(world: World, service: str) -> None:
    async with world.channel(service) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            async for _ in ArchiveServiceStub(channel).FindForLookBack(request("AB1"), timeout=20):
                pass

    assert caught.value.code() is grpc.StatusCode.PERMISSION_DENIED


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("request_id", "x"),
        ("intent_id", ""),
        ("changed_id", "x"),
        ("after_read_id", "x"),
        ("match_revision", 0),
        ("capture_from", None),
        ("capture_until", to_timestamp(now() - timedelta(days=2))),
        ("plates", ["AB 1"]),
        ("page_size", 0),
        ("page_size", 20_001),
    ],
)
async def test_a_malformed_question_is_sent_back_by_field(world: World, field: str, value: object) -> None:
    asked = request("AB1", **{field: value})

    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await found(world, asked)

    error = from_rpc_error(caught.value)
    assert error.code is grpc.StatusCode.INVALID_ARGUMENT
    assert field in [one.field for one in error.violations]
    assert not world.audit.asked


@pytest.mark.clause("II.D", "II.H")
async def test_a_look_back_asks_the_data_set_of_the_changed_list_alone(world: World) -> None:
    plate = f"S{uuid4().hex[:8].upper()}"
    one, apart = archived_read(plate=plate), scale_read(plate)
    await store(world, one, apart)

    seen = []
    for partition in (sensor_pb2.PARTITION_GENERAL, sensor_pb2.PARTITION_MOTOR_CARRIER):
        (part,) = await found(world, request(plate, partition=partition))
        seen.append([archived.read.read_id for archived in part.reads])

    assert seen == [[one.read.read_id], [apart.read.read_id]]
    assert world.audit.asked[-1].question.look_back.partition == sensor_pb2.PARTITION_MOTOR_CARRIER
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await found(world, request(plate, partition=9))
    assert [one.field for one in from_rpc_error(error.value).violations] == ["partition"]
