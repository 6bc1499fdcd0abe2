"""The simulated year of the benchmark of misuse, and how it is scored."""

from __future__ import annotations

import random
from datetime import timedelta

from benchmarks._misuse_episodes import Episode, Misuse
from benchmarks._misuse_people import BEGIN, Agency, Ask
from benchmarks._misuse_score import Flag, flags_by_volume, judged


def year(seed: int) -> tuple[list[Ask], list[Episode]]:
    agency = Agency(random.Random(seed), 12)
    asks, episodes = list(agency.lawful()), []
    for episode, hidden in Misuse(agency).of_year(1):
        episodes.append(episode)
        asks += hidden
    return asks, episodes


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
    def asks(day: int, plates: int) -> list[Ask]:
        moment = BEGIN + timedelta(days=day)
        return [Ask(moment, 1, f"P{number}", "c", "THEFT", "w") for number in (*range(plates), 0, 0)]

    flags = flags_by_volume([*asks(0, 3), *asks(1, 4), *asks(2, 4), *asks(40, 4)], 4)

    assert [(one.moment - BEGIN).days for one in flags] == [1, 40]
