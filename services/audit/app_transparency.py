"""Transparency reports: counted from the log, kept, and known to it by their hash (ENF-051 IV.B.1)."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from alpr.type.v1.error_reason_pb2 import ErrorReason
from services.audit.app_act import Act, Call
from services.audit.app_gate import Attempt, Person
from services.audit.app_log import Draft, Log, Receipt
from services.audit.app_records import Means
from services.audit.core.entry import REQUEST_DIGEST, EntryKind, digest_of, rfc3339
from services.audit.core.justification import Rules
from services.audit.core.policy import Thing
from services.audit.core.question_kinds import KINDS, action_of_kind
from services.audit.errors import RecordNotFoundError
from services.audit.looking import look_every
from services.audit.store_transparency import PublishedReport, TransparencyStore
from services.common.clock import Clock
from services.common.errors import FieldViolation
from services.common.transparency import FIXED_ROWS, Tally, Terms
from services.common.transparency_pages import Head, json_of, report_of
from services.common.wire import raise_violations

_NAMESPACE: Final = uuid.UUID("7a6a1a0a-1c3f-5d0d-8a2e-6d0c7f4f2b51")
# What was asked in the last moments of a period may be on its way into the log.
_GRACE: Final = timedelta(minutes=5)
_TIME_TO_REPORT: Final = timedelta(days=31)
_LOOK_SECONDS: Final = 3600.0
_MOST_MONTHS: Final = 12
_LONGEST_PREVIEW: Final = timedelta(days=366)


@dataclass(frozen=True, slots=True)
class Period:
    """From `start` to before `end`."""

    start: datetime
    end: datetime

    def months(self) -> list[date]:
        """First days of its UTC months; empty when it is not made of whole ones, or of more than twelve."""
        if any(one != one.replace(day=1, hour=0, minute=0, second=0, microsecond=0) for one in self._ends()):
            return []
        first, last = (one.year * 12 + one.month - 1 for one in self._ends())
        months = [date(number // 12, number % 12 + 1, 1) for number in range(first, last)]
        return months if len(months) <= _MOST_MONTHS else []

    def _ends(self) -> tuple[datetime, datetime]:
        return self.start, self.end


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The rows of reports: codes of offences, kinds of questions, of case numbers, and of refusals."""

    offences: tuple[str, ...]
    questions: tuple[str, ...]
    case_number_kinds: tuple[str, ...]
    reasons: tuple[str, ...]

    def rows(self, others: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
        """Rows by breakdown; `others` are the other agencies by ORI."""
        return {
            **FIXED_ROWS,
            "offence": self.offences,
            "question": self.questions,
            "case_number_kind": self.case_number_kinds,
            "reason": self.reasons,
            "agency": tuple(sorted(others)),
        }


def catalogue_of(rules: Rules) -> Catalogue:
    """The rows that follow from the policy folder and the contracts."""
    kinds = (*KINDS, "alerts", "mcsalerts", "log")
    reasons = (name.removeprefix("ERROR_REASON_") for name, number in ErrorReason.items() if number)
    return Catalogue(
        offences=tuple(sorted(rules.codes)),
        questions=tuple(sorted(map(action_of_kind, kinds))),
        case_number_kinds=tuple(sorted(rules.formats)),
        reasons=tuple(sorted(reasons)),
    )


class Transparency:
    """Counts, publishes and gives reports."""

    def __init__(self, means: Means, journal: Log, store: TransparencyStore, catalogue: Catalogue) -> None:
        self._gate = means.gate
        self._actor = means.actor
        self._clock = means.clock
        self._log = journal
        self._store = store
        self._catalogue = catalogue

    async def publish(self, call: Call, period: Period) -> tuple[PublishedReport, Receipt]:
        """The report on the period, from now on or from before, and the entry that has its hash.

        Raises:
            InvalidFieldError: The period is not one of whole months that are over.
            WrongStateError: A month of it is in another report.
            UnauthenticatedError, NotPermittedError: The person may not do this.
        """
        action = "transparency.publish"
        attempt = Attempt("", action, request_id=call.request_id)
        async with self._gate.recording(attempt):
            person = await self._gate.person(call.token, attempt)
            ori = _agency(person)
            self._gate.permit(person, action, Thing(agency=ori))
            now = self._clock.now()
            if not period.months() or period.end > now - _GRACE:
                text = "must begin a UTC month, 1 to 12 months before `to`, which is over since five minutes"
                raise_violations([FieldViolation("from", text)])
        found = await self._store.of_period(ori, period.start, period.end)
        if found is None:
            name = str(uuid.uuid5(_NAMESPACE, f"{ori}/{rfc3339(period.start)}/{rfc3339(period.end)}"))

            async def change(intent_id: str) -> None:
                made = await self._counted(ori, period, name)
                await self._store.publish(intent_id, made, period.months())

            act = Act(action, Thing(name, agency=ori), _details(period))
            await self._actor.carry_out(act, call, attempt, change)
            found = await self._store.by_id(name)
        return found, await self._receipt(found)

    async def preview(self, call: Call, period: Period) -> str:
        """Text of a report on the period up to now, which is not kept.

        Raises:
            InvalidFieldError: The period is empty, too long, or not over.
            UnauthenticatedError, NotPermittedError: The person may not do this.
        """
        action = "transparency.preview"
        attempt = Attempt("", action, request_id=call.request_id)
        async with self._gate.recording(attempt):
            person = await self._gate.person(call.token, attempt)
            thing = Thing(agency=_agency(person))
            self._gate.permit(person, action, thing)
            length = period.end - period.start
            if not timedelta(0) < length <= _LONGEST_PREVIEW or period.end > self._clock.now():
                text = "must be before `to`, by at most 366 days, and `to` not ahead of now"
                raise_violations([FieldViolation("from", text)])
        made: list[PublishedReport] = []

        async def look(_: str) -> None:
            made.append(await self._counted(thing.agency, period, ""))

        await self._actor.carry_out(Act(action, thing, _details(period)), call, attempt, look)
        return made[0].report

    async def one(self, call: Call, report_id: str) -> tuple[PublishedReport, Receipt]:
        """The agency's report, and the entry that has its hash.

        Raises:
            RecordNotFoundError: The agency has no such report.
        """
        person = await self._actor.signed_in(call, "transparency.list", Thing())
        found = await self._store.by_id(report_id)
        if found.agency_ori != _agency(person):
            raise RecordNotFoundError("your agency has no such report", resource=report_id)
        return found, await self._receipt(found)

    async def page(self, call: Call, before: datetime, limit: int) -> list[PublishedReport]:
        """Up to `limit` reports of the agency on periods that begin before `before`, newest first."""
        person = await self._actor.signed_in(call, "transparency.list", Thing())
        return await self._store.page(_agency(person), before, limit)

    async def _counted(self, ori: str, period: Period, name: str) -> PublishedReport:
        checkpoint = await self._log.checkpoint()
        agencies = await self._store.agencies()
        rows = self._catalogue.rows({one: title for one, title in agencies.items() if one != ori})
        head = Head(ori, agencies[ori], rfc3339(period.start), rfc3339(period.end), checkpoint.text)
        tally = Tally(Terms(ori, head.start, head.end, rows))
        places = await self._store.places(period.start, period.end, checkpoint.size)
        async with aclosing(self._store.entries(places)) as entries:
            async for entry in entries:
                tally.take(entry)
        # What was begun within the period may have ended after it.
        for entry in await self._store.outcomes(tally.pending, places.stop, checkpoint.size):
            tally.take(entry)
        text = json_of(report_of(tally, head))
        now, digest = self._clock.now(), hashlib.sha256(text).digest()
        return PublishedReport(
            name, ori, period.start, period.end, now, checkpoint.size, digest, text.decode()
        )

    async def _receipt(self, one: PublishedReport) -> Receipt:
        """The entry that has the report's hash. It is there once, and made whenever it is not there yet."""
        content = {
            "action": "transparency.published",
            "resource": one.report_id,
            "agency": one.agency_ori,
            "detail.sha256": one.sha256.hex(),
            "detail.entries": str(one.entries),
            **{f"detail.{name}": value for name, value in _details(Period(one.start, one.end)).items()},
        }
        values = {**content, "actor": "audit", "service": "audit", REQUEST_DIGEST: digest_of(content)}
        draft = Draft(EntryKind.EVENT, f"transparency/{one.report_id}", values)
        return await self._log.receipt(await self._log.append(draft))


class ReportsDue:
    """Says once, in the log, that a report did not come: as long a period again is over since a month.

    Any number of replicas may look: an event has a key, and is there once.
    """

    def __init__(self, journal: Log, store: TransparencyStore, clock: Clock) -> None:
        self._log = journal
        self._store = store
        self._clock = clock

    async def watch(self) -> None:
        """Looks every hour, without end; what fails now is done at the next look."""
        await look_every(_LOOK_SECONDS, self.look, warning="reports_due_not_looked_at")

    async def look(self) -> None:
        """Records which agencies' next reports are due by now.

        Raises:
            StorageUnavailableError, AuditUnavailableError: It could not be read or recorded.
        """
        now = self._clock.now()
        for ori, start, end in await self._store.newest():
            if now >= end + (end - start) + _TIME_TO_REPORT:
                values = {"action": "transparency.due", "agency": ori, "detail.from": rfc3339(end)}
                key = f"transparency-due/{ori}/{values['detail.from']}"
                await self._log.append(Draft(EntryKind.EVENT, key, values))


def _details(period: Period) -> dict[str, str]:
    return {"from": rfc3339(period.start), "to": rfc3339(period.end)}


def _agency(person: Person) -> str:
    return person.account.profile.agency_ori
