"""Whether processes of the stack are ready."""

import asyncio
import http.client
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from services.common.client import ClientTls

_SECONDS = 1.0


@asynccontextmanager
async def probe_channel(target: str, tls: ClientTls, server_name: str) -> AsyncIterator[grpc.aio.Channel]:
    """A channel with mutual TLS that tries to connect several times a second."""
    credentials = grpc.ssl_channel_credentials(
        tls.ca.read_bytes(), tls.key.read_bytes(), tls.certificate.read_bytes()
    )
    options = [
        ("grpc.ssl_target_name_override", server_name),
        ("grpc.initial_reconnect_backoff_ms", 100),
        ("grpc.min_reconnect_backoff_ms", 100),
        ("grpc.max_reconnect_backoff_ms", 200),
    ]
    async with grpc.aio.secure_channel(target, credentials, options=options) as channel:
        yield channel


async def is_serving(channel: grpc.aio.Channel) -> bool:
    """Whether the server behind the channel answers that all of it is healthy (grpc.health.v1)."""
    try:
        stub: Any = health_pb2_grpc.HealthStub(channel)  # its types name no methods
        answer = await stub.Check(health_pb2.HealthCheckRequest(), timeout=_SECONDS)
    except grpc.aio.AioRpcError:
        return False
    return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)


async def is_listening(host: str, port: int) -> bool:
    """Whether somebody accepts connections there."""
    try:
        _, writer = await asyncio.wait_for(asyncio.open_connection(host, port), _SECONDS)
    except (OSError, TimeoutError):
        return False
    writer.close()
    return True


async def is_answering(host: str, port: int, path: str, ca_file: Path) -> bool:
    """Whether a server with a certificate of that authority answers `path` with 200 there, over HTTPS."""
    return await asyncio.to_thread(_answers, host, port, path, ca_file)


def _answers(host: str, port: int, path: str, ca_file: Path) -> bool:
    context = ssl.create_default_context(cafile=str(ca_file))
    connection = http.client.HTTPSConnection(host, port, timeout=_SECONDS, context=context)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
