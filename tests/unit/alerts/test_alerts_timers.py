"""What waits for an answer, and for how long; without a database."""

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.alerts.core.model import (
    Alert,
    Disposition,
    Due,
    EscalationKind,
    Severity,
    Verification,
    Withdrawn,
    WithdrawReason,
)
from services.alerts.core.timers import (
    Deadlines,
    Periods,
    acknowledge_by,
    kinds_for,
    verify_by,
    waits_for,
)
from tests.support.alerts_kit import NOON, hit_of

ACKNOWLEDGED, VERIFIED = EscalationKind.NOT_ACKNOWLEDGED, EscalationKind.NOT_VERIFIED
DUE = Due(NOON + timedelta(minutes=2), NOON + timedelta(minutes=10))
DENIALS = [
    Verification.NOT_CONFIRMED,
    Verification.MISREAD,
    Verification.WRONG_STATE,
    Verification.STALE,
]


def alert(**changes: object) -> Alert:
    hit = hit_of()
    raised = Alert(
        alert_id=UUID(int=1),
        raise_time=NOON,
        sighting=hit.sighting,
        matches=hit.matches,
        acknowledged=False,
        verification=Verification.NEW,
        disposition=Disposition.NONE,
        due=DUE,
    )
    return replace(raised, **changes)


def withdrawn() -> Alert:
    listed = alert()
    gone = Withdrawn(NOON, WithdrawReason.CANCELLED)
    return replace(listed, matches=tuple(replace(one, withdrawn=gone) for one in listed.matches))


@pytest.mark.clause("III.D.4", "IV.D.4")
def test_an_urgent_alert_has_ten_minutes_and_any_other_an_hour() -> None:
    periods = Periods()

    assert periods.of(VERIFIED, Severity.URGENT) == timedelta(minutes=10)
    assert periods.of(VERIFIED, Severity.HIGH) == timedelta(hours=1)
    assert periods.of(VERIFIED, Severity.NOTICE) == timedelta(hours=1)
    assert periods.of(ACKNOWLEDGED, Severity.HIGH) == periods.of(ACKNOWLEDGED, Severity.URGENT)


def test_what_makes_no_sound_sets_no_timer() -> None:
    assert kinds_for(Severity.NOTICE) == ()
    assert kinds_for(Severity.HIGH) == kinds_for(Severity.URGENT) == (ACKNOWLEDGED, VERIFIED)


@pytest.mark.clause("III.D.4", "IV.D.3")
def test_a_new_alert_waits_for_both() -> None:
    assert (acknowledge_by(alert()), verify_by(alert())) == (DUE.acknowledge_by, DUE.verify_by)


@pytest.mark.clause("IV.D.3")
def test_the_centres_own_hand_ends_the_wait_for_it_and_nobody_elses_does() -> None:
    assert waits_for(alert(acknowledged=True), ACKNOWLEDGED)
    seen = alert(due=replace(DUE, centre_has_seen=True))

    assert not waits_for(seen, ACKNOWLEDGED)
    assert waits_for(seen, VERIFIED)


@pytest.mark.clause("III.D.4")
def test_somebody_who_asks_has_not_verified_yet_and_a_confirmation_still_wants_the_centre() -> None:
    assert waits_for(alert(verification=Verification.VERIFYING), VERIFIED)
    confirmed = alert(verification=Verification.CONFIRMED)

    assert not waits_for(confirmed, VERIFIED)
    assert waits_for(confirmed, ACKNOWLEDGED)


@pytest.mark.parametrize("kind", list(EscalationKind))
@pytest.mark.parametrize("denial", DENIALS)
def test_nothing_waits_for_an_alert_that_was_denied(kind: EscalationKind, denial: Verification) -> None:
    assert not waits_for(alert(verification=denial), kind)


@pytest.mark.parametrize("kind", list(EscalationKind))
def test_nothing_waits_for_an_alert_that_is_closed_or_withdrawn(kind: EscalationKind) -> None:
    assert not waits_for(alert(disposition=Disposition.NO_ACTION), kind)
    assert not waits_for(withdrawn(), kind)


def test_a_deadline_is_over_when_its_seconds_have_passed_and_not_before() -> None:
    deadlines = Deadlines()
    deadlines.learn({1: 5.0, 2: 1.0, 3: -7.0}, now=100.0)

    assert deadlines.due(100.0, 10) == (3,)
    assert deadlines.due(104.9, 10) == (3, 2)
    assert deadlines.due(105.0, 10) == (3, 2, 1)
    assert deadlines.due(105.0, 2) == (3, 2)


def test_a_known_deadline_stays_whatever_a_clock_says_later() -> None:
    deadlines = Deadlines()
    deadlines.learn({1: 60.0}, now=0.0)

    # The clock of the database jumped an hour ahead, then two hours back.
    deadlines.learn({1: -3540.0}, now=1.0)
    ahead = deadlines.due(59.9, 10)
    deadlines.learn({1: 7260.0}, now=59.95)

    assert ahead == ()
    assert deadlines.due(60.0, 10) == (1,)


def test_what_is_over_stays_over_until_it_is_dropped() -> None:
    deadlines = Deadlines()
    deadlines.learn({1: 0.0, 2: 0.0}, now=0.0)

    assert deadlines.due(1.0, 10) == deadlines.due(1.0, 10) == (1, 2)
    deadlines.drop([1])
    assert deadlines.due(1.0, 10) == (2,)


@given(
    left=st.dictionaries(st.integers(1, 50), st.floats(-10, 10), max_size=20),
    kept=st.sets(st.integers(1, 50)),
    now=st.floats(0, 30),
)
def test_due_is_just_what_is_over_and_kept_first_ended_first(
    left: dict[int, float], kept: set[int], now: float
) -> None:
    deadlines = Deadlines()
    deadlines.learn(left, now=0.0)
    deadlines.keep(kept)

    over = sorted((max(end, 0.0), timer) for timer, end in left.items() if timer in kept and end <= now)
    assert deadlines.due(now, 100) == tuple(timer for _, timer in over)
    assert len(deadlines) == len(left.keys() & kept)
