"""Profiles of people. One method is one transaction; a change is made once for each intent."""

from __future__ import annotations

from services.audit.core.email import EmailException
from services.audit.store_accounts import insert_exception
from services.common.errors import WrongStateError
from services.common.pg import Pool, transaction

_CLAIM = "INSERT INTO audit.change (intent_id) VALUES ($1::uuid) ON CONFLICT DO NOTHING RETURNING true"
_BUMP = "UPDATE audit.registry_head SET account_revision = account_revision + 1"
_UPDATE = "SELECT audit.update_profile($1::uuid)"
_NEEDS_NO_APPROVAL = "UPDATE audit.account SET email_until = NULL WHERE account_id = $1::uuid"


class ProfileStore:
    """Profiles, which the database changes by what the log says alone."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def update(
        self, intent_id: str, account_id: str, *, has_email: bool, exception: EmailException | None
    ) -> None:
        """Changes the account's profile to what the intent says, and how long its address counts.

        Raises:
            WrongStateError: The profile is not what the intent says that it was, or its holder was
                appointed to coordinate the unit meanwhile.
        """
        async with transaction(self._pool) as connection:
            if not await connection.fetchval(_CLAIM, intent_id):
                return
            await connection.execute(_BUMP)
            if not await connection.fetchval(_UPDATE, intent_id):
                msg = "the account has been changed meanwhile; look at it again, and send a new request id"
                raise WrongStateError(msg, resource=account_id)
            if exception:
                await insert_exception(connection, intent_id, account_id, exception)
            elif has_email:
                await connection.execute(_NEEDS_NO_APPROVAL, account_id)
