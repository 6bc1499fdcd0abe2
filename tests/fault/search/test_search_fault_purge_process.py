"""The search process, killed again and again while it purges two months of days."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from alpr.audit.v1 import authorization_service_pb2 as audit_pb
from services.dev.pki import DevelopmentAuthority
from tests.fault.search.test_search_fault_process import search_process
from tests.support.databases import MigratedDatabase
from tests.support.search_retention import day_ago, purging, reads_of
from tests.support.search_world import TestAudit, environment, serve_audit

DAYS = range(40, 80, 4)
KILLS = 4


async def until_recorded(audit: TestAudit, count: int) -> None:
    """Returns when audit has heard of so many ends of purges."""
    while len(audit.outcomes) < count:  # noqa: ASYNC110 - a list has no event
        await asyncio.sleep(0.002)


@pytest.mark.clause("IV.E.1", "IV.E.3")
@pytest.mark.timeout(180)
async def test_a_process_killed_while_it_purges_leaves_no_day_behind_and_certifies_each_once(
    migrated_database: Callable[..., Awaitable[MigratedDatabase]], tls: DevelopmentAuthority, tmp_path: Path
) -> None:
    database = await migrated_database("search")
    audit = TestAudit()
    audit.system.days = 30
    server, port = await serve_audit(tls, audit)
    values = environment(tls, database, tmp_path, port)
    async with purging(database, tmp_path / "images") as rig:
        await rig.plant([read for day in DAYS for read in reads_of(day_ago(day), 3)])
        for kill in range(KILLS):
            async with search_process(values) as running:
                await asyncio.wait_for(until_recorded(audit, 7 * (kill + 1)), 60)
                running.process.kill()
                await running.process.wait()
        async with search_process(values):
            async with asyncio.timeout(90):
                while await rig.store.is_due():  # noqa: ASYNC110 - a database has no event
                    await asyncio.sleep(0.1)
        await server.stop(None)

        assert await rig.rows() == await rig.rows("archive.plate_seen") == 0
        assert rig.days_with_images() == set()
        assert await rig.store.older() == []
        assert not await rig.store.under_way()

    purges = [one for one in audit.intents if one.action == "reads.purge"]
    days = {one.resource for one in purges}
    said: dict[str, set[bytes]] = defaultdict(set)
    for outcome in audit.outcomes:
        assert outcome.result == audit_pb.OUTCOME_RESULT_DONE
        said[outcome.request_id].add(outcome.SerializeToString(deterministic=True))
    # An end may have been told twice, never two things.
    assert all(len(one) == 1 for one in said.values())
    certified = [one.details["range_from"][:10] for one in first_of_each(audit.outcomes)]
    assert sorted(certified) == sorted(day.removeprefix("day/") for day in days)
    assert {str(day_ago(day)) for day in DAYS} <= set(certified)
    rows = {one.details["range_from"][:10]: one.details["reads"] for one in first_of_each(audit.outcomes)}
    assert {rows[str(day_ago(day))] for day in DAYS} == {"3"}


def first_of_each(outcomes: list[audit_pb.RecordOutcomeRequest]) -> list[audit_pb.RecordOutcomeRequest]:
    """Each outcome once."""
    return list({one.request_id: one for one in outcomes}.values())
