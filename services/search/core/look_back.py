"""Look-back: what the matcher asks of the archive after a change of the hot lists (ENF-051 II.D)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from services.search.core.answer import FoundRead

MOST_PLATES: Final = 200_000
MOST_ROWS: Final = 20_000


@dataclass(frozen=True, slots=True)
class LookBackQuestion:
    """One page of "which reads that older hot lists were compared with may be of these plates?".

    Attributes:
        intent_id: The act that changed the list.
        match_revision: Revision that the change made.
        from_time: Captured from this moment on, UTC.
        to_time: Captured before this moment, UTC.
        plates: Texts that a wanted plate may have been read as; none ask for reads of every plate.
        page_size: 1 to MOST_ROWS.
        after_read_id: Last read of the page before.
        motor_carrier: Asks the Motor Carrier Safety data set instead of the archive (ENF-051 II.H).
    """

    intent_id: UUID
    changed_id: UUID
    match_revision: int
    from_time: datetime
    to_time: datetime
    plates: tuple[str, ...]
    page_size: int
    after_read_id: UUID | None = None
    motor_carrier: bool = False


@dataclass(frozen=True, slots=True)
class OlderRead:
    """A read and the revision of the hot lists that it was compared with."""

    read: FoundRead
    match_revision: int
