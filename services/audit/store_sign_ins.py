"""Sign-ins. One method is one transaction."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from services.audit.core.sign_in import Limits, SignIn
from services.audit.errors import SignInNotFoundError
from services.audit.store_reader import Reader
from services.common.pg import transaction

# The account's row is locked, so that two sign-ins at the same moment do not both find room.
_LOCK = "SELECT FROM audit.account WHERE account_id = $1::uuid FOR NO KEY UPDATE"
_OPEN = """
    SELECT sign_in_id, account_id, device, methods, auth_time, first_time, seen_time, end_time
    FROM audit.sign_in
    WHERE account_id = $1::uuid AND end_time IS NULL AND auth_time > $2 AND seen_time > $3
"""
_BEGIN = """
    INSERT INTO audit.sign_in (sign_in_id, account_id, device, methods, auth_time, first_time, seen_time)
    VALUES ($1::uuid, $2::uuid, $3, $4, $5, $6, $6)
    ON CONFLICT (sign_in_id) DO UPDATE SET seen_time = greatest(sign_in.seen_time, excluded.seen_time)
    WHERE sign_in.end_time IS NULL
"""
_SEEN = """
    UPDATE audit.sign_in SET seen_time = $2
    WHERE sign_in_id = $1::uuid AND end_time IS NULL AND seen_time < $2
"""
_LIST = """
    SELECT sign_in_id, account_id, device, methods, auth_time, first_time, seen_time, end_time
    FROM audit.sign_in
    WHERE account_id = $1::uuid AND auth_time > $2 ORDER BY auth_time DESC, sign_in_id LIMIT 100
"""
_CLAIM = "INSERT INTO audit.change (intent_id) VALUES ($1::uuid) ON CONFLICT DO NOTHING RETURNING true"
_BUMP = "UPDATE audit.registry_head SET account_revision = account_revision + 1"
_END = """
    UPDATE audit.sign_in SET end_time = $3
    WHERE account_id = $1::uuid AND sign_in_id = $2::uuid AND end_time IS NULL
"""
_IS_THERE = "SELECT EXISTS (SELECT FROM audit.sign_in WHERE account_id = $1::uuid AND sign_in_id = $2::uuid)"
_END_ALL = "UPDATE audit.sign_in SET end_time = $2 WHERE account_id = $1::uuid AND end_time IS NULL"
# What is held of an account in memory is held until the account changes, and this is part of it.
_TOUCH = "UPDATE audit.account SET signed_out_time = signed_out_time WHERE account_id = $1::uuid"
# Providers tell times of sign-ins in whole seconds; those of this very second are ended by their ids.
_SIGN_OUT = """
    UPDATE audit.account SET signed_out_time = date_trunc('second', $2::timestamptz)
    WHERE account_id = $1::uuid
"""


class SignInStore(Reader):
    """Sign-ins of people."""

    async def begin(self, new: SignIn, limits: Limits, since: datetime) -> str:
        """Notes the sign-in as used at its `seen_time`; what there would be too many of, or "".

        Args:
            new: The sign-in; one that is known already only has its use noted.
            limits: How many there may be at once.
            since: Sign-ins of before are over by themselves.
        """
        quiet = new.seen_time - limits.quiet
        async with transaction(self._pool) as connection:
            await connection.execute(_LOCK, new.account_id)
            others = [_sign_in(row) for row in await connection.fetch(_OPEN, new.account_id, since, quiet)]
            # Who is in stays in when the limit becomes lower.
            is_in = any(one.sign_in_id == new.sign_in_id for one in others)
            if not is_in and (excess := limits.excess(others, new)):
                return excess
            parts = (new.device, list(new.methods), new.auth_time, new.seen_time)
            await connection.execute(_BEGIN, new.sign_in_id, new.account_id, *parts)
        return ""

    async def seen(self, sign_in_id: str, moment: datetime) -> None:
        """Notes that it was used."""
        await self._fetchval(_SEEN, sign_in_id, moment)

    async def list_of(self, account_id: str, since: datetime) -> list[SignIn]:
        """The account's sign-ins of after `since`, newest first; 100 at most."""
        return [_sign_in(row) for row in await self._fetch(_LIST, account_id, since)]

    async def end(self, intent_id: str, account_id: str, sign_in_id: str, moment: datetime) -> None:
        """Ends one sign-in of the account, or all when `sign_in_id` is "".

        Raises:
            SignInNotFoundError: The account has no such sign-in.
        """
        async with transaction(self._pool) as connection:
            if not await connection.fetchval(_CLAIM, intent_id):
                return
            await connection.execute(_BUMP)
            if not sign_in_id:
                await connection.execute(_SIGN_OUT, account_id, moment)
                await connection.execute(_END_ALL, account_id, moment)
                return
            if not await connection.fetchval(_IS_THERE, account_id, sign_in_id):
                raise SignInNotFoundError("there is no such sign-in", resource=sign_in_id)
            await connection.execute(_END, account_id, sign_in_id, moment)
            await connection.execute(_TOUCH, account_id)


def _sign_in(row: Any) -> SignIn:
    sign_in_id, account_id, device, methods, *times = row
    return SignIn(str(sign_in_id), str(account_id), device, tuple(methods), *times)
