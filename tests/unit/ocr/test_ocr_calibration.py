"""From clues to a probability."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.ocr.core.calibration import NAMES, Calibration, Clues, straightened, tempered

CLEAR = Clues(fit=-0.01, gap=8, agreement=1, width=120, score=0.9, arrangement=1, length=7)
NUMBERS = st.floats(-1e9, 1e9)
RISING = ((0.0, 0.0), (0.4, 0.1), (0.8, 0.9), (1.0, 0.97))


@given(
    st.builds(
        Clues,
        NUMBERS,
        NUMBERS.map(abs),
        st.floats(0, 1),
        NUMBERS,
        NUMBERS,
        st.floats(0, 1),
        st.integers(1, 12),
    )
)
@settings(deadline=None)
def test_any_clues_give_a_probability(clues: Clues) -> None:
    assert len(clues.values()) == len(NAMES)
    assert all(math.isfinite(value) for value in clues.values())
    assert 0 <= Calibration(table=RISING).probability(clues) <= 1


@pytest.mark.parametrize(
    "worse",
    [{"fit": -1.0}, {"gap": 0.1}, {"agreement": 0.2}, {"width": 40}, {"score": 0.3}, {"arrangement": 0}],
)
def test_worse_clues_lower_the_probability(worse: dict[str, float]) -> None:
    assert Calibration().probability(replace(CLEAR, **worse)) < Calibration().probability(CLEAR)


def test_table_is_followed_in_straight_lines() -> None:
    assert [straightened(p, RISING) for p in (0, 0.2, 0.4, 0.6, 1.0)] == pytest.approx(
        [0, 0.05, 0.1, 0.5, 0.97]
    )


@given(st.floats(0, 1), st.floats(0, 1))
@settings(deadline=None)
def test_table_keeps_the_order(one: float, other: float) -> None:
    assert (straightened(one, RISING) <= straightened(other, RISING)) or one > other


def test_temperature_evens_out_and_sharpens() -> None:
    even, same, sharp = (tempered([0.7, 0.2, 0.1], t) for t in (2, 1, 0.5))

    assert same == pytest.approx([0.7, 0.2, 0.1])
    assert even[0] < 0.7 < sharp[0]
    assert sum(even) == pytest.approx(1)
    assert sum(sharp) == pytest.approx(1)


def test_what_fits_better_turned_round_is_believed_less() -> None:
    doubting = Calibration(weights=(*Calibration().weights[:-1], -2.0))

    assert doubting.probability(replace(CLEAR, turned=0.5)) < doubting.probability(CLEAR)
    assert replace(CLEAR, turned=9.0).values()[-1] == 1.0
