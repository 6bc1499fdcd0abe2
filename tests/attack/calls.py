"""Calls with bytes, as anybody, and what is to be said of their end."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import grpc
from google.protobuf import message_factory
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import DecodeError
from grpc_status import rpc_status

from services.common.client import bearer
from services.common.errors import DOMAIN, REQUEST_ID, from_rpc_error
from tests.attack.values import CANARY, PLATE_CANARY
from tests.support.access_world import OPEN, Callers, Principal

OK: Final = grpc.StatusCode.OK.name
# The transport's own word for a message beyond `max_message_bytes`; it comes before any code of ours.
_TRANSPORT: Final = frozenset({grpc.StatusCode.RESOURCE_EXHAUSTED})
# Nothing that anybody sends may end so.
_OURS: Final = frozenset(
    {
        grpc.StatusCode.INTERNAL,
        grpc.StatusCode.UNKNOWN,
        grpc.StatusCode.UNIMPLEMENTED,
        grpc.StatusCode.DATA_LOSS,
        grpc.StatusCode.CANCELLED,
    }
)
_SECONDS: Final = 40.0
_MOST_ANSWERS: Final = 3
# What gRPC's client says, and no server, when a call ends while it still writes into it. What the servers
# count as an error of theirs is looked at besides.
_RACE: Final = "Internal error from Core"
_TRIES: Final = 3
ENDED_EARLY: Final = "ENDED_EARLY"
_TOKEN_SECONDS: Final = 240.0


@dataclass(frozen=True, slots=True)
class Ended:
    """How a call ended: name of its status code, OPEN for a stream that goes on; what was wrong with that.

    With an error of ours comes the id under which the service's log has it.
    """

    code: str
    wrong: str = ""
    request_id: str = ""
    answers: tuple[bytes, ...] = ()


@dataclass
class RawCalls:
    """Calls whose messages are bytes.

    Attributes:
        stream_seconds: So long the first answers of a stream are waited for.
    """

    callers: Callers
    stream_seconds: float = 0.25
    _tokens: dict[str, tuple[float, str]] = field(default_factory=dict)

    async def end_of(self, who: Principal, method: MethodDescriptor, messages: Sequence[bytes]) -> Ended:
        """Sends `messages` and says how the call ended; a stream of answers is left after the first ones."""
        for _ in range(_TRIES):
            ended = await self._end_of(who, method, messages)
            if not ended.wrong.endswith(_RACE):
                return ended
        return Ended(ENDED_EARLY)

    async def _end_of(self, who: Principal, method: MethodDescriptor, messages: Sequence[bytes]) -> Ended:
        call = self._call(who, method, messages)
        try:
            async with asyncio.timeout(self.stream_seconds if method.server_streaming else _SECONDS):
                answers = await _answers(call, method)
        except grpc.aio.AioRpcError as error:
            return judged(error)
        except TimeoutError:
            return Ended(OPEN) if method.server_streaming else Ended("NONE", "no answer")
        finally:
            call.cancel()
        return Ended(OK, _of_answers(answers, method), answers=tuple(answers))

    def _call(self, who: Principal, method: MethodDescriptor, messages: Sequence[bytes]) -> Any:
        service = method.containing_service.full_name
        ways = (method.client_streaming, method.server_streaming)
        kind = "_".join("stream" if way else "unary" for way in ways)
        channel = self.callers.channel(who, service.split(".")[1])
        make = getattr(channel, kind)(f"/{service}/{method.name}")
        request: Any = _stream(messages) if method.client_streaming else messages[0]
        metadata = (bearer(self._token(who.subject)),) if who.subject else ()
        return make(request, metadata=metadata, timeout=None if method.server_streaming else _SECONDS)

    def _token(self, subject: str) -> str:
        made, token = self._tokens.get(subject, (0.0, ""))
        if time.monotonic() - made > _TOKEN_SECONDS:
            made, token = time.monotonic(), self.callers.stack.token(subject)
            self._tokens[subject] = (made, token)
        return token


def judged(error: grpc.aio.AioRpcError) -> Ended:
    """The end that the error is; wrong when it is untyped, of ours, or repeats what was sent.

    What the metadata names as `resource` is an id or name that the caller gave, and his to hear.
    """
    code, said = error.code(), f"{error.details()} {from_rpc_error(error).violations}"
    if code in _OURS:
        made = from_rpc_error(error)
        return Ended(code.name, f"{code.name}: {error.details()}", made.metadata.get(REQUEST_ID, ""))
    if CANARY in said or PLATE_CANARY in said:
        return Ended(code.name, f"{code.name} repeats what was sent: {said}")
    if DOMAIN not in _details(error) and code not in _TRANSPORT:
        return Ended(code.name, f"{code.name} without a reason: {error.details()}")
    return Ended(code.name)


def _details(error: grpc.aio.AioRpcError) -> str:
    """All that the error says besides its text, as text."""
    with contextlib.suppress(ValueError):
        if (status := rpc_status.from_call(error)) is not None:  # type: ignore[arg-type]
            return str(status)
    return ""


async def _answers(call: Any, method: MethodDescriptor) -> list[bytes]:
    if not method.server_streaming:
        return [await call]
    answers: list[bytes] = []
    async for answer in call:
        answers.append(answer)
        if len(answers) >= _MOST_ANSWERS:
            break
    return answers


def _of_answers(answers: Sequence[bytes], method: MethodDescriptor) -> str:
    made = message_factory.GetMessageClass(method.output_type)
    try:
        for answer in answers:
            made.FromString(answer)
    except DecodeError:
        return "an answer that is no message"
    return ""


async def _stream(messages: Sequence[bytes]) -> Any:
    for message in messages:
        yield message
