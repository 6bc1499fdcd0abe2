"""The stream of alerts that goes on."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

import grpc
from google.protobuf.timestamp_pb2 import Timestamp

from alpr.alerts.v1 import alert_service_pb2 as pb
from alpr.type.v1.hit_pb2 import HotListCategory
from alpr.type.v1.sensor_pb2 import PARTITION_GENERAL, PARTITION_MOTOR_CARRIER
from platewarden_client.errors import (
    BAD_TOKEN,
    ENTITLEMENT_ENDED,
    EPOCH_CHANGED,
    RESYNC_FROM,
    Failure,
)
from platewarden_client.events import AlertEvent, EventKind, Gap, LinkState, Position
from platewarden_client.link import BrokenError, Link
from platewarden_client.pace import Pace
from platewarden_client.resume_file import ResumeFile

log = logging.getLogger("platewarden_client")


class AlertStream:
    """Alerts of the account's agency, in order, at least once, without end.

    Iterate over it inside `async with`. It reconnects by itself with growing pauses and goes on where it
    stopped, also after the program was stopped. An alert is taken when the next one is asked for (or by
    `taken`); only then is the token in the file moved past it. After a loop body that raised, or a crash, the
    next loop gets it again.

    Args:
        target: `host:port` of the service; its certificate must be for that host.
        access_token: Gives the account's access token; called before each connection, in a thread, so it may
            sign in and wait. What it raises ends the iteration.
        resume_file: Where the resume token is kept: one file for one stream of one account, in a folder that
            is there. None keeps it in memory: the stream goes on after every break, but not after the end of
            the program.
        ca_file: PEM of the authority of the service's certificate; None means the machine's own.
        categories: Wanted besides the floor that no filter takes away; none means all. What the person has
            subscribed to narrows further.
        motor_carrier: Alerts of the Motor Carrier Safety data set, for its own roles, and no others.
        since: Where to begin when there is no resume file yet, with a time zone, at most 24 hours back; None
            begins with the next alert.
        pace: Times of giving up and trying again.
        on_link: Told how the link stands, from the same event loop: with each try, with each message
            (heartbeats too), and when it breaks. For whoever shows how fresh the alerts are.
    """

    def __init__(  # noqa: PLR0913 - what a stream is, named by its caller
        self,
        target: str,
        *,
        access_token: Callable[[], str],
        resume_file: str | Path | None,
        ca_file: str | Path | None = None,
        categories: Iterable[HotListCategory.ValueType] = (),
        motor_carrier: bool = False,
        since: datetime | None = None,
        pace: Pace | None = None,
        on_link: Callable[[LinkState], None] | None = None,
    ) -> None:
        if since is not None and since.tzinfo is None:
            raise ValueError("`since` needs a time zone")
        self._target = target
        self._access_token = access_token
        self._file = None if resume_file is None else ResumeFile(Path(resume_file))
        self._ca_file = None if ca_file is None else Path(ca_file)
        self._categories = tuple(categories)
        self._partition = PARTITION_MOTOR_CARRIER if motor_carrier else PARTITION_GENERAL
        self._since = since
        self._pace = pace or Pace()
        self._on_link = on_link or _nothing
        self._link: Link | None = None
        # Where to go on: of the file first, then of what was taken since.
        self._token: str | None = None
        self._is_file_read = False
        # The token of what was given and not taken yet.
        self._given: str | None = None
        self._must_rewind = False
        # After a gap: from when to begin, instead of the token.
        self._resync_from: datetime | None = None
        self._failures = 0
        self._is_unproven = False
        self._kept_at: float | None = None

    async def __aenter__(self) -> Self:
        """The stream itself; it connects when the first alert is asked for."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Closes the connection. What was not taken is given again next time."""
        await self._disconnect()

    def __aiter__(self) -> Self:
        """The stream itself. Each loop begins after what was taken last, so a loop that failed is no loss."""
        self._must_rewind = self._given is not None
        self._given = None
        return self

    async def __anext__(self) -> AlertEvent | Gap:
        """Takes the event before, and gives the next one.

        Raises:
            EntitlementEndedError: The person may not follow alerts, or no longer.
            ResumeRefusedError: The resume token is not this account's or not this system's.
            RefusedError: The service refused for another reason that trying again does not mend.
            ResumeFileError: The resume file cannot be read or written, or is damaged.
        """
        await self.taken()
        while True:
            try:
                message = await self._next_message()
            except BrokenError as broken:
                gap = await self._recover(broken.failure)
                if gap is not None:
                    return gap
                continue
            event = _event_of(message)
            if event is not None:
                self._given = message.resume_token
                return event
            await self._pass(message.resume_token)

    async def taken(self) -> None:
        """Says that the last event was taken care of: the resume file is moved past it.

        Asking for the next event does the same; this is for a loop that is left early.

        Raises:
            ResumeFileError: The file cannot be written; the event counts as not taken.
        """
        if self._given is not None:
            await self._keep(self._given)
            self._given = None

    async def _pass(self, token: str) -> None:
        """Goes past what concerned others. All before it was taken, or this had not been asked for.

        The first one is kept at once, so that a crash before the first alert passes over nothing; later ones
        now and then, so that the token of an agency with few alerts does not grow too old.
        """
        now = time.monotonic()
        if self._kept_at is None or now - self._kept_at >= self._pace.keep_seconds:
            await self._keep(token)
        self._token = token

    async def _keep(self, token: str) -> None:
        if self._file is not None:
            await asyncio.to_thread(self._file.write, token)
        self._token = token
        self._kept_at = time.monotonic()

    async def _next_message(self) -> pb.SubscribeAlertsResponse:
        if self._must_rewind:
            await self._disconnect()
            self._must_rewind = False
        if self._link is None:
            self._link = await self._connect()
        try:
            message = await self._link.read(self._pace.quiet_seconds)
        except BaseException:
            # Also after a cancellation from outside: the call is over, and the next one goes on after the
            # token.
            await self._disconnect()
            raise
        self._failures = 0
        self._is_unproven = False
        self._resync_from = None
        self._on_link(LinkState.LIVE)
        return message

    async def _connect(self) -> Link:
        if self._file is not None and not self._is_file_read:
            self._token = await asyncio.to_thread(self._file.read)
            self._is_file_read = True
        self._on_link(LinkState.CONNECTING)
        access_token = (await asyncio.to_thread(self._access_token)).strip()
        return Link.opened(self._target, self._ca_file, access_token, self._request())

    def _request(self) -> pb.SubscribeAlertsRequest:
        request = pb.SubscribeAlertsRequest(categories=self._categories, partition=self._partition)
        if self._resync_from is not None:
            request.since.CopyFrom(_timestamp(self._resync_from))
        elif self._token is not None:
            request.resume_token = self._token
        elif self._since is not None:
            request.since.CopyFrom(_timestamp(self._since))
        return request

    async def _disconnect(self) -> None:
        link, self._link = self._link, None
        if link is not None:
            await link.close()

    async def _recover(self, failure: Failure) -> Gap | None:
        """Waits for the next try, or gives the gap with which the stream goes on. Raises what ends it."""
        self._failures += 1
        self._on_link(LinkState.BROKEN)
        gap = _gap_of(failure)
        if gap is not None and self._resync_from is None:
            self._resync_from = gap.since
            return gap
        if self._is_passing(failure):
            log.info("the stream of alerts broke (%s); trying again", failure.reason or failure.code.name)
            await asyncio.sleep(self._pace.pause_seconds(self._failures, failure.retry_seconds))
            return None
        raise failure.error()

    def _is_passing(self, failure: Failure) -> bool:
        if failure.reason == ENTITLEMENT_ENDED and not self._is_unproven:
            # It also ends when audit could not be asked for a while. Asked again, the service says which it
            # was.
            self._is_unproven = True
            return True
        if self._resync_from is not None and failure.code in {
            grpc.StatusCode.INVALID_ARGUMENT,
            grpc.StatusCode.FAILED_PRECONDITION,
        }:
            # The time of the gap grew too old while the service was away: the token gets a newer one.
            self._resync_from = None
            return True
        return not failure.is_final


def _nothing(_: LinkState) -> None:
    """Nobody wants to know."""


def _event_of(message: pb.SubscribeAlertsResponse) -> AlertEvent | None:
    position = Position(message.epoch, message.position)
    match message.WhichOneof("event"):
        case "raised":
            return AlertEvent(EventKind.RAISED, position, message.raised, message.quiet)
        case "updated":
            return AlertEvent(EventKind.UPDATED, position, message.updated, message.quiet)
        case _:
            return None


def _gap_of(failure: Failure) -> Gap | None:
    text = failure.metadata.get(RESYNC_FROM)
    if text is None or failure.reason not in {BAD_TOKEN, EPOCH_CHANGED}:
        return None
    try:
        since = datetime.fromisoformat(text)
    except ValueError:
        return None
    return Gap(since if since.tzinfo else since.replace(tzinfo=UTC), failure.reason)


def _timestamp(moment: datetime) -> Timestamp:
    made = Timestamp()
    made.FromDatetime(moment.astimezone(UTC))
    return made
