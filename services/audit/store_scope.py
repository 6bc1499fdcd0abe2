"""Who shares what with whom, and what sensor groups may be searched for. One method is one transaction."""

from __future__ import annotations

from datetime import datetime

from services.audit.core.group_limit import GroupLimit
from services.audit.core.scope import Group
from services.audit.errors import UnknownSensorGroupError
from services.audit.remembered import Found
from services.audit.store_reader import Reader
from services.common.pg import transaction

# The own agency and those that share reads with it, each with its groups; one row without a group for an
# agency that has no sensors. Sensors of the Motor Carrier Safety system are another data set (II.H), which no
# agreement reaches.
_GROUPS = """
    WITH agency AS (
        SELECT $1::text AS agency_ori
        UNION
        SELECT provider_ori FROM audit.agreement
        WHERE recipient_ori = $1 AND state = 'ACCEPTED' AND start_time <= $2 AND $2 < end_time
          AND 'READS' = ANY (data_classes) AND $3 = 'GENERAL'
    ), sensor_group AS (
        SELECT sensor.agency_ori, sensor.sensor_group, bool_or(sensor.provenance = 'COMMERCIAL') AS commercial
        FROM audit.sensor AS sensor JOIN agency USING (agency_ori)
        WHERE sensor.partition = $3
        GROUP BY sensor.agency_ori, sensor.sensor_group
    )
    SELECT agency_ori, coalesce(sensor_group, '') AS name, coalesce(commercial, false) AS commercial,
           coalesce(offence_codes, '{}') AS offence_codes
    FROM agency
    LEFT JOIN sensor_group USING (agency_ori)
    LEFT JOIN audit.group_limit USING (agency_ori, sensor_group)
    ORDER BY agency_ori, name
"""
# When an agreement begins or ends by itself.
_NEXT = """
    SELECT min(moment) FROM audit.agreement, unnest(ARRAY[start_time, end_time]) AS moment
    WHERE recipient_ori = $1 AND state = 'ACCEPTED' AND moment > $2
"""
_LIMITS = """
    SELECT agency_ori, sensor_group, offence_codes FROM audit.group_limit
    WHERE agency_ori = $1 AND sensor_group > $2 ORDER BY sensor_group LIMIT $3
"""
_CLAIM = "INSERT INTO audit.change (intent_id) VALUES ($1::uuid) ON CONFLICT DO NOTHING RETURNING true"
_HAS_GROUP = "SELECT EXISTS (SELECT FROM audit.sensor WHERE agency_ori = $1 AND sensor_group = $2)"
_CLEAR = "DELETE FROM audit.group_limit WHERE agency_ori = $1 AND sensor_group = $2"
_SET = """
    INSERT INTO audit.group_limit (agency_ori, sensor_group, offence_codes, intent_id)
    VALUES ($1, $2, $3, $4::uuid)
    ON CONFLICT (agency_ori, sensor_group)
    DO UPDATE SET offence_codes = excluded.offence_codes, intent_id = excluded.intent_id
"""


class ScopeStore(Reader):
    """Sensor groups as questions see them."""

    async def groups(
        self, agency_ori: str, moment: datetime, *, motor_carrier: bool = False
    ) -> Found[tuple[Group, ...]]:
        """The groups of the agency and of all that share their reads with it at `moment`.

        Those of its Motor Carrier Safety sensors alone with `motor_carrier`.
        """
        partition = "MOTOR_CARRIER" if motor_carrier else "GENERAL"
        rows = await self._fetch(_GROUPS, agency_ori, moment, partition)
        groups = tuple(
            Group(row["agency_ori"], row["name"], row["commercial"], frozenset(row["offence_codes"]))
            for row in rows
        )
        return Found(groups, await self._fetchval(_NEXT, agency_ori, moment))

    async def limits(self, agency_ori: str, after: str, limit: int) -> list[GroupLimit]:
        """Up to `limit` limits of the agency whose group comes after `after`."""
        rows = await self._fetch(_LIMITS, agency_ori, after, limit)
        return [
            GroupLimit(row["agency_ori"], row["sensor_group"], tuple(row["offence_codes"])) for row in rows
        ]

    async def set_limit(self, intent_id: str, limit: GroupLimit) -> None:
        """Puts the limit in the place of the one before; without codes there is none any more.

        Raises:
            UnknownSensorGroupError: The agency has no sensor of that group.
        """
        named = limit.agency_ori, limit.sensor_group
        async with transaction(self._pool) as connection:
            if not await connection.fetchval(_HAS_GROUP, *named):
                raise UnknownSensorGroupError("no sensor of the agency is of that group")
            if not await connection.fetchval(_CLAIM, intent_id):
                return
            if limit.offence_codes:
                await connection.execute(_SET, *named, list(limit.offence_codes), intent_id)
            else:
                await connection.execute(_CLEAR, *named)
