"""Which sign-ins are open, how many there may be, and when devices take turns."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from services.audit.core.claims import Identity
from services.audit.core.sign_in import (
    Interleaving,
    Limits,
    Sighting,
    SignedOut,
    SignIn,
    interleaved,
    sign_in_id,
    turned,
)

NOW = datetime(2026, 11, 26, 8, tzinfo=UTC)
LIMITS = Limits(sign_ins=3, devices=2, quiet=timedelta(minutes=30))
RULE = Interleaving(changes=4, within=timedelta(minutes=10))
pytestmark = pytest.mark.clause("III.B.3.k")


def sign_in(name: str, device: str = "", seen: timedelta = timedelta()) -> SignIn:
    return SignIn(name, "account", device, ("pwd", "otp"), NOW, NOW, NOW - seen)


def identity(session: str, device: str) -> Identity:
    return Identity("iss", "sub", "jti", NOW, NOW, NOW, session, device)


def turns(places: str, seconds: int) -> tuple[Sighting, ...]:
    seen: tuple[Sighting, ...] = ()
    for number, place in enumerate(places):
        seen = turned(seen, Sighting(NOW + timedelta(seconds=number * seconds), place), RULE)
    return seen


def test_a_sign_in_is_named_by_account_session_and_device_without_mixing_them_up() -> None:
    names = {
        sign_in_id(account, identity(session, device))
        for account, session, device in [("a", "bc", ""), ("ab", "c", ""), ("a", "b", "c"), ("a", "b:", "c")]
    }

    assert len(names) == 4
    assert sign_in_id("a", identity("bc", "")) in names


@pytest.mark.parametrize(
    ("others", "new", "excess"),
    [
        ([], sign_in("n"), ""),
        ([sign_in("a", "car"), sign_in("b", "car")], sign_in("n", "desk"), ""),
        ([sign_in("a", "car"), sign_in("b", "desk")], sign_in("n", "desk"), ""),
        ([sign_in("a", "car"), sign_in("b", "desk")], sign_in("n", "home"), "devices"),
        ([sign_in("a"), sign_in("b")], sign_in("n"), "devices"),
        ([sign_in("a", "car"), sign_in("b", "car"), sign_in("c", "car")], sign_in("n", "car"), "sign-ins"),
    ],
)
def test_there_is_room_for_so_many_sign_ins_and_devices(
    others: list[SignIn], new: SignIn, excess: str
) -> None:
    assert LIMITS.excess(others, new) == excess


def test_a_sign_in_is_open_until_it_was_quiet_for_as_long_as_the_setting_says() -> None:
    assert sign_in("a", seen=timedelta(minutes=29)).is_open(LIMITS, NOW)
    assert not sign_in("a", seen=timedelta(minutes=30)).is_open(LIMITS, NOW)


def test_a_sign_in_that_was_ended_is_not_open_however_lately_it_was_used() -> None:
    used = sign_in("a")

    assert used.is_open(LIMITS, NOW)
    assert not replace(used, end_time=NOW).is_open(LIMITS, NOW)


def test_what_was_ended_is_that_sign_in_or_everything_of_before() -> None:
    one, before = SignedOut(None, frozenset({"a"})), SignedOut(NOW)

    assert (one.covers("a", NOW), one.covers("b", NOW)) == (True, False)
    assert before.covers("b", NOW - timedelta(seconds=1))
    assert not before.covers("b", NOW)


@pytest.mark.parametrize("places", ["ABABA", "ABCBA", "AABBAABBA", "ABCDE"])
def test_devices_that_take_turns_within_minutes_are_noticed(places: str) -> None:
    assert interleaved(turns(places, 60), RULE)


@pytest.mark.parametrize("places", ["A", "AAAAAAAAA", "AB", "AABBB", "ABAB"])
def test_who_stays_or_changes_a_few_times_is_not(places: str) -> None:
    assert not interleaved(turns(places, 60), RULE)


def test_no_more_is_remembered_of_where_somebody_came_from_than_the_rule_looks_at() -> None:
    seen = turns("ABABABABAB", 60)

    assert "".join(one.place for one in seen) == "BABAB"
    assert seen[-1].moment == NOW + timedelta(minutes=9)


def test_turns_over_a_shift_are_not() -> None:
    assert not interleaved(turns("ABABABABAB", 3600), RULE)
    assert interleaved(turns("ABABA", 150), RULE)
    assert not interleaved(turns("ABABA", 151), RULE)
