"""A delivery whose hold ends between two posts posts no more, although nobody tells it.

The delivery runs alone here. In a whole replica the runner, which looks once a second, ends it too: which of
the two comes first is chance there, and only the look before each post is early enough (ADR 0032).
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, TypeVar
from uuid import UUID, uuid4

import pytest
import pytest_asyncio

from services.alerts.app import Alerts
from services.alerts.audit import AuditClient
from services.alerts.config import AlertsSettings
from services.alerts.core.model import Actor
from services.alerts.core.target import parse_networks
from services.alerts.core.webhook import Health, Hold, Letter, State, Webhook
from services.alerts.entitlement import EntitlementTerms
from services.alerts.feed import Feed
from services.alerts.pictures import Pictures
from services.alerts.store import AlertStore
from services.alerts.store_subscriptions import SubscriptionStore
from services.alerts.store_webhook_ends import Retry
from services.alerts.store_webhook_messages import MessageStore
from services.alerts.store_webhooks import WebhookAct, WebhookStore
from services.alerts.store_writer import AlertWriter, Change, Done
from services.alerts.subscription_book import SubscriptionBook
from services.alerts.webhook_delivery import DeliveryParts, Pace, WebhookDelivery
from services.alerts.webhook_secrets import WebhookSecrets
from services.alerts.webhook_sender import WebhookSender, tls_of
from services.common.client import service_channel
from services.common.clock import SystemClock
from services.common.database import admin_connection
from services.common.groupcommit import GroupCommit
from services.common.keyfile import read_key
from services.common.pg import Pool, open_pool
from tests.support.alerts_kit import OWN, WINDOW, hit_of
from tests.support.alerts_rig import AuditHost, eventually, start_rig
from tests.support.databases import MigratedDatabase
from tests.support.webhook_receiver import Receiver, receiving
from tests.support.webhook_rig import posting, webhook_settings

# Far longer than any test here, so that a hold ends by what the test does and by nothing else.
_LONG_SECONDS = 300.0
_PACE = Pace(post_seconds=60, hold_seconds=_LONG_SECONDS, halted_seconds=1)
_HEAD = Actor("account-head", OWN, is_telecom_center=False)
_TAKE_OVER = "holder = gen_random_uuid(), held_until = 'infinity'"
_RUN_OUT = "held_until = clock_timestamp() - interval '1 second'"

Said = TypeVar("Said")


async def answer_that(holds: Callable[[Said], bool], ask: Callable[[], Awaitable[Said]]) -> Said:
    """The first answer of which it is so."""
    async with asyncio.timeout(60):
        while not holds(answer := await ask()):  # noqa: ASYNC110 - the database sends no event
            await asyncio.sleep(0.05)
    return answer


class Bench:
    """One delivery at work, and the ways in which its hold ends."""

    def __init__(self, parts: DeliveryParts, hold: Hold, run: asyncio.Task[None], admin_url: str) -> None:
        self.parts = parts
        self.hook: Webhook = hold.webhook
        self.run = run
        self._admin_url = admin_url

    async def raise_hit(self, plate: str) -> None:
        await self.parts.writes.submit(hit_of(plate=plate, at=datetime.now(UTC)))
        self.parts.feed.wake()

    async def health(self) -> Health:
        return (await self.parts.messages.health([self.hook.webhook_id]))[self.hook.webhook_id]

    async def letters(self) -> tuple[Letter, ...]:
        return await self.parts.messages.letters(self.hook.webhook_id, 0, 10)

    async def retry_dead_letters(self) -> None:
        """Somebody wants all of them posted once more."""
        await self.parts.writes.submit(Retry(self.hook, (), uuid4(), uuid4()))

    async def until(self, holds: Callable[[Health], bool]) -> None:
        """Returns when what the database says of the webhook is so."""
        await answer_that(holds, self.health)

    async def take_over(self) -> None:
        """Another replica holds the webhook from now on, alive and silent."""
        await self._change_hold(_TAKE_OVER)

    async def run_out(self) -> None:
        """Nobody has kept the hold, as when the replica stood still for as long."""
        await self._change_hold(_RUN_OUT)

    async def end(self) -> None:
        """The head of the agency ends the webhook."""
        await self.parts.writes.submit(WebhookAct(self.hook, State.ENDED, uuid4(), uuid4(), _HEAD))

    async def _change_hold(self, change: str) -> None:
        async with admin_connection(self._admin_url) as admin:
            await admin.execute(f"UPDATE alerts.webhook_cursor SET {change}")  # noqa: S608 - constants


Lose = Callable[[Bench], Awaitable[None]]


@pytest.fixture
def settings(database: MigratedDatabase, audit: AuditHost, tls: Any, tmp_path: Any) -> AlertsSettings:
    made: AlertsSettings = webhook_settings(tmp_path, tls, database, audit.port)
    return made


@pytest_asyncio.fixture(loop_scope="session")
async def receiver(tls: Any) -> AsyncIterator[Receiver]:
    async with receiving(tls) as made:
        yield made


@pytest_asyncio.fixture(loop_scope="session")
async def bench(
    settings: AlertsSettings, audit: AuditHost, tls: Any, receiver: Receiver, database: MigratedDatabase
) -> AsyncIterator[Bench]:
    # A whole service sets the webhook up. When it has stopped, its hold is given back or runs out.
    async with posting(await start_rig(settings, tls), audit, receiver) as post:
        webhook_id, _ = await post.hooked()
    async with delivery_parts(settings) as parts:
        kept = await parts.webhooks.get(UUID(webhook_id))
        hold = Hold(kept.webhook, uuid4())
        claim = partial(parts.messages.claim, hold, _LONG_SECONDS)
        cursor = await answer_that(lambda cursor: cursor is not None, claim)
        assert cursor is not None
        run = asyncio.create_task(WebhookDelivery(parts, hold, cursor).run())
        yield Bench(parts, hold, run, database.admin_url)
        run.cancel()
        await asyncio.gather(run, return_exceptions=True)


@asynccontextmanager
async def delivery_parts(settings: AlertsSettings) -> AsyncIterator[DeliveryParts]:
    """What a delivery works with in a replica of `settings`, without the runner."""
    pool = await open_pool(settings.database_url.get_secret_value(), application_name="alerts-test")
    channel = service_channel(settings.audit_target, settings.client_tls, server_name="audit")
    parts = _parts(settings, pool, AuditClient(channel, timeout_seconds=30))
    await parts.feed.start()
    following = asyncio.create_task(parts.feed.run())
    try:
        yield parts
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
        await parts.sender.close()
        await parts.writes.close()
        await channel.close()
        await pool.close()


def _parts(settings: AlertsSettings, pool: Pool, audit: AuditClient) -> DeliveryParts:
    clock, store = SystemClock(), AlertStore(pool)
    key = read_key(settings.image_kek_file, "PW_IMAGE_KEK_FILE")
    writer = AlertWriter(pool, clock, passage_window=WINDOW, new_id=uuid4)
    writes = GroupCommit[Change, Done](writer.flush)
    alerts = Alerts(store, writes, audit, Pictures(settings.image_store(), key), clock)
    grace = timedelta(seconds=settings.telecom_grace_seconds)
    return DeliveryParts(
        feed=Feed(store, SubscriptionBook(SubscriptionStore(pool)), ring_size=settings.feed_ring_size),
        alerts=store,
        webhooks=WebhookStore(pool),
        messages=MessageStore(pool),
        writes=writes,
        secrets=WebhookSecrets(key),
        sender=WebhookSender(
            parse_networks(settings.webhook_networks), tls_of(settings.webhook_ca_file), _PACE.post_seconds
        ),
        terms=EntitlementTerms(audit, clock, telecom_grace=lambda: grace, report=alerts.report_continuation),
        clock=clock,
        source=settings.webhook_source,
        pace=_PACE,
    )


async def posts_to_the_end(bench: Bench, receiver: Receiver) -> int:
    """How many posts came more before the delivery ended; with the first one it waits for no end."""
    before = len(receiver.got)
    await eventually(lambda: bench.run.done() or len(receiver.got) > before)
    return len(receiver.got) - before


@pytest.mark.parametrize("lose", [Bench.take_over, Bench.run_out, Bench.end])
async def test_the_next_alert_is_not_posted_when_the_hold_is_over(
    bench: Bench, receiver: Receiver, lose: Lose
) -> None:
    await bench.raise_hit("BEFORE1")
    # Noted too, so that it is not this note that finds the hold lost.
    await bench.until(lambda health: health.delivered == 1)

    await lose(bench)
    await bench.raise_hit("AFTER01")

    assert await posts_to_the_end(bench, receiver) == 0
    assert [got.plate for got in receiver.got] == ["BEFORE1"]


@pytest.mark.parametrize("lose", [Bench.take_over, Bench.run_out, Bench.end])
async def test_the_next_try_is_not_made_when_the_hold_is_lost_during_the_first(
    bench: Bench, receiver: Receiver, lose: Lose
) -> None:
    async def lose_once() -> None:
        receiver.meanwhile = None
        await lose(bench)

    receiver.always, receiver.meanwhile = 503, lose_once
    await bench.raise_hit("TRIED01")
    await receiver.until(lambda r: r.got)

    assert await posts_to_the_end(bench, receiver) == 0
    assert [got.status for got in receiver.got] == [503]


@pytest.mark.parametrize("lose", [Bench.take_over, Bench.run_out, Bench.end])
async def test_a_dead_letter_is_not_posted_again_when_the_hold_is_over(
    bench: Bench, receiver: Receiver, lose: Lose
) -> None:
    receiver.answers.extend([422, 422, 422])
    await bench.raise_hit("LETTER1")
    await bench.until(lambda health: health.dead_letters == 1)

    await lose(bench)
    await bench.retry_dead_letters()

    assert await posts_to_the_end(bench, receiver) == 0
    assert [got.status for got in receiver.got] == [422, 422, 422]
    # It waits for the replica that holds the webhook now.
    assert [letter.waiting for letter in await bench.letters()] == [True]
