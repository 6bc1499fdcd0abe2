"""Arrangements of letters and digits, and look-alikes."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.ocr.core.alphabet import CHARACTERS
from services.ocr.core.grammar import ARRANGEMENTS, LONGEST, arrangement_of, leanings, respelled, weighed

TEXTS = st.text(CHARACTERS, min_size=1, max_size=12)


def leaning(text: str, issuers: dict[str, float]) -> float:
    (one,) = leanings([text], issuers)
    return one


def test_texts_of_one_plate_lean_as_each_does_alone() -> None:
    texts, issuers = ["AB12345", "A812345", "AB1234S", "X"], {"US-IL": 0.5, "ZZ": 0.2}

    assert leanings(texts, issuers) == [leaning(text, issuers) for text in texts]


@pytest.mark.parametrize(
    ("issuer", "text"),
    [
        ("US-IL", "AB12345"),
        ("US-CA", "7ABC123"),
        ("US-TX", "BKZ9823"),
        ("US-NY", "HTF2310"),
        ("US-DC", "GB3072"),
        ("CZ", "5AU5341"),
        ("BR", "KQE3842"),
        ("BR", "BRA2E19"),
        ("RO", "B123ABC"),
        ("RO", "CJ05XYZ"),
        ("DE", "BMW1234"),
        ("FR", "AB123CD"),
        ("GB", "AB12CDE"),
        ("IN", "KL01CA2555"),
    ],
)
def test_an_issuer_speaks_for_its_own_arrangements(issuer: str, text: str) -> None:
    assert leaning(text, {issuer: 1.0}) > leaning("A1A1A1A1A", {issuer: 1.0})


def test_there_are_fifty_states_and_the_district() -> None:
    states = [known for name, known in ARRANGEMENTS.items() if name.startswith("US-")]

    assert len(states) == 51
    assert all(states)


def test_arrangements_can_be_read() -> None:
    for known in ARRANGEMENTS.values():
        assert all(set(one) <= {"A", "#"} and 2 <= len(one) <= LONGEST for one in known)


def test_text_fits_by_as_much_as_its_issuer_is_likely() -> None:
    assert leaning("KQE3842", {"BR": 0.7, "SK": 0.3}) > leaning("KQE3842", {"BR": 0.3, "SK": 0.7})
    assert leaning("7777AAAA77", {"US-IL": 0.9}) < leaning("7777777", {"US-IL": 0.9})


def test_unknown_issuer_takes_any_arrangement_of_anybody() -> None:
    assert leaning("AB12345", {"ZZ": 1.0}) == leaning("AB12345", {}) == leaning("KQE3842", {})
    assert leaning("A1A1A1A1A", {"ZZ": 1.0}) < leaning("AB12345", {})


@pytest.mark.parametrize(
    ("seen", "meant"),
    [("A812345", "AB12345"), ("KQE384Z", "KQE3842"), ("8RA2E19", "BRA2E19"), ("B1Z3ABC", "B123ABC")],
)
def test_look_alikes_are_exchanged_until_an_arrangement_fits(seen: str, meant: str) -> None:
    assert meant in respelled(seen)


@given(TEXTS)
@settings(deadline=None)
def test_respelled_texts_have_known_arrangements_and_are_others(text: str) -> None:
    known = {one for several in ARRANGEMENTS.values() for one in several}

    for other in respelled(text):
        assert other != text
        assert len(other) == len(text)
        assert arrangement_of(other) in known
        assert sum(a != b for a, b in zip(text, other, strict=True)) <= 3


@given(TEXTS, st.dictionaries(st.sampled_from(sorted(ARRANGEMENTS)), st.floats(0, 0.2), max_size=5))
@settings(deadline=None)
def test_leaning_is_the_logarithm_of_a_share(text: str, issuers: dict[str, float]) -> None:
    assert -20 < leaning(text, issuers) <= 0


def test_a_text_that_only_one_of_two_likely_states_issues_makes_that_one_likelier() -> None:
    before = {"US-CA": 0.4, "US-OH": 0.4, "ZZ": 0.2}

    after = weighed("7ABC123", before)

    assert sum(after.values()) == pytest.approx(1)
    assert after["US-CA"] > 0.9
    assert weighed("ABC1234", before)["US-OH"] > 0.9


def test_a_text_of_nobodys_arrangement_leaves_the_issuers_as_they_were() -> None:
    before = {"US-CA": 0.7, "US-OH": 0.3}

    assert weighed("A1B2C3D4", before) == pytest.approx(before)
    assert weighed("ABC1234", {}) == {}
