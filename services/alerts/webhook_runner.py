"""Which webhooks this process posts for: of several replicas one holds each, and another takes over."""

import asyncio
from uuid import UUID, uuid4

import structlog

from services.alerts import metrics
from services.alerts.core.webhook import Hold
from services.alerts.races import wait_at_most
from services.alerts.webhook_delivery import DeliveryParts, WebhookDelivery
from services.common.errors import AlprError

log = structlog.get_logger()

_POLL_SECONDS = 1.0


class WebhookRunner:
    """Claims webhooks, keeps the holds, and runs one delivery each; `wake` makes it look at once."""

    def __init__(self, parts: DeliveryParts) -> None:
        self._parts = parts
        self._holder = uuid4()
        self._running: dict[UUID, asyncio.Task[None]] = {}
        # A claim that was broken off may have come through all the same.
        self._claimed: set[UUID] = set()
        self._awake = asyncio.Event()

    def wake(self) -> None:
        """Says that webhooks may have changed."""
        self._awake.set()

    async def run(self) -> None:
        """Never returns. A failure is logged, waited out and tried again."""
        while True:
            self._awake.clear()
            try:
                await self._look()
            except Exception as error:  # whatever it was, who waits for alerts needs the next try
                log.warning("webhooks_wait", error=type(error).__name__)
                await asyncio.sleep(_POLL_SECONDS)
            await wait_at_most(self._awake, _POLL_SECONDS)

    async def close(self) -> None:
        """Returns when nothing is posted any more, and others may take over at once."""
        await self._end(list(self._running))
        try:
            await self._parts.messages.release(list(self._claimed), self._holder)
        except AlprError as error:
            # The holds run out by themselves.
            log.warning("webhooks_not_released", error=type(error).__name__)
        await self._parts.sender.close()

    async def _look(self) -> None:
        open_webhooks = await self._parts.messages.open_webhooks()
        seconds = self._parts.pace.hold_seconds
        held = await self._parts.messages.renew(self._running, self._holder, seconds)
        finished = {webhook_id for webhook_id, task in self._running.items() if task.done()}
        await self._end([one for one in self._running if one not in held & open_webhooks or one in finished])
        for webhook_id in sorted(open_webhooks - self._running.keys()):
            await self._claim(webhook_id)
        metrics.WEBHOOKS_HELD.set(len(self._running))

    async def _claim(self, webhook_id: UUID) -> None:
        kept = await self._parts.webhooks.get(webhook_id)
        hold = Hold(kept.webhook, self._holder)
        self._claimed.add(webhook_id)
        cursor = await self._parts.messages.claim(hold, self._parts.pace.hold_seconds)
        if cursor is not None:
            delivery = WebhookDelivery(self._parts, hold, cursor)
            self._running[webhook_id] = asyncio.create_task(delivery.run())

    async def _end(self, webhook_ids: list[UUID]) -> None:
        tasks = {webhook_id: self._running.pop(webhook_id) for webhook_id in webhook_ids}
        for task in tasks.values():
            task.cancel()
        ends = await asyncio.gather(*tasks.values(), return_exceptions=True)
        for webhook_id, end in zip(tasks, ends, strict=True):
            if isinstance(end, Exception):
                log.error("webhook_delivery_failed", webhook_id=str(webhook_id), exc_info=end)
