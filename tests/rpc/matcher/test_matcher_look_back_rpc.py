"""Look-back and withdrawal, from a person's act to what archive and alerts hear, over real gRPC."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio

from alpr.alerts.v1 import alert_service_pb2 as alerts_pb
from alpr.type.v1 import hit_pb2, read_pb2, sensor_pb2
from services.common.wire import to_timestamp
from services.dev.pki import DevelopmentAuthority
from tests.matcher_kit import (
    COLLEAGUE,
    CROP,
    OTHER_SENSOR,
    OVERVIEW,
    SCALE_SENSOR,
    SENSOR,
    Matcher,
    World,
    a_matcher,
    a_read,
    a_world,
    batch,
    csv_of,
    new_id,
    submit,
)
from tests.support.databases import MigratedDatabase, fetch

LOOK_BACK = hit_pb2.HIT_WARNING_LOOK_BACK


@pytest_asyncio.fixture
async def world(
    tls: DevelopmentAuthority,
    migrated_database: Callable[..., Awaitable[MigratedDatabase]],
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[World]:
    database = await migrated_database("matcher")
    async with a_world(tls, database, tmp_path_factory.mktemp("spool")) as made:
        yield made


@pytest_asyncio.fixture
async def matcher(world: World) -> AsyncIterator[Matcher]:
    async with a_matcher(world) as made:
        yield made


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    """Returns when it holds; gives up after 20 seconds."""
    async with asyncio.timeout(60):
        while not await holds():  # noqa: ASYNC110 - what is looked at sends no event
            await asyncio.sleep(0.05)


async def settled(world: World) -> list[Any]:
    """All changes, by revision, once nothing is left to do."""
    statement = "SELECT match_revision, kind, pass_count, refused, done_at FROM matcher.look_back ORDER BY 1"

    async def nothing_open() -> bool:
        rows = await fetch(world.database.admin_url, statement)
        return bool(rows) and all(row["done_at"] for row in rows)

    await until(nothing_open)
    return await fetch(world.database.admin_url, statement)


async def store(matcher: Matcher, *reads: read_pb2.CapturedRead) -> None:
    async with matcher.reads_of("ocr") as stub:
        await submit(stub, batch(1, *reads))


def warnings_of(world: World, read: read_pb2.CapturedRead) -> list[list[int]]:
    """The warnings of each match of the read."""
    return [list(match.warnings) for key, match in world.alerts.hits.items() if key[0] == read.read.read_id]


@pytest.mark.clause("II.D", "IV.C.1")
async def test_a_list_that_is_activated_hits_the_reads_of_the_hours_before_it(matcher: Matcher) -> None:
    world = matcher.world
    seen, other, elsewhere = (
        a_read("AB12345", age=timedelta(hours=3)),
        a_read("ZZ99999"),
        a_read("AB12345", sensor_id=OTHER_SENSOR),
    )
    await store(matcher, seen, other, elsewhere)

    async with matcher.person() as person:
        hot_list = await person.active_list("AB12345", "CD67890")
    (change,) = await settled(world)

    assert not change["refused"]
    (found,) = warnings_of(world, seen)
    assert LOOK_BACK in found
    assert hit_pb2.HIT_WARNING_LATE_CAPTURE in found
    assert warnings_of(world, other) == warnings_of(world, elsewhere) == []
    hit = world.alerts.reads[seen.read.read_id]
    assert hit.match_revision == change["match_revision"]
    assert (hit.sensor_group, hit.captured_read.read.sensor_id) == ("expressway", SENSOR)
    assert hit.sensor_unit == "District 15"
    first = world.archive.asked[0]
    (activation,) = [
        key for key, one in world.audit.intent_requests.items() if one.action == "hot_list.activate"
    ]
    assert (first.changed_id, first.intent_id) == (hot_list.hot_list_id, world.audit.intent_id(activation))
    assert {"AB12345", "A812345", "AB1234", "AB123456"} <= set(first.plates)
    assert "ZZ99999" not in first.plates
    window = first.capture_until.ToDatetime(UTC) - first.capture_from.ToDatetime(UTC)
    assert timedelta(hours=24) <= window < timedelta(hours=24, minutes=10)


@pytest.mark.clause("II.D", "II.H")
async def test_a_motor_carrier_safety_list_looks_back_into_its_own_data_set_alone(matcher: Matcher) -> None:
    world = matcher.world
    general, apart = a_read("TRK4711"), a_read("TRK4711", sensor_id=SCALE_SENSOR)
    await store(matcher, general, apart)

    async with matcher.person() as person:
        made = await person.create(source=hit_pb2.HOT_LIST_SOURCE_FEDERAL_DOT)
        await person.upload(made.hot_list_id, csv_of("TRK4711", category="OTHER"))
        await person.activate(made.hot_list_id, 1)
        await settled(world)
        await person.active_list("CD67890")
        await settled(world)

    assert {one.partition for one in world.archive.asked if one.changed_id == made.hot_list_id} == {
        sensor_pb2.PARTITION_MOTOR_CARRIER
    }
    assert {one.partition for one in world.archive.asked if one.changed_id != made.hot_list_id} == {
        sensor_pb2.PARTITION_GENERAL
    }
    assert [LOOK_BACK in found for found in warnings_of(world, apart)] == [True]
    assert warnings_of(world, general) == []
    assert {one.partition for one in world.archive.pictures_asked} == {sensor_pb2.PARTITION_MOTOR_CARRIER}
    assert world.alerts.reads[apart.read.read_id].captured_read.crop_image == CROP


@pytest.mark.clause("II.D")
async def test_only_entries_that_the_version_brought_are_looked_back_for(matcher: Matcher) -> None:
    async with matcher.person() as person:
        hot_list = await person.active_list("AB12345")
        known, new = a_read("AB12345"), a_read("CD67890")
        await store(matcher, known, new)
        await person.upload(hot_list.hot_list_id, csv_of("AB12345", "CD67890"))
        await person.activate(hot_list.hot_list_id, 2)
        await settled(matcher.world)

    assert [LOOK_BACK in found for found in warnings_of(matcher.world, known)] == [False]
    assert [LOOK_BACK in found for found in warnings_of(matcher.world, new)] == [True]


@pytest.mark.clause("II.D")
async def test_a_read_that_a_replica_behind_compares_later_is_found_by_the_last_pass(world: World) -> None:
    read = a_read("AB12345", age=timedelta(minutes=2))
    async with a_matcher(world) as behind:
        # The batch is compared with the old lists, and the archive keeps it waiting.
        world.archive.door.open.clear()
        sending = asyncio.create_task(store(behind, read))
        await world.archive.door.called(1)
        async with behind.person() as person:
            await person.active_list("AB12345")

        async def passed_once() -> bool:
            rows = await fetch(world.database.admin_url, "SELECT pass_count FROM matcher.look_back")
            return [row["pass_count"] for row in rows] == [1]

        await until(passed_once)
        await asyncio.sleep(2.5)
        assert await passed_once()
        assert warnings_of(world, read) == []
        world.archive.door.open.set()
        await sending
        (change,) = await settled(world)

    assert change["pass_count"] == 2
    assert [LOOK_BACK in found for found in warnings_of(world, read)] == [True]


@pytest.mark.clause("II.D")
async def test_an_urgent_entry_finds_what_went_by_wildcards_and_all(matcher: Matcher) -> None:
    read, other = a_read("ABC1234", age=timedelta(minutes=5)), a_read("ABD1234")
    await store(matcher, read, other)

    async with matcher.person(COLLEAGUE) as officer:
        added = await officer.watch_for("ABC?234")
        await settled(matcher.world)

    assert matcher.world.archive.asked[0].changed_id == added.entry.entry_id
    assert len(matcher.world.archive.asked[0].plates) == 36
    assert [LOOK_BACK in found for found in warnings_of(matcher.world, read)] == [True]
    assert warnings_of(matcher.world, other) == []


@pytest.mark.clause("II.D")
async def test_an_urgent_entry_hits_the_read_of_minutes_ago(matcher: Matcher) -> None:
    read = a_read("ABC1234", age=timedelta(minutes=5))
    await store(matcher, read)

    async with matcher.person(COLLEAGUE) as officer:
        await officer.watch_for("ABC1234")
        await settled(matcher.world)

    assert [LOOK_BACK in found for found in warnings_of(matcher.world, read)] == [True]


@pytest.mark.clause("III.D.4")
async def test_an_entry_that_is_taken_off_withdraws_its_alerts_in_the_name_of_who_did_it(
    matcher: Matcher,
) -> None:
    world = matcher.world
    async with matcher.person(COLLEAGUE) as officer:
        added = await officer.watch_for("ABC1234")
        await officer.watch_no_more(added.entry.entry_id)
    changes = await settled(world)

    withdrawal = world.alerts.withdrawals[0]
    assert list(withdrawal.entry_ids) == [added.entry.entry_id]
    assert withdrawal.reason == alerts_pb.WITHDRAW_REASON_CANCELLED
    assert withdrawal.match_revision == changes[-1]["match_revision"]
    (removal,) = [
        key for key, one in world.audit.intent_requests.items() if one.action == "local_list.remove"
    ]
    assert withdrawal.intent_id == world.audit.intent_id(removal)


@pytest.mark.clause("III.D.4")
async def test_what_a_new_version_does_not_have_is_withdrawn(matcher: Matcher) -> None:
    world, plates = matcher.world, [f"AB1234{number}" for number in range(6)]
    async with matcher.person() as person:
        hot_list = await person.active_list(*plates)
        kept, gone = a_read(plates[0]), a_read(plates[5])
        await store(matcher, kept, gone)
        entries = {read_id: entry_id for read_id, entry_id, _ in world.alerts.hits}
        await person.upload(hot_list.hot_list_id, csv_of(*plates[:5]))
        await person.activate(hot_list.hot_list_id, 2)
        changes = await settled(world)

    assert {tuple(one.entry_ids) for one in world.alerts.withdrawals} == {(entries[gone.read.read_id],)}
    assert entries[kept.read.read_id] not in world.alerts.withdrawals[0].entry_ids
    assert {one.reason for one in world.alerts.withdrawals} == {alerts_pb.WITHDRAW_REASON_NOT_IN_VERSION}
    assert {one.match_revision for one in world.alerts.withdrawals} == {changes[-1]["match_revision"]}


async def test_a_list_too_long_to_spell_out_is_compared_with_every_read_of_the_window_page_by_page(
    matcher: Matcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.matcher.app_look_back._READS_A_PAGE", 2)
    reads = [a_read(f"AA{number:05d}", age=timedelta(minutes=number + 1)) for number in range(5)]
    await store(matcher, *reads)

    async with matcher.person() as person:
        await person.active_list(*(f"AA{number:05d}" for number in range(700)))
        await settled(matcher.world)

    asked = [
        one
        for one in matcher.world.archive.asked
        if one.intent_id == matcher.world.archive.asked[0].intent_id
    ]
    assert all(not one.plates for one in asked)
    assert [bool(one.after_read_id) for one in asked[:3]] == [False, True, True]
    assert all([LOOK_BACK in w for w in warnings_of(matcher.world, read)] == [True] for read in reads)


async def test_neighbours_that_are_away_are_asked_again_and_nothing_is_lost(
    matcher: Matcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.matcher.app_look_back._AGAIN_S", 0.2)
    world, read = matcher.world, a_read("AB12345", age=timedelta(hours=1))
    await store(matcher, read)
    world.archive.look_backs.down = True

    async with matcher.person() as person:
        await person.active_list("AB12345")
        await world.archive.look_backs.called(2)
        world.alerts.door.down, world.archive.look_backs.down = True, False
        before = world.alerts.door.calls
        await world.alerts.door.called(before + 1)
        world.alerts.door.down = False
        await settled(world)

    assert [LOOK_BACK in found for found in warnings_of(world, read)] == [True]


async def ask_again(world: World, age: timedelta = timedelta()) -> None:
    """Lets the change that was put off be worked on now, as one that is older by `age`."""

    async def put_off() -> bool:
        rows = await fetch(
            world.database.admin_url,
            "UPDATE matcher.look_back SET next_at = now(), changed_at = changed_at - $1::interval "
            "WHERE done_at IS NULL AND next_at < now() + interval '20 seconds' RETURNING 1",
            age,
        )
        return bool(rows)

    await until(put_off)


@pytest.mark.clause("IV.A.5")
async def test_a_look_back_that_audit_still_does_not_allow_after_ten_minutes_is_given_up_and_noted(
    matcher: Matcher,
) -> None:
    matcher.world.archive.refused = True

    async with matcher.person() as person:
        await person.active_list("AB12345")
    await matcher.world.archive.look_backs.called(1)
    await ask_again(matcher.world, timedelta(minutes=11))
    (change,) = await settled(matcher.world)

    assert change["refused"]
    assert matcher.world.archive.look_backs.calls == 2


@pytest.mark.clause("II.D", "IV.C.1")
async def test_a_look_back_that_was_refused_once_is_asked_for_again(matcher: Matcher) -> None:
    world, read = matcher.world, a_read("AB12345", age=timedelta(hours=1))
    await store(matcher, read)
    world.archive.refused = True

    async with matcher.person() as person:
        await person.active_list("AB12345")
    await world.archive.look_backs.called(1)
    world.archive.refused = False
    await ask_again(world)
    (change,) = await settled(world)

    assert not change["refused"]
    assert [LOOK_BACK in found for found in warnings_of(world, read)] == [True]


async def test_what_a_dead_replica_had_begun_another_one_ends(world: World) -> None:
    read = a_read("AB12345", age=timedelta(hours=1))
    async with a_matcher(world) as first:
        await store(first, read)
        world.archive.look_backs.open.clear()
        async with first.person() as person:
            await person.active_list("AB12345")
        await world.archive.look_backs.called(1)
    world.archive.look_backs.open.set()
    await fetch(
        world.database.admin_url,
        "UPDATE matcher.look_back SET next_at = now() WHERE done_at IS NULL RETURNING 1",
    )

    async with a_matcher(world):
        await settled(world)

    assert [LOOK_BACK in found for found in warnings_of(world, read)] == [True]


@pytest.mark.clause("II.J", "IV.E.1")
@pytest.mark.parametrize(
    ("captured", "status"),
    [
        (datetime(1970, 1, 1, tzinfo=UTC), read_pb2.READ_STATUS_OUT_OF_RETENTION),
        (datetime(2000, 1, 1, tzinfo=UTC), read_pb2.READ_STATUS_OUT_OF_RETENTION),
        (datetime(2999, 12, 31, tzinfo=UTC), read_pb2.READ_STATUS_QUARANTINED),
        (timedelta(minutes=5, seconds=30), read_pb2.READ_STATUS_QUARANTINED),
        (timedelta(minutes=4), read_pb2.READ_STATUS_STORED),
        (-timedelta(days=89), read_pb2.READ_STATUS_STORED),
        (-timedelta(days=90, seconds=5), read_pb2.READ_STATUS_OUT_OF_RETENTION),
    ],
    ids=str,
)
async def test_a_camera_without_a_right_clock_gets_an_answer_for_each_read(
    matcher: Matcher, captured: datetime | timedelta, status: int
) -> None:
    moment = captured if isinstance(captured, datetime) else datetime.now(UTC) + captured
    wrong = a_read("AB12345", age=datetime.now(UTC) - moment)
    right = a_read("AB12345", name=new_id())

    async with matcher.reads_of(SENSOR) as stub:
        (answer,) = await submit(stub, batch(1, wrong, right))

    assert [one.status for one in answer.results] == [status, read_pb2.READ_STATUS_STORED]


@pytest.mark.clause("II.D", "IV.E.2")
async def test_a_hit_of_a_look_back_has_pictures_of_its_own_opened_for_the_act(matcher: Matcher) -> None:
    world = matcher.world
    seen, gone = a_read("AB12345"), a_read("AB12345", age=timedelta(hours=2))
    world.archive.without_picture.add(gone.read.read_id)
    await store(matcher, seen, gone, a_read("ZZ99999"))

    async with matcher.person() as person:
        hot_list = await person.active_list("AB12345")
    await settled(world)

    with_pictures, without = (world.alerts.reads[one.read.read_id].captured_read for one in (seen, gone))
    assert (with_pictures.crop_image, with_pictures.overview_image) == (CROP, OVERVIEW)
    assert (without.crop_image, without.overview_image) == (b"", b"")
    assert not with_pictures.read.image.image_key
    asked = world.archive.pictures_asked
    assert {read_id for one in asked for read_id in one.read_ids} == {seen.read.read_id, gone.read.read_id}
    found_by = world.archive.asked[0]
    assert {(one.intent_id, one.changed_id) for one in asked} == {(found_by.intent_id, hot_list.hot_list_id)}
    assert {one.capture_from.ToDatetime() for one in asked} == {found_by.capture_from.ToDatetime()}


@pytest.mark.clause("II.D")
async def test_the_last_pass_opens_no_picture_again(matcher: Matcher) -> None:
    world = matcher.world
    await store(matcher, a_read("AB12345"))
    await fetch(
        world.database.admin_url,
        "INSERT INTO matcher.replica (replica_id, match_revision, seen_at)"
        " VALUES (gen_random_uuid(), 0, clock_timestamp())",
    )

    async with matcher.person() as person:
        await person.active_list("AB12345")

    async def first_pass() -> bool:
        rows = await fetch(world.database.admin_url, "SELECT pass_count FROM matcher.look_back")
        return bool(rows) and rows[0]["pass_count"] == 1

    await until(first_pass)
    await fetch(world.database.admin_url, "DELETE FROM matcher.replica WHERE match_revision = 0")
    (change,) = await settled(world)

    assert change["pass_count"] == 2
    assert len(world.archive.asked) >= 2
    assert len(world.archive.pictures_asked) == 1


@pytest.mark.clause("II.D", "IV.E.2")
async def test_a_hit_waits_for_its_pictures_while_they_cannot_be_had(matcher: Matcher) -> None:
    world = matcher.world
    seen = a_read("AB12345")
    await store(matcher, seen)
    world.archive.pictures.down = True

    async with matcher.person() as person:
        await person.active_list("AB12345")
    await world.archive.pictures.called(1)
    assert seen.read.read_id not in world.alerts.reads
    world.archive.pictures.down = False
    await settled(world)

    assert world.alerts.reads[seen.read.read_id].captured_read.crop_image == CROP


@pytest.mark.clause("II.D", "III.D.4")
async def test_what_runs_out_by_the_clock_withdraws_its_alerts_without_anybody_doing_anything(
    matcher: Matcher,
) -> None:
    world = matcher.world
    end = datetime.now(UTC) + timedelta(seconds=4)
    async with matcher.person() as person:
        added = await person.watch_for("AB12345", lives=timedelta(seconds=3))
        made = await person.create()
        await person.upload(made.hot_list_id, csv_of("CD67890"), expire_time=to_timestamp(end))
        await person.activate(made.hot_list_id, 1)

    async def both() -> bool:
        # One may come again before the other: it is asked for until it was answered.
        return len({one.hot_list_id for one in world.alerts.withdrawals}) == 2

    await until(both)

    by_list = {one.hot_list_id: one for one in world.alerts.withdrawals}
    local, uploaded = by_list[added.entry.hot_list_id], by_list[made.hot_list_id]
    assert {one.reason for one in world.alerts.withdrawals} == {alerts_pb.WITHDRAW_REASON_EXPIRED}
    assert list(local.entry_ids) == [added.entry.entry_id]
    assert len(uploaded.entry_ids) == 1
    assert uploaded.withdraw_time == to_timestamp(end)
    assert local.match_revision > added.match_revision
    (upload,) = [key for key, one in world.audit.intent_requests.items() if one.action == "hot_list.upload"]
    assert uploaded.intent_id == world.audit.intent_id(upload)
