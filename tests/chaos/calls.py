"""Calls by callers who do not give up: the same request again until it is answered or refused for good."""

from __future__ import annotations

import asyncio
import random
import time
from typing import Any, Final

import grpc

from services.cli.locate import CommandError
from services.cli.session import Session
from tests.chaos.answers import Answers

# What a caller of any gRPC service takes for "perhaps, perhaps not; ask again".
_AGAIN: Final = frozenset(
    {
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.CANCELLED,
        grpc.StatusCode.ABORTED,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        grpc.StatusCode.INTERNAL,
        grpc.StatusCode.UNKNOWN,
    }
)
_PAUSE_SECONDS: Final = 0.3
_TRY_SECONDS: Final = 12.0
_PATIENCE_SECONDS: Final = 90.0


class RefusedError(Exception):
    """A call was refused for good, or had no answer for too long."""


async def insist(answers: Answers, kind: str, session: Session, method: Any, request: Any) -> Any:
    """The answer. `request` is a message, or a function that makes the iterator of a client stream.

    Raises:
        RefusedError: There is none; what was asked for may have happened all the same.
    """
    give_up = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            body = request() if callable(request) else request
            answer = await method(body, metadata=await session.metadata(), timeout=_TRY_SECONDS)
        except grpc.aio.AioRpcError as error:
            answers.refused(kind, error)
            if error.code() not in _AGAIN or time.monotonic() > give_up:
                raise RefusedError(f"{kind}: {error.code().name}") from None
        except CommandError:
            # The issuer of tokens has not answered in time: it stands beside a system under load.
            if time.monotonic() > give_up:
                raise RefusedError(f"{kind}: no token") from None
        else:
            answers.ok(kind)
            return answer
        await asyncio.sleep(_PAUSE_SECONDS * random.uniform(0.5, 1.5))
