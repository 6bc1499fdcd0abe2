"""Sensors, and the revisions that watchers follow. One method is one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import asyncpg

from services.audit.core.placement import Place, Placement
from services.audit.core.registry import (
    Approval,
    DeploymentStatus,
    DeploymentType,
    Partition,
    Provenance,
    Sensor,
    SensorAct,
)
from services.audit.core.sensor_certificate import SensorCertificate
from services.audit.errors import SensorExistsError
from services.audit.store_reader import AnyConnection, Reader
from services.common.pg import transaction

_SENSOR = """
    SELECT sensor_id, agency_ori, sensor_group, deployment_type, latitude, longitude, description, provenance,
           status, approved_from, approved_until, revision, partition, unit, vehicle,
           ARRAY(SELECT (placement_id::text, latitude, longitude, description, start_time, end_time)
                 FROM audit.placement AS stood WHERE stood.sensor_id = sensor.sensor_id
                 ORDER BY start_time DESC LIMIT 100) AS placements,
           ARRAY(SELECT (certificate_id::text, sensor_id, sha256, key_sha256, ''::text, start_time, end_time,
                         revoke_time)
                 FROM audit.sensor_certificate AS held
                 WHERE held.sensor_id = sensor.sensor_id AND end_time > clock_timestamp()
                 ORDER BY revoke_time IS NOT NULL, end_time DESC LIMIT 10) AS certificates
    FROM audit.sensor AS sensor
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
         status, revision, intent_id, partition, unit, vehicle)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'REGISTERED', $9, $10::uuid, $11, $12, $13)
"""
_DECIDE = """
    UPDATE audit.sensor SET status = $2, approved_from = $3, approved_until = $4, revision = $5
    WHERE sensor_id = $1
"""
# A portable sensor is registered with the place at which it begins.
_FIRST_PLACEMENT = """
    INSERT INTO audit.placement
        (placement_id, sensor_id, latitude, longitude, description, start_time, end_time, intent_id)
    SELECT $2::uuid, sensor_id, latitude, longitude, description, $3, $4, $2::uuid FROM audit.sensor AS sensor
    WHERE sensor_id = $1 AND deployment_type = 'PORTABLE'
      AND NOT EXISTS (SELECT FROM audit.placement AS stood WHERE stood.sensor_id = sensor.sensor_id)
"""
_TOUCH = "UPDATE audit.sensor SET revision = $2 WHERE sensor_id = $1"
_NOTE = """
    INSERT INTO audit.sensor_act (intent_id, sensor_id, action, account_id, act_time)
    VALUES ($1::uuid, $2, $3, $4::uuid, $5)
"""
_ACTS = """
    SELECT intent_id::text, action, account_id::text, act_time FROM audit.sensor_act
    WHERE sensor_id = $1 ORDER BY act_time DESC, intent_id LIMIT 500
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

    async def acts(self, sensor_id: str) -> list[SensorAct]:
        """What was done about the sensor, newest first, at most 500."""
        return [SensorAct(*row.values()) for row in await self._fetch(_ACTS, sensor_id)]

    async def register(self, act: SensorAct, sensor: Sensor) -> None:
        """Registers the sensor, not yet approved.

        Raises:
            SensorExistsError: The id is taken.
        """
        place = (sensor.place.latitude, sensor.place.longitude, sensor.place.description)
        named = (sensor.sensor_id, sensor.agency_ori, sensor.sensor_group, sensor.deployment_type.value)
        belongs = (sensor.partition.value, sensor.unit, sensor.vehicle)
        async with transaction(self._pool) as connection:
            revision = await claimed(connection, act)
            if revision is None:
                return
            try:
                await connection.execute(
                    _INSERT, *named, *place, sensor.provenance.value, revision, act.intent_id, *belongs
                )
            except asyncpg.UniqueViolationError:
                raise SensorExistsError("this sensor id is taken", resource=sensor.sensor_id) from None
            await note(connection, act, sensor.sensor_id)

    async def decide(self, act: SensorAct, sensor_id: str, approval: Approval) -> None:
        """Approves or suspends the sensor's deployment."""
        period = (approval.approved_from, approval.approved_until)
        async with transaction(self._pool) as connection:
            revision = await claimed(connection, act)
            if revision is None:
                return
            await connection.execute(_DECIDE, sensor_id, approval.status.value, *period, revision)
            if approval.status is DeploymentStatus.APPROVED:
                await connection.execute(_FIRST_PLACEMENT, sensor_id, act.intent_id, *period)
            await note(connection, act, sensor_id)


async def claimed(connection: AnyConnection, act: SensorAct) -> int | None:
    """The revision of the change that this transaction makes by `act`; None when it was made already.

    From here to the end of the transaction no other one changes any sensor.
    """
    if not await connection.fetchval(_CLAIM, act.intent_id):
        return None
    revision: int = await connection.fetchval(_NEXT_REVISION)
    return revision


async def note(
    connection: AnyConnection, act: SensorAct, sensor_id: str, revision: int | None = None
) -> None:
    """Writes the act into the sensor's history, and with `revision` tells watchers of the sensor."""
    if revision is not None:
        await connection.execute(_TOUCH, sensor_id, revision)
    await connection.execute(_NOTE, act.intent_id, sensor_id, act.action, act.account_id, act.act_time)


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
        vehicle=row["vehicle"],
        placements=tuple(placement(one) for one in reversed(row["placements"])),
        certificates=tuple(SensorCertificate(*one) for one in row["certificates"]),
    )


def placement(row: Sequence[Any]) -> Placement:
    """The placement of a row: id, place, start and end."""
    placement_id, latitude, longitude, description, start_time, end_time = row
    return Placement(placement_id, Place(latitude, longitude, description), start_time, end_time)
