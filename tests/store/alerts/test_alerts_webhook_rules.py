"""What the database insists on about webhooks, whoever writes the SQL."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest
import pytest_asyncio

from services.common.pg import Pool, connection, open_pool
from tests.support.alerts_kit import OTHER, OWN
from tests.support.databases import MigratedDatabase

PERMANENT = (
    "webhook",
    "webhook_act",
    "webhook_secret",
    "webhook_message",
    "webhook_retry",
    "webhook_retry_end",
)
PROPOSE = """
INSERT INTO alerts.webhook (webhook_id, request_id, intent_id, agency_ori, owner_id, name, url, format,
    chosen, create_time)
VALUES ($1, gen_random_uuid(), gen_random_uuid(), 'IL0160000', 'owner', 'CAD', $2, 1, '{}', now())
"""
ACT = """
INSERT INTO alerts.webhook_act (webhook_id, kind, request_id, intent_id, account_id, agency_ori, act_time)
VALUES ($1, $2, gen_random_uuid(), gen_random_uuid(), $3, $4, now())
"""
BEGIN = "INSERT INTO alerts.webhook_cursor (webhook_id, epoch, position) VALUES ($1, 1, 0)"
APPROVED, ENDED = 2, 3


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def database(migrated_database) -> MigratedDatabase:
    return await migrated_database("alerts")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def app(database: MigratedDatabase) -> AsyncIterator[Pool]:
    """Connections as alerts_app."""
    opened = await open_pool(database.url("alerts_app"), application_name="alerts-test")
    yield opened
    await opened.close()


@pytest_asyncio.fixture(loop_scope="session")
async def webhook_id(app: Pool) -> UUID:
    made = uuid4()
    await run(app, PROPOSE, made, "https://cad.example.gov/hook")
    return made


async def run(app: Pool, sql: str, *values: Any) -> None:
    async with connection(app) as conn:
        await conn.execute(sql, *values)


@pytest.mark.clause("III.B.3.g")
async def test_an_owner_cannot_approve_even_with_the_services_own_login(app: Pool, webhook_id: UUID) -> None:
    with pytest.raises(asyncpg.CheckViolationError, match="of his own"):
        await run(app, ACT, webhook_id, APPROVED, "owner", OWN)


@pytest.mark.parametrize("kind", [APPROVED, ENDED])
async def test_another_agency_cannot_act_on_it(app: Pool, webhook_id: UUID, kind: int) -> None:
    with pytest.raises(asyncpg.CheckViolationError, match="own agency"):
        await run(app, ACT, webhook_id, kind, "head", OTHER)


@pytest.mark.clause("III.B.3.m")
async def test_nothing_can_be_posted_before_the_approval(app: Pool, webhook_id: UUID) -> None:
    with pytest.raises(asyncpg.CheckViolationError, match="not approved"):
        await run(app, BEGIN, webhook_id)

    await run(app, ACT, webhook_id, APPROVED, "head", OWN)
    await run(app, BEGIN, webhook_id)


async def test_what_has_ended_is_not_approved_any_more(app: Pool, webhook_id: UUID) -> None:
    await run(app, ACT, webhook_id, ENDED, "owner", OWN)

    with pytest.raises(asyncpg.CheckViolationError, match="has ended"):
        await run(app, ACT, webhook_id, APPROVED, "head", OWN)


@pytest.mark.parametrize("url", ["http://cad.example.gov", "file:///etc/passwd", "https:" + "/" * 500])
async def test_no_other_address_than_https_is_stored(app: Pool, url: str) -> None:
    with pytest.raises(asyncpg.CheckViolationError):
        await run(app, PROPOSE, uuid4(), url)


@pytest.mark.parametrize("table", PERMANENT)
async def test_what_was_set_up_and_posted_is_permanent(app: Pool, database, table: str) -> None:
    column = "webhook_id"
    for sql in (f"DELETE FROM alerts.{table}", f"UPDATE alerts.{table} SET {column} = {column}"):  # noqa: S608
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await run(app, sql)
        admin = await asyncpg.connect(database.admin_url)
        try:
            await admin.execute("SET ROLE alerts_owner")
            with pytest.raises(asyncpg.InsufficientPrivilegeError, match="permanent"):
                await admin.execute(sql)
        finally:
            await admin.close()


async def test_the_service_cannot_move_a_cursor_to_another_webhook(app: Pool) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await run(app, "UPDATE alerts.webhook_cursor SET webhook_id = gen_random_uuid()")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await run(app, "DELETE FROM alerts.webhook_cursor")
