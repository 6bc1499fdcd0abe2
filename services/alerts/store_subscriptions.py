"""Subscriptions as they lie on disk: every change is a further version, numbered with the feed's head."""

import json
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from services.alerts.core.model import Actor, Partition
from services.alerts.rows import Row
from services.alerts.store_batch import Batch, OutboxItem
from services.common.errors import NotFoundError, RequestIdReusedError, WrongStateError
from services.common.pg import Pool, connection

MOST_SUBSCRIPTIONS = 50
_DONE = 1

# The newest version of each subscription, with the time of the first.
_NEWEST = """
SELECT DISTINCT ON (v.subscription_id)
    v.subscription_id, v.version, v.account_id, v.motor_carrier, v.name, v.chosen, v.ended, v.change_time,
    first_value(v.change_time) OVER (PARTITION BY v.subscription_id ORDER BY v.version) AS create_time
FROM alerts.subscription_version v WHERE {which} ORDER BY v.subscription_id, v.version DESC
"""
_ONE = _NEWEST.format(which="v.subscription_id = $1")
# What counts at a position or later: versions without a next one, or with one that counts from later on only.
_COUNTING = """
SELECT n.subscription_id, n.account_id, n.motor_carrier, n.chosen, n.ended, n.revision, n.from_position
FROM (
    SELECT v.*,
        lead(v.from_position) OVER (PARTITION BY v.subscription_id ORDER BY v.version) AS next_position
    FROM alerts.subscription_version v WHERE v.account_id = $1
) n WHERE coalesce(n.next_position > $2, true) ORDER BY n.revision
"""
_SINCE = """
SELECT subscription_id, account_id, motor_carrier, chosen, ended, revision, from_position
FROM alerts.subscription_version WHERE account_id = ANY($1::text[]) AND revision > $2 ORDER BY revision
"""
_LIVE = f"""
SELECT n.* FROM ({_NEWEST.format(which="v.account_id = $1 AND v.motor_carrier = $2")}) n
WHERE NOT n.ended ORDER BY n.create_time, n.subscription_id
"""  # noqa: S608 - constants of this file
_EARLIER = """
SELECT subscription_id, account_id, motor_carrier, name, chosen, ended
FROM alerts.subscription_version WHERE request_id = $1
"""
_INSERT = """
INSERT INTO alerts.subscription_version (subscription_id, version, revision, from_position, account_id,
    agency_ori, motor_carrier, name, chosen, ended, request_id, intent_id, change_time)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
"""


@dataclass(frozen=True, slots=True)
class Subscription:
    """A subscription at its newest version; `chosen` is its filter as it is stored (wire_filter)."""

    subscription_id: UUID
    account_id: str
    partition: Partition
    name: str
    chosen: str
    version: int
    create_time: datetime
    change_time: datetime
    ended: bool


@dataclass(frozen=True, slots=True)
class SubscriptionChange:
    """What its owner does to a subscription, with the intent that the log holds already.

    The first version when `begins`; the last one when `ends`, which keeps name and filter.
    """

    request_id: UUID
    action: str
    subscription_id: UUID
    partition: Partition
    actor: Actor
    intent_id: UUID
    name: str = ""
    chosen: str = ""
    begins: bool = False
    ends: bool = False

    async def write_into(self, batch: Batch, new_id: Callable[[], UUID]) -> UUID:
        """The subscription, changed now or before under the same request id.

        Raises:
            NotFoundError: The person has no such subscription, or ended it.
            WrongStateError: The person has as many as there may be.
            RequestIdReusedError: The request id came before with other content.
        """
        earlier = await batch.conn.fetchrow(_EARLIER, self.request_id)
        if earlier is not None:
            _require_same(earlier, self)
            return self.subscription_id
        newest = await batch.conn.fetchrow(_ONE, self.subscription_id)
        if not self.begins and (newest is None or newest["ended"] or not _is_owner(newest, self)):
            raise NotFoundError("no such subscription", resource=str(self.subscription_id))
        if self.begins:
            await _require_room(batch, self)
        await batch.conn.execute(_INSERT, *_version(self, newest, batch))
        batch.report(_outcome(self, batch, new_id()))
        return self.subscription_id


@dataclass(frozen=True, slots=True)
class Version:
    """What a subscription wants of the feed from `from_position` on; `chosen` is None when it has ended."""

    subscription_id: UUID
    account_id: str
    partition: Partition
    chosen: str | None
    revision: int
    from_position: int


class SubscriptionStore:
    """What people have chosen."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def one(self, subscription_id: UUID) -> Subscription | None:
        """The subscription, also when it has ended; None when there is none."""
        async with connection(self._pool) as conn:
            row = await conn.fetchrow(_ONE, subscription_id)
        return None if row is None else _subscription(row)

    async def of(self, account_id: str, partition: Partition) -> tuple[Subscription, ...]:
        """What the person has, oldest first."""
        async with connection(self._pool) as conn:
            rows = await conn.fetch(_LIVE, account_id, partition is Partition.MOTOR_CARRIER)
        return tuple(_subscription(row) for row in rows)

    async def counting(self, account_id: str, position: int) -> tuple[Version, ...]:
        """What the person wants of the feed from `position` on, in the order of the changes."""
        async with connection(self._pool) as conn:
            rows = await conn.fetch(_COUNTING, account_id, position)
        return tuple(_counting(row) for row in rows)

    async def since(self, account_ids: Collection[str], revision: int) -> tuple[Version, ...]:
        """The changes of these people after the change `revision`, in order."""
        async with connection(self._pool) as conn:
            rows = await conn.fetch(_SINCE, list(account_ids), revision)
        return tuple(_counting(row) for row in rows)


def _counting(row: Row) -> Version:
    return Version(
        subscription_id=row["subscription_id"],
        account_id=row["account_id"],
        partition=_partition(row),
        chosen=None if row["ended"] else row["chosen"],
        revision=row["revision"],
        from_position=row["from_position"],
    )


def _version(change: SubscriptionChange, newest: Row | None, batch: Batch) -> tuple[object, ...]:
    kept = newest if change.ends else None
    return (
        change.subscription_id,
        (newest["version"] if newest else 0) + 1,
        *batch.revise_subscriptions(),
        change.actor.account_id,
        change.actor.agency_ori,
        change.partition is Partition.MOTOR_CARRIER,
        kept["name"] if kept else change.name,
        kept["chosen"] if kept else change.chosen,
        change.ends,
        change.request_id,
        change.intent_id,
        batch.now,
    )


async def _require_room(batch: Batch, change: SubscriptionChange) -> None:
    motor_carrier = change.partition is Partition.MOTOR_CARRIER
    rows = await batch.conn.fetch(_LIVE, change.actor.account_id, motor_carrier)
    if len(rows) >= MOST_SUBSCRIPTIONS:
        raise WrongStateError(
            f"there are {MOST_SUBSCRIPTIONS} subscriptions already; end one first",
            metadata={"state": "FULL"},
        )


def _require_same(earlier: Row, change: SubscriptionChange) -> None:
    same = earlier["subscription_id"] == change.subscription_id and _is_owner(earlier, change)
    # The database keeps what a filter says, not how it was spelt.
    content = change.ends or (
        earlier["name"] == change.name and json.loads(earlier["chosen"]) == json.loads(change.chosen)
    )
    if not (same and content and earlier["ended"] == change.ends):
        raise RequestIdReusedError(
            "this request id came before with other content", resource=str(change.request_id)
        )


def _is_owner(row: Row, change: SubscriptionChange) -> bool:
    return row["account_id"] == change.actor.account_id and _partition(row) is change.partition


def _partition(row: Row) -> Partition:
    return Partition.MOTOR_CARRIER if row["motor_carrier"] else Partition.GENERAL


def _subscription(row: Row) -> Subscription:
    return Subscription(
        subscription_id=row["subscription_id"],
        account_id=row["account_id"],
        partition=_partition(row),
        name=row["name"],
        chosen=row["chosen"],
        version=row["version"],
        create_time=row["create_time"],
        change_time=row["change_time"],
        ended=row["ended"],
    )


def _outcome(change: SubscriptionChange, batch: Batch, item_id: UUID) -> OutboxItem:
    return OutboxItem(
        item_id=item_id,
        action=change.action,
        resource=str(change.subscription_id),
        agency_ori=change.actor.agency_ori,
        event_time=batch.now,
        subject_id=change.intent_id,
        result=_DONE,
    )
