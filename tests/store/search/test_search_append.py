"""Appending through archive.append_reads."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from uuid import uuid4

import asyncpg
import pytest

from alpr.search.v1 import archive_service_pb2 as archive_pb
from services.search.append import Archive
from services.search.store_append import AppendStore
from services.search.wire_append import parse_append
from tests.support.clock import ManualClock
from tests.support.search_kit import archived_read, now, uuid7


def statuses(results):
    return [result.status for result in results]


async def test_append_stores_a_read_and_knows_it_again(append) -> None:
    read = archived_read()

    assert statuses(await append([read])) == ["STORED"]
    assert statuses(await append([read])) == ["DUPLICATE"]


async def test_append_answers_repeats_inside_a_batch_in_order(append) -> None:
    first, other = archived_read(seed="batch-a"), archived_read(seed="batch-b")
    clash = archived_read(seed="batch-a")
    clash.read.CopyFrom(first.read)
    clash.read.plate = "ZZ9999"

    results = await append([first, other, first, clash, other])

    assert statuses(results) == ["STORED", "STORED", "DUPLICATE", "CONFLICT", "DUPLICATE"]
    assert [str(result.read_id) for result in results] == [
        r.read.read_id for r in (first, other, first, clash, other)
    ]


async def test_append_keeps_the_first_read_when_another_one_claims_its_id(append, connect) -> None:
    read = archived_read(seed="clash")
    await append([read])
    read.read.place.latitude += 0.5

    assert statuses(await append([read])) == ["CONFLICT"]
    admin = await connect("admin")
    latitudes = await admin.fetch("SELECT latitude FROM archive.read WHERE read_id = $1", read.read.read_id)
    assert [row["latitude"] for row in latitudes] == [41.978]


async def test_append_sees_a_clash_when_only_the_microseconds_of_the_capture_differ(append) -> None:
    captured = (now() - timedelta(minutes=5)).replace(microsecond=123_000)
    read = archived_read(captured, seed="microseconds")
    await append([read])
    read.read.capture_time.FromDatetime(captured + timedelta(microseconds=456))

    assert statuses(await append([read])) == ["CONFLICT"]


async def test_append_takes_a_repeat_with_new_receipt_time_and_group_for_a_duplicate(append) -> None:
    read = archived_read(seed="again")
    await append([read])
    read.read.receive_time.FromDatetime(now())
    read.sensor_group, read.match_revision = "tollway", 8
    read.read.lattice.candidates[0].probability = 0.92999

    assert statuses(await append([read])) == ["DUPLICATE"]


@pytest.mark.clause("IV.E.1")
async def test_append_keeps_reads_of_day_89_and_none_of_day_91(append) -> None:
    late, too_late = archived_read(now() - timedelta(days=89)), archived_read(now() - timedelta(days=91))

    assert statuses(await append([late, too_late])) == ["STORED", "OUT_OF_RETENTION"]


@pytest.mark.clause("IV.E.1")
async def test_append_keeps_reads_up_to_the_ninetieth_day_to_the_minute(append) -> None:
    edge = timedelta(days=90)
    inside, outside = (
        archived_read(now() - edge + timedelta(minutes=1)),
        archived_read(now() - edge - timedelta(minutes=1)),
    )

    assert statuses(await append([inside, outside])) == ["STORED", "OUT_OF_RETENTION"]


@pytest.mark.clause("II.J")
@pytest.mark.parametrize("missing", ["place", "image", "capture_time", "receive_time"])
async def test_append_puts_a_read_without_image_time_or_place_into_quarantine(
    append, connect, missing
) -> None:
    read = archived_read(seed=f"without-{missing}")
    read.read.ClearField(missing)

    results = await append([read, archived_read(), read])

    assert statuses(results) == ["QUARANTINED", "STORED", "QUARANTINED"]
    assert results[0].reason
    admin = await connect("admin")
    kept = await admin.fetch("SELECT original FROM archive.quarantine WHERE read_id = $1", read.read.read_id)
    assert [row["original"] for row in kept] == [read.SerializeToString()]
    assert not await admin.fetch("SELECT FROM archive.read WHERE read_id = $1", read.read.read_id)


@pytest.mark.clause("II.J")
async def test_append_puts_impossible_reads_into_quarantine(append) -> None:
    future = archived_read(now() + timedelta(hours=2))
    nowhere = archived_read()
    nowhere.read.place.latitude = float("nan")
    wrong_id = archived_read()
    wrong_id.read.read_id = str(uuid7(now() - timedelta(days=3)))
    wrong_day = archived_read()
    wrong_day.read.image.day = "2020-01-01"

    results = await append([future, nowhere, wrong_id, wrong_day])

    assert statuses(results) == ["QUARANTINED"] * 4
    assert len({result.reason for result in results}) == 4


@pytest.mark.clause("IV.E.1")
async def test_append_does_not_even_quarantine_what_is_out_of_retention(append, connect) -> None:
    read = archived_read(now() - timedelta(days=100))
    read.read.ClearField("place")

    assert statuses(await append([read])) == ["OUT_OF_RETENTION"]
    admin = await connect("admin")
    assert not await admin.fetch("SELECT FROM archive.quarantine WHERE read_id = $1", read.read.read_id)


async def test_append_of_the_same_reads_from_many_callers_stores_each_once(append, connect) -> None:
    seed = str(uuid4())
    captured = now() - timedelta(minutes=2)
    reads = [archived_read(captured, seed=f"{seed}-{number}") for number in range(50)]

    answers = await asyncio.gather(*(append(reads[turn:] + reads[:turn]) for turn in range(8)))

    stored = [r.read_id for results in answers for r in results if r.status == "STORED"]
    assert len(stored) == len(set(stored)) == 50
    assert {r.status for results in answers for r in results} == {"STORED", "DUPLICATE"}


async def test_partitions_are_made_once_and_two_days_ahead(connect) -> None:
    purge, admin = await connect("search_purge"), await connect("admin")

    assert await purge.fetchval("SELECT archive.ensure_partitions(2)") == 0
    names = {
        row["relname"]
        for row in await admin.fetch("SELECT relname FROM pg_class WHERE relname ~ '^read_[0-9]{8}$'")
    }
    today = now().date()
    assert names == {f"read_{today + timedelta(days=offset):%Y%m%d}" for offset in range(-90, 3)}


async def test_partitions_have_no_default_in_which_rows_would_escape_the_purge(connect) -> None:
    admin = await connect("admin")

    assert await admin.fetchval("SELECT count(*) FROM pg_partitioned_table WHERE partdefid <> 0") == 0


async def test_append_login_can_do_nothing_but_append(connect) -> None:
    login = await connect("search_append")

    for statement in (
        "SELECT archive.ensure_partitions(2)",
        "SELECT archive.warm_up()",
        "SELECT archive.general_reads('x', 'reads')",
        "SELECT * FROM archive.read",
        "SELECT * FROM archive.quarantine",
        "INSERT INTO archive.read DEFAULT VALUES",
        "SET ROLE archive_owner",
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await login.execute(statement)


async def test_a_replica_whose_clock_is_behind_sets_no_read_of_now_apart(archive_database) -> None:
    clock = ManualClock(now() - timedelta(hours=1))
    early, late = archive_pb.AppendReadsRequest(reads=[archived_read(now(), seed="behind")]), now()
    ahead = archive_pb.AppendReadsRequest(reads=[archived_read(late + timedelta(hours=1), seed="ahead")])

    async with asyncpg.create_pool(archive_database.database.url("search_append"), min_size=1) as pool:
        archive = Archive(AppendStore(pool), clock)
        results = [*await archive.append(parse_append(early)), *await archive.append(parse_append(ahead))]
        await archive.close()

    assert statuses(results) == ["STORED", "QUARANTINED"]
