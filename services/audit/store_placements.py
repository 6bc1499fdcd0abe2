"""Where sensors stand. One method is one transaction, made once for each intent."""

from __future__ import annotations

from typing import Final

from services.audit.core.placement import Placement, Survey, is_free
from services.audit.core.registry import SensorAct
from services.audit.errors import PlacementNotFoundError
from services.audit.store_reader import AnyConnection, Reader
from services.audit.store_sensors import claimed, note, placement
from services.common.errors import WrongStateError
from services.common.pg import transaction

_PLACEMENTS: Final = """
    SELECT placement_id::text, latitude, longitude, description, start_time, end_time
    FROM audit.placement WHERE sensor_id = $1 ORDER BY start_time
"""
_INSERT: Final = """
    INSERT INTO audit.placement
        (placement_id, sensor_id, latitude, longitude, description, start_time, end_time, intent_id)
    VALUES ($1::uuid, $2, $3, $4, $5, $6, $7, $8::uuid)
"""
# One that has not begun is taken back: it ends as it begins.
_END: Final = """
    UPDATE audit.placement SET end_time = greatest(start_time, $3)
    WHERE sensor_id = $1 AND placement_id = $2::uuid AND (end_time IS NULL OR end_time > $3)
      AND (end_time IS NULL OR end_time > start_time)
    RETURNING true
"""
_NEWEST_END: Final = "SELECT max(end_time) FROM audit.placement WHERE sensor_id = $1"
# The database itself looks whether the vendor was under that escort.
_SURVEY: Final = "SELECT audit.record_survey($1::uuid, $2, $3, $4, $5, $6, $7, $8::uuid)"


class PlacementStore(Reader):
    """Periods of portable sensors and moves of fixed ones."""

    async def approve(self, act: SensorAct, sensor_id: str, period: Placement) -> None:
        """Adds a period.

        Raises:
            WrongStateError: It has a moment in common with another one.
        """
        async with transaction(self._pool) as connection:
            revision = await claimed(connection, act)
            if revision is None:
                return
            if not is_free(period, await _placements(connection, sensor_id)):
                text = "the sensor stands elsewhere in that period; end the other one first"
                raise WrongStateError(text, resource=sensor_id)
            where = (period.place.latitude, period.place.longitude, period.place.description)
            when = (period.start_time, period.end_time)
            await connection.execute(_INSERT, period.placement_id, sensor_id, *where, *when, act.intent_id)
            await note(connection, act, sensor_id, revision)

    async def end(self, act: SensorAct, sensor_id: str, placement_id: str) -> None:
        """Ends a period at the moment of the act.

        Raises:
            PlacementNotFoundError: The sensor has no such period.
            WrongStateError: It has ended already.
        """
        async with transaction(self._pool) as connection:
            revision = await claimed(connection, act)
            if revision is None:
                return
            known = await _placements(connection, sensor_id)
            if all(one.placement_id != placement_id for one in known):
                raise PlacementNotFoundError("the sensor has no such period", resource=placement_id)
            if not await connection.fetchval(_END, sensor_id, placement_id, act.act_time):
                raise WrongStateError("that period has ended already", resource=placement_id)
            await note(connection, act, sensor_id, revision)

    async def survey(self, act: SensorAct, sensor_id: str, survey: Survey) -> None:
        """Notes where a fixed sensor stands since the work; the former place is kept.

        Raises:
            WrongStateError: Later work on it is on record.
        """
        where = (survey.place.latitude, survey.place.longitude, survey.place.description)
        async with transaction(self._pool) as connection:
            revision = await claimed(connection, act)
            if revision is None:
                return
            newest = await connection.fetchval(_NEWEST_END, sensor_id)
            if newest is not None and survey.work_time <= newest:
                raise WrongStateError("later work on this sensor is on record", resource=sensor_id)
            done = (survey.work_time, survey.work_order, survey.escort_id)
            await connection.execute(_SURVEY, act.intent_id, sensor_id, *where, *done)
            await note(connection, act, sensor_id, revision)


async def _placements(connection: AnyConnection, sensor_id: str) -> list[Placement]:
    return [placement(tuple(row.values())) for row in await connection.fetch(_PLACEMENTS, sensor_id)]
