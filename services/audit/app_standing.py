"""What a person set up to go on without a sign-in: whether the person may still do it (ENF-051 IV.A.4)."""

from __future__ import annotations

from dataclasses import dataclass

from services.audit.app_gate import Attempt, Gate
from services.audit.app_log import Log
from services.audit.core.actions import stands_for
from services.audit.core.entry import EntryKind
from services.audit.core.person import Account
from services.audit.core.policy import Thing
from services.audit.errors import EntitlementEndedError, EntryNotFoundError
from services.audit.store_accounts import AccountStore
from services.common.errors import FieldViolation, InvalidFieldError, NotPermittedError


@dataclass(frozen=True, slots=True)
class Founded:
    """Work that goes on by a recorded act of `account_id`, and what the account must go on allowing."""

    service: str
    intent_id: str
    account_id: str
    action: str


class Standing:
    """Looks at the account behind such work: nobody is signed in, the recorded act stands for the person."""

    def __init__(self, journal: Log, gate: Gate, accounts: AccountStore) -> None:
        self._log = journal
        self._gate = gate
        self._accounts = accounts

    async def founded(self, service: str, intent_id: str, action: str) -> Founded:
        """The work that the intent founded.

        Raises:
            EntryNotFoundError: The service recorded no such intent.
            InvalidFieldError: Nothing goes on by such an act, or not as `action`.
        """
        found = await self._log.find(intent_id)
        entry = found.entry if found else None
        if (
            entry is None
            or entry.value("kind") != EntryKind.INTENT
            or entry.value("service") != service
            or entry.value("decision") != "allowed"
        ):
            raise EntryNotFoundError("there is no such intent", resource=intent_id)
        if not action or stands_for(entry.value("action")) != action:
            violation = FieldViolation("action", "must be what the act of the intent stands for")
            raise InvalidFieldError("nothing goes on by that intent", violations=[violation])
        return Founded(service, intent_id, entry.value("actor"), action)

    async def entitled(self, founded: Founded) -> Account:
        """The account, which may do it now. A refusal is not recorded: nobody tries anything.

        Raises:
            NotPermittedError: It may not.
        """
        account = await self._accounts.by_id(founded.account_id)
        if account is None:
            raise NotPermittedError("the account is not known", metadata={"clauses": "III.B.3.g"})
        self._gate.permit_account(account, founded.action, Thing(agency=account.profile.agency_ori))
        return account

    async def still_entitled(self, founded: Founded) -> Account:
        """The account, which may still do it; that it may no longer is recorded.

        Raises:
            EntitlementEndedError: It may not.
        """
        attempt = Attempt(founded.service, founded.action, actor=founded.account_id)
        attempt.note(subject=founded.intent_id)
        async with self._gate.recording(attempt):
            try:
                return await self.entitled(founded)
            except NotPermittedError as error:
                raise EntitlementEndedError(error.message, metadata=error.metadata) from None
