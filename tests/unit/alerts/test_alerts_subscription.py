"""What a person hears of: filters, hours, areas, and the floor under all of them."""

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.alerts.core.area import NOWHERE, Circle, Point, Polygon, lies_in, meters_between
from services.alerts.core.floor import FLOOR
from services.alerts.core.hours import Hours
from services.alerts.core.model import (
    Alert,
    Category,
    Disposition,
    EntryKey,
    Facet,
    MatchGrade,
    Severity,
    Verification,
)
from services.alerts.core.subscription import Filter, Verdict, facet_of, judge, percent_of, widened
from services.alerts.core.view import visible_to
from tests.support.alerts_kit import NOON, OTHER, OWN, STRANGER, entry_of, hit_of

ALL_DAY = time(0), time(0)
EVERY_DAY = frozenset(range(1, 8))
CHICAGO = "America/Chicago"
HERE = Point(41.88, -87.63)
FAR = Circle(Point(-89.0, 10.0), 1.0)
TINY = Polygon((Point(0.0, 0.0), Point(0.0, 0.00001), Point(0.00001, 0.0)))
NIGHT = Hours(EVERY_DAY, time(22), time(6), CHICAGO)

# What somebody would choose who wanted to hear of nothing.
HOSTILE = {
    "certainty": Filter(min_percent=100),
    "nowhere": Filter(areas=(NOWHERE,)),
    "tiny polygon": Filter(areas=(TINY,)),
    "far circle": Filter(areas=(FAR,)),
    "another list": Filter(hot_list_ids=frozenset({UUID(int=99)})),
    "another agency": Filter(agency_oris=frozenset({STRANGER})),
    "another group": Filter(sensor_groups=frozenset({"none"})),
    "another sensor": Filter(sensor_ids=frozenset({"none"})),
    "another unit": Filter(units=frozenset({"none"})),
    "the least category": Filter(categories=frozenset({Category.OTHER})),
    "the loudest only": Filter(min_severity=Severity.URGENT),
    "no hour": Filter(hours=(Hours(frozenset(), *ALL_DAY, CHICAGO),)),
    "always quiet": Filter(quiet_hours=(Hours(EVERY_DAY, *ALL_DAY, CHICAGO),)),
}


def alert_of(*categories: Category, **changes: object) -> Alert:
    hit = hit_of(*(entry_of(one) for one in categories))
    matches = tuple(replace(match, probability=0.6) for match in hit.matches)
    alert = Alert(UUID(int=1), NOON, hit.sighting, matches, False, Verification.NEW, Disposition.NONE)
    return replace(alert, **changes)


REGISTRATION = Category.EXPIRED_REGISTRATION


@pytest.mark.clause("IV.D.2")
@pytest.mark.parametrize("name", sorted(HOSTILE))
@pytest.mark.parametrize("category", sorted(FLOOR))
def test_no_filter_keeps_the_floor_away_or_quiet(name: str, category: Category) -> None:
    alert = alert_of(REGISTRATION, category)
    for_a_check = replace(
        alert, matches=tuple(replace(match, grade=MatchGrade.CHECK) for match in alert.matches)
    )

    assert judge([HOSTILE[name]], alert, NOON) is Verdict.TOLD
    assert judge([HOSTILE[name]], for_a_check, NOON) is Verdict.TOLD
    assert judge(list(HOSTILE.values()), alert, NOON) is Verdict.TOLD


@pytest.mark.clause("IV.D.1")
@pytest.mark.parametrize("name", sorted(set(HOSTILE) - {"always quiet"}))
def test_what_is_not_of_the_floor_comes_only_when_it_was_chosen(name: str) -> None:
    assert judge([HOSTILE[name]], alert_of(REGISTRATION), NOON) is Verdict.WITHHELD


@pytest.mark.clause("IV.D.2")
@pytest.mark.parametrize("name", sorted(HOSTILE))
def test_the_person_is_told_what_of_the_filter_does_not_hold_for_the_floor(name: str) -> None:
    assert len(widened(HOSTILE[name])) == 1


def test_a_filter_that_takes_nothing_of_the_floor_away_is_not_widened() -> None:
    assert widened(Filter()) == ()
    assert widened(Filter(categories=FLOOR | {Category.WANTED})) == ()


def test_without_a_subscription_everything_is_told() -> None:
    assert judge([], alert_of(Category.OTHER), NOON) is Verdict.TOLD


def test_one_subscription_that_wants_an_alert_is_enough() -> None:
    wanted = Filter(categories=frozenset({REGISTRATION}))

    assert judge([Filter(areas=(NOWHERE,)), wanted], alert_of(REGISTRATION), NOON) is Verdict.TOLD


@pytest.mark.clause("IV.D.1")
@pytest.mark.parametrize(
    "wanted",
    [
        Filter(),
        Filter(categories=frozenset({REGISTRATION, Category.WANTED})),
        Filter(hot_list_ids=frozenset({UUID(int=7)})),
        Filter(agency_oris=frozenset({OWN})),
        Filter(sensor_groups=frozenset({"expressway-north"})),
        Filter(sensor_ids=frozenset({"cam-north-1"})),
        Filter(units=frozenset({"District 15", "District 3"})),
        Filter(areas=(FAR, Circle(HERE, 1.0))),
        Filter(min_percent=60),
        Filter(hours=(Hours(EVERY_DAY, time(6), time(8), CHICAGO),)),
    ],
    ids=lambda one: repr(one)[:40],
)
def test_what_was_chosen_comes(wanted: Filter) -> None:
    # Noon in UTC is seven in the morning in Chicago.
    assert judge([wanted], alert_of(REGISTRATION), NOON) is Verdict.TOLD


def test_all_that_a_filter_asks_must_hold_for_one_hit() -> None:
    both = alert_of(REGISTRATION, Category.WANTED)
    wanted = both.matches[1]
    far = replace(facet_of(both, wanted), latitude=0.0, longitude=0.0)
    near = facet_of(both, both.matches[0])
    alert = replace(both, facets=(near, far))

    here = Filter(areas=(Circle(HERE, 10.0),))
    assert judge([here], alert, NOON) is Verdict.TOLD
    assert judge([replace(here, categories=frozenset({Category.WANTED}))], alert, NOON) is Verdict.WITHHELD


def test_a_list_agencys_alert_is_chosen_by_either_agency() -> None:
    hit = hit_of(entry_of(REGISTRATION, agency=OTHER))
    alert = replace(alert_of(REGISTRATION), sighting=hit.sighting, matches=hit.matches)

    assert judge([Filter(agency_oris=frozenset({OTHER}))], alert, NOON) is Verdict.TOLD
    assert judge([Filter(agency_oris=frozenset({OWN}))], alert, NOON) is Verdict.TOLD


@pytest.mark.clause("IV.D.1")
def test_a_unit_is_chosen_by_the_hits_of_its_own_sensors_alone() -> None:
    alert = alert_of(REGISTRATION)
    of_none, of_theirs = (
        replace(facet_of(alert, alert.matches[0]), sensor_unit=one) for one in ("", "District 15")
    )
    chosen = Filter(units=frozenset({"District 15"}))

    assert judge([chosen], replace(alert, facets=(of_none,)), NOON) is Verdict.WITHHELD
    assert judge([chosen], replace(alert, facets=(of_none, of_theirs)), NOON) is Verdict.TOLD


@pytest.mark.clause("IV.D.1")
def test_a_unit_is_one_of_the_own_agency_though_another_agencys_is_called_the_same() -> None:
    hit = hit_of(entry_of(REGISTRATION, agency=OTHER))
    match = hit.matches[0]
    alert = replace(alert_of(REGISTRATION), sighting=hit.sighting, matches=hit.matches)
    alerts = alert, replace(alert, facets=(facet_of(alert, match),))
    chosen = Filter(units=frozenset({hit.sighting.sensor_unit}))

    for one in alerts:
        own, theirs = visible_to(one, OWN), visible_to(one, OTHER)
        assert own is not None
        assert theirs is not None
        assert judge([chosen], own, NOON) is Verdict.TOLD
        assert judge([chosen], theirs, NOON) is Verdict.WITHHELD
        assert judge([Filter()], theirs, NOON) is Verdict.TOLD


FACETS = st.builds(
    Facet,
    key=st.just(EntryKey(UUID(int=3), 1)),
    sensor_id=st.sampled_from(["a", "b"]),
    sensor_group=st.sampled_from(["north", "south"]),
    latitude=st.floats(41, 42),
    longitude=st.floats(-88, -87),
    percent=st.integers(0, 100),
    severity=st.sampled_from(list(Severity)),
    sensor_unit=st.sampled_from(["", "District 15"]),
)
FILTERS = st.builds(
    Filter,
    sensor_groups=st.sampled_from([frozenset(), frozenset({"north"})]),
    sensor_ids=st.sampled_from([frozenset(), frozenset({"a"})]),
    areas=st.sampled_from([(), (Circle(Point(41.5, -87.5), 20_000.0),)]),
    min_severity=st.sampled_from(list(Severity)),
    min_percent=st.integers(0, 100),
    hours=st.sampled_from([(), (NIGHT,)]),
    units=st.sampled_from([frozenset(), frozenset({"District 15"})]),
)


@pytest.mark.clause("IV.D.1")
@given(FILTERS, st.lists(FACETS, min_size=1), st.lists(FACETS), st.integers(0, 3000), st.integers(0, 3000))
def test_who_was_told_of_an_alert_is_told_of_all_that_becomes_of_it(
    chosen: Filter, hits: list[Facet], later: list[Facet], minutes: int, more: int
) -> None:
    entry = replace(entry_of(REGISTRATION), key=EntryKey(UUID(int=3), 1))
    match = replace(hit_of(entry).matches[0])
    alert = alert_of(REGISTRATION, matches=(match,), facets=tuple(hits))
    first = NOON + timedelta(minutes=minutes)

    then = judge([chosen], alert, first)
    afterwards = judge([chosen], replace(alert, facets=(*hits, *later)), first + timedelta(minutes=more))

    assert then is Verdict.WITHHELD or afterwards is not Verdict.WITHHELD


@pytest.mark.clause("IV.D.1")
def test_in_quiet_hours_an_alert_comes_without_sound() -> None:
    quiet = Filter(quiet_hours=(NIGHT,))
    late = datetime(2026, 5, 2, 4, 30, tzinfo=UTC)  # half past eleven at night in Chicago

    assert judge([quiet], alert_of(REGISTRATION), late) is Verdict.QUIET
    assert judge([quiet], alert_of(REGISTRATION), NOON) is Verdict.TOLD
    assert judge([quiet, Filter()], alert_of(REGISTRATION), late) is Verdict.TOLD


@pytest.mark.parametrize(
    ("moment", "inside"),
    [
        (datetime(2026, 5, 2, 3, 0, tzinfo=UTC), True),  # Friday 22:00
        (datetime(2026, 5, 2, 2, 59, 59, tzinfo=UTC), False),
        (datetime(2026, 5, 2, 10, 59, 59, tzinfo=UTC), True),  # Saturday 05:59:59, of Friday's night
        (datetime(2026, 5, 2, 11, 0, tzinfo=UTC), False),
        (datetime(2026, 5, 3, 4, 0, tzinfo=UTC), False),  # Saturday 23:00
        (datetime(2026, 12, 5, 4, 0, tzinfo=UTC), True),  # Friday 22:00 in winter
        (datetime(2026, 12, 5, 3, 30, tzinfo=UTC), False),  # which is 21:30
    ],
)
def test_hours_go_over_midnight_and_follow_the_clock_on_the_wall(moment: datetime, inside: bool) -> None:
    friday_night = Hours(frozenset({5}), time(22), time(6), CHICAGO)

    assert friday_night.meet(moment, moment) is inside


def test_hours_that_lie_within_a_time_are_met_by_it() -> None:
    friday_night = Hours(frozenset({5}), time(22), time(6), CHICAGO)

    assert friday_night.meet(NOON, NOON + timedelta(days=1))
    assert not friday_night.meet(NOON, NOON + timedelta(hours=12))
    assert friday_night.meet(NOON + timedelta(days=2), NOON + timedelta(days=60))
    assert not Hours(frozenset(), *ALL_DAY, CHICAGO).meet(NOON, NOON + timedelta(days=60))


def test_places_lie_in_circles_and_polygons() -> None:
    square = Polygon((Point(41, -88), Point(41, -87), Point(42, -87), Point(42, -88)))
    notch = Polygon((*square.corners, Point(41.5, -87.2)))

    assert lies_in(HERE, square)
    assert lies_in(Point(41, -87.5), square)
    assert not lies_in(Point(42.01, -87.5), square)
    assert not lies_in(Point(41.5, -87.9), notch)
    assert not lies_in(HERE, NOWHERE)
    assert lies_in(Point(41.88, -87.6294), Circle(HERE, 50))
    assert not lies_in(Point(41.88, -87.6293), Circle(HERE, 50))
    # A degree of a meridian.
    assert meters_between(Point(41, 0), Point(42, 0)) == pytest.approx(111_195, abs=1)


def test_a_probability_in_percent_is_cut_off_and_never_rounded_up() -> None:
    assert [percent_of(one) for one in (0.0, 0.29, 0.999, 0.99999994, 1.0)] == [0, 29, 99, 99, 100]
