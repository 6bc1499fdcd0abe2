"""The stack that alerts are measured on, its people, and what stands in for the matcher."""

from __future__ import annotations

import asyncio
import contextlib
import io
import secrets
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import asyncpg
import grpc

from alpr.alerts.v1 import alert_service_pb2 as pb
from alpr.alerts.v1 import alert_service_pb2_grpc as rpc
from alpr.type.v1 import hit_pb2, read_pb2
from benchmarks._alerts_follow import Seat, number_of, plate_of
from benchmarks._stack import free_ports, say
from services.cli.bootstrap import begin
from services.cli.demo import cast
from services.cli.locate import locate
from services.cli.session import Session
from services.cli.tokens import token_source
from services.common.client import ClientTls, service_channel
from services.common.issuers import DEVELOPMENT_ISSUER
from services.common.wire import to_timestamp
from services.dev.pki import DevelopmentAuthority
from services.dev.places import Places
from services.dev.specs import Stages, platewarden_stages
from services.dev.supervisor import Options, Supervisor

_PEOPLE: Final = 20
_SENSOR: Final = "bench-i90-eastbound"
_CROP_BYTES: Final = 4 << 10
_OVERVIEW_BYTES: Final = 32 << 10
_POSITIONS: Final = """
SELECT f.position, a.plate FROM alerts.feed f JOIN alerts.alert a USING (alert_id)
WHERE f.kind = 1 AND a.plate ~ '^B[0-9]{7}$'
"""
_CALL_SECONDS: Final = 20.0


@dataclass
class House:
    """A running stack, and a stub with the matcher's certificate."""

    stack: Supervisor
    folder: Path
    channel: grpc.aio.Channel
    _numbers: count[int] = field(default_factory=lambda: count(1))

    @property
    def matcher(self) -> Any:
        """What the matcher calls."""
        return rpc.AlertServiceStub(self.channel)

    def seats(self, number: int) -> list[Seat]:
        """Seats of so many subscribers of the agency, who are so many streams of twenty officers."""
        issued = DevelopmentAuthority(Places(self.folder).pki).agency(cast.AGENCY_ORI)
        tls = ClientTls(issued.cert_file, issued.key_file, issued.ca_file)
        target = self.stack.machine_targets["alerts"]
        return [Seat(target, tls, self.folder, _officer(n % _PEOPLE).subject) for n in range(number)]

    async def raise_steadily(self, per_second: float, seconds: float) -> dict[int, int]:
        """When each alert was sent, by number; at an even pace, whatever each takes."""
        start = time.monotonic()
        sent: dict[int, int] = {}
        calls = []
        for n in range(round(per_second * seconds)):
            await asyncio.sleep(max(0.0, start + n / per_second - time.monotonic()))
            number = next(self._numbers)
            sent[number] = time.monotonic_ns()
            calls.append(asyncio.ensure_future(self.raise_until_stored([number])))
        await asyncio.gather(*calls)
        return sent

    async def raise_at_once(self, number: int) -> list[int]:
        """Raises so many alerts as fast as they are taken, fifty a call and four calls under way."""
        numbers = [next(self._numbers) for _ in range(number)]
        waiting = iter([numbers[first : first + 50] for first in range(0, number, 50)])

        async def caller() -> None:
            for part in waiting:
                await self.raise_until_stored(part)

        await asyncio.gather(*(caller() for _ in range(4)))
        return numbers

    async def raise_until_stored(self, numbers: Sequence[int]) -> None:
        """Sends as the matcher does: the same again, until there is an answer."""
        request = pb.RaiseAlertsRequest(hits=[_hit(number) for number in numbers])
        while True:
            try:
                await self.matcher.RaiseAlerts(request, timeout=_CALL_SECONDS)
            except grpc.aio.AioRpcError:
                await asyncio.sleep(0.1)
            else:
                return

    async def positions(self) -> Mapping[int, int]:
        """The feed's position at which each number was raised; an alert that escalates gets further ones."""
        connection = await asyncpg.connect(self.stack.admin_url)
        try:
            return {number_of(row["plate"]): row["position"] for row in await connection.fetch(_POSITIONS)}
        finally:
            await connection.close()


@asynccontextmanager
async def house(folder: Path, *, console: bool = False) -> AsyncIterator[House]:
    """A stack of all five services with officers who follow alerts; PostgreSQL with fsync, mTLS."""
    options = Options(folder, free_ports(), stages=_stages(), console=console)
    async with Supervisor(options, say) as stack:
        await _enrol(folder)
        async with matcher_of(stack, folder) as made:
            yield made


@asynccontextmanager
async def matcher_of(stack: Any, folder: Path, first: int = 1) -> AsyncIterator[House]:
    """What stands in for the matcher of the stack in `folder`, its plates numbered from `first` on."""
    issued = DevelopmentAuthority(Places(folder).pki).service("matcher")
    tls = ClientTls(issued.cert_file, issued.key_file, issued.ca_file)
    async with service_channel(stack.machine_targets["alerts"], tls, server_name="alerts") as channel:
        yield House(stack, folder, channel, count(first))


def session(folder: Path, subject: str) -> Session:
    """Calls in the name of a person of the stack in `folder`."""
    return Session(locate(folder), token_source(folder, subject), on_wait=say)


def _stages() -> Stages:
    """The usual stages, with the fan-out that does nothing in the server of alerts."""
    ours = {"alerts": "benchmarks._alerts_server"}
    return [
        [replace(spec, module=ours.get(spec.name, spec.module)) for spec in stage]
        for stage in platewarden_stages()
    ]


async def _enrol(folder: Path) -> None:
    with contextlib.redirect_stdout(io.StringIO()):
        if await asyncio.to_thread(begin, folder, "", cast.founding()):
            raise SystemExit("the system could not be begun")
    async with session(folder, cast.COORDINATOR) as coordinator:
        for number in range(_PEOPLE):
            await cast.enrol(coordinator, _officer(number), DEVELOPMENT_ISSUER)


def _officer(number: int) -> cast.Person:
    return cast.Person(f"bench-officer-{number}", f"Bench Officer {number}", "user", f"2{number:03d}")


def _hit(number: int) -> pb.Hit:
    """A hit as the matcher sends it, with pictures that no other hit has."""
    now = datetime.now(UTC)
    read = read_pb2.Read(
        read_id=str(uuid4()),
        sensor_id=_SENSOR,
        capture_time=to_timestamp(now),
        receive_time=to_timestamp(now),
        place=read_pb2.Place(latitude=41.98, longitude=-87.87, description="I-90 at mile 79, eastbound"),
        plate=plate_of(number),
        states=[read_pb2.StateProbability(state="IL", probability=0.9)],
        model_version="made",
    )
    pictures = secrets.token_bytes(16)
    return pb.Hit(
        captured_read=read_pb2.CapturedRead(
            read=read,
            crop_image=pictures + bytes(_CROP_BYTES),
            overview_image=pictures + bytes(_OVERVIEW_BYTES),
        ),
        matches=[pb.MatchedHit(entry=_entry(number, now), match_probability=0.97)],
        sensor_agency_ori=cast.AGENCY_ORI,
        sensor_group="expressway",
    )


def _entry(number: int, now: datetime) -> hit_pb2.MatchedEntry:
    return hit_pb2.MatchedEntry(
        entry_id=str(uuid4()),
        hot_list_id=str(uuid4()),
        hot_list_name="LEADS stolen vehicles",
        list_agency_ori=cast.AGENCY_ORI,
        list_version=3,
        list_activated_at=to_timestamp(now - timedelta(hours=1)),
        source=hit_pb2.HOT_LIST_SOURCE_LEADS,
        category=hit_pb2.HOT_LIST_CATEGORY_STOLEN_VEHICLE,
        plate=plate_of(number),
        state="IL",
        record_number=f"L26-{number:07d}",
        vehicle=hit_pb2.ListedVehicle(year="2019", make="DODG", model="CHA", style="4D", color="BLK"),
    )
