"""Disks that are really full: a tmpfs in a mount namespace of its own."""

import asyncio
import secrets
import subprocess
import sys
from pathlib import Path
from uuid import uuid4

import grpc
import pytest

from alpr.alerts.v1 import alert_service_pb2 as pb
from services.common.client import bearer
from tests.support.alerts_process import Process, free_ports, raise_until_stored
from tests.support.alerts_rig import hit_message, settings_for, stubs
from tests.support.databases import fetch

ROOT = Path(__file__).parents[3]
UNSHARE = ("unshare", "--user", "--map-root-user", "--mount", "sh", "-c")
IMAGES = 'mount -t tmpfs -o size=3m none "$0" && head -c 1000000 /dev/zero > "$0/ballast" && exec "$@"'


@pytest.fixture(autouse=True)
def namespaces() -> None:
    probe = [*UNSHARE, "true"]
    try:
        allowed = subprocess.run(probe, capture_output=True, check=False).returncode == 0  # noqa: S603
    except FileNotFoundError:
        allowed = False
    if not allowed:
        pytest.skip("user namespaces are not allowed here")


def large_hit() -> pb.Hit:
    return hit_message(pictures=(secrets.token_bytes(10_000), secrets.token_bytes(250_000)))


def make_room(folder: Path) -> None:
    (folder / "ballast").unlink()


@pytest.mark.clause("IV.E.2")
@pytest.mark.timeout(120)
async def test_a_full_picture_store_stores_no_hit_without_its_pictures_and_goes_on_when_there_is_room(
    database, audit, tls, tmp_path: Path
) -> None:
    port, user_port = free_ports(2)
    images = tmp_path / "images"
    images.mkdir()
    listen = {"listen": f"127.0.0.1:{port}", "user_listen": f"127.0.0.1:{user_port}"}
    settings = settings_for(tmp_path, tls, database, audit.port, **listen)
    matcher, person, channels = stubs(tls, port, user_port)
    with Process(settings, tmp_path / "alerts.log", [*UNSHARE, IMAGES, str(images)]) as process:
        await raise_until_stored(matcher, hit_message())
        stored: list[tuple[str, pb.Hit]] = []
        with pytest.raises(grpc.aio.AioRpcError, match="the image store is full"):
            while True:
                hit = large_hit()
                answer = await matcher.RaiseAlerts(pb.RaiseAlertsRequest(hits=[hit]), timeout=10)
                stored.append((answer.alert_ids[0], hit))
        hits = await fetch(database.admin_url, "SELECT 1 FROM alerts.hit")
        (small,) = (
            await matcher.RaiseAlerts(pb.RaiseAlertsRequest(hits=[hit_message()]), timeout=60)
        ).alert_ids
        make_room(Path(f"/proc/{process.pid}/root{images}"))
        again = await raise_until_stored(matcher, hit)

        assert 1 < len(stored) == len(hits) - 1
        assert len({small, again, *(alert_id for alert_id, _ in stored)}) == len(stored) + 2
        for alert_id, one in [*stored, (again, hit)]:
            request = pb.GetAlertRequest(request_id=str(uuid4()), alert_id=alert_id)
            found = await person.GetAlert(request, metadata=(bearer("officer"),), timeout=60)
            assert found.overview_image == one.captured_read.overview_image
    for channel in channels:
        await channel.close()


DATABASE = """
import asyncio, sys
from pathlib import Path
import grpc
from services.dev.pki import DevelopmentAuthority
from services.dev.postgres import EmbeddedPostgres
from tests.support.alerts_process import raise_until_stored
from tests.support.alerts_rig import (
    AuditHost, AuditNeighbour, hit_message, settings_for, start_rig, entry_message
)
from tests.support.databases import Databases, fetch

async def main(folder, disk):
    server = EmbeddedPostgres(disk / "postgres", settings={"max_wal_size": "64MB", "min_wal_size": "32MB"})
    server.start()
    tls, audit = DevelopmentAuthority(folder / "pki"), None
    audit = AuditHost(AuditNeighbour(), tls)
    await audit.start()
    database = await Databases(server.admin_url).make("alerts")
    rig = await start_rig(settings_for(folder, tls, database, audit.port), tls)
    stream = await rig.subscribe("officer").live()
    stored = [*(await rig.raise_hits(hit_message()))]
    ballast = disk / "ballast"
    fill(ballast)
    refused = ""
    while not refused:
        entries = [entry_message() for _ in range(20)]
        try:
            stored += await rig.raise_hits(*(hit_message(*entries) for _ in range(20)))
        except grpc.aio.AioRpcError as error:
            refused = error.code().name
    ballast.unlink()
    if not server.is_running():
        await asyncio.to_thread(server.start)
    last = await raise_until_stored(rig.matcher, hit_message())
    await stream.until(lambda s: any(a.alert_id == last for a in s.alerts) or s.error)
    rows = await fetch(database.admin_url, "SELECT position, alert_id FROM alerts.feed ORDER BY position")
    assert [row["position"] for row in rows] == list(range(1, len(rows) + 1))
    feed = [str(row["alert_id"]) for row in rows]
    assert set(stored) <= set(feed), "an answer was OK and nothing is stored"
    assert feed[-1] == last
    print(refused)
    await stream.close()
    await rig.stop()
    await audit.stop()
    await asyncio.to_thread(server.stop)

def fill(ballast):
    with ballast.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(1 << 16))
        except OSError:
            return

asyncio.run(main(Path(sys.argv[1]), Path(sys.argv[2])))
"""


@pytest.mark.clause("IV.E.2")
@pytest.mark.timeout(180)
async def test_a_full_database_loses_nothing_that_was_answered_and_goes_on_when_there_is_room(
    tmp_path: Path,
) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    script = 'mount -t tmpfs -o size=160m none "$2" && exec "$3" -c "$0" "$1" "$2"'
    command = [*UNSHARE, script, DATABASE, str(tmp_path), str(disk), sys.executable]

    done = await asyncio.to_thread(
        subprocess.run, command, capture_output=True, text=True, cwd=ROOT, check=False
    )

    assert done.returncode == 0, done.stderr[-3000:]
    assert "UNAVAILABLE" in done.stdout.splitlines()
