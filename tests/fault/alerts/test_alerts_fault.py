"""Processes that are killed, a database that goes away, a picture store that fails."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from alpr.type.v1.error_reason_pb2 import ErrorReason
from services.common.config import ConfigError
from services.dev.postgres import EmbeddedPostgres
from tests.support.alerts_process import Process, follow, free_ports, raise_until_stored
from tests.support.alerts_rig import (
    eventually,
    hit_message,
    is_without_database,
    refused,
    settings_for,
    start_rig,
    stubs,
)
from tests.support.databases import Databases, fetch


@pytest.mark.clause("IV.D.3", "IV.E.2")
@pytest.mark.timeout(300)
async def test_kill_9_loses_no_alert_and_no_position(database, audit, tls, tmp_path: Path) -> None:
    port, user_port = free_ports(2)
    settings = settings_for(
        tmp_path,
        tls,
        database,
        audit.port,
        listen=f"127.0.0.1:{port}",
        user_listen=f"127.0.0.1:{user_port}",
    )
    process = Process(settings, tmp_path / "alerts.log")
    process.start()
    matcher, person, channels = stubs(tls, port, user_port)
    got: list[str] = []
    follower = asyncio.create_task(follow(person, got))
    # Nothing is raised before somebody listens: a stream without a token begins with the next alert.
    await raise_until_stored(matcher, hit_message())
    await until_heard(matcher, got)
    stored: list[str] = []

    async def write() -> None:
        for _ in range(60):
            stored.append(await raise_until_stored(matcher, hit_message(pictures=(b"crop", b"overview"))))

    writers = asyncio.gather(*(write() for _ in range(4)))
    for _ in range(3):
        await asyncio.sleep(0.7)
        process.kill()
        process.start()
    await writers
    await eventually(lambda: set(stored) <= set(got))

    rows = await fetch(database.admin_url, "SELECT position, alert_id FROM alerts.feed ORDER BY position")
    assert [row["position"] for row in rows] == list(range(1, len(rows) + 1))
    assert len({row["alert_id"] for row in rows}) == len(rows)
    feed = [str(row["alert_id"]) for row in rows]
    firsts = list(dict.fromkeys(got))
    assert firsts == feed[feed.index(firsts[0]) :]
    assert process.stop() == 0
    follower.cancel()
    for channel in channels:
        await channel.close()


async def until_heard(matcher: Any, got: list[str]) -> None:
    while not got:
        await raise_until_stored(matcher, hit_message())
        await asyncio.sleep(0.2)


@pytest.mark.timeout(120)
async def test_the_feed_survives_a_restart_of_the_database(audit, tls, tmp_path: Path) -> None:
    server = EmbeddedPostgres(tmp_path / "postgres")
    server.start()
    databases = Databases(server.admin_url)
    database = await databases.make("alerts")
    rig = await start_rig(settings_for(tmp_path, tls, database, audit.port, heartbeat_seconds=0.3), tls)
    stream = await rig.subscribe("officer").live()

    await asyncio.to_thread(server.stop)
    async with refused() as caught:
        await rig.raise_hits(hit_message())
    beats = len(stream.messages)
    await asyncio.sleep(1)
    silent = len(stream.messages) - beats
    await asyncio.to_thread(server.start)
    alert_id = await raise_until_stored(rig.matcher, hit_message())
    await stream.until(lambda s: bool(s.alerts))

    assert is_without_database(caught[0])
    assert silent == 0, "a heartbeat said that nothing is new while nobody could know"
    assert [alert.alert_id for alert in stream.alerts] == [alert_id]
    await stream.close()
    await rig.stop()
    await asyncio.to_thread(server.stop)


@pytest.mark.clause("IV.E.2")
async def test_no_hit_is_stored_without_its_pictures(database, audit, tls, tmp_path: Path) -> None:
    rig = await start_rig(settings_for(tmp_path, tls, database, audit.port), tls)
    (tmp_path / "images").write_text("a file where the folder should be")
    hit = hit_message(pictures=(b"crop", b"overview"))

    async with refused() as caught:
        await rig.raise_hits(hit)

    assert ErrorReason.Name(caught[0].reason) == "ERROR_REASON_STORAGE_UNAVAILABLE"
    assert await fetch(database.admin_url, "SELECT 1 FROM alerts.hit") == []
    (tmp_path / "images").unlink()
    await rig.raise_hits(hit)
    assert len(await fetch(database.admin_url, "SELECT 1 FROM alerts.hit")) == 1
    await rig.stop()


@pytest.mark.parametrize("name", ["token_key_file", "image_kek_file"])
async def test_the_service_does_not_start_with_a_bad_key(
    database, audit, tls, tmp_path: Path, name: str
) -> None:
    settings = settings_for(tmp_path, tls, database, audit.port)
    getattr(settings, name).write_text("abc")

    with pytest.raises(ConfigError, match=f"PW_{name.upper()}"):
        await start_rig(settings, tls)
