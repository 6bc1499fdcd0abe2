"""Entries that are listed no longer, on a real PostgreSQL with the login of the service."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import asyncpg
import pytest
import pytest_asyncio

from services.alerts.core.model import (
    Category,
    Disposition,
    Entry,
    EntryKey,
    FeedKind,
    Hit,
    HitWarning,
    Severity,
    Withdrawn,
    WithdrawReason,
)
from services.alerts.core.severity import loudest
from services.alerts.errors import NotConfirmedError
from services.alerts.store import AlertStore
from services.alerts.store_withdrawals import Withdrawal
from services.alerts.store_writer import AlertWriter, Change
from services.alerts.wire import encode_alert
from services.common.pg import Pool, open_pool
from tests.support.alerts_kit import NOON, WINDOW, confirmed, disposed, entry_of, hit_of, verifying
from tests.support.clock import ManualClock
from tests.support.databases import MigratedDatabase

AN_HOUR = timedelta(hours=1)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def database(migrated_database) -> MigratedDatabase:
    return await migrated_database("alerts")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def pool(database: MigratedDatabase) -> AsyncIterator[Pool]:
    opened = await open_pool(database.url("alerts_app"), application_name="alerts-test")
    yield opened
    await opened.close()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOON)


@pytest.fixture
def writer(pool: Pool, clock: ManualClock) -> AlertWriter:
    return AlertWriter(pool, clock, passage_window=WINDOW, new_id=uuid4)


@pytest.fixture
def store(pool: Pool) -> AlertStore:
    return AlertStore(pool)


async def one(writer: AlertWriter, change: Change) -> UUID:
    (done,) = await writer.flush([change])
    if isinstance(done, Exception):
        raise done
    return done


def hit(*entries: Entry, revision: int = 7, plate: str = "", at: datetime = NOON) -> Hit:
    made = hit_of(*entries, plate=plate or "W" + uuid4().hex[:7].upper(), at=at)
    return replace(made, match_revision=revision)


def withdrawal(*entries: Entry, revision: int = 8, at: datetime = NOON) -> Withdrawal:
    ids = tuple(entry.key.entry_id for entry in entries)
    return Withdrawal(uuid4(), UUID(int=7), revision, at, WithdrawReason.CANCELLED, ids)


async def news_after(store: AlertStore, position: int) -> list[tuple[UUID, FeedKind]]:
    return [(item.alert.alert_id, item.kind) for item in await store.feed_after(position, 1000)]


@pytest.mark.clause("III.D.4")
async def test_a_withdrawn_alert_is_sent_anew_says_so_and_sounds_no_longer(
    writer: AlertWriter, store: AlertStore
) -> None:
    entry = entry_of(Category.AMBER)
    alert_id = await one(writer, hit(entry))
    before = (await store.head()).last_position

    await one(writer, withdrawal(entry))

    alert = await store.alert(alert_id)
    assert alert is not None
    assert alert.withdrawn_at == NOON
    assert alert.matches[0].withdrawn == Withdrawn(NOON, WithdrawReason.CANCELLED)
    assert loudest(alert.matches) is Severity.NOTICE
    assert await news_after(store, before) == [(alert_id, FeedKind.UPDATED)]
    message = encode_alert(alert)
    assert message.notice.text.startswith("WITHDRAWN")
    assert [one.entry_id for one in message.withdrawn_entries] == [str(entry.key.entry_id)]


async def test_an_alert_with_another_entry_that_is_listed_still_is_not_withdrawn(
    writer: AlertWriter, store: AlertStore
) -> None:
    amber, revoked = entry_of(Category.AMBER), entry_of(Category.REVOKED)
    alert_id = await one(writer, hit(amber, revoked))

    await one(writer, withdrawal(amber))

    alert = await store.alert(alert_id)
    assert alert is not None
    assert alert.withdrawn_at is None
    assert loudest(alert.matches) is Severity.NOTICE  # of the revoked registration; AMBER was the loud one
    message = encode_alert(alert)
    assert not message.HasField("withdraw_time")
    assert [one.entry_id for one in message.withdrawn_entries] == [str(amber.key.entry_id)]


@pytest.mark.clause("III.D.4")
async def test_a_hit_of_older_lists_that_comes_after_the_withdrawal_is_withdrawn_at_once(
    writer: AlertWriter, store: AlertStore
) -> None:
    entry = entry_of(Category.STOLEN_VEHICLE)
    await one(writer, hit(entry))
    await one(writer, withdrawal(entry, revision=8))

    late = await store.alert(await one(writer, hit(entry, revision=7)))
    listed_anew = await store.alert(await one(writer, hit(entry, revision=9)))

    assert late is not None
    assert listed_anew is not None
    assert late.withdrawn_at == NOON
    assert listed_anew.withdrawn_at is None
    assert loudest(listed_anew.matches) is Severity.URGENT


async def test_a_passage_that_goes_on_with_an_entry_listed_anew_is_withdrawn_no_longer(
    writer: AlertWriter, store: AlertStore
) -> None:
    entry, plate = entry_of(), "P" + uuid4().hex[:7].upper()
    first = await one(writer, hit(entry, plate=plate))
    await one(writer, withdrawal(entry))

    second = await one(writer, hit(entry, plate=plate, revision=9, at=NOON + timedelta(minutes=2)))

    alert = await store.alert(first)
    assert second == first
    assert alert is not None
    assert alert.withdrawn_at is None


async def test_the_same_withdrawal_again_and_entries_that_raised_nothing_change_nothing(
    pool: Pool, writer: AlertWriter, store: AlertStore
) -> None:
    entry, unseen = entry_of(), entry_of()
    await one(writer, hit(entry))
    change = withdrawal(entry, unseen)
    await one(writer, change)
    before = await store.head()

    assert await one(writer, change) == change.intent_id

    assert await store.head() == before
    count = "SELECT count(*) FROM alerts.withdrawal WHERE entry_id = $1"
    assert await pool.fetchval(count, entry.key.entry_id) == 1
    assert await pool.fetchval(count, unseen.key.entry_id) == 0


async def test_alerts_that_are_disposed_of_are_not_sent_again(writer: AlertWriter, store: AlertStore) -> None:
    entry = entry_of()
    alert_id = await one(writer, hit(entry))
    await one(writer, disposed(alert_id, Disposition.NO_ACTION))
    before = await store.head()

    await one(writer, withdrawal(entry))

    assert await store.head() == before


async def test_the_log_hears_which_alert_was_withdrawn_and_by_which_act(
    pool: Pool, writer: AlertWriter
) -> None:
    entry = entry_of()
    alert_id = await one(writer, hit(entry))
    change = withdrawal(entry)

    await one(writer, change)

    details = await pool.fetchval(
        "SELECT details FROM alerts.outbox WHERE resource = $1 AND action = 'alert.withdrawn'", str(alert_id)
    )
    assert str(change.intent_id) in details
    assert str(entry.key.entry_id) in details


@pytest.mark.clause("III.D.4", "IV.D.4")
async def test_a_confirmation_from_before_the_withdrawal_allows_no_enforcement(
    writer: AlertWriter, clock: ManualClock
) -> None:
    entry = entry_of()
    alert_id = await one(writer, hit(entry))
    for step in (verifying(alert_id), confirmed(alert_id)):
        await one(writer, step)
    clock.advance(AN_HOUR)
    await one(writer, withdrawal(entry, at=clock.now()))

    with pytest.raises(NotConfirmedError, match="taken off its list"):
        await one(writer, disposed(alert_id, Disposition.STOPPED))

    clock.advance(AN_HOUR)
    for step in (verifying(alert_id), confirmed(alert_id), disposed(alert_id, Disposition.STOPPED)):
        await one(writer, step)


@pytest.mark.clause("III.D.4", "IV.D.4")
async def test_the_database_too_refuses_an_enforcement_on_an_outdated_confirmation(
    pool: Pool, writer: AlertWriter, clock: ManualClock
) -> None:
    entry = entry_of()
    alert_id = await one(writer, hit(entry))
    for step in (verifying(alert_id), confirmed(alert_id)):
        await one(writer, step)
    clock.advance(AN_HOUR)
    await one(writer, withdrawal(entry, at=clock.now()))

    with pytest.raises(asyncpg.CheckViolationError, match="withdrawn after the confirmation"):
        await pool.execute(
            "INSERT INTO alerts.alert_step (alert_id, step_number, request_id, intent_id, step_time,"
            " account_id, agency_ori, kind, disposition, system, response_id, report_number,"
            " confirmation_step, confirmation_state)"
            " VALUES ($1, 3, $2, $2, now(), 'x', 'x', 3, 1, '', '', '', 2, 3)",
            alert_id,
            uuid4(),
        )


@pytest.mark.clause("IV.E.2")
@pytest.mark.parametrize(
    "statement", ["DELETE FROM alerts.withdrawal", "UPDATE alerts.withdrawal SET reason = 2"]
)
async def test_withdrawals_are_permanent(
    database: MigratedDatabase, writer: AlertWriter, pool: Pool, statement: str
) -> None:
    entry = entry_of()
    await one(writer, hit(entry))
    await one(writer, withdrawal(entry))
    admin = await asyncpg.connect(database.admin_url)
    try:
        for connection in (pool, admin):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(statement)
    finally:
        await admin.close()


@pytest.mark.clause("IV.D.2")
async def test_what_was_captured_long_ago_does_not_sound_as_live(
    writer: AlertWriter, store: AlertStore
) -> None:
    late, live = hit(entry_of(Category.AMBER)), hit(entry_of(Category.AMBER))
    warnings = (HitWarning.LATE_CAPTURE, HitWarning.LOOK_BACK)
    late = replace(late, matches=(replace(late.matches[0], warnings=warnings),))

    severities = []
    for made in (late, live):
        alert = await store.alert(await one(writer, made))
        assert alert is not None
        severities.append(loudest(alert.matches))

    assert severities == [Severity.HIGH, Severity.URGENT]


async def test_a_hit_of_the_look_back_keeps_its_mark(writer: AlertWriter, store: AlertStore) -> None:
    made = hit(replace(entry_of(), key=EntryKey(uuid4(), 1)))
    marked = replace(made.matches[0], warnings=(HitWarning.LOOK_BACK,))

    alert = await store.alert(await one(writer, replace(made, matches=(marked,))))

    assert alert is not None
    assert alert.matches[0].warnings == (HitWarning.LOOK_BACK,)
