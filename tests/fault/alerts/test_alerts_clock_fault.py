"""A clock that jumps, forward and back, while alerts are raised and followed."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from services.alerts.errors import EntitlementEndedError
from tests.support.alerts_rig import hit_message, kind, reason, settings_for, start_rig
from tests.support.databases import fetch

JUMPS = (timedelta(hours=2), timedelta(hours=-3), timedelta(days=1), timedelta())


class JumpingClock:
    """The machine's clock, off by what the test says."""

    def __init__(self) -> None:
        self.off = timedelta()

    def now(self) -> datetime:
        return datetime.now(UTC) + self.off


@pytest.mark.clause("IV.D.3")
async def test_whatever_the_clock_says_alerts_come_once_and_in_order(
    database, audit, tls, tmp_path: Path
) -> None:
    clock = JumpingClock()
    rig = await start_rig(settings_for(tmp_path, tls, database, audit.port), tls, clock)
    audit.neighbour.lease = timedelta(seconds=1)
    stream = await rig.subscribe("officer").live()
    raised: list[str] = []

    for jump in JUMPS:
        clock.off = jump
        raised += await rig.raise_hits(hit_message(at=clock.now()), hit_message(at=clock.now()))
        await asyncio.sleep(1.5)  # longer than a lease
    await stream.until(lambda s: len(s.alerts) >= len(raised))

    assert [alert.alert_id for alert in stream.alerts] == raised
    positions = [message.position for message in stream.messages if not message.HasField("heartbeat")]
    assert positions == sorted(set(positions))
    rows = await fetch(database.admin_url, "SELECT position, alert_id FROM alerts.feed ORDER BY position")
    assert [(row["position"], str(row["alert_id"])) for row in rows] == list(enumerate(raised, 1))
    resumed = rig.subscribe("officer", resume_token=stream.messages[0].resume_token)
    await resumed.until(lambda s: [alert.alert_id for alert in s.alerts] == raised)
    for one in (stream, resumed):
        await one.close()
    await rig.stop()


@pytest.mark.clause("IV.A.4")
async def test_a_clock_that_is_set_back_makes_no_lease_longer(database, audit, tls, tmp_path: Path) -> None:
    clock = JumpingClock()
    rig = await start_rig(settings_for(tmp_path, tls, database, audit.port), tls, clock)
    audit.neighbour.lease = timedelta(seconds=2)
    stream = await rig.subscribe("officer").live()

    await audit.stop()
    clock.off = timedelta(hours=-1)

    assert reason(await stream.ended()) == kind(EntitlementEndedError)
    await stream.close()
    await rig.stop()


@pytest.mark.clause("IV.D.3")
async def test_since_gives_whatever_was_raised_from_then_on_by_a_clock_that_was_set_back(
    database, audit, tls, tmp_path: Path
) -> None:
    clock = JumpingClock()
    rig = await start_rig(settings_for(tmp_path, tls, database, audit.port), tls, clock)
    clock.off = timedelta(hours=1)
    moment = clock.now()
    first = await rig.raise_hits(hit_message(at=clock.now()))
    clock.off = timedelta()
    second = await rig.raise_hits(hit_message())

    stream = rig.subscribe("officer", since=moment - timedelta(seconds=1))

    await stream.until(lambda s: [alert.alert_id for alert in s.alerts] == first + second)
    await stream.close()
    await rig.stop()
