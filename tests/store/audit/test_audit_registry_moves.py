"""The database counts what questions are decided by, and the log takes no decision by an older count."""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from services.audit import store_accounts, store_scope, store_settings
from services.audit.app_log import Draft, Log
from services.audit.core.checkpoint import Signer
from services.audit.core.entry import REQUEST_DIGEST, EntryKind
from services.audit.errors import RegistryMovedError
from services.audit.store_log import LogStore
from services.audit.store_registry import COUNTED, RegistryStore
from services.common.clock import SystemClock
from services.common.database import admin_connection
from services.common.pg import Pool
from tests.support.databases import MigratedDatabase, fetch

SIGNER = Signer("audit.test/registry", Ed25519PrivateKey.generate())
AGENCY = "INSERT INTO audit.agency VALUES ('IL0000001', 'Police', '{isp.illinois.gov}', gen_random_uuid())"
GROUP = (
    "INSERT INTO audit.group_limit VALUES ('IL0000001', 'north', '{HOMICIDE}', gen_random_uuid())"
    " ON CONFLICT (agency_ori, sensor_group) DO UPDATE SET intent_id = excluded.intent_id"
)
# What is read anew whenever it matters: a use only ever lets more, and of escorts see app_gate.py.
_READ_ANEW = {"account_use", "escort"}
_TABLE = re.compile(r"\b(?:FROM|JOIN)\s+\(*audit[.](\w+)")
_FUNCTION = re.compile(r"audit[.](\w+)\(")


def draft(key: str, revision: int | None) -> Draft:
    return Draft(EntryKind.QUERY, key, {"purpose": "a", REQUEST_DIGEST: "a"}, revision)


async def opened(pool: Pool) -> Log:
    log = Log(LogStore(pool), SIGNER, SystemClock())
    await log.open()
    return log


async def revision(pool: Pool) -> int:
    return await RegistryStore(pool).revision()


async def body_of(database: MigratedDatabase, function: str) -> str:
    found = await fetch(
        database.admin_url, "SELECT pg_get_functiondef(oid) AS body FROM pg_proc WHERE proname = $1", function
    )
    return "".join(row["body"] for row in found)


async def tables_behind(database: MigratedDatabase, statement: str) -> set[str]:
    """The tables that the statement reads, by itself and through the database's functions."""
    texts = [statement, *[await body_of(database, name) for name in set(_FUNCTION.findall(statement))]]
    named = {name for text in texts for name in _TABLE.findall(text)}
    kept = await fetch(database.admin_url, "SELECT tablename FROM pg_tables WHERE schemaname = 'audit'")
    return named & {row["tablename"] for row in kept}


@pytest.mark.clause("III.B.3.e")
async def test_every_table_that_is_held_in_memory_is_counted(database: MigratedDatabase) -> None:
    held = [store_accounts._BY_IDENTITY, store_scope._GROUPS, store_scope._NEXT, store_settings._RETENTION]
    read = set.union(*[await tables_behind(database, one) for one in held])

    assert {"account", "acknowledgement", "document", "agreement", "setting"} <= read
    assert read - _READ_ANEW <= COUNTED


async def test_all_of_them_are_counted_in_a_new_database(pool: Pool) -> None:
    assert await RegistryStore(pool).uncounted() == frozenset()


async def test_a_counter_that_is_off_is_seen(database: MigratedDatabase, pool: Pool) -> None:
    await fetch(database.admin_url, "ALTER TABLE audit.account DISABLE TRIGGER registry_moves")
    await fetch(database.admin_url, "DROP TRIGGER registry_moves ON audit.agreement")

    assert await RegistryStore(pool).uncounted() == {"account", "agreement"}


async def test_a_change_by_any_way_counts_once_it_is_committed(
    database: MigratedDatabase, pool: Pool
) -> None:
    await fetch(database.admin_url, AGENCY)
    before = await revision(pool)

    async with pool.acquire() as connection:
        change = connection.transaction()
        await change.start()
        await connection.execute(GROUP)
        assert await revision(pool) == before
        await change.rollback()
    assert await revision(pool) == before
    await fetch(database.admin_url, GROUP)
    assert await revision(pool) > before
    # By hand, with what a superuser has to quieten triggers.
    again = await revision(pool)
    async with admin_connection(database.admin_url) as admin:
        await admin.execute("SET session_replication_role = replica")
        await admin.execute(GROUP)
    assert await revision(pool) > again


@pytest.mark.clause("III.B.3.e")
async def test_a_decision_by_an_older_registry_is_not_recorded(
    database: MigratedDatabase, pool: Pool
) -> None:
    await fetch(database.admin_url, AGENCY)
    log = await opened(pool)
    at = await revision(pool)
    # Enough for the way without the lock to be taken.
    for number in range(6):
        await log.append(draft(f"before/{number}", at))
    await fetch(database.admin_url, GROUP)

    with pytest.raises(RegistryMovedError):
        await log.append(draft("after", at))
    assert (await log.checkpoint()).size == 6
    assert (await log.append(draft("after", await revision(pool)))).log_index == 6


async def test_of_a_batch_only_what_was_decided_by_an_older_registry_is_left_out(
    database: MigratedDatabase, pool: Pool
) -> None:
    await fetch(database.admin_url, AGENCY)
    old = await revision(pool)
    await fetch(database.admin_url, GROUP)
    log, new = await opened(pool), await revision(pool)

    revisions = [old, None, new, old, new, None] * 5
    answers = await asyncio.gather(
        *(log.append(draft(str(uuid4()), one)) for one in revisions), return_exceptions=True
    )

    for one, answer in zip(revisions, answers, strict=True):
        assert isinstance(answer, RegistryMovedError) == (one == old)
    assert (await log.checkpoint()).size == revisions.count(new) + revisions.count(None)


async def test_when_agreements_begin_or_end_is_told_with_the_groups(
    database: MigratedDatabase, pool: Pool
) -> None:
    await fetch(database.admin_url, AGENCY)
    await fetch(database.admin_url, AGENCY.replace("IL0000001", "IL0000002"))
    start, end = datetime(2031, 1, 1, tzinfo=UTC), datetime(2032, 1, 1, tzinfo=UTC)
    await fetch(
        database.admin_url,
        "INSERT INTO audit.agreement (agreement_id, provider_ori, recipient_ori, data_classes,"
        " document_sha256, start_time, end_time, state, proposed_by_ori, revision, intent_id)"
        " VALUES (gen_random_uuid(), 'IL0000002', 'IL0000001', '{READS}', sha256(''), $1, $2, 'ACCEPTED',"
        " 'IL0000002', 1, gen_random_uuid())",
        start,
        end,
    )
    scopes = store_scope.ScopeStore(pool)

    found = {
        year: await scopes.groups("IL0000001", datetime(year, 6, 1, tzinfo=UTC))
        for year in (2030, 2031, 2032)
    }

    assert {year: one.until for year, one in found.items()} == {2030: start, 2031: end, 2032: None}
    assert {year: len(one.value) for year, one in found.items()} == {2030: 1, 2031: 2, 2032: 1}
