"""The end of a day in the database and the image store, and what its certificate says."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import asyncpg
import pytest
import pytest_asyncio

from services.common.permit import signed
from services.search.errors import DayKeptError
from services.search.store_purge import Purge
from tests.support.databases import PERMIT_KEY, MigratedDatabase
from tests.support.search_kit import archived_read
from tests.support.search_retention import Rig, add_day, day_ago, noon, purging, reads_of
from tests.support.settings import RECORDS_SERIES

OVER = day_ago(92)


@pytest_asyncio.fixture
async def rig(
    migrated_database: Callable[..., Awaitable[MigratedDatabase]], tmp_path: Path
) -> AsyncIterator[Rig]:
    database = await migrated_database("search")
    async with purging(database, tmp_path) as made:
        yield made
    await database.drop()


def digest(reads: list[str]) -> str:
    return hashlib.sha256(b"".join(sorted(UUID(one).bytes for one in reads))).hexdigest()


@pytest.mark.clause("IV.E.1", "IV.E.1.a", "IV.E.3")
async def test_rows_dictionary_images_and_the_key_of_a_day_that_is_over_are_gone(rig: Rig) -> None:
    reads = reads_of(OVER, 3, plate="GONE123")
    await rig.plant(reads)

    purged = await rig.purger.run()

    assert purged == 1
    assert (
        await rig.rows() == await rig.rows("archive.plate_seen") == await rig.rows("archive.place_seen") == 0
    )
    assert rig.days_with_images() == set()
    assert not await rig.admin("SELECT 1 FROM pg_class WHERE relname LIKE $1", f"%{OVER:%Y%m%d}%")


@pytest.mark.clause("IV.E.3", "III.B.3.n")
async def test_the_certificate_says_what_is_gone_and_until_when_backups_may_have_it(rig: Rig) -> None:
    reads = reads_of(OVER, 3, plate="GONE123")
    await rig.plant(reads)

    await rig.purger.run()

    (written,) = rig.log.certificates()
    (plan,) = rig.log.intents.values()
    assert (plan.action, plan.resource) == ("reads.purge", f"day/{OVER}")
    until = (datetime.now(UTC) + timedelta(days=7)).date()
    expected = {
        "records_series": RECORDS_SERIES,
        "range_from": f"{OVER}T00:00:00Z",
        "range_to": f"{OVER + timedelta(days=1)}T00:00:00Z",
        "retention_days": "90",
        "reads": "3",
        "reads_digest": digest([one.read.read_id for one in reads]),
        "quarantined": "0",
        "images": "3",
        "day_key": "destroyed",
        "holds": "0",
        "held_reads": "0",
        "backup_days": "7",
        "backups_until": until.isoformat(),
    }
    assert {name: written[name] for name in expected} == expected
    assert int(written["reads_bytes"]) > 0
    assert int(written["image_bytes"]) == sum(len(one.read.read_id) + 16 for one in reads)
    assert len(written) <= 48
    assert written["gone"].startswith("Gone: ")


@pytest.mark.clause("IV.E.1")
async def test_a_day_of_which_a_read_may_still_be_found_is_not_touched(rig: Rig) -> None:
    kept = [day_ago(90), day_ago(89)]
    for day in kept:
        await rig.plant(reads_of(day, 1))

    assert await rig.purger.run() == 0
    assert await rig.rows() == 2
    assert rig.days_with_images() == {str(day) for day in kept}
    for day in kept:
        with pytest.raises(DayKeptError):
            await rig.store.begin(Purge(uuid4(), uuid4(), day))


@pytest.mark.clause("IV.E.1")
async def test_what_is_kept_stays_in_the_dictionary_when_an_older_day_of_its_plate_goes(rig: Rig) -> None:
    await rig.plant([*reads_of(OVER, 1, plate="BOTH1"), *reads_of(day_ago(3), 1, plate="BOTH1")])

    await rig.purger.run()

    (row,) = await rig.admin("SELECT days FROM archive.plate_seen WHERE plate = 'BOTH1'")
    assert row["days"] == [day_ago(3)]
    assert await rig.rows() == 1


async def test_images_that_arrive_late_are_removed_and_certified_by_themselves(rig: Rig) -> None:
    await rig.plant(reads_of(OVER, 1))
    await rig.purger.run()
    await rig.objects.put(f"days/{OVER}/{'ab' * 32}", b"late")

    assert await rig.purger.run() == 1

    first, second = rig.log.certificates()
    assert (first["reads"], second["reads"]) == ("1", "0")
    assert (second["images"], second["day_key"]) == ("1", "none")
    assert rig.days_with_images() == set()


async def test_the_daily_run_is_made_once_a_day(rig: Rig) -> None:
    await rig.plant(reads_of(OVER, 1))

    first = await rig.purger.run_if_due()
    await rig.plant(reads_of(OVER - timedelta(days=1), 1))
    again = await rig.purger.run_if_due()
    await rig.admin("UPDATE archive.setting SET purged_on = purged_on - 1")
    next_day = await rig.purger.run_if_due()

    assert (first, again, next_day) == (1, 0, 1)


async def test_one_replica_purges_at_a_time(rig: Rig) -> None:
    await rig.plant(reads_of(OVER, 1))

    async with rig.store.alone() as mine:
        assert mine
        assert await rig.purger.run() is None

    assert await rig.purger.run() == 1


@pytest.mark.clause("IV.E.1")
async def test_a_reader_that_takes_its_time_puts_a_purge_off_and_loses_nothing(rig: Rig) -> None:
    await rig.plant(reads_of(OVER, 2))
    reader = await asyncpg.connect(rig.database.admin_url)
    transaction = reader.transaction()
    await transaction.start()
    await reader.fetch("SELECT count(*) FROM archive.read")
    purge = Purge(uuid4(), uuid4(), OVER)
    await rig.store.begin(purge)

    with pytest.raises(Exception, match="database"):
        await rig.store.drop_day(purge, {})
    untouched = await rig.rows()
    await transaction.rollback()
    await reader.close()
    await rig.store.drop_day(purge, {})

    assert (untouched, await rig.rows()) == (2, 0)


@pytest.mark.clause("IV.E.1.a", "IV.E.1.b")
async def test_the_archive_follows_only_what_audit_signed_and_never_backwards(rig: Rig) -> None:
    def statement(revision: int, days: int, key: bytes = PERMIT_KEY) -> str:
        return signed(f"retention/v1|{revision}|{days}", key)

    assert await rig.store.follow(statement(5, 30)) == 30
    assert await rig.store.follow(statement(4, 3650)) == 30
    forged = [
        statement(9, 3650, b"x" * 32),
        statement(9, 3650).replace("3650", "3651"),
        signed("v1|9|3650", PERMIT_KEY),
        "retention/v1|9|3650|",
        "",
    ]
    for one in forged:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await rig.store.follow(one)
    (row,) = await rig.admin("SELECT retention_days, revision FROM archive.setting")
    assert tuple(row) == (30, 5)


@pytest.mark.clause("IV.E.1")
async def test_the_purge_login_drops_no_day_within_the_period_whoever_asks(rig: Rig) -> None:
    await add_day(rig.database, day_ago(5))
    connection = await asyncpg.connect(rig.database.url("search_purge"))
    try:
        for statement in (
            "SELECT archive.drop_day(gen_random_uuid(), '{}', '{}')",
            f"SELECT archive.begin_purge(gen_random_uuid(), gen_random_uuid(), '{day_ago(5)}')",
        ):
            with pytest.raises(asyncpg.ObjectNotInPrerequisiteStateError):
                await connection.execute(statement)
        for statement in (
            f"DROP TABLE archive.read_{day_ago(5):%Y%m%d}",
            "UPDATE archive.setting SET retention_days = 1",
            "SELECT * FROM archive.held_read",
            "SELECT * FROM archive.hold",
            "DELETE FROM archive.purge",
            "SELECT archive.seal_held(current_date, '{}', '{}', 1)",
            "SELECT archive.day_content('archive', 'read')",
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(statement)
    finally:
        await connection.close()


@pytest.mark.clause("IV.E.1", "IV.E.1.a")
async def test_the_doctor_names_every_place_with_something_older(rig: Rig) -> None:
    await rig.plant([archived_read(noon(OVER), plate="OLD1"), archived_read(noon(day_ago(1)), plate="NEW1")])
    await rig.admin("CREATE TABLE archive.forgotten (note text)")
    await rig.admin("CREATE TABLE public.my_copy AS SELECT plate, capture_time FROM archive.read")

    found = {one.place: one for one in await rig.store.older()}

    partition = f"archive.read_{OVER:%Y%m%d}"
    assert (found[partition].row_count, found[partition].oldest, found[partition].why) == (1, OVER, "OLDER")
    assert found["archive.plate_seen"].oldest == found["archive.place_seen"].oldest == OVER
    assert found["archive.forgotten"].why == "UNKNOWN"
    assert found["public.my_copy"].why == "COPY"
    assert set(found) == {
        partition,
        "archive.plate_seen",
        "archive.place_seen",
        "archive.forgotten",
        "public.my_copy",
    }


@pytest.mark.clause("IV.E.1")
async def test_after_a_purge_the_doctor_finds_nothing(rig: Rig) -> None:
    await rig.plant([archived_read(noon(OVER)), archived_read(noon(day_ago(1)))])
    await rig.purger.run()

    assert await rig.store.older() == []
