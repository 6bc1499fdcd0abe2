"""What the alerts service writes: batches of changes, each one transaction under the lock of the feed's head.

Positions of the feed are gapless and come in commit order, so a reader that goes on after the last position
it saw misses nothing, from whatever replica.
"""

from collections.abc import Callable, Sequence
from datetime import timedelta
from uuid import UUID

import asyncpg

from services.alerts.core.model import Hit
from services.alerts.core.timers import Periods
from services.alerts.store_batch import Batch, OutboxItem, OwnChange
from services.alerts.store_hits import place_hits
from services.alerts.store_steps import StepChange, record_step
from services.alerts.store_withdrawals import Withdrawal, record_withdrawal
from services.common.clock import Clock
from services.common.errors import AlprError
from services.common.pg import Pool, transaction
from services.common.tracing import Remembered

Change = Hit | StepChange | Withdrawal | OutboxItem | OwnChange
# The alert that a change belongs to; for a withdrawal its intent, for a log item its id, else what it says.
Done = UUID


class AlertWriter:
    """The one way into the schema. `flush` is what the group commit calls."""

    def __init__(  # noqa: PLR0913 - what each batch is made with
        self,
        pool: Pool,
        clock: Clock,
        *,
        passage_window: timedelta,
        new_id: Callable[[], UUID],
        periods: Callable[[], Periods] = Periods,
        traces: Remembered | None = None,
    ) -> None:
        self._pool = pool
        self._clock = clock
        self._window = passage_window
        self._new_id = new_id
        self._periods = periods
        self._traces = traces or Remembered()

    async def flush(self, changes: Sequence[Change]) -> Sequence[Done | Exception]:
        """What became of each of `changes`, once the batch is on disk.

        A change that the database refuses spoils nothing for its neighbours: the batch is taken apart.
        """
        try:
            return await self._commit(changes)
        except asyncpg.IntegrityConstraintViolationError as error:
            if len(changes) == 1:
                return [error]
        return [(await self.flush([change]))[0] for change in changes]

    async def _commit(self, changes: Sequence[Change]) -> list[Done | Exception]:
        async with transaction(self._pool) as conn:
            batch = await Batch.begin(conn, self._clock.now(), self._periods())
            hits = [change for change in changes if isinstance(change, Hit)]
            alert_ids = iter(await place_hits(batch, hits, self._window, self._new_id))
            done: list[Done | Exception] = [
                next(alert_ids) if isinstance(change, Hit) else await self._record(batch, change)
                for change in changes
            ]
            await batch.write()
            self._traces.note(batch.item_ids)  # before the drainer may see them
        batch.count()
        return done

    async def _record(
        self, batch: Batch, change: StepChange | Withdrawal | OutboxItem | OwnChange
    ) -> Done | Exception:
        if isinstance(change, OutboxItem):
            batch.report(change)
            return change.item_id
        if isinstance(change, Withdrawal):
            return await record_withdrawal(batch, change, self._new_id)
        try:
            if isinstance(change, StepChange):
                return await record_step(batch, change, self._new_id)
            return await change.write_into(batch, self._new_id)
        except AlprError as error:
            return error
