"""The simulated year of the benchmark of misuse, and how it is scored."""

from __future__ import annotations

import random
from datetime import timedelta
from pathlib import Path

from benchmarks._misuse_episodes import Episode, Misuse
from benchmarks._misuse_people import BEGIN, Agency, Ask
from benchmarks._misuse_score import Flag, flags_by_volume, flags_of, judged
from services.audit.policies import load

RULES = load(Path(__file__).parents[3] / "services/audit/policy").rules
KINDS = {"REPEAT_TARGET", "CASE_REUSE", "OWN_HOURS", "SPIKE", "VAGUE_PURPOSE", "LEAVER"}


def year(seed: int) -> tuple[list[Ask], list[Episode]]:
    agency = Agency(random.Random(seed), 12)
    asks, episodes = list(agency.lawful()), []
    for episode, hidden in Misuse(agency).of_year(1):
        episodes.append(episode)
        asks += hidden
    return asks, episodes


def asks(person: int, days: range, plate: str = "", *, a_day: int = 1, hour: int = 9) -> list[Ask]:
    """Questions under a new number each, about `plate`, or about another one each time.

    The numbers follow from the days, so that people who ask on the same days work on the same cases.
    """
    told = [(day, number) for day in days for number in range(a_day)]
    return [
        Ask(
            BEGIN + timedelta(days=day, hours=hour),
            person,
            plate or f"P{person}{day:03d}{number:02d}",
            f"2026-{day:04d}{number:02d}",
            "ROBBERY",
            "car seen leaving the bank",
        )
        for day, number in told
    ]


def flagged(agency: Agency, *parts: list[Ask]) -> list[tuple[int, str, int]]:
    """Person, rule and day of what the rules flag, in the order in which it was asked."""
    in_order = sorted((ask for part in parts for ask in part), key=lambda ask: ask.moment)
    flags = flags_of(agency, in_order, RULES)
    return [(one.person, one.rule, (one.moment - BEGIN).days) for one in flags]


def test_the_rules_are_told_who_else_asked_about_a_case_for_as_long_as_they_remember() -> None:
    agency = Agency(random.Random(1), 3)
    followed = asks(0, range(70, 76), "AB12345")
    # Another person's questions under the numbers that are used on days 70 to 75.
    with_them = asks(1, range(70, 76), hour=8)
    long_ago = [Ask(BEGIN, 1, f"X{one.case}", one.case, one.code, one.purpose) for one in followed]

    assert flagged(agency, followed) == [(0, "REPEAT_TARGET", 73)]
    assert not flagged(agency, followed, with_them)
    assert flagged(agency, followed, long_ago) == [(0, "REPEAT_TARGET", 73)]


def test_a_plate_that_two_others_asked_about_is_nobodys_target() -> None:
    agency = Agency(random.Random(1), 4)
    followed = asks(0, range(10, 16), "AB12345")
    one, two = [asks(who, range(who, who + 1), "AB12345") for who in (1, 2)]

    assert flagged(agency, followed, one) == [(0, "REPEAT_TARGET", 13)]
    assert not flagged(agency, followed, one, two)


def test_who_goes_is_flagged_from_when_the_agency_knows_the_end_and_who_is_gone_by_trying() -> None:
    agency = Agency(random.Random(1), 2)
    harvest = asks(0, range(20, 40)), asks(0, range(50, 56), a_day=12)
    tries = [
        Ask(BEGIN + timedelta(days=61, hours=hour), 1, "", "", "", "", "refusal", clauses="III.B.3.o/over")
        for hour in range(3)
    ]
    leaver = agency.people[0]
    leaver.last_day, leaver.end_known = 60, 50
    known = flagged(agency, *harvest)
    leaver.end_known = 59
    unknown = flagged(agency, *harvest)

    assert [flag[:2] for flag in known] == [(0, "LEAVER")]
    assert not unknown
    assert flagged(agency, tries) == [(1, "LEAVER", 61)]


def test_every_kind_of_misuse_is_hidden_in_a_year_within_its_episode_and_nobody_has_two() -> None:
    drawn = list(Misuse(Agency(random.Random(1), 60)).of_year(2))

    assert {episode.kind for episode, _ in drawn} == KINDS
    assert len({episode.person for episode, _ in drawn}) == len(drawn) == 12
    for episode, hidden in drawn:
        assert {ask.person for ask in hidden} == {episode.person}
        assert (episode.first, episode.last) == (hidden[0].moment, hidden[-1].moment)
        assert all(episode.first <= ask.moment <= episode.last for ask in hidden)


def test_a_seed_draws_the_same_year_and_another_seed_another_one() -> None:
    assert year(1) == year(1)
    assert year(1) != year(2)


def test_a_flag_is_right_within_an_episode_and_a_week_after_and_an_episode_is_found_once() -> None:
    episode = Episode(1, "SPIKE", BEGIN, BEGIN + timedelta(days=2))
    moments = [(1, 0), (1, 9), (1, 10), (2, 1)]
    flags = [Flag(person, "SPIKE", BEGIN + timedelta(days=day)) for person, day in moments]

    found = judged([episode, Episode(3, "LEAVER", BEGIN, BEGIN)], flags)

    assert (found["flags"], found["precision"]) == (4, 0.5)
    assert (found["episodes"], found["recall"]) == (2, 0.5)
    assert found["by_rule"]["SPIKE"]["recall"] == 1
    assert found["by_rule"]["LEAVER"] == {"flags": 0, "precision": None, "episodes": 1, "recall": 0}


def test_a_plain_threshold_counts_different_plates_of_a_day_and_pauses_as_the_rules_do() -> None:
    def of_day(day: int, plates: int) -> list[Ask]:
        moment = BEGIN + timedelta(days=day)
        return [Ask(moment, 1, f"P{number}", "c", "THEFT", "w") for number in (*range(plates), 0, 0)]

    flags = flags_by_volume([*of_day(0, 3), *of_day(1, 4), *of_day(2, 4), *of_day(40, 4)], 4)

    assert [(one.moment - BEGIN).days for one in flags] == [1, 40]
