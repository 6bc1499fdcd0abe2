"""What ends for webhooks, inside a batch of the writer: a message, a retry, an entitlement."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from uuid import UUID

from services.alerts.core.webhook import Answer, Hold, Message, Webhook, may_retry
from services.alerts.store_batch import Batch, OutboxItem
from services.alerts.store_webhook_messages import DEAD, DELIVERED, LETTERS, letter_of
from services.alerts.store_webhooks import outcome_of, refuse_other_content
from services.common.errors import WrongStateError

_ENDED = """
UPDATE alerts.webhook_cursor
SET epoch = $4, position = $5, sequence = $3, tries = 0, failure = 0, status = 0, next_try = NULL
WHERE webhook_id = $1 AND holder = $2 AND held_until > clock_timestamp() AND sequence = $3 - 1
RETURNING true
"""
_INSERT_MESSAGE = """
INSERT INTO alerts.webhook_message (webhook_id, sequence, event_id, epoch, position, alert_id, event_time,
    end_time, outcome, tries, failure, status) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
"""
# Only what is dead still counts among the 500, so that the same request made anew reaches the next ones.
_CHOSEN = f"""{LETTERS} AND (cardinality($2::bigint[]) = 0 OR m.sequence = ANY($2))
AND (r.retry_number IS NULL OR e.outcome = 2)
ORDER BY m.sequence DESC LIMIT 500"""
_RETRY = """
INSERT INTO alerts.webhook_retry (webhook_id, sequence, retry_number, request_id, intent_id, request_time)
VALUES ($1, $2, $3, $4, $5, $6)
"""
_RETRIED = "SELECT webhook_id FROM alerts.webhook_retry WHERE request_id = $1 LIMIT 1"
_END_RETRY = """
INSERT INTO alerts.webhook_retry_end (webhook_id, sequence, retry_number, end_time, outcome, failure, status)
VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING RETURNING true
"""
_HALT = """
UPDATE alerts.webhook_cursor SET halt_time = $2
WHERE webhook_id = $1 AND (halt_time IS NULL) <> ($2::timestamptz IS NULL) RETURNING true
"""
_NOTIFY = "SELECT pg_notify('alerts_webhooks', '')"


@dataclass(frozen=True, slots=True)
class Ended:
    """A message that the receiver has taken, or that is given up after `tries`; its position is done with."""

    hold: Hold
    message: Message
    epoch: int
    position: int
    tries: int
    answer: Answer

    async def write_into(self, batch: Batch, new_id: Callable[[], UUID]) -> UUID:
        """Id of the message.

        Raises:
            WrongStateError: Another replica has taken over; nothing was written.
        """
        hook, message = self.hold.webhook, self.message
        moved = (hook.webhook_id, self.hold.holder, message.sequence, self.epoch, self.position)
        if await batch.conn.fetchval(_ENDED, *moved) is None:
            raise WrongStateError("another replica posts for this webhook", metadata={"state": "TAKEN_OVER"})
        await batch.conn.execute(
            _INSERT_MESSAGE,
            hook.webhook_id,
            message.sequence,
            message.event_id,
            self.epoch,
            self.position,
            message.alert.alert_id,
            message.event_time,
            batch.now,
            DELIVERED if self.answer.taken else DEAD,
            self.tries,
            int(self.answer.failure),
            self.answer.status,
        )
        batch.report(_event(batch, new_id(), hook, message, self.answer))
        return message.event_id


@dataclass(frozen=True, slots=True)
class RetryEnded:
    """What came of posting a dead letter once more."""

    webhook: Webhook
    message: Message
    retry_number: int
    answer: Answer

    async def write_into(self, batch: Batch, new_id: Callable[[], UUID]) -> UUID:
        """Id of the message; what another replica has written already stays."""
        hook, message = self.webhook, self.message
        written = await batch.conn.fetchval(
            _END_RETRY,
            hook.webhook_id,
            message.sequence,
            self.retry_number,
            batch.now,
            DELIVERED if self.answer.taken else DEAD,
            int(self.answer.failure),
            self.answer.status,
        )
        if written:
            batch.report(_event(batch, new_id(), hook, message, self.answer))
        return message.event_id


@dataclass(frozen=True, slots=True)
class Retry:
    """Dead letters that somebody wants posted once more: those of `sequences`, or all when that is empty."""

    webhook: Webhook
    sequences: Collection[int]
    request_id: UUID
    intent_id: UUID

    async def write_into(self, batch: Batch, new_id: Callable[[], UUID]) -> UUID:
        """The request's id, once those that are recent and not waiting already are to be posted again."""
        hook = self.webhook
        earlier = await batch.conn.fetchval(_RETRIED, self.request_id)
        if earlier is not None:
            refuse_other_content(earlier == hook.webhook_id, self.request_id)
            return self.request_id
        rows = await batch.conn.fetch(_CHOSEN, hook.webhook_id, list(self.sequences))
        letters = [letter for letter in map(letter_of, rows) if may_retry(letter, batch.now)]
        values = (self.request_id, self.intent_id, batch.now)
        await batch.conn.executemany(
            _RETRY, [(hook.webhook_id, one.sequence, one.retry_number + 1, *values) for one in letters]
        )
        await batch.conn.execute(_NOTIFY)
        batch.report(outcome_of(batch, new_id(), "webhook.retry", hook, self.intent_id))
        return self.request_id


@dataclass(frozen=True, slots=True)
class Halt:
    """Nothing is posted any more, for the owner is not entitled; or, `begins` false, it goes on."""

    webhook: Webhook
    begins: bool

    async def write_into(self, batch: Batch, new_id: Callable[[], UUID]) -> UUID:
        """Id of the webhook; the log hears of it once."""
        hook = self.webhook
        if await batch.conn.fetchval(_HALT, hook.webhook_id, batch.now if self.begins else None):
            batch.report(
                OutboxItem(
                    item_id=new_id(),
                    action="webhook.halted" if self.begins else "webhook.resumed",
                    resource=str(hook.webhook_id),
                    agency_ori=hook.agency_ori,
                    event_time=batch.now,
                    details={"owner": hook.owner_id},
                )
            )
        return hook.webhook_id


def _event(batch: Batch, item_id: UUID, hook: Webhook, message: Message, answer: Answer) -> OutboxItem:
    return OutboxItem(
        item_id=item_id,
        action="webhook.delivered" if answer.taken else "webhook.dead_letter",
        resource=str(hook.webhook_id),
        agency_ori=hook.agency_ori,
        event_time=batch.now,
        details={
            "alert_id": str(message.alert.alert_id),
            "event_id": str(message.event_id),
            "sequence": str(message.sequence),
            "failure": answer.failure.name,
            "status": str(answer.status),
        },
    )
