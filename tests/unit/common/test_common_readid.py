"""Ids of reads."""

import hashlib
import struct
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.common.readid import read_id_of_correction, read_id_of_frame, read_id_of_sender

CAPTURE = datetime(2026, 5, 1, 12, 0, 0, 123_456, tzinfo=UTC)
KNOWN = "019de368-f67b-76c7-bf72-d09dc524cc3f"
MOMENTS = st.datetimes(datetime(1970, 1, 1), datetime(2999, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
FLOATS = st.floats(0, 1e5, width=32)


@given(st.text(), MOMENTS, st.text())
def test_an_id_is_a_uuid_7_of_the_millisecond_of_capture(
    sensor_id: str, capture_time: datetime, name: str
) -> None:
    made = read_id_of_sender(sensor_id, capture_time, name)

    assert made.version == 7
    assert made.variant == "specified in RFC 4122"
    assert made.int >> 80 == (capture_time - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
    assert made == read_id_of_sender(sensor_id, capture_time, name)


def test_the_id_is_the_one_that_the_contract_describes() -> None:
    """Written out bit by bit, apart from the code under test."""
    milliseconds = 1_777_636_800_123
    bits = "".join(f"{byte:08b}" for byte in hashlib.sha256(b"cam-1\x00abc").digest())[:74]
    text = f"{milliseconds:048b}" + "0111" + bits[:12] + "10" + bits[12:]

    assert f"{read_id_of_sender('cam-1', CAPTURE, 'abc').int:0128b}" == text


def test_a_known_id_stays_what_it_is() -> None:
    assert str(read_id_of_sender("cam-1", CAPTURE, "abc")) == KNOWN


def test_a_frame_and_its_box_name_a_read() -> None:
    frame = hashlib.sha256(b"frame").digest()
    box = (10.5, 20.25, 100.0, 33.0)
    bits = hashlib.sha256(b"cam-1\x00" + frame + struct.pack(">ffff", *box)).digest()

    made = read_id_of_frame("cam-1", CAPTURE, frame, box)

    assert made.bytes[8] & 0b0011_1111 == int.from_bytes(bits) >> (256 - 18) & 0b11_1111
    assert made == read_id_of_frame("cam-1", CAPTURE + timedelta(microseconds=500), frame, box)


@given(FLOATS, FLOATS)
def test_another_box_in_the_same_frame_is_another_read(x: float, other: float) -> None:
    frame = bytes(32)

    same = read_id_of_frame("c", CAPTURE, frame, (x, 1, 2, 3)) == read_id_of_frame(
        "c", CAPTURE, frame, (other, 1, 2, 3)
    )

    assert same is (struct.pack(">f", x) == struct.pack(">f", other))


def test_what_no_uuid_can_hold_is_refused() -> None:
    with pytest.raises(ValueError, match="UUIDv7"):
        read_id_of_sender("c", datetime(1969, 12, 31, tzinfo=UTC), "x")
    with pytest.raises(ValueError, match="32 bytes"):
        read_id_of_frame("c", CAPTURE, b"short", (0, 0, 1, 1))


def test_id_of_a_second_read_differs_by_passage_and_text_and_keeps_the_moment() -> None:
    passage, other = UUID(KNOWN), UUID(int=UUID(KNOWN).int + 1)

    made = read_id_of_correction("cam-1", CAPTURE, passage, "AB1")

    assert made.int >> 80 == passage.int >> 80
    assert made == read_id_of_correction("cam-1", CAPTURE, passage, "AB1")
    assert len({made, passage, read_id_of_correction("cam-1", CAPTURE, passage, "A81")}) == 3
    assert made != read_id_of_correction("cam-1", CAPTURE, other, "AB1")
