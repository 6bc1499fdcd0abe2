"""A stream lives on leases from audit, over real gRPC."""

import asyncio
from datetime import timedelta

import pytest

from services.alerts.errors import EntitlementEndedError
from services.common.errors import AuditUnavailableError, NotPermittedError
from tests.support.alerts_rig import eventually, hit_message, kind, reason, settings_for, start_rig


async def test_audits_refusal_reaches_the_person_unchanged(rig, audit) -> None:
    audit.neighbour.end("officer")

    error = await rig.subscribe("officer").ended()

    assert reason(error) == kind(NotPermittedError)
    assert error.metadata["clauses"] == "IV.A.4"


@pytest.mark.clause("IV.A.4", "III.D.1")
async def test_a_stream_ends_with_its_entitlement(rig, audit) -> None:
    stream = await rig.subscribe("officer").live()

    audit.neighbour.end("officer")

    assert reason(await stream.ended()) == kind(EntitlementEndedError)


@pytest.mark.clause("IV.A.4")
async def test_a_personal_stream_ends_with_its_lease_when_audit_is_away(rig, audit) -> None:
    audit.neighbour.lease = timedelta(seconds=1.5)
    stream = await rig.subscribe("officer").live()
    await audit.stop()

    error = await stream.ended()

    assert reason(error) == kind(EntitlementEndedError)


async def test_a_lease_is_renewed_after_audit_came_back(rig, audit) -> None:
    audit.neighbour.lease = timedelta(seconds=3)
    stream = await rig.subscribe("officer").live()
    await audit.stop()
    await asyncio.sleep(0.2)
    await audit.start()

    await asyncio.sleep(4)
    await rig.raise_hits(hit_message())
    await stream.until(lambda s: bool(s.alerts))

    await stream.close()


async def test_nobody_subscribes_while_audit_is_away(rig, audit) -> None:
    await audit.stop()

    assert reason(await rig.subscribe("officer").ended()) == kind(AuditUnavailableError)


@pytest.mark.clause("IV.D.3", "IV.A.4")
async def test_a_telecom_centre_goes_on_without_audit_and_the_log_hears_of_it(rig, audit) -> None:
    audit.neighbour.lease = timedelta(seconds=1)
    stream = await rig.subscribe("dispatch").live()
    await audit.stop()
    await asyncio.sleep(2)

    (alert_id,) = await rig.raise_hits(hit_message())
    await stream.until(lambda s: bool(s.alerts))
    assert stream.alerts[0].alert_id == alert_id

    await audit.start()
    over = "alerts.delivery_unproven_over"
    await eventually(lambda: over in [event.action for event in audit.neighbour.events])
    actions = [event.action for event in audit.neighbour.events if event.action != "hit.added"]
    assert actions == ["alerts.delivery_unproven", "hit.raised", over]
    assert audit.neighbour.events[0].resource == "account-dispatch"
    await stream.close()


@pytest.mark.clause("IV.D.3")
async def test_a_telecom_centres_stream_ends_when_the_grace_is_over(database, audit, tls, folder) -> None:
    settings = settings_for(folder, tls, database, audit.port, telecom_grace_seconds=1)
    rig = await start_rig(settings, tls)
    audit.neighbour.lease = timedelta(seconds=1)
    stream = await rig.subscribe("dispatch").live()
    await audit.stop()

    assert reason(await stream.ended()) == kind(EntitlementEndedError)

    await rig.stop()
