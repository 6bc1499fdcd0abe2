"""What agencies of other states declare in writing (625 ILCS 5/2-130; ENF-051 IV.B.3)."""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import datetime
from typing import Final

from services.audit.app_act import Act, Call
from services.audit.app_gate import Attempt
from services.audit.app_records import Means
from services.audit.core.declaration import Declaration, OutOfStateLaw, problems
from services.audit.core.entry import rfc3339
from services.audit.core.policy import Thing
from services.audit.errors import AgencyNotFoundError
from services.audit.store_accounts import AccountStore
from services.audit.store_declarations import DeclarationStore
from services.common.errors import FieldViolation
from services.common.wire import raise_violations

_NAMESPACE: Final = uuid.UUID("0d0c5b0e-6a9b-5f3c-8a51-5d2f0a7be1f4")


class Declarations:
    """Keeps declarations. Who shares records them; either side ends them."""

    def __init__(
        self,
        means: Means,
        store: DeclarationStore,
        accounts: AccountStore,
        law: OutOfStateLaw,
        codes: frozenset[str],
    ) -> None:
        self._gate, self._actor, self._clock = means.gate, means.actor, means.clock
        self._store = store
        self._accounts = accounts
        self._codes = codes
        self.law = law

    async def record(self, call: Call, given: Declaration) -> Declaration:
        """The declaration, which counts from now or its start on.

        Raises:
            AgencyNotFoundError: The agency is not registered.
            InvalidFieldError: It needs none, or the law asks for more.
        """
        attempt = Attempt("", "declaration.record", request_id=call.request_id)
        async with self._gate.recording(attempt):
            person = await self._gate.person(call.token, attempt)
            # The id follows from the request, so that the intent can name it before it exists.
            name = str(uuid.uuid5(_NAMESPACE, f"{person.account.account_id}/{call.request_id}"))
            thing = Thing(name)
            self._gate.permit(person, "declaration.record", thing)
            if await self._accounts.agency(given.agency_ori) is None:
                raise AgencyNotFoundError("this agency is not registered", resource=given.agency_ori)
            wrong = problems(given, self.law, self._codes, self._clock.now())
            raise_violations([FieldViolation(f"declaration.{one}", text) for one, text in wrong.items()])
        made = replace(given, declaration_id=name)
        act = Act("declaration.record", thing, {**_details(made), "law": self.law.name})
        await self._actor.carry_out(act, call, attempt, lambda intent: self._store.record(intent, made))
        return await self._store.by_id(name)

    async def end(self, call: Call, declaration_id: str, reason: str) -> Declaration:
        """The declaration, which counts no more.

        Raises:
            DeclarationNotFoundError: There is none.
            WrongStateError: It was ended before.
        """
        attempt = Attempt("", "declaration.end", resource=declaration_id, request_id=call.request_id)
        async with self._gate.recording(attempt):
            person = await self._gate.person(call.token, attempt)
            own = person.account.profile.agency_ori
            # Who may end none is not told which there are.
            self._gate.permit(person, "declaration.end", Thing(declaration_id, agency=own))
            found = await self._store.by_id(declaration_id)
            # To an agency of the home state it is a matter of its own; to another one only if it declared it.
            theirs = person.account.standing is not None and found.agency_ori != own
            thing = Thing(declaration_id, agency=found.agency_ori if theirs else own)
            self._gate.permit(person, "declaration.end", thing)
        act = Act("declaration.end", thing, {"declaring_agency": found.agency_ori, "reason": reason})
        await self._actor.carry_out(
            act, call, attempt, lambda intent: self._store.withdraw(intent, declaration_id)
        )
        return await self._store.by_id(declaration_id)

    async def page(self, call: Call, before: tuple[datetime, str], limit: int) -> list[Declaration]:
        """Up to `limit` declarations that the caller may see, newest first."""
        account = (await self._actor.signed_in(call, "declaration.list", Thing())).account
        ori = "" if account.standing is None else account.profile.agency_ori
        return await self._store.page(ori, before, limit)


def _details(one: Declaration) -> dict[str, str]:
    return {
        "declaring_agency": one.agency_ori,
        "document_sha256": one.document_sha256.hex(),
        "signed_by": one.signed_by,
        "office": one.office,
        "sign_time": rfc3339(one.sign_time),
        "start_time": rfc3339(one.start_time),
        "end_time": rfc3339(one.end_time),
        "excluded_uses": ",".join(one.excluded_uses),
        "excluded_offence_codes": ",".join(one.excluded_codes),
    }
