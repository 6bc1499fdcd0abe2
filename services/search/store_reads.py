"""Where a page of reads goes on that ended before it was full: the search_question login."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from services.common.pg import Pool
from services.search.core.answer import Authorization
from services.search.store_question import asking

_RESUME: Final = "SELECT archive.reads_resume($1) AS moment"


class ReadsStore:
    """Knows of answers more than their reads."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def resume_before(self, authorization: Authorization) -> datetime | None:
        """The moment before which older reads have yet to be looked for; None when the page was full.

        Raises:
            PermitRefusedError: The permit is for another kind of question, or has ended.
            StorageUnavailableError: The database did not answer.
        """
        async with asking(self._pool) as held:
            rows = await held.fetch(_RESUME, authorization.permit)
        moment: datetime | None = rows[0]["moment"]
        return moment
