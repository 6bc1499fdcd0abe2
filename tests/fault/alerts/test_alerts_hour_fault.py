"""Audit is away for an hour; here an hour is 12 seconds, and a centre's grace is as much shorter."""

import asyncio
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from alpr.alerts.v1 import alert_service_pb2 as pb
from services.alerts.errors import EntitlementEndedError
from services.common.client import bearer
from services.common.errors import AuditUnavailableError
from tests.support.alerts_process import goes_on
from tests.support.alerts_rig import (
    Subscriber,
    eventually,
    hit_message,
    kind,
    reason,
    refused,
    settings_for,
    start_rig,
)
from tests.support.databases import fetch

HOUR = 12.0
LEASE = timedelta(seconds=2)
GRACE = HOUR / 2
TAIL_SECONDS = 60
UNPROVEN = "SELECT count(*) AS n FROM alerts.outbox, alerts.outbox_head WHERE outbox_id > recorded_through"


def ids(stream: Subscriber) -> list[str]:
    return [alert.alert_id for alert in stream.alerts]


@pytest.mark.clause("IV.A.4", "IV.D.3")
@pytest.mark.timeout(120)
async def test_an_hour_without_audit_costs_no_alert_and_nobody_acts_unrecorded(
    database, audit, tls, tmp_path: Path
) -> None:
    audit.neighbour.lease = LEASE
    settings = settings_for(
        tmp_path, tls, database, audit.port, telecom_grace_seconds=GRACE, audit_timeout_seconds=0.5
    )
    rig = await start_rig(settings, tls)
    officer, dispatch = await rig.subscribe("officer").live(), await rig.subscribe("dispatch").live()

    await audit.stop()
    began = asyncio.get_running_loop().time()
    first = await rig.raise_hits(hit_message(), hit_message())
    await dispatch.until(lambda s: ids(s) == first)
    personal = await officer.ended(HOUR / 2)
    async with refused() as caught:
        request = pb.AcknowledgeAlertRequest(request_id=str(uuid4()), alert_id=first[0])
        await rig.person.AcknowledgeAlert(request, metadata=(bearer("officer"),), timeout=10)
    centre = await dispatch.ended(HOUR)
    lasted = asyncio.get_running_loop().time() - began
    await asyncio.sleep(max(0.0, HOUR - lasted))
    missed = await rig.raise_hits(hit_message())

    assert reason(personal) == reason(centre) == kind(EntitlementEndedError)
    assert reason(caught[0]) == kind(AuditUnavailableError)
    assert lasted >= GRACE
    await audit.start()
    back = await goes_on(rig, "dispatch", dispatch.token)
    await back.until(lambda s: ids(s) == missed, TAIL_SECONDS)
    await emptied(database.admin_url)
    actions = [event.action for event in audit.neighbour.events if event.action.startswith(("hit", "alerts"))]
    assert actions == [
        "hit.raised",
        "hit.raised",
        "alerts.delivery_unproven",
        "alerts.delivery_unproven_over",
        "hit.raised",
    ]
    assert audit.neighbour.intents == []
    assert await fetch(database.admin_url, "SELECT 1 FROM alerts.alert_step") == []
    await back.close()
    await rig.stop()


async def emptied(url: str) -> None:
    """Returns when the log has heard everything; it is tried again after at most ten seconds."""
    async with asyncio.timeout(TAIL_SECONDS):
        while (await fetch(url, UNPROVEN))[0]["n"]:  # noqa: ASYNC110 - the database sends no event
            await asyncio.sleep(0.1)


@pytest.mark.timeout(60)
async def test_alerts_begins_work_while_audit_is_away(database, audit, tls, tmp_path: Path) -> None:
    settings = settings_for(tmp_path, tls, database, audit.port, audit_timeout_seconds=0.5)
    await audit.stop()

    rig = await start_rig(settings, tls)
    raised = await rig.raise_hits(hit_message())
    await audit.start()
    await eventually(lambda: [event.resource for event in audit.neighbour.events] == raised, TAIL_SECONDS)

    await rig.stop()
