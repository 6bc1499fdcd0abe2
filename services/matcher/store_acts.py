"""Acts in the database: who changed what, under which intent, and whether the log has the outcome."""

from __future__ import annotations

import json
import uuid
from datetime import datetime
from typing import TYPE_CHECKING, Final

from services.common.errors import RequestIdReusedError
from services.common.pg import Connection, Pool, connection

if TYPE_CHECKING:
    from services.matcher.core.hot_list import Act

_CLAIM: Final = (
    "INSERT INTO matcher.act (intent_id, request_id, action, hot_list_id, account_id, details, act_time)"
    " VALUES ($1, $2, $3, $4, $5, $6::jsonb, $7) ON CONFLICT DO NOTHING RETURNING true"
)
_CLAIMED: Final = (
    "SELECT intent_id = $2 AND action = $3 AND hot_list_id = $4 AND details = $5::jsonb"
    " FROM matcher.act WHERE request_id = $1"
)
_OPEN: Final = (
    "SELECT intent_id FROM matcher.act WHERE outcome_time IS NULL AND act_time < $1"
    " ORDER BY act_time LIMIT 100"
)
_CLOSE: Final = "UPDATE matcher.act SET outcome_time = $2 WHERE intent_id = $1 AND outcome_time IS NULL"


async def claim(held: Connection, act: Act) -> bool:
    """Stores `act` in the open transaction; False when it is stored already, so that its change is too.

    Two calls with one request id at the same time: the second waits here until the first has ended.

    Raises:
        RequestIdReusedError: The request id stands for another act.
    """
    details = json.dumps(dict(act.details), sort_keys=True)
    values = (
        act.intent_id,
        act.request_id,
        act.action,
        act.hot_list_id,
        act.account_id,
        details,
        act.act_time,
    )
    if await held.fetchval(_CLAIM, *values):
        return True
    same = await held.fetchval(_CLAIMED, act.request_id, act.intent_id, act.action, act.hot_list_id, details)
    if not same:
        raise RequestIdReusedError("the request id was used for something else", resource=str(act.request_id))
    return False


class ActStore:
    """Acts whose outcome the log may not have yet."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def open_before(self, moment: datetime) -> tuple[uuid.UUID, ...]:
        """Intents of acts older than `moment` whose outcome is not known to be in the log, at most 100."""
        async with connection(self._pool) as held:
            rows = await held.fetch(_OPEN, moment)
        return tuple(row["intent_id"] for row in rows)

    async def close(self, intent_id: uuid.UUID, moment: datetime) -> None:
        """Notes that the log has the outcome of `intent_id`."""
        async with connection(self._pool) as held:
            await held.execute(_CLOSE, intent_id, moment)
