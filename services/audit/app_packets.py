"""Weekly packets of units: looked at, signed, and missed when they are not (ENF-051 III.C.2.d, CJIS AU-6)."""

from __future__ import annotations

from datetime import date, datetime
from typing import Final

from services.audit.app_act import Act, Call
from services.audit.app_gate import Attempt, Person
from services.audit.app_log import Draft, Log
from services.audit.app_records import Means
from services.audit.core.entry import EntryKind
from services.audit.core.policy import Thing
from services.audit.core.review import TIME_TO_SIGN, WEEK, Packet, begin_of, week_of
from services.audit.errors import RecordNotFoundError
from services.audit.looking import look_every
from services.audit.store_packets import PacketStore
from services.common.clock import Clock
from services.common.errors import FieldViolation
from services.common.wire import raise_violations

_LOOK_SECONDS: Final = 60.0
_WEEKS_BACK: Final = 4
_SAID: Final = "packet-overdue/"


class Packets:
    """Shows packets, and keeps who has signed them."""

    def __init__(self, means: Means, store: PacketStore) -> None:
        self._gate = means.gate
        self._actor = means.actor
        self._clock = means.clock
        self._store = store

    def now(self) -> datetime:
        """The moment at which packets stand as they do."""
        return self._clock.now()

    async def get(self, call: Call, unit: str, week: date) -> Packet:
        """The packet.

        Raises:
            InvalidFieldError: The week is not over.
            RecordNotFoundError: The agency has no such unit.
        """
        attempt = Attempt("", "packet.get", resource=f"{unit}/{week}")
        async with self._gate.recording(attempt):
            _, found = await self._permitted(call, attempt, unit, week)
        return found

    async def sign(self, call: Call, unit: str, week: date, sha256: bytes) -> Packet:
        """The packet, signed.

        Raises:
            InvalidFieldError: The week is not over, or another content was looked at.
            WrongStateError: It is signed already.
        """
        attempt = Attempt("", "packet.sign", resource=f"{unit}/{week}", request_id=call.request_id)
        async with self._gate.recording(attempt):
            person, found = await self._permitted(call, attempt, unit, week)
            if found.sha256 != sha256:
                raise_violations(
                    [FieldViolation("sha256", "is of another content; look at the packet again")]
                )
        thing = Thing(f"{found.unit}/{week}", agency=found.agency_ori, unit=found.unit)
        act = Act("packet.sign", thing, {"packet_sha256": sha256.hex()})
        by, now = person.account.account_id, self._clock.now()
        await self._actor.carry_out(
            act, call, attempt, lambda intent: self._store.sign(intent, found, by, now)
        )
        return await self._store.packet(found.agency_ori, found.unit, week)

    async def _permitted(self, call: Call, attempt: Attempt, unit: str, week: date) -> tuple[Person, Packet]:
        person = await self._gate.person(call.token, attempt)
        own = person.account.profile
        unit = unit or own.unit
        self._gate.permit(person, attempt.values()["action"], Thing(agency=own.agency_ori, unit=unit))
        if begin_of(week) + WEEK > self._clock.now():
            raise_violations([FieldViolation("week", "must be over")])
        if not await self._store.has_unit(own.agency_ori, unit):
            raise RecordNotFoundError("your agency has no such unit", resource=unit)
        return person, await self._store.packet(own.agency_ori, unit, week)


class PacketsDue:
    """Says in the log, once each, which packet was not signed in time. Any number of replicas may look."""

    def __init__(self, journal: Log, store: PacketStore, clock: Clock) -> None:
        self._log = journal
        self._store = store
        self._clock = clock

    async def watch(self) -> None:
        """Looks every minute, without end; what fails now is done at the next look."""
        await look_every(_LOOK_SECONDS, self.look, warning="packets_not_looked_for")

    async def look(self) -> None:
        """Records what is missing by now. Raises StorageUnavailableError, AuditUnavailableError."""
        newest = week_of(self._clock.now() - WEEK - TIME_TO_SIGN)
        for back in range(_WEEKS_BACK):
            week = newest - back * WEEK
            for ori, unit in await self._store.unsigned(week, _SAID):
                await self._log.append(_overdue(ori, unit, week))


def _overdue(ori: str, unit: str, week: date) -> Draft:
    values = {"action": "packet.overdue", "resource": f"{unit}/{week}", "agency": ori}
    return Draft(EntryKind.EVENT, f"{_SAID}{ori}/{unit}/{week}", values)
