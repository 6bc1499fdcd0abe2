"""Documents and who acknowledged them. One method is one transaction, made once for each intent."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import asyncpg

from services.audit.core.document import Document, DocumentKind
from services.audit.errors import DocumentExistsError
from services.audit.store_reader import Reader
from services.common.pg import transaction

_DOCUMENT = """
    SELECT document_id, agency_ori, kind, version, title, shown, sha256, effective_time, acknowledged_days,
           publish_time
    FROM audit.document
"""
_BY_ID = _DOCUMENT + "WHERE document_id = $1::uuid"
_OF_AGENCY = _DOCUMENT + "WHERE agency_ori = $1 ORDER BY kind, effective_time DESC"
_READERS = """
    SELECT account.account_id, full_name, unit, duty.acknowledge_time, duty.acknowledged_until
    FROM audit.account AS account
    CROSS JOIN LATERAL audit.documents_of(account.account_id) AS duty
    WHERE account.agency_ori = $1 AND account.state <> 'SUSPENDED' AND duty.document_id = $2::uuid
      AND (full_name, account.account_id) > ($3, $4::uuid)
    ORDER BY full_name, account.account_id LIMIT $5
"""
_CLAIM = "INSERT INTO audit.change (intent_id) VALUES ($1::uuid) ON CONFLICT DO NOTHING RETURNING true"
# Streams look at accounts anew: a document may be asked of everybody.
_BUMP = "UPDATE audit.registry_head SET account_revision = account_revision + 1"
_PUBLISH = """
    INSERT INTO audit.document
        (document_id, agency_ori, kind, version, title, shown, sha256, effective_time, acknowledged_days,
         publish_time, intent_id)
    VALUES ($1::uuid, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11::uuid)
"""
_ACKNOWLEDGE = """
    INSERT INTO audit.acknowledgement (document_id, account_id, acknowledge_time, intent_id)
    VALUES ($1::uuid, $2::uuid, $3, $4::uuid)
"""


@dataclass(frozen=True, slots=True)
class Reading:
    """Whether one person has acknowledged: when, and until when it counts; None for never, and for no end."""

    account_id: str
    full_name: str
    unit: str
    acknowledge_time: datetime | None
    acknowledged_until: datetime | None


class DocumentStore(Reader):
    """Documents and acknowledgements."""

    async def by_id(self, document_id: str) -> Document | None:
        """The document, or None."""
        row = await self._fetchrow(_BY_ID, document_id)
        return _document(row) if row else None

    async def of_agency(self, ori: str) -> list[Document]:
        """The agency's documents by kind, newest first."""
        return [_document(row) for row in await self._fetch(_OF_AGENCY, ori)]

    async def readers(self, ori: str, document_id: str, after: tuple[str, str], limit: int) -> list[Reading]:
        """Up to `limit` people of the agency after (name, account id), whether or not they have read it."""
        rows = await self._fetch(_READERS, ori, document_id, *after, limit)
        return [Reading(str(account_id), *rest) for account_id, *rest in rows]

    async def publish(self, intent_id: str, one: Document) -> None:
        """Stores the version.

        Raises:
            DocumentExistsError: The agency has it, or another one from the same moment on.
        """
        values = (
            *(one.document_id, one.agency_ori, one.kind.value, one.version, one.title, one.shown),
            *(one.sha256, one.effective_time, one.acknowledged_days, one.publish_time),
        )
        async with transaction(self._pool) as connection:
            if not await connection.fetchval(_CLAIM, intent_id):
                return
            await connection.execute(_BUMP)
            try:
                await connection.execute(_PUBLISH, *values, intent_id)
            except asyncpg.UniqueViolationError:
                text = "there is a version of this name, or one that takes effect at this moment"
                raise DocumentExistsError(text, resource=one.document_id) from None

    async def acknowledge(self, intent_id: str, document_id: str, account_id: str, now: datetime) -> None:
        """Notes that the account has acknowledged the document."""
        async with transaction(self._pool) as connection:
            if await connection.fetchval(_CLAIM, intent_id):
                await connection.execute(_BUMP)
                await connection.execute(_ACKNOWLEDGE, document_id, account_id, now, intent_id)


def _document(row: Any) -> Document:
    return Document(str(row[0]), row[1], DocumentKind(row[2]), *row[3:])
