"""A thousand subscribers whose replica is killed: they come back at once, and nobody has missed anything."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import pytest

from alpr.alerts.v1 import alert_service_pb2 as pb
from services.common.client import bearer
from services.dev.pki import DevelopmentAuthority
from tests.support.alerts_process import Process, free_ports, raise_until_stored
from tests.support.alerts_rig import eventually, hit_message, settings_for, stubs
from tests.support.databases import fetch

SUBSCRIBERS = 1000
CONNECTIONS = 50
PEOPLE = ("officer", "colleague", "dispatch")


class Follower:
    """Resumes after the last message soon after its stream has ended, as all the others do."""

    def __init__(self, person: Any, token: str) -> None:
        self.got: list[str] = []
        self.streams = 0
        self._person = person
        self._token = token

    async def run(self) -> None:
        resume = ""
        while True:
            request = pb.SubscribeAlertsRequest(resume_token=resume)
            is_new = True
            try:
                async for message in self._person.SubscribeAlerts(request, metadata=(bearer(self._token),)):
                    self.streams, is_new = self.streams + is_new, False
                    resume = message.resume_token
                    if message.HasField("raised"):
                        self.got.append(message.raised.alert_id)
            except grpc.aio.AioRpcError:
                await asyncio.sleep(0.2)


@pytest.mark.clause("IV.D.3")
@pytest.mark.timeout(600)
async def test_a_thousand_subscribers_come_back_at_once_after_kill_9_and_each_gets_every_alert_in_order(
    database, audit, tls: DevelopmentAuthority, tmp_path: Path
) -> None:
    port, user_port = free_ports(2)
    listen = {"listen": f"127.0.0.1:{port}", "user_listen": f"127.0.0.1:{user_port}"}
    settings = settings_for(tmp_path, tls, database, audit.port, **listen)
    links = [stubs(tls, port, user_port) for _ in range(CONNECTIONS)]
    followers = [Follower(links[n % CONNECTIONS][1], PEOPLE[n % len(PEOPLE)]) for n in range(SUBSCRIBERS)]
    with Process(settings, tmp_path / "alerts.log") as process:
        tasks = [asyncio.create_task(follower.run()) for follower in followers]
        await everybody(lambda: all(follower.streams for follower in followers))
        before = await raise_until_stored(links[0][0], hit_message())
        await everybody(lambda: all(before in follower.got for follower in followers))

        process.kill()
        process.start()
        after = [await raise_until_stored(links[0][0], hit_message()) for _ in range(3)]
        await everybody(lambda: all(after[-1] in follower.got for follower in followers))

        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    rows = await fetch(database.admin_url, "SELECT alert_id FROM alerts.feed ORDER BY position")
    feed = [str(row["alert_id"]) for row in rows]
    for follower in followers:
        assert list(dict.fromkeys(follower.got)) == feed
        assert follower.streams > 1
    for _, _, channels in links:
        for channel in channels:
            await channel.close()


async def everybody(holds: Callable[[], bool]) -> None:
    """On a busy machine a thousand calls of Python's take their time."""
    await eventually(holds, 180)
