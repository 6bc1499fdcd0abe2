"""What the windows of a plate say together, and how it goes into candidates and positions."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.ocr.core.alphabet import BLANK, SYMBOLS, symbols_of
from services.ocr.core.calibration import Calibration, Clues
from services.ocr.core.ctc import Columns
from services.ocr.core.reading import Clarity, Marked, Reading, clarity, evidence, own_fits, read

CALIBRATION = Calibration()
COLUMNS = 32


def window(text: str, doubts: dict[int, tuple[str, float]] | None = None) -> Columns:
    """A window that says `text`; at some places it may also be another character, so likely."""
    made = np.full((COLUMNS, SYMBOLS), 1e-5)
    made[:, BLANK] = 1
    for place, symbol in enumerate(symbols_of(text)):
        column = 2 + 3 * place
        made[column, BLANK] = 1e-5
        made[column, symbol] = 1
        if doubts and place in doubts:
            other, probability = doubts[place]
            made[column, symbol] = 1 - probability
            if other:
                made[column, symbols_of(other)[0]] = probability
            else:
                made[column, BLANK] = probability
    return np.asarray(made / made.sum(axis=1, keepdims=True))


def reading(*windows: Columns, issuers: dict[str, float] | None = None) -> Reading:
    seen = evidence(np.stack(windows))
    return read(seen, issuers or {}, CALIBRATION, Marked(100, 0.8))[0]


def clues(*windows: Columns) -> Clues:
    return read(evidence(np.stack(windows)), {}, CALIBRATION, Marked(100, 0.8))[1]


def test_text_of_all_windows_is_read() -> None:
    assert reading(window("AB12345"), window("AB12345")).text == "AB12345"


def test_windows_outvote_one_that_is_wrong() -> None:
    assert reading(window("AB12345"), window("AB1234"), window("AB12345")).text == "AB12345"


def test_dropped_and_invented_characters_are_among_the_candidates() -> None:
    seen = reading(window("AB12345", {3: ("", 0.3)}), window("AB12345", {3: ("", 0.3)}))

    assert seen.text == "AB12345"
    assert "AB1345" in [one.text for one in seen.candidates]


def test_position_holds_what_else_it_may_be() -> None:
    both = [window("AB12345", {1: ("8", 0.3)})] * 2
    seen = reading(*both, issuers={"ZZ": 1.0})

    assert [one for one, _ in seen.positions[1]] == ["B", "8"]
    assert seen.positions[1][1][1] == pytest.approx(0.3, abs=0.1)
    assert [len(position) for position in seen.positions] == [1, 2, 1, 1, 1, 1, 1]


def test_arrangement_of_the_issuer_decides_between_look_alikes() -> None:
    doubtful = [window("ABC1234", {6: ("O", 0.5)}), window("ABC123O", {6: ("4", 0.5)})]

    assert reading(*doubtful, issuers={"US-NY": 0.9}).text == "ABC1234"


def test_arrangement_never_outweighs_what_is_plainly_there() -> None:
    assert reading(window("A1B2C3D"), window("A1B2C3D"), issuers={"US-IL": 0.99}).text == "A1B2C3D"


def test_first_probability_is_the_calibrated_one_and_all_are_at_most_one() -> None:
    seen = evidence(np.stack([window("AB12345", {1: ("8", 0.4), 3: ("Z", 0.4)})] * 2))
    said, why = read(seen, {}, CALIBRATION, Marked(100, 0.8))

    assert said.probability == CALIBRATION.probability(why)
    assert sum(one.probability for one in said.candidates) <= 1


def test_clues_tell_a_clear_plate_from_a_doubtful_one() -> None:
    clear = clues(window("AB12345"), window("AB12345"))
    doubtful = clues(window("AB12345", {1: ("8", 0.4)}), window("A812345", {1: ("B", 0.4)}))

    assert clear.fit > doubtful.fit
    assert clear.gap > doubtful.gap
    assert (clear.agreement, doubtful.agreement) == (1.0, 0.5)
    assert CALIBRATION.probability(clear) > CALIBRATION.probability(doubtful)


def test_only_a_doubtful_plate_needs_further_windows() -> None:
    assert clarity(np.stack([window("AB12345"), window("AB12345")])) is Clarity.SURE
    assert clarity(np.stack([window("AB12345"), window("AB1234")])) is Clarity.DOUBTFUL
    assert clarity(np.stack([window("AB12345", {1: ("8", 0.4)})] * 2)) is Clarity.DOUBTFUL
    assert clarity(np.stack([window(""), window("")])) is Clarity.HOPELESS
    assert clarity(np.full((2, COLUMNS, SYMBOLS), 1 / SYMBOLS)) is Clarity.HOPELESS


def test_own_text_of_a_window_fits_it_as_well_as_its_columns_are_sure() -> None:
    clear, doubtful, empty = own_fits(
        np.stack([window("AB12345"), window("AB12345", {1: ("8", 0.4), 2: ("7", 0.4)}), window("")])
    )

    assert -0.01 < clear <= 0
    assert doubtful == pytest.approx(2 * np.log(0.6) / 7, abs=0.02)
    assert empty == -np.inf


def test_windows_without_a_text_have_none() -> None:
    assert evidence(np.stack([window(""), window("")])).texts == ()


@st.composite
def noise(draw: st.DrawFn) -> Columns:
    """Six windows in which anything may stand."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    logits = rng.normal(0, draw(st.floats(0.1, 6)), (6, COLUMNS, SYMBOLS))
    logits[..., BLANK] += draw(st.floats(0, 8))
    odds = np.exp(logits - logits.max(axis=2, keepdims=True))
    return np.asarray(np.maximum(odds / odds.sum(axis=2, keepdims=True), 1e-6))


@given(noise())
@settings(max_examples=30, deadline=None)
def test_candidates_and_positions_keep_to_the_contract_whatever_is_seen(windows: Columns) -> None:
    seen = evidence(windows)
    if not seen.texts:
        return
    said, _ = read(seen, {"US-IL": 0.5, "BR": 0.3}, CALIBRATION, Marked(60, 0.5))

    values = [one.probability for one in said.candidates]
    assert 1 <= len(values) <= 16
    assert values == sorted(values, reverse=True)
    assert sum(values) <= 1.000001
    assert 1 <= len(said.text) <= 12
    assert len({one.text for one in said.candidates}) == len(values)
    assert [position[0][0] for position in said.positions] == list(said.text)
    for position in said.positions:
        assert sum(value for _, value in position) <= 1.000001
        assert all(value >= 0.001 for _, value in position)


def test_worst_windows_cost_milliseconds_only() -> None:
    rng = np.random.default_rng(7)
    logits = rng.normal(0, 1, (6, COLUMNS, SYMBOLS))
    odds = np.exp(logits)
    windows = odds / odds.sum(axis=2, keepdims=True)
    evidence(windows)

    start = time.process_time()
    for _ in range(5):
        evidence(windows)

    assert (time.process_time() - start) / 5 < 0.06
