"""When a sensor needs a hand, and when it does not."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alpr.search.v1.archive_service_pb2 import AppendReadsRequest
from services.search.core.reads import AppendResult, NewRead
from services.search.core.sensor_activity import Activity, distance_metres
from services.search.core.sensor_health import Facts, Hour, Kind, Usual, findings, usual_of
from services.search.wire_append import parse_append
from tests.support.search_kit import archived_read

# A Wednesday afternoon.
NOW = datetime(2026, 11, 25, 14, 20, tzinfo=UTC)
HOUR, MINUTE, SECOND = timedelta(hours=1), timedelta(minutes=1), timedelta(seconds=1)
# 120 reads an hour by day on working days, 10 on weekends, none between midnight and six.
BUSY = Usual(
    {(weekend, h): 20 * 120 if not weekend else 8 * 10 for weekend in (False, True) for h in range(6, 24)},
    (20.0, 8.0),
)


def hour(ago: int, **counts: Any) -> Hour:
    """An hour that many hours before this one; without counts, of 100 prompt reads at the surveyed place."""
    usual = {"reads": 100, "received": 100, "quarantined": 0, "judged": 100, "far": 0, "least_delay": SECOND}
    return Hour(start=NOW.replace(minute=0) - ago * HOUR, **{**usual, **counts})


def day(**counts: Any) -> list[Hour]:
    """A day of which this hour is so."""
    return [*(hour(ago) for ago in range(23, 0, -1)), hour(0, **counts)]


def facts(**changes: Any) -> Facts:
    """A camera with which all is well, but for `changes`."""
    well = Facts(
        sensor_id="i90-mile-12-east",
        placed=True,
        approved_from=NOW - timedelta(days=100),
        hours=[hour(ago) for ago in range(23, -1, -1)],
        usual=BUSY,
        last_capture=NOW - MINUTE,
        last_receive=NOW - MINUTE,
        drift_metres=3.0,
        last_report=NOW - MINUTE,
        clock_offset=timedelta(milliseconds=40),
        backlog_count=0,
        storage_used=0.4,
    )
    return replace(well, **changes)


def wrong(**changes: Any) -> set[Kind]:
    return {kind for kind, words in findings(facts(**changes), NOW).items() if words}


def test_a_camera_with_which_all_is_well_needs_nothing() -> None:
    assert findings(facts(), NOW) == dict.fromkeys(Kind)


@pytest.mark.clause("III.B.2.c")
@pytest.mark.parametrize(("quiet", "silent"), [(29 * MINUTE, False), (31 * MINUTE, True)])
def test_the_time_is_the_longer_the_less_a_camera_sees(quiet: timedelta, silent: bool) -> None:
    calm = Usual({(False, h): 20 * 40 for h in range(24)}, (20.0, 8.0))

    assert (Kind.SILENT in wrong(usual=calm, last_receive=NOW - quiet, last_report=None)) is silent


@pytest.mark.clause("III.B.2.c")
@pytest.mark.parametrize(
    ("quiet", "silent"), [(9 * MINUTE, False), (14 * MINUTE, False), (16 * MINUTE, True), (5 * HOUR, True)]
)
def test_a_busy_camera_is_silent_after_a_time_in_which_twenty_reads_are_usual(
    quiet: timedelta, silent: bool
) -> None:
    assert (Kind.SILENT in wrong(last_receive=NOW - quiet)) is silent


@pytest.mark.clause("III.B.2.c")
def test_a_camera_that_sees_nothing_at_night_is_not_silent_at_night() -> None:
    before_dawn = NOW.replace(hour=5)
    quiet = facts(last_receive=before_dawn - 5 * HOUR, last_report=None)

    assert findings(quiet, before_dawn)[Kind.SILENT] is None
    assert findings(quiet, before_dawn + 90 * MINUTE)[Kind.SILENT]


@pytest.mark.clause("III.B.2.c")
def test_a_camera_on_a_quiet_road_is_silent_by_its_own_measure_and_after_three_days_by_any() -> None:
    quiet = Usual({(weekend, 12): 28 for weekend in (False, True)}, (20.0, 8.0))

    def silent(days: float) -> bool:
        return Kind.SILENT in wrong(usual=quiet, last_receive=NOW - timedelta(days=days), last_report=None)

    assert [silent(days) for days in (1, 2.9, 3)] == [False, False, True]


@pytest.mark.clause("III.B.2.c")
def test_a_camera_without_a_history_is_silent_a_day_after_it_was_approved() -> None:
    new = {"usual": None, "last_receive": None, "last_capture": None, "last_report": None, "hours": []}

    assert wrong(**new, approved_from=NOW - 23 * HOUR) == set()
    assert wrong(**new, approved_from=NOW - 24 * HOUR) == {Kind.SILENT}


@pytest.mark.clause("III.B.2.c")
def test_a_camera_that_used_to_report_and_stopped_is_silent_whatever_the_traffic() -> None:
    night = NOW.replace(hour=3)
    stopped = facts(last_receive=night - 2 * HOUR, last_report=night - 20 * MINUTE)

    assert "used to report" in (findings(stopped, night)[Kind.SILENT] or "")
    assert findings(replace(stopped, last_report=night - 14 * MINUTE), night)[Kind.SILENT] is None
    assert findings(replace(stopped, last_report=night - timedelta(days=8)), night)[Kind.SILENT] is None
    assert findings(replace(stopped, last_receive=night - MINUTE), night)[Kind.SILENT] is None


@pytest.mark.clause("III.B.3.e", "II.C")
def test_a_fixed_camera_most_of_whose_reads_come_from_elsewhere_has_moved() -> None:
    assert wrong(hours=day(judged=200, far=200), drift_metres=850.0) == {Kind.MOVED}
    words = findings(facts(hours=[hour(0, far=51)], drift_metres=850.0), NOW)[Kind.MOVED]
    assert words == (
        "51 of the last 100 reads came from over 100 m off the surveyed place, the newest 850 m away."
    )


@pytest.mark.clause("III.B.3.e")
def test_a_few_bad_fixes_are_no_move_and_a_car_may_move() -> None:
    assert findings(facts(hours=[hour(0, far=50)]), NOW)[Kind.MOVED] is None
    assert Kind.MOVED not in findings(facts(hours=[hour(0, received=9, judged=4, far=4)]), NOW)
    assert findings(facts(placed=False, hours=[hour(0, far=100)]), NOW)[Kind.MOVED] is None


@pytest.mark.clause("III.B.2.c")
@pytest.mark.parametrize(
    ("offset", "words"),
    [
        (6 * SECOND, "Its clock is 6 s ahead."),
        (-90 * SECOND, "Its clock is 1 min 30 s behind."),
        (5 * SECOND, ""),
        (-SECOND, None),
    ],
)
def test_a_clock_is_wrong_by_more_than_five_seconds_and_right_again_within_two(
    offset: timedelta, words: str | None
) -> None:
    # "" stands for: as it was.
    assert findings(facts(clock_offset=offset), NOW).get(Kind.CLOCK_WRONG, "") == words


@pytest.mark.clause("III.B.2.c")
def test_reads_from_the_future_prove_a_fast_clock_of_a_camera_that_does_not_report() -> None:
    fast = {"last_report": None, "clock_offset": None, "hours": day(least_delay=-20 * SECOND)}

    assert wrong(**fast) == {Kind.CLOCK_WRONG}
    assert wrong(last_report=NOW - HOUR, clock_offset=timedelta(days=1)) == set()


@pytest.mark.clause("III.B.2.c")
def test_reads_that_wait_or_come_late_are_a_backlog() -> None:
    waiting = {"backlog_count": 712, "backlog_since": NOW - 6 * MINUTE}
    late = {"last_report": None, "hours": [hour(0, least_delay=20 * MINUTE)]}

    assert findings(facts(**waiting), NOW)[Kind.BACKLOG] == "712 reads wait in it, the oldest for 6 min."
    assert "20 min late" in (findings(facts(**late), NOW)[Kind.BACKLOG] or "")
    assert wrong(backlog_count=3, backlog_since=NOW - MINUTE) == set()
    assert wrong(**waiting, last_report=NOW - HOUR) == set()
    assert Kind.BACKLOG not in findings(facts(hours=[hour(0, least_delay=3 * MINUTE)]), NOW)


@pytest.mark.clause("III.B.2.c")
@pytest.mark.parametrize(("reads", "holds"), [(30, True), (36, None), (59, None), (60, False), (300, False)])
def test_the_rate_is_held_against_the_cameras_own_history(reads: int, holds: bool | None) -> None:
    found = findings(facts(hours=[hour(ago, reads=reads) for ago in range(24)]), NOW)

    assert (None if Kind.LOW_RATE not in found else bool(found[Kind.LOW_RATE])) is holds


def test_a_low_rate_is_no_matter_while_a_camera_is_silent_its_reads_wait_or_little_is_usual() -> None:
    slow = [hour(ago, reads=1) for ago in range(24)]

    assert wrong(hours=slow) == {Kind.LOW_RATE}
    assert wrong(hours=slow, last_receive=NOW - HOUR) == {Kind.SILENT}
    assert wrong(hours=slow, backlog_count=900, backlog_since=NOW - HOUR) == {Kind.BACKLOG}
    assert Kind.LOW_RATE not in findings(facts(hours=slow, usual=None), NOW)
    assert Kind.LOW_RATE not in findings(facts(hours=slow, approved_from=NOW - HOUR), NOW)
    weekend = NOW + timedelta(days=3)
    quiet = facts(hours=[], last_receive=weekend - MINUTE, last_report=None)
    assert Kind.LOW_RATE not in findings(quiet, weekend.replace(hour=10))


@pytest.mark.clause("II.J")
def test_a_camera_most_of_whose_reads_are_incomplete_needs_a_hand() -> None:
    assert wrong(hours=[hour(0, received=30, quarantined=16)]) >= {Kind.INCOMPLETE}
    assert Kind.INCOMPLETE not in wrong(hours=[hour(0, received=30, quarantined=15)])
    assert Kind.INCOMPLETE not in findings(facts(hours=[hour(0, received=9, quarantined=9)]), NOW)


def test_a_storage_is_full_at_95_percent_and_empty_enough_below_90() -> None:
    full = [findings(facts(storage_used=used), NOW).get(Kind.STORAGE_FULL, "") for used in (0.95, 0.92, 0.89)]

    assert full == ["95% of its storage is used.", "", None]
    assert Kind.STORAGE_FULL not in findings(facts(storage_used=None), NOW)


def test_a_sensor_whose_deployment_is_not_approved_needs_nothing() -> None:
    out = facts(approved_from=None, last_receive=NOW - timedelta(days=9), hours=[hour(0, far=100)])

    assert findings(out, NOW) == dict.fromkeys(Kind)


def test_what_is_usual_counts_working_days_and_weekends_apart() -> None:
    monday = datetime(2026, 11, 23, tzinfo=UTC)
    usual = usual_of({(False, 8): 50, (True, 8): 4}, monday - timedelta(days=7), monday)

    assert usual is not None
    assert usual.days == (5.0, 2.0)
    assert usual.expected(monday, monday + timedelta(days=7)) == pytest.approx(54)
    assert usual.expected(monday + 8 * HOUR + 30 * MINUTE, monday + 20 * HOUR) == pytest.approx(5)
    assert usual_of({}, monday - timedelta(days=2), monday) is None


@given(st.lists(st.integers(0, 20_000), min_size=3, max_size=3).map(sorted))
def test_what_is_usual_of_a_time_is_the_sum_of_its_parts(minutes: list[int]) -> None:
    first, second, third = (NOW + n * MINUTE for n in minutes)

    whole = BUSY.expected(first, third)

    assert whole == pytest.approx(BUSY.expected(first, second) + BUSY.expected(second, third))


def test_distances_are_those_on_the_ground() -> None:
    assert distance_metres(41.0, -87.0, 41.0, -87.0) == 0
    assert distance_metres(41.0, -87.0, 42.0, -87.0) == pytest.approx(111_195, rel=1e-3)
    assert distance_metres(60.0, 179.999, 60.0, -179.999) == pytest.approx(111.2, rel=1e-2)
    assert distance_metres(90.0, 0.0, -90.0, 0.0) == pytest.approx(math.pi * 6_371_008.8)


def read_at(captured: datetime, received: datetime, **changes: Any) -> NewRead:
    message = archived_read(captured)
    message.read.receive_time.FromDatetime(received)
    (read,) = parse_append(AppendReadsRequest(reads=[message]))
    return replace(read, **changes)


def test_counts_are_by_hour_of_capture_and_of_receipt() -> None:
    activity, sensor = Activity(), "i90-mile-12-east"
    late = read_at(NOW - 5 * HOUR, NOW - MINUTE)
    prompt = read_at(NOW - 2 * SECOND, NOW - SECOND)
    apart = read_at(NOW - 3 * SECOND, NOW - SECOND)
    for read, status, drift in (
        (prompt, "STORED", 2.0),
        (late, "STORED", 900.0),
        (apart, "QUARANTINED", 2.0),
    ):
        activity.note(read, AppendResult(uuid4(), status, ""), NOW, drift)

    then, this = (activity.hours[sensor, NOW.replace(minute=0) - ago * HOUR] for ago in (5, 0))
    assert (then.reads, then.received) == (1, 0)
    assert (this.reads, this.received, this.quarantined, this.judged, this.far) == (1, 3, 1, 2, 1)
    assert this.least_delay == SECOND
    newest = activity.newest[sensor]
    assert (newest.capture, newest.receipt, newest.drift_metres) == (NOW - 2 * SECOND, NOW - SECOND, 2.0)


@pytest.mark.parametrize(
    ("status", "alive"), [("DUPLICATE", True), ("OUT_OF_RETENTION", True), ("CONFLICT", False)]
)
def test_what_is_not_stored_now_counts_for_nothing_but_a_sign_of_life(status: str, alive: bool) -> None:
    activity = Activity()

    activity.note(read_at(NOW - SECOND, NOW), AppendResult(uuid4(), status, ""), NOW, None)

    assert not activity.hours
    assert bool(activity.newest) is alive


def test_a_receipt_that_lies_ahead_of_our_own_clock_is_now() -> None:
    activity = Activity()

    activity.note(read_at(NOW, NOW + HOUR), AppendResult(uuid4(), "STORED", ""), NOW, None)

    assert activity.newest["i90-mile-12-east"].receipt == NOW
