"""Legal holds in the database: what they keep, who gets at it, and when it ends."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast
from uuid import UUID, uuid4

import asyncpg
import pytest
import pytest_asyncio

from services.search.acts import ActPlan, Acts, Intent
from services.search.app_holds import Holds
from services.search.core.holds import HoldRule, NewHold, held_reads
from services.search.road import QuestionRoad
from services.search.store_holds import HoldStore
from tests.support.databases import MigratedDatabase
from tests.support.search_kit import (
    FIND_READS,
    ORI,
    OTHER_ORI,
    General,
    Plate,
    archived_read,
    now,
    permit_for,
    us,
)
from tests.support.search_retention import Rig, day_ago, noon, purging, reads_of

OVER, PLATE = day_ago(92), "HELD001"
FIND_HELD = "SELECT archive.find_held($1, $2, $3, $4, $5, $6)"
FIND_IMAGE = "SELECT archive.find_held_image($1, $2, $3, $4, $5, $6)"
ANSWER = "SELECT answer FROM archive.general_computed($1, 'held') AS t (answer)"
KEY = "SELECT image_key FROM archive.held_image_key($1, $2, $3)"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def database(migrated_database: Callable[..., Awaitable[MigratedDatabase]]) -> MigratedDatabase:
    return await migrated_database("search")


@pytest_asyncio.fixture
async def rig(database: MigratedDatabase, tmp_path: Path) -> AsyncIterator[Rig]:
    async with purging(database, tmp_path) as made:
        yield made
        await made.admin("UPDATE archive.hold SET released_at = now() WHERE released_at IS NULL")
        await made.admin("DELETE FROM archive.held_read")


@pytest_asyncio.fixture
async def login(database: MigratedDatabase) -> AsyncIterator[asyncpg.Connection]:
    """The login that may ask."""
    connection = await asyncpg.connect(database.url("search_question"))
    yield connection
    await connection.close()


async def hold(rig: Rig, *plates: str, sensors: tuple[str, ...] = (), agency: str = ORI) -> UUID:
    """A hold in force since long ago."""
    rule = HoldRule(plates, sensors, noon(day_ago(80)), noon(day_ago(-30)))
    new = NewHold(uuid4(), rule, b"d" * 32, "order of the court", "CAD", "2026-004711")
    pool = rig.store._pool
    await HoldStore(pool, pool).place(Intent(uuid4(), "coordinator", agency), new)
    await rig.admin("UPDATE archive.hold SET from_time = from_time - interval '400 days'")
    return new.hold_id


def held(hold_id: UUID, after: UUID | None = None, size: int = 100) -> General:
    named = (("hold_id", str(hold_id)), ("after_read_id", str(after or "")))
    return General("held", named, (hold_id, after), from_us=0, page_size=size)


def picture(hold_id: UUID, read_id: UUID) -> General:
    named = (("hold_id", str(hold_id)), ("read_id", str(read_id)))
    return General("heldimage", named, (hold_id, read_id), from_us=0, page_size=1)


async def asked(login: asyncpg.Connection, question: General, **permit: Any) -> list[str]:
    """Plates of what the hold keeps, by the question road's two steps."""
    token = permit_for(question, **permit)
    await login.execute(FIND_HELD, token, *question.arguments())
    rows = json.loads(await login.fetchval(ANSWER, token))
    assert all("image_key" not in row for row in rows)
    return [read.plate for read in held_reads(rows)]


@pytest.mark.clause("IV.E.3")
@pytest.mark.parametrize(
    ("rule", "kept"),
    [
        ({"plates": (PLATE,)}, ["HELD001", "HELD001"]),
        ({"plates": (PLATE, "OTHER1")}, ["HELD001", "HELD001", "OTHER1"]),
        ({"plates": (), "sensors": ("cam-7",)}, ["HELD001", "OTHER1"]),
        ({"plates": (PLATE,), "sensors": ("cam-7",)}, ["HELD001"]),
        ({"plates": ("NOBODY1",)}, []),
        ({"plates": (PLATE,), "agency": OTHER_ORI}, []),
    ],
)
async def test_a_hold_keeps_what_its_rule_covers_and_nothing_else(
    rig: Rig, login: asyncpg.Connection, rule: dict[str, Any], kept: list[str]
) -> None:
    reads = [*reads_of(OVER, 2, plate=PLATE), *reads_of(OVER, 1, plate="OTHER1"), *reads_of(OVER, 1)]
    for one in (reads[0], reads[2]):
        one.read.sensor_id = "cam-7"
    await rig.plant(reads)
    plates = rule.pop("plates")
    hold_id = await hold(rig, *plates, **rule)

    await rig.admin("UPDATE archive.setting SET purged_on = NULL")
    await rig.purger.run()

    agencies = (rule.get("agency", ORI),)
    assert sorted(await asked(login, held(hold_id), agencies=agencies)) == kept
    assert await rig.rows() == 0


@pytest.mark.clause("IV.E.3", "IV.A.5")
async def test_what_is_held_is_given_out_by_permit_and_within_its_scope_only(
    rig: Rig, login: asyncpg.Connection
) -> None:
    (read,) = reads_of(OVER, 1, plate=PLATE)
    await rig.plant([read])
    hold_id, read_id = await hold(rig, PLATE), UUID(read.read.read_id)
    await rig.purger.run()
    question, image = held(hold_id), picture(hold_id, read_id)

    outside: tuple[dict[str, Any], ...] = (
        {"agencies": (OTHER_ORI,)},
        {"groups": ("unmarked-cars",)},
        {"from_us": us(now() - timedelta(days=90))},
        {"to_us": us(now() - timedelta(days=120))},
    )
    for scope in outside:
        assert await asked(login, question, **scope) == []
        token = permit_for(image, **scope)
        await login.execute(FIND_IMAGE, token, *image.arguments())
        assert await login.fetch(KEY, token, hold_id, read_id) == []
    forged: tuple[dict[str, Any], ...] = (
        {"key": b"x" * 32},
        {"kind": "reads"},
        {"life": timedelta(seconds=-1)},
    )
    for changes in forged:
        for find, one in ((FIND_HELD, question), (FIND_IMAGE, image)):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await login.execute(find, permit_for(one, **changes), *one.arguments())

    for find, one, other in (
        (FIND_HELD, question, held(uuid4())),
        (FIND_IMAGE, image, picture(hold_id, uuid4())),
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await login.execute(find, permit_for(other), *one.arguments())

    token = permit_for(image)
    await login.execute(FIND_IMAGE, token, *image.arguments())
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await login.execute(FIND_IMAGE, token, *image.arguments())
    assert await login.fetch(KEY, token, uuid4(), read_id) == []
    assert await login.fetch(KEY, token, hold_id, uuid4()) == []
    assert (await login.fetchval(KEY, token, hold_id, read_id)) == read.read.image.image_key
    for statement in ("SELECT * FROM archive.held_read", "SELECT * FROM archive.hold"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await login.execute(statement)


async def test_what_is_held_is_given_out_in_stable_pages(rig: Rig, login: asyncpg.Connection) -> None:
    await rig.plant(reads_of(OVER, 5, plate=PLATE))
    hold_id = await hold(rig, PLATE)
    await rig.admin("UPDATE archive.setting SET purged_on = NULL")
    await rig.purger.run()

    found: list[UUID] = []
    while True:
        question = held(hold_id, found[-1] if found else None, size=2)
        token = permit_for(question)
        await login.execute(FIND_HELD, token, *question.arguments())
        page = held_reads(json.loads(await login.fetchval(ANSWER, token)))
        if not page:
            break
        found += [read.read_id for read in page]

    assert len(found) == 5
    assert found == sorted(set(found))


@pytest.mark.clause("IV.E.3", "IV.E.1")
async def test_a_hold_never_revives_what_was_too_old_when_it_was_placed(rig: Rig) -> None:
    await rig.plant(reads_of(OVER, 1, plate=PLATE))
    rule = HoldRule((PLATE,), (), noon(day_ago(300)), noon(day_ago(0)))
    new = NewHold(uuid4(), rule, b"d" * 32, "order of the court", "CAD", "2026-004711")
    pool = rig.store._pool

    matching = await HoldStore(pool, pool).place(Intent(uuid4(), "coordinator", ORI), new)
    await rig.admin("UPDATE archive.setting SET purged_on = NULL")
    await rig.purger.run()

    assert matching == 0
    assert await rig.rows("archive.held_read") == 0


@pytest.mark.clause("IV.E.3")
async def test_with_the_hold_go_its_reads_its_pictures_and_its_key(rig: Rig) -> None:
    await rig.plant(reads_of(OVER, 2, plate=PLATE))
    hold_id = await hold(rig, PLATE)
    await rig.admin("UPDATE archive.setting SET purged_on = NULL")
    await rig.purger.run()
    folder = rig.folder / "holds" / str(hold_id)
    before = len(list(folder.iterdir()))
    pool = rig.store._pool

    released = await HoldStore(pool, pool).release(hold_id, Intent(uuid4(), "coordinator", ORI))
    # The process ends before it comes to the pictures; the next run of the purge finds them.
    await rig.purger.run()

    assert before == 3
    assert released is not None
    assert released[0] == 2
    assert await rig.rows("archive.held_read") == 0
    assert not folder.exists()
    (row,) = await rig.admin("SELECT plates, sensor_ids FROM archive.hold WHERE hold_id = $1", hold_id)
    assert tuple(row) == ([], [])


@pytest.mark.clause("IV.E.1")
async def test_a_read_is_out_of_reach_from_the_first_instant_past_the_period(
    rig: Rig, login: asyncpg.Connection
) -> None:
    plate, still = "EDGE001", timedelta(seconds=4)
    captured = datetime.now(UTC) - timedelta(days=90) + still
    await rig.plant([archived_read(captured, plate=plate)])

    async def found() -> int:
        question = Plate(plate, from_us=us(captured - timedelta(days=1)))
        token = permit_for(question)
        await login.execute(FIND_READS, token, *question.arguments())
        return len(await login.fetch("SELECT read_id FROM archive.general_reads($1, 'reads')", token))

    before = await found()
    while datetime.now(UTC) - timedelta(days=90) <= captured:
        await login.fetch("SELECT pg_sleep(0.2)")
    after = await found()

    assert (before, after) == (1, 0)
    # It is there, and no purge has run; the day is not even over.
    assert (await rig.admin("SELECT count(*) FROM archive.read WHERE plate = $1", plate))[0][0] == 1


@pytest.mark.clause("IV.E.3", "III.B.3.d")
async def test_acts_that_a_crash_left_without_an_outcome_get_theirs_once(rig: Rig) -> None:
    await rig.plant(reads_of(OVER, 2, plate=PLATE))
    placed, released = await hold(rig, PLATE), await hold(rig, PLATE)
    await rig.admin("UPDATE archive.setting SET purged_on = NULL")
    await rig.purger.run()
    pool = rig.store._pool
    store = HoldStore(pool, pool)
    await store.release(released, Intent(uuid4(), "coordinator", ORI))
    await rig.admin(
        "UPDATE archive.hold SET placed_at = placed_at - interval '2 minutes',"
        " released_at = released_at - interval '2 minutes' WHERE hold_id = ANY ($1)",
        [placed, released],
    )
    for row in await rig.admin("SELECT intent_id, release_intent_id FROM archive.hold"):
        rig.log.intents.update({one: ActPlan(uuid4(), "hold", "") for one in row if one is not None})
    rig.log.outcomes.clear()
    holds = Holds(cast(Acts, rig.log), store, rig.images, cast(QuestionRoad, None))

    counts = [await holds.settle(), await holds.settle()]

    mine = [one for one in rig.log.certificates() if one.get("reads") == "2"]
    assert counts[1] == 0
    assert len(mine) == 1
    assert len(rig.log.certificates()) == counts[0] >= 3
    assert not (rig.folder / "holds" / str(released)).exists()
    assert (rig.folder / "holds" / str(placed)).exists()
