"""Which patrol assets are proposed, and what they are told; without a database."""

from dataclasses import replace
from datetime import timedelta
from uuid import UUID, uuid5

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.alerts.core.area import Point, meters_between
from services.alerts.core.dispatch import (
    FRESH,
    Asset,
    DeliveryKind,
    Position,
    Wish,
    candidates,
    kind_after,
    may_be_told,
)
from services.alerts.core.model import Alert, Disposition, Due, StepKind, StepRequest, Verification
from tests.support.alerts_kit import NOON, OWN, hit_of

LATITUDES, LONGITUDES = st.floats(-90, 90), st.floats(-180, 180)
ALERT = Alert(
    alert_id=UUID(int=1),
    raise_time=NOON,
    sighting=hit_of().sighting,
    matches=hit_of().matches,
    acknowledged=False,
    verification=Verification.NEW,
    disposition=Disposition.NONE,
    due=Due(),
)


def car(name: str, north_metres: float | None = None, unit: str = "D1", **changes: object) -> Asset:
    """A crewed car so far north of the alert, or nobody knows where."""
    position = None
    if north_metres is not None:
        position = Position(41.88 + north_metres / 111_195, -87.63, NOON)
    made = Asset(uuid5(UUID(int=7), name), OWN, unit, name, ("somebody",), position)
    return replace(made, **changes)


def proposed(*cars: Asset, wish: Wish | None = None) -> list[str]:
    found = candidates(ALERT, cars, NOON, wish or Wish())
    return [one.asset.call_sign for one in found if one.proposed]


@pytest.mark.parametrize(
    ("there", "metres"),
    [
        # Chicago to Springfield (Illinois), and half round the earth: great circles of a sphere.
        (Point(39.7817, -89.6501), 288_000),
        (Point(-41.88, 92.37), 20_015_000),
        (Point(41.88, -87.63), 0),
    ],
)
def test_distances_are_those_of_a_sphere(there: Point, metres: float) -> None:
    assert meters_between(Point(41.88, -87.63), there) == pytest.approx(metres, rel=0.005, abs=0.001)


@given(LATITUDES, LONGITUDES, LATITUDES, LONGITUDES)
def test_a_distance_is_the_same_both_ways_and_at_most_half_round(
    a: float, b: float, c: float, d: float
) -> None:
    there = meters_between(Point(a, b), Point(c, d))

    assert 0 <= there <= 20_015_200
    assert there == pytest.approx(meters_between(Point(c, d), Point(a, b)), rel=1e-6, abs=0.01)


def test_the_date_line_is_no_distance() -> None:
    assert meters_between(Point(10.0, 179.999), Point(10.0, -179.999)) < 250


@pytest.mark.clause("IV.D.3")
def test_the_nearest_within_the_radius_are_proposed_and_all_are_listed_nearest_first() -> None:
    cars = [car("far", 40_000), car("near", 500), car("lost"), car("mid", 9000)]
    found = candidates(ALERT, cars, NOON, Wish())

    assert [one.asset.call_sign for one in found] == ["near", "mid", "far", "lost"]
    assert proposed(*cars) == ["near", "mid"]
    assert proposed(*cars, wish=Wish(most=1)) == ["near"]
    assert proposed(*cars, wish=Wish(radius_metres=100_000)) == ["near", "mid", "far"]


@pytest.mark.clause("IV.D.3")
def test_only_cars_of_the_units_wished_for_are_proposed() -> None:
    cars = [car("own", 5000), car("theirs", 100, unit="D2")]

    assert proposed(*cars, wish=Wish(units=frozenset({"D1"}))) == ["own"]
    assert proposed(*cars, wish=Wish(units=frozenset({"D9"}))) == []


@pytest.mark.clause("IV.D.3")
def test_somebody_is_proposed_whenever_somebody_is_aboard_of_anything() -> None:
    assert proposed(car("beyond", 90_000), car("lost")) == ["beyond"]
    assert proposed(car("lost"), car("near", 100)) == ["near"]
    assert proposed(car("lost"), car("lost too")) == ["lost", "lost too"]


def test_a_car_without_a_crew_is_not_listed() -> None:
    assert candidates(ALERT, [car("empty", 100, crew=())], NOON, Wish()) == ()


def test_a_position_counts_for_a_quarter_of_an_hour() -> None:
    def at(age: timedelta) -> float | None:
        position = Position(41.88, -87.63, NOON - age)
        (found,) = candidates(ALERT, [car("car", position=position)], NOON, Wish())
        return found.distance_metres

    assert at(FRESH) == 0
    assert at(FRESH + timedelta(seconds=1)) is None


@pytest.mark.parametrize("state", list(Verification))
def test_cars_are_sent_after_an_alert_until_somebody_denies_it(state: Verification) -> None:
    open_states = {Verification.NEW, Verification.VERIFYING, Verification.CONFIRMED}

    assert may_be_told(replace(ALERT, verification=state)) == (state in open_states)
    assert not may_be_told(replace(ALERT, verification=state, disposition=Disposition.STOPPED))


@pytest.mark.parametrize(
    ("kind", "state", "told"),
    [
        (StepKind.ACKNOWLEDGE, None, None),
        (StepKind.VERIFY, Verification.VERIFYING, DeliveryKind.VERIFYING),
        (StepKind.VERIFY, Verification.CONFIRMED, DeliveryKind.CONFIRMED),
        (StepKind.VERIFY, Verification.NOT_CONFIRMED, DeliveryKind.NOT_CONFIRMED),
        (StepKind.VERIFY, Verification.MISREAD, DeliveryKind.NOT_CONFIRMED),
        (StepKind.VERIFY, Verification.WRONG_STATE, DeliveryKind.NOT_CONFIRMED),
        (StepKind.VERIFY, Verification.STALE, DeliveryKind.NOT_CONFIRMED),
        (StepKind.DISPOSE, None, DeliveryKind.CLOSED),
    ],
)
def test_each_step_tells_its_own(
    kind: StepKind, state: Verification | None, told: DeliveryKind | None
) -> None:
    assert kind_after(StepRequest(UUID(int=1), UUID(int=2), kind, verification=state)) == told
