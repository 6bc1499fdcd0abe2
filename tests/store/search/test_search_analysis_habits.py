"""Convoys and stakeouts in simulated traffic: habits are told from companionship, by the wall's clock."""

from __future__ import annotations

import json
import random
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import asyncpg
import pytest

from alpr.search.v1 import archive_service_pb2 as archive_pb
from services.search.core.convoy import Convoy, weigh_convoy
from tests.support.search_analysis import MOST_READS, passage
from tests.support.search_kit import ORI, now

Connect = Callable[[str], Awaitable[asyncpg.Connection]]
_EVIDENCE = "SELECT answer FROM archive.convoy_evidence($1, $2, $3, $4, $5, 'UTC', $6, '{}', 100)"
_WITHIN = timedelta(seconds=60)
_DAYS = 50
_CAMERAS = 6


def day(days_ago: int) -> datetime:
    return (now() - timedelta(days=days_ago)).replace(hour=0, minute=0, second=0, microsecond=0)


def travel(
    draw: random.Random, plate: str, start: datetime, road: int, cameras: range
) -> Iterator[archive_pb.ArchivedRead]:
    """Along a road at a speed of the day's own; one camera in twenty misses it."""
    speed, when = draw.gauss(1, 0.04), start
    for camera in cameras:
        if draw.random() < 0.95:
            yield passage(plate, when, road, camera)
        when += timedelta(seconds=240 * speed + draw.gauss(0, 6))


def commuters(draw: random.Random, road: int, count: int) -> Iterator[archive_pb.ArchivedRead]:
    """People who drive to work at about eight, each at a time of their own, a stretch of their own."""
    for number in range(count):
        hour, spread = draw.gauss(8, 0.1), draw.uniform(120, 400)
        first = draw.choice((0, 0, 1, 2))
        for days_ago in range(1, _DAYS):
            morning = day(days_ago)
            if morning.weekday() < 5 and draw.random() < 0.9:
                start = morning + timedelta(hours=hour, seconds=draw.gauss(0, spread))
                yield from travel(draw, f"C{road}{number:04d}", start, road, range(first, _CAMERAS))


async def store(append: Any, reads: list[archive_pb.ArchivedRead]) -> None:
    for start in range(0, len(reads), MOST_READS):
        await append(reads[start : start + MOST_READS])


async def convoy_of(admin: asyncpg.Connection, plate: str, cameras: int = 3) -> Convoy:
    window = now() - timedelta(days=89), now()
    answer = await admin.fetchval(_EVIDENCE, plate, *window, _WITHIN, cameras, [ORI])
    return weigh_convoy(plate, json.loads(answer))


@pytest.mark.clause("IV.C.3")
@pytest.mark.parametrize("seed", [1, 3])
async def test_commuters_are_no_companions_of_each_other_and_a_companion_is(
    append: Any, connect: Connect, seed: int
) -> None:
    draw, road, admin = random.Random(seed), 100 + seed, await connect("admin")
    target, friend = f"C{road}0000", f"FRIEND{seed}"
    reads = list(commuters(draw, road, 40))
    for days_ago, hour, other in ((4, 3, 110), (12, 17, 120), (19, 21, 130), (33, 13, 140)):
        start = day(days_ago) + timedelta(hours=hour)
        for camera in range(4):
            when = start + timedelta(seconds=240 * camera)
            reads.append(passage(target, when, other + seed, camera))
            later = timedelta(seconds=draw.uniform(2, 25))
            reads.append(passage(friend, when + later, other + seed, camera))
    await store(append, reads)

    convoy = await convoy_of(admin, target)

    assert convoy.companions[0].plate == friend
    assert convoy.companions[0].chance.expected < 0.05
    # They meet all the time: the same cameras on many days.
    commuting = [one for one in convoy.companions if one.plate != friend]
    assert max(one.journey_count for one in commuting) >= 3
    assert min(one.chance.expected for one in commuting) > 0.003
    # And all those that were met at all, as often as their habits let expect.
    everybody = [one for one in (await convoy_of(admin, target, 1)).companions if one.plate != friend]
    met = sum(one.journey_count for one in everybody)
    assert sum(one.expected_journeys for one in everybody) == pytest.approx(met, rel=0.5)


@pytest.mark.clause("IV.C.3")
async def test_a_companion_on_the_daily_way_to_work_is_told_from_the_other_commuters(
    append: Any, connect: Connect
) -> None:
    draw, road, admin = random.Random(5), 140, await connect("admin")
    target, friend = f"C{road}0000", "CARPOOL"
    reads = list(commuters(draw, road, 12))
    for read in [one for one in reads if one.read.plate == target]:
        if draw.random() < 0.9:
            when = read.read.capture_time.ToDatetime(tzinfo=UTC) + timedelta(seconds=draw.uniform(3, 20))
            camera = int(read.read.sensor_id.rpartition("-")[2])
            reads.append(passage(friend, when, road, camera))
    await store(append, reads)

    convoy = await convoy_of(admin, target)

    assert convoy.companions[0].plate == friend
    assert convoy.companions[0].chance.expected < 1e-6
    assert convoy.companions[1].chance.expected > 0.003


async def test_staying_together_is_nothing_new_for_who_goes_that_way_every_day(
    append: Any, connect: Connect
) -> None:
    """Thirty others leave the road after its first camera; one who is new here and one who is not stay."""
    admin, road, start = await connect("admin"), 170, day(3) + timedelta(hours=10)
    reads = [passage(f"LEAVES{n:02d}", start + timedelta(seconds=n), road, 0) for n in range(1, 31)]
    for camera in range(_CAMERAS):
        when = start + timedelta(seconds=240 * camera)
        for seconds, plate in ((0, "STAYS0"), (10, "NEWHERE"), (20, "REGULAR")):
            reads.append(passage(plate, when + timedelta(seconds=seconds), road, camera))
        usual = (day(days_ago) + timedelta(hours=15, seconds=240 * camera) for days_ago in range(4, 40))
        reads += [passage("REGULAR", moment, road, camera) for moment in usual]
    await store(append, reads)

    convoy = await convoy_of(admin, "STAYS0")

    chances = {one.plate: one.chance.expected for one in convoy.companions}
    assert convoy.plates_met == 32
    assert chances["NEWHERE"] < 0.1
    assert chances["REGULAR"] > 1
    assert {one.expected_journeys for one in convoy.companions} == {convoy.companions[0].expected_journeys}


async def test_reads_by_one_camera_in_a_row_are_one_passage_and_pauses_part_journeys(
    append: Any, connect: Connect
) -> None:
    admin, start = await connect("admin"), day(5) + timedelta(hours=10)
    await append(
        [
            *(passage("STAND1", start + timedelta(seconds=20 * n), 150, 0) for n in range(10)),
            passage("STAND1", start + timedelta(minutes=20), 150, 1),
            passage("STAND1", start + timedelta(minutes=51), 150, 2),
        ]
    )

    convoy = await convoy_of(admin, "STAND1")

    found = [(one.sensor_id[-1], one.journey) for one in convoy.sightings]
    assert found == [("0", 0), ("1", 0), ("2", 1)]


async def test_the_days_of_a_scene_are_those_by_the_clock_on_the_wall(connect: Connect) -> None:
    """Over the end of summer time, on the 1st of November, there are 25 hours between two noons."""
    admin, zone = await connect("admin"), ZoneInfo("America/Chicago")
    noons = datetime(2026, 10, 27, 12, tzinfo=zone), datetime(2026, 11, 3, 12, tzinfo=zone)
    scenes = [
        json.dumps(
            {
                "area": {"group": "x"},
                "from": noon.isoformat(),
                "to": noon.replace(hour=13).isoformat(),
            }
        )
        for noon in noons
    ]
    # Half an hour too late for noon of the first day, and too early for one o'clock of the last one.
    start = datetime(2026, 10, 20, 12, 30, tzinfo=zone)
    end = datetime(2026, 11, 10, 12, 30, tzinfo=zone)

    rows = await admin.fetch(
        "SELECT d.* "
        "FROM archive.scene_days(ARRAY(SELECT s FROM archive.scenes_of($1) AS s), $2, $3, $4) AS d "
        "ORDER BY d.n",
        scenes,
        start,
        end,
        "America/Chicago",
    )

    assert [(row["first_day"], row["last_day"]) for row in rows] == [(-6, 13), (-13, 6)]


@pytest.mark.parametrize(
    ("offset_minutes", "days"),
    [(0, 6), (29, 6), (31, 1), (-31, 1), (24 * 60, 6)],
    ids=["at the time", "just inside", "after", "before", "a day later"],
)
async def test_a_habit_is_a_day_on_which_the_moved_window_holds_a_read(
    append: Any, connect: Connect, offset_minutes: int, days: int
) -> None:
    admin, camera = await connect("admin"), 10 + abs(offset_minutes) % 40
    plate, moment = f"HAB{offset_minutes % 10_000:04d}", day(20) + timedelta(hours=12)
    reads = [passage(plate, moment, 160, camera)]
    for n in range(1, 6):
        usual = moment + timedelta(days=n, minutes=offset_minutes)
        reads += [
            passage(plate, usual, 160, camera),
            passage(plate, usual + timedelta(seconds=9), 160, camera),
        ]
    await append(reads)
    scene = json.dumps(
        {
            "area": {"sensors": [f"road-160-camera-{camera}"]},
            "from": (moment - timedelta(minutes=30)).isoformat(),
            "to": (moment + timedelta(minutes=30)).isoformat(),
        }
    )

    found = await admin.fetchval(
        "SELECT days FROM archive.scene_habits($1, ARRAY(SELECT s FROM archive.scenes_of($2) AS s), $3, $4, "
        "'UTC', $5, '{}')",
        [plate],
        [scene],
        now() - timedelta(days=80),
        now(),
        [ORI],
    )

    assert found == days
