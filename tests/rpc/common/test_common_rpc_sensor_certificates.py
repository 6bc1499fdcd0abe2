"""Certificates and places of sensors, as a service hears of them on a real stream."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import grpc
import pytest

from alpr.type.v1 import read_pb2, sensor_pb2
from alpr.type.v1.error_reason_pb2 import ErrorReason
from services.common.errors import CertificateNotValidError, SensorNotApprovedError, SensorsUnknownError
from services.common.sensors import is_approved, place_at
from services.common.wire import to_timestamp
from services.dev.pki import DevelopmentAuthority
from tests.rpc.common.test_common_rpc_sensors import _sensor, _until, _watched
from tests.support.clock import ManualClock

ONE, OTHER = b"1" * 32, b"2" * 32
START = datetime(2026, 5, 1, 11, tzinfo=UTC)
END = datetime(2026, 5, 1, 13, tzinfo=UTC)
BRIDGE = read_pb2.Place(latitude=41.9, longitude=-87.8, description="bridge")
RAMP = read_pb2.Place(latitude=41.95, longitude=-87.7, description="ramp")


def certificate(sha256: bytes = ONE, *, revoked: datetime | None = None) -> sensor_pb2.SensorCertificate:
    return sensor_pb2.SensorCertificate(
        sha256=sha256,
        start_time=to_timestamp(START),
        end_time=to_timestamp(END),
        revoke_time=to_timestamp(revoked) if revoked else None,
    )


def with_certificates(*held: sensor_pb2.SensorCertificate) -> sensor_pb2.Sensor:
    sensor = _sensor()
    sensor.certificates.extend(held)
    return sensor


def placement(place: read_pb2.Place, start: datetime, end: datetime | None = None) -> sensor_pb2.Placement:
    return sensor_pb2.Placement(
        place=place, start_time=to_timestamp(start), end_time=to_timestamp(end) if end else None
    )


@pytest.mark.clause("III.B.3.h")
async def test_a_certificate_is_good_while_it_is_on_record_and_lasts(
    tls: DevelopmentAuthority, clock: ManualClock
) -> None:
    revoked = certificate(OTHER, revoked=START)
    async with _watched(tls, clock, with_certificates(certificate(), revoked)) as (registry, _):
        registry.require_certificate("cam-1", ONE)
        for sha256 in (OTHER, b"3" * 32, b""):
            with pytest.raises(CertificateNotValidError) as caught:
                registry.require_certificate("cam-1", sha256)
            assert caught.value.metadata["clauses"] == "III.B.3.h"
            assert caught.value.code is grpc.StatusCode.PERMISSION_DENIED
        with pytest.raises(SensorNotApprovedError):
            registry.require_certificate("cam-2", ONE)


@pytest.mark.clause("III.B.3.h")
@pytest.mark.parametrize("moment", [START - timedelta(microseconds=1), END])
async def test_a_certificate_is_good_for_nothing_outside_of_its_time(
    tls: DevelopmentAuthority, moment: datetime
) -> None:
    async with _watched(tls, ManualClock(moment), with_certificates(certificate())) as (registry, _):
        with pytest.raises(CertificateNotValidError):
            registry.require_certificate("cam-1", ONE)


@pytest.mark.clause("III.B.3.h")
async def test_who_waits_hears_of_the_revocation_and_of_no_other_change(
    tls: DevelopmentAuthority, clock: ManualClock
) -> None:
    both = certificate(), certificate(OTHER)
    async with _watched(tls, clock, with_certificates(*both)) as (registry, servicer):
        waiting = [asyncio.create_task(registry.until_refused("cam-1", one)) for one in (ONE, OTHER)]
        servicer.change(_sensor("cam-2"))
        await _until(lambda: registry.known("cam-2") is not None)
        await asyncio.sleep(0.05)
        assert not any(task.done() for task in waiting)

        servicer.change(with_certificates(certificate(), certificate(OTHER, revoked=clock.now())))
        error = await asyncio.wait_for(waiting[1], 60)

        assert error.reason == ErrorReason.ERROR_REASON_CERTIFICATE_NOT_VALID
        assert not waiting[0].done()
        servicer.change(with_certificates())
        assert isinstance(await asyncio.wait_for(waiting[0], 60), CertificateNotValidError)


@pytest.mark.clause("III.B.3.h")
async def test_who_waits_hears_of_the_end_though_nobody_says_anything(tls: DevelopmentAuthority) -> None:
    clock = ManualClock(END - timedelta(seconds=0.2))
    async with _watched(tls, clock, with_certificates(certificate())) as (registry, _):
        waiting = asyncio.create_task(registry.until_refused("cam-1", ONE))
        await asyncio.sleep(0.01)
        clock.advance(timedelta(seconds=1))

        assert isinstance(await asyncio.wait_for(waiting, 60), CertificateNotValidError)


@pytest.mark.clause("III.B.3.h")
async def test_while_audit_is_not_heard_no_certificate_is_taken(
    tls: DevelopmentAuthority, clock: ManualClock
) -> None:
    async with _watched(tls, clock, with_certificates(certificate())) as (registry, _):
        clock.advance(timedelta(seconds=16))

        with pytest.raises(SensorsUnknownError):
            registry.require_certificate("cam-1", ONE)


@pytest.mark.clause("II.I", "III.B.3.e")
async def test_no_read_of_a_portable_sensor_is_taken_outside_of_its_periods(
    tls: DevelopmentAuthority, clock: ManualClock
) -> None:
    sensor = _sensor()
    sensor.deployment_type = sensor_pb2.DEPLOYMENT_TYPE_PORTABLE
    noon = clock.now()
    sensor.placements.append(placement(BRIDGE, noon - timedelta(hours=1), noon))
    sensor.placements.append(placement(RAMP, noon + timedelta(minutes=5)))
    async with _watched(tls, clock, sensor) as (registry, _):
        for minutes, place in ((-59, BRIDGE), (6, RAMP), (60, RAMP)):
            moment = noon + timedelta(minutes=minutes)
            assert place_at(registry.require_approved("cam-1", moment), moment) == place
        for minutes in (-61, 0, 4):
            moment = noon + timedelta(minutes=minutes)
            assert not is_approved(sensor, moment)
            with pytest.raises(SensorNotApprovedError) as caught:
                registry.require_approved("cam-1", moment)
            assert caught.value.metadata["clauses"] == "II.I,III.B.3.e"


@pytest.mark.clause("II.C", "II.G", "II.I")
def test_a_fixed_sensor_stood_where_it_was_surveyed_then_and_a_mobile_one_says_itself() -> None:
    sensor = _sensor()
    sensor.deployment_type = sensor_pb2.DEPLOYMENT_TYPE_FIXED
    sensor.place.CopyFrom(RAMP)
    sensor.placements.append(placement(BRIDGE, START, END))

    assert place_at(sensor, START) == BRIDGE
    assert place_at(sensor, END) == RAMP
    assert place_at(sensor, START - timedelta(days=1)) == RAMP
    sensor.deployment_type = sensor_pb2.DEPLOYMENT_TYPE_MOBILE
    assert place_at(sensor, START) is None


@pytest.mark.clause("II.I")
def test_a_period_that_is_none_counts_for_nothing() -> None:
    sensor = _sensor()
    sensor.deployment_type = sensor_pb2.DEPLOYMENT_TYPE_PORTABLE
    broken = placement(BRIDGE, START)
    broken.end_time.seconds = 1 << 60
    sensor.placements.extend([sensor_pb2.Placement(place=BRIDGE), broken, placement(BRIDGE, END, END)])

    assert place_at(sensor, END) is None
