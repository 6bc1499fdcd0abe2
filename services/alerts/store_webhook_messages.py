"""How far webhooks have come: who posts, what became of each message, and what is posted once more."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from services.alerts.core.cap import Sent
from services.alerts.core.webhook import (
    SECRETS_OVERLAP,
    Answer,
    Cursor,
    Failure,
    Health,
    Hold,
    Letter,
    Message,
)
from services.alerts.rows import Row
from services.common.errors import StorageUnavailableError
from services.common.pg import Pool, connection

DELIVERED, DEAD = 1, 2
# The times of a hold are the database's own, so that no replica's clock makes two of them hold one webhook.
_OPEN = """
SELECT c.webhook_id FROM alerts.webhook_cursor c WHERE NOT EXISTS (
    SELECT FROM alerts.webhook_act a WHERE a.webhook_id = c.webhook_id AND a.kind = 3)
"""
_CLAIM = """
UPDATE alerts.webhook_cursor
SET holder = $2, held_until = clock_timestamp() + $3::float8 * interval '1 second'
WHERE webhook_id = $1 AND (holder = $2 OR held_until < clock_timestamp())
RETURNING epoch, position, sequence, tries, next_try, halt_time
"""
_RENEW = """
UPDATE alerts.webhook_cursor SET held_until = clock_timestamp() + $3::float8 * interval '1 second'
WHERE webhook_id = ANY($1) AND holder = $2 AND held_until > clock_timestamp() RETURNING webhook_id
"""
_RELEASE = (
    "UPDATE alerts.webhook_cursor SET held_until = '-infinity' WHERE webhook_id = ANY($1) AND holder = $2"
)
_KEEP = """
UPDATE alerts.webhook_cursor c SET held_until = clock_timestamp() + $3::float8 * interval '1 second'
WHERE webhook_id = $1 AND holder = $2 AND held_until > clock_timestamp() AND NOT EXISTS (
    SELECT FROM alerts.webhook_act a WHERE a.webhook_id = c.webhook_id AND a.kind = 3)
RETURNING true
"""
# One look for all that a try needs: each is a wait for the receiver's next alert.
_READY = """
SELECT c.holder = $2 AND c.held_until > clock_timestamp() + $3::float8 * interval '1 second' AND NOT EXISTS (
        SELECT FROM alerts.webhook_act a WHERE a.webhook_id = c.webhook_id AND a.kind = 3) AS may_post,
    b.event_id, b.event_time,
    ARRAY (SELECT s.sealed FROM alerts.webhook_secret s WHERE s.webhook_id = c.webhook_id
        AND (s.secret_number = n.secret_number OR n.from_time > $6)
        ORDER BY s.secret_number DESC LIMIT 2) AS sealed
FROM alerts.webhook_cursor c
CROSS JOIN LATERAL (
    SELECT s.secret_number, s.from_time FROM alerts.webhook_secret s WHERE s.webhook_id = c.webhook_id
    ORDER BY s.secret_number DESC LIMIT 1
) n LEFT JOIN LATERAL (
    SELECT m.event_id, m.event_time FROM alerts.webhook_message m
    WHERE m.webhook_id = c.webhook_id AND m.alert_id = $4 AND m.outcome = 1 AND m.sequence < $5
    ORDER BY m.sequence DESC LIMIT 1
) b ON true WHERE c.webhook_id = $1
"""
_MOVE = """
UPDATE alerts.webhook_cursor SET epoch = $3, position = $4
WHERE webhook_id = $1 AND holder = $2 AND held_until > clock_timestamp() AND (epoch, position) <> ($3, $4)
"""
_FAILED = """
UPDATE alerts.webhook_cursor SET tries = $3, failure = $4, status = $5, next_try = $6
WHERE webhook_id = $1 AND holder = $2 AND held_until > clock_timestamp()
"""
# The last retry of a letter says whether it was taken after all, or waits.
LETTERS = """
SELECT m.event_id, m.sequence, m.alert_id, m.event_time, m.end_time, m.tries, m.failure, m.status,
    r.retry_number, e.outcome AS retry_outcome, e.end_time AS retry_end
FROM alerts.webhook_message m LEFT JOIN LATERAL (
    SELECT retry_number FROM alerts.webhook_retry r
    WHERE r.webhook_id = m.webhook_id AND r.sequence = m.sequence ORDER BY retry_number DESC LIMIT 1
) r ON true LEFT JOIN alerts.webhook_retry_end e
    ON e.webhook_id = m.webhook_id AND e.sequence = m.sequence AND e.retry_number = r.retry_number
WHERE m.webhook_id = $1 AND m.outcome = 2
"""
# Said to be a bigint: from the 0 PostgreSQL would take it for an integer, and refuse what is larger.
_PAGE = f"{LETTERS} AND ($2::bigint = 0 OR m.sequence < $2) ORDER BY m.sequence DESC LIMIT $3"
# Asked for every second, and letters are kept for ever: it begins with the retries, which are few.
_WAITING = f"""{LETTERS} AND e.outcome IS NULL AND m.sequence = ANY (ARRAY (
    SELECT sequence FROM alerts.webhook_retry w WHERE w.webhook_id = $1 AND NOT EXISTS (
        SELECT FROM alerts.webhook_retry_end d WHERE d.webhook_id = w.webhook_id
        AND d.sequence = w.sequence AND d.retry_number = w.retry_number)
    ORDER BY sequence LIMIT 100)) ORDER BY m.sequence
"""  # noqa: S608 - constants
_RETRIED = "SELECT count(*) FROM alerts.webhook_retry WHERE request_id = $1 AND webhook_id = $2"
_HEALTH = """
SELECT c.webhook_id, c.sequence, c.tries, c.failure, c.status, c.next_try, c.halt_time,
    (SELECT count(*) FROM alerts.webhook_message m
     WHERE m.webhook_id = c.webhook_id AND m.outcome = 2) AS dead,
    (SELECT count(*) FROM alerts.webhook_retry_end e
     WHERE e.webhook_id = c.webhook_id AND e.outcome = 1) AS saved,
    (SELECT max(end_time) FROM (
        SELECT end_time FROM alerts.webhook_message m WHERE m.webhook_id = c.webhook_id AND m.outcome = 1
        ORDER BY sequence DESC LIMIT 1) AS newest) AS last_delivery
FROM alerts.webhook_cursor c WHERE c.webhook_id = ANY($1)
"""


@dataclass(frozen=True, slots=True)
class Ready:
    """What a try needs.

    Attributes:
        may_post: The hold lasts for as long as the try, and the webhook has not ended.
        before: The last message of the same alert that the receiver took.
        sealed: The secrets that sign, the newest first.
    """

    may_post: bool
    before: Sent | None
    sealed: tuple[bytes, ...]


class MessageStore:
    """Cursors, messages and dead letters. What belongs to the log goes through the writer instead."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def open_webhooks(self) -> frozenset[UUID]:
        """Ids of the webhooks that are approved and have not ended."""
        async with connection(self._pool) as conn:
            return frozenset(row["webhook_id"] for row in await conn.fetch(_OPEN))

    async def claim(self, hold: Hold, seconds: float) -> Cursor | None:
        """Where to go on, when nobody else holds the webhook; it is held for so long then."""
        async with connection(self._pool) as conn:
            row = await conn.fetchrow(_CLAIM, hold.webhook.webhook_id, hold.holder, seconds)
        return None if row is None else Cursor(**row)

    async def renew(self, webhook_ids: Collection[UUID], holder: UUID, seconds: float) -> frozenset[UUID]:
        """Which of the holds last on."""
        async with connection(self._pool) as conn:
            rows = await conn.fetch(_RENEW, list(webhook_ids), holder, seconds)
        return frozenset(row["webhook_id"] for row in rows)

    async def release(self, webhook_ids: Collection[UUID], holder: UUID) -> None:
        """Lets others take over at once."""
        async with connection(self._pool) as conn:
            await conn.execute(_RELEASE, list(webhook_ids), holder)

    async def ready(self, hold: Hold, message: Message, seconds: float, now: datetime) -> Ready:
        """What a try at `now` that takes at most so long needs. Writes nothing.

        Raises:
            StorageUnavailableError: The webhook has no cursor or no secret.
        """
        alert_id, sequence = message.alert.alert_id, message.sequence
        values = (hold.holder, seconds, alert_id, sequence, now - SECRETS_OVERLAP)
        async with connection(self._pool) as conn:
            row = await conn.fetchrow(_READY, hold.webhook.webhook_id, *values)
        if row is None:
            raise StorageUnavailableError("a webhook has no secret; the schema is not complete")
        before = None if row["event_id"] is None else Sent(row["event_id"], row["event_time"])
        return Ready(row["may_post"], before, tuple(row["sealed"]))

    async def keep(self, hold: Hold, seconds: float) -> bool:
        """Whether the hold still lasts, and now for so long, and the webhook has not ended."""
        async with connection(self._pool) as conn:
            kept = await conn.fetchval(_KEEP, hold.webhook.webhook_id, hold.holder, seconds)
        return kept is not None

    async def move(self, hold: Hold, epoch: int, position: int) -> None:
        """Notes that nothing up to `position` is for this webhook."""
        async with connection(self._pool) as conn:
            await conn.execute(_MOVE, hold.webhook.webhook_id, hold.holder, epoch, position)

    async def failed(self, hold: Hold, tries: int, answer: Answer, next_try: datetime) -> None:
        """Notes that the next message was not taken, so that patience outlives this process."""
        values = (tries, int(answer.failure), answer.status, next_try)
        async with connection(self._pool) as conn:
            await conn.execute(_FAILED, hold.webhook.webhook_id, hold.holder, *values)

    async def letters(self, webhook_id: UUID, before: int, limit: int) -> tuple[Letter, ...]:
        """Dead letters, newest first, below the sequence `before` where that is not 0."""
        async with connection(self._pool) as conn:
            rows = await conn.fetch(_PAGE, webhook_id, before, limit)
        return tuple(map(letter_of, rows))

    async def waiting(self, webhook_id: UUID) -> tuple[Letter, ...]:
        """The first dead letters that are to be posted once more, in their order."""
        async with connection(self._pool) as conn:
            rows = await conn.fetch(_WAITING, webhook_id)
        return tuple(map(letter_of, rows))

    async def retried(self, request_id: UUID, webhook_id: UUID, sequences: Sequence[int]) -> tuple[int, int]:
        """How many letters the request has posted once more, and how many of those named it has not."""
        async with connection(self._pool) as conn:
            count: int = await conn.fetchval(_RETRIED, request_id, webhook_id)
        return count, max(len(set(sequences)) - count, 0)

    async def health(self, webhook_ids: Collection[UUID]) -> dict[UUID, Health]:
        """How those of the webhooks that are approved do."""
        async with connection(self._pool) as conn:
            rows = await conn.fetch(_HEALTH, list(webhook_ids))
        return {row["webhook_id"]: _health(row) for row in rows}


def letter_of(row: Row) -> Letter:
    """The letter in a row of LETTERS."""
    return Letter(
        event_id=row["event_id"],
        sequence=row["sequence"],
        alert_id=row["alert_id"],
        event_time=row["event_time"],
        dead_time=row["end_time"],
        tries=row["tries"],
        failure=Failure(row["failure"]),
        status=row["status"],
        retry_number=row["retry_number"] or 0,
        taken_at=row["retry_end"] if row["retry_outcome"] == DELIVERED else None,
        waiting=row["retry_number"] is not None and row["retry_outcome"] is None,
    )


def _health(row: Row) -> Health:
    return Health(
        delivered=row["sequence"] - row["dead"] + row["saved"],
        dead_letters=row["dead"] - row["saved"],
        last_delivery=row["last_delivery"],
        failed_tries=row["tries"],
        failure=Failure(row["failure"]),
        status=row["status"],
        next_try=row["next_try"],
        halt_time=row["halt_time"],
    )
