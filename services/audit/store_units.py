"""Units and appointments. One method is one transaction; a change is made once for each intent."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

import asyncpg

from services.audit.core.person import Role
from services.audit.core.unit import Appointment, Unit, UnitKind, Vacancy
from services.audit.errors import UnitExistsError
from services.audit.store_reader import AnyConnection, Reader
from services.common.errors import WrongStateError
from services.common.pg import transaction

_UNIT = """
    SELECT unit.agency_ori, unit.code, unit.name, unit.kind, last.account_id, last.commander,
           last.document_sha256, last.appoint_time, last.end_time,
           audit.coordinator_of(unit.agency_ori, unit.code, $1) IS NOT NULL AS served,
           (SELECT count(*) FROM audit.account AS member WHERE member.agency_ori = unit.agency_ori
              AND member.unit = unit.code AND member.state = 'ENABLED') AS enabled_accounts
    FROM audit.unit AS unit LEFT JOIN LATERAL (
        SELECT account_id, commander, document_sha256, appoint_time, end_time FROM audit.appointment AS held
        WHERE held.agency_ori = unit.agency_ori AND held.code = unit.code
        ORDER BY (held.end_time IS NULL) DESC, held.appoint_time DESC LIMIT 1
    ) AS last ON true
"""
_BY_CODE = _UNIT + "WHERE unit.agency_ori = $2 AND unit.code = $3"
_PAGE = _UNIT + "WHERE unit.agency_ori = $2 AND unit.code > $3 ORDER BY unit.code LIMIT $4"
# Units that accounts name and nobody has registered are vacant, too.
_VACANT = """
    SELECT agency_ori, unit, count(*) FROM audit.account
    WHERE state = 'ENABLED' AND (end_time IS NULL OR end_time > $1)
    GROUP BY agency_ori, unit HAVING audit.coordinator_of(agency_ori, unit, $1) IS NULL
    ORDER BY agency_ori, unit LIMIT 1000
"""
_CLAIM = "INSERT INTO audit.change (intent_id) VALUES ($1::uuid) ON CONFLICT DO NOTHING RETURNING true"
_BUMP = "UPDATE audit.registry_head SET account_revision = account_revision + 1"
_INSERT = "INSERT INTO audit.unit (agency_ori, code, name, kind, intent_id) VALUES ($1, $2, $3, $4, $5::uuid)"
_END = """
    UPDATE audit.appointment SET end_time = clock_timestamp()
    WHERE agency_ori = $1 AND code = $2 AND end_time IS NULL RETURNING account_id
"""
_APPOINT = """
    INSERT INTO audit.appointment (agency_ori, code, account_id, commander, document_sha256, intent_id)
    VALUES ($1, $2, $3::uuid, $4, $5, $6::uuid)
"""
# The statewide coordinator may do more already, and keeps it when the appointment ends.
_GIVE_ROLE = """
    INSERT INTO audit.account_role (account_id, role, intent_id)
    SELECT $1::uuid, 'WORK_UNIT_COORDINATOR', $2::uuid
    WHERE NOT EXISTS (SELECT FROM audit.account_role
                      WHERE account_id = $1::uuid AND role = 'STATEWIDE_COORDINATOR')
    ON CONFLICT DO NOTHING
"""
_TAKE_ROLE = "DELETE FROM audit.account_role WHERE account_id = $1 AND role = $2"


class UnitStore(Reader):
    """Units and who coordinates them."""

    async def by_code(self, ori: str, code: str, moment: datetime) -> Unit | None:
        """The agency's unit as it stands at `moment`, or None."""
        row = await self._fetchrow(_BY_CODE, moment, ori, code)
        return _unit(row) if row else None

    async def page(self, ori: str, after: str, limit: int, moment: datetime) -> list[Unit]:
        """Up to `limit` units of the agency whose code comes after `after`, in that order."""
        return [_unit(row) for row in await self._fetch(_PAGE, moment, ori, after, limit)]

    async def vacant(self, moment: datetime) -> list[Vacancy]:
        """Units of all agencies with enabled accounts that nobody coordinates, 1,000 at most."""
        return [Vacancy(*row) for row in await self._fetch(_VACANT, moment)]

    async def register(self, intent_id: str, unit: Unit) -> None:
        """Registers the unit.

        Raises:
            UnitExistsError: The agency has one of this code.
        """
        async with self._changing(intent_id) as connection:
            if connection:
                await insert_unit(connection, intent_id, unit)

    async def appoint(self, intent_id: str, unit: Unit, appointment: Appointment) -> None:
        """Ends the appointment there is, with its role, and begins the new one, with its role."""
        async with self._changing(intent_id) as connection:
            if connection:
                await _end(connection, unit.agency_ori, unit.code)
                await insert_appointment(connection, intent_id, unit, appointment)

    async def end(self, intent_id: str, unit: Unit) -> None:
        """Ends the appointment there is, with its role.

        Raises:
            WrongStateError: There is none.
        """
        async with self._changing(intent_id) as connection:
            if connection and not await _end(connection, unit.agency_ori, unit.code):
                raise WrongStateError("nobody is appointed to coordinate this unit", resource=unit.code)

    @asynccontextmanager
    async def _changing(self, intent_id: str) -> AsyncIterator[AnyConnection | None]:
        """A transaction for the change of this intent, or None when it has been made before."""
        async with transaction(self._pool) as connection:
            claimed = await connection.fetchval(_CLAIM, intent_id)
            if claimed:
                await connection.execute(_BUMP)
            yield connection if claimed else None


async def insert_unit(connection: AnyConnection, intent_id: str, unit: Unit) -> None:
    """Inserts the unit in the caller's transaction. Raises UnitExistsError."""
    try:
        await connection.execute(_INSERT, unit.agency_ori, unit.code, unit.name, unit.kind.value, intent_id)
    except asyncpg.UniqueViolationError:
        raise UnitExistsError("the agency has a unit of this code already", resource=unit.code) from None


async def insert_appointment(
    connection: AnyConnection, intent_id: str, unit: Unit, appointment: Appointment
) -> None:
    """Begins the appointment in the caller's transaction, with its role."""
    parts = (appointment.account_id, appointment.commander, appointment.document_sha256)
    await connection.execute(_APPOINT, unit.agency_ori, unit.code, *parts, intent_id)
    await connection.execute(_GIVE_ROLE, appointment.account_id, intent_id)


async def _end(connection: AnyConnection, ori: str, code: str) -> bool:
    """True when there was an appointment; it has ended, and its role is taken."""
    former = await connection.fetchval(_END, ori, code)
    if former:
        await connection.execute(_TAKE_ROLE, former, Role.WORK_UNIT_COORDINATOR.value)
    return former is not None


def _unit(row: Any) -> Unit:
    ori, code, name, kind, account_id, *appointed, served, enabled = row
    last = Appointment(str(account_id), *appointed) if account_id else None
    return Unit(ori, code, name, UnitKind(kind), last, served, enabled)
