"""System-wide settings that alerts live by: audit's, or until it has been heard the own configuration's."""

from datetime import timedelta

import grpc

from alpr.audit.v1.settings_service_pb2_grpc import SettingsServiceStub
from services.alerts.config import AlertsSettings
from services.alerts.core.timers import Periods
from services.common.settings import SystemSettings


class LiveSettings:
    """What each setting is at the moment. A timer that is running already keeps the end that it has.

    Args:
        settings: The own configuration.
        audit: A channel to audit.
    """

    def __init__(self, settings: AlertsSettings, audit: grpc.aio.Channel) -> None:
        self._own = settings
        self._told = SystemSettings(SettingsServiceStub(audit))
        self.start, self.stop = self._told.start, self._told.stop

    def periods(self) -> Periods:
        """How long each thing may take before it escalates (III.D.4, IV.D.3)."""
        own = self._own
        return Periods(
            acknowledge=self._period("alert_acknowledge_seconds", own.acknowledge_seconds),
            verify_urgent=self._period("alert_verify_urgent_seconds", own.verify_urgent_seconds),
            verify=self._period("alert_verify_seconds", own.verify_seconds),
        )

    def telecom_grace(self) -> timedelta:
        """How long a telecommunication centre's stream goes on while audit cannot be asked."""
        return self._period("alert_telecom_grace_minutes", self._own.telecom_grace_seconds)

    def _period(self, name: str, unheard_seconds: float) -> timedelta:
        return self._told.period(name, timedelta(seconds=unheard_seconds))
