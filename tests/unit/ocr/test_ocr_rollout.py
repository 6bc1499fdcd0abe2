"""Which sensors a version reads, and how a roll-out goes forward and back."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.ocr.core.rollout import RollOut, RollOutError, activated, rolled_back

SENSORS = [f"i90-mile{n}" for n in range(4000)]
SHARES = st.floats(0.001, 0.999)


def taken(state: RollOut, version: str) -> set[str]:
    return {sensor for sensor in SENSORS if state.version_of(sensor) == version}


@pytest.mark.clause("III.B.2.b")
@pytest.mark.parametrize("share", [0.01, 0.1, 0.5, 0.9])
def test_trial_takes_its_share_of_the_sensors(share: float) -> None:
    state = activated(RollOut("plates-1"), "plates-2", share)

    assert len(taken(state, "plates-2")) / len(SENSORS) == pytest.approx(share, abs=0.025)
    assert state.share_of("plates-2") == share
    assert state.share_of("plates-1") == pytest.approx(1 - share)


def test_sensors_of_a_trial_keep_it_while_its_share_grows() -> None:
    few = activated(RollOut("plates-1"), "plates-2", 0.1)

    more = activated(few, "plates-2", 0.4)

    assert taken(few, "plates-2") < taken(more, "plates-2")


def test_another_version_is_tried_on_other_sensors() -> None:
    one = activated(RollOut("plates-1"), "plates-2", 0.1)
    other = activated(RollOut("plates-1"), "plates-3", 0.1)

    assert len(taken(one, "plates-2") & taken(other, "plates-3")) < len(taken(one, "plates-2")) / 2


@pytest.mark.clause("III.B.2.b")
def test_version_for_all_returns_to_the_one_before_however_many_steps_it_took() -> None:
    state = RollOut("plates-1")
    for share in (0.1, 0.5, 1.0):
        state = activated(state, "plates-2", share)

    assert state == RollOut("plates-2", earlier=("plates-1",))
    assert rolled_back(state) == RollOut("plates-1")


@given(SHARES)
@settings(deadline=None)
def test_roll_back_of_a_trial_leaves_the_steady_version(share: float) -> None:
    state = RollOut("plates-2", earlier=("plates-1",))

    assert rolled_back(activated(state, "plates-3", share)) == state
    assert activated(activated(state, "plates-3", share), "plates-3", 0) == state


def test_roll_backs_go_back_one_version_each() -> None:
    state = activated(activated(RollOut("plates-1"), "plates-2", 1), "plates-3", 1)

    assert [rolled_back(state).steady, rolled_back(rolled_back(state)).steady] == ["plates-2", "plates-1"]


def test_trial_that_becomes_steady_for_all_leaves_no_trial() -> None:
    state = activated(RollOut("plates-1"), "plates-2", 0.3)

    assert activated(state, "plates-1", 1) == RollOut("plates-1")


@pytest.mark.parametrize(("version", "share"), [("plates-1", 0.5), ("plates-2", 0.0)])
def test_change_that_makes_no_sense_is_refused(version: str, share: float) -> None:
    with pytest.raises(RollOutError):
        activated(RollOut("plates-1"), version, share)


def test_nothing_is_before_the_first_version() -> None:
    with pytest.raises(RollOutError, match="no version before"):
        rolled_back(RollOut("plates-1"))
