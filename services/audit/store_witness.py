"""Witnessed checkpoints, the log's closure and redactions. One method is one transaction."""

from __future__ import annotations

from services.audit.store_reader import Reader
from services.common.pg import transaction

_WITNESSED = "SELECT checkpoint FROM audit.log_witnessed ORDER BY witness"
_ADD = """
    INSERT INTO audit.log_witnessed (witness, size, checkpoint) VALUES ($1, $2, $3)
    ON CONFLICT (witness) DO UPDATE
    SET size = excluded.size, checkpoint = excluded.checkpoint, added_at = clock_timestamp()
    WHERE log_witnessed.size <= excluded.size
"""
_CLOSE = "INSERT INTO audit.log_closed (checkpoint) VALUES ($1) ON CONFLICT DO NOTHING"
_REDACTED = """
    SELECT log_index, max(number) AS number FROM audit.redaction WHERE number > $1
    GROUP BY log_index ORDER BY number
"""
_REDACT = "SELECT audit.redact($1::uuid)"


class WitnessStore(Reader):
    """What witnesses said, and what it led to."""

    async def witnessed(self) -> list[str]:
        """The newest checkpoint that each witness has signed."""
        return [row["checkpoint"] for row in await self._fetch(_WITNESSED)]

    async def add(self, witness: str, size: int, checkpoint: str) -> None:
        """Keeps the checkpoint, unless a larger one of that witness is kept."""
        async with transaction(self._pool) as connection:
            await connection.execute(_ADD, witness, size, checkpoint)

    async def close_log(self, checkpoint: str) -> None:
        """Closes the log for every replica; the checkpoint says why."""
        async with transaction(self._pool) as connection:
            await connection.execute(_CLOSE, checkpoint)

    async def redacted_since(self, number: int) -> list[tuple[int, int]]:
        """Entries that lost fields after the redaction `number`: place, and number of the last redaction."""
        return [(row["log_index"], row["number"]) for row in await self._fetch(_REDACTED, number)]

    async def redact(self, intent_id: str) -> int:
        """Carries out the redaction that the act `intent_id` is about, once; number of fields taken out."""
        async with transaction(self._pool) as connection:
            gone: int = await connection.fetchval(_REDACT, intent_id)
        return gone
