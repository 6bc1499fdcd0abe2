"""The one row that numbers every change of what reads are compared with."""

from __future__ import annotations

from typing import Final

from services.common.pg import Connection

CHANNEL: Final = "matcher_revision"
"""What is notified after every change of what reads are compared with; the payload is the new revision."""

# The row lock makes the order of commits the order of revisions: no replica sees revision n + 1 without n.
_NEXT: Final = (
    "UPDATE matcher.revision SET match_revision = match_revision + 1 WHERE only_row RETURNING match_revision"
)
_LOCK: Final = "SELECT FROM matcher.revision WHERE only_row FOR UPDATE"


async def next_revision(held: Connection) -> int:
    """The next revision, taken in the open transaction; every replica is told when it commits.

    Whoever takes one makes all others wait until the transaction ends: take it late, or change little.
    """
    revision: int = await held.fetchval(_NEXT)
    await held.execute("SELECT pg_notify($1, $2)", CHANNEL, str(revision))
    return revision


async def lock_revision(held: Connection) -> None:
    """Keeps others from taking a revision until the transaction ends: before one is known to be needed."""
    await held.execute(_LOCK)
