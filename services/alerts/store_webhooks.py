"""Webhooks as they are set up: proposals, approvals, ends and secrets, each with its intent."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from services.alerts.core.model import Actor
from services.alerts.core.webhook import (
    MOST_OF_AN_AGENCY,
    SECRETS_OVERLAP,
    Format,
    State,
    Webhook,
    state_of,
)
from services.alerts.rows import Row
from services.alerts.store_batch import Batch, OutboxItem
from services.alerts.wire_filter import stored_filter
from services.common.errors import NotFoundError, RequestIdReusedError, WrongStateError
from services.common.pg import Pool, connection

OUTCOME_DONE = 1
_COLUMNS = (
    "w.webhook_id, w.request_id, w.intent_id, w.agency_ori, w.owner_id, w.name, w.url, w.format, "
    "w.chosen, w.create_time"
)
_BY_ID = f"SELECT {_COLUMNS} FROM alerts.webhook w WHERE w.webhook_id = $1"  # noqa: S608 - constants
# Ended ones stay on record; of them the newest are shown.
_OF_AGENCY = f"""
SELECT {_COLUMNS} FROM alerts.webhook w
LEFT JOIN alerts.webhook_act e ON e.webhook_id = w.webhook_id AND e.kind = 3
WHERE w.agency_ori = $1 ORDER BY e.webhook_id IS NOT NULL, w.create_time DESC, w.webhook_id LIMIT $2
"""  # noqa: S608 - constants
_ACTS = "SELECT webhook_id, kind, account_id, act_time FROM alerts.webhook_act WHERE webhook_id = ANY($1)"
_INSERT = """
INSERT INTO alerts.webhook (webhook_id, request_id, intent_id, agency_ori, owner_id, name, url, format,
    chosen, create_time) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
"""
_OPEN = """
SELECT count(*) FROM alerts.webhook w WHERE w.agency_ori = $1 AND NOT EXISTS (
    SELECT FROM alerts.webhook_act a WHERE a.webhook_id = w.webhook_id AND a.kind = 3)
"""
_INSERT_SEALED = """
INSERT INTO alerts.webhook_secret (webhook_id, secret_number, request_id, intent_id, sealed, from_time)
SELECT $1, coalesce(max(secret_number), 0) + 1, $2, $3, $4, $5
FROM alerts.webhook_secret WHERE webhook_id = $1
"""
_SEALED_BY = "SELECT webhook_id, sealed, from_time FROM alerts.webhook_secret WHERE request_id = $1"
_ACT_OF = "SELECT webhook_id, kind, account_id FROM alerts.webhook_act WHERE request_id = $1"
_INSERT_ACT = """
INSERT INTO alerts.webhook_act (webhook_id, kind, request_id, intent_id, account_id, agency_ori, act_time)
VALUES ($1, $2, $3, $4, $5, $6, $7)
"""
_BEGIN = """
INSERT INTO alerts.webhook_cursor (webhook_id, epoch, position) SELECT $1, epoch, $2 FROM alerts.feed_head
"""
_NOTIFY = "SELECT pg_notify('alerts_webhooks', '')"


@dataclass(frozen=True, slots=True)
class Done:
    """Who did something about a webhook, and when."""

    account_id: str
    act_time: datetime


@dataclass(frozen=True, slots=True)
class Kept:
    """A webhook with its filter as it is stored, and what was done about it since."""

    webhook: Webhook
    chosen: str
    approved: Done | None
    ended: Done | None

    @property
    def state(self) -> State:
        """How far it is."""
        acts = {State.ACTIVE: self.approved, State.ENDED: self.ended}
        return state_of({state for state, done in acts.items() if done})


@dataclass(frozen=True, slots=True)
class Proposal:
    """A webhook that its owner proposes, with its first secret, sealed, and its filter as it is stored."""

    webhook: Webhook
    chosen: str
    request_id: UUID
    sealed: bytes

    async def write_into(self, batch: Batch, new_id: Callable[[], UUID]) -> UUID:
        """Id of the webhook, stored now or before under the same request id."""
        hook = self.webhook
        known = await batch.conn.fetchrow(_BY_ID, hook.webhook_id)
        if known is not None:
            before = replace(_webhook(known), create_time=hook.create_time, intent_id=hook.intent_id)
            refuse_other_content(before == hook, self.request_id)
            return hook.webhook_id
        if await batch.conn.fetchval(_OPEN, hook.agency_ori) >= MOST_OF_AN_AGENCY:
            raise WrongStateError("the agency has 100 webhooks; end one first", metadata={"state": "FULL"})
        await batch.conn.execute(
            _INSERT,
            hook.webhook_id,
            self.request_id,
            hook.intent_id,
            hook.agency_ori,
            hook.owner_id,
            hook.name,
            hook.url,
            int(hook.format),
            self.chosen,
            batch.now,
        )
        secret = (hook.webhook_id, self.request_id, hook.intent_id, self.sealed, batch.now)
        await batch.conn.execute(_INSERT_SEALED, *secret)
        batch.report(outcome_of(batch, new_id(), "webhook.create", hook, hook.intent_id))
        return hook.webhook_id


@dataclass(frozen=True, slots=True)
class WebhookAct:
    """An approval (ACTIVE) or an end (ENDED)."""

    webhook: Webhook
    state: State
    request_id: UUID
    intent_id: UUID
    actor: Actor

    async def write_into(self, batch: Batch, new_id: Callable[[], UUID]) -> UUID:
        """Id of the webhook, once it is as far as that; also when it was so already."""
        hook = self.webhook
        earlier = await batch.conn.fetchrow(_ACT_OF, self.request_id)
        if earlier is not None:
            mine = (hook.webhook_id, int(self.state), self.actor.account_id)
            refuse_other_content(tuple(earlier.values()) == mine, self.request_id)
            return hook.webhook_id
        acts = {State(row["kind"]) for row in await batch.conn.fetch(_ACTS, [hook.webhook_id])}
        if State.ENDED in acts or self.state in acts:
            raise WrongStateError(
                f"the webhook is {state_of(acts).name} already", metadata={"state": state_of(acts).name}
            )
        values = (self.request_id, self.intent_id, self.actor.account_id, self.actor.agency_ori, batch.now)
        await batch.conn.execute(_INSERT_ACT, hook.webhook_id, int(self.state), *values)
        if self.state is State.ACTIVE:
            # Under the lock of the feed: what comes from now on is posted, and nothing from before.
            await batch.conn.execute(_BEGIN, hook.webhook_id, batch.last_position)
        await batch.conn.execute(_NOTIFY)
        action = "webhook.approve" if self.state is State.ACTIVE else "webhook.end"
        batch.report(outcome_of(batch, new_id(), action, hook, self.intent_id))
        return hook.webhook_id


@dataclass(frozen=True, slots=True)
class Rotation:
    """A new secret for a webhook, sealed."""

    webhook: Webhook
    request_id: UUID
    intent_id: UUID
    sealed: bytes

    async def write_into(self, batch: Batch, new_id: Callable[[], UUID]) -> UUID:
        """Id of the webhook, whose secret is stored now or before under the same request id."""
        hook = self.webhook
        earlier = await batch.conn.fetchrow(_SEALED_BY, self.request_id)
        if earlier is not None:
            refuse_other_content(earlier["webhook_id"] == hook.webhook_id, self.request_id)
            return hook.webhook_id
        secret = (hook.webhook_id, self.request_id, self.intent_id, self.sealed, batch.now)
        await batch.conn.execute(_INSERT_SEALED, *secret)
        await batch.conn.execute(_NOTIFY)
        batch.report(outcome_of(batch, new_id(), "webhook.rotate", hook, self.intent_id))
        return hook.webhook_id


class WebhookStore:
    """Reads what is set up."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def get(self, webhook_id: UUID) -> Kept:
        """The webhook.

        Raises:
            NotFoundError: There is none of that id.
        """
        async with connection(self._pool) as conn:
            row = await conn.fetchrow(_BY_ID, webhook_id)
            acts = await conn.fetch(_ACTS, [webhook_id])
        if row is None:
            raise NotFoundError("no such webhook", resource=str(webhook_id))
        return _kept(row, acts)

    async def of_agency(self, agency_ori: str) -> tuple[Kept, ...]:
        """The agency's webhooks, newest first, those that ended last; at most 100."""
        async with connection(self._pool) as conn:
            rows = await conn.fetch(_OF_AGENCY, agency_ori, MOST_OF_AN_AGENCY)
            acts = await conn.fetch(_ACTS, [row["webhook_id"] for row in rows])
        return tuple(_kept(row, acts) for row in rows)

    async def secret_made_by(self, request_id: UUID) -> tuple[bytes, datetime] | None:
        """The sealed secret that the request made, and since when it signs; None when it made none."""
        async with connection(self._pool) as conn:
            row = await conn.fetchrow(_SEALED_BY, request_id)
        return None if row is None else (row["sealed"], row["from_time"])


def outcome_of(batch: Batch, item_id: UUID, action: str, hook: Webhook, intent_id: UUID) -> OutboxItem:
    """What tells the log that the act was done, in the same transaction."""
    return OutboxItem(
        item_id=item_id,
        action=action,
        resource=str(hook.webhook_id),
        agency_ori=hook.agency_ori,
        event_time=batch.now,
        subject_id=intent_id,
        result=OUTCOME_DONE,
    )


def refuse_other_content(same: bool, request_id: UUID) -> None:
    """Returns for a request that came before with the same content.

    Raises:
        RequestIdReusedError: It came with another one.
    """
    if not same:
        raise RequestIdReusedError("this request id came before with other content", resource=str(request_id))


def overlap_end(from_time: datetime) -> datetime:
    """Until when the secret before one of `from_time` signs too."""
    return from_time + SECRETS_OVERLAP


def is_fresh(from_time: datetime, now: datetime) -> bool:
    """Whether a secret of `from_time` may be shown once more to the request that made it."""
    return now - from_time < timedelta(hours=1)


def _webhook(row: Row) -> Webhook:
    return Webhook(
        webhook_id=row["webhook_id"],
        intent_id=row["intent_id"],
        agency_ori=row["agency_ori"],
        owner_id=row["owner_id"],
        name=row["name"],
        url=row["url"],
        format=Format(row["format"]),
        chosen=stored_filter(row["chosen"]),
        create_time=row["create_time"],
    )


def _kept(row: Row, acts: list[Row]) -> Kept:
    webhook = _webhook(row)
    done = {
        State(row["kind"]): Done(row["account_id"], row["act_time"])
        for row in acts
        if row["webhook_id"] == webhook.webhook_id
    }
    return Kept(webhook, row["chosen"], done.get(State.ACTIVE), done.get(State.ENDED))
