"""What dispatchers send to patrol assets, and how far it has come, inside batches of the writer."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from uuid import UUID

from services.alerts.core.dispatch import (
    Candidate,
    DeliveryKind,
    DeliveryStage,
    Wish,
    candidates,
    may_be_told,
)
from services.alerts.core.model import Actor, Alert, FeedKind
from services.alerts.core.view import visible_to
from services.alerts.rows import Row
from services.alerts.store import load_alerts
from services.alerts.store_assets import AssetAct, aboard, assets_of, outcome, require_assets, require_same
from services.alerts.store_batch import Batch, OutboxItem
from services.common.errors import NotFoundError, WrongStateError

BROADCAST, CANCEL = 1, 2

_EARLIER = "SELECT broadcast_id, alert_id, kind, account_id FROM alerts.broadcast WHERE request_id = $1"
_INSERT = """
INSERT INTO alerts.broadcast
    (broadcast_id, request_id, intent_id, alert_id, kind, account_id, agency_ori, broadcast_time)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
"""
_TELL = """
INSERT INTO alerts.told_asset (alert_id, asset_id, broadcast_id, distance_metres, proposed)
VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING
"""
# The newest message to each of the agency's assets that were told.
_STANDS = """
SELECT told.asset_id, newest.kind
FROM alerts.told_asset told JOIN alerts.asset a USING (asset_id)
LEFT JOIN LATERAL (
    SELECT d.kind FROM alerts.delivery d WHERE d.alert_id = told.alert_id AND d.asset_id = told.asset_id
    ORDER BY d.delivery_number DESC LIMIT 1
) newest ON true
WHERE told.alert_id = $1 AND a.agency_ori = $2 ORDER BY told.asset_id
"""
_SEND = """
INSERT INTO alerts.delivery (delivery_id, alert_id, asset_id, kind, delivery_time, broadcast_id)
VALUES ($1, $2, $3, $4, $5, $6)
"""
_DELIVERY = "SELECT delivery_id, alert_id, asset_id FROM alerts.delivery WHERE delivery_id = $1"
_NEWEST = """
SELECT kind FROM alerts.delivery WHERE alert_id = $1 AND asset_id = $2 ORDER BY delivery_number DESC LIMIT 1
"""
_STAGES = """
SELECT delivery_id, stage FROM alerts.delivery_step WHERE delivery_id = $1 OR request_id = $2
UNION ALL SELECT delivery_id, 3 FROM alerts.en_route WHERE delivery_id = $1 OR request_id = $2
"""
_STEP = """
INSERT INTO alerts.delivery_step (delivery_id, stage, request_id, intent_id, account_id, step_time)
VALUES ($1, $2, $3, $4, $5, $6)
"""
_GOES = """
INSERT INTO alerts.en_route (delivery_id, request_id, intent_id, account_id, step_time)
VALUES ($1, $2, $3, $4, $5)
"""


@dataclass(frozen=True, slots=True)
class Broadcast(AssetAct):
    """Assets of the actor's agency are to hear of an alert."""

    alert_id: UUID
    asset_ids: tuple[UUID, ...]

    async def write_into(self, batch: Batch, new_id: Callable[[], UUID]) -> UUID:
        """The broadcast, made now or before under the same request id.

        Raises:
            NotFoundError, WrongStateError, RequestIdReusedError: Nothing was written.
        """
        earlier = await _earlier(batch, self, self.alert_id, BROADCAST)
        if earlier is not None:
            return earlier
        alert = await _alert(batch, self.alert_id, self.actor)
        if not may_be_told(alert):
            raise closed(alert)
        chosen = await self._chosen(batch, alert)
        stands = await _stands(batch, self.alert_id, self.actor)
        # Who was told to stand down may be sent again.
        told = [asset_id for asset_id in self.asset_ids if stands.get(asset_id, _DOWN) == _DOWN]
        broadcast_id = await _insert(batch, self, self.alert_id, BROADCAST, new_id)
        await batch.conn.executemany(
            _TELL,
            [
                (self.alert_id, one.asset.asset_id, broadcast_id, one.distance_metres, one.proposed)
                for one in chosen
            ],
        )
        await _send(batch, self.alert_id, told, DeliveryKind.ALERT, broadcast_id, new_id)
        batch.announce(self.alert_id, FeedKind.UPDATED)
        batch.report(outcome(self, "dispatch.broadcast", self.alert_id, batch, new_id()))
        return broadcast_id

    async def _chosen(self, batch: Batch, alert: Alert) -> Sequence[Candidate]:
        named = await require_assets(batch.conn, self.actor.agency_ori, self.asset_ids)
        assets = await assets_of(batch.conn, self.actor.agency_ori)
        measured = {one.asset.asset_id: one for one in candidates(alert, assets, batch.now, Wish())}
        # A dispatcher may tell a car that nobody is aboard of yet: whoever goes aboard gets it.
        empty = {asset.asset_id: Candidate(asset, None, proposed=False) for asset in named}
        return [measured.get(asset_id, empty[asset_id]) for asset_id in self.asset_ids]


@dataclass(frozen=True, slots=True)
class CancelBroadcast(AssetAct):
    """The assets of the actor's agency that heard of an alert are to stand down."""

    alert_id: UUID

    async def write_into(self, batch: Batch, new_id: Callable[[], UUID]) -> UUID:
        """The record of it, made now or before under the same request id.

        Raises:
            NotFoundError, WrongStateError, RequestIdReusedError: Nothing was written.
        """
        earlier = await _earlier(batch, self, self.alert_id, CANCEL)
        if earlier is not None:
            return earlier
        await _alert(batch, self.alert_id, self.actor)
        stands = await _stands(batch, self.alert_id, self.actor)
        told = [asset_id for asset_id, kind in stands.items() if kind != _DOWN]
        if not told:
            raise WrongStateError(
                "no asset of your agency stands told of this alert",
                resource=str(self.alert_id),
                metadata={"state": "NOT_BROADCAST"},
            )
        cancel_id = await _insert(batch, self, self.alert_id, CANCEL, new_id)
        await _send(batch, self.alert_id, told, DeliveryKind.CANCELLED, cancel_id, new_id)
        batch.report(outcome(self, "dispatch.cancel", self.alert_id, batch, new_id()))
        return cancel_id


@dataclass(frozen=True, slots=True)
class Receive:
    """A device says that it has a message."""

    request_id: UUID
    actor: Actor
    delivery_id: UUID

    async def write_into(self, batch: Batch, new_id: Callable[[], UUID]) -> UUID:
        """The message. Raises NotFoundError when it is not for the asset that the actor is aboard of."""
        delivery = await _delivery(batch, self.delivery_id, self.actor)
        if await _has(batch, self.delivery_id, self.request_id, DeliveryStage.RECEIVED):
            return self.delivery_id
        await batch.conn.execute(
            _STEP,
            self.delivery_id,
            int(DeliveryStage.RECEIVED),
            self.request_id,
            None,
            self.actor.account_id,
            batch.now,
        )
        batch.report(
            OutboxItem(
                item_id=new_id(),
                action="dispatch.received",
                resource=str(self.delivery_id),
                agency_ori=self.actor.agency_ori,
                event_time=batch.now,
                details={
                    "alert_id": str(delivery["alert_id"]),
                    "asset_id": str(delivery["asset_id"]),
                    "account_id": self.actor.account_id,
                },
            )
        )
        return self.delivery_id


@dataclass(frozen=True, slots=True)
class Answer(AssetAct):
    """Somebody aboard has seen a message, or the crew is on the way."""

    delivery_id: UUID
    stage: DeliveryStage

    async def write_into(self, batch: Batch, new_id: Callable[[], UUID]) -> UUID:
        """The message; what is seen was received, and who is on the way has seen it.

        Raises:
            NotFoundError: As `Receive`.
            WrongStateError: There is nothing to be on the way to.
        """
        delivery = await _delivery(batch, self.delivery_id, self.actor)
        if not await _has(batch, self.delivery_id, self.request_id, self.stage):
            if self.stage is DeliveryStage.EN_ROUTE:
                await _require_sent(batch, delivery, self.actor)
            await self._step(batch, DeliveryStage.RECEIVED, None)
            await self._step(batch, DeliveryStage.SEEN, self.intent_id)
            if self.stage is DeliveryStage.EN_ROUTE:
                who = (self.intent_id, self.actor.account_id, batch.now)
                await batch.conn.execute(_GOES, self.delivery_id, self.request_id, *who)
        batch.report(outcome(self, "dispatch.acknowledge", self.delivery_id, batch, new_id()))
        return self.delivery_id

    async def _step(self, batch: Batch, stage: DeliveryStage, intent_id: UUID | None) -> None:
        if await _has(batch, self.delivery_id, self.request_id, stage):
            return
        who = (self.actor.account_id, batch.now)
        await batch.conn.execute(_STEP, self.delivery_id, int(stage), self.request_id, intent_id, *who)


_DOWN = int(DeliveryKind.CANCELLED)


def closed(alert: Alert) -> WrongStateError:
    """The error for an alert that nobody may be sent after."""
    state = "WITHDRAWN" if alert.withdrawn_at else alert.verification.name
    state = alert.disposition.name if alert.disposition else state
    return WrongStateError(
        "patrol assets are not sent after an alert that is withdrawn, denied or disposed",
        resource=str(alert.alert_id),
        metadata={"state": state},
    )


async def _earlier(batch: Batch, act: AssetAct, alert_id: UUID, kind: int) -> UUID | None:
    row = await batch.conn.fetchrow(_EARLIER, act.request_id)
    if row is None:
        return None
    require_same(tuple(row.values())[1:] == (alert_id, kind, act.actor.account_id), act.request_id)
    broadcast_id: UUID = row["broadcast_id"]
    return broadcast_id


async def _alert(batch: Batch, alert_id: UUID, actor: Actor) -> Alert:
    found = (await load_alerts(batch.conn, {alert_id})).get(alert_id)
    view = None if found is None else visible_to(found, actor.agency_ori)
    if view is None:
        raise NotFoundError("no such alert", resource=str(alert_id))
    return view


async def _stands(batch: Batch, alert_id: UUID, actor: Actor) -> dict[UUID, int]:
    rows = await batch.conn.fetch(_STANDS, alert_id, actor.agency_ori)
    return {row["asset_id"]: row["kind"] for row in rows}


async def _insert(batch: Batch, act: AssetAct, alert_id: UUID, kind: int, new_id: Callable[[], UUID]) -> UUID:
    broadcast_id, actor = new_id(), act.actor
    who = (actor.account_id, actor.agency_ori, batch.now)
    await batch.conn.execute(_INSERT, broadcast_id, act.request_id, act.intent_id, alert_id, kind, *who)
    return broadcast_id


async def _send(  # noqa: PLR0913, PLR0917 - the columns of a message
    batch: Batch,
    alert_id: UUID,
    asset_ids: Sequence[UUID],
    kind: DeliveryKind,
    broadcast_id: UUID,
    new_id: Callable[[], UUID],
) -> None:
    rows = [(new_id(), alert_id, asset_id, int(kind), batch.now, broadcast_id) for asset_id in asset_ids]
    await batch.conn.executemany(_SEND, rows)
    batch.then.call(map(str, asset_ids))


async def _delivery(batch: Batch, delivery_id: UUID, actor: Actor) -> Row:
    row = await batch.conn.fetchrow(_DELIVERY, delivery_id)
    if row is None or row["asset_id"] != await aboard(batch.conn, actor):
        raise NotFoundError("no such message for your patrol asset", resource=str(delivery_id))
    return row


async def _require_sent(batch: Batch, delivery: Row, actor: Actor) -> None:
    """Returns when the asset may still be sent after the alert. Raises WrongStateError."""
    alert = await _alert(batch, delivery["alert_id"], actor)
    if not may_be_told(alert):
        raise closed(alert)
    if await batch.conn.fetchval(_NEWEST, delivery["alert_id"], delivery["asset_id"]) == _DOWN:
        raise WrongStateError(
            "your patrol asset was called off", resource=str(alert.alert_id), metadata={"state": "CANCELLED"}
        )


async def _has(batch: Batch, delivery_id: UUID, request_id: UUID, stage: DeliveryStage) -> bool:
    """Whether the message has come so far already. Raises RequestIdReusedError."""
    rows = await batch.conn.fetch(_STAGES, delivery_id, request_id)
    require_same(all(row["delivery_id"] == delivery_id for row in rows), request_id)
    return any(row["stage"] == int(stage) for row in rows)
