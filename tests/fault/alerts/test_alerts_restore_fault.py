"""The database is brought back to an older state, with and without the operator's word."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest
import pytest_asyncio

from alpr.alerts.v1 import alert_service_pb2 as pb
from services.alerts.errors import EpochChangedError
from services.common.client import bearer
from services.dev.pki import DevelopmentAuthority
from services.dev.postgres import WITHOUT_SYNC, EmbeddedPostgres
from tests.support.alerts_rig import (
    AlertsRig,
    AuditHost,
    Subscriber,
    eventually,
    hit_message,
    kind,
    reason,
    settings_for,
    start_rig,
)
from tests.support.databases import Databases, MigratedDatabase, fetch

PICTURES = (b"crop", b"overview")


def ids(stream: Subscriber) -> list[str]:
    return [alert.alert_id for alert in stream.alerts]


class House:
    """An alerts service on a database of its own that can be copied and brought back."""

    def __init__(self, folder: Path, tls: DevelopmentAuthority, audit: AuditHost) -> None:
        self.server = EmbeddedPostgres(folder / "postgres", settings=WITHOUT_SYNC)
        self._folder = folder
        self._tls = tls
        self._audit = audit
        self.rig: AlertsRig
        self.database: MigratedDatabase

    async def begin(self) -> None:
        await asyncio.to_thread(self.server.start)
        self.database = await Databases(self.server.admin_url).make("alerts")
        await self.serve()

    async def serve(self) -> None:
        settings = settings_for(self._folder, self._tls, self.database, self._audit.port)
        self.rig = await start_rig(settings, self._tls)

    async def back_up(self) -> datetime:
        """When the copy was made."""
        await self._close()
        shutil.copytree(self._folder / "postgres", self._folder / "copy", symlinks=True)
        made = datetime.now(UTC)
        await asyncio.to_thread(self.server.start)
        await self.serve()
        return made

    async def restore(self) -> None:
        """The database is as it was; the service does not run yet."""
        await self._close()
        shutil.rmtree(self._folder / "postgres")
        shutil.move(self._folder / "copy", self._folder / "postgres")
        await asyncio.to_thread(self.server.start)

    async def end(self) -> None:
        await self._close()

    async def _close(self) -> None:
        await self.rig.stop()
        await asyncio.to_thread(self.server.stop)


@pytest_asyncio.fixture(loop_scope="session")
async def house(tmp_path: Path, tls, audit) -> AsyncIterator[House]:
    made = House(tmp_path, tls, audit)
    await made.begin()
    yield made
    await made.end()


@pytest.mark.clause("IV.D.3", "IV.E.2")
@pytest.mark.timeout(120)
async def test_after_a_restore_who_followed_is_told_from_when_to_read_and_gets_what_is_raised_again(
    house: House, audit
) -> None:
    kept = await house.rig.raise_hits(hit_message(pictures=PICTURES))
    copied = await house.back_up()
    stream = await house.rig.subscribe("officer").live()
    lost_hit = hit_message(pictures=PICTURES)
    lost = await house.rig.raise_hits(lost_hit)
    await stream.until(lambda s: ids(s) == lost)
    await eventually(lambda: len(audit.neighbour.events) == 2)
    token = stream.token

    await house.restore()
    await fetch(house.database.admin_url, "SELECT alerts.begin_epoch($1)", copied)
    await house.serve()
    told = await house.rig.subscribe("officer", resume_token=token).ended()
    (again,) = await house.rig.raise_hits(lost_hit)

    assert reason(told) == kind(EpochChangedError)
    since = datetime.fromisoformat(told.metadata["resync_from"])
    assert since <= copied
    resumed = house.rig.subscribe("officer", since=since)
    await resumed.until(lambda s: ids(s)[-1:] == [again])
    request = pb.GetAlertRequest(request_id=str(uuid4()), alert_id=kept[0])
    found = await house.rig.person.GetAlert(request, metadata=(bearer("officer"),), timeout=60)
    assert (found.crop_image, found.overview_image) == PICTURES
    # What the log had heard already it is told again under the same id, and what is new under its own.
    await eventually(lambda: [event.resource for event in audit.neighbour.events] == [*kept, *lost, again])
    for one in (stream, resumed):
        await one.close()


@pytest.mark.clause("IV.D.3")
@pytest.mark.timeout(120)
async def test_a_restore_that_nobody_declared_skips_no_alert_even_when_the_feed_is_longer_than_it_was(
    house: House,
) -> None:
    began = datetime.now(UTC)
    await house.rig.raise_hits(hit_message())
    await house.back_up()
    stream = await house.rig.subscribe("officer").live()
    lost = await house.rig.raise_hits(hit_message(), hit_message())
    await stream.until(lambda s: ids(s) == lost)
    token = stream.token

    await house.restore()
    await house.serve()
    raised = await house.rig.raise_hits(*(hit_message() for _ in range(4)))
    told = await house.rig.subscribe("officer", resume_token=token).ended()

    assert reason(told) == kind(EpochChangedError)
    since = datetime.fromisoformat(told.metadata["resync_from"])
    assert since <= began
    resumed = house.rig.subscribe("officer", since=since)
    await resumed.until(lambda s: ids(s)[-4:] == raised)
    for one in (stream, resumed):
        await one.close()
