"""Sensors say how they do: what gets through to search, and from whom."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
import pytest
import pytest_asyncio

from alpr.matcher.v1 import match_service_pb2 as pb
from alpr.type.v1 import sensor_pb2
from alpr.type.v1.error_reason_pb2 import ErrorReason
from services.common.errors import AlprError, from_rpc_error
from services.common.wire import to_datetime, to_timestamp
from services.dev.pki import DevelopmentAuthority
from tests.matcher_kit import OTHER_SENSOR, SENSOR, Matcher, World, a_matcher, a_world
from tests.support.databases import MigratedDatabase


@pytest_asyncio.fixture
async def matcher(
    tls: DevelopmentAuthority,
    migrated_database: Callable[..., Awaitable[MigratedDatabase]],
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Matcher]:
    database = await migrated_database("matcher")
    async with (
        a_world(tls, database, tmp_path_factory.mktemp("spool")) as world,
        a_matcher(world) as made,
    ):
        yield made


def now() -> datetime:
    return datetime.now(UTC)


def report(
    sensor_id: str = "", received: datetime | None = None, **changes: Any
) -> pb.ReportSensorStatusRequest:
    status = sensor_pb2.SensorStatus(
        **{"sensor_id": sensor_id, "sensor_time": to_timestamp(now()), "backlog_count": 4, **changes}
    )
    return pb.ReportSensorStatusRequest(
        status=status, receive_time=to_timestamp(received) if received else None
    )


async def said(matcher: Matcher, caller: str, request: pb.ReportSensorStatusRequest) -> Any:
    async with matcher.reads_of(caller) as stub:
        return await stub.ReportSensorStatus(request, timeout=60)


async def refused(matcher: Matcher, caller: str, request: pb.ReportSensorStatusRequest) -> AlprError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await said(matcher, caller, request)
    return from_rpc_error(caught.value)


@pytest.mark.clause("III.B.2.c")
async def test_what_a_sensor_says_reaches_search_with_the_moment_at_which_it_came(matcher: Matcher) -> None:
    world: World = matcher.world

    answer = await said(matcher, SENSOR, report())

    (kept,) = world.archive.statuses
    assert (kept.status.sensor_id, kept.status.backlog_count) == (SENSOR, 4)
    assert kept.receive_time == answer.receive_time
    assert abs(now() - to_datetime(kept.receive_time)) < timedelta(seconds=10)


@pytest.mark.clause("III.B.2.c")
async def test_the_ocr_service_passes_on_what_its_cameras_say_and_when_it_came(matcher: Matcher) -> None:
    received = now() - timedelta(seconds=2)

    await said(matcher, "ocr", report(SENSOR, received))
    await said(matcher, "ocr", report(SENSOR, now() + timedelta(hours=1)))

    first, second = matcher.world.archive.statuses
    assert to_datetime(first.receive_time) == received
    assert to_datetime(second.receive_time) <= now()


@pytest.mark.clause("III.B.3.e", "III.B.3.h")
async def test_nobody_speaks_for_another_sensor_or_for_one_that_is_not_approved(matcher: Matcher) -> None:
    for caller, request in (
        (SENSOR, report(OTHER_SENSOR)),
        ("service/alerts", report(SENSOR, now())),
        ("unknown-camera", report()),
        ("ocr", report("unknown-camera", now())),
    ):
        error = await refused(matcher, caller, request)
        assert error.code is grpc.StatusCode.PERMISSION_DENIED
    assert matcher.world.archive.statuses == []


@pytest.mark.parametrize(
    ("caller", "request_message", "field"),
    [
        (SENSOR, report(sensor_time=None), "status.sensor_time"),
        ("ocr", report(SENSOR), "receive_time"),
        ("ocr", report(received=datetime(2026, 11, 1, tzinfo=UTC)), "status.sensor_id"),
    ],
)
async def test_what_is_missing_is_named(
    matcher: Matcher, caller: str, request_message: pb.ReportSensorStatusRequest, field: str
) -> None:
    error = await refused(matcher, caller, request_message)

    assert error.reason == ErrorReason.ERROR_REASON_INVALID_FIELD
    assert [one.field.rpartition(".")[2] for one in error.violations] == [field.rpartition(".")[2]]


async def test_while_search_is_away_the_sensor_is_told_to_send_again(matcher: Matcher) -> None:
    matcher.world.archive.door.down = True

    error = await refused(matcher, SENSOR, report())

    assert error.code is grpc.StatusCode.UNAVAILABLE
