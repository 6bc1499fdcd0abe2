"""Settings that alerts follow, with the real audit: what a system administrator changes counts at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta

import pytest
import pytest_asyncio

from alpr.alerts.v1 import alert_service_pb2 as alert_pb
from alpr.audit.v1 import authorization_service_pb2 as audit_pb
from services.common.client import bearer
from services.common.wire import to_datetime
from tests.support import audit_kit
from tests.support.alerts_rig import AlertsRig, entry_message, hit_message, settings_for, start_rig
from tests.support.audit_kit import ORI, Officer, RunningAudit

MINUTES = timedelta(minutes=1)


@dataclass
class House:
    audit: RunningAudit
    alerts: AlertsRig
    officer: Officer

    async def allowed(self) -> tuple[timedelta, timedelta]:
        """How long a new alert may wait for the centre, and for its verification."""
        hit = hit_message(entry_message(agency=ORI), agency=ORI)
        alert_id = (await self.alerts.raise_hits(hit))[0]
        request = alert_pb.GetAlertRequest(request_id=audit_kit.request_id(), alert_id=alert_id)
        answer = await self.alerts.person.GetAlert(request, metadata=(bearer(self.officer.token()),))
        alert = answer.alert
        raised = to_datetime(alert.raise_time)
        return to_datetime(alert.acknowledge_by) - raised, to_datetime(alert.verify_by) - raised


@pytest_asyncio.fixture
async def house(migrated_database, tls, issuer, tmp_path) -> AsyncIterator[House]:
    database = await migrated_database("audit", "alerts")
    settings = audit_kit.settings_for(database, tls, issuer, tmp_path)
    await audit_kit.begin(settings, database, issuer)
    async with AsyncExitStack() as stack:
        audit = await stack.enter_async_context(audit_kit.running_audit(settings, database, tls, issuer))
        port = int(audit.target.rpartition(":")[2])
        rig = await start_rig(settings_for(tmp_path, tls, database, port, acknowledge_seconds=333), tls)
        stack.push_async_callback(rig.stop)
        yield House(audit, rig, await audit.person(audit_pb.ROLE_USER))


@pytest.mark.clause("IV.E.1.b", "IV.D.3", "III.D.4")
async def test_the_time_to_acknowledge_and_to_verify_is_what_an_administrator_sets(house: House) -> None:
    await _settled(house, 2 * MINUTES, (10 * MINUTES, 60 * MINUTES))
    await house.audit.set("alert_acknowledge_seconds", 60, before=120)
    await house.audit.set("alert_verify_seconds", 900, before=3600)
    await house.audit.set("alert_verify_urgent_seconds", 900 // 3, before=600)

    await _settled(house, MINUTES, (5 * MINUTES, 15 * MINUTES))


async def _settled(house: House, acknowledge: timedelta, verify: tuple[timedelta, timedelta]) -> None:
    """Returns when new alerts are allowed so long for the centre, and one of those for the verification.

    Alerts hear of each setting within seconds, one after the other.
    """
    async with asyncio.timeout(60):
        while True:
            found = await house.allowed()
            rounded = timedelta(minutes=round(found[1] / MINUTES))
            if abs(found[0] - acknowledge) < timedelta(seconds=5) and rounded in verify:
                return
            await asyncio.sleep(0.2)
