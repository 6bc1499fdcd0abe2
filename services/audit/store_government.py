"""Requests of government entities. One method is one transaction; a change is made once for each intent."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import asyncpg

from services.audit.core.government_request import Decided, GovernmentRequest, RequestDecision
from services.audit.errors import RecordNotFoundError
from services.audit.store_reader import Reader
from services.common.errors import WrongStateError
from services.common.pg import transaction

_REQUEST = """
    SELECT request_id, agency_ori, entity, entity_type, person, purpose, document_sha256, receive_time,
           record_time, decision, reason, valid_until, decided_by, decide_time
    FROM audit.government_request
"""
_BY_ID = _REQUEST + "WHERE request_id = $1::uuid"
_PAGE = _REQUEST + (
    "WHERE agency_ori = $1 AND (record_time, request_id) < ($2, $3::uuid) "
    "ORDER BY record_time DESC, request_id DESC LIMIT $4"
)
_GRANTED = """
    SELECT EXISTS (SELECT FROM audit.government_request
                   WHERE agency_ori = $1 AND document_sha256 = $2
                     AND decision = 'GRANTED' AND clock_timestamp() < valid_until)
"""
_CLAIM = "INSERT INTO audit.change (intent_id) VALUES ($1::uuid) ON CONFLICT DO NOTHING RETURNING true"
_INSERT = """
    INSERT INTO audit.government_request
        (request_id, agency_ori, entity, entity_type, person, purpose, document_sha256, receive_time,
         intent_id)
    VALUES ($1::uuid, $2, $3, $4, $5, $6, $7, $8, $9::uuid)
"""
_DECIDE = """
    UPDATE audit.government_request
    SET decision = $2, reason = $3, valid_until = $4, decided_by = $5::uuid, decide_time = clock_timestamp(),
        decide_intent = $6::uuid
    WHERE request_id = $1::uuid AND decision IS NULL RETURNING true
"""


class GovernmentStore(Reader):
    """Requests and decisions."""

    async def by_id(self, request_id: str) -> GovernmentRequest:
        """The request. Raises RecordNotFoundError."""
        row = await self._fetchrow(_BY_ID, request_id)
        if row is None:
            raise RecordNotFoundError("your agency has no such record", resource=request_id)
        return _request(row)

    async def page(self, ori: str, before: tuple[datetime, str], limit: int) -> list[GovernmentRequest]:
        """Up to `limit` requests to the agency from before (time, id), newest first."""
        return [_request(row) for row in await self._fetch(_PAGE, ori, *before, limit)]

    async def is_granted(self, ori: str, document_sha256: bytes) -> bool:
        """True when the agency has granted the request with this document, and that counts still."""
        return bool(await self._fetchval(_GRANTED, ori, document_sha256))

    async def record(self, intent_id: str, one: GovernmentRequest) -> None:
        """Puts the request on record. Raises WrongStateError when the document is there already."""
        what = (one.entity, one.entity_type, one.person, one.purpose, one.document_sha256, one.receive_time)
        try:
            async with transaction(self._pool) as connection:
                if await connection.fetchval(_CLAIM, intent_id):
                    await connection.execute(_INSERT, one.request_id, one.agency_ori, *what, intent_id)
        except asyncpg.UniqueViolationError:
            raise WrongStateError("a request with this document is on record already") from None

    async def decide(self, intent_id: str, request_id: str, by: str, given: Decided) -> None:
        """Puts the decision on record. Raises WrongStateError when there is one."""
        what = (given.decision.value, given.reason, given.valid_until)
        async with transaction(self._pool) as connection:
            if not await connection.fetchval(_CLAIM, intent_id):
                return
            if not await connection.fetchval(_DECIDE, request_id, *what, by, intent_id):
                raise WrongStateError("it has been decided on already", resource=request_id)


def _request(row: Any) -> GovernmentRequest:
    decided = None
    if row["decision"]:
        decided = Decided(
            decision=RequestDecision(row["decision"]),
            reason=row["reason"],
            valid_until=row["valid_until"],
            decided_by=str(row["decided_by"]),
            decide_time=row["decide_time"],
        )
    return GovernmentRequest(
        request_id=str(row["request_id"]),
        agency_ori=row["agency_ori"],
        entity=row["entity"],
        entity_type=row["entity_type"],
        person=row["person"],
        purpose=row["purpose"],
        document_sha256=row["document_sha256"],
        receive_time=row["receive_time"],
        record_time=row["record_time"],
        decided=decided,
    )
