"""Cameras say how they do, and it goes on to the matcher."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import grpc
import pytest

from alpr.ocr.v1 import ocr_service_pb2 as pb
from alpr.type.v1 import sensor_pb2
from services.common.errors import from_rpc_error
from services.common.wire import to_datetime, to_timestamp
from tests.support.ocr_kit import FIXED, SUSPENDED, World

OTHER = "another-camera"


def report(sensor_id: str = "") -> pb.ReportSensorStatusRequest:
    status = sensor_pb2.SensorStatus(
        sensor_id=sensor_id, sensor_time=to_timestamp(datetime.now(UTC)), backlog_count=12, storage_used=0.5
    )
    return pb.ReportSensorStatusRequest(status=status)


@pytest.mark.clause("III.B.2.c")
async def test_what_a_camera_says_goes_on_in_its_name_with_the_moment_at_which_it_came(ocr: World) -> None:
    answer = await ocr.sensor().ReportSensorStatus(report(), timeout=60)

    (passed,) = ocr.matcher.statuses
    assert (passed.status.sensor_id, passed.status.backlog_count) == (FIXED, 12)
    assert passed.receive_time == answer.receive_time
    assert abs(datetime.now(UTC) - to_datetime(answer.receive_time)) < timedelta(seconds=10)


@pytest.mark.clause("III.B.3.e", "III.B.3.h")
async def test_a_camera_speaks_for_itself_only_and_only_while_it_is_approved(ocr: World) -> None:
    for sensor_id, request in ((FIXED, report(OTHER)), (SUSPENDED, report()), ("unknown-camera", report())):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await ocr.sensor(sensor_id).ReportSensorStatus(request, timeout=10)
        assert from_rpc_error(caught.value).code is grpc.StatusCode.PERMISSION_DENIED
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await ocr.person().ReportSensorStatus(report(), timeout=10)
    assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED
    assert ocr.matcher.statuses == []


async def test_while_the_matcher_is_away_the_camera_is_told_to_send_again(ocr: World) -> None:
    await ocr.neighbours.close_matcher()

    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await ocr.sensor().ReportSensorStatus(report(), timeout=15)

    assert caught.value.code() in {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED}
