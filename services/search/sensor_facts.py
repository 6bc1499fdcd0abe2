"""What is known of sensors at one moment: the registry's word, the counts, and what is usual."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from alpr.type.v1 import sensor_pb2
from services.common.sensors import is_approved
from services.common.wire import to_datetime
from services.search.core.sensor_activity import hour_of
from services.search.core.sensor_health import HISTORY, Facts, Hour, Usual
from services.search.store_sensor_health import SensorHealthStore, SensorState

_HOUR: Final = timedelta(hours=1)
_DAY: Final = timedelta(days=1)


class FactFinder:
    """Gathers facts. What is usual is asked once an hour and sensor."""

    def __init__(self, store: SensorHealthStore) -> None:
        self._store = store
        self._usual: dict[str, Usual | None] = {}
        self._usual_at: datetime | None = None

    async def facts(self, sensors: Sequence[sensor_pb2.Sensor], now: datetime) -> list[Facts]:
        """The facts of `sensors` at `now`, in their order.

        Raises:
            StorageUnavailableError: The database did not answer.
        """
        ids = [sensor.sensor_id for sensor in sensors]
        states = await self._store.states(ids)
        # This hour, which is not over yet, and the 23 before it.
        hours = await self._store.hours(ids, hour_of(now) - _DAY + _HOUR)
        await self._learn(states, hour_of(now))
        return [
            _facts(sensor, states.get(sensor.sensor_id), hours.get(sensor.sensor_id, []), now, self._usual)
            for sensor in sensors
        ]

    async def _learn(self, states: dict[str, SensorState], this_hour: datetime) -> None:
        if self._usual_at != this_hour:
            self._usual, self._usual_at = {}, this_hour
        firsts = {
            sensor_id: state.first_hour
            for sensor_id, state in states.items()
            if state.first_hour is not None and sensor_id not in self._usual
        }
        if firsts:
            found = await self._store.usual(firsts, this_hour - HISTORY, this_hour)
            self._usual |= {sensor_id: found.get(sensor_id) for sensor_id in firsts}


def _facts(
    sensor: sensor_pb2.Sensor,
    state: SensorState | None,
    hours: Sequence[Hour],
    now: datetime,
    usual: dict[str, Usual | None],
) -> Facts:
    facts = Facts(
        sensor_id=sensor.sensor_id,
        placed=sensor.deployment_type != sensor_pb2.DEPLOYMENT_TYPE_MOBILE,
        approved_from=to_datetime(sensor.approved_from) if is_approved(sensor, now) else None,
        hours=hours,
        usual=usual.get(sensor.sensor_id),
    )
    if state is None:
        return facts
    return replace(
        facts,
        last_capture=state.last_capture,
        last_receive=state.last_receive,
        drift_metres=state.drift_metres if facts.placed else None,
        last_report=state.last_report,
        clock_offset=state.clock_offset,
        backlog_count=state.backlog_count,
        backlog_since=state.backlog_since,
        storage_used=state.storage_used,
    )
