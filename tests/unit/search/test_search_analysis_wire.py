"""Answers of analyses: the largest of each kind still fits into what a client takes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from alpr.type.v1.receipt_pb2 import AuditReceipt
from services.search import (
    wire_compare,
    wire_convoy,
    wire_corridor,
    wire_pattern,
    wire_stakeout,
    wire_summary,
)
from services.search.app_analysis import Analysed
from services.search.audit_gateway import Receipts
from services.search.core.answer import AnswerSummary, Authorization
from services.search.core.area import Point, SensorGroup
from services.search.core.chance import Chance
from services.search.core.compare import IncidentsQuestion, Nearness, PlatesQuestion, SeenPlate
from services.search.core.convoy import Companion, Convoy, Meeting, Sighting
from services.search.core.corridor import Corridor, Journey, Passage
from services.search.core.data_set import Incident, ListedPlate
from services.search.core.habits import Leg, Pattern, PatternQuestion, Spot
from services.search.core.stakeout import Scene, Stakeout, StakeoutQuestion, Visit, Visitor
from services.search.core.summary import Summary, SummaryQuestion, SummaryRow
from services.search.road import Answered
from services.search.wire_analysis import known_time_zones, parse_time_zone

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)
NOON_US = int(NOON.timestamp()) * 1_000_000
SENSOR, PLACE = "s" * 63, "p" * 200
CHANCE = Chance(-100.0, 5_000)
MOST_BYTES = 4 * 1024 * 1024
RECEIPT = AuditReceipt(entry_id="e" * 36, log_index=1, leaf=b"l" * 2_000, proof="p" * 4_000)


def analysed(result: Any) -> Analysed[Any]:
    authorization = Authorization(
        authorization_id="a", permit="p", account_id="c", from_time=NOON, to_time=NOON + timedelta(days=90)
    )
    summary = AnswerSummary(500, b"d" * 32, has_more=True)
    return Analysed(Answered("kind", authorization, summary, Receipts(RECEIPT, RECEIPT)), result)


def largest_convoy() -> Any:
    sighting = Sighting(SENSOR, NOON_US, 41.123456, -87.123456, PLACE, 0, 9, 3, 9)
    companion = Companion(
        "P" * 12, (Meeting(sighting, -59_000_000),) * 1_000, 3.5, CHANCE, may_be_misread=True
    )
    return wire_convoy.build_convoy(analysed(Convoy((companion,) * 500, (sighting,), 9_999, True)))


def largest_stakeout() -> Any:
    scene = Scene("l" * 60, SensorGroup("g"), NOON, NOON + timedelta(hours=1))
    visits = tuple(Visit(n, NOON_US, NOON_US, 900, (SENSOR,) * 400, 80, 90) for n in range(20))
    question = StakeoutQuestion((scene,) * 20, 2, "UTC")
    stakeout = Stakeout((Visitor("P" * 12, visits, CHANCE),) * 500, 99_999)
    return wire_stakeout.build_stakeout(question, analysed(stakeout))


def largest_corridor() -> Any:
    passages = tuple(Passage(SENSOR, NOON_US + n, 12.5 * n, 3.5) for n in range(2_000))
    return wire_corridor.build_corridor(analysed(Corridor((Journey("P" * 12, passages),) * 500, 99.0)))


def largest_comparison() -> Any:
    incidents = tuple(Incident(n + 2, "l" * 60, NOON, Point(41, -88)) for n in range(1_000))
    visits = tuple(Visit(n, NOON_US, NOON_US, 900, (SENSOR,) * 400, 80, 90) for n in range(1_000))
    question = IncidentsQuestion(incidents, b"d" * 32, Nearness(1, 1, 1), "UTC")
    stakeout = Stakeout((Visitor("P" * 12, visits, CHANCE),) * 1_000, 99_999)
    return wire_compare.build_near(question, analysed(stakeout))


def largest_list() -> Any:
    question = PlatesQuestion((ListedPlate("P" * 12, "l" * 60),), b"d" * 32)
    seen = SeenPlate("P" * 12, 99, NOON_US, NOON_US, (SENSOR,) * 20)
    return wire_compare.build_seen(question, analysed((seen,) * 1_000))


def largest_pattern() -> Any:
    spot = Spot(SENSOR, "ILISP0001", "g" * 63, "OWN", 41.123456, -87.123456, PLACE, 9, 9, NOON_US, NOON_US)
    legs = (Leg(SENSOR, SENSOR, 9, 99.5),) * 100
    pattern = Pattern((spot,) * 1_000, legs, ((9_999_999,) * 24,) * 7, 9, 9)
    return wire_pattern.build_pattern(PatternQuestion("P" * 12, "UTC"), analysed(pattern))


def largest_summary() -> Any:
    row = SummaryRow((SENSOR, "g" * 63, "2026-11-01"), 999_999, 999_999)
    question = SummaryQuestion(("sensor", "sensor_group", "day"), None, "UTC", count_plates=True)
    return wire_summary.build_summary(question, analysed(Summary((row,) * 5_000, 10**9)))


@pytest.mark.parametrize(
    "largest",
    [
        largest_convoy,
        largest_stakeout,
        largest_corridor,
        largest_comparison,
        largest_list,
        largest_pattern,
        largest_summary,
    ],
)
def test_the_largest_answer_fits_into_what_a_client_takes(largest: Callable[[], Any]) -> None:
    answer = largest()

    assert answer.ByteSize() < MOST_BYTES
    assert answer.has_more
    assert answer.notice.lead_only


def test_details_that_are_left_out_are_counted_and_the_newest_meetings_stay() -> None:
    sightings = [Sighting(SENSOR, NOON_US + n, 41, -87, "", n, 9, 3, 9) for n in range(1_000)]
    meetings = tuple(Meeting(sighting, 0) for sighting in sightings)
    companion = Companion("AB123", meetings, 3.5, CHANCE, may_be_misread=False)

    answer = wire_convoy.build_convoy(analysed(Convoy((companion,) * 10, tuple(sightings), 10, False)))

    shown = answer.companions[0]
    assert (len(shown.meetings), shown.meeting_count) == (500, 1_000)
    assert shown.meetings[-1].time.ToMicroseconds() == NOON_US + 999


def test_a_long_journey_keeps_its_first_and_its_last_passage() -> None:
    passages = tuple(Passage(SENSOR, NOON_US + n, 10.0 * n, 0) for n in range(6_000))

    answer = wire_corridor.build_corridor(analysed(Corridor((Journey("AB123", passages),), 1.0)))

    shown = answer.journeys[0]
    assert (len(shown.passages), shown.passage_count) == (5_000, 6_000)
    assert shown.passages[0].along_meters == 0
    assert shown.passages[-1].along_meters == 59_990


@pytest.mark.parametrize("name", ["America/Chicago", "UTC", "Europe/Berlin", "Asia/Kathmandu"])
def test_zones_of_the_data_base_are_known(name: str) -> None:
    assert name in known_time_zones()


@pytest.mark.parametrize(
    "name", ["Middle/Earth", "../etc/passwd", "america/chicago", "CST6CDT4", "+05", "\0"]
)
def test_what_is_no_zone_is_refused_and_none_means_the_systems(name: str) -> None:
    wrong: list[Any] = []

    assert parse_time_zone("time_zone", name, "UTC", wrong) == "UTC"
    assert [one.field for one in wrong] == ["time_zone"]
    assert parse_time_zone("time_zone", "", "UTC", []) == "UTC"
