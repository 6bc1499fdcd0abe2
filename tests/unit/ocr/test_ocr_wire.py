from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import cv2
import numpy as np
import pytest

from alpr.ocr.v1 import ocr_service_pb2 as pb
from alpr.type.v1 import read_pb2
from services.common.errors import InvalidFieldError, SensorNotApprovedError, StorageUnavailableError
from services.common.wire import to_timestamp
from services.ocr import wire
from services.ocr.core.pictures import PictureKind
from services.ocr.core.quad import Quad
from services.ocr.core.reading import Candidate, Reading
from services.ocr.errors import BadImageError, OverloadedError
from services.ocr.models import KINDS

NOW = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
IMAGE = cv2.imencode(".png", np.zeros((40, 60, 3), dtype=np.uint8))[1].tobytes()


def frame(**changes: object) -> pb.Frame:
    given = {"frame_id": "f-1", "image": IMAGE, "capture_time": to_timestamp(NOW), **changes}
    return pb.Frame(**given)  # type: ignore[arg-type]


def wrong_fields(message: pb.Frame) -> list[str]:
    with pytest.raises(InvalidFieldError) as raised:
        wire.parse_frame(message, NOW)
    return [one.field for one in raised.value.violations]


def test_good_frame_is_taken_as_it_is() -> None:
    place = read_pb2.Place(latitude=41.88, longitude=-87.63, description="State and Lake")

    parsed = wire.parse_frame(frame(place=place), NOW)

    assert parsed.kind == PictureKind("image/png", 60, 40)
    assert parsed.capture_time == NOW
    assert parsed.place is not None
    assert (parsed.place.latitude, parsed.place.longitude) == (41.88, -87.63)


def test_all_that_is_wrong_is_named_at_once() -> None:
    message = pb.Frame(place=read_pb2.Place(latitude=math.nan))

    assert wrong_fields(message) == ["frame.frame_id", "frame.capture_time", "frame.place", "frame.image"]


@pytest.mark.parametrize(
    "place",
    [
        read_pb2.Place(latitude=90.1, longitude=1),
        read_pb2.Place(latitude=1, longitude=-180.1),
        read_pb2.Place(latitude=1, longitude=math.inf),
        read_pb2.Place(),
    ],
    ids=["north of the pole", "west of the date line", "infinite", "no fix"],
)
@pytest.mark.clause("II.J")
def test_place_that_is_none_is_refused(place: read_pb2.Place) -> None:
    assert wrong_fields(frame(place=place)) == ["frame.place"]


def test_clock_that_is_a_little_ahead_is_forgiven() -> None:
    ahead = NOW + timedelta(minutes=4)

    assert wire.parse_frame(frame(capture_time=to_timestamp(ahead)), NOW).capture_time == ahead
    assert wrong_fields(frame(capture_time=to_timestamp(NOW + timedelta(minutes=6)))) == [
        "frame.capture_time"
    ]


def test_bad_image_is_named_as_such() -> None:
    with pytest.raises(BadImageError, match="neither JPEG nor PNG"):
        wire.parse_frame(frame(image=b"<svg/>"), NOW)


def test_only_errors_that_may_pass_are_worth_another_try() -> None:
    assert wire.to_frame_error(StorageUnavailableError("full")).retryable
    assert not wire.to_frame_error(SensorNotApprovedError("suspended")).retryable


def test_frame_refused_for_the_load_is_told_when_to_come_again() -> None:
    error = wire.to_frame_error(OverloadedError("too much", retry_after_ms=1250))

    assert (error.reason, error.retryable) == ("ERROR_REASON_OVERLOADED", True)
    assert error.retry_after.ToMilliseconds() == 1250
    assert not wire.to_frame_error(SensorNotApprovedError("suspended")).HasField("retry_after")


def test_states_and_countries_are_told_apart_and_what_is_unknown_is_left_out() -> None:
    states = wire.to_states((("US-IL", 0.6), ("BR", 0.2), ("ZZ", 0.1), ("US-DC", 0.05)))

    assert [(one.state, one.country) for one in states] == [("IL", "US"), ("", "BR"), ("DC", "US")]
    assert [one.probability for one in states] == pytest.approx([0.6, 0.2, 0.05])


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_contract_has_a_type_for_every_kind_of_plate_that_models_tell(kind: str) -> None:
    (said,) = wire._to_plate_types(((kind, 0.5),))

    assert read_pb2.PlateType.Name(said.plate_type) == f"PLATE_TYPE_{kind.upper()}"


def test_corners_go_round_from_the_upper_left() -> None:
    quad = wire.to_quad(Quad(((1, 2), (3, 4), (5, 6), (7, 8))))

    assert [
        (one.x, one.y) for one in (quad.upper_left, quad.upper_right, quad.lower_right, quad.lower_left)
    ] == [
        (1, 2),
        (3, 4),
        (5, 6),
        (7, 8),
    ]


def test_lattice_leaves_out_texts_that_no_plate_can_bear() -> None:
    reading = Reading(
        (Candidate("AB1", 0.7), Candidate("", 0.1), Candidate("A" * 13, 0.1)), ((("A", 0.7),),) * 3
    )

    lattice = wire.to_lattice(reading)

    assert [one.plate for one in lattice.candidates] == ["AB1"]
    assert len(lattice.positions) == 3


@pytest.mark.parametrize("seconds", [0.0, 0.237411, 1.0, 3.999999])
def test_duration_is_right_to_the_microsecond(seconds: float) -> None:
    assert wire.to_duration(seconds).ToMicroseconds() / 1e6 == pytest.approx(seconds, abs=2e-6)
