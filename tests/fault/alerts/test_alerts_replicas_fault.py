"""Two replicas over one database, one of them cut off from it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import pytest
from pydantic import SecretStr

from services.common.errors import StorageUnavailableError
from services.dev.pki import DevelopmentAuthority
from tests.support.alerts_process import follow, raise_until_stored
from tests.support.alerts_rig import (
    AlertsRig,
    AuditHost,
    Subscriber,
    eventually,
    hit_message,
    is_without_database,
    kind,
    reason,
    refused,
    settings_for,
    start_rig,
)
from tests.support.cutting_proxy import CuttingProxy, cutting_proxy
from tests.support.databases import MigratedDatabase, fetch

# Waits of up to a minute follow one another: for what must come, not for how soon.
pytestmark = pytest.mark.timeout(400)


def through(proxy: CuttingProxy, url: str) -> SecretStr:
    parts = urlsplit(url)
    login = parts.netloc.rpartition("@")[0]
    return SecretStr(urlunsplit(parts._replace(netloc=f"{login}@{proxy.target}")))


def ids(stream: Subscriber) -> list[str]:
    return [alert.alert_id for alert in stream.alerts]


@asynccontextmanager
async def two_replicas(
    database: MigratedDatabase, audit: AuditHost, tls: DevelopmentAuthority, folder: Path
) -> AsyncIterator[tuple[AlertsRig, AlertsRig, CuttingProxy]]:
    """One whose way to the database can be cut, another, and the way."""
    port = urlsplit(database.admin_url).port
    assert port is not None
    async with cutting_proxy(port) as proxy:
        settings = settings_for(folder, tls, database, audit.port, heartbeat_seconds=0.3)
        url = through(proxy, settings.database_url.get_secret_value())
        here = await start_rig(settings.model_copy(update={"database_url": url}), tls)
        there = await start_rig(settings, tls)
        yield here, there, proxy
        for rig in (here, there):
            await rig.stop()


@pytest.mark.clause("IV.D.3")
async def test_who_followed_the_replica_that_is_cut_off_goes_on_at_the_other_and_misses_nothing(
    database, audit, tls, tmp_path: Path
) -> None:
    async with two_replicas(database, audit, tls, tmp_path) as (here, there, proxy):
        follower, other = await here.subscribe("officer").live(), await there.subscribe("colleague").live()
        raised = await stored(here, 1)
        await follower.until(lambda s: ids(s) == raised)

        proxy.shut()
        missed = await stored(there, 2)
        await other.until(lambda s: ids(s) == raised + missed)
        error = await follower.ended(90)
        resumed = there.subscribe("officer", resume_token=follower.token)
        await resumed.until(lambda s: ids(s) == missed)

        assert reason(error) == kind(StorageUnavailableError)
        assert ids(follower) == raised
        proxy.is_shut = False
        back = await raise_until_stored(here.matcher, hit_message())
        await resumed.until(lambda s: ids(s) == [*missed, back])
        for stream in (other, resumed):
            await stream.close()


@pytest.mark.clause("IV.D.3")
async def test_a_way_to_the_database_that_went_silent_is_given_up_and_nothing_is_missed(
    database, audit, tls, tmp_path: Path
) -> None:
    async with two_replicas(database, audit, tls, tmp_path) as (here, there, proxy):
        got: list[str] = []
        following = asyncio.create_task(follow(here.person, got))
        first = await raise_until(here, got)

        proxy.silence()
        missed = await stored(there, 2)
        await eventually(lambda: set(missed) <= set(got), 120)

        firsts = list(dict.fromkeys(got))
        assert firsts == [*first, *missed]
        following.cancel()


async def stored(rig: AlertsRig, count: int) -> list[str]:
    """Ids of so many alerts, one after another, sent as the matcher does."""
    return [await raise_until_stored(rig.matcher, hit_message()) for _ in range(count)]


async def raise_until(rig: AlertsRig, got: list[str]) -> list[str]:
    """Alerts that were raised until somebody who begins to listen got one; those that came."""
    while not got:
        await stored(rig, 1)
        await asyncio.sleep(0.2)
    return list(got)


async def test_a_replica_that_is_cut_off_tells_nobody_that_nothing_is_new_and_stores_nothing(
    database, audit, tls, tmp_path: Path
) -> None:
    async with two_replicas(database, audit, tls, tmp_path) as (here, _, proxy):
        stream = await here.subscribe("officer").live()

        proxy.shut()
        async with refused() as caught:
            await here.raise_hits(hit_message())
        beats = len(stream.messages)
        async with refused():
            await here.raise_hits(hit_message())

        assert is_without_database(caught[0])
        assert len(stream.messages) == beats
        assert await fetch(database.admin_url, "SELECT 1 FROM alerts.hit") == []
        await stream.close()
