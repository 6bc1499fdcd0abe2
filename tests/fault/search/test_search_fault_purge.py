"""A purge that is killed at any step ends once when it is taken up, and keeps what is held."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
import pytest_asyncio

from services.common.errors import AuditUnavailableError
from services.search.acts import ActPlan
from services.search.core.hold_seal import open_held_image_key
from services.search.core.holds import HoldRule
from services.search.core.houses import HouseNames
from services.search.purge import HeldHouse, Keeping
from services.search.store_purge import Purge
from tests.support.databases import MigratedDatabase
from tests.support.search_holds import HOUSES, new_hold, place
from tests.support.search_retention import Rig, day_ago, new_purger, noon, purging, reads_of

OVER = day_ago(92)
HELD = "HELD001"


class Killed(BaseException):
    """The process ends here."""


@dataclass
class Fatal:
    """Passes calls on, and ends the process before or after one of them."""

    target: Any
    calls: Iterator[int]
    fatal: int
    after: bool
    made: list[str] = field(default_factory=list)

    def __getattr__(self, name: str) -> Any:
        method = getattr(self.target, name)
        if not asyncio.iscoroutinefunction(method):
            return method

        async def call(*arguments: Any, **named: Any) -> Any:
            number = next(self.calls)
            self.made.append(name)
            if number == self.fatal and not self.after:
                raise Killed
            result = await method(*arguments, **named)
            if number == self.fatal:
                raise Killed
            return result

        return call


@pytest_asyncio.fixture
async def rig(
    migrated_database: Callable[..., Awaitable[MigratedDatabase]], tmp_path: Path
) -> AsyncIterator[Rig]:
    database = await migrated_database("search")
    async with purging(database, tmp_path) as made:
        yield made
    await database.drop()


async def hold(rig: Rig, names: HouseNames, plate: str) -> UUID:
    """A hold in force on the plate."""
    new = new_hold(HoldRule((plate,), (), noon(day_ago(80)), noon(day_ago(-30))))
    await place(rig.holds(names), rig.house(names).keys, names, new)
    # The hold was placed when the day was still within the period.
    earlier = f"UPDATE {names.schema}.hold SET from_time = from_time - interval '400 days'"  # noqa: S608 -- a constant
    await rig.admin(earlier)
    return new.hold_id


async def held_picture(rig: Rig, names: HouseNames, hold_id: UUID, read_id: UUID) -> bytes:
    """The picture of a held read, opened with the hold's key."""
    house, schema = rig.house(names), names.schema
    held = f"SELECT * FROM {schema}.held_read WHERE hold_id = $1 AND read_id = $2"  # noqa: S608 -- a constant
    (kept,) = await rig.admin(held, hold_id, read_id)
    wrapped = f"SELECT wrapped_key FROM {schema}.hold WHERE hold_id = $1"  # noqa: S608 -- a constant
    key = house.keys.opened(hold_id, (await rig.admin(wrapped, hold_id))[0][0])
    image_key = open_held_image_key(key, hold_id, read_id, kept["sealed_image_key"])
    return await house.images.image(hold_id, key, kept["image_day"], kept["image_sha256"], image_key)


async def killed_once(rig: Rig, fatal: int, *, after: bool) -> list[str] | None:
    """Runs a purge that is killed at that call; the calls that it made, None when it ended before."""
    calls = count()
    parts: list[Fatal] = []

    def fatal_part(target: Any) -> Any:
        parts.append(Fatal(target, calls, fatal, after))
        return parts[-1]

    houses = [
        HeldHouse(one.names, fatal_part(one.store), fatal_part(one.images), one.keys)
        for one in rig.keeping.houses
    ]
    keeping = Keeping(fatal_part(rig.images), houses)
    purger = new_purger(fatal_part(rig.store), keeping, fatal_part(rig.log))
    try:
        await purger.run()
    except Killed:
        return [name for part in parts for name in part.made]
    return None


@pytest.mark.clause("IV.E.1", "IV.E.3")
@pytest.mark.timeout(240)
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
async def test_a_purge_killed_at_any_call_is_finished_once(rig: Rig, after: bool) -> None:
    day, at = OVER, 0
    holds = [(one, await hold(rig, one, HELD)) for one in HOUSES]
    for at in count():
        day -= timedelta(days=1)
        rig.log.outcomes.clear()
        reads = [*reads_of(day, 3, plate="GONE123"), *reads_of(day, 1, plate=HELD)]
        for names in HOUSES:
            await rig.plant(reads, names)
        await rig.admin("UPDATE archive.setting SET purged_on = NULL")

        killed = await killed_once(rig, at, after=after)
        await new_purger(rig.store, rig.keeping, rig.log).run()

        (written,) = rig.log.certificates()
        held = reads[-1].read
        assert (written["range_from"][:10], written["reads"], written["images"]) == (str(day), "4", "8"), at
        assert written["motor_carrier_reads"] == "4", at
        kept = ("held_reads", "held_images", "motor_carrier_held_reads", "motor_carrier_held_images")
        assert [written[one] for one in kept] == ["1"] * 4, at
        assert await rig.rows() == await rig.rows("archive.plate_seen") == 0
        assert rig.days_with_images() == set()
        for names, hold_id in holds:
            picture = await held_picture(rig, names, hold_id, UUID(held.read_id))
            assert picture == held.read_id.encode()
        assert not await rig.store.under_way()
        if killed is None:
            break
    assert at > 20


async def test_without_audit_nothing_begins_and_what_began_waits(rig: Rig) -> None:
    await rig.plant(reads_of(OVER, 2))
    rig.log.away = True

    with pytest.raises(AuditUnavailableError):
        await rig.purger.run()
    begun = await rig.rows()
    rig.log.away = False
    await rig.purger.run()

    assert (begun, await rig.rows()) == (2, 0)
    assert len(rig.log.certificates()) == 1


async def test_a_purge_whose_day_is_kept_again_is_given_up_and_recorded_so(rig: Rig) -> None:
    day = OVER - timedelta(days=60)
    await rig.plant(reads_of(day, 1))
    intent = await rig.log.begin(ActPlan(uuid4(), "reads.purge", f"day/{day}"))
    await rig.store.begin(Purge(uuid4(), intent.intent_id, day))
    await rig.admin("UPDATE archive.setting SET retention_days = 365")

    await rig.purger.finish()

    await rig.admin("UPDATE archive.setting SET retention_days = 90")
    assert await rig.rows() == 1
    assert list(rig.log.outcomes.values()) == [None]
    assert not await rig.store.under_way()
    assert await rig.purger.run() == 1
