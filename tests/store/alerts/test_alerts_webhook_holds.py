"""Who may post for a webhook, by the database: one holder at a time, and nothing of one that lost it."""

from collections.abc import AsyncIterator
from uuid import UUID, uuid4

import pytest
import pytest_asyncio

from services.alerts.core.model import Actor, Alert, Disposition, Verification
from services.alerts.core.subscription import Filter
from services.alerts.core.webhook import (
    Answer,
    Failure,
    Format,
    Hold,
    Message,
    State,
    Webhook,
    event_id,
)
from services.alerts.store import AlertStore
from services.alerts.store_webhook_ends import Ended, Halt, Retry, RetryEnded
from services.alerts.store_webhook_messages import MessageStore
from services.alerts.store_webhooks import Proposal, WebhookAct
from services.alerts.store_writer import AlertWriter
from services.common.database import admin_connection
from services.common.errors import WrongStateError
from services.common.pg import Pool, open_pool
from tests.support.alerts_kit import NOON, OWN, WINDOW, hit_of
from tests.support.clock import ManualClock
from tests.support.databases import MigratedDatabase

HEAD = Actor("head", OWN, is_telecom_center=False)
_HIT = hit_of()
_ALERT = Alert(
    alert_id=UUID(int=5),
    raise_time=NOON,
    sighting=_HIT.sighting,
    matches=_HIT.matches,
    acknowledged=False,
    verification=Verification.NEW,
    disposition=Disposition.NONE,
)
TAKEN, REFUSED = Answer(Failure.NONE, 200), Answer(Failure.REFUSED, 422)


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
def messages(pool: Pool) -> MessageStore:
    return MessageStore(pool)


@pytest_asyncio.fixture(loop_scope="session")
async def hook(writer: AlertWriter) -> Webhook:
    made = Webhook(
        webhook_id=uuid4(),
        intent_id=uuid4(),
        agency_ori=OWN,
        owner_id="owner",
        name="CAD",
        url="https://cad.example.gov",
        format=Format.CLOUD_EVENTS,
        chosen=Filter(),
        create_time=NOON,
    )
    done = await writer.flush(
        [Proposal(made, "{}", uuid4(), b"sealed"), WebhookAct(made, State.ACTIVE, uuid4(), uuid4(), HEAD)]
    )
    assert done == [made.webhook_id, made.webhook_id]
    return made


async def ended(
    pool: Pool, writer: AlertWriter, hold: Hold, sequence: int, answer: Answer = TAKEN
) -> UUID | Exception:
    """What became of noting that the message of a new alert ended."""
    (alert_id,) = await writer.flush([hit_of(plate="T" + uuid4().hex[:7].upper())])
    assert isinstance(alert_id, UUID)
    alert = await AlertStore(pool).alert(alert_id)
    assert alert is not None
    made = event_id(hold.webhook.webhook_id, 1, sequence)
    message = Message(made, sequence, alert, NOON, is_first=True)
    (done,) = await writer.flush([Ended(hold, message, 1, sequence, 1, answer)])
    return done


async def may_post(messages: MessageStore, hold: Hold, seconds: float) -> bool:
    """Whether `hold` is leave to post for so long."""
    message = Message(uuid4(), 1, _ALERT, NOON, is_first=True)
    return (await messages.ready(hold, message, seconds, NOON)).may_post


async def cut_off(database: MigratedDatabase, hook: Webhook) -> None:
    """The hold runs out, as for a replica that was cut off for as long."""
    async with admin_connection(database.admin_url) as admin:
        await admin.execute(
            "UPDATE alerts.webhook_cursor SET held_until = clock_timestamp() - interval '1 second' "
            "WHERE webhook_id = $1",
            hook.webhook_id,
        )


async def test_one_replica_holds_a_webhook_until_it_gives_it_back(messages, hook: Webhook) -> None:
    mine, theirs = Hold(hook, uuid4()), Hold(hook, uuid4())

    assert await messages.claim(mine, 60) is not None
    assert await messages.claim(theirs, 60) is None
    assert await messages.claim(mine, 60) is not None
    await messages.release([hook.webhook_id], mine.holder)
    assert await messages.claim(theirs, 60) is not None
    assert not await messages.keep(mine, 60)
    assert await messages.renew([hook.webhook_id], mine.holder, 60) == frozenset()
    assert await messages.renew([hook.webhook_id], theirs.holder, 60) == {hook.webhook_id}


async def test_a_hold_that_ran_out_lets_nobody_post_and_cannot_be_kept(messages, hook, database) -> None:
    mine, theirs = Hold(hook, uuid4()), Hold(hook, uuid4())
    await messages.claim(mine, 60)
    before = await may_post(messages, mine, 10)
    await cut_off(database, hook)

    assert before
    assert not await may_post(messages, mine, 0)
    assert not await messages.keep(mine, 60)
    assert await messages.claim(theirs, 60) is not None


async def test_a_hold_that_is_shorter_than_a_try_is_no_leave_to_post(messages, hook: Webhook) -> None:
    mine = Hold(hook, uuid4())
    await messages.claim(mine, 5)

    assert not await may_post(messages, mine, 10)
    assert await messages.keep(mine, 15)
    assert await may_post(messages, mine, 10)


async def test_an_ended_webhook_is_nobodys_to_post_for(messages, writer, hook: Webhook) -> None:
    mine = Hold(hook, uuid4())
    await messages.claim(mine, 60)
    await writer.flush([WebhookAct(hook, State.ENDED, uuid4(), uuid4(), HEAD)])

    assert not await may_post(messages, mine, 1)
    assert not await messages.keep(mine, 60)
    assert hook.webhook_id not in await messages.open_webhooks()


async def test_what_a_replica_that_lost_its_hold_did_is_not_noted(
    pool, writer, messages, hook, database
) -> None:
    mine, theirs = Hold(hook, uuid4()), Hold(hook, uuid4())
    await messages.claim(mine, 60)
    first = await ended(pool, writer, mine, 1)
    await cut_off(database, hook)
    cursor = await messages.claim(theirs, 60)

    late = await ended(pool, writer, mine, 2)
    theirs_done = await ended(pool, writer, theirs, 2)

    assert isinstance(first, UUID)
    assert cursor is not None
    assert cursor.sequence == 1
    assert isinstance(late, WrongStateError)
    assert isinstance(theirs_done, UUID)


@pytest.mark.parametrize("sequence", [1, 3])
async def test_a_message_is_noted_once_and_none_is_left_out(pool, writer, messages, hook, sequence) -> None:
    mine = Hold(hook, uuid4())
    await messages.claim(mine, 60)
    await ended(pool, writer, mine, 1)

    assert isinstance(await ended(pool, writer, mine, sequence), WrongStateError)
    assert isinstance(await ended(pool, writer, mine, 2), UUID)


async def test_a_halt_is_told_once_and_its_end_once(messages, writer, hook, pool) -> None:
    told = "SELECT count(*) FROM alerts.outbox WHERE action = $1 AND resource = $2"
    await writer.flush([Halt(hook, begins=True), Halt(hook, begins=True)])
    halted = (await messages.health([hook.webhook_id]))[hook.webhook_id].halt_time
    await writer.flush([Halt(hook, begins=False), Halt(hook, begins=False)])
    resumed = (await messages.health([hook.webhook_id]))[hook.webhook_id].halt_time

    assert (halted, resumed) == (NOON, None)
    for action in ("webhook.halted", "webhook.resumed"):
        assert await pool.fetchval(told, action, str(hook.webhook_id)) == 1


async def test_a_dead_letter_waits_once_however_often_it_is_asked_for(pool, writer, messages, hook) -> None:
    mine = Hold(hook, uuid4())
    await messages.claim(mine, 60)
    await ended(pool, writer, mine, 1, REFUSED)
    requests = [Retry(hook, (), uuid4(), uuid4()), Retry(hook, (1,), uuid4(), uuid4())]

    await writer.flush(requests)
    (waiting,) = await messages.waiting(hook.webhook_id)
    alert = await AlertStore(pool).alert(waiting.alert_id)
    assert alert is not None
    message = Message(waiting.event_id, 1, alert, NOON, is_first=False)
    await writer.flush([RetryEnded(hook, message, 1, REFUSED), RetryEnded(hook, message, 1, TAKEN)])
    (letter,) = await messages.letters(hook.webhook_id, 0, 10)

    assert [await messages.retried(one.request_id, hook.webhook_id, one.sequences) for one in requests] == [
        (1, 0),
        (0, 1),
    ]
    assert waiting.retry_number == 1
    assert (letter.taken_at, letter.waiting) == (None, False)


async def test_who_asks_for_all_dead_letters_once_more_gets_the_next_ones_each_time(
    pool, writer, messages, hook
) -> None:
    mine = Hold(hook, uuid4())
    await messages.claim(mine, 60)
    await ended(pool, writer, mine, 1, REFUSED)
    # As many again as one request takes.
    await pool.execute(
        "INSERT INTO alerts.webhook_message SELECT webhook_id, n, gen_random_uuid(), epoch, position, "
        "alert_id, event_time, end_time, outcome, tries, failure, status FROM alerts.webhook_message, "
        "generate_series(2, 501) n WHERE webhook_id = $1",
        hook.webhook_id,
    )
    requests = [Retry(hook, (), uuid4(), uuid4()) for _ in range(3)]

    await writer.flush(requests)
    waiting = await messages.waiting(hook.webhook_id)

    counts = [await messages.retried(one.request_id, hook.webhook_id, ()) for one in requests]
    assert counts == [(500, 0), (1, 0), (0, 0)]
    assert [letter.sequence for letter in waiting] == list(range(1, 101))
