"""Drains the outbox to the log: in order, at least once, for ever. Alerts go on while audit is away."""

import asyncio
from collections.abc import Sequence
from itertools import groupby

import structlog

from alpr.audit.v1.authorization_service_pb2 import OutcomeResult
from services.alerts import metrics
from services.alerts.audit import AuditClient
from services.alerts.store_outbox import OutboxStore, PendingItem
from services.common import tracing
from services.common.tracing import Remembered

log = structlog.get_logger()

_BATCH = 500
_POLL_SECONDS = 1.0
_FIRST_PAUSE_SECONDS = 0.2
_LONGEST_PAUSE_SECONDS = 10.0


class OutboxDrainer:
    """Sends what the outbox holds to audit until it is cancelled; `wake` makes it look at once."""

    def __init__(self, store: OutboxStore, audit: AuditClient, traces: Remembered | None = None) -> None:
        self._store = store
        self._traces = traces or Remembered()
        self._audit = audit
        self._awake = asyncio.Event()

    def wake(self) -> None:
        """Says that something may have come in."""
        self._awake.set()

    async def run(self) -> None:
        """Never returns. A failure is logged, waited out and tried again."""
        pause = _FIRST_PAUSE_SECONDS
        while True:
            try:
                more = await self._drain_once()
                pause = _FIRST_PAUSE_SECONDS
                if not more:
                    await self._rest()
            except Exception as error:  # whatever it was, who waits for alerts needs the next try
                log.warning("outbox_waits", error=type(error).__name__, pause_seconds=pause)
                await asyncio.sleep(pause)
                pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)

    async def _drain_once(self) -> bool:
        self._awake.clear()
        metrics.OUTBOX_DEPTH.set(await self._store.depth())
        pending = await self._store.pending(_BATCH)
        # Runs of events go together, an outcome by itself. The outbox's order is the order of the log.
        for is_outcome, run in groupby(pending, key=lambda p: p.item.subject_id is not None):
            await (self._send_outcomes if is_outcome else self._send_events)(tuple(run))
        return len(pending) == _BATCH

    async def _send_events(self, run: Sequence[PendingItem]) -> None:
        with tracing.joined("alerts.outbox", self._traces.taken(pending.item.item_id for pending in run)):
            await self._audit.record_events([pending.item for pending in run])
        await self._store.recorded(run[-1].outbox_id)

    async def _send_outcomes(self, run: Sequence[PendingItem]) -> None:
        for pending in run:
            item = pending.item
            if item.subject_id is not None and item.result is not None:
                await self._audit.record_outcome(item.subject_id, OutcomeResult.ValueType(item.result))
            await self._store.recorded(pending.outbox_id)

    async def _rest(self) -> None:
        try:
            async with asyncio.timeout(_POLL_SECONDS):
                await self._awake.wait()
        except TimeoutError:
            return
