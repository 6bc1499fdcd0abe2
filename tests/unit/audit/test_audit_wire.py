"""Page tokens, and text from outside that goes into the log."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.audit.app_gate import clean
from services.audit.wire import page_token, parse_page_token
from services.common.errors import InvalidFieldError

parts = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), min_size=1)


@given(st.lists(parts, min_size=1, max_size=3))
def test_a_page_token_survives_the_way_to_the_caller_and_back(given_: list[str]) -> None:
    assert parse_page_token(page_token(*given_), ("",) * len(given_)) == tuple(given_)


@given(st.text())
def test_any_other_page_token_is_read_or_refused_but_never_fails(text: str) -> None:
    try:
        parse_page_token(text, ("", ""))
    except InvalidFieldError as error:
        assert error.violations[0].field == "page_token"


def test_an_empty_page_token_means_the_beginning() -> None:
    assert parse_page_token("", ("a", "b")) == ("a", "b")


@given(st.text())
def test_what_is_kept_of_text_from_outside_fits_the_logs_table(text: str) -> None:
    kept = clean(text)

    assert len(kept) <= 500
    assert kept.isprintable()
    assert kept == clean(kept)


@pytest.mark.parametrize(("text", "kept"), [("a\x00b", "a b"), ("a\nb", "a b"), ("Müller", "Müller")])
def test_control_characters_become_spaces(text: str, kept: str) -> None:
    assert clean(text) == kept
