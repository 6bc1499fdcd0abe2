"""Reviews: opened, taken, concluded, signed by somebody else (ENF-051 III.C.2.d, IV.A.2)."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Final

from services.audit.app_act import Act, Call
from services.audit.app_gate import Attempt, Person
from services.audit.app_log import Draft, Log
from services.audit.app_records import Means
from services.audit.core.entry import EntryKind, rfc3339
from services.audit.core.person import Role
from services.audit.core.policy import Thing
from services.audit.core.review import Conclusion, Review
from services.audit.errors import AccountNotFoundError, RecordNotFoundError
from services.audit.looking import look_every
from services.audit.store_accounts import AccountStore
from services.audit.store_reviews import ReviewStore
from services.common.clock import Clock

_NAMESPACE: Final = uuid.UUID("1f0c8f5e-3d5c-5a39-8b30-1b0c4f8e9a61")
_WIDE: Final = frozenset({Role.STATEWIDE_COORDINATOR, Role.AUDITOR})
_LOOK_SECONDS: Final = 60.0
_SAID: Final = "review-overdue/"


class Reviews:
    """Keeps reviews. Nobody reviews himself, and nobody signs what he found himself."""

    def __init__(
        self, means: Means, store: ReviewStore, accounts: AccountStore, period: Callable[[], timedelta]
    ) -> None:
        self._gate = means.gate
        self._actor = means.actor
        self._clock = means.clock
        self._store = store
        self._accounts = accounts
        self._period = period

    def is_overdue(self, one: Review) -> bool:
        """True when nothing is found in it although its time is over now."""
        return one.is_overdue(self._clock.now(), self._period())

    async def open(self, call: Call, account_id: str, reason: str) -> Review:
        """The person's open review, which may have been there.

        Raises:
            AccountNotFoundError: There is no such account in the agency.
        """
        attempt = Attempt("", "review.open", resource=account_id, request_id=call.request_id)
        async with self._gate.recording(attempt):
            person = await self._gate.person(call.token, attempt)
            subject = await self._accounts.by_id(account_id)
            if subject is None or subject.profile.agency_ori != _agency(person):
                # Who may not do it at all is not told whether there is such an account.
                self._gate.permit(person, "review.open", Thing(unit=person.account.profile.unit))
                raise AccountNotFoundError("your agency has no such account", resource=account_id)
            name = str(uuid.uuid5(_NAMESPACE, f"{person.account.account_id}/{call.request_id}"))
            profile = subject.profile
            thing = Thing(name, agency=profile.agency_ori, unit=profile.unit, person=account_id)
            self._gate.permit(person, "review.open", thing)
        made = Review(
            review_id=name,
            agency_ori=profile.agency_ori,
            account_id=account_id,
            full_name=profile.full_name,
            unit=profile.unit,
            open_time=self._clock.now(),
            reason=reason,
        )
        act = Act("review.open", thing, {"account": account_id}, {"reason": reason})
        await self._actor.carry_out(act, call, attempt, lambda intent: self._store.open(intent, made))
        return await self._store.open_of(account_id) or await self._store.by_id(name)

    async def page(
        self, call: Call, open_only: bool, before: tuple[datetime, str], limit: int
    ) -> list[Review]:
        """Up to `limit` reviews that the caller may see, newest first; not those of himself."""
        attempt = Attempt("", "review.list")
        async with self._gate.recording(attempt):
            person = await self._gate.person(call.token, attempt)
            own = person.account.profile
            self._gate.permit(person, "review.list", Thing(agency=own.agency_ori, unit=own.unit))
        unit = "" if person.account.roles & _WIDE else own.unit
        place = (own.agency_ori, unit, person.account.account_id)
        return await self._store.page(place, open_only, before, limit)

    async def take(self, call: Call, review_id: str) -> Review:
        """The review, taken by the caller. Raises RecordNotFoundError, WrongStateError."""
        return await self._change(
            call, review_id, "review.take", {}, {}, lambda intent, by: self._store.take(intent, review_id, by)
        )

    async def conclude(self, call: Call, review_id: str, said: Conclusion) -> Review:
        """The review with what its reviewer found. Raises RecordNotFoundError, WrongStateError."""
        details = {"finding": said.finding.value, "sanction_reference": said.sanction_reference}
        now = self._clock.now()

        async def change(intent: str, by: str) -> None:
            await self._store.conclude(intent, review_id, by, said, now)

        words = {"explanation": said.explanation}
        return await self._change(call, review_id, "review.close", details, words, change)

    async def sign(self, call: Call, review_id: str) -> Review:
        """The review, closed. Raises RecordNotFoundError, WrongStateError."""
        now = self._clock.now()

        async def change(intent: str, by: str) -> None:
            await self._store.sign(intent, review_id, by, now)

        return await self._change(call, review_id, "review.sign", {}, {}, change)

    async def own(self, call: Call) -> list[Review]:
        """The closed reviews of the caller himself."""
        attempt = Attempt("", "review.own")
        async with self._gate.recording(attempt):
            person = await self._gate.person(call.token, attempt)
            account_id = person.account.account_id
            self._gate.permit(person, "review.own", Thing(agency=_agency(person), person=account_id))
        return await self._store.own(account_id)

    async def _change(  # noqa: PLR0913, PLR0917 - an act, its review, and what is done
        self,
        call: Call,
        review_id: str,
        action: str,
        details: dict[str, str],
        words: dict[str, str],
        change: Callable[[str, str], Awaitable[None]],
    ) -> Review:
        attempt = Attempt("", action, resource=review_id, request_id=call.request_id)
        async with self._gate.recording(attempt):
            person = await self._gate.person(call.token, attempt)
            own = person.account.profile
            # Who may not do it at all is not told whether there is such a review.
            self._gate.permit(person, action, Thing(review_id, agency=own.agency_ori, unit=own.unit))
            found = await self._store.by_id(review_id)
            if found.agency_ori != own.agency_ori:
                raise RecordNotFoundError("your agency has no such review", resource=review_id)
            thing = Thing(review_id, agency=found.agency_ori, unit=found.unit, person=found.account_id)
            self._gate.permit(person, action, thing)
        by, act = (
            person.account.account_id,
            Act(action, thing, {"account": found.account_id, **details}, words),
        )
        await self._actor.carry_out(act, call, attempt, lambda intent: change(intent, by))
        return await self._store.by_id(review_id)


class ReviewsDue:
    """Says in the log, once each, which review was not concluded in time. Any number of replicas may look."""

    def __init__(
        self, journal: Log, store: ReviewStore, clock: Clock, period: Callable[[], timedelta]
    ) -> None:
        self._log = journal
        self._store = store
        self._clock = clock
        self._period = period

    async def watch(self) -> None:
        """Looks every minute, without end; what fails now is done at the next look."""
        await look_every(_LOOK_SECONDS, self.look, warning="reviews_not_looked_at")

    async def look(self) -> None:
        """Records what is overdue by now. Raises StorageUnavailableError, AuditUnavailableError."""
        for one in await self._store.overdue(self._clock.now() - self._period(), _SAID):
            await self._log.append(_overdue(one))


def _overdue(one: Review) -> Draft:
    values = {
        "action": "review.overdue",
        "resource": one.review_id,
        "agency": one.agency_ori,
        "clauses": "III.C.2.d",
        "detail.open_time": rfc3339(one.open_time),
    }
    if one.reviewer:
        values["detail.reviewer"] = one.reviewer
    return Draft(EntryKind.EVENT, f"{_SAID}{one.review_id}", values)


def _agency(person: Person) -> str:
    return person.account.profile.agency_ori
