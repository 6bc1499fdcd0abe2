"""What the same reads cost when nothing is governed: one gRPC server in front of one table.

The server takes the same stream with the same certificates, copies each batch into one table of the same
PostgreSQL (COPY, with the read, plate and sensor indexed) and answers after COMMIT. It compares with no list,
checks no form, no sensor and no retention, knows no read that comes twice, has no partitions and no
dictionary, raises no alert, and has no permit in front of what it stored. It is what anybody writes in an
afternoon, and the floor of what storing can cost in this language.
"""

from __future__ import annotations

import asyncio
import multiprocessing
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import asyncpg
import grpc
import uvloop
from grpc_health.v1 import health_pb2_grpc
from grpc_health.v1.health import aio

from alpr.matcher.v1 import match_service_pb2 as pb
from alpr.matcher.v1 import match_service_pb2_grpc as rpc
from alpr.type.v1 import read_pb2
from services.dev.pki import DevelopmentAuthority
from services.dev.places import Places

_START_SECONDS: Final = 60
_CONNECTIONS: Final = 8
_COLUMNS: Final = (
    "read_id uuid PRIMARY KEY", "capture_time timestamptz", "receive_time timestamptz", "plate text",
    "state text", "sensor_id text", "latitude double precision", "longitude double precision", "place text",
    "recognition bytea", "model_version text", "sender_read_id text", "image_sha256 bytea", "image_day date",
    "image_media_type text", "image_size bigint",
)  # fmt: skip
_NAMES: Final = [column.split(" ")[0] for column in _COLUMNS]
_TABLE: Final = f"""
CREATE SCHEMA plain;
CREATE TABLE plain.read ({", ".join(_COLUMNS)});
CREATE INDEX ON plain.read (plate, capture_time);
CREATE INDEX ON plain.read (sensor_id, capture_time);"""


class _Plain(rpc.MatchServiceServicer):
    """Stores what comes."""

    def __init__(self, pool: Any) -> None:
        self._pool = pool

    async def SubmitReads(  # noqa: N802 - the contract's name
        self, request_iterator: AsyncIterator[pb.SubmitReadsRequest], context: Any
    ) -> AsyncIterator[pb.SubmitReadsResponse]:
        """See match_service.proto."""
        async for request in request_iterator:
            rows = [_row(captured.read) for captured in request.reads]
            async with self._pool.acquire() as connection:
                await connection.copy_records_to_table(
                    "read", schema_name="plain", columns=_NAMES, records=rows
                )
            results = [
                pb.ReadResult(read_id=captured.read.read_id, status=read_pb2.READ_STATUS_STORED)
                for captured in request.reads
            ]
            yield pb.SubmitReadsResponse(batch_number=request.batch_number, results=results)


def _row(read: read_pb2.Read) -> tuple[Any, ...]:
    captured = read.capture_time.ToDatetime(UTC)
    return (
        UUID(read.read_id), captured, datetime.now(UTC), read.plate,
        read.states[0].state if read.states else None, read.sensor_id, read.place.latitude,
        read.place.longitude, read.place.description, read.lattice.SerializeToString(), read.model_version,
        read.sender_read_id, read.image.sha256, date.fromisoformat(read.image.day), read.image.media_type,
        read.image.size_bytes,
    )  # fmt: skip


@asynccontextmanager
async def plain_server(folder: Path, admin_url: str) -> AsyncIterator[tuple[int, int]]:
    """Port and process id of a server with an empty table."""
    connection = await asyncpg.connect(admin_url)
    try:
        await connection.execute(_TABLE)
    finally:
        await connection.close()
    here, there = multiprocessing.get_context("spawn").Pipe()
    process = multiprocessing.get_context("spawn").Process(
        target=_process, args=(folder, admin_url, there), daemon=True
    )
    process.start()
    try:
        if not await asyncio.to_thread(here.poll, _START_SECONDS):
            raise SystemExit("the plain server did not start within a minute")
        yield here.recv(), process.pid or 0
    finally:
        process.terminate()
        await asyncio.to_thread(process.join)


def _process(folder: Path, admin_url: str, pipe: Connection) -> None:
    uvloop.run(_serve(folder, admin_url, pipe))


async def _serve(folder: Path, admin_url: str, pipe: Connection) -> None:
    authority = DevelopmentAuthority(Places(folder).pki)
    made = authority.service("plain")
    credentials = grpc.ssl_server_credentials(
        [(made.key_file.read_bytes(), made.cert_file.read_bytes())],
        made.ca_file.read_bytes() + authority.sensor_ca_file.read_bytes(),
        require_client_auth=True,
    )
    async with asyncpg.create_pool(admin_url, min_size=_CONNECTIONS, max_size=_CONNECTIONS) as pool:
        server = grpc.aio.server(options=[("grpc.max_receive_message_length", 20 << 20)])
        rpc.add_MatchServiceServicer_to_server(_Plain(pool), server)
        # Our channels ask for it.
        health_pb2_grpc.add_HealthServicer_to_server(aio.HealthServicer(), server)
        port = server.add_secure_port("127.0.0.1:0", credentials)
        await server.start()
        pipe.send(port)
        await server.wait_for_termination()
