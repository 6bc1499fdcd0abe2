"""System-wide settings beside the retention period, as audit tells them (ENF-051 IV.E.1.b)."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import structlog

from alpr.audit.v1 import settings_service_pb2 as pb
from services.common.settings_stream import SettingsStream

if TYPE_CHECKING:
    # The stubs have this name for type checkers only.
    from alpr.audit.v1.settings_service_pb2_grpc import SettingsServiceAsyncStub

log = structlog.get_logger()

_LENGTHS = {
    pb.SETTING_UNIT_DAYS: timedelta(days=1),
    pb.SETTING_UNIT_HOURS: timedelta(hours=1),
    pb.SETTING_UNIT_MINUTES: timedelta(minutes=1),
    pb.SETTING_UNIT_SECONDS: timedelta(seconds=1),
}


class SystemSettings(SettingsStream):
    """The settings as audit last told them; what was never heard is as the own configuration says.

    Args:
        stub: Of audit's SettingsService, on a channel of this service's own certificate.
    """

    def __init__(self, stub: SettingsServiceAsyncStub) -> None:
        super().__init__(stub)
        self._heard: dict[str, pb.Setting] = {}

    def value(self, name: str, unheard: int) -> int:
        """The number of the setting; `unheard` while audit has not been heard since the start."""
        one = self._heard.get(name)
        return unheard if one is None else one.value

    def period(self, name: str, unheard: timedelta) -> timedelta:
        """The setting as a length of time; `unheard` while audit has not been heard since the start."""
        one = self._heard.get(name)
        return unheard if one is None else one.value * _LENGTHS[one.unit]

    async def _take(self, message: pb.WatchSettingsResponse) -> bool:
        for one in message.settings:
            before = self._heard.get(one.name)
            self._heard[one.name] = one
            if before is not None and before.value != one.value:
                log.info("setting_heard", setting=one.name, value=one.value, revision=one.revision)
        return bool(message.settings)
