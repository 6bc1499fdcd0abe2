"""Declarations of agencies of other states. One method is one transaction, made once for each intent."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from services.audit.core.declaration import Declaration
from services.audit.errors import DeclarationNotFoundError
from services.audit.store_reader import Reader
from services.common.errors import WrongStateError
from services.common.pg import transaction

_DECLARATION = """
    SELECT declaration_id, agency_ori, document_sha256, signed_by, office, sign_time, start_time, end_time,
           excluded_uses, excluded_codes, record_time, withdraw_time
    FROM audit.declaration
"""
_BY_ID = _DECLARATION + "WHERE declaration_id = $1::uuid"
_PAGE = _DECLARATION + (
    "WHERE ($1 = '' OR agency_ori = $1) AND (record_time, declaration_id) < ($2, $3::uuid) "
    "ORDER BY record_time DESC, declaration_id DESC LIMIT $4"
)
_CLAIM = "INSERT INTO audit.change (intent_id) VALUES ($1::uuid) ON CONFLICT DO NOTHING RETURNING true"
# What an agency declared decides about its people: streams look again.
_BUMP = "UPDATE audit.registry_head SET account_revision = account_revision + 1"
_INSERT = """
    INSERT INTO audit.declaration
        (declaration_id, agency_ori, document_sha256, signed_by, office, sign_time, start_time, end_time,
         excluded_uses, excluded_codes, intent_id)
    VALUES ($1::uuid, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11::uuid)
"""
_WITHDRAW = """
    UPDATE audit.declaration SET withdraw_time = clock_timestamp()
    WHERE declaration_id = $1::uuid AND withdraw_time IS NULL RETURNING true
"""


class DeclarationStore(Reader):
    """Declarations."""

    async def by_id(self, declaration_id: str) -> Declaration:
        """The declaration. Raises DeclarationNotFoundError."""
        row = await self._fetchrow(_BY_ID, declaration_id)
        if row is None:
            raise DeclarationNotFoundError("there is no such declaration", resource=declaration_id)
        return _declaration(row)

    async def page(self, ori: str, before: tuple[datetime, str], limit: int) -> list[Declaration]:
        """Up to `limit` declarations from before (time, id), newest first; all for "" as `ori`."""
        return [_declaration(row) for row in await self._fetch(_PAGE, ori, *before, limit)]

    async def record(self, intent_id: str, one: Declaration) -> None:
        """Puts the declaration on record."""
        named = (one.declaration_id, one.agency_ori, one.document_sha256, one.signed_by, one.office)
        times = (one.sign_time, one.start_time, one.end_time)
        async with transaction(self._pool) as connection:
            if await connection.fetchval(_CLAIM, intent_id):
                await connection.execute(_BUMP)
                excluded = (list(one.excluded_uses), list(one.excluded_codes))
                await connection.execute(_INSERT, *named, *times, *excluded, intent_id)

    async def withdraw(self, intent_id: str, declaration_id: str) -> None:
        """Ends the declaration.

        Raises:
            WrongStateError: It was ended before.
        """
        async with transaction(self._pool) as connection:
            if not await connection.fetchval(_CLAIM, intent_id):
                return
            await connection.execute(_BUMP)
            if not await connection.fetchval(_WITHDRAW, declaration_id):
                raise WrongStateError("the declaration has been ended before", resource=declaration_id)


def _declaration(row: Any) -> Declaration:
    return Declaration(
        declaration_id=str(row["declaration_id"]),
        agency_ori=row["agency_ori"],
        document_sha256=row["document_sha256"],
        signed_by=row["signed_by"],
        office=row["office"],
        sign_time=row["sign_time"],
        start_time=row["start_time"],
        end_time=row["end_time"],
        excluded_uses=tuple(row["excluded_uses"]),
        excluded_codes=tuple(row["excluded_codes"]),
        record_time=row["record_time"],
        withdraw_time=row["withdraw_time"],
    )
