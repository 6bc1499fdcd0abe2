"""The pure part of search: plates, page tokens, completeness and content of reads, moments."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alpr.search.v1 import archive_service_pb2 as archive_pb
from services.common.canonical import to_microseconds
from services.search.core.answer import Authorization, rows_digest
from services.search.core.moments import from_microseconds
from services.search.core.pages import AskedQuestion, PagePosition, PageTokenError, open_token, seal
from services.search.core.reads import content_digest, shortcoming
from services.search.wire_append import parse_append
from tests.support.search_kit import archived_read

KEY = bytes(range(32))
ASKED = AskedQuestion("reads", (("plate", "AB1234"),), None, 1_795_000_000_000_000)
POSITION = PagePosition(
    account_id="0f0e0d0c-0b0a-4908-8706-050403020100",
    first_authorization_id="5b6f8f0a-6f1e-4d43-9d0c-0c6b5d3c2b1a",
    from_us=1_790_000_000_000_000,
    to_us=1_795_000_000_000_000,
    before_us=1_794_000_000_000_001,
    before_read_id="01a1fb64-636b-784d-a009-715d80da53ae",
)
CAPTURED = datetime(2026, 11, 23, 12, 0, 0, 123456, tzinfo=UTC)


def new_read(message=None):
    message = message or archived_read(CAPTURED, seed="same")
    return parse_append(archive_pb.AppendReadsRequest(reads=[message]))[0]


@given(st.datetimes(min_value=datetime(1900, 1, 1), max_value=datetime(9999, 12, 31)))  # noqa: DTZ001
def test_moments_survive_as_microseconds(time: datetime) -> None:
    aware = time.replace(tzinfo=UTC)

    assert from_microseconds(to_microseconds(aware)) == aware


def test_a_page_token_gives_back_its_position() -> None:
    assert open_token(KEY, ASKED, seal(KEY, ASKED, POSITION)) == POSITION


@pytest.mark.parametrize(
    "other",
    [
        replace(ASKED, arguments=(("plate", "AB1235"),)),
        replace(ASKED, kind="read"),
        replace(ASKED, from_us=1),
        replace(ASKED, to_us=None),
        AskedQuestion("reads", (("plate", "AB1234"),), 1_795_000_000_000_000, None),
    ],
)
def test_a_page_token_is_bound_to_its_question(other: AskedQuestion) -> None:
    with pytest.raises(PageTokenError):
        open_token(KEY, other, seal(KEY, ASKED, POSITION))


@given(st.integers(min_value=0, max_value=10_000), st.integers(min_value=1, max_value=255))
def test_a_page_token_with_any_changed_byte_is_refused(place: int, change: int) -> None:
    token = seal(KEY, ASKED, POSITION)
    raw = bytearray(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    raw[place % len(raw)] ^= change

    with pytest.raises(PageTokenError):
        open_token(KEY, ASKED, base64.urlsafe_b64encode(bytes(raw)).decode().rstrip("="))


@given(st.text(max_size=3000))
def test_any_other_text_is_no_page_token(text: str) -> None:
    with pytest.raises(PageTokenError):
        open_token(KEY, ASKED, text)


def test_a_page_token_of_another_key_is_refused() -> None:
    with pytest.raises(PageTokenError):
        open_token(b"\x01" * 32, ASKED, seal(KEY, ASKED, POSITION))


def test_rows_digest_is_sha256_of_the_raw_ids_in_order() -> None:
    ids = [UUID(int=1), UUID(int=2)]

    assert rows_digest(ids) == hashlib.sha256(ids[0].bytes + ids[1].bytes).digest()
    assert rows_digest([]) == hashlib.sha256(b"").digest()


def test_a_permit_does_not_show_in_a_repr() -> None:
    authorization = Authorization("id", "v1|secret", "account", CAPTURED, CAPTURED)

    assert "secret" not in repr(authorization)


@pytest.mark.clause("II.J")
def test_a_read_with_image_date_time_and_place_is_complete() -> None:
    assert shortcoming(new_read(), CAPTURED) is None


@pytest.mark.clause("II.J")
@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda read: read.ClearField("capture_time"), "no capture time"),
        (lambda read: read.ClearField("receive_time"), "no receive time"),
        (lambda read: read.ClearField("place"), "no place"),
        (lambda read: setattr(read.place, "latitude", 90.1), "no place"),
        (lambda read: setattr(read.place, "longitude", float("inf")), "no place"),
        (lambda read: read.ClearField("image"), "no image"),
        (lambda read: setattr(read.image, "sha256", b"short"), "no image"),
        (lambda read: setattr(read.image, "day", "2026-11-24"), "image day is not the day of capture"),
        (lambda read: setattr(read.image, "day", "soon"), "image day is not the day of capture"),
    ],
)
def test_an_incomplete_read_says_what_it_lacks(change, reason: str) -> None:
    message = archived_read(CAPTURED)
    change(message.read)

    assert shortcoming(new_read(message), CAPTURED) == reason


def test_a_read_from_the_future_is_not_stored_but_a_clock_may_be_fast_by_minutes() -> None:
    read = new_read()

    assert shortcoming(read, CAPTURED - timedelta(minutes=4)) is None
    assert shortcoming(read, CAPTURED - timedelta(minutes=6)) == "capture time lies in the future"


def test_a_read_id_of_another_millisecond_is_not_stored() -> None:
    read = replace(new_read(), read_id=UUID(int=7))

    assert shortcoming(read, CAPTURED) == "read id does not name the capture time"


@pytest.mark.parametrize(
    "change",
    [
        {"plate": "ZZ9999"},
        {"sensor_id": "other"},
        {"capture_time": CAPTURED + timedelta(microseconds=1)},
        {"latitude": 41.0},
        {"place": "elsewhere"},
        {"sender_read_id": "evt-2"},
        {"read_id": UUID(int=7)},
        {"image": None},
    ],
    ids=lambda change: next(iter(change)),
)
def test_other_content_has_another_digest(change) -> None:
    assert content_digest(replace(new_read(), **change)) != content_digest(new_read())


@pytest.mark.parametrize(
    "change",
    [
        {"receive_time": CAPTURED},
        {"sensor_group": "x"},
        {"agency_ori": "x"},
        {"match_revision": 9},
        {"recognition": b""},
        {"model_version": "other@2"},
        {"original": b""},
    ],
    ids=lambda change: next(iter(change)),
)
def test_what_may_differ_between_two_sendings_is_not_content(change) -> None:
    assert content_digest(replace(new_read(), **change)) == content_digest(new_read())


def test_neighbouring_fields_cannot_be_mistaken_for_each_other() -> None:
    one = replace(new_read(), sensor_id="ab", sender_read_id="c")
    other = replace(new_read(), sensor_id="a", sender_read_id="bc")

    assert content_digest(one) != content_digest(other)


def test_positions_hold_text_and_numbers_only() -> None:
    assert {type(value) for value in asdict(POSITION).values()} == {str, int}
