"""Whole calls: questions of sixteen officers at a time, and reads from the matcher.

A stack of its own runs on the archive that was built: search, audit, PostgreSQL with fsync, mTLS. An officer
asks SearchReads where a plate was within the retention period; the answer is there when question and outcome
are in audit's log. Then AppendReads, with the matcher's certificate: answered means on disk. The clients run
in this process, on the same cores.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import numpy as np

from alpr.search.v1 import archive_service_pb2, search_service_pb2
from alpr.search.v1.archive_service_pb2_grpc import ArchiveServiceStub
from alpr.search.v1.search_service_pb2_grpc import SearchServiceStub
from alpr.type.v1 import justification_pb2, read_pb2, sensor_pb2
from benchmarks._archive_append import BATCH, Source
from benchmarks._archive_build import SERVER
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
from services.dev.supervisor import Options, Supervisor
from services.search.core.reads import NewRead

_CALLERS: Final = 16
_QUESTIONS: Final = 800
_WARM_UP: Final = 160
_APPENDERS: Final = 8
_APPENDS: Final = 80
_JUSTIFICATION: Final = justification_pb2.Justification(
    case_number_kind=justification_pb2.CASE_NUMBER_KIND_CAD,
    case_number="26-0001",
    purpose="measuring how long an answer takes",
    offence_code="HOMICIDE",
)


async def rpc(folder: Path, plates: list[str]) -> dict[str, Any]:
    """The figures of the stack in `folder`, whose database holds the archive."""
    options = Options(folder, free_ports(), database_settings=SERVER)
    async with Supervisor(options, say) as stack:
        officer = await _officer(folder)
        async with officer:
            governed = await _governed(officer, plates)
        say(f"governed_16 {governed}")
        rate = await _append(stack, folder, plates)
    return {"governed_16": governed, "rpc_rows_per_s": rate}


async def _officer(folder: Path) -> Session:
    """A person who may ask."""
    with contextlib.redirect_stdout(io.StringIO()):
        if await asyncio.to_thread(begin, folder, "", cast.founding()):
            raise SystemExit("the system could not be begun")
    connection = locate(folder)
    async with Session(connection, token_source(folder, cast.COORDINATOR), on_wait=say) as coordinator:
        await cast.enrol(coordinator, cast.OFFICER, DEVELOPMENT_ISSUER)
    return Session(connection, token_source(folder, cast.OFFICER.subject), on_wait=say)


async def _governed(officer: Session, plates: list[str]) -> dict[str, float]:
    stub: Any = SearchServiceStub(officer.channel("search"))
    random = np.random.default_rng(16)
    asked = [plates[n] for n in random.integers(0, len(plates), _WARM_UP + _QUESTIONS)]
    await _ask_all(stub, officer, asked[:_WARM_UP])
    start = time.perf_counter()
    took = await _ask_all(stub, officer, asked[_WARM_UP:])
    rate = len(took) / (time.perf_counter() - start)
    p50, p95 = np.percentile(np.array(took) * 1000, [50, 95])
    return {"p50_ms": round(float(p50), 2), "p95_ms": round(float(p95), 2), "per_s": round(rate, 1)}


async def _ask_all(stub: Any, officer: Session, plates: list[str]) -> list[float]:
    """Seconds of each question, asked by so many callers at a time."""
    waiting, took = iter(plates), []

    async def caller() -> None:
        for plate in waiting:
            request = search_service_pb2.SearchReadsRequest(
                request_id=str(uuid4()), justification=_JUSTIFICATION, plate=plate, page_size=100
            )
            metadata = await officer.metadata()
            start = time.perf_counter()
            await stub.SearchReads(request, metadata=metadata, timeout=30)
            took.append(time.perf_counter() - start)

    await asyncio.gather(*(caller() for _ in range(_CALLERS)))
    return took


async def _append(stack: Supervisor, folder: Path, plates: list[str]) -> int:
    """Reads a second, all of them stored, with so many calls of 500 under way."""
    source = Source(plates)
    waiting = iter([_message(source) for _ in range(_APPENDS)])
    async with _matcher(stack, folder) as stub:

        async def appender() -> None:
            for message in waiting:
                answer = await stub.AppendReads(message, timeout=60)
                if any(one.status != read_pb2.READ_STATUS_STORED for one in answer.results):
                    raise SystemExit("not every read was stored")

        start = time.monotonic()
        await asyncio.gather(*(appender() for _ in range(_APPENDERS)))
        return round(_APPENDS * BATCH / (time.monotonic() - start))


@asynccontextmanager
async def _matcher(stack: Supervisor, folder: Path) -> AsyncIterator[Any]:
    issued = DevelopmentAuthority(Places(folder).pki).service("matcher")
    tls = ClientTls(issued.cert_file, issued.key_file, issued.ca_file)
    async with service_channel(stack.machine_targets["search"], tls, server_name="search") as channel:
        yield ArchiveServiceStub(channel)


def _message(source: Source) -> archive_service_pb2.AppendReadsRequest:
    return archive_service_pb2.AppendReadsRequest(reads=[_archived(one.read) for one in source.batch(BATCH)])


def _archived(read: NewRead) -> archive_service_pb2.ArchivedRead:
    if read.capture_time is None or read.image is None or read.image.day is None:
        raise ValueError("the source makes whole reads")
    message = read_pb2.Read.FromString(read.recognition)
    message.MergeFrom(
        read_pb2.Read(
            read_id=str(read.read_id),
            sensor_id=read.sensor_id,
            capture_time=to_timestamp(read.capture_time),
            receive_time=to_timestamp(read.capture_time + timedelta(seconds=1)),
            place=read_pb2.Place(
                latitude=read.latitude or 0.0, longitude=read.longitude or 0.0, description=read.place
            ),
            plate=read.plate,
            image=read_pb2.ImageRef(
                sha256=read.image.sha256,
                day=read.image.day.isoformat(),
                media_type=read.image.media_type,
                size_bytes=read.image.size_bytes,
                image_key=read.image.key or b"",
            ),
            model_version=read.model_version,
            sender_read_id=read.sender_read_id,
        )
    )
    return archive_service_pb2.ArchivedRead(
        read=message,
        agency_ori=read.agency_ori,
        sensor_group=read.sensor_group,
        provenance=sensor_pb2.PROVENANCE_OWN,
        match_revision=read.match_revision,
    )
