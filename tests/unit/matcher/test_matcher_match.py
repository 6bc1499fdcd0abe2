"""What a read matches, how likely, and what is said of it."""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from services.matcher.core.doubts import Doubt
from services.matcher.core.entry import Category, Entry, ListRow, Source, Vehicle, entry_id
from services.matcher.core.index import ActiveList, Index, ListHeader, ListIndexBuilder
from services.matcher.core.match import Grade, Label, Match, find_all, find_matches
from services.matcher.core.settings import MatchSettings
from services.matcher.core.sighting import Lattice, SeenVehicle, Sighting

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
SETTINGS = MatchSettings()
IL = (("IL", 0.97),)
CA = (("CA", 0.97),)


def header(source: Source = Source.AGENCY, *, uploaded: datetime = NOW, number: int = 1) -> ListHeader:
    return ListHeader(uuid.UUID(int=number), f"list {number}", "IL0160000", source, 3, uploaded, uploaded)


def entry(plate: str, state: str, *, number: int = 1, vehicle: Vehicle | None = None) -> Entry:
    row = ListRow(plate, state, Category.WANTED, "W1", "", vehicle or Vehicle(make="DODG"))
    made = entry_id(uuid.UUID(int=number), row)
    return Entry(made, plate, state, row.category, row.record_number, row.vehicle)


def of_entries(
    *entries: Entry, source: Source = Source.AGENCY, uploaded: datetime = NOW, number: int = 1
) -> ActiveList:
    builder = ListIndexBuilder()
    builder.add(entries)
    return ActiveList(header(source, uploaded=uploaded, number=number), builder.build())


def listed(
    *plates: tuple[str, str], source: Source = Source.AGENCY, uploaded: datetime = NOW, number: int = 1
) -> ActiveList:
    made = [entry(plate, state, number=number) for plate, state in plates]
    return of_entries(*made, source=source, uploaded=uploaded, number=number)


def certain(text: str) -> Lattice:
    return Lattice(text, tuple(((char, 0.9995),) for char in text), ((text, 0.99),))


def torn(text: str, place: int, *choices: tuple[str, float]) -> Lattice:
    """A reader that is sure of `text` but for one place."""
    positions = [((char, 0.9995),) for char in text]
    positions[place] = choices  # type: ignore[call-overload]
    return Lattice(text, tuple(positions))


def sighting(
    lattice: Lattice, states: tuple[tuple[str, float], ...] = IL, *, age: timedelta = timedelta(seconds=1)
) -> Sighting:
    return Sighting(lattice, states, NOW - age)


def found(seen: Sighting, *lists: ActiveList, settings: MatchSettings = SETTINGS) -> tuple[Match, ...]:
    return find_matches(seen, Index(1, NOW, lists), frozenset(range(len(lists))), NOW, settings)


@pytest.mark.clause("IV.C.1")
def test_a_read_of_a_listed_plate_and_state_matches_without_doubt_and_sounds() -> None:
    (match,) = found(sighting(certain("AB12345")), listed(("AB12345", "IL"), ("AB12346", "IL")))

    assert match.entry.plate == "AB12345"
    assert match.entry.vehicle == Vehicle(make="DODG")
    assert (match.label, match.grade, match.doubts) == (Label.EXACT, Grade.SOUND, ())
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


@pytest.mark.clause("II.D")
def test_a_read_is_compared_with_the_lists_it_may_be_compared_with_and_no_other() -> None:
    index = Index(1, NOW, (listed(("AB12345", "IL"), number=1), listed(("AB12345", "IL"), number=2)))
    seen = sighting(certain("AB12345"))

    allowed = [frozenset({0}), frozenset({1}), frozenset[int](), frozenset({0, 1})]

    every = find_all([seen] * 4, index, allowed, NOW, SETTINGS)

    assert [{match.header.hot_list_id.int for match in one} for one in every] == [{1}, {2}, set(), {1, 2}]


def test_a_second_choice_of_the_lattice_matches_with_its_probability_and_is_for_eyes_only() -> None:
    one = listed(("AB12347", "IL"))

    (likely,) = found(sighting(torn("AB12341", 6, ("1", 0.6), ("7", 0.4))), one)
    (unlikely,) = found(sighting(torn("AB12341", 6, ("1", 0.9), ("7", 0.1))), one)

    assert likely.label is unlikely.label is Label.LATTICE
    assert likely.doubts == unlikely.doubts == (Doubt.LOOK_ALIKE,)
    assert 0.02 < unlikely.probability < likely.probability < 0.5
    assert likely.grade is unlikely.grade is Grade.CHECK


def test_characters_that_look_alike_are_equivalent() -> None:
    (match,) = found(sighting(torn("AB1234B", 6, ("B", 0.5), ("8", 0.5))), listed(("AB12348", "IL")))

    assert match.label is Label.EQUIVALENT
    assert match.doubts == (Doubt.LOOK_ALIKE,)


def test_a_text_that_breaks_every_pattern_gives_way_to_one_that_is_issued() -> None:
    seen = sighting(torn("AB12B45", 4, ("B", 0.6), ("8", 0.4)))

    usual, broken = found(seen, listed(("AB12845", "IL"), ("AB12B45", "IL")))

    assert (usual.entry.plate, broken.entry.plate) == ("AB12845", "AB12B45")


def test_a_whole_candidate_of_another_length_matches() -> None:
    lattice = Lattice("AB8", candidates=(("AB8", 0.6), ("AB88", 0.3)))

    (match,) = found(sighting(lattice), listed(("AB88", "IL")))

    assert (match.label, match.grade) == (Label.LATTICE, Grade.CHECK)


@pytest.mark.parametrize(("read", "plate"), [("AB112345", "AB12345"), ("A12345", "AB12345")])
def test_a_character_that_the_reader_invented_or_dropped_is_made_good_where_no_plate_reads_so(
    read: str, plate: str
) -> None:
    one = listed((plate, "IL"))
    seen = sighting(certain(read), (("IL", 0.999),))
    bold = replace(SETTINGS, minimum=0.0005)

    assert [match.entry.plate for match in found(seen, one, settings=bold)] == [plate]
    assert found(seen, one, settings=replace(bold, slips=False)) == ()


def test_a_slip_is_not_looked_for_where_the_text_is_usual() -> None:
    assert found(sighting(certain("AB12345")), listed(("AB112345", "IL"), ("AB1235", "IL"))) == ()


def test_the_best_text_matches_however_unsure_the_reader_was_but_does_not_sound() -> None:
    lattice = Lattice("ABCDEFG", tuple(((char, 0.4), ("1", 0.3), ("7", 0.3)) for char in "ABCDEFG"))

    (match,) = found(sighting(lattice), listed(("ABCDEFG", "IL")))

    assert match.label is Label.EXACT
    assert match.probability < 0.5


@pytest.mark.parametrize("source", [Source.NCIC, Source.LEADS])
def test_a_zero_of_an_ncic_encoded_list_is_the_letter_o_read(source: Source) -> None:
    (match,) = found(sighting(certain("FORD12")), listed(("F0RD12", "IL"), source=source))

    assert (match.label, match.doubts) == (Label.EXACT, ())
    assert match.entry.plate == "F0RD12"


def test_o_and_0_of_a_read_both_speak_for_an_encoded_plate() -> None:
    seen = sighting(torn("AO1234", 1, ("O", 0.5), ("0", 0.5)))

    (encoded,) = found(seen, listed(("A01234", "IL"), source=Source.NCIC))
    (own,) = found(seen, listed(("A01234", "IL")))

    assert encoded.probability > own.probability


def test_a_list_that_is_not_encoded_means_its_zero() -> None:
    assert found(sighting(certain("FORD12")), listed(("F0RD12", "IL"))) == ()


def test_a_plate_with_an_o_comes_back_as_it_is_listed() -> None:
    (match,) = found(sighting(certain("OO0O123")), listed(("OO0O123", "IL")))

    assert match.entry.plate == "OO0O123"


def test_a_plate_of_another_state_does_not_match() -> None:
    assert found(sighting(certain("AB12345"), (("IL", 0.9999),)), listed(("AB12345", "TX"))) == ()


@pytest.mark.clause("III.B.3.o")
def test_a_plate_switched_between_states_is_shown_with_the_state_first_and_does_not_sound() -> None:
    seen = sighting(certain("AB12345"), (("IL", 0.8), ("WI", 0.2)))

    (match,) = found(seen, listed(("AB12345", "WI")))

    assert match.doubts == (Doubt.STATE_MISMATCH,)
    assert match.grade is Grade.CHECK


def test_evidence_for_a_foreign_state_counts_for_more_than_for_the_home_state() -> None:
    seen = sighting(torn("ABC1231", 6, ("1", 0.7), ("7", 0.3)), (("TX", 0.5), ("IL", 0.5)))

    texan, own = found(seen, listed(("ABC1237", "TX"), ("ABC1237", "IL")))

    assert (texan.entry.state, own.entry.state) == ("TX", "IL")


@pytest.mark.parametrize(("states", "state"), [((), "IL"), (IL, "")])
def test_an_unknown_state_on_either_side_is_kept_with_its_warning(
    states: tuple[tuple[str, float], ...], state: str
) -> None:
    (match,) = found(sighting(certain("AB12345"), states), listed(("AB12345", state)))

    assert match.doubts == (Doubt.STATE_UNKNOWN,)
    assert 0.05 < match.probability < 0.99


def test_a_read_without_a_state_is_rather_of_the_home_state() -> None:
    home, other = found(sighting(certain("AB12345"), ()), listed(("AB12345", "WI"), ("AB12345", "IL")))

    assert (home.entry.state, other.entry.state) == ("IL", "WI")
    assert home.probability > 2 * other.probability


def test_nebraska_has_two_codes() -> None:
    seen = sighting(certain("ABC123"), (("NE", 0.99),))

    (as_ncic,) = found(seen, listed(("ABC123", "NB")))
    (as_people,) = found(seen, listed(("ABC123", "NE")))

    assert as_ncic.doubts == as_people.doubts == ()
    assert as_people.entry.state == "NE"


@pytest.mark.parametrize(
    ("source", "days"), [(Source.NCIC, 1), (Source.LEADS, 1), (Source.SOS, 7), (Source.AGENCY, 30)]
)
def test_a_list_older_than_its_sources_update_period_is_a_doubt(source: Source, days: int) -> None:
    seen = sighting(certain("AB12345"))
    at_limit = listed(("AB12345", "IL"), source=source, uploaded=NOW - timedelta(days=days))
    past = listed(("AB12345", "IL"), source=source, uploaded=NOW - timedelta(days=days, seconds=1))

    assert found(seen, at_limit)[0].doubts == ()
    assert found(seen, past)[0].doubts == (Doubt.OLD_LIST,)


def test_an_entry_of_more_than_a_year_ago_is_a_doubt() -> None:
    plain = entry("AB12345", "IL")
    seen = sighting(certain("AB12345"))

    young = found(seen, of_entries(replace(plain, entry_date=date(2025, 11, 23))))
    old = found(seen, of_entries(replace(plain, entry_date=date(2025, 11, 22))))

    assert young[0].doubts == ()
    assert old[0].doubts == (Doubt.OLD_ENTRY,)
    assert old[0].entry.entry_date == date(2025, 11, 22)


def test_a_read_of_more_than_15_minutes_ago_is_a_hit_that_is_not_live() -> None:
    one = listed(("AB12345", "IL"))

    live = found(sighting(certain("AB12345"), age=timedelta(minutes=15)), one)
    late = found(sighting(certain("AB12345"), age=timedelta(minutes=15, seconds=1)), one)

    assert live[0].doubts == ()
    assert late[0].doubts == (Doubt.LATE_CAPTURE,)


def test_an_entry_and_a_list_match_until_the_second_they_expire() -> None:
    seen = sighting(certain("AB12345"))
    plain, one = entry("AB12345", "IL"), listed(("AB12345", "IL"))
    later = NOW + timedelta(seconds=1)

    assert found(seen, of_entries(replace(plain, expires_at=later)))
    assert not found(seen, of_entries(replace(plain, expires_at=NOW)))
    assert found(seen, ActiveList(replace(one.header, expires_at=later), one.entries))
    assert not found(seen, ActiveList(replace(one.header, expires_at=NOW), one.entries))


def test_a_read_without_lattice_matches_by_its_text_and_by_what_its_characters_are_taken_for() -> None:
    exact, alike = found(sighting(Lattice("AB12345")), listed(("AB12345", "IL"), ("AB12B45", "IL")))[:1] + (
        found(sighting(Lattice("AB1Z345")), listed(("AB12345", "IL")))
    )

    assert exact.label is Label.EXACT
    assert alike.label is Label.EQUIVALENT
    assert alike.probability < exact.probability


def test_a_listed_plate_with_unknown_characters_matches_partially_and_never_sounds() -> None:
    one = listed(("AB?23?5", "IL"), ("AB?23", "IL"), ("XB?23?5", "IL"))

    (match,) = found(sighting(certain("AB12345")), one)

    assert (match.entry.plate, match.label, match.grade) == ("AB?23?5", Label.PARTIAL, Grade.CHECK)
    assert match.doubts == ()
    assert match.probability > 0.9


def test_a_seven_read_as_a_two_is_found_when_the_reader_says_that_it_may_be() -> None:
    (match,) = found(sighting(torn("AB12342", 6, ("2", 0.7), ("7", 0.3))), listed(("AB12347", "IL")))

    assert (match.label, match.grade) == (Label.LATTICE, Grade.CHECK)


@pytest.mark.clause("III.B.3.o")
def test_5sow350_read_for_a_listed_5sow750_on_another_make_is_for_eyes_only_with_the_make_first() -> None:
    """The stop of San Francisco, 2009: one digit misread, another make, and nobody looked."""
    wanted = of_entries(entry("5SOW750", "CA", vehicle=Vehicle(make="GMC", color="GRY")))
    seen = sighting(torn("5SOW350", 4, ("3", 0.5), ("7", 0.5)), CA)
    seen = replace(seen, vehicle=SeenVehicle(make="Lexus"))

    (match,) = found(seen, wanted)

    assert match.doubts == (Doubt.VEHICLE_MISMATCH, Doubt.LOOK_ALIKE)
    assert match.grade is Grade.CHECK
    assert not found(sighting(certain("5SOW350"), CA), wanted)


@pytest.mark.clause("III.B.3.o")
def test_a_listed_montana_motorcycle_does_not_sound_for_a_colorado_car_with_the_same_characters() -> None:
    """The stop of Aurora, 2020: the characters were right, state and kind of vehicle were not."""
    one = of_entries(replace(entry("ABC123", "MT"), plate_type="MC"))
    car, motorcycle = ((1, 0.95), (4, 0.02)), ((4, 0.95), (1, 0.03))
    torn_states = (("CO", 0.6), ("MT", 0.3))

    assert not found(replace(sighting(certain("ABC123"), (("CO", 0.999),)), plate_types=car), one)
    (seen,) = found(replace(sighting(certain("ABC123"), torn_states), plate_types=car), one)
    (right,) = found(replace(sighting(certain("ABC123"), (("MT", 0.97),)), plate_types=motorcycle), one)

    assert seen.doubts == (Doubt.STATE_MISMATCH, Doubt.PLATE_TYPE_MISMATCH)
    assert seen.grade is Grade.CHECK
    assert (right.doubts, right.grade) == ((), Grade.SOUND)


@pytest.mark.parametrize(
    ("seen", "listed_as", "doubted"),
    [
        (SeenVehicle(make="Toyota"), Vehicle(make="TOYT"), False),
        (SeenVehicle(make="Ford"), Vehicle(make="FORD", color="RED"), False),
        (SeenVehicle(make="Ford"), Vehicle(make="CHEV"), True),
        (SeenVehicle(color="white"), Vehicle(color="RED/BLK"), True),
        (SeenVehicle(color="silver"), Vehicle(color="GRY"), False),
        (SeenVehicle(), Vehicle(make="CHEV", color="RED"), False),
        (SeenVehicle(make="Ford", color="red"), Vehicle(), False),
    ],
)
def test_a_vehicle_of_another_make_or_colour_is_a_doubt(
    seen: SeenVehicle, listed_as: Vehicle, doubted: bool
) -> None:
    read = replace(sighting(certain("AB12345")), vehicle=seen)

    (match,) = found(read, of_entries(entry("AB12345", "IL", vehicle=listed_as)))

    assert (Doubt.VEHICLE_MISMATCH in match.doubts) is doubted
    assert match.grade is Grade.SOUND  # a stolen plate is on another vehicle
