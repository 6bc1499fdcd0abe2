"""What the service's login may do to the log, and what nobody may."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

import asyncpg
import pytest
import pytest_asyncio
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from services.audit.app_log import Draft, Log
from services.audit.core.checkpoint import Signer
from services.audit.core.entry import EntryKind
from services.audit.store_log import LogStore
from services.common.clock import SystemClock
from services.common.pg import Pool, open_pool
from tests.support.databases import MigratedDatabase, fetch


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def database(migrated_database: Callable[..., Awaitable[MigratedDatabase]]) -> MigratedDatabase:
    return await migrated_database("audit")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def pool(database: MigratedDatabase) -> AsyncIterator[Pool]:
    """The service's login, in a database whose log holds an entry."""
    opened = await open_pool(database.url("audit_app"), application_name="test")
    log = Log(LogStore(opened), Signer("audit.test/log", Ed25519PrivateKey.generate()), SystemClock())
    await log.open()
    await log.append(Draft(EntryKind.EVENT, "first", {"purpose": "a"}))
    yield opened
    await opened.close()


@pytest.mark.clause("IV.E.2")
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit.log_leaf SET leaf = 'x' WHERE log_index = 0",
        "UPDATE audit.log_field SET value = 'x' WHERE log_index = 0",
        "DELETE FROM audit.log_leaf",
        "DELETE FROM audit.log_field",
        "DELETE FROM audit.log_head",
        "TRUNCATE audit.log_leaf CASCADE",
        "TRUNCATE audit.log_field",
        "DROP TABLE audit.log_field",
        "ALTER TABLE audit.log_leaf DISABLE TRIGGER ALL",
        "ALTER TABLE audit.log_leaf DROP CONSTRAINT log_leaf_check",
        "SET session_replication_role = replica",
        "SET ROLE audit_owner",
        "INSERT INTO audit.log_head (size, frontier, checkpoint) VALUES (9, '', '')",
        "UPDATE audit.log_head SET size = 0",
        "UPDATE audit.log_head SET one = false",
        "UPDATE audit.setting SET value = '9999'",
        "DELETE FROM audit.account",
        "UPDATE audit.certification SET valid_until = 'infinity'",
        "UPDATE audit.account SET subject = 'x'",
        "DELETE FROM audit.sensor",
        "CREATE TABLE audit.mine (x int)",
    ],
)
async def test_the_services_login_cannot_change_what_is_recorded(pool: Pool, statement: str) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await pool.execute(statement)


@pytest.mark.clause("IV.E.2")
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit.log_leaf SET record_time = now()",
        "DELETE FROM audit.log_field",
        "TRUNCATE audit.log_leaf CASCADE",
        "UPDATE audit.log_head SET size = size",
        "SET session_replication_role = replica; DELETE FROM audit.log_leaf",
    ],
)
@pytest.mark.usefixtures("pool")
async def test_triggers_refuse_even_an_administrator(database: MigratedDatabase, statement: str) -> None:
    administrator = await asyncpg.connect(database.admin_url)

    try:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await administrator.execute(statement)
    finally:
        await administrator.close()


@pytest.mark.clause("IV.E.2")
async def test_an_entry_with_a_hash_of_something_else_is_refused(pool: Pool) -> None:
    with pytest.raises(asyncpg.CheckViolationError):
        await pool.execute(
            "INSERT INTO audit.log_leaf (log_index, entry_id, request_key, record_time, leaf, leaf_hash)"
            " VALUES (99, gen_random_uuid(), 'k', now(), 'leaf', sha256('other'))"
        )


async def test_no_other_login_reaches_the_schema(database: MigratedDatabase) -> None:
    grants = await fetch(
        database.admin_url,
        "SELECT DISTINCT grantee FROM information_schema.role_table_grants WHERE table_schema = 'audit'",
    )

    assert {row["grantee"] for row in grants} <= {"audit_app", "audit_owner", "postgres"}


@pytest.mark.clause("IV.E.1.b")
async def test_a_setting_is_not_changed_without_an_act_on_record(pool: Pool) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await pool.fetchval("SELECT audit.set_retention(gen_random_uuid(), 90, 30)")
    first = await pool.fetchval("SELECT entry_id FROM audit.log_leaf WHERE log_index = 0")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await pool.fetchval("SELECT audit.set_retention($1, 90, 30)", first)

    assert await pool.fetchval("SELECT value FROM audit.setting WHERE name = 'retention_days'") == "90"
