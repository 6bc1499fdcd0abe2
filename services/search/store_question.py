"""Asking the archive: the search_question login, which may execute the question functions and nothing else.

A permit is used in one transaction and its answer taken in a later one (sql/0004_permit.sql says why).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Final
from uuid import UUID

import asyncpg

from services.common.canonical import to_microseconds
from services.common.pg import Connection, Pool, connection
from services.search.core.answer import AnswerSummary, Authorization, FoundRead, PlateQuestion
from services.search.errors import PermitRefusedError

_FIND_PLATE: Final = "SELECT archive.find_plate($1, $2, $3, $4, $5, $6, $7)"
_PLATE_ANSWER: Final = (
    "SELECT row_count, rows_digest, has_more FROM archive.plate_answer($1, $2, $3, $4, $5, $6, $7)"
)
_FOUND_READS: Final = """
SELECT read_id, capture_time, receive_time, plate, sensor_id, agency_ori, sensor_group, provenance, latitude,
       longitude, place, recognition, model_version, sender_read_id, image_sha256, image_day,
       image_media_type, image_size
  FROM archive.found_reads($1)"""
_WARM_UP: Final = "SELECT archive.warm_up()"


@asynccontextmanager
async def asking(pool: Pool) -> AsyncIterator[Connection]:
    """A connection; what the archive refuses inside becomes PermitRefusedError."""
    try:
        async with connection(pool) as held:
            yield held
    except asyncpg.InsufficientPrivilegeError as error:
        raise PermitRefusedError("the archive did not accept the permit") from error


def _arguments(authorization: Authorization, question: PlateQuestion) -> tuple[str | int | UUID | None, ...]:
    before = question.before_time
    return (
        authorization.permit,
        question.plate,
        to_microseconds(authorization.from_time),
        to_microseconds(authorization.to_time),
        question.page_size,
        to_microseconds(before) if before else None,
        question.before_read_id,
    )


class QuestionStore:
    """Puts questions with a permit, and gives out their answers."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def put(self, authorization: Authorization, question: PlateQuestion) -> AnswerSummary:
        """The summary of the answer to `question`, once the use of the permit is on disk.

        The window is the authorization's. A permit that an earlier try of the same call used gives the answer
        that it gave then: the question does not run again.

        Raises:
            PermitRefusedError: The database does not accept the permit for this question.
            StorageUnavailableError: The database did not answer.
        """
        arguments = _arguments(authorization, question)
        # Refused may mean forged, expired, for another question, or used. Only a used one has an answer, so
        # the second statement refuses again in every other case.
        async with connection(self._pool) as held:
            with suppress(asyncpg.InsufficientPrivilegeError):
                await held.execute(_FIND_PLATE, *arguments)
        async with asking(self._pool) as held:
            rows = await held.fetch(_PLATE_ANSWER, *arguments)
        return AnswerSummary(*rows[0].values())

    async def take(self, authorization: Authorization) -> list[FoundRead]:
        """The reads of the answer, newest first. Errors as for `put`."""
        async with asking(self._pool) as held:
            rows = await held.fetch(_FOUND_READS, authorization.permit)
        return [FoundRead(*row.values()) for row in rows]

    async def warm_up(self, connections: int) -> None:
        """Returns when so many connections have planned the question: 20 to 50 ms that no officer waits for.

        Raises:
            StorageUnavailableError: The database did not answer.
        """
        async with AsyncExitStack() as stack:
            # All at the same time, so that no connection is warmed twice and another never.
            held = [await stack.enter_async_context(connection(self._pool)) for _ in range(connections)]
            await asyncio.gather(*(one.execute(_WARM_UP) for one in held))

    async def check(self) -> None:
        """Returns when the database answers questions. Errors as for `warm_up`."""
        async with connection(self._pool) as held:
            await held.execute(_WARM_UP)
