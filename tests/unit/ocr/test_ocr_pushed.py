"""Messages of cameras that push: what is taken of each layout, what is refused, what is never looked at."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ocr.core.pushed.credentials import shows_secret, signature_holds
from services.ocr.core.pushed.flock import parse_flock
from services.ocr.core.pushed.model import (
    UNSTATED_ISSUER,
    Issuer,
    PushedRead,
    PushError,
    issuer_of,
    plate_text,
    with_shares,
)
from services.ocr.core.pushed.plate_recognizer import parse_plate_recognizer
from services.ocr.core.pushed.rekor import parse_rekor

GOLDEN = Path(__file__).parents[2] / "golden" / "ocr"
Parse = Callable[[bytes], tuple[PushedRead, ...]]


def plate_recognizer(body: bytes) -> tuple[PushedRead, ...]:
    return parse_plate_recognizer(body, b"a picture")


LAYOUTS: list[tuple[str, Parse]] = [
    ("push_rekor.json", parse_rekor),
    ("push_plate_recognizer.json", plate_recognizer),
    ("push_flock.json", parse_flock),
]


def golden(name: str) -> dict[str, Any]:
    value = json.loads((GOLDEN / name).read_text())
    assert isinstance(value, dict)
    return value


def rekor(**changes: Any) -> tuple[PushedRead, ...]:
    return parse_rekor(json.dumps(golden("push_rekor.json") | changes).encode())


@pytest.mark.clause("II.B")
def test_a_group_of_rekor_gives_its_read() -> None:
    (read,) = rekor(vehicle_crop_jpeg=base64.b64encode(b"car").decode())

    assert read.sender_read_id == "VU9V-1223834-1764072120123"
    assert read.capture_time == datetime(2025, 11, 25, 12, 2, 0, 123000, UTC)
    assert read.plate == "ABC1234"
    assert read.issuer == Issuer("IL", "US", 0.81)
    assert read.place is None
    assert read.vehicle == ("ford", "blue")
    assert (read.picture, read.crop, read.reader) == (b"car", b"", "rekor-4.1.12")
    assert [text for text, _ in read.candidates] == ["ABC1234", "A8C1234", "ABC123"]
    assert [value for _, value in read.candidates] == pytest.approx([0.92, 0.08 * 84 / 126, 0.08 * 42 / 126])


@pytest.mark.clause("IV.C.2")
def test_a_make_or_colour_that_is_a_guess_is_not_taken() -> None:
    guesses = {"make": [{"name": "ford", "confidence": 50}, {"name": "jeep", "confidence": 30}], "color": []}

    assert rekor(vehicle=guesses)[0].vehicle == ("", "")
    assert rekor(vehicle=None)[0].vehicle == ("", "")
    assert rekor(vehicle={"make": [{"name": "x" * 41, "confidence": 99}]})[0].vehicle == ("", "")


def test_an_alert_of_rekor_is_the_group_in_it() -> None:
    alert = {
        "data_type": "alpr_alert",
        "plate_number": "X",
        "description": "DOE",
        "group": golden("push_rekor.json"),
    }

    assert parse_rekor(json.dumps(alert).encode()) == rekor()


@pytest.mark.parametrize("changes", [{"data_type": "heartbeat"}, {"best_plate_number": "?"}])
def test_a_message_of_rekor_without_a_plate_gives_no_read(changes: dict[str, Any]) -> None:
    assert rekor(**changes) == ()


def test_without_an_id_of_the_best_the_first_is_the_reads() -> None:
    (read,) = rekor(best_uuid=None)

    assert read.sender_read_id == "VU9V-1223834-1764072120001"


def test_where_a_mobile_agent_is_goes_with_its_read() -> None:
    (read,) = rekor(gps_latitude=41.5, gps_longitude=-88.0)

    assert read.place == (41.5, -88.0)


@pytest.mark.clause("II.B")
def test_plates_of_plate_recognizer_share_their_picture_and_have_an_id_each() -> None:
    first, second = plate_recognizer((GOLDEN / "push_plate_recognizer.json").read_bytes())

    assert (first.plate, first.sender_read_id, first.picture) == ("ABC1234", "image.jpg#0", b"a picture")
    assert first.capture_time == datetime(2025, 11, 25, 12, 2, 0, 250000, UTC)
    assert first.plate_box == (153, 91, 149, 34)
    assert first.issuer == Issuer("IL", "US", 0.755)
    assert dict(first.candidates) == pytest.approx({"ABC1234": 0.902, "ABCI234": 0.098})
    assert (first.vehicle, second.vehicle) == (("Riley", "black"), ("", ""))
    assert (second.plate, second.sender_read_id) == ("XYZ99", "image.jpg#1")
    assert second.issuer == Issuer("", "BR", UNSTATED_ISSUER)


@pytest.mark.clause("II.B")
def test_a_read_in_the_style_of_flock_names_its_picture_by_address() -> None:
    (read,) = parse_flock((GOLDEN / "push_flock.json").read_bytes())

    assert (read.plate, read.place) == ("ABC1234", (41.88, -87.63))
    assert read.issuer == Issuer("IL", "US", 0.9)
    assert read.candidates == (("ABC1234", 0.94),)
    assert read.picture_url == "https://pictures.example/objects/1.jpg"


@pytest.mark.clause("IV.C.2")
def test_what_a_sender_says_of_its_own_lists_comes_out_of_no_layout() -> None:
    shown = repr(parse_flock((GOLDEN / "push_flock.json").read_bytes()))

    assert "DOE" not in shown
    assert "2025-1'" not in shown


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"data_type": "other"}, "data_type"),
        ({"epoch_start": None}, "epoch_start"),
        ({"epoch_start": -1}, "epoch_start"),
        ({"epoch_start": 1e300}, "epoch_start"),
        ({"epoch_start": True}, "epoch_start"),
        ({"best_uuid": None, "uuids": []}, "best_uuid"),
        ({"best_uuid": "x" * 129}, "best_uuid"),
        ({"best_uuid": "x\n"}, "best_uuid"),
        ({"vehicle_crop_jpeg": "no base64!"}, "vehicle_crop_jpeg"),
        ({"vehicle_crop_jpeg": 7}, "vehicle_crop_jpeg"),
        ({"candidates": [7]}, "candidates[0]"),
        ({"candidates": [{"plate": "A", "confidence": "high"}]}, "candidates[0].confidence"),
        ({"candidates": [{"plate": "A", "confidence": 1}] * 101}, "candidates"),
        ({"gps_latitude": 91, "gps_longitude": 0}, "gps_latitude"),
        ({"best_plate": []}, "best_plate"),
    ],
)
def test_a_wrong_field_is_named_by_its_path(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(PushError) as refused:
        rekor(**changes)

    assert refused.value.field == field


@pytest.mark.parametrize("written", ["2025-11-25 12:02:00", "yesterday", "1999-12-31T00:00:00Z", 7, None])
def test_a_time_without_its_zone_is_not_guessed(written: object) -> None:
    message = golden("push_flock.json") | {"eventTime": written}

    with pytest.raises(PushError) as refused:
        parse_flock(json.dumps(message).encode())

    assert refused.value.field == "eventTime"


@pytest.mark.parametrize("body", [b"", b"[]", b"7", b'{"a": NaN', b"\xff\xfe{}", b"[" * 100_000, b"9" * 5000])
@pytest.mark.parametrize("parse", [parse for _, parse in LAYOUTS])
def test_what_is_no_json_object_is_refused(parse: Parse, body: bytes) -> None:
    with pytest.raises(PushError):
        parse(body)


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@pytest.mark.parametrize(("name", "parse"), LAYOUTS)
@given(data=st.data())
def test_any_change_of_a_message_gives_reads_in_their_form_or_an_error_that_repeats_nothing(
    name: str, parse: Parse, data: st.DataObject
) -> None:
    message = golden(name)
    place: Any = message
    while True:
        key = data.draw(st.sampled_from(sorted(place) if isinstance(place, dict) else range(len(place))))
        if not isinstance(place[key], dict | list) or not place[key] or data.draw(st.booleans()):
            break
        place = place[key]
    put = data.draw(JSON)
    place[key] = put

    try:
        reads = parse(json.dumps(message).encode())
    except PushError as error:
        assert not isinstance(put, str) or len(put) < 6 or put not in error.problem
        return
    for read in reads:
        assert plate_text(read.plate) == read.plate
        assert 1 <= len(read.sender_read_id) <= 128
        assert read.capture_time.tzinfo
        assert sum(value for _, value in read.candidates) <= 1.001
        assert read.issuer is None or 0 <= read.issuer.probability <= 1


@given(
    st.lists(
        st.tuples(st.text("AB8 -é", max_size=14), st.floats(-1, 2, allow_nan=False)), min_size=1, max_size=30
    )
)
def test_shares_keep_the_order_and_never_exceed_what_was_said(said: list[tuple[str, float]]) -> None:
    best = max(said, key=lambda pair: pair[1])[0]

    shares = with_shares(plate_text(best), said)

    assert sum(value for _, value in shares) <= 1.001
    assert len(shares) <= 16
    assert all(0 <= value <= 1 for _, value in shares)
    assert [v for _, v in shares[1:]] == sorted((v for _, v in shares[1:]), reverse=True)
    assert len({text for text, _ in shares}) == len(shares)


@pytest.mark.parametrize(
    ("region", "issuer"),
    [("us-il", ("IL", "US")), ("US-WI", ("WI", "US")), ("br", ("", "BR")), ("ca-on", ("", "CA"))],
)
def test_a_region_is_a_state_or_a_country(region: str, issuer: tuple[str, str]) -> None:
    assert issuer_of(region, 0.5) == Issuer(*issuer, 0.5)


@pytest.mark.parametrize("region", ["", "us", "usa", "us-ill", "?"])
def test_a_region_that_names_neither_says_nothing(region: str) -> None:
    assert issuer_of(region, 0.5) is None


SECRETS = (b"a" * 40, b"b" * 40)
NOW = datetime(2026, 11, 25, tzinfo=UTC)
WINDOW = timedelta(minutes=5)


def signed(body: bytes, secret: bytes, at: datetime) -> str:
    moment = str(int(at.timestamp()))
    return f"t={moment},v1={hmac.new(secret, moment.encode() + b'.' + body, hashlib.sha256).hexdigest()}"


def basic(name: str, password: bytes) -> str:
    return "Basic " + base64.b64encode(name.encode() + b":" + password).decode()


@pytest.mark.clause("III.B.3.h")
def test_each_of_a_sensors_secrets_counts_as_bearer_and_as_password() -> None:
    for secret in SECRETS:
        assert shows_secret(f"Bearer {secret.decode()}", "cam-1", SECRETS)
        assert shows_secret(basic("cam-1", secret), "cam-1", SECRETS)


@pytest.mark.clause("III.B.3.h")
@pytest.mark.parametrize(
    "header",
    [
        "",
        "Bearer ",
        "Bearer " + "c" * 40,
        "a" * 40,
        "Token " + "a" * 40,
        basic("cam-2", b"a" * 40),
        basic("cam-1", b"c" * 40),
        "Basic ====",
        "Bearer " + "a" * 39,
        "Bearer " + "a" * 41,
    ],
)
def test_nothing_else_does(header: str) -> None:
    assert not shows_secret(header, "cam-1", SECRETS)
    assert not shows_secret("Bearer " + "a" * 40, "cam-1", ())


@pytest.mark.clause("III.B.3.h")
@pytest.mark.parametrize("age", [-300, 0, 300])
def test_a_signature_holds_within_its_window(age: int) -> None:
    header = signed(b"{}", SECRETS[1], NOW - timedelta(seconds=age))

    assert signature_holds(header, b"{}", SECRETS, NOW, WINDOW)


@pytest.mark.clause("III.B.3.h")
def test_a_signature_fails_out_of_its_window_for_another_body_time_or_secret() -> None:
    good = signed(b"{}", SECRETS[0], NOW)

    assert not signature_holds(
        signed(b"{}", SECRETS[0], NOW - timedelta(seconds=301)), b"{}", SECRETS, NOW, WINDOW
    )
    assert not signature_holds(
        signed(b"{}", SECRETS[0], NOW + timedelta(seconds=301)), b"{}", SECRETS, NOW, WINDOW
    )
    assert not signature_holds(good, b"{ }", SECRETS, NOW, WINDOW)
    assert not signature_holds(good.replace("t=1", "t=1 "), b"{}", SECRETS, NOW, WINDOW)
    assert not signature_holds(signed(b"{}", b"c" * 40, NOW), b"{}", SECRETS, NOW, WINDOW)
    assert not signature_holds(good, b"{}", (), NOW, WINDOW)
    assert not signature_holds("", b"{}", SECRETS, NOW, WINDOW)
    later = f"t={math.floor(NOW.timestamp()) + 1},{good.partition(',')[2]}"
    assert not signature_holds(later, b"{}", SECRETS, NOW, WINDOW)
