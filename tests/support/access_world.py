"""A running system with one principal of every kind, and calls of any RPC as each of them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import grpc
from google.protobuf import message_factory
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import Message

from services.common.client import ClientTls, bearer, service_channel, user_channel
from services.common.errors import from_rpc_error
from services.dev.pki import DevelopmentAuthority
from services.dev.supervisor import Supervisor

SERVICES: Final = ("audit", "alerts", "search", "matcher", "ocr")
REFUSED: Final = frozenset({grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED})
# What an answer to a call looks like that was let through and then waits for more.
OPEN: Final = "OPEN"
_SECONDS: Final = 12.0
_HEARS_AT_ONCE: Final = 2.0


@dataclass(frozen=True, slots=True)
class Principal:
    """Somebody or something that calls: with a certificate of its own, or with a token, or with neither."""

    name: str
    tls: ClientTls | None = None
    subject: str = ""


@dataclass
class Callers:
    """Calls as anybody. Channels stay open until `close`."""

    stack: Supervisor
    _channels: dict[tuple[str, str], grpc.aio.Channel] = field(default_factory=dict)

    async def outcome(self, who: Principal, method: MethodDescriptor, *requests: Message) -> str:
        """Name of the status code with which the call ended; OK with its first answer, OPEN without one."""
        call = self._call(who, method, requests[0])
        try:
            async with asyncio.timeout(_SECONDS):
                await _first(call, requests if method.client_streaming else ())
        except grpc.aio.AioRpcError as error:
            return error.code().name
        except TimeoutError:
            return OPEN
        finally:
            call.cancel()
        return grpc.StatusCode.OK.name

    async def answer(self, who: Principal, method: MethodDescriptor, request: Message) -> Any:
        """The answer to a unary call, which must have one."""
        try:
            return await self._call(who, method, request)
        except grpc.aio.AioRpcError as error:
            raise AssertionError(f"{method.name}: {from_rpc_error(error).violations}") from error

    async def close(self) -> None:
        """Closes the channels."""
        for channel in self._channels.values():
            await channel.close()

    def _call(self, who: Principal, method: MethodDescriptor, request: Message) -> Any:
        service = method.containing_service.full_name
        ways = (method.client_streaming, method.server_streaming)
        kind = "_".join("stream" if way else "unary" for way in ways)
        answer = message_factory.GetMessageClass(method.output_type)
        make = getattr(self.channel(who, service.split(".")[1]), kind)(
            f"/{service}/{method.name}",
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=answer.FromString,
        )
        metadata = (bearer(self.stack.token(who.subject)),) if who.subject else ()
        if method.client_streaming:
            return make(metadata=metadata, timeout=_SECONDS)
        return make(request, metadata=metadata, timeout=None if method.server_streaming else _SECONDS)

    def channel(self, who: Principal, service: str) -> grpc.aio.Channel:
        """The open channel to the service, with the principal's certificate if it has one."""
        key = ("" if who.tls is None else who.name, service)
        if key not in self._channels:
            self._channels[key] = (
                user_channel(self.stack.targets[service], self.stack.ca_file)
                if who.tls is None
                else service_channel(self.stack.machine_targets[service], who.tls, server_name=service)
            )
        return self._channels[key]


def machines(authority: DevelopmentAuthority, sensor_id: str, agency_ori: str) -> Iterator[Principal]:
    """Every service, the log's witness, a sensor and an agency's system, each with its certificate."""
    named = [("service", name, f"service {name}") for name in (*SERVICES, "witness")]
    named += [("sensor", sensor_id, "sensor"), ("agency", agency_ori, "agency")]
    for kind, name, title in named:
        made = getattr(authority, kind)(name)
        yield Principal(title, ClientTls(made.cert_file, made.key_file, made.ca_file))


async def _first(call: Any, requests: Sequence[Message]) -> None:
    """Returns with the first answer; raises what the call ended with instead."""
    if requests:
        # Who writes into a call that has just ended is told so by the transport, and not by the server.
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.shield(asyncio.ensure_future(call.code())), _HEARS_AT_ONCE)
        if not call.done():
            for request in requests:
                await call.write(request)
            await call.done_writing()
    if isinstance(call, grpc.aio.UnaryStreamCall | grpc.aio.StreamStreamCall):
        await call.read()
        return
    await call
