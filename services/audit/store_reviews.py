"""Reviews. One method is one transaction, made once for each intent."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

from services.audit.core.misuse import Rule
from services.audit.core.review import Conclusion, MisuseFlag, Review, ReviewFinding
from services.audit.errors import RecordNotFoundError
from services.audit.store_reader import AnyConnection, Reader
from services.common.errors import WrongStateError
from services.common.pg import transaction

_REVIEW = """
    SELECT review_id::text, agency_ori, account_id::text, who.full_name, review.unit, open_time, reason,
           coalesce(reviewer::text, '') AS reviewer, finding, explanation, sanction_reference,
           coalesce(signer::text, '') AS signer, close_time,
           ARRAY(SELECT (flag_id::text, rule, raise_time, evidence, entries) FROM audit.misuse_flag AS flag
                 WHERE flag.review_id = review.review_id ORDER BY raise_time, log_index LIMIT 100) AS flags
    FROM audit.review AS review
    JOIN (SELECT account_id, full_name FROM audit.account) AS who USING (account_id)
"""
_BY_ID = _REVIEW + "WHERE review_id = $1::uuid"
_OPEN_OF = _REVIEW + "WHERE account_id = $1::uuid AND close_time IS NULL"
_PAGE = _REVIEW + (
    "WHERE agency_ori = $1 AND ($2 = '' OR review.unit = $2) AND account_id <> $3::uuid "
    "AND (NOT $4 OR close_time IS NULL) AND (open_time, review_id) < ($5, $6::uuid) "
    "ORDER BY open_time DESC, review_id DESC LIMIT $7"
)
_OWN = _REVIEW + "WHERE account_id = $1::uuid AND close_time IS NOT NULL ORDER BY close_time DESC LIMIT 100"
_OVERDUE = _REVIEW + (
    "WHERE finding IS NULL AND open_time < $1 AND NOT EXISTS "
    "(SELECT FROM audit.log_leaf AS said WHERE said.request_key = $2 || review.review_id::text) "
    "ORDER BY open_time, review_id LIMIT 1000"
)
_CLAIM = "INSERT INTO audit.change (intent_id) VALUES ($1::uuid) ON CONFLICT DO NOTHING RETURNING true"
_OPEN = """
    INSERT INTO audit.review (review_id, agency_ori, account_id, unit, open_time, reason)
    VALUES ($1::uuid, $2, $3::uuid, $4, $5, $6) ON CONFLICT (account_id) WHERE close_time IS NULL DO NOTHING
"""
_TAKE = """
    UPDATE audit.review SET reviewer = $2::uuid
    WHERE review_id = $1::uuid AND reviewer IS NULL RETURNING true
"""
_CONCLUDE = """
    UPDATE audit.review SET finding = $3, explanation = $4, sanction_reference = $5, conclude_time = $6
    WHERE review_id = $1::uuid AND reviewer = $2::uuid AND finding IS NULL RETURNING true
"""
_SIGN = """
    UPDATE audit.review SET signer = $2::uuid, close_time = $3
    WHERE review_id = $1::uuid AND finding IS NOT NULL AND signer IS NULL AND reviewer <> $2::uuid
    RETURNING true
"""


class ReviewStore(Reader):
    """Reviews with their flags."""

    async def by_id(self, review_id: str) -> Review:
        """The review. Raises RecordNotFoundError."""
        row = await self._fetchrow(_BY_ID, review_id)
        if row is None:
            raise RecordNotFoundError("your agency has no such review", resource=review_id)
        return _review(row)

    async def open_of(self, account_id: str) -> Review | None:
        """The open review of the person, or None."""
        row = await self._fetchrow(_OPEN_OF, account_id)
        return _review(row) if row else None

    async def page(
        self, place: tuple[str, str, str], open_only: bool, before: tuple[datetime, str], limit: int
    ) -> list[Review]:
        """Up to `limit` reviews, newest first, of an agency and unit ("" for all) and not of that account."""
        return [_review(row) for row in await self._fetch(_PAGE, *place, open_only, *before, limit)]

    async def own(self, account_id: str) -> list[Review]:
        """The closed reviews of that person, newest first, at most 100."""
        return [_review(row) for row in await self._fetch(_OWN, account_id)]

    async def overdue(self, before: datetime, said: str) -> list[Review]:
        """Reviews opened before that moment in which nothing is found, and nobody has said so; oldest first.

        `said` begins the key of the entry that says so; the review's id follows. At most 1,000 at a time.
        """
        return [_review(row) for row in await self._fetch(_OVERDUE, before, said)]

    async def open(self, intent_id: str, one: Review) -> None:
        """Opens the review, unless the person has an open one."""
        parts = (one.review_id, one.agency_ori, one.account_id, one.unit, one.open_time, one.reason)
        async with self._changing(intent_id) as connection:
            if connection:
                await connection.execute(_OPEN, *parts)

    async def take(self, intent_id: str, review_id: str, by: str) -> None:
        """`by` reviews it. Raises WrongStateError when somebody does already."""
        async with self._changing(intent_id) as connection:
            if connection and not await connection.fetchval(_TAKE, review_id, by):
                raise WrongStateError("somebody has taken the review already", resource=review_id)

    async def conclude(
        self, intent_id: str, review_id: str, by: str, said: Conclusion, moment: datetime
    ) -> None:
        """States the finding. Raises WrongStateError when it is not `by`'s to state, or stated already."""
        parts = (said.finding.value, said.explanation, said.sanction_reference, moment)
        async with self._changing(intent_id) as connection:
            if connection and not await connection.fetchval(_CONCLUDE, review_id, by, *parts):
                text = "only who has taken the review states what was found, and once"
                raise WrongStateError(text, resource=review_id)

    async def sign(self, intent_id: str, review_id: str, by: str, moment: datetime) -> None:
        """Closes it. Raises WrongStateError without a finding, or for one's own."""
        async with self._changing(intent_id) as connection:
            if connection and not await connection.fetchval(_SIGN, review_id, by, moment):
                text = "a finding is signed once, by another person than the one who stated it"
                raise WrongStateError(text, resource=review_id)

    @asynccontextmanager
    async def _changing(self, intent_id: str) -> AsyncIterator[AnyConnection | None]:
        """A transaction for the change of this intent, or None when it has been made before."""
        async with transaction(self._pool) as connection:
            yield connection if await connection.fetchval(_CLAIM, intent_id) else None


def _review(row: Any) -> Review:
    named = dict(row)
    finding = named.pop("finding")
    flags = tuple(map(_flag, named.pop("flags")))
    return Review(**named, finding=ReviewFinding(finding) if finding else None, flags=flags)


def _flag(parts: Sequence[Any]) -> MisuseFlag:
    flag_id, rule, moment, evidence, entries = parts
    return MisuseFlag(flag_id, Rule(rule), moment, json.loads(evidence), tuple(entries))
