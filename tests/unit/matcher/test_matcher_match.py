"""Matching on the lattice."""

from __future__ import annotations

import itertools
import uuid
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.matcher.core.entry import Category, Entry, ListRow, Source, Vehicle, entry_id
from services.matcher.core.index import ActiveList, Index, ListHeader, ListIndexBuilder
from services.matcher.core.lattice import Lattice
from services.matcher.core.match import Doubt, Match, MatchSettings, Sighting, find_matches

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
MINIMUM = 0.05
IL = (("IL", 0.97),)


def header(source: Source = Source.AGENCY, *, uploaded: datetime = NOW, number: int = 1) -> ListHeader:
    return ListHeader(uuid.UUID(int=number), f"list {number}", "IL0160000", source, 3, uploaded, uploaded)


def listed(
    *plates: tuple[str, str], source: Source = Source.AGENCY, uploaded: datetime = NOW, number: int = 1
) -> ActiveList:
    builder = ListIndexBuilder()
    for plate, state in plates:
        row = ListRow(plate, state, Category.WANTED, "W1", "", Vehicle(make="DODG"))
        made = Entry(
            entry_id(uuid.UUID(int=number), row), plate, state, row.category, row.record_number, row.vehicle
        )
        builder.add([made])
    return ActiveList(header(source, uploaded=uploaded, number=number), builder.build())


def certain(text: str) -> Lattice:
    return Lattice(text, tuple(((char, 0.99),) for char in text), ((text, 0.95),))


def sighting(
    lattice: Lattice, states: tuple[tuple[str, float], ...] = IL, *, age: timedelta = timedelta(seconds=1)
) -> Sighting:
    return Sighting(lattice, states, NOW - age)


def found(seen: Sighting, *lists: ActiveList, minimum: float = MINIMUM) -> tuple[Match, ...]:
    index = Index(1, NOW, lists)
    return find_matches(seen, index, frozenset(range(len(lists))), NOW, MatchSettings(minimum))


@pytest.mark.clause("IV.C.1")
def test_a_read_of_a_listed_plate_and_state_matches_without_doubt() -> None:
    (match,) = found(sighting(certain("AB12345")), listed(("AB12345", "IL"), ("AB12346", "IL")))

    assert match.entry.plate == "AB12345"
    assert match.entry.vehicle == Vehicle(make="DODG")
    assert match.doubts == ()
    assert 0.9 < match.probability <= 1


@pytest.mark.clause("IV.C.1")
def test_one_read_hitting_entries_of_several_lists_yields_a_match_for_each() -> None:
    lists = [
        listed(("AB12345", "IL"), ("AB12345", ""), number=1),
        listed(("AB12345", "IL"), source=Source.SOS, number=2),
    ]

    matches = found(sighting(certain("AB12345")), *lists)

    assert {(match.header.hot_list_id.int, match.entry.state) for match in matches} == {
        (1, "IL"),
        (2, "IL"),
        (1, ""),
    }
    assert matches[-1].entry.state == ""


def test_a_second_choice_of_the_lattice_matches_as_a_look_alike_with_its_probability() -> None:
    lattice = Lattice("AB8", ((("A", 1.0),), (("B", 1.0),), (("8", 0.7), ("3", 0.3))))

    (match,) = found(sighting(lattice, (("IL", 1.0),)), listed(("AB3", "IL")))

    assert match.doubts == (Doubt.LOOK_ALIKE,)
    assert match.probability == pytest.approx(0.3)


def test_a_whole_candidate_of_another_length_matches() -> None:
    lattice = Lattice("AB8", candidates=(("AB8", 0.6), ("AB88", 0.3)))

    (match,) = found(sighting(lattice), listed(("AB88", "IL")))

    assert match.doubts == (Doubt.LOOK_ALIKE,)


def test_an_unlikely_text_does_not_match() -> None:
    lattice = Lattice("AB8", ((("A", 1.0),), (("B", 1.0),), (("8", 0.96), ("3", 0.04))))

    assert found(sighting(lattice), listed(("AB3", "IL"))) == ()


def test_the_best_text_matches_however_unsure_the_reader_was() -> None:
    lattice = Lattice("ABCDEFG", tuple(((char, 0.5),) for char in "ABCDEFG"))

    (match,) = found(sighting(lattice), listed(("ABCDEFG", "IL")))

    assert match.probability < 0.01


@pytest.mark.parametrize("source", [Source.NCIC, Source.LEADS])
def test_a_zero_of_an_ncic_encoded_list_is_the_letter_o_read(source: Source) -> None:
    (match,) = found(sighting(certain("FORD1")), listed(("F0RD1", "IL"), source=source))

    assert match.doubts == ()
    assert match.entry.plate == "F0RD1"


def test_i_and_1_of_an_encoded_list_match_as_look_alikes() -> None:
    (match,) = found(sighting(certain("ABI23")), listed(("AB123", "IL"), source=Source.LEADS))

    assert match.doubts == (Doubt.LOOK_ALIKE,)


def test_a_list_that_is_not_encoded_means_its_zero() -> None:
    assert found(sighting(certain("FORD1")), listed(("F0RD1", "IL"))) == ()


def test_o_or_0_of_a_list_that_is_not_encoded_counts_by_the_lattice() -> None:
    lattice = Lattice("AO", ((("A", 1.0),), (("O", 0.6), ("0", 0.4))))

    (match,) = found(sighting(lattice, (("IL", 1.0),)), listed(("A0", "IL")))

    assert match.probability == pytest.approx(0.4)
    assert match.doubts == (Doubt.LOOK_ALIKE,)


def test_a_plate_of_another_state_does_not_match() -> None:
    assert found(sighting(certain("AB12345")), listed(("AB12345", "TX"))) == ()


def test_a_state_that_is_the_second_choice_matches_with_a_warning() -> None:
    (match,) = found(sighting(certain("AB12345"), (("IL", 0.8), ("WI", 0.2))), listed(("AB12345", "WI")))

    assert match.doubts == (Doubt.STATE_MISMATCH,)
    assert match.probability < 0.25


@pytest.mark.parametrize(("states", "state"), [((), "IL"), (IL, "")])
def test_an_unknown_state_on_either_side_is_kept_with_its_warning_and_a_prior(
    states: tuple[tuple[str, float], ...], state: str
) -> None:
    (match,) = found(sighting(certain("AB12345"), states), listed(("AB12345", state)))

    assert match.doubts == (Doubt.STATE_UNKNOWN,)
    assert 0.4 < match.probability < 0.6


def test_nebraska_has_two_codes() -> None:
    (match,) = found(sighting(certain("AB12345"), (("NE", 0.9),)), listed(("AB12345", "NB")))

    assert match.doubts == ()


@pytest.mark.parametrize(
    ("source", "days"), [(Source.NCIC, 1), (Source.LEADS, 1), (Source.SOS, 7), (Source.AGENCY, 30)]
)
def test_a_list_older_than_its_sources_update_period_is_a_doubt(source: Source, days: int) -> None:
    seen = sighting(certain("AB12345"))
    at_limit = listed(("AB12345", "IL"), source=source, uploaded=NOW - timedelta(days=days))
    past = listed(("AB12345", "IL"), source=source, uploaded=NOW - timedelta(days=days, seconds=1))

    assert found(seen, at_limit)[0].doubts == ()
    assert found(seen, past)[0].doubts == (Doubt.OLD_LIST,)


def test_a_read_of_more_than_15_minutes_ago_is_a_hit_that_is_not_live() -> None:
    one = listed(("AB12345", "IL"))

    live = found(sighting(certain("AB12345"), age=timedelta(minutes=15)), one)
    late = found(sighting(certain("AB12345"), age=timedelta(minutes=15, seconds=1)), one)

    assert live[0].doubts == ()
    assert late[0].doubts == (Doubt.LATE_CAPTURE,)


def test_a_read_without_lattice_matches_by_its_text() -> None:
    (match,) = found(sighting(Lattice("AB12345")), listed(("AB12345", "IL")))

    assert 0.5 < match.probability < 0.95


POSITIONS = st.lists(
    st.lists(
        st.tuples(st.sampled_from("ABO01I8"), st.floats(0.001, 1)),
        min_size=1,
        max_size=4,
        unique_by=lambda p: p[0],
    ),
    min_size=1,
    max_size=5,
).map(
    lambda rows: tuple(
        tuple(sorted(((c, p / max(1.0, sum(q for _, q in row))) for c, p in row), key=lambda x: -x[1]))
        for row in rows
    )
)


@given(POSITIONS, st.floats(0.01, 0.9))
def test_likely_texts_are_exactly_those_whose_probability_is_high_enough(
    positions: tuple[tuple[tuple[str, float], ...], ...], minimum: float
) -> None:
    lattice = Lattice("".join(position[0][0] for position in positions), positions)

    likely = list(lattice.likely(minimum))

    texts = {"".join(chars) for chars in itertools.product(*([c for c, _ in p] for p in positions))}
    clear = {text for text in texts if lattice.probability(text) >= minimum * 1.000001}
    near = {text for text in texts if lattice.probability(text) >= minimum * 0.999999} | {lattice.best}
    assert len(likely) == len(set(likely))
    assert clear <= set(likely) <= near


@given(POSITIONS)
def test_folding_never_lowers_the_probability_of_a_text(
    positions: tuple[tuple[tuple[str, float], ...], ...],
) -> None:
    lattice = Lattice("".join(position[0][0] for position in positions), positions)
    folded = lattice.folded()

    for text in lattice.likely(0.01):
        folded_text = text.translate(str.maketrans("OI", "01"))
        assert folded.probability(folded_text) >= lattice.probability(text) * 0.999999
