"""Look-backs: the search_question and search_mcs_question logins, as for every other question."""

from __future__ import annotations

from contextlib import suppress
from typing import Final, Literal

import asyncpg

from services.common.canonical import to_microseconds
from services.common.pg import Pool, connection
from services.search.core.answer import AnswerSummary, Authorization, FoundRead
from services.search.core.look_back import LookBackQuestion, OlderRead
from services.search.store_question import asking

_FIND: Final = "SELECT %s.find_for_look_back($1, $2, $3, $4, $5, $6, $7, $8, $9)"
_ANSWER: Final = "SELECT row_count, rows_digest, has_more FROM %s.look_back_answer($1)"
_READS: Final = """
SELECT read_id, capture_time, receive_time, plate, sensor_id, agency_ori, sensor_group, provenance, latitude,
       longitude, place, recognition, model_version, sender_read_id, image_sha256, image_day,
       image_media_type, image_size, match_revision
  FROM %s.look_back_reads($1)"""


class LookBackStore:
    """Puts look-backs to one data set with a permit, and gives out their answers; `schema` is that set's."""

    def __init__(self, pool: Pool, schema: Literal["archive", "motor_carrier"] = "archive") -> None:
        self._pool = pool
        self._find, self._answer, self._reads = _FIND % schema, _ANSWER % schema, _READS % schema

    async def put(self, authorization: Authorization, question: LookBackQuestion) -> AnswerSummary:
        """The summary of the answer, once the use of the permit is on disk, within its window.

        A permit that an earlier try of the same call used gives the answer that it gave then.

        Raises:
            PermitRefusedError: The database does not accept the permit for this question.
            StorageUnavailableError: The database did not answer.
        """
        # A refusal may mean that the permit was used. Only a used one has an answer, so the second statement
        # refuses again in every other case.
        async with connection(self._pool) as held:
            with suppress(asyncpg.InsufficientPrivilegeError):
                await held.execute(self._find, *_arguments(authorization, question))
        async with asking(self._pool) as held:
            rows = await held.fetch(self._answer, authorization.permit)
        return AnswerSummary(*rows[0].values())

    async def take(self, authorization: Authorization) -> list[OlderRead]:
        """The reads of the answer, by read id. Errors as for `put`."""
        async with asking(self._pool) as held:
            rows = await held.fetch(self._reads, authorization.permit)
        return [
            OlderRead(FoundRead(*values), revision) for *values, revision in (row.values() for row in rows)
        ]


def _arguments(authorization: Authorization, question: LookBackQuestion) -> tuple[object, ...]:
    return (
        authorization.permit,
        question.intent_id,
        question.changed_id,
        question.match_revision,
        to_microseconds(authorization.from_time),
        to_microseconds(authorization.to_time),
        list(question.plates),
        question.page_size,
        question.after_read_id,
    )
