from __future__ import annotations

import hmac
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.common.canonical import (
    AlertQuestion,
    ArchiveQuestion,
    LookBackQuestion,
    Question,
    act_digest,
    argument_value,
    canonical_text,
    plates_digest,
    question_digest,
    to_microseconds,
)
from services.common.permit import Permit, SignedAct, act_text, permit_text

GOLDEN = json.loads((Path(__file__).parents[2] / "golden" / "permit.json").read_text(encoding="utf-8"))
KEY = bytes.fromhex(GOLDEN["permit_key"])


def moment(microseconds: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)


def look_back(arguments: dict[str, Any]) -> LookBackQuestion:
    after = arguments["after_read_id"]
    return LookBackQuestion(
        UUID(arguments["intent_id"]),
        UUID(arguments["changed_id"]),
        arguments["match_revision"],
        moment(arguments["from_us"]),
        moment(arguments["to_us"]),
        len(arguments["plates"]),
        plates_digest(arguments["plates"]),
        arguments["page_size"],
        UUID(after) if after else None,
    )


def question(kind: str, arguments: dict[str, Any]) -> Question:
    window = moment(arguments["from_us"]), moment(arguments["to_us"]), arguments["page_size"]
    if kind == "lookback":
        return look_back(arguments)
    if kind == "alerts":
        return AlertQuestion(UUID(arguments["alert_id"]) if arguments["alert_id"] else None, *window)
    named = tuple((name, argument_value(value)) for name, value in arguments["named"])
    return ArchiveQuestion(kind, *window, named)


def permit(row: dict[str, Any]) -> Permit:
    return Permit(
        permit_id=UUID(row["permit_id"]),
        account_id=UUID(row["account_id"]),
        kind=row["kind"],
        question_digest=bytes.fromhex(row["question_digest"]),
        agency_oris=tuple(row["agency_oris"]),
        sensor_groups=tuple(row["sensor_groups"]),
        from_time=moment(row["from_us"]),
        to_time=moment(row["to_us"]),
        expires_at=moment(row["expires_us"]),
    )


@pytest.mark.parametrize("row", GOLDEN["questions"], ids=lambda row: row["name"])
def test_a_question_is_spelled_as_agreed(row: dict[str, Any]) -> None:
    asked = question(row["kind"], row["arguments"])

    assert canonical_text(asked) == row["canonical"]
    assert question_digest(asked).hex() == row["digest"]


@pytest.mark.parametrize("row", GOLDEN["permits"], ids=lambda row: row["name"])
def test_a_permit_is_spelled_and_signed_as_agreed(row: dict[str, Any]) -> None:
    assert permit_text(permit(row), KEY) == row["text"]


@given(st.text(max_size=20), st.text(max_size=20), st.integers(1, 1000), st.integers(1, 1000))
def test_two_different_questions_are_never_spelled_alike(one: str, other: str, size: int, more: int) -> None:
    first = ArchiveQuestion("reads", moment(0), moment(1), size, (("plate", one), ("state", "")))
    second = ArchiveQuestion("reads", moment(0), moment(1), more, (("plate", other), ("state", "")))

    assert (canonical_text(first) == canonical_text(second)) == (first == second)


@given(st.datetimes(timezones=st.just(UTC)))
def test_microseconds_are_exact(when: datetime) -> None:
    assert moment(to_microseconds(when)) == when


@pytest.mark.parametrize(
    "change",
    [
        {"agency_oris": ()},
        {"agency_oris": ("IL|P00000",)},
        {"agency_oris": ("ILISP0000\n",)},
        {"sensor_groups": ("a,b",)},
        {"sensor_groups": ("",)},
        {"kind": "plate|"},
        {"question_digest": b"short"},
    ],
)
def test_a_field_that_could_be_read_in_two_ways_is_refused(change: dict[str, Any]) -> None:
    good = permit(GOLDEN["permits"][0])

    with pytest.raises(ValueError, match=r"agency|group|kind|bytes"):
        permit_text(replace(good, **change), KEY)


def test_a_short_key_is_refused() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        permit_text(permit(GOLDEN["permits"][0]), b"short")


ACT = SignedAct(UUID(int=7), "hold.place", UUID(int=8), "IL0000001", b"d" * 32, moment(1_000_000))


def test_a_signed_act_is_one_line_with_its_mac() -> None:
    body, _, mac = act_text(ACT, KEY).rpartition("|")

    assert body == f"act/v1|{UUID(int=7)}|hold.place|{UUID(int=8)}|IL0000001|{(b'd' * 32).hex()}|1000000"
    assert mac == hmac.digest(KEY, body.encode(), "sha256").hex()


@pytest.mark.parametrize(
    "changes",
    [{"action": "hold|place.x"}, {"action": "hold"}, {"agency_ori": "IL|000001"}, {"digest": b"d"}],
    ids=str,
)
def test_an_act_that_cannot_stand_between_bars_is_not_signed(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"signed act|32 bytes"):
        act_text(replace(ACT, **changes), KEY)


def test_the_digest_of_an_act_tells_every_value_apart_and_an_empty_one_from_none() -> None:
    said = ("hold 1", ("CAD", "26-1"), {"reason": "a", "plates": "b"})
    others = (
        ("hold 2", *said[1:]),
        (said[0], ("RMS", "26-1"), said[2]),
        (said[0], ("CAD", "26-2"), said[2]),
        (*said[:2], {"reason": "ab", "plates": ""}),
        (*said[:2], {"reason": "b", "plates": "a"}),
        (*said[:2], {"reason": "a"}),
    )

    assert len({act_digest(*one) for one in (said, *others)}) == 1 + len(others)
    assert act_digest(*said) == act_digest(*said[:2], {"plates": "b", "sensors": "", "reason": "a"})
