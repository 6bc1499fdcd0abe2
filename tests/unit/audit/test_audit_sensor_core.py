"""Periods of sensors and certificates on record, without a database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from services.audit.core.placement import Place, Placement, is_free
from services.audit.core.sensor_certificate import SensorCertificate, blocks, is_revoked_key

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
RAMP = Place(41.9, -87.8, "ramp")


def period(start: int, end: int | None) -> Placement:
    """From `start` to before `end`, in hours from now."""
    until = None if end is None else NOW + timedelta(hours=end)
    return Placement("id", RAMP, NOW + timedelta(hours=start), until)


def certificate(
    sensor_id: str = "cam-1", key: bytes = b"k", *, end: int = 1, revoked: bool = False
) -> SensorCertificate:
    return SensorCertificate(
        certificate_id="id",
        sensor_id=sensor_id,
        sha256=b"s",
        key_sha256=key,
        pem="",
        start_time=NOW - timedelta(days=1),
        end_time=NOW + timedelta(hours=end),
        revoke_time=NOW if revoked else None,
    )


@pytest.mark.clause("II.I")
@pytest.mark.parametrize(
    ("one", "other", "free"),
    [
        ((0, 5), (5, 9), True),
        ((0, 5), (4, 9), False),
        ((0, None), (4, 9), False),
        ((9, None), (4, 9), True),
        ((0, None), (4, None), False),
        ((2, 3), (0, 9), False),
        ((0, 9), (4, 4), True),
        ((4, 4), (0, 9), True),
    ],
)
def test_periods_that_touch_are_apart_and_ones_taken_back_count_for_nothing(
    one: tuple[int, int | None], other: tuple[int, int | None], free: bool
) -> None:
    assert is_free(period(*one), [period(*other)]) is free
    assert is_free(period(*other), [period(*one)]) is free


@pytest.mark.clause("II.I")
def test_a_period_covers_its_beginning_and_not_its_end() -> None:
    assert period(0, 1).covers(NOW)
    assert not period(0, 1).covers(NOW + timedelta(hours=1))
    assert period(0, None).covers(NOW + timedelta(days=999))
    assert not period(0, 0).covers(NOW)


@pytest.mark.clause("III.B.3.h")
def test_certificates_that_have_ended_or_were_revoked_make_room() -> None:
    good = certificate()

    assert blocks([good], "cam-1", NOW) == ""
    assert blocks([good, certificate(end=0)], "cam-1", NOW) == ""
    assert blocks([good, certificate(revoked=True)], "cam-1", NOW) == ""
    assert "two certificates" in blocks([good, good], "cam-1", NOW)
    assert "another sensor" in blocks([certificate("cam-2", revoked=True)], "cam-1", NOW)


@pytest.mark.clause("III.B.3.h")
def test_a_key_is_lost_with_its_certificate() -> None:
    assert is_revoked_key([certificate(revoked=True)], b"k")
    assert not is_revoked_key([certificate(revoked=True)], b"other")
    assert not is_revoked_key([certificate()], b"k")
