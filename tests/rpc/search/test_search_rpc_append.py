"""ArchiveService over gRPC."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import grpc
import pytest

from alpr.search.v1.archive_service_pb2 import AppendReadsRequest
from alpr.search.v1.archive_service_pb2_grpc import ArchiveServiceStub
from alpr.type.v1.read_pb2 import ReadStatus
from services.common.client import bearer
from services.common.errors import from_rpc_error
from tests.support.search_kit import archived_read, now


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
        *(world.archive.AppendReads(AppendReadsRequest(reads=reads), timeout=20) for reads in batches)
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
