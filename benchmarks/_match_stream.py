"""Reads a second through SubmitReads, with the whole system behind it: answered means on disk.

A stack of its own runs beside it (embedded PostgreSQL with fsync, mTLS, five services); a sensor that
reads plates itself sends batches on one stream, with the lattices of the made world and small pictures,
`WINDOW` batches under way. One read in 2,000 is of a listed plate. Processor time is that of all
processes of the stack.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import io
import os
import tempfile
import time
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import numpy as np

from alpr.matcher.v1 import match_service_pb2 as pb
from alpr.matcher.v1 import match_service_pb2_grpc as rpc
from alpr.type.v1 import read_pb2, sensor_pb2
from benchmarks._match_world import ALPHABET, LEAST, STATES, Plates, World, texts
from benchmarks._stack import free_ports, say
from services.cli import hotlist
from services.cli.bootstrap import begin
from services.cli.demo import cast
from services.cli.locate import Connection, locate
from services.cli.sensor import approve_deployment, register_sensor
from services.cli.sensor_certificate import recorded
from services.cli.session import Session
from services.cli.tokens import token_source
from services.common.client import ClientTls, service_channel
from services.common.issuers import DEVELOPMENT_ISSUER
from services.common.readid import read_id_of_sender
from services.common.wire import to_timestamp
from services.dev.supervisor import Options, Supervisor

_SENSOR: Final = "bench-i90-eastbound"
_MESSAGES: Final = 4_000
_LISTED_ONE_IN: Final = 2_000
_BATCH: Final = 200
_WINDOW: Final = 8
_ACCURACY: Final = 0.94
_CROP: Final = bytes(2 * 1024)
_OVERVIEW: Final = bytes(8 * 1024)
_TICKS: Final = os.sysconf("SC_CLK_TCK")
_ATTESTATION: Final = "Made for a benchmark; no row is of a real plate."


def stream(world: World, entries: int, seconds: float) -> dict[str, Any]:
    """The figures of one stream of `seconds`, against a list of `entries`."""
    with tempfile.TemporaryDirectory() as folder:
        return asyncio.run(_with_stack(world, entries, seconds, Path(folder)))


async def _with_stack(world: World, entries: int, seconds: float, folder: Path) -> dict[str, Any]:
    listed = world.hot_list(entries)
    captured = await asyncio.to_thread(captured_reads, world, listed, _MESSAGES, _LISTED_ONE_IN)
    async with Supervisor(Options(folder / "data", free_ports()), say) as stack:
        issued = stack.sensor_certificate(_SENSOR)
        await prepare(folder / "data", listed, {_SENSOR: issued.cert_file})
        tls = ClientTls(issued.cert_file, issued.key_file, issued.ca_file)
        target = stack.machine_targets["matcher"]
        async with service_channel(target, tls, server_name="matcher") as channel:
            busy = _processor_time(stack)
            start = time.monotonic()
            call = rpc.MatchServiceStub(channel).SubmitReads(_batches(captured, start + seconds))
            stored, answered = 0, 0
            async for answer in call:
                answered += len(answer.results)
                stored += sum(one.status == read_pb2.READ_STATUS_STORED for one in answer.results)
            took = time.monotonic() - start
            busy = _processor_time(stack) - busy
    if stored != answered:
        raise SystemExit(f"{answered - stored} of {answered} reads were not stored")
    return {
        "stream_reads_per_s": round(stored / took),
        "stream_cpu_us_per_read": round(busy / stored * 1e6),
        "stream_batch": _BATCH,
        "stream_window": _WINDOW,
        "stream_entries": entries,
    }


async def _batches(captured: list[read_pb2.CapturedRead], end: float) -> AsyncIterator[pb.SubmitReadsRequest]:
    """Batches until `end`; the transport asks for the next one when the matcher has room."""
    number = 0
    while time.monotonic() < end:
        reads = [captured[(number * _BATCH + n) % len(captured)] for n in range(_BATCH)]
        now = datetime.now(UTC) - timedelta(seconds=1)
        for n, one in enumerate(reads):
            _stamp(one.read, now, f"{number}-{n}")
        yield pb.SubmitReadsRequest(batch_number=number, reads=reads)
        number += 1


def _stamp(read: read_pb2.Read, captured: datetime, name: str) -> None:
    """Makes it a new read, captured just now."""
    read.read_id = str(read_id_of_sender(_SENSOR, captured, name))
    read.sender_read_id = name
    read.capture_time.CopyFrom(to_timestamp(captured))
    read.image.day = f"{captured:%Y-%m-%d}"


def captured_reads(
    world: World, listed: Plates, count: int, listed_one_in: int
) -> list[read_pb2.CapturedRead]:
    """So many reads as messages, the first of every `listed_one_in` of a listed plate."""
    plates = world.passing_plates(0)[slice(0, count)]
    rows = np.arange(0, count, listed_one_in)
    plates.classes[rows], plates.states[rows] = listed.classes[: len(rows)], listed.states[: len(rows)]
    characters = world.reads(plates, 0, "stream").characters
    states = world.states_seen(plates, _ACCURACY, 0, "stream")
    return [_message(np.exp(one), np.exp(issuer)) for one, issuer in zip(characters, states, strict=True)]


def _message(characters: Any, states: Any) -> read_pb2.CapturedRead:
    positions = [
        [(ALPHABET[n], float(place[n + 1])) for n in np.argsort(-place[1:]) if place[n + 1] >= LEAST]
        for place in characters
        if place.argmax() > 0
    ]
    issuers = [(STATES[n], float(states[n])) for n in np.argsort(-states) if states[n] >= LEAST]
    read = read_pb2.Read(
        sensor_id=_SENSOR,
        place=read_pb2.Place(latitude=41.98, longitude=-87.87, description="I-90 at mile 79, eastbound"),
        plate="".join(position[0][0] for position in positions),
        lattice=read_pb2.Lattice(
            positions=[
                read_pb2.Position(
                    characters=[
                        read_pb2.CharacterProbability(character=character, probability=value)
                        for character, value in position
                    ]
                )
                for position in positions
            ]
        ),
        states=[read_pb2.StateProbability(state=state, probability=value) for state, value in issuers],
        plate_box=read_pb2.Box(x=1, y=2, width=100, height=40),
        image=read_pb2.ImageRef(
            sha256=hashlib.sha256(_OVERVIEW).digest(), media_type="image/jpeg", size_bytes=len(_OVERVIEW)
        ),
        model_version="made",
    )
    return read_pb2.CapturedRead(read=read, crop_image=_CROP, overview_image=_OVERVIEW)


async def prepare(data_dir: Path, listed: Plates, certificates: Mapping[str, Path]) -> None:
    """Begins the system, enrols a manager of lists, approves the sensors, uploads and activates the list."""
    with contextlib.redirect_stdout(io.StringIO()):
        if await asyncio.to_thread(begin, data_dir, "", cast.founding()):
            raise SystemExit("the system could not be begun")
    connection = locate(data_dir)
    async with _session(connection, data_dir, cast.COORDINATOR) as coordinator:
        await cast.enrol(coordinator, cast.LIST_MANAGER, DEVELOPMENT_ISSUER)
        for sensor_id, certificate in certificates.items():
            await _approve(coordinator, sensor_id, certificate)
    file = data_dir / "list.csv"
    file.write_text(_csv(listed), encoding="ascii")
    async with _session(connection, data_dir, cast.LIST_MANAGER.subject) as manager:
        made = await hotlist.create_list(manager, "benchmark", "agency")
        answer = await hotlist.upload_version(manager, made.hot_list_id, file, "csv", _ATTESTATION)
        await hotlist.activate_version(manager, made.hot_list_id, answer.version)


async def _approve(coordinator: Session, sensor_id: str, certificate: Path) -> None:
    sensor = sensor_pb2.Sensor(
        sensor_id=sensor_id,
        agency_ori=cast.AGENCY_ORI,
        sensor_group="expressway",
        deployment_type=sensor_pb2.DEPLOYMENT_TYPE_FIXED,
        place=read_pb2.Place(latitude=41.98, longitude=-87.87, description="I-90 at mile 79, eastbound"),
        provenance=sensor_pb2.PROVENANCE_OWN,
    )
    await register_sensor(coordinator, sensor)
    await approve_deployment(coordinator, sensor_id)
    await recorded(coordinator, sensor_id, certificate)


def _session(connection: Connection, data_dir: Path, subject: str) -> Session:
    return Session(connection, token_source(data_dir, subject), on_wait=say)


def _csv(listed: Plates) -> str:
    rows = (
        f"{text.rstrip()},{STATES[state]},STOLEN_VEHICLE,V{row:09d}\n"
        for row, (text, state) in enumerate(zip(texts(listed.classes), listed.states, strict=True))
    )
    return "plate,state,category,record_number\n" + "".join(rows)


def _processor_time(stack: Supervisor) -> float:
    """Seconds of processor time of the stack's processes and of theirs."""
    wanted, total = set(stack.pids.values()), 0
    for folder in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if folder.name.isdigit():
                fields = (folder / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()
                if int(folder.name) in wanted or int(fields[1]) in wanted:
                    total += int(fields[11]) + int(fields[12])
    return total / _TICKS
