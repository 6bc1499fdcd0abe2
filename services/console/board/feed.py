"""Alerts as server-sent events, from SubscribeAlerts with the person's own token (ENF-051 IV.D.3).

The console keeps nothing of a feed: each event's id is the service's own sealed token, and whoever comes
back with it, to any replica, goes on after it. A feed ends when the screen locks or the token is to be
renewed, and when the console stops; the page then comes again, and the door decides.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import grpc
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from alpr.alerts.v1 import alert_service_pb2 as pb
from alpr.alerts.v1 import alert_service_pb2_grpc as rpc
from alpr.type.v1 import sensor_pb2
from alpr.type.v1.error_reason_pb2 import ErrorReason
from services.common.errors import AlprError, DependencyUnavailableError, FieldViolation, InvalidFieldError
from services.console import words
from services.console.board.shown import shown
from services.console.door import Person
from services.console.following import ends_at

# The service goes back 24 hours; some minutes less, for its clock is not this one.
_LONGEST_BACK: Final = timedelta(hours=24) - timedelta(minutes=5)
# It sends a heartbeat at least every five seconds.
_QUIET_SECONDS: Final = 11.0
_GAPS: Final = frozenset({ErrorReason.ERROR_REASON_BAD_TOKEN, ErrorReason.ERROR_REASON_EPOCH_CHANGED})
# Trying again does not mend these by itself.
_FINAL: Final = frozenset(
    {
        grpc.StatusCode.UNAUTHENTICATED,
        grpc.StatusCode.PERMISSION_DENIED,
        grpc.StatusCode.INVALID_ARGUMENT,
        grpc.StatusCode.FAILED_PRECONDITION,
        grpc.StatusCode.NOT_FOUND,
        grpc.StatusCode.UNIMPLEMENTED,
        grpc.StatusCode.OUT_OF_RANGE,
    }
)


async def follow(request: Request, person: Person) -> Response:
    """The feed: `category` (numbers, besides the floor) and `set` are of its address; Last-Event-ID says
    after which event it goes on. Raises InvalidFieldError.
    """
    asked = _asked(request)
    # Whatever stands between must not hold events back.
    headers = {"X-Accel-Buffering": "no"}
    events = _events(person, asked, ends_at(person))
    return StreamingResponse(events, media_type="text/event-stream", headers=headers)


def _asked(request: Request) -> pb.SubscribeAlertsRequest:
    query = request.query_params
    carrier = query.get("set") == "motor-carrier"
    asked = pb.SubscribeAlertsRequest(
        partition=sensor_pb2.PARTITION_MOTOR_CARRIER if carrier else sensor_pb2.PARTITION_GENERAL
    )
    try:
        numbers: Any = [int(text) for text in query.getlist("category")]
    except ValueError:
        wrong = FieldViolation("category", "is the number of a category")
        raise InvalidFieldError("There is no such category.", violations=[wrong]) from None
    asked.categories.extend(numbers)
    asked.resume_token = request.headers.get("last-event-id", "")
    if not asked.resume_token:
        asked.since.FromDatetime(datetime.now(UTC) - _LONGEST_BACK)
    return asked


async def _events(
    person: Person, asked: pb.SubscribeAlertsRequest, until: float
) -> AsyncGenerator[str, None]:
    """The events until something ends them; the last one says what."""
    while True:
        try:
            async with aclosing(_followed(person, asked, until)) as events:
                async for event in events:
                    yield event
        except AlprError as error:
            since = _gap(error)
            if since is None or asked.HasField("since"):
                yield _event("over", _over(error))
                return
            yield _event("gap", {"since": since.isoformat()})
            asked.resume_token = ""
            asked.since.FromDatetime(since)
        else:
            yield _event("again", {})
            return


async def _followed(
    person: Person, asked: pb.SubscribeAlertsRequest, until: float
) -> AsyncGenerator[str, None]:
    stream = person.stream(rpc.AlertServiceStub, "SubscribeAlerts", asked, alone=True)
    async with aclosing(stream) as messages:
        while (left := until - time.time()) > 0 and not person.services.is_stopping():
            try:
                async with asyncio.timeout(min(left, _QUIET_SECONDS)):
                    message = await anext(messages, None)
            except TimeoutError:
                if left > _QUIET_SECONDS:
                    raise DependencyUnavailableError("No word came from the alerts service.") from None
                return
            if message is None:
                raise DependencyUnavailableError("The alerts service ended the stream.")
            yield _of_message(message)


def _of_message(message: pb.SubscribeAlertsResponse) -> str:
    kind = message.WhichOneof("event")
    if kind == "heartbeat":
        at = words.moment(message.heartbeat.server_time).isoformat()
        return _event("beat", {"at": at}, message.resume_token)
    alert = message.raised if kind == "raised" else message.updated
    value = {
        "alert": shown(alert, quiet=message.quiet),
        "fresh": kind == "raised",
        "epoch": message.epoch,
        # A time in microseconds: scripts keep whole numbers up to 2 ** 53 exactly, which lasts until 2255.
        "position": message.position,
    }
    return _event("alert", value, message.resume_token)


def _event(kind: str, value: Mapping[str, Any], token: str = "") -> str:
    """One event. JSON has no line feed, so no text of an alert can end it."""
    head = f"id: {token}\n" if token else ""
    return f"{head}event: {kind}\ndata: {json.dumps(value)}\n\n"


def _over(error: AlprError) -> Mapping[str, Any]:
    return {
        "sentence": error.message,
        # Of a gap it is told when it comes back with the last id that it has.
        "final": error.code in _FINAL and _gap(error) is None,
        "seconds": (error.retry_after_ms or 0) / 1000,
    }


def _gap(error: AlprError) -> datetime | None:
    """From when the feed can go on after all, when it cannot go on after the token."""
    text = error.metadata.get("resync_from")
    if text is None or error.reason not in _GAPS:
        return None
    try:
        since = datetime.fromisoformat(text)
    except ValueError:
        return None
    return since if since.tzinfo else since.replace(tzinfo=UTC)
