"""Sensors, and the revisions that watchers follow. One method is one transaction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import asyncpg

from services.audit.core.registry import (
    Approval,
    DeploymentStatus,
    DeploymentType,
    Partition,
    Place,
    Provenance,
    Sensor,
)
from services.audit.errors import SensorExistsError
from services.audit.store_reader import Reader
from services.common.pg import transaction

_SENSOR = """
    SELECT sensor_id, agency_ori, sensor_group, deployment_type, latitude, longitude, description, provenance,
           status, approved_from, approved_until, revision, partition, unit
    FROM audit.sensor
"""
_BY_ID = _SENSOR + "WHERE sensor_id = $1"
_PAGE = _SENSOR + "WHERE agency_ori = $1 AND sensor_id > $2 ORDER BY sensor_id LIMIT $3"
_SINCE = _SENSOR + "WHERE revision > $1 AND revision <= $2 ORDER BY revision"
_REVISIONS = (
    "SELECT account_revision, sensor_revision, agreement_revision, setting_revision FROM audit.registry_head"
)
_CLAIM = "INSERT INTO audit.change (intent_id) VALUES ($1::uuid) ON CONFLICT DO NOTHING RETURNING true"
# The row lock makes revision order equal commit order: a watcher never passes over one that commits late.
_NEXT_REVISION = (
    "UPDATE audit.registry_head SET sensor_revision = sensor_revision + 1 RETURNING sensor_revision"
)
_INSERT = """
    INSERT INTO audit.sensor
        (sensor_id, agency_ori, sensor_group, deployment_type, latitude, longitude, description, provenance,
         status, revision, intent_id, partition, unit)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'REGISTERED', $9, $10::uuid, $11, $12)
"""
_DECIDE = """
    UPDATE audit.sensor SET status = $2, approved_from = $3, approved_until = $4, revision = $5
    WHERE sensor_id = $1
"""


@dataclass(frozen=True, slots=True)
class Revisions:
    """How often accounts, sensors, agreements and settings have changed."""

    accounts: int
    sensors: int
    agreements: int
    settings: int


class SensorStore(Reader):
    """Sensors and where and when they may stand."""

    async def by_id(self, sensor_id: str) -> Sensor | None:
        """The sensor, or None."""
        row = await self._fetchrow(_BY_ID, sensor_id)
        return _sensor(row) if row else None

    async def page(self, agency_ori: str, after: str, limit: int) -> list[Sensor]:
        """Up to `limit` sensors of the agency whose id comes after `after`, in that order."""
        return [_sensor(row) for row in await self._fetch(_PAGE, agency_ori, after, limit)]

    async def since(self, revision: int, until: int) -> list[Sensor]:
        """The sensors whose last change lies after `revision` and not after `until`."""
        return [_sensor(row) for row in await self._fetch(_SINCE, revision, until)]

    async def revisions(self) -> Revisions:
        """The revisions as committed now."""
        row = (await self._fetch(_REVISIONS))[0]
        return Revisions(*row.values())

    async def register(self, intent_id: str, sensor: Sensor) -> None:
        """Registers the sensor, not yet approved.

        Raises:
            SensorExistsError: The id is taken.
        """
        place = (sensor.place.latitude, sensor.place.longitude, sensor.place.description)
        named = (sensor.sensor_id, sensor.agency_ori, sensor.sensor_group, sensor.deployment_type.value)
        belongs = (sensor.partition.value, sensor.unit)
        async with transaction(self._pool) as connection:
            if not await connection.fetchval(_CLAIM, intent_id):
                return
            revision = await connection.fetchval(_NEXT_REVISION)
            try:
                await connection.execute(
                    _INSERT, *named, *place, sensor.provenance.value, revision, intent_id, *belongs
                )
            except asyncpg.UniqueViolationError:
                raise SensorExistsError("this sensor id is taken", resource=sensor.sensor_id) from None

    async def decide(self, intent_id: str, sensor_id: str, approval: Approval) -> None:
        """Approves or suspends the sensor's deployment."""
        decided = (approval.status.value, approval.approved_from, approval.approved_until)
        async with transaction(self._pool) as connection:
            if await connection.fetchval(_CLAIM, intent_id):
                revision = await connection.fetchval(_NEXT_REVISION)
                await connection.execute(_DECIDE, sensor_id, *decided, revision)


def _sensor(row: Any) -> Sensor:
    return Sensor(
        sensor_id=row["sensor_id"],
        agency_ori=row["agency_ori"],
        sensor_group=row["sensor_group"],
        deployment_type=DeploymentType(row["deployment_type"]),
        place=Place(row["latitude"], row["longitude"], row["description"]),
        provenance=Provenance(row["provenance"]),
        status=DeploymentStatus(row["status"]),
        approved_from=row["approved_from"],
        approved_until=row["approved_until"],
        partition=Partition(row["partition"]),
        unit=row["unit"],
    )
