"""Says, in the log, what has run out: an incident's hour, a contract's warning, a unit's coordinator.

Incidents and contracts once (III.B.2, III.B.3.c), a vacant unit once a day (III.C.1), a leaver whose account
is open after a day once (CJIS AC-2).
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from services.audit.app_log import Draft, Log
from services.audit.core.entry import EntryKind, rfc3339
from services.audit.core.records import Contract, Incident
from services.audit.core.roster import TIME_TO_END, Leaver
from services.audit.core.unit import Vacancy
from services.audit.looking import look_every
from services.audit.store_records import ContractStore, IncidentStore
from services.audit.store_rosters import RosterStore
from services.audit.store_units import UnitStore
from services.common.clock import Clock

_EVERY_SECONDS: Final = 30.0


class Deadlines:
    """Looks for what has run out. Any number of replicas may: an event has a key, and is there once."""

    def __init__(
        self,
        journal: Log,
        incidents: IncidentStore,
        contracts: ContractStore,
        people: tuple[UnitStore, RosterStore],
        clock: Clock,
    ) -> None:
        self._log = journal
        self._incidents = incidents
        self._contracts = contracts
        self._units, self._rosters = people
        self._clock = clock

    async def watch(self) -> None:
        """Looks every half minute, without end; what fails now is done at the next look."""
        await look_every(_EVERY_SECONDS, self.look, warning="deadlines_not_looked_at")

    async def look(self) -> None:
        """Records what has run out by now.

        Raises:
            StorageUnavailableError, AuditUnavailableError: It could not be read or recorded.
        """
        now = self._clock.now()
        for incident in await self._incidents.open():
            if incident.is_overdue(now):
                await self._log.append(_overdue(incident))
        for contract in await self._contracts.ending(now):
            await self._log.append(_ending(contract))
        for vacancy in await self._units.vacant(now):
            await self._log.append(_vacant(vacancy, now))
        for leaver in await self._rosters.overdue(now, now - TIME_TO_END):
            await self._log.append(_still_open(leaver))


def _overdue(one: Incident) -> Draft:
    values = {
        "action": "incident.overdue",
        "resource": one.incident_id,
        "agency": one.agency_ori,
        "detail.due_time": rfc3339(one.due_time),
    }
    return Draft(EntryKind.EVENT, f"incident-overdue/{one.incident_id}", values)


def _ending(one: Contract) -> Draft:
    values = {
        "action": "contract.ending",
        "resource": one.contract_id,
        "agency": one.agency_ori,
        "detail.end_time": rfc3339(one.end_time),
    }
    return Draft(EntryKind.EVENT, f"contract-ending/{one.contract_id}", values)


def _vacant(one: Vacancy, now: datetime) -> Draft:
    values = {
        "action": "unit.vacant",
        "resource": one.code,
        "agency": one.agency_ori,
        "clauses": "III.C.1",
        "detail.enabled_accounts": str(one.enabled_accounts),
    }
    return Draft(EntryKind.EVENT, f"unit-vacant/{one.agency_ori}/{one.code}/{now:%Y-%m-%d}", values)


def _still_open(one: Leaver) -> Draft:
    values = {
        "action": "roster.overdue",
        "resource": one.account_id,
        "agency": one.agency_ori,
        "detail.since_time": rfc3339(one.since_time),
    }
    return Draft(EntryKind.EVENT, f"leaver-open/{one.account_id}/{rfc3339(one.since_time)}", values)
