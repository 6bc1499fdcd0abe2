"""Posts for one webhook, while this process holds it: in order, at least once (ENF-051 IV.D.3)."""

import asyncio
import random
import time
from dataclasses import dataclass

import structlog

from services.alerts import metrics
from services.alerts.core.model import FeedKind
from services.alerts.core.subscription import Verdict, judge
from services.alerts.core.view import visible_to
from services.alerts.core.webhook import (
    GOOD_FOR,
    LONGEST_ASKED,
    Answer,
    Cursor,
    Failure,
    Hold,
    Letter,
    Message,
    event_id,
    is_expired,
    is_given_up,
    pause_after,
)
from services.alerts.entitlement import Entitlement, EntitlementTerms
from services.alerts.feed import Feed, Published
from services.alerts.races import completed, first_ending, wait_at_most
from services.alerts.store import AlertStore
from services.alerts.store_webhook_ends import Ended, Halt, RetryEnded
from services.alerts.store_webhook_messages import MessageStore
from services.alerts.store_webhooks import WebhookStore
from services.alerts.store_writer import Change, Done
from services.alerts.webhook_bodies import body_of, signed
from services.alerts.webhook_secrets import WebhookSecrets
from services.alerts.webhook_sender import WebhookSender
from services.common.clock import Clock
from services.common.errors import AlprError, AuditUnavailableError, StorageUnavailableError
from services.common.groupcommit import GroupCommit

log = structlog.get_logger()

_IDLE_SECONDS = 1.0
_STEP_SECONDS = 1.0
_STORAGE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Pace:
    """How long one try may take, how long a hold lasts, which is longer, and how often an owner who is not
    entitled is asked for again; seconds.
    """

    post_seconds: float
    hold_seconds: float
    halted_seconds: float


@dataclass(frozen=True, slots=True)
class DeliveryParts:
    """What all webhooks of a process share; `source` names the installation in what is posted."""

    feed: Feed
    alerts: AlertStore
    webhooks: WebhookStore
    messages: MessageStore
    writes: GroupCommit[Change, Done]
    secrets: WebhookSecrets
    sender: WebhookSender
    terms: EntitlementTerms
    clock: Clock
    source: str
    pace: Pace


class HoldLostError(Exception):
    """Another replica posts for the webhook, or it has ended."""


class WebhookDelivery:
    """Runs until the hold is lost or the feed begins anew; its owner then claims the webhook afresh."""

    def __init__(self, parts: DeliveryParts, hold: Hold, cursor: Cursor) -> None:
        self._parts = parts
        self._hold = hold
        self._hook = hold.webhook
        self._epoch, self._position = cursor.epoch, cursor.position
        self._sequence, self._tries = cursor.sequence, cursor.tries
        self._next_try = cursor.next_try
        self._halted = cursor.halt_time is not None

    async def run(self) -> None:
        """Posts while the owner is entitled to alerts, and waits while the owner is not."""
        while True:
            try:
                if await self._while_entitled():
                    return
            except HoldLostError:
                return
            except StorageUnavailableError:
                await asyncio.sleep(_STORAGE_SECONDS)

    async def _while_entitled(self) -> bool:
        """True when there is nothing more to do with this hold."""
        try:
            entitlement = await Entitlement.open_standing(self._parts.terms, self._hook.intent_id)
        except AuditUnavailableError:
            # Nothing is known against the owner, and nothing for: nothing is posted.
            await asyncio.sleep(_STORAGE_SECONDS)
            return False
        except AlprError:
            await self._set_halted(halted=True)
            await asyncio.sleep(self._parts.pace.halted_seconds)
            return False
        try:
            await self._set_halted(halted=False)
            await first_ending(self._deliver(), entitlement.hold())
        except (HoldLostError, StorageUnavailableError):
            raise
        except AlprError as error:
            log.warning("webhook_halts", webhook_id=str(self._hook.webhook_id), error=type(error).__name__)
            await self._set_halted(halted=True)
            return False
        finally:
            await entitlement.close()
        return True

    async def _deliver(self) -> None:
        """Returns when the feed has begun anew."""
        feed, era = self._parts.feed, self._parts.feed.era
        await self._resync()
        more = asyncio.Event()
        with feed.waking(more):
            while feed.era == era:
                more.clear()
                batch = await feed.after(self._position)
                for published in batch:
                    await self._offer(published)
                if not batch:
                    await self._rest(more)
                    await wait_at_most(more, _IDLE_SECONDS)

    async def _resync(self) -> None:
        """After a restore positions mean others than before; what may be missing is posted again."""
        head = self._parts.feed.head
        if head.epoch == self._epoch:
            return
        since = max(head.resync_from, self._parts.clock.now() - GOOD_FOR)
        before = await self._parts.alerts.position_before(since)
        self._epoch, self._position = head.epoch, head.last_position if before is None else before
        await self._note_position()

    async def _offer(self, published: Published) -> None:
        item = published.item
        alert = visible_to(item.alert, self._hook.agency_ori)
        verdict = Verdict.WITHHELD if alert is None else judge([self._hook.chosen], alert, item.feed_time)
        if alert is None or verdict is Verdict.WITHHELD:
            self._position = item.position
            return
        message = Message(
            event_id=event_id(self._hook.webhook_id, self._epoch, item.position),
            sequence=self._sequence + 1,
            alert=alert,
            event_time=item.feed_time,
            is_first=item.kind is FeedKind.RAISED,
            is_quiet=verdict is Verdict.QUIET,
        )
        answer = await self._until_done(message)
        # What the receiver has taken is noted also when the owner's entitlement ends just now.
        await completed(self._end(message, item.position, answer))

    async def _end(self, message: Message, position: int, answer: Answer) -> None:
        await self._submit(Ended(self._hold, message, self._epoch, position, self._tries, answer))
        self._position, self._sequence = position, message.sequence
        self._tries, self._next_try = 0, None

    async def _until_done(self, message: Message) -> Answer:
        """How the message ended: taken, or given up."""
        while True:
            await self._wait_for_next_try()
            if is_expired(message.event_time, self._parts.clock.now()):
                return Answer(Failure.EXPIRED)
            answer = await self._post(message)
            self._tries += 1
            now = self._parts.clock.now()
            if answer.taken or is_given_up(answer, self._tries, message.event_time, now):
                return answer
            # By chance so that webhooks of one receiver do not come back in the same moment.
            pause = pause_after(self._tries, answer, random.random())  # noqa: S311 - no secret
            self._next_try = now + pause
            await self._parts.messages.failed(self._hold, self._tries, answer, self._next_try)
            self._note_failure(answer)

    def _note_failure(self, answer: Answer) -> None:
        log.info(
            "webhook_try_failed",
            webhook_id=str(self._hook.webhook_id),
            tries=self._tries,
            failure=answer.failure.name,
            status=answer.status,
        )

    async def _wait_for_next_try(self) -> None:
        if self._next_try is None:
            return
        # In small steps, and no longer than any pause of ours: clocks are set forward and back.
        give_up = time.monotonic() + LONGEST_ASKED.total_seconds()
        while (left := (self._next_try - self._parts.clock.now()).total_seconds()) > 0:
            await asyncio.sleep(min(left, _STEP_SECONDS))
            if time.monotonic() > give_up:
                return

    async def _post(self, message: Message) -> Answer:
        parts, hook, pace = self._parts, self._hook, self._parts.pace
        now = parts.clock.now()
        ready = await parts.messages.ready(self._hold, message, pace.post_seconds, now)
        # The last look before anything leaves: this replica's for long enough, and not ended.
        if not ready.may_post and not await parts.messages.keep(self._hold, pace.hold_seconds):
            raise HoldLostError
        body = body_of(hook, message, parts.source, ready.before)
        secrets = tuple(parts.secrets.open(hook.webhook_id, one) for one in ready.sealed)
        post = signed(hook, message, body, secrets, now)
        answer = await parts.sender.post(hook.url, post.headers, post.body)
        result = "taken" if answer.taken else answer.failure.name.lower()
        metrics.WEBHOOK_POSTS.labels(result).inc()
        return answer

    async def _rest(self, more: asyncio.Event) -> None:
        """What is done when nothing new is there, and no longer than that: dead letters hold up no alert."""
        await self._note_position()
        for letter in await self._parts.messages.waiting(self._hook.webhook_id):
            if more.is_set():
                return
            await self._post_again(letter)

    async def _post_again(self, letter: Letter) -> None:
        alert = await self._parts.alerts.alert(letter.alert_id)
        view = None if alert is None else visible_to(alert, self._hook.agency_ori)
        if view is None:
            raise StorageUnavailableError("the alert of a dead letter cannot be read")
        message = Message(
            event_id=letter.event_id,
            sequence=letter.sequence,
            alert=view,
            event_time=letter.event_time,
            is_first=False,
            is_quiet=judge([self._hook.chosen], view, letter.event_time) is Verdict.QUIET,
        )
        expired = is_expired(letter.event_time, self._parts.clock.now())
        answer = Answer(Failure.EXPIRED) if expired else await self._post(message)
        await completed(self._submit(RetryEnded(self._hook, message, letter.retry_number, answer)))

    async def _note_position(self) -> None:
        await self._parts.messages.move(self._hold, self._epoch, self._position)

    async def _submit(self, change: Ended | RetryEnded) -> None:
        try:
            await self._parts.writes.submit(change)
        except AlprError:
            # Taken over, or nobody knows whether it is stored: the cursor of the next hold does.
            raise HoldLostError from None

    async def _set_halted(self, *, halted: bool) -> None:
        if halted != self._halted:
            await self._parts.writes.submit(Halt(self._hook, halted))
            self._halted = halted
