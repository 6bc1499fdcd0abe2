"""Gauges of alerts that wait, as the database has them."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from prometheus_client import REGISTRY

from alpr.type.v1 import notice_pb2
from services.alerts.measures import AlertMeasures
from services.common.pg import open_pool
from tests.support.alerts_rig import hit_message, settings_for, start_rig
from tests.support.dispatch_rig import Caller

VERIFYING = notice_pb2.VERIFICATION_STATE_VERIFYING
CONFIRMED = notice_pb2.VERIFICATION_STATE_CONFIRMED


@pytest_asyncio.fixture
async def measures(database) -> AsyncIterator[AlertMeasures]:
    pool = await open_pool(database.url("alerts_app"), application_name="test", max_size=2)
    yield AlertMeasures(pool)
    await pool.close()


def gauges(name: str) -> tuple[float | None, ...]:
    return tuple(
        REGISTRY.get_sample_value(f"platewarden_alerts_{name}", {"kind": kind})
        for kind in ("not_acknowledged", "not_verified")
    )


@pytest.mark.clause("IV.D.3", "III.D.4")
async def test_what_waits_is_counted_until_the_centre_or_anybody_does_it(
    database, audit, tls, folder, measures
):
    rig = await start_rig(settings_for(folder, tls, database, audit.port), tls)
    centre, officer = Caller(rig, "dispatch"), Caller(rig, "officer")
    try:
        await measures.take()
        before = gauges("waiting")
        seen, decided, _ = await rig.raise_hits(hit_message(), hit_message(), hit_message())
        await measures.take()
        raised, ages = gauges("waiting"), gauges("waiting_age_seconds")

        await officer.acknowledge(decided)  # an officer of the road is not the centre
        await centre.acknowledge(seen)
        await centre.verify(decided, VERIFYING)
        await centre.verify(decided, CONFIRMED, "LEADS")
        await measures.take()
    finally:
        await rig.stop()

    assert before == (0, 0)
    assert raised == (3, 3)
    assert all(age is not None and 0 < age < 60 for age in ages)
    # The centre acknowledged one and worked on another; verified is one.
    assert gauges("waiting") == (1, 2)


@pytest.mark.clause("IV.D.3")
async def test_what_escalated_is_counted_until_somebody_answers(database, audit, tls, folder, measures):
    rig = await start_rig(settings_for(folder, tls, database, audit.port, acknowledge_seconds=1), tls)
    centre = Caller(rig, "dispatch")
    stream = centre.escalations()
    try:
        await stream.live()
        await measures.take()
        (before, _) = gauges("escalated_open")
        (alert_id,) = await rig.raise_hits(hit_message())
        await stream.until(1)
        await measures.take()
        (late, _) = gauges("escalated_open")

        await centre.acknowledge(alert_id)
        await measures.take()
        await stream.close()
    finally:
        await rig.stop()

    assert before is not None
    assert late == before + 1
    assert gauges("escalated_open")[0] == before


async def test_the_age_of_what_audit_has_not_heard_is_a_gauge(database, audit, tls, folder, measures):
    rig = await start_rig(settings_for(folder, tls, database, audit.port), tls)
    try:
        await audit.stop()
        await rig.raise_hits(hit_message())
        await measures.take()
    finally:
        await rig.stop()

    age = REGISTRY.get_sample_value("platewarden_alerts_outbox_age_seconds")
    assert age is not None
    assert 0 < age < 60
