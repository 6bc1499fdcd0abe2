"""Misuse is flagged once whatever dies and however many look (ENF-051 III.B.3.o)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from services.audit.app_log import Draft, Log
from services.audit.app_misuse import Misuse
from services.audit.bootstrap import found
from services.audit.config import read_signer
from services.audit.core.entry import EntryKind
from services.audit.core.misuse import Rule
from services.audit.core.misuse_rules import MOST_A_DAY
from services.audit.policies import load
from services.audit.store_conduct import ConductStore
from services.audit.store_log import LogStore
from services.common.errors import StorageUnavailableError
from services.common.pg import Pool, open_pool
from tests.support.audit_kit import ORI, ORIGIN, founding, write_keys
from tests.support.clock import ManualClock
from tests.support.databases import MigratedDatabase, fetch

pytestmark = pytest.mark.asyncio(loop_scope="session")
RULES = load(Path(__file__).parents[3] / "services/audit/policy").rules
FLAGS = "SELECT rule, noted FROM audit.misuse_flag ORDER BY raise_time"
EVENTS = "SELECT count(*) AS n FROM audit.log_field WHERE name = 'action' AND value = 'misuse.flagged'"


class House:
    """A founded database with a log, and somebody whose questions are put into it as they would come."""

    def __init__(
        self, database: MigratedDatabase, pool: Pool, log: Log, clock: ManualClock, who: str
    ) -> None:
        self.database, self.pool, self.log, self.clock, self.who = database, pool, log, clock, who

    def misuse(self, store: ConductStore | None = None) -> Misuse:
        return Misuse(self.log, store or ConductStore(self.pool), RULES)

    async def asks(self, plate: str, case: str) -> None:
        values = {
            **{"action": "question.reads", "actor": self.who, "actor_agency": ORI, "service": "search"},
            **{"question": f"kind:5:reads\nplate:{len(plate)}:{plate}", "case_number": case},
            **{"case_number_kind": "CAD", "purpose": "bank robbery, car seen leaving"},
            **{"offence_code": "ROBBERY", "decision": "allowed"},
        }
        await self.log.append(Draft(EntryKind.QUERY, "", values))

    async def follows(self, days: int) -> None:
        """The same plate day by day, for a case that is new each time."""
        for day in range(days):
            self.clock.advance(timedelta(days=1))
            await self.asks("EX12345", f"2026-{day:06d}")

    async def flags(self) -> list[tuple[str, bool]]:
        return [(row["rule"], row["noted"]) for row in await fetch(self.database.admin_url, FLAGS)]

    async def events(self) -> int:
        return int((await fetch(self.database.admin_url, EVENTS))[0]["n"])


@pytest.fixture
def house(
    migrated_database: Callable[..., Awaitable[MigratedDatabase]], tmp_path: Path
) -> Callable[[], object]:
    @asynccontextmanager
    async def opened() -> AsyncIterator[House]:
        database = await migrated_database("audit")
        signer = read_signer(ORIGIN, write_keys(tmp_path)[0])
        await found(database.admin_url, founding("https://idp.example.gov"), signer, datetime.now(UTC))
        pool = await open_pool(database.url("audit_app"), application_name="test")
        clock = ManualClock(datetime.now(UTC))
        log = Log(LogStore(pool), signer, clock)
        await log.open()
        rows = await fetch(database.admin_url, "SELECT account_id::text AS id FROM audit.account LIMIT 1")
        try:
            yield House(database, pool, log, clock, rows[0]["id"])
        finally:
            await log.close()
            await pool.close()

    return opened


@pytest.mark.clause("III.B.3.o")
async def test_replicas_that_look_at_once_flag_once(house: Callable[..., object]) -> None:
    async with house() as one:  # type: ignore[attr-defined]
        await one.follows(5)

        await asyncio.gather(*(one.misuse().look() for _ in range(4)))
        await asyncio.gather(*(one.misuse().note() for _ in range(4)))

        assert await one.flags() == [(Rule.REPEAT_TARGET, True)]
        assert await one.events() == 1


@pytest.mark.clause("III.B.3.o")
async def test_a_replica_that_dies_before_it_commits_leaves_the_work_to_the_next(
    house: Callable[..., object],
) -> None:
    class Dying(ConductStore):
        @asynccontextmanager
        async def turn(self) -> AsyncIterator[object]:  # type: ignore[override]
            async with super().turn() as turn:
                yield turn
                raise StorageUnavailableError("gone")

    async with house() as one:  # type: ignore[attr-defined]
        await one.follows(5)

        with pytest.raises(StorageUnavailableError):
            await one.misuse(Dying(one.pool)).look()
        before = await one.flags()
        await one.misuse().look()

        assert before == []
        assert await one.flags() == [(Rule.REPEAT_TARGET, False)]


@pytest.mark.clause("III.B.3.o")
async def test_a_flag_whose_event_was_written_but_not_ticked_off_is_one_event(
    house: Callable[..., object],
) -> None:
    class Dying(ConductStore):
        async def noted(self, flag_id: str) -> None:
            raise StorageUnavailableError("gone")

    async with house() as one:  # type: ignore[attr-defined]
        await one.follows(5)
        await one.misuse().look()

        with pytest.raises(StorageUnavailableError):
            await one.misuse(Dying(one.pool)).note()
        await one.misuse().note()

        assert await one.flags() == [(Rule.REPEAT_TARGET, True)]
        assert await one.events() == 1


async def test_what_is_flagged_does_not_depend_on_how_often_one_looks(house: Callable[..., object]) -> None:
    async with house() as one:  # type: ignore[attr-defined]
        for day in range(6):
            one.clock.advance(timedelta(days=1))
            await one.asks("EX12345", f"2026-{day:06d}")
            await one.misuse().look()

        assert await one.flags() == [(Rule.REPEAT_TARGET, False)]


async def test_what_is_redacted_is_forgotten_and_what_is_old_goes(house: Callable[..., object]) -> None:
    async with house() as one:  # type: ignore[attr-defined]
        await one.asks("EX12345", "2026-000001")
        await one.misuse().look()
        entry = await fetch(
            one.database.admin_url,
            "SELECT entry_id::text AS id FROM audit.log_leaf ORDER BY log_index DESC LIMIT 1",
        )
        values = {"action": "log.redact", "actor": str(uuid4()), "resource": entry[0]["id"]}
        await one.log.append(Draft(EntryKind.INTENT, "", values))
        await one.misuse().look()
        after_redaction = await fetch(one.database.admin_url, "SELECT count(*) AS n FROM audit.conduct")

        await one.asks("EX12345", "2026-000002")
        await one.misuse().look()
        one.clock.advance(timedelta(days=61))
        await one.asks("OT12345", "2026-000003")
        await one.misuse().look()
        kept = await fetch(one.database.admin_url, "SELECT count(*) AS n FROM audit.conduct")

        assert after_redaction[0]["n"] == 0
        assert kept[0]["n"] == 1


@pytest.mark.clause("III.B.3.k", "IV.A.2")
async def test_an_account_on_two_devices_in_turns_is_flagged_in_the_review_that_is_open(
    house: Callable[..., object],
) -> None:
    async with house() as one:  # type: ignore[attr-defined]
        await one.follows(5)
        values = {"action": "misuse.interleaved", "actor": one.who, "resource": one.who}
        await one.log.append(Draft(EntryKind.EVENT, "", values))

        await one.misuse().look()
        reviews = await fetch(
            one.database.admin_url, "SELECT count(DISTINCT review_id) AS n FROM audit.misuse_flag"
        )

        assert sorted(rule for rule, _ in await one.flags()) == [Rule.INTERLEAVED, Rule.REPEAT_TARGET]
        assert reviews[0]["n"] == 1


async def test_nobody_keeps_the_rules_busy_by_asking_more_and_more(house: Callable[..., object]) -> None:
    async with house() as one:  # type: ignore[attr-defined]
        midnight = one.clock.now().replace(hour=0, minute=0) + timedelta(days=1)
        one.clock.set(midnight)
        for start in (0, 300):
            await asyncio.gather(*(one.asks(f"MA{n}", f"2026-{n:06d}") for n in range(start, start + 300)))
            await one.misuse().look()
        kept = await fetch(one.database.admin_url, "SELECT count(*) AS n FROM audit.conduct")

        assert kept[0]["n"] == MOST_A_DAY
        assert await one.flags() == [(Rule.SPIKE, False)]
