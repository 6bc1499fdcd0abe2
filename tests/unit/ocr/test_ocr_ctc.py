"""Texts out of the reader's columns: exact scores, and a search that finds the likely ones."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.ocr.core.alphabet import BLANK, CHARACTERS, SYMBOLS, spelled, symbols_of
from services.ocr.core.ctc import Columns, beam, fits, greedy, probabilities, substitutes


def columns_of(*columns: dict[str, float]) -> Columns:
    """Columns with these probabilities; the rest of each is blank."""
    made = np.zeros((len(columns), SYMBOLS))
    for row, column in zip(made, columns, strict=True):
        for character, probability in column.items():
            row[CHARACTERS.index(character) + 1] = probability
        row[BLANK] = 1 - row.sum()
    return made


@st.composite
def few_symbols(draw: st.DrawFn, windows: int = 1) -> Columns:
    """Windows of up to five columns over blank, 0, 1 and 2."""
    count = draw(st.integers(1, 5))
    weights = [[draw(st.integers(0, 9)) for _ in range(4)] for _ in range(count * windows)]
    made = np.zeros((windows, count, SYMBOLS))
    made[:, :, :4] = np.array(weights).reshape(windows, count, 4) + 0.01
    return np.asarray(made / made.sum(axis=2, keepdims=True))


def by_enumeration(columns: Columns) -> dict[tuple[int, ...], float]:
    """Probability of every text: the sum over all paths, one by one."""
    found: dict[tuple[int, ...], float] = {}
    for path in itertools.product(range(4), repeat=len(columns)):
        merged = [symbol for symbol, _ in itertools.groupby(path)]
        text = tuple(symbol for symbol in merged if symbol != BLANK)
        probability = float(np.prod([column[symbol] for column, symbol in zip(columns, path, strict=True)]))
        found[text] = found.get(text, 0.0) + probability
    return found


@given(few_symbols(windows=2))
@settings(max_examples=50, deadline=None)
def test_fit_of_a_text_is_the_sum_over_all_its_paths_in_every_window(windows: Columns) -> None:
    expected = [by_enumeration(window) for window in windows]
    texts = list(expected[0])

    scored = np.exp(fits(windows, texts))

    assert scored == pytest.approx(np.array([[one[text] for text in texts] for one in expected]))
    assert scored.sum(axis=1) == pytest.approx(1)


@given(few_symbols())
@settings(max_examples=50, deadline=None)
def test_wide_beam_finds_the_best_of_all_texts(windows: Columns) -> None:
    expected = by_enumeration(windows[0])
    best = max(expected.values())

    found = beam(windows[0], 60)

    assert max(expected[text] for text in found) == pytest.approx(best)


def test_same_character_twice_needs_a_blank_between() -> None:
    apart = columns_of({"7": 0.99}, {}, {"7": 0.99})
    together = columns_of({"7": 0.99}, {"7": 0.99}, {"7": 0.99})

    assert spelled(greedy(apart)) == spelled(beam(apart, 4)[0]) == "77"
    assert spelled(greedy(together)) == spelled(beam(together, 4)[0]) == "7"


def test_beam_lists_a_character_that_may_be_missing() -> None:
    window = columns_of({"A": 1}, {}, {"1": 0.7}, {}, {"B": 1})

    assert [spelled(text) for text in beam(window, 4)][:2] == ["A1B", "AB"]


def test_substitutes_exchange_one_character_for_another_that_was_seen() -> None:
    window = columns_of({"A": 1}, {}, {"0": 0.6, "O": 0.4}, {}, {"8": 0.9, "B": 0.1})

    assert sorted(map(spelled, substitutes(window))) == ["A0B", "AO8"]


def test_text_that_does_not_fit_at_all_still_has_a_number() -> None:
    windows = probabilities(np.full((1, 32, SYMBOLS), -1000.0, dtype=np.float32))

    assert np.isfinite(fits(windows, [symbols_of("AB12345"), (), symbols_of("A" * 12)])).all()


def test_text_longer_than_the_window_fits_nowhere() -> None:
    windows = np.full((1, 3, SYMBOLS), 1 / SYMBOLS)

    assert fits(windows, [symbols_of("AAAA")])[0, 0] < -600


def test_empty_window_is_no_text() -> None:
    window = columns_of({}, {}, {})

    assert (greedy(window), substitutes(window)) == ((), set())
    assert beam(window, 4)[0] == ()


def test_spelling_round_trips() -> None:
    assert spelled(symbols_of(CHARACTERS)) == CHARACTERS
