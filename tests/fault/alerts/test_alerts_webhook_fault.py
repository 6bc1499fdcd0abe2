"""Webhooks when things break: two replicas, one killed at any moment, a database or audit away, a restore."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from alpr.alerts.v1 import webhook_service_pb2 as pb
from services.alerts.config import AlertsSettings
from services.common.database import admin_connection
from services.dev.pki import DevelopmentAuthority
from tests.support.alerts_rig import (
    AlertsRig,
    AuditHost,
    AuditNeighbour,
    eventually,
    hit_message,
    start_rig,
)
from tests.support.databases import MigratedDatabase
from tests.support.webhook_receiver import Receiver, receiving
from tests.support.webhook_rig import Keeper, Post, posting, webhook_settings


@pytest_asyncio.fixture(loop_scope="session")
async def database(migrated_database) -> AsyncIterator[MigratedDatabase]:
    made = await migrated_database("alerts")
    yield made
    await made.drop()


@pytest_asyncio.fixture(loop_scope="session")
async def audit(tls: DevelopmentAuthority) -> AsyncIterator[AuditHost]:
    host = AuditHost(AuditNeighbour(), tls)
    await host.start()
    yield host
    await host.stop()


@pytest_asyncio.fixture(loop_scope="session")
async def receiver(tls) -> AsyncIterator[Receiver]:
    async with receiving(tls) as made:
        yield made


@pytest.fixture
def settings(database, audit, tls, tmp_path) -> AlertsSettings:
    return webhook_settings(tmp_path, tls, database, audit.port)


@pytest_asyncio.fixture(loop_scope="session")
async def post(settings, audit, tls, receiver) -> AsyncIterator[Post]:
    async with posting(await start_rig(settings, tls), audit, receiver) as made:
        yield made


def environment_of(settings: AlertsSettings) -> dict[str, str]:
    """The settings as a process of its own is given them."""
    named = {
        f"PW_{name.upper()}": str(getattr(settings, name))
        for name in AlertsSettings.model_fields
        if name not in {"database_url", "listen", "user_listen"} and getattr(settings, name) not in {None, ""}
    }
    return {
        **os.environ,
        **named,
        "PW_DATABASE_URL": settings.database_url.get_secret_value(),
        "PW_LISTEN": "127.0.0.1:0",
        "PW_USER_LISTEN": "127.0.0.1:0",
    }


class Process:
    """A replica in a process of its own, which can be killed as by power loss."""

    def __init__(self, settings: AlertsSettings) -> None:
        self._settings = settings
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "services.alerts",
            env=environment_of(self._settings),
            cwd=Path(__file__).parents[3],
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )

    async def kill(self) -> None:
        """SIGKILL: nothing is said, nothing is given back."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                self._process.send_signal(signal.SIGKILL)
            await self._process.wait()


def plates_of(receiver: Receiver) -> list[str]:
    """The plates in the order in which they came first."""
    return list(dict.fromkeys(got.plate for got in receiver.taken))


async def raise_all(rig: AlertsRig, plates: list[str]) -> None:
    for plate in plates:
        await rig.raise_hits(hit_message(plate=plate))


@pytest.mark.clause("IV.D.3")
async def test_of_two_replicas_one_posts_and_each_alert_comes_once(post: Post, settings, tls) -> None:
    second = await start_rig(settings, tls)
    await post.hooked()
    plates = [f"TWO{number:03d}" for number in range(30)]

    await asyncio.gather(raise_all(post.rig, plates[:15]), raise_all(second, plates[15:]))
    await post.receiver.until(lambda r: len(r.taken) >= 30)
    await asyncio.sleep(1.5)
    await second.stop()

    assert len(post.receiver.taken) == 30
    assert [int(got.event["sequence"]) for got in post.receiver.taken] == list(range(1, 31))


async def test_the_other_replica_takes_over_at_once_from_one_that_stops_in_order(
    post: Post, settings, tls
) -> None:
    await post.hooked()
    await raise_all(post.rig, ["FIRST1"])
    await post.receiver.until(lambda r: r.taken)
    second = await start_rig(settings, tls)

    await post.rig.stop()
    await raise_all(second, ["SECOND1"])
    await post.receiver.until(lambda r: len(plates_of(r)) == 2)
    await second.stop()

    assert plates_of(post.receiver) == ["FIRST1", "SECOND1"]


@pytest.mark.clause("IV.D.3")
@pytest.mark.timeout(180)
async def test_replicas_that_are_killed_while_they_post_lose_nothing_and_keep_the_order(
    post: Post, settings, tls, database
) -> None:
    await post.hooked()
    post.receiver.delay = 0.03
    post.receiver.answers.extend([503])
    plates = [f"KILL{number:03d}" for number in range(30)]
    async with held_elsewhere(database):
        await raise_all(post.rig, plates)
        await post.rig.stop()

    for _ in range(3):
        victim = Process(settings)
        await victim.start()
        before = len(post.receiver.taken)
        await post.receiver.until(lambda r, before=before: len(r.taken) >= before + 7)
        await victim.kill()
    last = await start_rig(settings, tls)
    await post.receiver.until(lambda r: len(plates_of(r)) == 30)
    hook = await delivered(Keeper(last), 30)
    await last.stop()

    assert plates_of(post.receiver) == plates
    # Again only what was under way at one of the three kills, and under its own id.
    assert len(post.receiver.taken) <= 33
    assert len({got.event_id for got in post.receiver.taken}) == 30
    assert hook.health.dead_letters == 0


@asynccontextmanager
async def held_elsewhere(database: MigratedDatabase) -> AsyncIterator[None]:
    """Another replica, alive and silent, holds every webhook meanwhile."""
    async with admin_connection(database.admin_url) as admin:
        await admin.execute(
            "UPDATE alerts.webhook_cursor SET holder = gen_random_uuid(), held_until = 'infinity'"
        )
        yield
        await admin.execute("UPDATE alerts.webhook_cursor SET held_until = '-infinity'")


async def delivered(keeper: Keeper, number: int) -> pb.Webhook:
    """The webhook, when so many messages are noted as taken."""
    async with asyncio.timeout(60):
        while True:
            (hook,) = await keeper.list()
            if hook.health.delivered == number:
                return hook
            await asyncio.sleep(0.1)


async def test_a_replica_that_lost_its_hold_posts_no_more(post: Post, database) -> None:
    await post.hooked()
    await raise_all(post.rig, ["BEFORE1"])
    await post.receiver.until(lambda r: r.taken)
    # Noted too: otherwise it is this note that finds the hold lost, and the message comes again.
    await delivered(post.centre, 1)

    async with held_elsewhere(database):
        await raise_all(post.rig, ["AFTER01"])
        await asyncio.sleep(2)
        meanwhile = plates_of(post.receiver)
    await post.receiver.until(lambda r: len(r.taken) == 2)

    assert meanwhile == ["BEFORE1"]
    assert plates_of(post.receiver) == ["BEFORE1", "AFTER01"]


@pytest.mark.clause("IV.D.3", "IV.A.4")
async def test_a_centres_webhook_goes_on_without_audit_and_the_log_hears_of_it_afterwards(
    post: Post, audit: AuditHost
) -> None:
    audit.neighbour.lease = timedelta(seconds=1.5)
    await post.hooked()
    await raise_all(post.rig, ["BEFORE1"])
    await post.receiver.until(lambda r: r.taken)

    await audit.stop()
    await asyncio.sleep(2)
    await raise_all(post.rig, ["AMBER01"])
    await post.receiver.until(lambda r: len(r.taken) == 2)
    await audit.start()
    await eventually(lambda: [e for e in audit.neighbour.events if e.action == "alerts.delivery_unproven"])
    await eventually(lambda: len(posted(audit)) == 2)

    assert plates_of(post.receiver) == ["BEFORE1", "AMBER01"]


async def test_without_audit_a_service_that_starts_posts_nothing_until_audit_is_back(
    post: Post, audit: AuditHost, settings, tls
) -> None:
    await post.hooked()
    await post.rig.stop()
    await audit.stop()
    second = await start_rig(settings, tls)
    await raise_all(second, ["WAITS01"])
    await asyncio.sleep(2)
    meanwhile = len(post.receiver.got)
    await audit.start()
    await post.receiver.until(lambda r: r.taken)
    await second.stop()

    assert meanwhile == 0
    assert plates_of(post.receiver) == ["WAITS01"]


async def test_connections_of_the_database_that_break_lose_nothing(post: Post, database) -> None:
    await post.hooked()
    plates = [f"BREAK{number:02d}" for number in range(12)]
    for number, plate in enumerate(plates):
        await raise_all(post.rig, [plate])
        if number % 4 == 1:
            async with admin_connection(database.admin_url) as admin:
                await admin.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'alerts_app'"
                )
            await asyncio.sleep(0.3)
    await post.receiver.until(lambda r: len(plates_of(r)) == 12)

    assert plates_of(post.receiver) == plates


async def test_after_a_restore_what_may_be_missing_is_posted_again(post: Post, database) -> None:
    await post.hooked()
    await raise_all(post.rig, ["EARLY01"])
    await post.receiver.until(lambda r: r.taken)
    await asyncio.sleep(0.5)

    async with admin_connection(database.admin_url) as admin:
        await admin.execute("SET ROLE alerts_owner")
        await admin.execute("SELECT alerts.begin_epoch(now() - interval '1 hour')")
    await raise_all(post.rig, ["LATER01"])
    await post.receiver.until(lambda r: "LATER01" in plates_of(r))

    assert [got.plate for got in post.receiver.taken] == ["EARLY01", "EARLY01", "LATER01"]
    assert len({got.event_id for got in post.receiver.taken}) == 3


def posted(audit: AuditHost) -> list[Any]:
    return [event for event in audit.neighbour.events if event.action == "webhook.delivered"]
