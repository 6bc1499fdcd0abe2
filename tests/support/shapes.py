"""A service of all four call shapes, whose behaviour a test gives, behind a real server."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import grpc

from services.common.client import ClientTls, service_channel, user_channel
from services.common.config import ServiceSettings
from services.common.identity import Context
from services.common.server import Server, ServerBuilder
from services.dev.pki import DevelopmentAuthority, IssuedCertificate

SERVICE = "test.Shapes"
SHAPES = ("UnaryUnary", "UnaryStream", "StreamUnary", "StreamStream")

Behaviour = Callable[[bytes, Context], Awaitable[bytes]]
Streaming = Callable[[bytes, Context], AsyncIterator[bytes]]


class Shapes:
    """Answers every request with what `one` gives, or streams what `many` yields."""

    def __init__(self, one: Behaviour | None = None, many: Streaming | None = None) -> None:
        self._one = one or _echo
        self._many = many

    async def unary_unary(self, request: bytes, context: Context) -> bytes:
        return await self._one(request, context)

    async def stream_unary(self, requests: AsyncIterator[bytes], context: Context) -> bytes:
        return b"".join([await self._one(request, context) async for request in requests])

    async def unary_stream(self, request: bytes, context: Context) -> AsyncIterator[bytes]:
        if self._many is None:
            yield await self._one(request, context)
            return
        async for answer in self._many(request, context):
            yield answer

    async def stream_stream(self, requests: AsyncIterator[bytes], context: Context) -> AsyncIterator[bytes]:
        async for request in requests:
            async for answer in self.unary_stream(request, context):
                yield answer


def add_shapes(shapes: Shapes, server: Any) -> None:
    """As the stubs' add_XServicer_to_server."""
    handlers = {
        "UnaryUnary": grpc.unary_unary_rpc_method_handler(shapes.unary_unary),
        "UnaryStream": grpc.unary_stream_rpc_method_handler(shapes.unary_stream),
        "StreamUnary": grpc.stream_unary_rpc_method_handler(shapes.stream_unary),
        "StreamStream": grpc.stream_stream_rpc_method_handler(shapes.stream_stream),
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))


def settings_of(certificate: IssuedCertificate, **values: Any) -> ServiceSettings:
    """Settings of a server on free ports of this machine."""
    given = {"listen": "127.0.0.1:0", "user_listen": "127.0.0.1:0", "shutdown_grace_seconds": 2.0, **values}
    return ServiceSettings(
        tls_cert=certificate.cert_file, tls_key=certificate.key_file, tls_ca=certificate.ca_file, **given
    )


def builder_of(tls: DevelopmentAuthority, shapes: Shapes, **values: Any) -> ServerBuilder:
    """A builder with `shapes`, as the service `audit`."""
    builder = ServerBuilder(settings_of(tls.server("audit"), **values), name="audit")
    return builder.add(SERVICE, add_shapes, shapes)


@asynccontextmanager
async def running(builder: ServerBuilder) -> AsyncIterator[Server]:
    """The server, started; stopped at the end."""
    server = builder.build()
    try:
        await server.start()
        yield server
    finally:
        await server.stop()


def client_tls(certificate: IssuedCertificate) -> ClientTls:
    """The certificate as channels take it."""
    return ClientTls(certificate.cert_file, certificate.key_file, certificate.ca_file)


@dataclass(frozen=True)
class Caller:
    """Calls a running server."""

    channel: grpc.aio.Channel

    async def call(self, request: bytes = b"x", *, shape: str = "UnaryUnary", **options: Any) -> bytes:
        """All of the answer, joined."""
        made = self.start(request, shape=shape, **options)
        if shape.endswith("Unary"):
            return bytes(await made)
        return b"".join([answer async for answer in made])

    def start(self, request: bytes = b"x", *, shape: str = "UnaryUnary", **options: Any) -> Any:
        """The call, under way."""
        makers = {
            "UnaryUnary": self.channel.unary_unary,
            "UnaryStream": self.channel.unary_stream,
            "StreamUnary": self.channel.stream_unary,
            "StreamStream": self.channel.stream_stream,
        }
        sent: Any = _stream(request) if shape.startswith("Stream") else request
        return makers[shape](f"/{SERVICE}/{shape}")(sent, **{"timeout": 10, **options})


@asynccontextmanager
async def service_caller(
    tls: DevelopmentAuthority, server: Server, *, certificate: IssuedCertificate | None = None
) -> AsyncIterator[Caller]:
    """Calls with a certificate, by default that of the service `search`."""
    own = client_tls(certificate or tls.service("search"))
    async with service_channel(f"127.0.0.1:{server.port}", own, server_name="audit") as channel:
        yield Caller(channel)


@asynccontextmanager
async def user_caller(tls: DevelopmentAuthority, server: Server) -> AsyncIterator[Caller]:
    """Calls as a person."""
    async with user_channel(f"localhost:{server.user_port}", tls.ca_file) as channel:
        yield Caller(channel)


async def _echo(request: bytes, _context: Context) -> bytes:
    return request


async def _stream(request: bytes) -> AsyncIterator[bytes]:
    yield request
