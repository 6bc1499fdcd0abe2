"""Convoys: who is weighed as a companion, and who only was there too."""

from __future__ import annotations

import math
from typing import Any

import pytest

from services.search.core.chance import log_fisher, log_poisson_tail
from services.search.core.convoy import weigh_convoy
from services.search.core.likeness import is_one_off

# Of two ways to look at it the better one counts, so each gets half of the errors that are allowed.
TWO_WAYS = math.log(2)


def sighting(
    n: int, *, journey: int = 0, around: int = 10, stayed: int = 2, first: bool = False
) -> list[Any]:
    """Camera n of a journey, with ten others around, two of whom were round the camera before."""
    before = (0, 0) if first else (stayed, 10)
    return [f"camera-{n}", n * 240_000_000, 41.0, -88.0, "a road", journey, around, *before]


def evidence(candidates: list[Any], sightings: list[Any] | None = None, met: int = 1_000) -> dict[str, Any]:
    return {
        "sightings": sightings or [sighting(n, first=n == 0) for n in range(5)],
        "candidates": candidates,
        "plates_met": met,
        "left_out": False,
    }


def together(*numbers: int) -> list[list[int]]:
    return [[number, 5_000_000] for number in numbers]


def test_who_stays_longer_ranks_before_who_parts_sooner() -> None:
    convoy = weigh_convoy(
        "TARGET",
        evidence([["SHORT", 0.1, together(0, 1, 2), []], ["LONG", 0.1, together(0, 1, 2, 3, 4), []]]),
    )

    assert [one.plate for one in convoy.companions] == ["LONG", "SHORT"]
    assert convoy.companions[0].camera_count == 5


def test_who_is_met_more_often_than_habit_lets_expect_ranks_first() -> None:
    journeys = [sighting(n, journey=n, first=True) for n in range(6)]
    habitual, rare = ["HABIT", 5.5, together(*range(6)), []], ["RARE", 0.2, together(*range(6)), []]

    convoy = weigh_convoy("TARGET", evidence([habitual, rare], journeys))

    assert [one.plate for one in convoy.companions] == ["RARE", "HABIT"]
    assert convoy.companions[0].chance.log_probability == pytest.approx(log_poisson_tail(6, 0.2) + TWO_WAYS)
    assert convoy.companions[1].chance.probability > 0.8
    assert convoy.companions[0].expected_journeys == 0.2
    assert convoy.journey_count == 6


def test_who_always_goes_that_way_alone_too_is_no_companion_for_going_it() -> None:
    ways = [[f"camera-{n}", f"camera-{n + 1}", 50, 50] for n in range(4)]
    convoy = weigh_convoy(
        "TARGET",
        evidence([["ALWAYS", 0.5, together(*range(5)), ways], ["NEVER", 0.5, together(*range(5)), []]]),
    )

    never, always = convoy.companions
    assert (never.plate, always.plate) == ("NEVER", "ALWAYS")
    assert always.chance.probability > 0.5
    assert never.chance.probability < 0.03


def test_staying_is_compared_with_the_other_vehicles_and_not_with_oneself() -> None:
    """With nobody else around, that two stay together says as much as a coin."""
    lonely = [sighting(n, around=1, first=n == 0) for n in range(5)]
    for one in lonely[1:]:
        one[-2:] = [1, 1]

    convoy = weigh_convoy("TARGET", evidence([["FRIEND", 0.01, together(*range(5)), []]], lonely, met=1))

    expected = log_fisher([log_poisson_tail(1, 0.01), 4 * math.log(0.5)])
    assert convoy.companions[0].chance.log_probability == pytest.approx(expected + TWO_WAYS)


def test_that_two_meet_often_is_not_hidden_by_staying_that_says_nothing() -> None:
    sightings = [sighting(n % 2, journey=n // 2, around=40, first=n % 2 == 0) for n in range(12)]
    for one in sightings[1::2]:
        one[-2:] = [39, 40]

    convoy = weigh_convoy("TARGET", evidence([["OFTEN", 0.1, together(*range(12)), []]], sightings))

    assert convoy.companions[0].chance.log_probability == pytest.approx(log_poisson_tail(6, 0.1) + TWO_WAYS)


def test_waiting_at_one_camera_is_not_travelling() -> None:
    waiting = [sighting(0, first=True), sighting(0), sighting(0)]

    convoy = weigh_convoy("TARGET", evidence([["WAITS", 0.5, together(0, 1, 2), []]], waiting))

    assert convoy.companions[0].chance.log_probability == pytest.approx(log_poisson_tail(1, 0.5) + TWO_WAYS)


def test_a_camera_that_missed_the_companion_does_not_end_the_journey() -> None:
    convoy = weigh_convoy(
        "TARGET", evidence([["SEEN", 0.5, together(0, 1, 2), []], ["MISSED", 0.5, together(0, 2), []]])
    )

    assert [one.plate for one in convoy.companions] == ["SEEN", "MISSED"]
    assert convoy.companions[1].chance.log_probability < log_poisson_tail(1, 0.5) + TWO_WAYS


def test_a_meeting_at_the_last_sighting_of_all_is_weighed() -> None:
    convoy = weigh_convoy("TARGET", evidence([["LATE", 0.5, together(3, 4), []]]))

    assert convoy.companions[0].meetings[-1].sighting.sensor_id == "camera-4"
    assert convoy.companions[0].meetings[-1].offset_us == 5_000_000


def test_one_character_off_is_marked_as_a_possible_misreading() -> None:
    convoy = weigh_convoy(
        "AB1234", evidence([["A81234", 1, together(0, 1), []], ["XY9876", 1, together(0, 1), []]])
    )

    assert {one.plate: one.may_be_misread for one in convoy.companions} == {"A81234": True, "XY9876": False}


def test_nobody_met_is_an_empty_convoy() -> None:
    convoy = weigh_convoy("TARGET", {"sightings": [], "candidates": [], "plates_met": 0, "left_out": True})

    assert (convoy.companions, convoy.journey_count, convoy.sightings_left_out) == ((), 0, True)


@pytest.mark.parametrize(
    ("one", "other", "is_so"),
    [
        ("AB123", "AB123", False),
        ("AB123", "A8123", True),
        ("AB123", "AB12", True),
        ("AB123", "B123", True),
        ("AB123", "AXB123", True),
        ("AB123", "AB1239", True),
        ("AB123", "BA123", False),
        ("AB123", "AB1", False),
        ("AB123", "ABCDE", False),
        ("", "A", True),
    ],
)
def test_one_off_is_one_character_replaced_left_out_or_added(one: str, other: str, is_so: bool) -> None:
    assert is_one_off(one, other) is is_so
    assert is_one_off(other, one) is is_so
