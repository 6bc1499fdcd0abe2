"""Moments, ids, plates."""

import re
from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as st

from alpr.type.v1 import sensor_pb2
from services.common.errors import FieldViolation, InvalidFieldError
from services.common.wire import (
    normalise_plate,
    parse_moment,
    parse_plate,
    parse_text,
    parse_uuid,
    raise_violations,
    to_datetime,
    to_timestamp,
)

MOMENTS = st.datetimes(timezones=st.just(UTC))
NIL = UUID(int=0)


@given(MOMENTS)
def test_a_moment_is_the_same_after_the_wire(moment: datetime) -> None:
    assert to_datetime(to_timestamp(moment)) == moment
    assert to_timestamp(moment).ToDatetime(tzinfo=UTC) == moment


@given(MOMENTS.filter(lambda moment: moment.year > 1), st.integers(-23, 23))
def test_a_moment_of_another_zone_is_the_same_moment(moment: datetime, hours: int) -> None:
    shifted = moment.replace(year=2028).astimezone(timezone(timedelta(hours=hours)))

    assert to_timestamp(shifted) == to_timestamp(shifted.astimezone(UTC))


def test_a_moment_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="zone"):
        to_timestamp(datetime(2026, 5, 1))  # noqa: DTZ001 - that is the point


@given(st.integers(-(1 << 63), (1 << 63) - 1), st.integers(-(1 << 31), (1 << 31) - 1))
def test_any_timestamp_of_a_stranger_is_a_moment_or_a_value_error(seconds: int, nanos: int) -> None:
    try:
        moment = to_datetime(Timestamp(seconds=seconds, nanos=nanos))
    except ValueError:
        return
    assert moment.tzinfo is UTC
    assert to_timestamp(moment).seconds == seconds


def test_wrong_fields_are_raised_together() -> None:
    wrong = [FieldViolation("a", "must be set"), FieldViolation("b", "must be set")]

    raise_violations([])
    with pytest.raises(InvalidFieldError, match="2 fields are") as caught:
        raise_violations(wrong)
    assert caught.value.violations == tuple(wrong)


@given(st.uuids())
def test_an_id_is_taken_in_its_one_form_only(given_id: UUID) -> None:
    wrong: list[FieldViolation] = []

    assert parse_uuid("id", str(given_id), wrong) == given_id
    assert wrong == []
    for other in (given_id.hex, f"{{{given_id}}}", f"urn:uuid:{given_id}", f" {given_id}"):
        assert parse_uuid("id", other, wrong) == NIL
    assert len(wrong) == 4


@given(st.text())
def test_no_text_breaks_the_parser_of_ids(text: str) -> None:
    wrong: list[FieldViolation] = []

    found = parse_uuid("id", text, wrong)

    assert (found == NIL) == bool(wrong)


def test_the_nil_id_is_nobodys() -> None:
    wrong: list[FieldViolation] = []

    parse_uuid("id", str(NIL), wrong)

    assert [one.field for one in wrong] == ["id"]


def test_a_required_moment_is_missing_outside_or_given() -> None:
    wrong: list[FieldViolation] = []
    sensor = sensor_pb2.Sensor()

    parse_moment("sensor.approved_from", sensor, wrong)
    sensor.approved_from.FromDatetime(datetime(1999, 12, 31, 23, 59, 59, tzinfo=UTC))
    parse_moment("sensor.approved_from", sensor, wrong)
    sensor.approved_from.CopyFrom(Timestamp(seconds=1 << 60))
    parse_moment("sensor.approved_from", sensor, wrong)
    assert [one.field for one in wrong] == ["sensor.approved_from"] * 3

    sensor.approved_from.FromDatetime(datetime(2000, 1, 1, tzinfo=UTC))
    assert parse_moment("sensor.approved_from", sensor, wrong) == datetime(2000, 1, 1, tzinfo=UTC)
    assert len(wrong) == 3


@pytest.mark.parametrize(
    ("text", "good"), [(" a ", True), ("", False), ("   ", False), ("a\nb", False), ("abcd", False)]
)
def test_text_has_a_length_and_no_control_characters(text: str, good: bool) -> None:
    wrong: list[FieldViolation] = []

    parse_text("name", text, wrong, most=3)

    assert (not wrong) is good


@pytest.mark.parametrize(
    ("text", "plate"),
    [
        ("ab 12-34", "AB1234"),
        ("a.b·c", "ABC"),
        ("AB\u201312\t34\n", "AB1234"),
        ("stra\u00dfe", "STRA\u00dfE"),
    ],
)
def test_a_plate_is_written_in_one_way(text: str, plate: str) -> None:
    assert normalise_plate(text) == plate


@given(st.text())
def test_normalising_a_plate_twice_changes_nothing_more(text: str) -> None:
    assert normalise_plate(normalise_plate(text)) == normalise_plate(text)


@given(st.text())
def test_a_parsed_plate_is_one_or_is_refused_without_being_repeated(text: str) -> None:
    wrong: list[FieldViolation] = []

    plate = parse_plate("plate", text, wrong)

    assert bool(re.fullmatch(r"[A-Z0-9]{1,12}", plate)) is not bool(wrong)
    assert len({one.description for one in wrong}) <= 1
