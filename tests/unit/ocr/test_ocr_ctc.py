from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.ocr.core.alphabet import BLANK, CHARACTERS, Alphabet
from services.ocr.core.ctc import Columns, read, spelled, symbols_of, text_probabilities

SYMBOLS = len(CHARACTERS) + 1


def columns_of(*columns: dict[str, float]) -> Columns:
    """Columns with these probabilities; the rest of each is blank."""
    made = np.zeros((len(columns), SYMBOLS))
    for row, column in zip(made, columns, strict=True):
        for character, probability in column.items():
            row[CHARACTERS.index(character) + 1] = probability
        row[BLANK] = 1 - row.sum()
    return made


@st.composite
def few_symbols(draw: st.DrawFn) -> Columns:
    """Up to five columns over blank, 0, 1 and 2."""
    count = draw(st.integers(1, 5))
    weights = [[draw(st.integers(0, 9)) for _ in range(4)] for _ in range(count)]
    made = np.zeros((count, SYMBOLS))
    made[:, :4] = np.array(weights) + 0.01
    return np.asarray(made / made.sum(axis=1, keepdims=True))


def by_enumeration(columns: Columns) -> dict[tuple[int, ...], float]:
    """Probability of every text: the sum over all paths, one by one."""
    found: dict[tuple[int, ...], float] = {}
    for path in itertools.product(range(4), repeat=len(columns)):
        merged = [symbol for symbol, _ in itertools.groupby(path)]
        text = tuple(symbol for symbol in merged if symbol != BLANK)
        probability = float(np.prod([column[symbol] for column, symbol in zip(columns, path, strict=True)]))
        found[text] = found.get(text, 0.0) + probability
    return found


@given(few_symbols())
@settings(max_examples=50, deadline=None)
def test_probability_of_a_text_is_the_sum_over_all_its_paths(columns: Columns) -> None:
    expected = by_enumeration(columns)

    values = text_probabilities(columns, list(expected))

    assert values == pytest.approx(list(expected.values()))
    assert sum(values) == pytest.approx(1)


@given(few_symbols())
@settings(max_examples=50, deadline=None)
def test_best_text_is_the_best_of_all_texts(columns: Columns) -> None:
    expected = by_enumeration(columns)

    reading = read([columns])

    assert reading.probability == pytest.approx(max(expected.values()))
    assert expected[symbols_of(reading.text)] == pytest.approx(reading.probability)


def test_same_character_twice_needs_a_blank_between() -> None:
    apart = columns_of({"7": 0.99}, {}, {"7": 0.99})
    together = columns_of({"7": 0.99}, {"7": 0.99}, {"7": 0.99})

    assert read([apart]).text == "77"
    assert read([together]).text == "7"


def test_look_alikes_are_listed_with_their_probability() -> None:
    columns = columns_of({"A": 1}, {}, {"0": 0.6, "O": 0.4}, {}, {"8": 0.9, "B": 0.1})

    reading = read([columns])

    listed = {one.text: round(one.probability, 2) for one in reading.candidates}
    assert listed == {"A08": 0.54, "AO8": 0.36, "A0B": 0.06, "AOB": 0.04}
    assert [(one, round(value, 2)) for one, value in reading.positions[1]] == [("0", 0.6), ("O", 0.4)]


def test_character_that_may_be_missing_gives_candidates_of_two_lengths() -> None:
    reading = read([columns_of({"A": 1}, {}, {"1": 0.7}, {}, {"B": 1})])

    assert [(one.text, round(one.probability, 2)) for one in reading.candidates] == [
        ("A1B", 0.7),
        ("AB", 0.3),
    ]


def test_views_of_one_line_count_the_same() -> None:
    sure, other = columns_of({"B": 1}), columns_of({"8": 1})

    reading = read([sure, other, sure])

    assert [(one.text, round(one.probability, 2)) for one in reading.candidates] == [("B", 0.67), ("8", 0.33)]


@given(few_symbols())
@settings(max_examples=50, deadline=None)
def test_candidates_and_positions_keep_to_the_contract(columns: Columns) -> None:
    reading = read([columns])

    probabilities = [one.probability for one in reading.candidates]
    assert 1 <= len(probabilities) <= 16
    assert probabilities == sorted(probabilities, reverse=True)
    assert sum(probabilities) <= 1.000001
    assert len(reading.positions) == len(reading.text)
    for position in reading.positions:
        assert sum(probability for _, probability in position) <= 1.000001
        assert all(probability >= 0.001 for _, probability in position)


def test_nothing_on_the_line_reads_as_no_text() -> None:
    reading = read([columns_of({}, {}, {})])

    assert (reading.text, reading.positions) == ("", ())


def test_spelling_round_trips() -> None:
    assert spelled(symbols_of(CHARACTERS)) == CHARACTERS


def test_alphabet_takes_small_letters_and_other_scripts_for_the_same_shape() -> None:
    alphabet = Alphabet.of(["a", "A", "\u0410", "\uff17", "7", "-", "\u4eac"])
    # Blank, the seven characters, and the space that comes last.
    probabilities = np.array([[0.1, 0.1, 0.2, 0.3, 0.0, 0.0, 0.1, 0.1, 0.1]], dtype=np.float32)

    folded = alphabet.plate_probabilities(probabilities)

    assert folded[0, CHARACTERS.index("A") + 1] == pytest.approx(0.6, abs=1e-4)
    assert folded[0, BLANK] == pytest.approx(0.4, abs=1e-4)
    assert folded.sum() == pytest.approx(1)


def test_raw_text_keeps_signs_and_spaces() -> None:
    alphabet = Alphabet.of(["A", "-", "7"])
    path = (1, 1, 0, 2, 4, 3, 0, 3)

    text = alphabet.raw_text(np.eye(5, dtype=np.float32)[list(path)])

    assert text == "A- 77"
