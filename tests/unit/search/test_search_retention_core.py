"""Certificates, what is overdue, held reads, and the seal of a hold."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, date, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.search.core.hold_seal import (
    HoldSealError,
    new_hold_key,
    open_held,
    seal_held,
    unwrap_hold_key,
    wrap_hold_key,
)
from services.search.core.holds import OlderReason, held_reads, hold_id, reason_of
from services.search.core.purge import PurgeTerms, certificate, purge_id

DAY = date(2026, 8, 27)
BEGUN = datetime(2026, 11, 26, 0, 10, tzinfo=UTC)
TERMS = PurgeTerms("Series 17-4", 90, 3, 30)
KEK = b"k" * 32


@pytest.mark.clause("IV.E.3")
def test_a_certificate_of_an_empty_day_says_nothing_of_everything() -> None:
    written = certificate(DAY, BEGUN, TERMS, {})

    nothing = hashlib.sha256(b"").hexdigest()
    assert {value for name, value in written.items() if name.endswith("_digest")} == {nothing}
    counts = ("reads", "quarantined", "motor_carrier_reads", "images", "holds", "held_reads")
    assert {written[name] for name in counts} == {"0"}
    assert (written["day_key"], written["backups_until"]) == ("none", "2026-12-26")


@pytest.mark.clause("IV.E.3")
def test_a_certificate_fits_into_an_entry_of_the_log() -> None:
    steps = {
        "rows": {
            "read": {"rows": 2**40, "digest": "ab" * 32, "bytes": 2**50},
            "quarantine": {"rows": 1, "digest": "cd" * 32, "bytes": 8192},
            "held": {"holds": 3, "rows": 17},
        },
        "images": {"objects": 5, "bytes": 6, "key": True},
        "held_images": {"parted": 16, "missing": 1},
        "evidence": {"packages": 2, "digest": "ef" * 32},
    }

    written = certificate(DAY, BEGUN, TERMS, steps)

    assert len(written) <= 48
    assert all(len(value) <= 2000 for value in written.values())
    assert (written["reads"], written["reads_digest"]) == (str(2**40), "ab" * 32)
    assert (written["held_reads"], written["held_images_missing"]) == ("17", "1")
    assert (written["day_key"], written["evidence_packages"]) == ("destroyed", "2")


def test_the_purges_of_a_day_have_ids_of_their_own_and_the_same_each_time() -> None:
    ids = [purge_id(day, number) for day in (DAY, DAY + timedelta(days=1)) for number in (0, 1)]

    assert len(set(ids)) == 4
    assert ids[0] == purge_id(DAY, 0)


@pytest.mark.parametrize(
    ("why", "oldest", "reason"),
    [
        ("OLDER", DAY, OlderReason.PURGE_DUE),
        ("OLDER", DAY - timedelta(days=1), OlderReason.PURGE_DUE),
        ("OLDER", DAY - timedelta(days=2), OlderReason.OVERDUE),
        ("OLDER", None, OlderReason.OVERDUE),
        ("HOLD", DAY - timedelta(days=900), OlderReason.HOLD),
        ("COPY", None, OlderReason.COPY),
    ],
)
def test_what_a_daily_run_has_missed_is_overdue(why: str, oldest: date | None, reason: OlderReason) -> None:
    assert reason_of(why, oldest, DAY + timedelta(days=1)) is reason


def test_a_request_places_one_hold_however_often_it_comes() -> None:
    first, second = uuid4(), uuid4()

    assert hold_id(first) == hold_id(first) != hold_id(second)


def test_held_reads_are_read_as_the_archive_writes_them() -> None:
    row = {
        "read_id": "01a147a0-52ca-7d32-a25c-57117129b864",
        "capture_time": "2026-08-27T10:11:12.345678+00:00",
        "receive_time": "2026-08-27T10:11:13+00:00",
        "plate": "AB123",
        "state": None,
        "sensor_id": "cam-1",
        "agency_ori": "ILISP0001",
        "sensor_group": "north",
        "provenance": "OWN",
        "latitude": 41.5,
        "longitude": -87.5,
        "place": "I-90",
        "confidence": 0.5,
        "recognition": "\\x0a0b",
        "model_version": "plates-2",
        "sender_read_id": "e1",
        "image_sha256": "\\x" + "ab" * 32,
        "image_day": "2026-08-27",
        "image_media_type": "image/jpeg",
        "image_size": 5,
        "content_digest": "\\x00",
        "match_revision": 7,
    }

    (read,) = held_reads(json.loads(json.dumps([row])))

    assert (read.read_id, read.plate, read.recognition) == (UUID(row["read_id"]), "AB123", b"\x0a\x0b")
    assert read.capture_time == datetime(2026, 8, 27, 10, 11, 12, 345678, tzinfo=UTC)
    assert read.image_sha256 == b"\xab" * 32


@given(image=st.binary(max_size=200))
def test_what_a_hold_seals_its_key_opens(image: bytes) -> None:
    key, hold, digest = new_hold_key(), uuid4(), b"s" * 32

    sealed = seal_held(unwrap_hold_key(KEK, hold, wrap_hold_key(KEK, hold, key)), hold, digest, image)

    assert open_held(key, hold, digest, sealed) == image
    assert image not in sealed or len(image) < 8


@pytest.mark.clause("IV.E.3")
def test_nothing_else_opens_what_a_hold_has_sealed() -> None:
    key, hold, digest = new_hold_key(), uuid4(), b"s" * 32
    sealed, wrapped = seal_held(key, hold, digest, b"image"), wrap_hold_key(KEK, hold, key)

    wrong = (
        lambda: open_held(new_hold_key(), hold, digest, sealed),
        lambda: open_held(key, uuid4(), digest, sealed),
        lambda: open_held(key, hold, b"t" * 32, sealed),
        lambda: open_held(key, hold, digest, sealed[:-1]),
        lambda: open_held(key, hold, digest, b""),
        lambda: unwrap_hold_key(b"x" * 32, hold, wrapped),
        lambda: unwrap_hold_key(KEK, uuid4(), wrapped),
    )
    for attempt in wrong:
        with pytest.raises(HoldSealError):
            attempt()
