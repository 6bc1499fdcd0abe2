"""Escorts of vendors, and the calls made under them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from services.audit.core.escort import Escort, EscortScope, Plan, VendorCall
from services.audit.errors import EscortNotFoundError
from services.audit.store_reader import Reader
from services.common.errors import WrongStateError
from services.common.pg import transaction

# How long an escort outlives the last sign of its stream.
ALIVE_SECONDS = 20

_ESCORT = """
    SELECT escort_id, agency_ori, vendor_account_id, escort_account_id, scope, reason, begin_time, end_time,
           CASE WHEN ended_time IS NULL AND least(end_time, alive_until) <= clock_timestamp()
                THEN least(end_time, alive_until) ELSE ended_time END,
           coalesce(cut_by::text, ''),
           (SELECT count(*) FROM audit.vendor_call AS made WHERE made.escort_id = escort.escort_id)
    FROM audit.escort AS escort
"""
_BY_ID = _ESCORT + "WHERE escort_id = $1::uuid"
_PAGE = _ESCORT + (
    "WHERE agency_ori = $1 AND (begin_time, escort_id) < ($2, $3::uuid) "
    "ORDER BY begin_time DESC, escort_id DESC LIMIT $4"
)
_CALLS = """
    SELECT entry_id, number, call_time, action, service FROM audit.vendor_call
    WHERE escort_id = $1::uuid AND number > $2 ORDER BY number LIMIT 1000
"""
_CLAIM = "INSERT INTO audit.change (intent_id) VALUES ($1::uuid) ON CONFLICT DO NOTHING RETURNING true"
_BUMP = "UPDATE audit.registry_head SET account_revision = account_revision + 1"
_BEGIN = """
    INSERT INTO audit.escort (escort_id, agency_ori, vendor_account_id, escort_account_id, scope, reason,
                              end_time, alive_until, intent_id)
    VALUES ($1::uuid, $2, $3::uuid, $4::uuid, $5, $6, clock_timestamp() + $7::int * interval '1 minute',
            clock_timestamp() + $8::int * interval '1 second', $9::uuid)
"""
_IS_ESCORTED = "SELECT EXISTS (SELECT FROM audit.escort_of($1::uuid))"
_STAY = """
    UPDATE audit.escort SET alive_until = clock_timestamp() + $2::int * interval '1 second'
    WHERE escort_id = $1::uuid AND ended_time IS NULL AND clock_timestamp() < end_time
      AND clock_timestamp() < alive_until
    RETURNING true
"""
_CUT = """
    UPDATE audit.escort SET ended_time = clock_timestamp(), cut_by = $2::uuid
    WHERE escort_id = $1::uuid AND ended_time IS NULL
      AND clock_timestamp() < end_time AND clock_timestamp() < alive_until
"""
# The escort's row is locked, so that numbers follow each other without a gap.
_LOCK = "SELECT FROM audit.escort WHERE escort_id = $1::uuid FOR NO KEY UPDATE"
_CALL = """
    INSERT INTO audit.vendor_call (entry_id, escort_id, number, call_time, action, service)
    SELECT $1::uuid, $2::uuid, coalesce(max(number), 0) + 1, $3, $4, $5
    FROM audit.vendor_call WHERE escort_id = $2::uuid
"""


class EscortStore(Reader):
    """Escorts and calls."""

    async def by_id(self, escort_id: str) -> Escort:
        """The escort.

        Raises:
            EscortNotFoundError: There is none.
        """
        row = await self._fetchrow(_BY_ID, escort_id)
        if row is None:
            raise EscortNotFoundError("there is no such escort", resource=escort_id)
        return _escort(row)

    async def page(self, ori: str, before: tuple[datetime, str], limit: int) -> list[Escort]:
        """Up to `limit` escorts of the agency that began before (time, id), newest first."""
        return [_escort(row) for row in await self._fetch(_PAGE, ori, *before, limit)]

    async def calls(self, escort_id: str, after: int) -> list[VendorCall]:
        """The next calls whose number is above `after`, in order; 1,000 at most."""
        rows = await self._fetch(_CALLS, escort_id, after)
        return [VendorCall(str(entry_id), *rest) for entry_id, *rest in rows]

    async def begin(self, intent_id: str, escort_id: str, ori: str, by: str, plan: Plan) -> None:
        """Begins the escort, by the account `by`, for the agency `ori`.

        Raises:
            WrongStateError: The account is escorted already.
        """
        vendor = plan.vendor_account_id
        what = (plan.scope.value, plan.reason, plan.minutes, ALIVE_SECONDS)
        async with transaction(self._pool) as connection:
            if not await connection.fetchval(_CLAIM, intent_id):
                return
            await connection.execute(_BUMP)
            if await connection.fetchval(_IS_ESCORTED, vendor):
                text = "the account is under escort already; that escort ends first"
                raise WrongStateError(text, resource=vendor)
            await connection.execute(_BEGIN, escort_id, ori, vendor, by, *what, intent_id)

    async def stay(self, escort_id: str) -> bool:
        """Keeps the escort alive; False when it has ended."""
        return bool(await self._fetchval(_STAY, escort_id, ALIVE_SECONDS))

    async def cut(self, intent_id: str, escort_id: str, by: str) -> None:
        """Ends the escort, if it lasts; `by` is the account of who cuts it."""
        async with transaction(self._pool) as connection:
            if await connection.fetchval(_CLAIM, intent_id):
                await connection.execute(_BUMP)
                await connection.execute(_CUT, escort_id, by)

    async def called(self, escort_id: str, call: VendorCall) -> None:
        """Notes a call for the escort's eyes; its number is given here."""
        async with transaction(self._pool) as connection:
            await connection.execute(_LOCK, escort_id)
            await connection.execute(
                _CALL, call.entry_id, escort_id, call.call_time, call.action, call.service
            )


def _escort(row: Any) -> Escort:
    escort_id, ori, vendor, escort, scope, *rest = row
    return Escort(str(escort_id), ori, str(vendor), str(escort), EscortScope(scope), *rest)
