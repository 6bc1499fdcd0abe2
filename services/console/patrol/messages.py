"""Messages to the car that the person is aboard of: those that wait, and word of each that comes.

What nobody aboard has seen waits at the service: whoever comes back, to any replica, gets it again.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from typing import Any, Final

import grpc
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from alpr.alerts.v1 import dispatch_service_pb2 as pb
from alpr.alerts.v1 import dispatch_service_pb2_grpc as rpc
from services.common.errors import AlprError
from services.console import following, words
from services.console.door import Person

_ASHORE: Final = "ASHORE"
_PASSING: Final = frozenset({grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED})


async def waiting(person: Person) -> Sequence[pb.AssetMessage] | None:
    """What nobody aboard has seen yet, oldest first; None when the person is aboard of no car.

    Raises:
        AlprError: The person may not have messages, or the service does not answer.
    """
    try:
        return [one.message for one in await following.waiting(_stream(person))]
    except AlprError as error:
        if error.metadata.get("state") == _ASHORE:
            return None
        raise


async def follow(_request: Request, person: Person) -> Response:
    """Server-sent events: the id of each message, and that nothing is new. The page fetches what it shows."""
    return StreamingResponse(
        _events(person, following.ends_at(person)),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


async def _events(person: Person, until: float) -> AsyncGenerator[str, None]:
    try:
        async with aclosing(_stream(person)) as answers:
            while (left := until - time.time()) > 0:
                async with asyncio.timeout(min(left, following.QUIET_SECONDS)):
                    answer = await anext(answers, None)
                if answer is None:
                    break
                yield _of_answer(answer)
        yield _event("again", {})
    except TimeoutError:
        yield _event("again", {})
    except AlprError as error:
        final = error.code not in _PASSING
        yield _event("over", {"sentence": error.message, "final": final, "seconds": 0})


def _stream(person: Person) -> Any:
    return person.stream(rpc.DispatchServiceStub, "WatchDeliveries", pb.WatchDeliveriesRequest(), alone=True)


def _of_answer(answer: pb.WatchDeliveriesResponse) -> str:
    if answer.WhichOneof("event") == "heartbeat":
        return _event("beat", {"at": words.moment(answer.heartbeat.server_time).isoformat()})
    return _event("alert", {"id": answer.message.delivery_id})


def _event(kind: str, value: Mapping[str, Any]) -> str:
    return f"event: {kind}\ndata: {json.dumps(value)}\n\n"
