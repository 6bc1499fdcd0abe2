"""A purge that is killed at any step ends once when it is taken up, and keeps what is held."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any, cast
from uuid import UUID, uuid4

import pytest
import pytest_asyncio

from services.common.errors import AuditUnavailableError
from services.search.acts import ActPlan, Intent
from services.search.core.holds import HoldRule, NewHold
from services.search.store_holds import HoldStore
from services.search.store_purge import Purge
from tests.support.databases import MigratedDatabase
from tests.support.search_kit import ORI
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


async def hold(rig: Rig, plate: str) -> UUID:
    """A hold in force on the plate."""
    rule = HoldRule((plate,), (), noon(day_ago(80)), noon(day_ago(-30)))
    new = NewHold(uuid4(), rule, b"d" * 32, "order of the court", "CAD", "2026-004711")
    pool = rig.store._pool
    await HoldStore(pool, pool).place(Intent(uuid4(), "coordinator", ORI), new)
    # The hold was placed when the day was still within the period.
    await rig.admin("UPDATE archive.hold SET from_time = from_time - interval '400 days'")
    return new.hold_id


async def killed_once(rig: Rig, fatal: int, *, after: bool) -> list[str] | None:
    """Runs a purge that is killed at that call; the calls that it made, None when it ended before."""
    calls = count()
    parts = [Fatal(one, calls, fatal, after) for one in (rig.store, rig.images, rig.log)]
    purger = new_purger(*cast(Any, parts))
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
    hold_id = await hold(rig, HELD)
    for at in count():
        day -= timedelta(days=1)
        rig.log.outcomes.clear()
        reads = [*reads_of(day, 3, plate="GONE123"), *reads_of(day, 1, plate=HELD)]
        await rig.plant(reads)
        await rig.admin("UPDATE archive.setting SET purged_on = NULL")

        killed = await killed_once(rig, at, after=after)
        await new_purger(rig.store, rig.images, rig.log).run()

        (written,) = rig.log.certificates()
        held = reads[-1].read
        assert (written["range_from"][:10], written["reads"], written["images"]) == (str(day), "4", "4"), at
        assert (written["held_reads"], written["held_images"]) == ("1", "1"), at
        assert await rig.rows() == await rig.rows("archive.plate_seen") == 0
        assert rig.days_with_images() == set()
        (kept,) = await rig.admin("SELECT * FROM archive.held_read WHERE read_id = $1", UUID(held.read_id))
        image = await rig.images.held_image(hold_id, day, kept["image_sha256"], kept["image_key"])
        assert image == held.read_id.encode()
        assert not await rig.store.under_way()
        if killed is None:
            break
    assert at > 12


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
