"""Streams to patrol assets and to those who watch what escalates. What waits is on disk; a stream shows it.

Neither has a resume token: a message waits until somebody has seen it, an escalation until somebody answered,
and whoever comes back gets what waits. So nothing is lost, whatever ended the stream, and nobody can count.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import datetime
from uuid import UUID

from services.alerts.bells import Bells
from services.alerts.core.dispatch import DeliveryKind
from services.alerts.core.model import Actor
from services.alerts.core.timers import waits_for
from services.alerts.core.view import visible_to
from services.alerts.entitlement import Entitlement
from services.alerts.errors import SlowSubscriberError
from services.alerts.races import wait_at_most
from services.alerts.store_assets import AssetStore, not_aboard
from services.alerts.store_messages import Escalated, MessageStore, Unseen
from services.alerts.subscription import LIVE_PERIOD, Pace
from services.common.clock import Clock

Send = Callable[["Unseen | Escalated | None"], Awaitable[None]]
Look = Callable[[], Awaitable[int]]


class DispatchStreams:
    """Opens streams. `send` is called with None for a heartbeat."""

    def __init__(
        self, assets: AssetStore, deliveries: MessageStore, bells: Bells, clock: Clock, pace: Pace
    ) -> None:
        self._assets = assets
        self._deliveries = deliveries
        self._bells = bells
        self._clock = clock
        self._pace = pace

    async def messages(self, entitlement: Entitlement, send: Send) -> None:
        """Sends what nobody aboard of the person's asset has seen, as it comes; never returns by itself.

        Raises:
            WrongStateError: The person is aboard of no asset, or not of the same one any more.
            SlowSubscriberError, StorageUnavailableError: It ended; begin again.
        """
        asset_id = await self._asset(entitlement.actor)
        sent: dict[UUID, datetime] = {}

        async def look() -> int:
            if await self._asset(entitlement.actor) != asset_id:
                raise not_aboard()
            since = self._since(sent)
            found = await self._deliveries.unseen(asset_id, since, sent)
            for message in found:
                shown = _seen_by(message, entitlement.actor)
                if shown is not None:
                    await self._hand_over(send, shown)
                sent[message.delivery_id] = message.delivery_time
            return len(found)

        await self._follow(str(asset_id), look, send)

    async def escalations(self, entitlement: Entitlement, send: Send) -> None:
        """Sends what waits for an answer still, as it comes; never returns by itself.

        Raises:
            SlowSubscriberError, StorageUnavailableError: It ended; begin again.
        """
        agency_ori = entitlement.actor.agency_ori
        sent: dict[UUID, datetime] = {}

        async def look() -> int:
            since = self._since(sent)
            found = await self._deliveries.escalations(agency_ori, since, sent)
            for one in found:
                view = visible_to(one.alert, agency_ori)
                if view is not None and _waits(one):
                    await self._hand_over(send, Escalated(one.escalation, view))
                sent[one.escalation.escalation_id] = one.escalation.escalate_time
            return len(found)

        await self._follow(agency_ori, look, send)

    async def _asset(self, actor: Actor) -> UUID:
        asset_id = await self._assets.aboard(actor)
        if asset_id is None:
            raise not_aboard()
        return asset_id

    def _since(self, sent: dict[UUID, datetime]) -> datetime:
        """How far back is looked; what was sent and lies before that is forgotten."""
        since = self._clock.now() - LIVE_PERIOD
        for key in [key for key, moment in sent.items() if moment < since]:
            del sent[key]
        return since

    async def _follow(self, key: str, look: Look, send: Send) -> None:
        last_beat = float("-inf")
        while True:
            changed = self._bells.of(key)
            if await look():
                continue
            # Only after a look that came back: a heartbeat says that nothing is new.
            if time.monotonic() - last_beat >= self._pace.heartbeat_seconds:
                await self._hand_over(send, None)
                last_beat = time.monotonic()
            await wait_at_most(changed, last_beat + self._pace.heartbeat_seconds - time.monotonic())

    async def _hand_over(self, send: Send, what: "Unseen | Escalated | None") -> None:
        try:
            async with asyncio.timeout(self._pace.stall_seconds):
                await send(what)
        except TimeoutError:
            raise SlowSubscriberError("the subscriber read too slowly; begin again") from None


def _seen_by(message: Unseen, actor: Actor) -> Unseen | None:
    view = visible_to(message.alert, actor.agency_ori)
    if view is None:
        return None
    return Unseen(message.delivery_id, DeliveryKind(message.kind), message.delivery_time, view)


def _waits(escalated: Escalated) -> bool:
    newest = max(one.round for one in escalated.alert.escalations if one.kind is escalated.escalation.kind)
    return waits_for(escalated.alert, escalated.escalation.kind) and escalated.escalation.round == newest
