"""ArchiveService over gRPC."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import grpc
import pytest

from alpr.search.v1.archive_service_pb2 import AppendReadsRequest
from alpr.search.v1.archive_service_pb2_grpc import ArchiveServiceStub
from alpr.type.v1.read_pb2 import READ_STATUS_DUPLICATE, READ_STATUS_STORED, ReadStatus
from services.common.client import bearer
from services.common.errors import from_rpc_error
from tests.support.search_kit import archived_read, now
from tests.support.search_motor_carrier import scale_read


async def test_append_answers_every_read_in_order(world) -> None:
    stored, incomplete = archived_read(), archived_read()
    incomplete.read.ClearField("place")
    old = archived_read(now() - timedelta(days=100))

    response = await world.archive.AppendReads(
        AppendReadsRequest(reads=[stored, incomplete, old, stored]), timeout=10
    )

    assert [ReadStatus.Name(result.status) for result in response.results] == [
        "READ_STATUS_STORED",
        "READ_STATUS_QUARANTINED",
        "READ_STATUS_OUT_OF_RETENTION",
        "READ_STATUS_DUPLICATE",
    ]
    assert [result.read_id for result in response.results] == [
        read.read.read_id for read in (stored, incomplete, old, stored)
    ]
    assert response.results[1].status_reason == "no place"


async def test_concurrent_batches_share_commits_and_get_their_own_answers(world) -> None:
    batches = [[archived_read() for _ in range(20)] for _ in range(30)]

    responses = await asyncio.gather(
        *(world.archive.AppendReads(AppendReadsRequest(reads=reads), timeout=60) for reads in batches)
    )

    for reads, response in zip(batches, responses, strict=True):
        assert [result.read_id for result in response.results] == [read.read.read_id for read in reads]
        assert {result.status for result in response.results} == {ReadStatus.READ_STATUS_STORED}


@pytest.mark.clause("III.B.3.h", "IV.A.5")
@pytest.mark.parametrize("service", ["ocr", "alerts", "audit", "search"])
async def test_only_the_matcher_may_append(world, service: str) -> None:
    async with world.channel(service) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await ArchiveServiceStub(channel).AppendReads(AppendReadsRequest(reads=[archived_read()]))

    assert error.value.code() is grpc.StatusCode.PERMISSION_DENIED


@pytest.mark.clause("III.B.3.h", "IV.A.5")
async def test_a_person_may_not_append(world) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await ArchiveServiceStub(world.people).AppendReads(
            AppendReadsRequest(reads=[archived_read()]), metadata=(bearer("officer-token"),)
        )

    assert error.value.code() is grpc.StatusCode.UNAUTHENTICATED


async def test_a_malformed_read_is_refused_with_its_place_in_the_request(world) -> None:
    bad = archived_read()
    bad.agency_ori = ""

    with pytest.raises(grpc.aio.AioRpcError) as error:
        await world.archive.AppendReads(AppendReadsRequest(reads=[archived_read(), bad]))

    assert error.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert [one.field for one in from_rpc_error(error.value).violations] == ["reads[1].agency_ori"]


@pytest.mark.clause("II.H")
async def test_one_call_may_hold_reads_of_both_data_sets_and_each_goes_into_its_own(world) -> None:
    reads = [archived_read(plate="TWO1"), scale_read("TWO1"), archived_read(plate="TWO1"), scale_read("TWO1")]
    reads[3].read.ClearField("image")

    answer = await world.archive.AppendReads(AppendReadsRequest(reads=reads), timeout=60)
    again = await world.archive.AppendReads(AppendReadsRequest(reads=reads[:3]), timeout=60)

    assert [one.read_id for one in answer.results] == [one.read.read_id for one in reads]
    assert [ReadStatus.Name(one.status)[12:] for one in answer.results] == [
        "STORED",
        "STORED",
        "STORED",
        "QUARANTINED",
    ]
    assert {one.status for one in again.results} == {READ_STATUS_DUPLICATE}
    for schema, read, other in (("archive", reads[0], reads[1]), ("motor_carrier", reads[1], reads[0])):
        statement = f"SELECT read_id::text FROM {schema}.read WHERE plate = 'TWO1'"  # noqa: S608
        kept = {row["read_id"] for row in await world.admin(statement)}
        assert read.read.read_id in kept
        assert other.read.read_id not in kept


@pytest.mark.clause("II.H")
async def test_reads_of_one_data_set_are_stored_while_the_other_cannot_be_written(world) -> None:
    await world.admin("REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA motor_carrier FROM search_mcs_append")
    try:
        one = await world.archive.AppendReads(
            AppendReadsRequest(reads=[archived_read(plate="TWO2")]), timeout=20
        )
        with pytest.raises(grpc.aio.AioRpcError):
            await world.archive.AppendReads(AppendReadsRequest(reads=[scale_read("TWO2")]), timeout=20)
    finally:
        await world.admin("GRANT EXECUTE ON FUNCTION motor_carrier.append_reads TO search_mcs_append")

    assert [result.status for result in one.results] == [READ_STATUS_STORED]
