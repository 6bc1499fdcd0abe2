"""The stack that the pipeline is measured on: a list, cameras, officers, and one who follows alerts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final
from uuid import UUID

import asyncpg

from alpr.alerts.v1 import alert_service_pb2 as alerts_pb
from benchmarks import _pipeline_costs as costs
from benchmarks._alerts_crowd import Crowd
from benchmarks._alerts_follow import Seat, follow_alerts
from benchmarks._match_stream import captured_reads, prepare
from benchmarks._match_world import World
from benchmarks._pipeline_cameras import Camera, Cameras, write_made
from benchmarks._pipeline_officers import Officers
from benchmarks._stack import free_ports, say
from services.cli.demo import cast
from services.cli.locate import locate
from services.cli.session import Session
from services.cli.tokens import token_source
from services.common.client import ClientTls
from services.common.issuers import DEVELOPMENT_ISSUER
from services.dev.pki import DevelopmentAuthority
from services.dev.places import Places
from services.dev.supervisor import Options, Supervisor

SERVER: Final = {
    "shared_buffers": "1GB",
    "max_wal_size": "4GB",
    "checkpoint_timeout": "15min",
    "max_locks_per_transaction": "256",
}
"""As docs/operations recommends for a machine of 4 GB; fsync and synchronous_commit are PostgreSQL's own."""
CAMERAS: Final = 8
_OFFICERS: Final = 16
_READS: Final = 20_000
# A listed plate that comes again soon raises no second alert: there are enough for all parts.
_LISTED_ONE_IN: Final = 8
_SEED: Final = 3


@dataclass
class House:
    """A running stack with everybody who uses it."""

    stack: Supervisor
    folder: Path
    made: Path
    cameras: Cameras
    senders: Sequence[Camera]
    officers: Officers
    crowd: Crowd

    def processor(self) -> dict[str, float]:
        """Processor time until now, by part."""
        return costs.seconds(self.stack.pids)

    def memory(self) -> dict[str, int]:
        """Megabytes by process."""
        return costs.megabytes(self.stack.pids)

    async def lost_reads(self, read_ids: bytes) -> int:
        """How many of these (16 bytes each) the archive does not have, or has more than once."""
        wanted = [UUID(bytes=read_ids[n : n + 16]) for n in range(0, len(read_ids), 16)]
        connection = await asyncpg.connect(self.stack.admin_url)
        try:
            query = "SELECT read_id, count(*) FROM archive.read WHERE read_id = ANY ($1) GROUP BY 1"
            found = 0
            for first in range(0, len(wanted), 20_000):
                rows = await connection.fetch(query, wanted[first : first + 20_000])
                found += sum(row["count"] == 1 for row in rows)
        finally:
            await connection.close()
        return len(wanted) - found

    async def alerts(self) -> set[int]:
        """The alerts that stand in the database, as `alert_number` numbers them."""
        connection = await asyncpg.connect(self.stack.admin_url)
        try:
            rows = await connection.fetch("SELECT alert_id FROM alerts.alert")
        finally:
            await connection.close()
        return {_number(row["alert_id"]) for row in rows}


@asynccontextmanager
async def house(folder: Path, entries: int) -> AsyncIterator[House]:
    """A stack of all five services against a list of `entries`: PostgreSQL with fsync, mTLS."""
    world = World(_SEED)
    listed = world.hot_list(entries)
    reads = await asyncio.to_thread(captured_reads, world, listed, _READS, _LISTED_ONE_IN)
    write_made(folder / "made", reads, _LISTED_ONE_IN)
    plates = [one.read.plate for one in reads[:: max(1, len(reads) // 2_000)]]
    del reads
    data_dir = folder / "data"
    options = Options(data_dir, free_ports(), database_settings=SERVER)
    async with Supervisor(options, say) as stack:
        names = [f"bench-camera-{n}" for n in range(CAMERAS)]
        issued = {name: stack.sensor_certificate(name) for name in names}
        await prepare(data_dir, listed, {name: one.cert_file for name, one in issued.items()})
        target = stack.machine_targets["matcher"]
        senders = [
            Camera(name, target, ClientTls(one.cert_file, one.key_file, one.ca_file))
            for name, one in issued.items()
        ]
        subjects = await _enrol(data_dir)
        follow = partial(follow_alerts, number=alert_number)
        async with (
            Cameras(senders, folder / "made") as cameras,
            Officers(data_dir, stack.machine_targets["audit"], subjects, plates) as officers,
            Crowd(follow, [_seat(stack, data_dir, subjects[0])]) as crowd,
        ):
            yield House(stack, folder, folder / "made", cameras, senders, officers, crowd)


def alert_number(alert: alerts_pb.Alert) -> int:
    """A number that no other alert has."""
    return _number(UUID(alert.alert_id))


def _number(alert_id: UUID) -> int:
    return alert_id.int & ((1 << 63) - 1)


async def _enrol(data_dir: Path) -> list[str]:
    people = [
        cast.Person(f"bench-officer-{n}", f"Bench Officer {n}", "user", f"2{n:03d}") for n in range(_OFFICERS)
    ]
    coordinator = Session(locate(data_dir), token_source(data_dir, cast.COORDINATOR), on_wait=say)
    async with coordinator:
        for person in people:
            await cast.enrol(coordinator, person, DEVELOPMENT_ISSUER)
    return [person.subject for person in people]


def _seat(stack: Supervisor, data_dir: Path, subject: str) -> Seat:
    issued = DevelopmentAuthority(Places(data_dir).pki).agency(cast.AGENCY_ORI)
    tls = ClientTls(issued.cert_file, issued.key_file, issued.ca_file)
    return Seat(stack.machine_targets["alerts"], tls, data_dir, subject)
