"""Legal holds in the database, in both houses: what they keep, who gets at it, and when it ends."""

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

from alpr.search.v1 import archive_service_pb2 as archive_pb
from services.common.errors import StorageUnavailableError
from services.common.imagecrypt import SealError, open_image
from services.search.acts import ActPlan, Acts
from services.search.app_holds import HoldHouse, Holds
from services.search.core.hold_seal import (
    HoldSealError,
    open_held,
    open_held_image_key,
    open_held_read,
)
from services.search.core.holds import HoldRule, held_reads
from services.search.core.houses import HouseNames
from services.search.road import QuestionRoad
from tests.support.databases import MigratedDatabase
from tests.support.search_holds import (
    HOUSES,
    LOGINS,
    held_permit,
    held_question,
    key_of,
    new_hold,
    picture_question,
    place,
    releasing,
)
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
from tests.support.search_retention import HOLD_KEKS, Rig, day_ago, noon, purging, reads_of

OVER, PLATE = day_ago(92), "HELD001"
REASON = "the case is closed"
FIND = {
    "held": "SELECT archive.find_held($1, $2, $3, $4, $5, $6)",
    "heldimage": "SELECT archive.find_heldimage($1, $2, $3, $4, $5, $6)",
    "mcsheld": "SELECT motor_carrier.find_mcsheld($1, $2, $3, $4, $5, $6)",
    "mcsheldimage": "SELECT motor_carrier.find_mcsheldimage($1, $2, $3, $4, $5, $6)",
}
READS = "SELECT * FROM {0.schema}.held_reads($1, $2, $3, $4, $5, $6)"
KEY = "SELECT * FROM {0.schema}.held_image_key($1, $2, $3, $4, $5, $6)"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def database(migrated_database: Callable[..., Awaitable[MigratedDatabase]]) -> MigratedDatabase:
    return await migrated_database("search")


@pytest.fixture(params=HOUSES, ids=[one.schema for one in HOUSES])
def names(request: pytest.FixtureRequest) -> HouseNames:
    """The house that is put to the test."""
    return cast(HouseNames, request.param)


@pytest_asyncio.fixture
async def rig(database: MigratedDatabase, tmp_path: Path) -> AsyncIterator[Rig]:
    async with purging(database, tmp_path) as made:
        yield made
        for one in HOUSES:
            await made.admin(f"DELETE FROM {one.schema}.held_read")  # noqa: S608 -- a constant
            await made.admin(f"DELETE FROM {one.schema}.hold")  # noqa: S608 -- a constant
            await made.admin(f"DELETE FROM {one.schema}.read")  # noqa: S608 -- a constant


@pytest_asyncio.fixture
async def login(database: MigratedDatabase, names: HouseNames) -> AsyncIterator[asyncpg.Connection]:
    """The login that may ask."""
    connection = await asyncpg.connect(database.url(LOGINS[names.schema][1]))
    yield connection
    await connection.close()


async def hold(
    rig: Rig, names: HouseNames, *plates: str, sensors: tuple[str, ...] = (), agency: str = ORI
) -> UUID:
    """A hold in force since long ago."""
    new = new_hold(HoldRule(plates, sensors, noon(day_ago(80)), noon(day_ago(-30))))
    await place(rig.holds(names), rig.house(names).keys, names, new, agency=agency)
    earlier = f"UPDATE {names.schema}.hold SET from_time = from_time - interval '400 days'"  # noqa: S608 -- a constant
    await rig.admin(earlier)
    return new.hold_id


async def purge(rig: Rig) -> None:
    await rig.admin("UPDATE archive.setting SET purged_on = NULL")
    await rig.purger.run()


async def find(login: asyncpg.Connection, names: HouseNames, question: General, token: str) -> None:
    assert question.kind.startswith(names.kinds)
    await login.execute(FIND[question.kind], token, *question.arguments())


async def asked(
    login: asyncpg.Connection, rig: Rig, names: HouseNames, hold_id: UUID, **permit: Any
) -> list[str]:
    """Plates of what the hold keeps, by the question road's two steps."""
    question = held_question(names, hold_id)
    token = held_permit(names, question, **permit)
    await find(login, names, question, token)
    rows = await login.fetch(READS.format(names), token, *question.arguments())
    if not rows:
        return []
    key = rig.house(names).keys.opened(hold_id, rows[0]["wrapped_key"])
    opened = [json.loads(open_held_read(key, hold_id, one["read_id"], one["sealed_read"])) for one in rows]
    assert all("image_key" not in row for row in opened)
    return [read.plate for read in held_reads(opened)]


def at_sensor(read: archive_pb.ArchivedRead, sensor_id: str) -> archive_pb.ArchivedRead:
    read.read.sensor_id = sensor_id
    return read


@pytest.mark.clause("IV.E.3", "II.H")
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
    rig: Rig, login: asyncpg.Connection, names: HouseNames, rule: dict[str, Any], kept: list[str]
) -> None:
    reads = [*reads_of(OVER, 2, plate=PLATE), *reads_of(OVER, 1, plate="OTHER1"), *reads_of(OVER, 1)]
    for one in (reads[0], reads[2]):
        at_sensor(one, "cam-7")
    for house in HOUSES:
        await rig.plant(reads, house)
    plates, others = rule["plates"], {name: value for name, value in rule.items() if name != "plates"}
    hold_id = await hold(rig, names, *plates, **others)

    await purge(rig)

    agencies = (rule.get("agency", ORI),)
    assert sorted(await asked(login, rig, names, hold_id, agencies=agencies)) == kept
    assert await rig.rows() == await rig.rows("motor_carrier.read") == 0
    # The other house has the same reads, and no hold.
    (other,) = set(HOUSES) - {names}
    assert await rig.rows(f"{other.schema}.held_read") == 0
    assert await rig.rows(f"{names.schema}.held_read") == len(kept)


@pytest.mark.clause("IV.E.3", "IV.A.5", "II.H")
async def test_what_is_held_is_given_out_by_permit_and_within_its_scope_only(
    rig: Rig, login: asyncpg.Connection, names: HouseNames
) -> None:
    (read,) = reads_of(OVER, 1, plate=PLATE)
    await rig.plant([read], names)
    hold_id, read_id = await hold(rig, names, PLATE), UUID(read.read.read_id)
    await purge(rig)
    question, image = held_question(names, hold_id), picture_question(names, hold_id, read_id)
    (other_house,) = set(HOUSES) - {names}

    outside: tuple[dict[str, Any], ...] = (
        {"agencies": (OTHER_ORI,)},
        {"groups": ("unmarked-cars",)},
        {"from_us": us(now() - timedelta(days=90))},
        {"to_us": us(now() - timedelta(days=120))},
    )
    for scope in outside:
        assert await asked(login, rig, names, hold_id, **scope) == []
        token = held_permit(names, image, **scope)
        await find(login, names, image, token)
        assert await login.fetch(KEY.format(names), token, *image.arguments()) == []
    forged: tuple[dict[str, Any], ...] = (
        {"key": b"x" * 32},
        {"key": key_of(other_house)},
        {"kind": names.kind("reads")},
        {"kind": other_house.kind("held")},
        {"life": timedelta(seconds=-1)},
    )
    for changes in forged:
        for one in (question, image):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await find(login, names, one, held_permit(names, one, **changes))

    for one, other in (
        (question, held_question(names, uuid4())),
        (image, picture_question(names, hold_id, uuid4())),
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await find(login, names, one, held_permit(names, other))

    await assert_answers_bind(login, rig, names, (question, image, read))
    for table in ("held_read", "hold"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await login.execute(f"SELECT * FROM {names.schema}.{table}")  # noqa: S608 -- constants


async def assert_answers_bind(
    login: asyncpg.Connection,
    rig: Rig,
    names: HouseNames,
    world: tuple[General, General, archive_pb.ArchivedRead],
) -> None:
    """A used permit gives the answer to its own question and none to another, and is used once."""
    question, image, read = world
    hold_id, read_id = cast(UUID, image.typed[0]), UUID(read.read.read_id)
    for one, statement in ((question, READS), (image, KEY)):
        token = held_permit(names, one)
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await login.fetch(statement.format(names), token, *one.arguments())
        await find(login, names, one, token)
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await find(login, names, one, token)
        for typed in ((uuid4(), one.typed[1]), (hold_id, uuid4())):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await login.fetch(statement.format(names), token, *one.arguments()[:3], *typed)
        (row,) = await login.fetch(statement.format(names), token, *one.arguments())
    key = rig.house(names).keys.opened(hold_id, row["wrapped_key"])
    sealed = row["sealed_image_key"]
    assert open_held_image_key(key, hold_id, read_id, sealed) == read.read.image.image_key
    for wrong in ((key, hold_id, uuid4()), (key, uuid4(), read_id), (b"w" * 32, hold_id, read_id)):
        with pytest.raises(HoldSealError):
            open_held_image_key(*wrong, sealed)


@pytest.mark.clause("IV.E.3", "IV.A.5")
async def test_in_the_database_lies_no_plate_no_place_and_no_key_of_what_is_held(
    rig: Rig, names: HouseNames
) -> None:
    (read,) = reads_of(OVER, 1, plate="SEALED77")
    await rig.plant([read], names)
    await hold(rig, names, "SEALED77")
    await purge(rig)

    (row,) = await rig.admin(f"SELECT * FROM {names.schema}.held_read")  # noqa: S608 -- a constant
    (plates,) = await rig.admin(f"SELECT wrapped_key, key_digest FROM {names.schema}.hold")  # noqa: S608

    everything = b"".join(
        one if isinstance(one, bytes) else str(one).encode() for one in (*row.values(), *plates.values())
    )
    place = read.read.place
    for secret in ("SEALED77", place.description, str(place.latitude), read.read.sensor_id):
        assert secret.encode() not in everything
    assert read.read.image.image_key not in everything
    assert read.read.lattice.SerializeToString() not in everything


@pytest.mark.clause("IV.E.3", "IV.A.5")
async def test_every_login_every_wrapping_key_and_the_object_store_open_no_held_picture_without_a_permit(
    rig: Rig, names: HouseNames
) -> None:
    (read,) = reads_of(OVER, 1, plate=PLATE)
    await rig.plant([read], names)
    hold_id, sha256 = await hold(rig, names, PLATE), read.read.image.sha256
    await purge(rig)
    house = rig.house(names)
    # All that the process has without a question on record: the hold's key, and what lies in the store.
    key = house.keys.opened(hold_id, (await house.store.keys(OVER))[hold_id])
    stored = (rig.folder / names.holds / str(hold_id) / sha256.hex()).read_bytes()
    inner = open_held(key, hold_id, sha256, stored)

    assert read.read.read_id.encode() not in inner
    for guess in (key, *HOLD_KEKS.values(), bytes(32)):
        with pytest.raises(SealError):
            open_image(guess, OVER, sha256, inner)
    # With the key of the day's own row, which a permit alone gives out, it does.
    assert open_image(read.read.image.image_key, OVER, sha256, inner) == read.read.read_id.encode()


async def test_what_is_held_is_given_out_in_stable_pages(
    rig: Rig, login: asyncpg.Connection, names: HouseNames
) -> None:
    await rig.plant(reads_of(OVER, 5, plate=PLATE), names)
    hold_id = await hold(rig, names, PLATE)
    await purge(rig)

    found: list[UUID] = []
    while True:
        question = held_question(names, hold_id, found[-1] if found else None, size=2)
        token = held_permit(names, question)
        await find(login, names, question, token)
        page = await login.fetch(READS.format(names), token, *question.arguments())
        if not page:
            break
        found += [row["read_id"] for row in page]

    assert len(found) == 5
    assert found == sorted(set(found))


@pytest.mark.clause("IV.E.3", "IV.E.1")
async def test_a_hold_never_revives_what_was_too_old_when_it_was_placed(rig: Rig, names: HouseNames) -> None:
    await rig.plant(reads_of(OVER, 1, plate=PLATE), names)
    new = new_hold(HoldRule((PLATE,), (), noon(day_ago(300)), noon(day_ago(0))))

    matching = await place(rig.holds(names), rig.house(names).keys, names, new)
    await purge(rig)

    assert matching == 0
    assert await rig.rows(f"{names.schema}.held_read") == 0


@pytest.mark.clause("IV.E.3")
async def test_with_the_hold_go_its_reads_its_pictures_and_its_key(rig: Rig, names: HouseNames) -> None:
    await rig.plant(reads_of(OVER, 2, plate=PLATE), names)
    hold_id = await hold(rig, names, PLATE)
    await purge(rig)
    folder = rig.folder / names.holds / str(hold_id)
    before = len(list(folder.iterdir()))

    released = await rig.holds(names).release(hold_id, releasing(names, hold_id).intent(), REASON)
    # The process ends before it comes to the pictures; the next run of the purge finds them.
    await rig.purger.run()

    assert before == 2
    assert released is not None
    assert released[0] == 2
    assert await rig.rows(f"{names.schema}.held_read") == 0
    assert not folder.exists()
    columns = "plates, sensor_ids, wrapped_key, key_digest"
    statement = f"SELECT {columns} FROM {names.schema}.hold WHERE hold_id = $1"  # noqa: S608 -- a constant
    (row,) = await rig.admin(statement, hold_id)
    assert tuple(row) == ([], [], None, None)


@pytest.mark.clause("IV.E.3")
async def test_a_day_with_more_held_reads_than_are_sealed_at_once_is_kept_whole(
    rig: Rig, login: asyncpg.Connection, names: HouseNames, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.search.store_held.SEALED_AT_ONCE", 2)
    await rig.plant(reads_of(OVER, 5, plate=PLATE), names)
    hold_id = await hold(rig, names, PLATE)

    await purge(rig)

    assert await asked(login, rig, names, hold_id) == [PLATE] * 5
    (certificate,) = [one for one in rig.log.certificates() if one[f"{names.steps}held_reads"] == "5"]
    assert (certificate[f"{names.steps}holds"], certificate[f"{names.steps}held_images"]) == ("1", "5")


@pytest.mark.clause("IV.E.3")
async def test_no_day_ends_without_the_keys_that_its_holds_were_placed_with(
    rig: Rig, names: HouseNames
) -> None:
    await rig.plant(reads_of(OVER, 1, plate=PLATE), names)
    hold_id, table = await hold(rig, names, PLATE), f"{names.schema}.read"
    await rig.purger.finish()
    purge_login = rig.pools[LOGINS[names.schema][0]]
    day, purge_id = OVER, uuid4()
    if names is HOUSES[0]:
        await purge_login.execute("SELECT archive.begin_purge($1, $2, $3)", purge_id, uuid4(), day)
        drop, arguments = "SELECT archive.drop_day($1, $2, $3)", (purge_id,)
    else:
        drop, arguments = "SELECT motor_carrier.drop_day($1, $2, $3, $4)", (purge_id, day)  # type: ignore[assignment]
    seal = f"SELECT {names.schema}.seal_day($1, $2, $3, 100)"

    for hold_ids, keys in (([], []), ([hold_id], [b"x" * 32]), ([uuid4()], [b"x" * 32])):
        for statement, named in ((drop, arguments), (seal, (day,))):
            with pytest.raises(asyncpg.InvalidParameterValueError):
                await purge_login.execute(statement, *named, hold_ids, keys)

    assert await rig.rows(table) == 1
    if names is HOUSES[0]:
        await rig.admin("DELETE FROM archive.purge WHERE purge_id = $1", purge_id)
    await purge(rig)
    assert (await rig.rows(table), await rig.rows(f"{names.schema}.held_read")) == (0, 1)


async def test_a_hold_whose_key_cannot_be_opened_keeps_its_day_from_ending(
    rig: Rig, names: HouseNames
) -> None:
    await rig.plant(reads_of(OVER, 1, plate=PLATE), names)
    await hold(rig, names, PLATE)
    await rig.admin(f"UPDATE {names.schema}.hold SET wrapped_key = 'broken'")  # noqa: S608 -- a constant

    with pytest.raises(StorageUnavailableError):
        await rig.house(names).seal(OVER)

    assert await rig.rows(f"{names.schema}.read") == 1


@pytest.mark.clause("IV.E.1")
async def test_a_read_is_out_of_reach_from_the_first_instant_past_the_period(
    rig: Rig, database: MigratedDatabase
) -> None:
    plate, still = "EDGE001", timedelta(seconds=4)
    captured = datetime.now(UTC) - timedelta(days=90) + still
    await rig.plant([archived_read(captured, plate=plate)])
    questions = rig.pools["search_question"]

    async def found() -> int:
        question = Plate(plate, from_us=us(captured - timedelta(days=1)))
        token = permit_for(question)
        await questions.execute(FIND_READS, token, *question.arguments())
        return len(await questions.fetch("SELECT read_id FROM archive.general_reads($1, 'reads')", token))

    before = await found()
    while datetime.now(UTC) - timedelta(days=90) <= captured:
        await questions.fetch("SELECT pg_sleep(0.2)")
    after = await found()

    assert (before, after) == (1, 0)
    # It is there, and no purge has run; the day is not even over.
    assert (await rig.admin("SELECT count(*) FROM archive.read WHERE plate = $1", plate))[0][0] == 1


@pytest.mark.clause("IV.E.3", "III.B.3.d")
async def test_acts_that_a_crash_left_without_an_outcome_get_theirs_once(rig: Rig, names: HouseNames) -> None:
    await rig.plant(reads_of(OVER, 2, plate=PLATE), names)
    placed, released = await hold(rig, names, PLATE), await hold(rig, names, PLATE)
    await purge(rig)
    house, store = rig.house(names), rig.holds(names)
    await store.release(released, releasing(names, released).intent(), REASON)
    await rig.admin(
        f"UPDATE {names.schema}.hold SET placed_at = placed_at - interval '2 minutes',"  # noqa: S608 -- a constant
        " released_at = released_at - interval '2 minutes' WHERE hold_id = ANY ($1)",
        [placed, released],
    )
    for row in await rig.admin(f"SELECT intent_id, release_intent_id FROM {names.schema}.hold"):  # noqa: S608
        rig.log.intents.update({one: ActPlan(uuid4(), "hold", "") for one in row if one is not None})
    rig.log.outcomes.clear()
    own = HoldHouse(store, house.images, house.keys)
    holds = Holds(cast(Acts, rig.log), own, cast(QuestionRoad, None))

    counts = [await holds.settle(), await holds.settle()]

    mine = [one for one in rig.log.certificates() if one.get("reads") == "2"]
    assert counts == [3, 0]
    assert len(mine) == 1
    assert len(rig.log.certificates()) == 3
    assert not (rig.folder / names.holds / str(released)).exists()
    assert (rig.folder / names.holds / str(placed)).exists()
