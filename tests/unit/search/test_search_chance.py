"""How unlikely a coincidence is: against sums over every outcome."""

from __future__ import annotations

import math
import random
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.search.core.chance import Chance, log_at_least, log_fisher, log_poisson_tail

_SHARE = st.floats(0, 1)


def every_outcome(count: int, probabilities: list[float]) -> float:
    """The probability of `count` or more events, by adding up all outcomes."""
    total = 0.0
    for outcome in product((0, 1), repeat=len(probabilities)):
        if sum(outcome) >= count:
            total += math.prod(p if one else 1 - p for one, p in zip(outcome, probabilities, strict=True))
    return total


@given(st.lists(_SHARE, max_size=8), st.integers(0, 9))
def test_at_least_so_many_events_is_the_sum_over_all_outcomes(probabilities: list[float], count: int) -> None:
    found = math.exp(log_at_least(count, probabilities))

    assert found == pytest.approx(every_outcome(count, probabilities), rel=1e-9, abs=1e-300)


def test_the_smallest_tail_is_exact_in_its_digits() -> None:
    assert log_at_least(30, [1e-9] * 30) == pytest.approx(30 * math.log(1e-9))


@given(st.integers(0, 60), st.floats(0.001, 40))
def test_a_poisson_tail_is_the_sum_of_its_terms(count: int, mean: float) -> None:
    terms = (math.exp(k * math.log(mean) - mean - math.lgamma(k + 1)) for k in range(count, count + 400))

    assert math.exp(log_poisson_tail(count, mean)) == pytest.approx(math.fsum(terms), rel=1e-6)


@pytest.mark.parametrize(("count", "mean", "log"), [(0, 5, 0), (3, 0, -math.inf), (400, 1e-3, None)])
def test_a_poisson_tail_has_edges(count: int, mean: float, log: float | None) -> None:
    exact = count * math.log(mean) - math.lgamma(count + 1) if log is None else log

    assert log_poisson_tail(count, mean) == pytest.approx(exact, rel=1e-3)


@given(st.integers(1, 30), st.floats(0.01, 20), st.floats(0.01, 5))
def test_more_meetings_are_less_probable_and_more_expected_ones_more(
    count: int, mean: float, more: float
) -> None:
    assert log_poisson_tail(count + 1, mean) < log_poisson_tail(count, mean)
    assert log_poisson_tail(count, mean + more) > log_poisson_tail(count, mean)


@given(st.floats(1e-6, 1))
def test_fisher_of_one_coincidence_is_itself(probability: float) -> None:
    assert math.exp(log_fisher([math.log(probability)])) == pytest.approx(probability)


def test_fisher_of_even_numbers_is_even() -> None:
    draw = random.Random(3)
    found = [math.exp(log_fisher(math.log(draw.random()) for _ in range(4))) for _ in range(4_000)]

    for limit in (0.05, 0.3, 0.8):
        assert sum(one <= limit for one in found) / len(found) == pytest.approx(limit, abs=0.03)


def test_fisher_has_edges() -> None:
    assert log_fisher([]) == 0
    assert log_fisher([0.0, 0.0]) == 0
    assert log_fisher([-math.inf, -1.0]) == -math.inf
    assert log_fisher([-1e6, -1e6]) < -1_999_000


def test_a_chance_says_how_many_of_all_plates_would_have_it() -> None:
    assert Chance(math.log(0.002), 500).expected == pytest.approx(1)
    assert Chance(-1e6, 500).probability == 0
    assert Chance(1e-12, 1).probability == 1
