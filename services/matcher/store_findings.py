"""What was said about rows of uploaded files."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from typing import Final

from services.common.pg import Connection
from services.matcher.core.hot_list import Finding

_INSERT: Final = (
    "INSERT INTO matcher.row_finding (intent_id, number, row_number, column_name, problem)"
    " VALUES ($1, $2, $3, $4, $5)"
)
_PAGE: Final = (
    "SELECT row_number, column_name, problem FROM matcher.row_finding"
    " WHERE intent_id = $1 AND number > $2 ORDER BY number LIMIT $3"
)


async def add_findings(held: Connection, intent_id: uuid.UUID, findings: Iterable[Finding]) -> None:
    """Stores `findings` under their upload's intent, in the open transaction."""
    rows = [(intent_id, n, one.row, one.column, one.problem) for n, one in enumerate(findings, start=1)]
    await held.executemany(_INSERT, rows)


async def read_findings(held: Connection, intent_id: uuid.UUID, after: int, size: int) -> tuple[Finding, ...]:
    """At most `size` findings of an upload after the first `after`."""
    rows = await held.fetch(_PAGE, intent_id, after, size)
    return tuple(Finding(row["row_number"], row["column_name"], row["problem"]) for row in rows)
