"""What the database refuses, whoever writes the SQL: with the login of the service, and as the owner."""

from collections.abc import AsyncIterator
from uuid import UUID, uuid4

import asyncpg
import pytest
import pytest_asyncio

from services.alerts.core.model import Disposition
from services.alerts.store_writer import AlertWriter
from services.common.database import admin_connection
from services.common.pg import Pool, open_pool
from tests.support.alerts_kit import NOON, WINDOW, confirmed, hit_of, verifying
from tests.support.clock import ManualClock
from tests.support.databases import MigratedDatabase

TABLES = (
    "asset",
    "asset_crew",
    "broadcast",
    "delivery",
    "delivery_step",
    "en_route",
    "escalation",
    "timer",
    "told_asset",
    "alert",
    "alert_entry",
    "alert_facet",
    "alert_step",
    "feed",
    "feed_head",
    "hit",
    "outbox",
    "outbox_head",
    "subscription_version",
    "webhook",
    "webhook_act",
    "webhook_secret",
    "webhook_cursor",
    "webhook_message",
    "webhook_retry",
    "webhook_retry_end",
    "record_check",
    "step_check",
)
# How far a webhook has come, and which replica posts for it.
WEBHOOK_CURSOR = {
    ("webhook_cursor", column)
    for column in (
        "epoch",
        "position",
        "sequence",
        "tries",
        "failure",
        "status",
        "next_try",
        "halt_time",
        "holder",
        "held_until",
    )
}
# What is written once where it is empty, and where a car is now (the database holds that, see below).
ENDS_AND_POSITIONS = {
    ("asset", "latitude"),
    ("asset", "longitude"),
    ("asset", "position_time"),
    ("asset", "retire_intent_id"),
    ("asset", "retire_request_id"),
    ("asset", "retire_time"),
    ("asset_crew", "leave_intent_id"),
    ("asset_crew", "leave_request_id"),
    ("asset_crew", "leave_time"),
    ("timer", "state"),
}
ENFORCEMENTS = [Disposition.STOPPED, Disposition.ARREST, Disposition.RECOVERED]
INSERT_STEP = """
INSERT INTO alerts.alert_step (alert_id, step_number, request_id, intent_id, step_time, account_id,
    agency_ori, kind, verified_state, disposition, system, response_id, report_number, confirmation_step,
    confirmation_state)
VALUES ($1, $2, gen_random_uuid(), gen_random_uuid(), now(), 'a', 'IL0160000', $3, $4, $5, $6, $6, '', $7, $8)
"""


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
async def alert_id(app: Pool) -> UUID:
    writer = AlertWriter(app, ManualClock(NOON), passage_window=WINDOW, new_id=uuid4)
    (made,) = await writer.flush([hit_of(plate="T" + uuid4().hex[:7].upper())])
    assert isinstance(made, UUID)
    return made


async def take(app: Pool, alert_id: UUID, *changes: object) -> None:
    writer = AlertWriter(app, ManualClock(NOON), passage_window=WINDOW, new_id=uuid4)
    assert [type(done) for done in await writer.flush(changes)] == [UUID] * len(changes)


async def insert_step(  # noqa: PLR0913 - the columns that matter
    app: Pool,
    alert_id: UUID,
    number: int,
    *,
    state: int | None = None,
    disposition: int | None = None,
    answer: str = "LEADS",
    cites: int | None = None,
) -> None:
    kind = 2 if state else 3
    await app.execute(
        INSERT_STEP, alert_id, number, kind, state, disposition, answer, cites, 3 if cites else None
    )


@pytest.mark.clause("IV.E.2")
@pytest.mark.parametrize("table", TABLES)
async def test_the_service_can_delete_from_no_table(app: Pool, table: str) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await app.execute(f"DELETE FROM alerts.{table}")  # noqa: S608 - a name of ours
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await app.execute(f"TRUNCATE alerts.{table}")


@pytest.mark.clause("IV.E.2")
async def test_the_service_may_update_nothing_but_the_heads_ends_and_positions(app: Pool) -> None:
    rows = await app.fetch(
        """
        SELECT table_name, column_name FROM information_schema.column_privileges
        WHERE grantee = 'alerts_app' AND privilege_type = 'UPDATE' AND table_schema = 'alerts'
        """
    )

    assert {tuple(row) for row in rows} == {
        *ENDS_AND_POSITIONS,
        *WEBHOOK_CURSOR,
        ("feed_head", "next_position"),
        ("feed_head", "last_mark"),
        ("feed_head", "subscription_revision"),
        ("outbox_head", "recorded_through"),
    }


@pytest.mark.clause("III.D.4")
async def test_the_service_cannot_raise_an_alert_that_is_confirmed_already(app: Pool) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await app.execute(
            """
            INSERT INTO alerts.alert (alert_id, plate, sensor_agency_ori, raise_time, verification_state)
            VALUES (gen_random_uuid(), 'AB12345', 'IL0160000', now(), 3)
            """
        )


@pytest.mark.clause("IV.E.2")
@pytest.mark.parametrize(
    "table",
    [
        "alert",
        "alert_entry",
        "alert_step",
        "feed",
        "hit",
        "outbox",
        "webhook",
        "webhook_act",
        "webhook_message",
        "record_check",
        "step_check",
    ],
)
async def test_even_an_administrator_cannot_delete_by_a_slip(
    database: MigratedDatabase, alert_id: UUID, table: str
) -> None:
    async with admin_connection(database.admin_url) as admin:
        await admin.execute("SET session_replication_role = replica")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await admin.execute(f"DELETE FROM alerts.{table}")  # noqa: S608 - a name of ours
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await admin.execute(f"TRUNCATE alerts.{table} CASCADE")
    if table != "alert":
        async with admin_connection(database.admin_url) as admin:
            column = await admin.fetchval(
                "SELECT attname FROM pg_attribute WHERE attrelid = $1::regclass AND attnum = 2",
                f"alerts.{table}",
            )
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await admin.execute(f"UPDATE alerts.{table} SET {column} = {column}")  # noqa: S608 - names


@pytest.mark.clause("III.D.4", "IV.D.4")
@pytest.mark.parametrize("disposition", ENFORCEMENTS)
async def test_sql_cannot_store_an_enforcement_on_an_unverified_alert(
    app: Pool, alert_id: UUID, disposition: Disposition
) -> None:
    with pytest.raises(asyncpg.CheckViolationError):
        await insert_step(app, alert_id, 1, disposition=disposition)
    with pytest.raises((asyncpg.CheckViolationError, asyncpg.ForeignKeyViolationError)):
        await insert_step(app, alert_id, 1, disposition=disposition, cites=1)

    assert await app.fetchval("SELECT count(*) FROM alerts.alert_step WHERE alert_id = $1", alert_id) == 0


@pytest.mark.clause("III.D.4", "IV.D.4")
@pytest.mark.parametrize("disposition", ENFORCEMENTS)
async def test_sql_cannot_cite_a_step_that_is_no_confirmation_or_of_another_alert(
    app: Pool, alert_id: UUID, disposition: Disposition
) -> None:
    await take(app, alert_id, verifying(alert_id))

    with pytest.raises((asyncpg.CheckViolationError, asyncpg.ForeignKeyViolationError)):
        await insert_step(app, alert_id, 2, disposition=disposition, cites=1)


@pytest.mark.clause("III.D.4")
async def test_sql_can_store_an_enforcement_that_cites_the_confirmation(app: Pool, alert_id: UUID) -> None:
    await take(app, alert_id, verifying(alert_id), confirmed(alert_id))

    await insert_step(app, alert_id, 3, disposition=Disposition.STOPPED, cites=2)

    assert await app.fetchval("SELECT disposition FROM alerts.alert WHERE alert_id = $1", alert_id) == 1


@pytest.mark.clause("III.D.4")
async def test_sql_cannot_rest_an_enforcement_on_a_confirmation_that_was_taken_back(
    app: Pool, alert_id: UUID
) -> None:
    await take(app, alert_id, verifying(alert_id), confirmed(alert_id), verifying(alert_id))

    with pytest.raises(asyncpg.CheckViolationError):
        await insert_step(app, alert_id, 4, disposition=Disposition.STOPPED, cites=2)


@pytest.mark.clause("III.D.4")
async def test_sql_cannot_skip_verifying_nor_confirm_without_an_answer(app: Pool, alert_id: UUID) -> None:
    with pytest.raises(asyncpg.CheckViolationError):
        await insert_step(app, alert_id, 1, state=3)
    await take(app, alert_id, verifying(alert_id))

    with pytest.raises(asyncpg.CheckViolationError):
        await insert_step(app, alert_id, 2, state=3, answer="")


async def test_sql_names_who_reported_it_with_a_disposition_only(app: Pool, alert_id: UUID) -> None:
    reported = INSERT_STEP.replace("confirmation_state)", "confirmation_state, reported_by)").replace(
        "$8)", "$8, $9)"
    )
    with pytest.raises(asyncpg.CheckViolationError, match="only_a_disposition_is_reported"):
        await app.execute(reported, alert_id, 1, 1, None, None, "", None, None, "Unit 12")
    with pytest.raises(asyncpg.CheckViolationError):
        await app.execute(reported, alert_id, 1, 3, None, 4, "", None, None, "x" * 65)

    await app.execute(reported, alert_id, 1, 3, None, 4, "", None, None, "Unit 12")


async def test_sql_cannot_leave_a_gap_between_steps(app: Pool, alert_id: UUID) -> None:
    with pytest.raises(asyncpg.CheckViolationError):
        await insert_step(app, alert_id, 2, state=2)


@pytest.mark.clause("III.D.4")
async def test_the_rule_holds_in_replica_mode_too(database: MigratedDatabase, alert_id: UUID) -> None:
    async with admin_connection(database.admin_url) as admin:
        await admin.execute("SET session_replication_role = replica")

        with pytest.raises(asyncpg.CheckViolationError):
            await admin.execute(INSERT_STEP, alert_id, 1, 3, None, 1, "LEADS", 1, 3)


async def test_a_new_epoch_is_later_and_keeps_the_positions(database: MigratedDatabase) -> None:
    async with admin_connection(database.admin_url) as admin:
        before = await admin.fetchrow("SELECT epoch, next_position FROM alerts.feed_head")
        epoch = await admin.fetchval("SELECT alerts.begin_epoch($1)", NOON)
        after = await admin.fetchrow("SELECT epoch, next_position, resync_from FROM alerts.feed_head")

    assert epoch == after["epoch"] > before["epoch"]
    assert after["next_position"] == before["next_position"]
    assert after["resync_from"] == NOON


async def test_the_service_cannot_begin_an_epoch(app: Pool) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await app.execute("SELECT alerts.begin_epoch(now())")
