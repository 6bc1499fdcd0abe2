"""The pure rules: severity, floor, view, verification, passage."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alpr.alerts.v1 import alert_service_pb2
from alpr.type.v1 import hit_pb2, notice_pb2
from services.alerts.core.floor import FLOOR, is_wanted, wanted_categories
from services.alerts.core.model import (
    Alert,
    Category,
    Disposition,
    Entry,
    EntryKey,
    HitWarning,
    Match,
    MatchGrade,
    MatchLabel,
    Place,
    Severity,
    Sighting,
    StepKind,
    StepRequest,
    Vehicle,
    Verification,
)
from services.alerts.core.passage import Passage, Placing, passage_for
from services.alerts.core.severity import loudest, most_severe_first, severity_of, with_lateness
from services.alerts.core.verification import DECIDED, ENFORCEMENT, Progress, Refusal, refusal_of
from services.alerts.core.view import visible_to

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
OWN, OTHER, THIRD = "IL0160000", "IL0160001", "IL0160002"
WINDOW = timedelta(minutes=5)

categories = st.sampled_from(list(Category))


def match_of(category: Category, *, agency: str = OWN, probability: float = 1.0, number: int = 1) -> Match:
    entry = Entry(
        key=EntryKey(UUID(int=number), 1),
        hot_list_id=UUID(int=9),
        hot_list_name="LEADS hot file",
        list_agency_ori=agency,
        list_activated_at=NOON,
        source=2,
        category=category,
        plate="AB12345",
        state="IL",
        record_number="L1",
        vehicle=Vehicle(),
    )
    return Match(entry, probability, ())


def alert_of(*matches: Match, sensor_agency: str = OWN) -> Alert:
    sighting = Sighting(
        read_id=uuid4(),
        plate="AB12345",
        state="IL",
        capture_time=NOON,
        receive_time=NOON,
        place=Place(41.9, -87.6, ""),
        sensor_id="cam-1",
        sensor_agency_ori=sensor_agency,
        sensor_group="north",
        model_version="m@1",
        crop_key="",
        overview_key="",
    )
    return Alert(uuid4(), NOON, sighting, matches, False, Verification.NEW, Disposition.NONE)


@pytest.mark.parametrize(
    ("own", "contract", "prefix"),
    [
        (Category, hit_pb2.HotListCategory, "HOT_LIST_CATEGORY_"),
        (HitWarning, hit_pb2.HitWarning, "HIT_WARNING_"),
        (MatchLabel, hit_pb2.MatchLabel, "MATCH_LABEL_"),
        (MatchGrade, hit_pb2.MatchGrade, "MATCH_GRADE_"),
        (Severity, alert_service_pb2.Severity, "SEVERITY_"),
        (Verification, notice_pb2.VerificationState, "VERIFICATION_STATE_"),
        (Disposition, alert_service_pb2.Disposition, "DISPOSITION_"),
    ],
)
def test_the_service_has_a_word_for_every_value_of_the_contract(own, contract, prefix) -> None:
    named = {name.removeprefix(prefix): number for name, number in contract.items() if number}

    assert {value.name: int(value) for value in own if value} == named


@pytest.mark.clause("II.A", "IV.D.2")
def test_everything_in_the_floor_is_urgent_and_persons_are_high() -> None:
    assert {c for c in Category if severity_of(c) == Severity.URGENT} == FLOOR
    assert {c for c in Category if severity_of(c) == Severity.HIGH} == {Category.WANTED, Category.MISSING}


@given(st.lists(st.tuples(categories, st.floats(0, 1)), min_size=1))
def test_the_loudest_entry_stands_first_and_none_is_lost(found) -> None:
    matches = [match_of(c, probability=p, number=n) for n, (c, p) in enumerate(found)]

    ordered = most_severe_first(matches)

    assert sorted(map(id, ordered)) == sorted(map(id, matches))
    assert severity_of(ordered[0].entry.category) == loudest(matches)
    severities = [severity_of(m.entry.category) for m in ordered]
    assert severities == sorted(severities, reverse=True)


@pytest.mark.clause("III.B.3.o")
def test_a_match_for_a_check_only_never_sounds_and_comes_after_what_does() -> None:
    check = replace(match_of(Category.AMBER, number=1), grade=MatchGrade.CHECK)
    sound = match_of(Category.WANTED, number=2)

    assert loudest([check]) == Severity.NOTICE
    assert loudest([check, sound]) == Severity.HIGH
    assert most_severe_first([check, sound]) == (sound, check)


@pytest.mark.clause("IV.D.2")
@given(st.frozensets(categories), st.lists(categories, min_size=1))
def test_no_filter_takes_away_felony_stolen_amber_or_silver(chosen, found) -> None:
    wanted = is_wanted(frozenset(found), wanted_categories(chosen))

    assert wanted or not FLOOR.intersection(found)
    assert wanted == (not chosen or bool(set(found) & (chosen | FLOOR)))


def test_a_capture_is_late_after_fifteen_minutes() -> None:
    assert with_lateness((), NOON, NOON + timedelta(minutes=15)) == ()
    assert with_lateness((HitWarning.LATE_CAPTURE,), NOON, NOON + timedelta(minutes=16)) == (
        HitWarning.LATE_CAPTURE,
    )
    assert with_lateness((HitWarning.OLD_LIST,), NOON, NOON + timedelta(minutes=16)) == (
        HitWarning.OLD_LIST,
        HitWarning.LATE_CAPTURE,
    )


def test_a_list_agency_sees_its_own_entries_and_the_sensor_agency_all() -> None:
    alert = alert_of(match_of(Category.AMBER, agency=OTHER), match_of(Category.OTHER, agency=OWN, number=2))

    assert visible_to(alert, OWN) == alert
    theirs = visible_to(alert, OTHER)
    assert theirs is not None
    assert [m.entry.list_agency_ori for m in theirs.matches] == [OTHER]
    assert visible_to(alert, THIRD) is None
    assert alert.agencies == {OWN, OTHER}


def step_of(
    kind: StepKind,
    state: Verification | None = None,
    disposition: Disposition = Disposition.NONE,
    answer: str = "LEADS",
) -> StepRequest:
    return StepRequest(uuid4(), uuid4(), kind, state, disposition, answer, answer)


def progress_of(state: Verification, *, enforced: bool = False) -> Progress:
    return Progress(state, Disposition.NONE, enforced, 2 if state == Verification.CONFIRMED else None)


@pytest.mark.clause("III.D.4", "IV.D.4")
@pytest.mark.parametrize(("before", "after"), list(product(Verification, Verification)))
def test_a_decision_follows_verifying_and_nothing_else(before: Verification, after: Verification) -> None:
    refusal = refusal_of(progress_of(before), step_of(StepKind.VERIFY, after))

    if before == Verification.VERIFYING:
        assert (refusal is None) == (after in DECIDED)
    else:
        assert (refusal is None) == (after == Verification.VERIFYING)


@pytest.mark.clause("III.D.4")
@pytest.mark.parametrize("state", sorted(DECIDED))
def test_every_decision_but_misread_names_who_answered(state: Verification) -> None:
    refusal = refusal_of(progress_of(Verification.VERIFYING), step_of(StepKind.VERIFY, state, answer=""))

    assert refusal == (None if state == Verification.MISREAD else Refusal.ANSWER_MISSING)


@pytest.mark.clause("III.D.4", "IV.D.4")
@pytest.mark.parametrize(("state", "disposition"), list(product(Verification, ENFORCEMENT)))
def test_enforcement_needs_a_confirmation(state: Verification, disposition: Disposition) -> None:
    refusal = refusal_of(progress_of(state), step_of(StepKind.DISPOSE, disposition=disposition))

    assert refusal == (None if state == Verification.CONFIRMED else Refusal.NOT_CONFIRMED)


def test_what_is_confirmed_was_no_false_alarm() -> None:
    step = step_of(StepKind.DISPOSE, disposition=Disposition.FALSE_ALARM)

    assert refusal_of(progress_of(Verification.CONFIRMED), step) == Refusal.WRONG_STATE
    assert refusal_of(progress_of(Verification.NEW), step) is None


def test_verification_is_closed_by_an_enforcement() -> None:
    step = step_of(StepKind.VERIFY, Verification.VERIFYING)

    assert refusal_of(progress_of(Verification.CONFIRMED, enforced=True), step) == Refusal.WRONG_STATE


@pytest.mark.parametrize("state", list(Verification))
def test_an_alert_may_be_acknowledged_in_any_state(state: Verification) -> None:
    assert refusal_of(progress_of(state), step_of(StepKind.ACKNOWLEDGE)) is None


KNOWN, UNKNOWN = EntryKey(UUID(int=1), 1), EntryKey(UUID(int=2), 1)


def passage(state: Verification = Verification.NEW, disposition: Disposition = Disposition.NONE) -> Passage:
    return Passage(uuid4(), "AB12345", OWN, NOON, NOON, state, disposition, frozenset({KNOWN}))


def placing(
    minutes: float = 1, *, entry: EntryKey = KNOWN, plate: str = "AB12345", agency: str = OWN
) -> Placing:
    return Placing(plate, agency, NOON + timedelta(minutes=minutes), frozenset({entry}))


def test_a_hit_joins_the_passage_of_its_plate_and_agency_within_the_window() -> None:
    here = passage()

    assert passage_for(placing(5), [here], WINDOW) == here
    assert passage_for(placing(-5), [here], WINDOW) == here
    assert passage_for(placing(5.01), [here], WINDOW) is None
    assert passage_for(placing(plate="AB12346"), [here], WINDOW) is None
    assert passage_for(placing(agency=OTHER), [here], WINDOW) is None


def test_the_window_moves_with_the_vehicle() -> None:
    here = passage().extended(NOON + timedelta(minutes=4), {KNOWN})

    assert passage_for(placing(8), [here], WINDOW) == here


@pytest.mark.clause("III.D.4")
@pytest.mark.parametrize("state", list(Verification))
def test_a_confirmation_never_spreads_to_an_entry_that_nobody_has_seen(state: Verification) -> None:
    joined = passage_for(placing(entry=UNKNOWN), [passage(state)], WINDOW)

    assert (joined is not None) == (state == Verification.NEW)


def test_after_a_denial_or_a_disposition_a_hit_raises_its_own_alert() -> None:
    denied = DECIDED - {Verification.CONFIRMED}

    assert all(passage_for(placing(), [passage(state)], WINDOW) is None for state in denied)
    assert passage_for(placing(), [passage(disposition=Disposition.NO_ACTION)], WINDOW) is None
    assert passage_for(placing(), [passage(Verification.CONFIRMED)], WINDOW) is not None


def test_of_two_passages_the_newer_goes_on() -> None:
    older, newer = passage(), replace(passage(), last_capture=NOON + timedelta(seconds=9))

    assert passage_for(placing(), [newer, older], WINDOW) == newer
