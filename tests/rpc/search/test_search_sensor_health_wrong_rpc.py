"""Requests about sensors that are wrong, or somebody else's."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import grpc
import pytest
import pytest_asyncio

from alpr.search.v1 import archive_service_pb2 as archive_pb
from alpr.search.v1 import sensor_health_service_pb2 as pb
from alpr.search.v1.sensor_health_service_pb2_grpc import SensorHealthServiceStub
from alpr.type.v1 import sensor_pb2
from services.common.errors import AlprError, from_rpc_error
from services.common.wire import to_timestamp
from services.dev.pki import DevelopmentAuthority
from tests.support.audit_kit import COORDINATOR, last_entry, refused
from tests.support.databases import MigratedDatabase
from tests.support.issuer import RunningIssuer
from tests.support.search_house import House, running_house
from tests.support.search_kit import now


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def house(
    migrated_database: Callable[..., Awaitable[MigratedDatabase]],
    tls: DevelopmentAuthority,
    issuer: RunningIssuer,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[House]:
    database = await migrated_database("audit", "search")
    folder = tmp_path_factory.mktemp("house")
    async with running_house(database, tls, issuer, folder, PW_HEALTH_SECONDS="0.3") as running:
        yield running


def stub(house: House) -> Any:
    return house.person(SensorHealthServiceStub)


def name() -> str:
    return f"cam-{uuid4().hex[:12]}"


async def ended(call: Any) -> AlprError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        async with asyncio.timeout(30):
            while True:
                await call.read()
    return from_rpc_error(caught.value)


@pytest.mark.parametrize(
    ("method", "request_message", "field"),
    [
        ("GetSensorHealth", pb.GetSensorHealthRequest(page_size=501), "page_size"),
        ("GetSensorHealth", pb.GetSensorHealthRequest(page_size=-1), "page_size"),
        ("GetSensorHealth", pb.GetSensorHealthRequest(page_token="?"), "page_token"),  # noqa: S106
        ("GetSensorHealth", pb.GetSensorHealthRequest(partition=7), "partition"),
        ("GetSensorHealth", pb.GetSensorHealthRequest(sensor_id="AB 1234"), "sensor_id"),
        ("ListMaintenance", pb.ListMaintenanceRequest(page_token="bm9uc2Vuc2U="), "page_token"),  # noqa: S106
        ("ListMaintenance", pb.ListMaintenanceRequest(page_size=1000), "page_size"),
        ("CountActiveSensors", pb.CountActiveSensorsRequest(), "from"),
        ("WatchMaintenance", pb.WatchMaintenanceRequest(after_position=-1), "after_position"),
    ],
)
async def test_a_request_that_is_wrong_is_refused_by_its_field(
    house: House, method: str, request_message: Any, field: str
) -> None:
    call = getattr(stub(house), method)(request_message, metadata=house.audit.bearer(COORDINATOR), timeout=20)

    error = await (ended(call) if method.startswith("Watch") else refused(call))

    assert error.code is grpc.StatusCode.INVALID_ARGUMENT
    assert field in {one.field for one in error.violations}


async def test_a_period_of_a_hundred_years_is_no_period(house: House) -> None:
    request = pb.CountActiveSensorsRequest(
        **{"from": to_timestamp(datetime(2000, 1, 2, tzinfo=UTC)), "to": to_timestamp(now())}
    )

    error = await refused(stub(house).CountActiveSensors(request, metadata=house.audit.bearer(COORDINATOR)))

    assert [one.field for one in error.violations] == ["to"]


@pytest.mark.clause("I")
async def test_nobody_is_shown_anything_without_a_token_or_for_another_agencys_sensor(house: House) -> None:
    anonymous = await refused(stub(house).GetSensorHealth(pb.GetSensorHealthRequest()))
    request = pb.GetSensorHealthRequest(sensor_id="somebody-elses")
    foreign = await refused(stub(house).GetSensorHealth(request, metadata=house.audit.bearer(COORDINATOR)))

    assert anonymous.code is grpc.StatusCode.UNAUTHENTICATED
    assert foreign.code is grpc.StatusCode.NOT_FOUND
    assert (await last_entry(house.audit))["result"] == "FAILED"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"sensor_id": ""}, "status.sensor_id"),
        ({"sensor_time": None}, "sensor_time"),
        ({"backlog_count": -1}, "status.backlog_count"),
        ({"storage_used": 1.5}, "status.storage_used"),
        ({"storage_used": float("nan")}, "status.storage_used"),
    ],
)
async def test_a_report_that_is_wrong_is_refused_by_its_field(
    house: House, changes: dict[str, Any], field: str
) -> None:
    usual: dict[str, Any] = {"sensor_id": name(), "sensor_time": to_timestamp(now())}
    request = archive_pb.RecordSensorStatusRequest(
        status=sensor_pb2.SensorStatus(**{**usual, **changes}), receive_time=to_timestamp(now())
    )

    error = await refused(house.archive.RecordSensorStatus(request))

    assert [one.field for one in error.violations] == [field]
