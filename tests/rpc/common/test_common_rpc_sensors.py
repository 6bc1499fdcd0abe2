"""The registry of sensors, against a real stream."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from alpr.audit.v1 import sensor_service_pb2 as pb
from alpr.audit.v1 import sensor_service_pb2_grpc as pb_grpc
from alpr.type.v1 import sensor_pb2
from services.common import sensors as sensors_module
from services.common.client import service_channel
from services.common.errors import SensorNotApprovedError, SensorsUnknownError
from services.common.identity import Context, require_service
from services.common.sensors import SensorRegistry
from services.common.server import Server, ServerBuilder
from services.common.wire import to_timestamp
from services.dev.pki import DevelopmentAuthority
from tests.support.clock import ManualClock
from tests.support.shapes import client_tls, running, settings_of

FROM = datetime(2026, 5, 1, tzinfo=UTC)
UNTIL = datetime(2026, 6, 1, tzinfo=UTC)
CAPTURE = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
APPROVED = sensor_pb2.DEPLOYMENT_STATUS_APPROVED


class WatchServicer(pb_grpc.SensorServiceServicer):
    """Sends what a test puts; None ends the stream."""

    def __init__(self) -> None:
        self.sent: asyncio.Queue[pb.WatchSensorsResponse | None] = asyncio.Queue()
        self.watchers = 0

    async def WatchSensors(  # type: ignore[override]  # noqa: N802
        self, request: pb.WatchSensorsRequest, context: Context
    ) -> AsyncIterator[pb.WatchSensorsResponse]:
        require_service(context, "ocr")
        self.watchers += 1
        while (message := await self.sent.get()) is not None:
            yield message

    def snapshot(self, *known: sensor_pb2.Sensor) -> None:
        self.sent.put_nowait(pb.WatchSensorsResponse(sensors=known, snapshot=True, revision=1))

    def change(self, *changed: sensor_pb2.Sensor) -> None:
        self.sent.put_nowait(pb.WatchSensorsResponse(sensors=changed, revision=2))


def _sensor(
    sensor_id: str = "cam-1",
    status: sensor_pb2.DeploymentStatus.ValueType = APPROVED,
    begins: datetime | None = FROM,
    ends: datetime | None = UNTIL,
) -> sensor_pb2.Sensor:
    sensor = sensor_pb2.Sensor(sensor_id=sensor_id, agency_ori="IL0160000", status=status)
    if begins:
        sensor.approved_from.CopyFrom(to_timestamp(begins))
    if ends:
        sensor.approved_until.CopyFrom(to_timestamp(ends))
    return sensor


@asynccontextmanager
async def _watched(
    tls: DevelopmentAuthority, clock: ManualClock, *known: sensor_pb2.Sensor
) -> AsyncIterator[tuple[SensorRegistry, WatchServicer]]:
    servicer = WatchServicer()
    servicer.snapshot(*known)
    builder = ServerBuilder(settings_of(tls.server("audit")), name="audit")
    builder.add("alpr.audit.v1.SensorService", pb_grpc.add_SensorServiceServicer_to_server, servicer)
    async with running(builder) as server, _registry(tls, server, clock) as registry:
        await _until(lambda: registry.fresh)
        yield registry, servicer


@asynccontextmanager
async def _registry(
    tls: DevelopmentAuthority, server: Server, clock: ManualClock
) -> AsyncIterator[SensorRegistry]:
    own = client_tls(tls.service("ocr"))
    async with service_channel(f"127.0.0.1:{server.port}", own, server_name="audit") as channel:
        stub: Any = pb_grpc.SensorServiceStub(channel)
        registry = SensorRegistry(stub, clock)
        await registry.start()
        yield registry
        await registry.stop()


async def _until(condition: Any) -> None:
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.005)


def _refuses(registry: SensorRegistry, sensor_id: str = "cam-1", capture_time: datetime = CAPTURE) -> bool:
    try:
        registry.require_approved(sensor_id, capture_time)
    except SensorNotApprovedError as error:
        return error.code is grpc.StatusCode.PERMISSION_DENIED
    return False


@pytest.mark.clause("III.B.3.e")
async def test_an_approved_sensor_is_given_within_its_period_only(
    tls: DevelopmentAuthority, clock: ManualClock
) -> None:
    moment = timedelta(microseconds=1)
    async with _watched(tls, clock, _sensor(), _sensor("open", ends=None)) as (registry, _):
        assert registry.require_approved("cam-1", CAPTURE).agency_ori == "IL0160000"
        assert registry.require_approved("cam-1", FROM)
        assert registry.require_approved("cam-1", UNTIL - moment)
        assert registry.require_approved("open", UNTIL + timedelta(days=3650))
        assert _refuses(registry, capture_time=FROM - moment)
        assert _refuses(registry, capture_time=UNTIL)


@pytest.mark.clause("III.B.3.e")
async def test_a_sensor_that_is_unknown_or_not_approved_is_refused_with_the_clause(
    tls: DevelopmentAuthority, clock: ManualClock
) -> None:
    broken = _sensor("broken")
    broken.approved_from.CopyFrom(Timestamp(seconds=1 << 60))
    sensors: Sequence[sensor_pb2.Sensor] = (
        _sensor("registered", sensor_pb2.DEPLOYMENT_STATUS_REGISTERED),
        _sensor("suspended", sensor_pb2.DEPLOYMENT_STATUS_SUSPENDED),
        _sensor("no-status", sensor_pb2.DEPLOYMENT_STATUS_UNSPECIFIED),
        _sensor("no-period", begins=None),
        broken,
    )
    async with _watched(tls, clock, *sensors) as (registry, _):
        assert all(_refuses(registry, one.sensor_id) for one in sensors)
        with pytest.raises(SensorNotApprovedError) as caught:
            registry.require_approved("unknown", CAPTURE)

    assert caught.value.resource == "unknown"
    assert caught.value.metadata["clauses"] == "III.B.3.e"


@pytest.mark.clause("III.B.3.e")
async def test_a_suspension_takes_effect_when_it_is_heard(
    tls: DevelopmentAuthority, clock: ManualClock
) -> None:
    async with _watched(tls, clock, _sensor(), _sensor("cam-2")) as (registry, servicer):
        servicer.change(_sensor(status=sensor_pb2.DEPLOYMENT_STATUS_SUSPENDED))
        await _until(lambda: _refuses(registry))

        assert registry.require_approved("cam-2", CAPTURE)


@pytest.mark.clause("III.B.3.e")
async def test_everything_is_refused_when_nothing_was_heard_for_15_seconds(
    tls: DevelopmentAuthority, clock: ManualClock
) -> None:
    async with _watched(tls, clock, _sensor()) as (registry, servicer):
        clock.advance(timedelta(seconds=15))
        assert registry.require_approved("cam-1", CAPTURE)
        clock.advance(timedelta(microseconds=1))
        with pytest.raises(SensorsUnknownError) as caught:
            registry.require_approved("cam-1", CAPTURE)
        assert caught.value.code is grpc.StatusCode.UNAVAILABLE

        servicer.change()  # a heartbeat
        await _until(lambda: registry.fresh)
        assert registry.require_approved("cam-1", CAPTURE)


async def test_a_clock_that_was_set_back_is_no_reason_to_trust(
    tls: DevelopmentAuthority, clock: ManualClock
) -> None:
    async with _watched(tls, clock, _sensor()) as (registry, _):
        clock.advance(-timedelta(seconds=1))

        assert not registry.fresh


async def test_everything_is_refused_before_the_first_word(
    tls: DevelopmentAuthority, clock: ManualClock
) -> None:
    stub: Any = None
    registry = SensorRegistry(stub, clock)

    with pytest.raises(SensorsUnknownError):
        registry.require_approved("cam-1", CAPTURE)


async def test_after_a_break_the_watch_goes_on_and_forgets_what_the_new_snapshot_leaves_out(
    tls: DevelopmentAuthority, clock: ManualClock
) -> None:
    async with _watched(tls, clock, _sensor(), _sensor("gone")) as (registry, servicer):
        servicer.sent.put_nowait(None)
        servicer.snapshot(_sensor())
        await _until(lambda: servicer.watchers == 2)
        await _until(lambda: _refuses(registry, "gone"))

        assert registry.require_approved("cam-1", CAPTURE)


async def test_a_stream_that_does_not_begin_with_a_snapshot_is_not_believed(
    tls: DevelopmentAuthority, clock: ManualClock
) -> None:
    async with _watched(tls, clock) as (registry, servicer):
        servicer.sent.put_nowait(None)
        servicer.change(_sensor("forged"))
        await _until(lambda: servicer.watchers == 3)
        servicer.snapshot(_sensor())
        await _until(lambda: not _refuses(registry))

        assert _refuses(registry, "forged")


async def test_a_silent_connection_is_given_up(
    tls: DevelopmentAuthority, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sensors_module, "_TRUSTED_FOR", timedelta(seconds=0.2))
    async with _watched(tls, clock, _sensor()) as (_, servicer):
        await _until(lambda: servicer.watchers >= 2)


async def test_a_server_that_dies_and_comes_back_is_found_again(
    tls: DevelopmentAuthority, clock: ManualClock
) -> None:
    servicer = WatchServicer()
    servicer.snapshot(_sensor())

    def builder(listen: str) -> ServerBuilder:
        made = ServerBuilder(
            settings_of(tls.server("audit"), listen=listen, shutdown_grace_seconds=0), name="audit"
        )
        return made.add("alpr.audit.v1.SensorService", pb_grpc.add_SensorServiceServicer_to_server, servicer)

    async with running(builder("127.0.0.1:0")) as first:
        port = first.port
        registry_context = _registry(tls, first, clock)
        registry = await registry_context.__aenter__()
        await _until(lambda: registry.fresh)
    clock.advance(timedelta(seconds=16))
    assert not registry.fresh
    servicer.snapshot(_sensor())
    async with running(builder(f"127.0.0.1:{port}")):
        await _until(lambda: registry.fresh)
        assert registry.require_approved("cam-1", CAPTURE)
        await registry_context.__aexit__(None, None, None)


async def test_a_registry_watches_once(tls: DevelopmentAuthority, clock: ManualClock) -> None:
    async with _watched(tls, clock) as (registry, _):
        with pytest.raises(RuntimeError):
            await registry.start()
