"""Asking the archive: the search_question login, which may execute the question functions and nothing else.

A permit is used in one transaction and its answer taken in a later one (sql/0004_permit.sql says why).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import TYPE_CHECKING, Final, Literal

import asyncpg

from services.common.canonical import ArchiveQuestion, canonical_text, to_microseconds
from services.common.pg import Connection, Pool, connection
from services.search.core.answer import AnswerSummary, Authorization, FoundRead
from services.search.errors import PermitRefusedError, TookTooLongError

if TYPE_CHECKING:
    from services.search.road import Put

_ANSWER: Final = "SELECT row_count, rows_digest, has_more FROM %s.general_answer($1, $2, $3)"
_READS: Final = """
SELECT read_id, capture_time, receive_time, plate, sensor_id, agency_ori, sensor_group, provenance, latitude,
       longitude, place, recognition, model_version, sender_read_id, image_sha256, image_day,
       image_media_type, image_size, state, confidence
  FROM %s.general_reads($1, $2)"""
_COMPUTED: Final = "SELECT answer FROM %s.general_computed($1, $2)"
_WARM_UP: Final = "SELECT %s.warm_up()"


_TOO_LONG: Final = (
    "the question took too long, so nothing was shown; ask for a shorter window or a smaller place"
)


@asynccontextmanager
async def asking(pool: Pool) -> AsyncIterator[Connection]:
    """A connection; what the archive refuses inside becomes PermitRefusedError."""
    try:
        async with connection(pool) as held:
            yield held
    except asyncpg.InsufficientPrivilegeError as error:
        raise PermitRefusedError("the archive did not accept the permit") from error


class QuestionStore:
    """Puts questions to one data set with a permit, and gives out their answers; `schema` is that set's."""

    def __init__(self, pool: Pool, schema: Literal["archive", "motor_carrier"] = "archive") -> None:
        self._pool = pool
        self._schema = schema
        self._answer, self._reads, self._warm_up = _ANSWER % schema, _READS % schema, _WARM_UP % schema
        self._computed = _COMPUTED % schema

    async def put(self, authorization: Authorization, question: ArchiveQuestion, put: Put) -> AnswerSummary:
        """The summary of the answer to `question`, once the use of the permit is on disk.

        A permit that an earlier try of the same call used gives the answer that it gave then: the question
        does not run again.

        Raises:
            PermitRefusedError: The database does not accept the permit for this question.
            TookTooLongError: The database gave the question up; its permit is not used.
            StorageUnavailableError: The database did not answer.
        """
        places = ", ".join(f"${number}" for number in range(1, 5 + len(put.arguments)))
        find = f"SELECT {self._schema}.{put.function}({places})"
        window = to_microseconds(question.from_time), to_microseconds(question.to_time)
        # Refused may mean forged, expired, for another question, or used. Only a used one has an answer, so
        # the second statement refuses again in every other case.
        async with connection(self._pool) as held:
            try:
                with suppress(asyncpg.InsufficientPrivilegeError):
                    await held.execute(
                        find, authorization.permit, *window, question.page_size, *put.arguments
                    )
            except asyncpg.QueryCanceledError as error:
                # Trying again would take as long.
                raise TookTooLongError(_TOO_LONG) from error
        async with asking(self._pool) as held:
            rows = await held.fetch(
                self._answer, authorization.permit, question.kind, canonical_text(question)
            )
        return AnswerSummary(*rows[0].values())

    async def reads(self, authorization: Authorization, kind: str) -> list[FoundRead]:
        """The reads of the answer, in its order. Errors as for `put`."""
        async with asking(self._pool) as held:
            rows = await held.fetch(self._reads, authorization.permit, kind)
        return [FoundRead(*row.values()) for row in rows]

    async def computed(self, authorization: Authorization, kind: str) -> str | None:
        """The computed answer's text, None when it is not there any more. Errors as for `put`."""
        async with asking(self._pool) as held:
            rows = await held.fetch(self._computed, authorization.permit, kind)
        return rows[0]["answer"] if rows else None

    async def warm_up(self, connections: int) -> None:
        """Returns when so many connections have planned the question: 20 to 50 ms that no officer waits for.

        Raises:
            StorageUnavailableError: The database did not answer.
        """
        async with AsyncExitStack() as stack:
            # All at the same time, so that no connection is warmed twice and another never.
            held = [await stack.enter_async_context(connection(self._pool)) for _ in range(connections)]
            await asyncio.gather(*(one.execute(self._warm_up) for one in held))

    async def check(self) -> None:
        """Returns when the database answers questions. Errors as for `warm_up`."""
        async with connection(self._pool) as held:
            await held.execute(self._warm_up)
