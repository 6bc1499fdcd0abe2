"""What a text with wildcards asks for."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.search.core.pattern import PatternError, PlateForm, WantedPlate, wanted_plate

KNOWN = "ABCXYZ0189"


@pytest.mark.parametrize(
    ("text", "form"),
    [("AB1234", PlateForm.EXACT), ("A1", PlateForm.EXACT), ("AB?1*", PlateForm.PATTERN)],
)
def test_a_text_with_wildcards_is_a_pattern_and_one_without_is_exact(text: str, form: PlateForm) -> None:
    assert wanted_plate(text) == WantedPlate(form, text)


def test_a_text_may_be_asked_for_with_characters_that_look_alike_or_with_one_off() -> None:
    assert wanted_plate("B0?8", look_alike=True) == WantedPlate(PlateForm.LOOK_ALIKE, "B0?8")
    assert wanted_plate("B048", one_off=True) == WantedPlate(PlateForm.ONE_OFF, "B048")


@pytest.mark.parametrize("text", ["*", "?", "????????", "A*", "*1*", "A?????1", "A*1?", "", "A", "**AB**"])
def test_a_pattern_that_would_search_everything_is_refused(text: str) -> None:
    with pytest.raises(PatternError):
        wanted_plate(text)


@pytest.mark.parametrize("text", ["AB?1234", "*AB123"])
def test_one_character_off_is_no_pattern(text: str) -> None:
    with pytest.raises(PatternError, match=r"no \? and \*"):
        wanted_plate(text, one_off=True)


def test_one_character_off_needs_three_that_are_known() -> None:
    with pytest.raises(PatternError, match="at least 4"):
        wanted_plate("AB1", one_off=True)


@pytest.mark.parametrize(
    "text",
    [
        "АВС123",  # noqa: RUF001 -- Cyrillic letters
        "ABC１２３",  # noqa: RUF001 -- full width
        "ABC＊",  # noqa: RUF001 -- full width
        "AΒC123",  # noqa: RUF001 -- Greek
        "AB\u200bC123",
        "AB\u00adC123",
        "A\u0301BC123",
        "ABC%",
        "ABC_12",
        "ABC'; DROP TABLE archive.read; --",
        "abc123",
        "ABC\x00123",
        "ABC123\n",
    ],
)
def test_characters_that_only_look_like_letters_and_sql_are_refused(text: str) -> None:
    with pytest.raises(PatternError) as refused:
        wanted_plate(text)

    assert text not in str(refused.value)


@pytest.mark.parametrize(
    ("text", "settled"), [("ABC**", "ABC*"), ("A*?*BC1", "A?*BC1"), ("*?ABC?*?", "?*ABC??*")]
)
def test_the_same_pattern_has_one_spelling(text: str, settled: str) -> None:
    assert wanted_plate(text).text == settled


@pytest.mark.parametrize(("text", "fits"), [("ABC?????????*", True), ("ABC??????????", False)])
def test_a_pattern_stands_for_no_more_characters_than_a_plate_has(text: str, fits: bool) -> None:
    if fits:
        assert wanted_plate(text).text == text
    else:
        with pytest.raises(PatternError, match="at most 12"):
            wanted_plate(text)


@given(st.text(alphabet=KNOWN + "?*", max_size=14), st.text(alphabet=KNOWN, max_size=12))
def test_settling_a_pattern_changes_nothing_that_it_matches(text: str, plate: str) -> None:
    try:
        settled = wanted_plate(text).text
    except PatternError:
        return

    assert _matches(text, plate) == _matches(settled, plate)
    assert wanted_plate(settled).text == settled


def _matches(pattern: str, plate: str) -> bool:
    return bool(re.fullmatch(pattern.replace("?", ".").replace("*", ".*"), plate))
