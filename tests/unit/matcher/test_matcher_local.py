"""Patterns, limits and lives of entries of local lists."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.matcher.core.entry import NO_VEHICLE, Category
from services.matcher.core.local import (
    EndReason,
    Grounds,
    LocalEntry,
    Owner,
    OwnerKind,
    Watched,
    matches_too_much,
    without_others_local,
)
from services.matcher.core.wildcard import fits, is_wildcard, pattern_problem

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
PLATE = st.text("ABCZ0189", min_size=2, max_size=10)


@pytest.mark.clause("II.D")
@pytest.mark.parametrize(
    ("pattern", "state_known"),
    [("ABC?23", False), ("ABC1234", False), ("AB12??", True), ("?BC123?", False), ("A1", True)],
)
def test_a_pattern_within_the_limits_is_taken(pattern: str, state_known: bool) -> None:
    assert not pattern_problem(pattern, state_known=state_known)


@pytest.mark.clause("II.D")
@pytest.mark.parametrize(
    ("pattern", "state_known"),
    [
        ("AB12??", False),
        ("AB????", True),
        ("ABCDE????", True),
        ("???????", True),
        ("A", True),
        ("ABCDEFGH123", True),
        ("abc123", True),
        ("ABC*23", True),
        ("ABÇ123", True),
        ("", True),
    ],
)
def test_a_pattern_outside_of_the_limits_is_refused_in_words(pattern: str, state_known: bool) -> None:
    assert pattern_problem(pattern, state_known=state_known).startswith("must ")


@given(PLATE, st.data())
def test_a_pattern_fits_the_plate_that_it_was_made_from_and_no_other_length(
    plate: str, data: st.DataObject
) -> None:
    gaps = data.draw(st.sets(st.integers(0, len(plate) - 1)))
    pattern = "".join("?" if n in gaps else char for n, char in enumerate(plate))

    assert fits(pattern, plate)
    assert not fits(pattern, plate + "A")
    assert not fits(pattern, plate[:-1])
    assert is_wildcard(pattern) == bool(gaps)


@given(PLATE, PLATE)
def test_a_pattern_without_gaps_fits_only_itself(pattern: str, plate: str) -> None:
    assert fits(pattern, plate) == (pattern == plate)


@pytest.mark.clause("II.D")
@pytest.mark.parametrize(
    ("matches", "reads", "too_much"),
    [
        (9, 10, False),
        (10, 10, True),
        (10, 99_999, True),
        (10, 100_000, False),
        (11, 100_000, True),
        (0, 0, False),
    ],
)
def test_an_entry_matches_too_much_above_one_in_ten_thousand(
    matches: int, reads: int, too_much: bool
) -> None:
    assert matches_too_much(matches, reads) is too_much


@pytest.mark.clause("II.D")
def test_an_entry_is_live_until_the_second_of_its_end() -> None:
    entry = LocalEntry(
        entry_id=uuid.UUID(int=1),
        owner=Owner("IL0160000", OwnerKind.UNIT, "D1", "D1"),
        watched=Watched("ABC?23", "", "", Category.FELONY, NO_VEHICLE),
        grounds=Grounds(1, "2026-004711", "", "homicide", "HOMICIDE"),
        account_id="account",
        added_at=NOW,
        expires_at=NOW + timedelta(hours=1),
        added_revision=7,
        end_reason=None,
    )

    assert entry.is_live(NOW + timedelta(minutes=59, seconds=59))
    assert not entry.is_live(NOW + timedelta(hours=1))
    assert EndReason.SUSPENDED > EndReason.REMOVED


@pytest.mark.clause("II.D")
def test_every_owner_has_one_list_of_an_id_and_a_name_of_its_own() -> None:
    owners = [
        Owner(agency, kind, key)
        for agency in ("IL0160000", "IL0990000")
        for kind in OwnerKind
        for key in ("a", "b")
    ]

    assert len({owner.hot_list_id for owner in owners}) == len(owners)
    assert Owner("IL0160000", OwnerKind.SENSOR, "a", "D1").hot_list_id == owners[4].hot_list_id
    assert owners[4].list_name == "local list of sensor a"
    assert len(Owner("IL0160000", OwnerKind.UNIT, "U" * 200).list_name) == 100


@dataclass(frozen=True)
class Header:
    agency_ori: str = "IL0160000"
    is_local: bool = True
    sensor_id: str = ""


@pytest.mark.clause("II.D")
def test_a_sensors_list_is_compared_with_its_own_reads_only() -> None:
    headers = [Header(is_local=False), Header(), Header(sensor_id="i90-east"), Header(sensor_id="i57-north")]

    assert without_others_local({0, 1, 2, 3}, headers, "IL0160000", "i90-east") == {0, 1, 2}
    assert without_others_local({2, 3}, headers, "IL0160000", "another") == frozenset()


@pytest.mark.clause("II.D", "III.B.1")
def test_a_local_list_never_leaves_its_agency() -> None:
    headers = [Header("IL0990000"), Header("IL0990000", is_local=False)]

    assert without_others_local({0, 1}, headers, "IL0160000", "i90-east") == {1}
