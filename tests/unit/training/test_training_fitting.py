"""Fits of probabilities find what samples were made of, and measures see what is wrong with them."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.ocr.core.calibration import straightened
from training.fitting import (
    across_folds,
    brier,
    calibration_error,
    followed,
    interval,
    isotonic_table,
    logistic_fit,
    mcnemar,
    reliability,
    sigmoid,
    temperature_fit,
)

RNG = np.random.default_rng(3)
WEIGHTS, BIAS = np.array([1.5, -0.7, 0.0]), 0.4


def samples(count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Clues, the true probability of each, and how it came out."""
    clues = RNG.normal(0, 1, (count, 3)) * [1, 2, 5] + [0, 1, -3]
    said = sigmoid(clues @ WEIGHTS + BIAS)
    return clues, said, (RNG.random(count) < said).astype(float)


def test_regression_finds_the_weights_that_made_the_samples() -> None:
    clues, _, right = samples(20_000)

    weights, bias = logistic_fit(clues, right, strength=1e-6)

    assert weights == pytest.approx(WEIGHTS, abs=0.1)
    assert bias == pytest.approx(BIAS, abs=0.15)


def test_clue_that_never_changes_does_no_harm() -> None:
    clues, _, right = samples(500)

    weights, bias = logistic_fit(np.column_stack([clues, np.ones(500)]), right)

    assert np.isfinite([*weights, bias]).all()


def test_all_right_is_no_division_by_nothing() -> None:
    clues, _, _ = samples(200)

    weights, bias = logistic_fit(clues, np.ones(200))
    table = isotonic_table(sigmoid(clues @ weights + bias), np.ones(200))

    assert followed(np.array([0.99]), table)[0] > 0.9


def test_table_mends_what_is_too_sure_of_itself() -> None:
    _, said, right = samples(20_000)
    too_sure = sigmoid(3 * np.log(said / (1 - said)))

    mended = followed(too_sure, isotonic_table(too_sure, right))

    assert calibration_error(too_sure, right) > 0.05
    assert calibration_error(mended, right) < 0.02


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=300))
@settings(deadline=None)
def test_table_rises_from_0_to_1_and_the_service_follows_it_alike(pairs: list[tuple[float, bool]]) -> None:
    said, right = np.array([p for p, _ in pairs]), np.array([r for _, r in pairs], float)

    table = isotonic_table(said, right)

    assert (table[0][0], table[-1][0]) == (0, 1)
    assert all(a[0] <= b[0] and a[1] <= b[1] for a, b in itertools.pairwise(table))
    between = np.linspace(0, 1, 9)
    apart = [x for x in between if min(abs(x - knot) for knot, _ in table) > 1e-6]
    assert followed(np.array(apart), table) == pytest.approx(
        [straightened(x, table) for x in apart], abs=1e-6
    )


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.5])
def test_temperature_is_found_again(temperature: float) -> None:
    shares, true = [], []
    for _ in range(4000):
        logits = RNG.normal(0, 2, 4)
        odds = np.exp(logits - logits.max())
        shares.append(odds / odds.sum())
        cooled = np.exp((logits - logits.max()) / temperature)
        true.append(int(RNG.choice(4, p=cooled / cooled.sum())))

    assert temperature_fit(shares, true) == pytest.approx(temperature, rel=0.12)


def test_truthful_probabilities_have_next_to_no_error_and_others_have() -> None:
    _, said, right = samples(20_000)

    assert calibration_error(said, right) < 0.015
    assert calibration_error(np.clip(said + 0.2, 0, 1), right) > 0.1
    assert brier(said, right) < brier(np.clip(said + 0.2, 0, 1), right)


def test_interval_holds_the_measure() -> None:
    _, said, right = samples(2000)

    low, high = interval(brier, said, right, draws=300)

    assert low < brier(said, right) < high
    assert high - low < 0.05


def test_bins_hold_every_sample_once() -> None:
    _, said, right = samples(1000)

    assert sum(number for *_, number in reliability(said, right)) == 1000


def test_sample_is_judged_by_a_fit_that_has_not_seen_its_group() -> None:
    clues, _, right = samples(4000)
    memory = np.column_stack([clues, right])  # a clue that gives the answer away, but of one group only
    groups = np.arange(4000)
    memory[groups % 5 != 0, 3] = 0.5

    judged = across_folds(memory, right, groups)

    assert calibration_error(judged[groups % 5 != 0], right[groups % 5 != 0]) < 0.08
    assert judged.min() >= 0
    assert judged.max() <= 1


@pytest.mark.parametrize(
    ("ours", "theirs", "said"),
    [
        ("1100", "1100", 1.0),  # never different
        ("10", "01", 1.0),
        ("1" * 6 + "01", "0" * 6 + "01", 2 / 64),  # six against none; where both are alike says nothing
        ("1" * 7 + "0", "0" * 7 + "1", 2 * 9 / 256),
    ],
)
def test_two_readers_differ_as_mcnemars_test_says(ours: str, theirs: str, said: float) -> None:
    one, other = [[mark == "1" for mark in marks] for marks in (ours, theirs)]

    assert mcnemar(one, other) == pytest.approx(said)
    assert mcnemar(other, one) == mcnemar(one, other)
