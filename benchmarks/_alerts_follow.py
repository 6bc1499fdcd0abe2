"""What the subscribers of the benchmark do: follow alerts, or the fan-out with nothing behind it."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import grpc

from alpr.alerts.v1 import alert_service_pb2 as pb
from alpr.alerts.v1 import alert_service_pb2_grpc as rpc
from benchmarks._alerts_crowd import NEW_STREAM, Record
from benchmarks._alerts_server import SERVICE
from services.cli.locate import CommandError
from services.cli.tokens import DevelopmentTokens
from services.common.client import ClientTls, bearer

_OPTIONS: Final = (
    # A connection each: cars do not share one.
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.ssl_target_name_override", "alerts"),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 500),
)
_PAUSE_SECONDS: Final = (0.1, 1.0)
_tokens: dict[str, tuple[DevelopmentTokens, asyncio.Lock]] = {}


@dataclass(frozen=True, slots=True)
class Seat:
    """Where a subscriber connects to, with which certificate, and who it is."""

    target: str
    tls: ClientTls
    data_dir: Path
    subject: str


def plate_of(number: int) -> str:
    """The plate of alert `number`; each number raises an alert of its own."""
    return f"B{number:07d}"


def number_of(plate: str) -> int:
    """The number that `plate_of` made it from."""
    return int(plate[1:])


def by_plate(alert: pb.Alert) -> int:
    """The number in the plate."""
    return number_of(alert.plate)


def by_capture_time(alert: pb.Alert) -> int:
    """The microsecond of its capture."""
    return alert.capture_time.ToMicroseconds()


async def follow_alerts(seat: Seat, record: Record, number: Callable[[pb.Alert], int] = by_plate) -> None:
    """Follows as a member's program does: resumes after the last message, whatever ended the stream."""
    token = ""
    async with _channel(seat) as channel:
        stub: Any = rpc.AlertServiceStub(channel)
        while True:
            try:
                request = pb.SubscribeAlertsRequest(resume_token=token)
                call = stub.SubscribeAlerts(request, metadata=(bearer(await _access_token(seat)),))
                async for message in call:
                    token = message.resume_token
                    _note(message, record, number)
            except grpc.aio.AioRpcError as error:
                if not _may_pass(error):
                    raise RuntimeError(f"{error.code().name} {error.details()}") from None
            except CommandError:
                # The issuer of tokens is away, as everything else may be.
                pass
            record.note(NEW_STREAM)
            # Not all at one moment: what a client does that wants to be served.
            await asyncio.sleep(random.uniform(*_PAUSE_SECONDS))  # noqa: S311 - keeps no secret


async def follow_bare(seat: Seat, record: Record) -> None:
    """Does the same with each message as `follow_alerts`; only what the server does is another thing."""
    async with _channel(seat) as channel:
        parse = pb.SubscribeAlertsResponse.FromString
        call: Any = channel.unary_stream(f"/{SERVICE}/Follow", response_deserializer=parse)(b"")
        async for message in call:
            _note(message, record, by_plate)


def _note(message: pb.SubscribeAlertsResponse, record: Record, number: Callable[[pb.Alert], int]) -> None:
    if message.HasField("raised"):
        record.note(number(message.raised))
        record.sample = record.sample or message.SerializeToString()
    record.connected.set()


def _may_pass(error: grpc.aio.AioRpcError) -> bool:
    return error.code() in {
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.CANCELLED,
        grpc.StatusCode.INTERNAL,
        grpc.StatusCode.UNKNOWN,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        # The sign-in is over after ten minutes; with a new token it goes on.
        grpc.StatusCode.PERMISSION_DENIED,
        grpc.StatusCode.UNAUTHENTICATED,
    }


def _channel(seat: Seat) -> grpc.aio.Channel:
    tls = seat.tls
    credentials = grpc.ssl_channel_credentials(
        tls.ca.read_bytes(), tls.key.read_bytes(), tls.certificate.read_bytes()
    )
    return grpc.aio.secure_channel(seat.target, credentials, options=_OPTIONS)


async def _access_token(seat: Seat) -> str:
    """One that all subscribers of this process who are the same person share."""
    source, alone = _tokens.setdefault(
        seat.subject, (DevelopmentTokens(seat.data_dir, seat.subject), asyncio.Lock())
    )
    async with alone:
        return await source()
