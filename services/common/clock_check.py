"""Whether this machine's clock is right: as good as that of its database, which all replicas share."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from services.common.clock import Clock, SystemClock
from services.common.health import HealthCheck
from services.common.pg import Pool, connection

MOST_OFF: Final = timedelta(seconds=10)


class ClockOffError(Exception):
    """This machine's clock and the database's differ by more than ten seconds."""


def clock_check(pool: Pool, clock: Clock | None = None) -> HealthCheck:
    """A health check that ends the service of a replica whose clock is wrong.

    Such a replica would take certificates and approvals for over or not begun, and reads of now for reads of
    the future. Its callers turn to one that knows what time it is.
    `clock` is the machine's own where none is given.
    """
    own = clock or SystemClock()

    async def check() -> None:
        before = own.now()
        async with connection(pool) as held:
            there: datetime = await held.fetchval("SELECT clock_timestamp()")
        if not before - MOST_OFF <= there <= own.now() + MOST_OFF:
            raise ClockOffError("this clock and the database's differ by more than ten seconds")

    return check
