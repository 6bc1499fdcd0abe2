"""Who is asking, and whether they may: the same for every RPC of this service."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

import grpc

from alpr.type.v1.error_reason_pb2 import ErrorReason
from services.audit.app_admission import Admission
from services.audit.app_justification import check_declared
from services.audit.app_log import Draft, Log
from services.audit.core.claims import Identity
from services.audit.core.entry import EntryKind
from services.audit.core.person import Account, AccountState, Role
from services.audit.core.policy import Decision, Policies, Thing
from services.audit.core.refusal import advice
from services.audit.errors import RegistryMovedError
from services.audit.remembered import Found, Remembered
from services.audit.store_accounts import AccountStore
from services.audit.tokens import TokenVerifier
from services.audit.vendor_calls import VendorCalls
from services.common.clock import Clock
from services.common.errors import AlprError, NotPermittedError, RequestIdReusedError, UnauthenticatedError

# What counts as a refusal. Anything else says that nothing was decided, or that the act itself failed.
_REFUSALS = frozenset(
    {
        grpc.StatusCode.INVALID_ARGUMENT,
        grpc.StatusCode.UNAUTHENTICATED,
        grpc.StatusCode.PERMISSION_DENIED,
        grpc.StatusCode.NOT_FOUND,
        grpc.StatusCode.FAILED_PRECONDITION,
    }
)
_LONGEST = 500
_USE_EVERY = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Person:
    """A person who has signed in, with the account as it stands at this revision of the registry."""

    identity: Identity
    account: Account
    revision: int


@dataclass(frozen=True, slots=True)
class People:
    """Where people are looked up: accounts, what is held of these, vendors' calls, sign-ins."""

    accounts: AccountStore
    remembered: Remembered
    vendors: VendorCalls
    admission: Admission


class Attempt:
    """What somebody tries to do, as far as it is known yet; what a refusal of it will say.

    Args:
        service: The service whose certificate came with the call; "" for a person who calls directly.
        action: What is tried.
        values: More fields of the entry.
    """

    def __init__(self, service: str, action: str, **values: str) -> None:
        self.service = service
        self.known = False
        # The revision that is taken to be the registry's still; None when it has been read for this attempt.
        self.assumed: int | None = None
        self._values = {"service": service, "action": action}
        self.note(**values)

    def note(self, **values: str) -> None:
        """Adds fields; text from outside is made fit to be stored."""
        self._values.update({name: clean(value) for name, value in values.items()})

    def by(self, person: Person) -> None:
        """Says who tries."""
        self.known = True
        account = person.account
        self.note(actor=account.account_id, actor_agency=account.profile.agency_ori)
        self._values["detail.token_id"] = clean(person.identity.token_id)

    def values(self) -> dict[str, str]:
        """The fields."""
        return dict(self._values)


class Gate:
    """Identifies people, asks the policies, and records refusals before they leave."""

    def __init__(
        self, journal: Log, verifier: TokenVerifier, people: People, policies: Policies, clock: Clock
    ) -> None:
        self._log = journal
        self._verifier = verifier
        self._people = people
        self._policies = policies
        self._clock = clock

    async def check_token(self, token: str) -> None:
        """Returns when `token` is accepted, whether or not the person has an account.

        Raises:
            UnauthenticatedError: It is not.
        """
        await self._identity(token, "")

    async def person(self, token: str, attempt: Attempt, *, assuming: bool = False) -> Person:
        """The person whom `token` stands for, on a sign-in that may be used.

        With `assuming`, the registry is taken to stand as when it was last looked at. Then nothing may come
        of it but an entry that says by which revision it was decided (`Draft.revision`), or a refusal, before
        which `recording` looks at the registry once more.

        Raises:
            UnauthenticatedError: The token is not accepted, or its sign-in was ended.
            NotPermittedError: Nobody has an account by that name, or is signed in too often.
            AuditUnavailableError: The sign-in could not be recorded.
        """
        known = await self._known(token, attempt, assuming)
        await self._people.admission.admit(known.identity, known.account, attempt.values())
        return await self._noted(known, attempt)

    async def person_still(self, token: str, attempt: Attempt) -> Person:
        """As `person`, for a stream that looks again: that it goes on does not show that anybody is there."""
        known = await self._known(token, attempt)
        await self._people.admission.stay(known.identity, known.account, attempt.values())
        return await self._noted(known, attempt)

    async def person_making_room(self, token: str, attempt: Attempt) -> Person:
        """As `person`, also when there are too many sign-ins: for looking at them and ending them."""
        known = await self._known(token, attempt)
        await self._people.admission.make_room(known.identity, known.account, attempt.values())
        return await self._noted(known, attempt)

    async def _identity(self, token: str, service: str) -> Identity:
        """Whom the token stands for; one that is refused is counted."""
        refused = self._people.admission.refused
        if not self._verifier.knows(token):
            refused.check()
        try:
            return await self._verifier.verify(token)
        except UnauthenticatedError:
            refused.note(service)
            raise

    async def _known(self, token: str, attempt: Attempt, assuming: bool = False) -> Person:
        identity = await self._identity(token, attempt.service)
        remembered = self._people.remembered
        attempt.assumed = remembered.newest if assuming else None
        revision = await remembered.revision() if attempt.assumed is None else attempt.assumed
        account = await self._account(identity, revision)
        if account is None:
            attempt.known = True
            attempt.note(resource=identity.subject)
            msg = "You have no account here. Ask the coordinator of your unit to make one."
            raise NotPermittedError(msg, metadata={"clauses": "III.B.3.g"})
        person = Person(identity, account, revision)
        attempt.by(person)
        return person

    async def _noted(self, person: Person, attempt: Attempt) -> Person:
        """The person, whose call is noted where calls are."""
        await self._note_use(person.account)
        seen = await self._people.vendors.seen(person.identity, person.account, attempt.values())
        return Person(person.identity, seen, person.revision)

    async def _account(self, identity: Identity, revision: int) -> Account | None:
        now = self._clock.now()

        async def read() -> Found[Account | None]:
            account = await self._people.accounts.by_identity(identity.issuer, identity.subject)
            return Found(account, _until(account, now))

        key = self._people.accounts.key_of(identity.issuer, identity.subject)
        return await self._people.remembered.get(key, revision, now, read)

    async def _note_use(self, account: Account) -> None:
        """Notes the use of an account that is good for it, once an hour."""
        now, life = self._clock.now(), account.life
        fresh = life.use_time is not None and now < life.use_time + _USE_EVERY
        if account.state is AccountState.ENABLED and not (fresh or life.is_idle(now) or life.is_over(now)):
            await self._people.accounts.used(account.account_id, now)
            named = account.profile.issuer, account.profile.subject
            self._people.remembered.forget(self._people.accounts.key_of(*named))

    def permit(self, person: Person, action: str, thing: Thing) -> Decision:
        """The decision that allows `action`.

        Raises:
            NotPermittedError: It is not allowed; metadata `clauses` says by which clauses.
        """
        return self.permit_account(person.account, action, thing)

    def permit_account(self, account: Account, action: str, thing: Thing) -> Decision:
        """As `permit`, for an account whose person is not signed in."""
        decision = self._policies.decide_person(account, action, thing, self._clock.now())
        if not decision.allowed:
            raise refusal(decision)
        return decision

    def check_offence(self, person: Person, offence_code: str) -> None:
        """Returns when no declaration of the person's agency excludes it. Raises NotPermittedError."""
        check_declared(person.account, offence_code, self._clock.now())

    def permit_service(self, service: str, action: str, thing: Thing) -> Decision:
        """The decision that allows the service to do `action` by itself.

        Raises:
            UnauthenticatedError: It is not allowed without a person's token.
        """
        decision = self._policies.decide_service(service, action, thing)
        if not decision.allowed:
            raise UnauthenticatedError("this act needs a person's access token; sign in")
        return decision

    async def _check_assumed(self, attempt: Attempt) -> None:
        if attempt.assumed is not None and await self._people.remembered.revision() != attempt.assumed:
            raise RegistryMovedError from None

    @asynccontextmanager
    async def recording(self, attempt: Attempt) -> AsyncIterator[None]:
        """Records the refusal of what happens inside, before its error leaves.

        A call without a service's certificate and without an accepted token is not recorded: anybody on the
        network could fill the log with such calls.

        Raises:
            RegistryMovedError: The refusal rests on a registry that has changed; nothing is recorded.
            AuditUnavailableError: The refusal could not be recorded.
        """
        try:
            yield
        except AlprError as error:
            await self._check_assumed(attempt)
            told = attempt.known or attempt.service
            if told and error.code in _REFUSALS and not isinstance(error, RequestIdReusedError):
                await self._log.append(Draft(EntryKind.REFUSAL, "", _refused(attempt, error)))
            raise


def _until(account: Account | None, now: datetime) -> datetime | None:
    """Until when an account that was read now may be held; those of vendors, whose escorts end, never."""
    if account is None or Role.VENDOR_SUPPORT in account.roles:
        return now
    life = account.life
    idle = life.use_time + life.idle_after if life.use_time else None
    return min((one for one in (idle, account.next_change(now)) if one), default=None)


def refusal(decision: Decision) -> NotPermittedError:
    """The error for a decision that does not allow."""
    return NotPermittedError(advice(decision.clauses), metadata={"clauses": ",".join(decision.clauses)})


def clean(text: str, longest: int = _LONGEST) -> str:
    """The text without control characters, which the log's table does not take, and cut to `longest`."""
    cut = text[:longest]
    return cut if cut.isprintable() else "".join(one if one.isprintable() else " " for one in cut)


def _refused(attempt: Attempt, error: AlprError) -> dict[str, str]:
    reason = ErrorReason.Name(error.reason).removeprefix("ERROR_REASON_")
    fields = ",".join(violation.field for violation in error.violations)
    return {
        **attempt.values(),
        "decision": "refused",
        "clauses": error.metadata.get("clauses", ""),
        "result": reason,
        "detail.fields": clean(fields),
    }
