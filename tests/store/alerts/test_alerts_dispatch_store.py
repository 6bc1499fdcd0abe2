"""What the database insists on about patrol assets, messages and timers, whoever writes the SQL."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from uuid import UUID, uuid4

import asyncpg
import pytest
import pytest_asyncio

from services.alerts.core.model import Disposition
from services.alerts.core.timers import Periods
from services.alerts.store_assets import MOST_IN_USE, AssetStore, BoardAsset, RegisterAsset, RetireAsset
from services.alerts.store_broadcasts import Broadcast
from services.alerts.store_timers import EndTimers, TimerStore
from services.alerts.store_writer import AlertWriter
from services.common.database import admin_connection
from services.common.errors import WrongStateError
from services.common.pg import Pool, open_pool
from tests.support.alerts_kit import NOON, OFFICER, WINDOW, disposed, entry_of, hit_of, verifying
from tests.support.clock import ManualClock
from tests.support.databases import MigratedDatabase

PERMANENT = ("broadcast", "told_asset", "delivery", "delivery_step", "en_route", "escalation")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def database(migrated_database) -> MigratedDatabase:
    return await migrated_database("alerts")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def app(database: MigratedDatabase) -> AsyncIterator[Pool]:
    opened = await open_pool(database.url("alerts_app"), application_name="alerts-test")
    yield opened
    await opened.close()


class House:
    """A writer, and the things that most tests need."""

    def __init__(self, app: Pool, periods: Periods | None = None) -> None:
        self._writer = AlertWriter(
            app, ManualClock(NOON), passage_window=WINDOW, new_id=uuid4, periods=lambda: periods or Periods()
        )

    async def write(self, *changes: object) -> list[object]:
        return list(await self._writer.flush(changes))

    async def one(self, change: object) -> UUID:
        (done,) = await self.write(change)
        assert isinstance(done, UUID), done
        return done

    async def alert(self) -> UUID:
        return await self.one(hit_of(plate="D" + uuid4().hex[:7].upper()))

    async def asset(self) -> UUID:
        sign = "P-" + uuid4().hex[:8].upper()
        return await self.one(RegisterAsset(uuid4(), OFFICER, uuid4(), "D1", sign))

    async def told(self) -> tuple[UUID, UUID]:
        alert_id, asset_id = await self.alert(), await self.asset()
        await self.one(Broadcast(uuid4(), OFFICER, uuid4(), alert_id, (asset_id,)))
        return alert_id, asset_id


@pytest.fixture
def house(app: Pool) -> House:
    return House(app)


@pytest.mark.clause("IV.D.3")
async def test_no_asset_of_a_large_department_is_left_out_and_there_are_so_many_and_no_more(
    app: Pool, house: House
) -> None:
    centre = replace(OFFICER, agency_ori="IL0LARGE0")
    await app.execute(
        "INSERT INTO alerts.asset"
        " (asset_id, request_id, intent_id, account_id, agency_ori, unit, call_sign, register_time)"
        " SELECT gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), 'c', $1, 'D1', 'C-' || n, now()"
        " FROM generate_series(2, $2::integer) n",
        centre.agency_ori,
        MOST_IN_USE,
    )

    last = await house.one(RegisterAsset(uuid4(), centre, uuid4(), "Z9", "Z-LAST"))
    (refused,) = await house.write(RegisterAsset(uuid4(), centre, uuid4(), "Z9", "Z-MORE"))

    in_use = await AssetStore(app).of_agency(centre.agency_ori)
    assert (len(in_use), in_use[-1].asset_id) == (MOST_IN_USE, last)
    assert isinstance(refused, WrongStateError)


@pytest.mark.clause("IV.D.3", "IV.E.2")
@pytest.mark.parametrize("table", [*PERMANENT, "asset", "asset_crew", "timer"])
async def test_even_an_administrator_deletes_no_record_of_dispatch_by_a_slip(
    database: MigratedDatabase, house: House, table: str
) -> None:
    await house.told()
    async with admin_connection(database.admin_url) as admin:
        await admin.execute("SET session_replication_role = replica")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await admin.execute(f"DELETE FROM alerts.{table}")  # noqa: S608 - a name of ours
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await admin.execute(f"TRUNCATE alerts.{table} CASCADE")


@pytest.mark.clause("IV.D.3", "IV.E.2")
@pytest.mark.parametrize("table", PERMANENT)
async def test_even_an_administrator_changes_no_message_by_a_slip(
    database: MigratedDatabase, house: House, table: str
) -> None:
    await house.told()
    async with admin_connection(database.admin_url) as admin:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            key = "delivery_id" if table in {"delivery_step", "en_route"} else "alert_id"
            await admin.execute(f"UPDATE alerts.{table} SET {key} = {key}")  # noqa: S608 - ours


async def test_what_is_out_of_use_stays_so(app: Pool, house: House) -> None:
    asset_id = await house.asset()
    await house.one(BoardAsset(uuid4(), OFFICER, uuid4(), asset_id))
    await house.one(RetireAsset(uuid4(), OFFICER, uuid4(), asset_id))

    for table in ("asset", "asset_crew"):
        column = "retire_time" if table == "asset" else "leave_time"
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await app.execute(f"UPDATE alerts.{table} SET {column} = now() WHERE asset_id = $1", asset_id)  # noqa: S608


async def test_a_person_is_aboard_of_one_asset_whoever_says_otherwise(app: Pool, house: House) -> None:
    first, second = await house.asset(), await house.asset()
    await house.one(BoardAsset(uuid4(), OFFICER, uuid4(), first))

    with pytest.raises(asyncpg.UniqueViolationError):
        await app.execute(
            "INSERT INTO alerts.asset_crew (request_id, asset_id, intent_id, account_id, board_time)"
            " VALUES (gen_random_uuid(), $1, gen_random_uuid(), $2, now())",
            second,
            OFFICER.account_id,
        )


async def test_a_message_goes_only_to_an_asset_that_was_told(app: Pool, house: House) -> None:
    alert_id, asset_id = await house.alert(), await house.asset()

    with pytest.raises(asyncpg.ForeignKeyViolationError):
        await app.execute(
            "INSERT INTO alerts.delivery (delivery_id, alert_id, asset_id, kind, delivery_time)"
            " VALUES (gen_random_uuid(), $1, $2, 2, now())",
            alert_id,
            asset_id,
        )


@pytest.mark.clause("IV.D.3")
async def test_a_change_and_the_messages_that_tell_it_are_one_transaction(
    app: Pool, database: MigratedDatabase, house: House
) -> None:
    alert_id, _ = await house.told()
    async with admin_connection(database.admin_url) as admin:
        await admin.execute(
            "CREATE FUNCTION alerts.fail() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = 'check_violation'; END $$"
        )
        await admin.execute(
            "CREATE TRIGGER fail BEFORE INSERT ON alerts.delivery FOR EACH ROW EXECUTE FUNCTION alerts.fail()"
        )
    (refused,) = await house.write(verifying(alert_id))
    steps = "SELECT count(*) FROM alerts.alert_step WHERE alert_id = $1"
    before = await app.fetchval(steps, alert_id)
    async with admin_connection(database.admin_url) as admin:
        await admin.execute("DROP TRIGGER fail ON alerts.delivery")
        await admin.execute("DROP FUNCTION alerts.fail()")
    await house.one(verifying(alert_id))

    assert isinstance(refused, asyncpg.CheckViolationError)
    assert before == 0
    assert await kinds(app, alert_id) == [1, 3]


async def kinds(app: Pool, alert_id: UUID) -> list[int]:
    rows = await app.fetch(
        "SELECT kind FROM alerts.delivery WHERE alert_id = $1 ORDER BY delivery_number", alert_id
    )
    return [row["kind"] for row in rows]


@pytest.mark.clause("IV.D.3")
async def test_changes_of_one_batch_are_told_in_their_order(app: Pool, house: House) -> None:
    first, _ = await house.told()
    second, _ = await house.told()

    await house.write(verifying(first), verifying(second), disposed(first, Disposition.NO_ACTION))

    assert await kinds(app, first) == [1, 3, 7]
    assert await kinds(app, second) == [1, 3]


async def timers(app: Pool, alert_id: UUID) -> dict[int, int]:
    rows = await app.fetch("SELECT kind, state FROM alerts.timer WHERE alert_id = $1", alert_id)
    return {row["kind"]: row["state"] for row in rows}


@pytest.mark.clause("III.D.4", "IV.D.3")
async def test_a_timer_ends_once_and_does_not_run_again(app: Pool, database: MigratedDatabase) -> None:
    house = House(app, Periods(*[timedelta()] * 3))
    alert_id = await house.alert()
    ids = await app.fetch("SELECT timer_id FROM alerts.timer WHERE alert_id = $1", alert_id)
    end = EndTimers(tuple(row["timer_id"] for row in ids))

    await house.write(end, end)
    await house.write(end)

    assert await timers(app, alert_id) == {1: 3, 2: 3}
    question = "SELECT count(*) FROM alerts.escalation WHERE alert_id = $1"
    assert await app.fetchval(question, alert_id) == 2
    events = "SELECT count(*) FROM alerts.outbox WHERE resource = $1 AND action = 'alert.escalated'"
    assert await app.fetchval(events, str(alert_id)) == 2
    for state in (1, 2):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await app.execute("UPDATE alerts.timer SET state = $2 WHERE alert_id = $1", alert_id, state)
    assert database.admin_url


async def test_what_a_timer_has_left_is_of_the_databases_clock_and_never_more_than_its_period(
    app: Pool, database: MigratedDatabase
) -> None:
    house = House(app, Periods(timedelta(minutes=2), timedelta(minutes=10), timedelta(hours=1)))
    alert_id = await house.alert()
    rows = await app.fetch("SELECT timer_id, kind FROM alerts.timer WHERE alert_id = $1", alert_id)
    ids = {row["kind"]: row["timer_id"] for row in rows}

    # The service's clock stands in May; and the database's was an hour ahead when these were set.
    left = await TimerStore(app).running(0)
    async with admin_connection(database.admin_url) as admin:
        await admin.execute("ALTER TABLE alerts.timer DISABLE TRIGGER ended")
        await admin.execute(
            "UPDATE alerts.timer SET start_time = start_time + '1 hour'::interval,"
            " due_time = due_time + '1 hour'::interval WHERE alert_id = $1",
            alert_id,
        )
        await admin.execute("ALTER TABLE alerts.timer ENABLE ALWAYS TRIGGER ended")
    later = await TimerStore(app).running(0)

    assert 60 < left[ids[1]] <= 120
    assert 540 < left[ids[2]] <= 600
    assert (later[ids[1]], later[ids[2]]) == (120, 600)


@pytest.mark.clause("II.H")
async def test_motor_carrier_safety_alerts_set_no_timer_for_they_go_to_no_centre(
    app: Pool, house: House
) -> None:
    entry = replace(entry_of(), source=5)
    alert_id = await house.one(hit_of(entry, plate="M" + uuid4().hex[:7].upper()))

    await house.one(verifying(alert_id))

    assert await timers(app, alert_id) == {}
