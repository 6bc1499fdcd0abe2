"""One subscriber's stream: in order, at least once, never behind anybody's back."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from services.alerts import metrics
from services.alerts.core.floor import is_wanted
from services.alerts.core.model import Category
from services.alerts.entitlement import Entitlement
from services.alerts.errors import BadTokenError, EpochChangedError, SlowSubscriberError
from services.alerts.feed import Feed, Published, View
from services.alerts.races import first_ending, wait_at_most
from services.alerts.store import AlertStore, FeedHead
from services.alerts.tokens import ResumePoint, TokenSealer
from services.alerts.wire import Start
from services.common.clock import Clock
from services.common.errors import FieldViolation, InvalidFieldError, StorageUnavailableError

# The live feed reaches back so far and no further: what is older is a question, with case number and purpose.
LIVE_PERIOD = timedelta(hours=24)

_WATCH_SECONDS = 0.25
# A feed that could not be read for so long is ended: another replica may do better.
_STALE_AFTER_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message: an alert, or a heartbeat when there is none. All up to `point` (in `token`) was sent."""

    token: str
    point: ResumePoint
    published: Published | None
    view: View | None


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast a subscriber must be, and how often it hears that nothing is new."""

    heartbeat_seconds: float
    backlog: int
    stall_seconds: float


Send = Callable[[Delivery], Awaitable[None]]


class Subscriptions:
    """Opens streams over one feed."""

    def __init__(self, feed: Feed, store: AlertStore, sealer: TokenSealer, clock: Clock, pace: Pace) -> None:
        self._feed = feed
        self._store = store
        self._sealer = sealer
        self._clock = clock
        self._pace = pace

    async def run(self, start: Start, entitlement: Entitlement, send: Send) -> None:
        """Sends until the stream ends; never returns by itself.

        Raises:
            BadTokenError, EpochChangedError, InvalidFieldError: It cannot begin there.
            EntitlementEndedError, SlowSubscriberError, EpochChangedError, StorageUnavailableError: It ended.
        """
        era = self._feed.era
        point = await self._begin(start, entitlement.actor.account_id)
        stream = _Stream(
            feed=self._feed,
            sealer=self._sealer,
            clock=self._clock,
            pace=self._pace,
            entitlement=entitlement,
            wanted=start.wanted,
            point=point,
            era=era,
            send=send,
        )
        metrics.SUBSCRIBERS.inc()
        try:
            await first_ending(stream.deliver(), stream.watch(), entitlement.hold())
        finally:
            metrics.SUBSCRIBERS.dec()

    async def _begin(self, start: Start, account_id: str) -> ResumePoint:
        head = await self._store.head()
        if start.token:
            return await self._resume(self._sealer.open(start.token), head, account_id)
        position = head.last_position
        if start.since is not None:
            self._require_recent(start.since)
            before = await self._store.position_before(start.since)
            position = head.last_position if before is None else before
        return ResumePoint(head.epoch, position, account_id)

    async def _resume(self, point: ResumePoint, head: FeedHead, account_id: str) -> ResumePoint:
        if point.account_id != account_id:
            raise BadTokenError("the resume token belongs to another account; begin without one")
        # A position that was never given out means a restore that nobody declared.
        if point.epoch != head.epoch or point.position > head.last_position:
            raise _epoch_changed(head, self._clock.now())
        next_time = await self._store.feed_time(point.position + 1)
        now = self._clock.now()
        if next_time is not None and next_time < now - LIVE_PERIOD:
            raise BadTokenError(
                "the resume token is older than 24 hours; begin with `since`",
                metadata={"resync_from": _earliest(now).isoformat()},
            )
        return point

    def _require_recent(self, since: datetime) -> None:
        if since < self._clock.now() - LIVE_PERIOD:
            violation = FieldViolation("since", "at most 24 hours back")
            raise InvalidFieldError("the live feed reaches back 24 hours", violations=[violation])


class _Stream:
    def __init__(  # noqa: PLR0913 - the parts of one stream, put together in one place
        self,
        *,
        feed: Feed,
        sealer: TokenSealer,
        clock: Clock,
        pace: Pace,
        entitlement: Entitlement,
        wanted: frozenset[Category],
        point: ResumePoint,
        era: int,
        send: Send,
    ) -> None:
        self._feed = feed
        self._sealer = sealer
        self._clock = clock
        self._pace = pace
        self._entitlement = entitlement
        self._wanted = wanted
        self._point = point
        self._era = era
        self._send = send
        self._is_live = False
        self._last_sent = -pace.heartbeat_seconds
        self._sending_since: float | None = None

    async def deliver(self) -> None:
        """Sends what comes, in order of position; a heartbeat whenever nothing else was sent for a while."""
        while True:
            changed = self._feed.changed
            batch = await self._feed.after(self._point.position)
            for published in batch:
                await self._offer(published)
            if self._is_heartbeat_due():
                await self._hand_over(self._delivery(None, None))
            if not batch:
                self._is_live = True
                await wait_at_most(changed, self._until_heartbeat())

    async def watch(self) -> None:
        """Ends the stream of a subscriber that does not keep up, and of a feed that is not what it was."""
        while True:
            await asyncio.sleep(_WATCH_SECONDS)
            if self._feed.era != self._era:
                raise _epoch_changed(self._feed.head, self._clock.now())
            behind = self._feed.last_position - self._point.position
            stalled = self._sending_since is not None and (
                time.monotonic() - self._sending_since > self._pace.stall_seconds
            )
            if stalled or (self._is_live and behind > self._pace.backlog):
                raise SlowSubscriberError("the subscriber read too slowly; resume with the last token")
            if self._feed.age_seconds() > _STALE_AFTER_SECONDS:
                raise StorageUnavailableError("the feed cannot be read; resume on another replica")

    async def _offer(self, published: Published) -> None:
        # Told with the message itself: a token of an earlier message never skips this one.
        self._point = ResumePoint(self._point.epoch, published.item.position, self._point.account_id)
        view = published.view(self._entitlement.actor.agency_ori)
        if view is None or not is_wanted(view.alert, self._wanted):
            return
        await self._hand_over(self._delivery(published, view))

    async def _hand_over(self, delivery: Delivery) -> None:
        self._sending_since = time.monotonic()
        await self._send(delivery)
        self._sending_since = None
        if self._is_live and delivery.published is not None:
            lag = self._clock.now() - delivery.published.item.feed_time
            metrics.DELIVERY_LAG.observe(lag.total_seconds())
        self._last_sent = time.monotonic()

    def _delivery(self, published: Published | None, view: View | None) -> Delivery:
        return Delivery(self._sealer.seal(self._point), self._point, published, view)

    def _is_heartbeat_due(self) -> bool:
        # No heartbeat while the table cannot be read: it would claim that nothing is new.
        fresh = self._feed.age_seconds() < self._pace.heartbeat_seconds
        return fresh and self._until_heartbeat() <= 0

    def _until_heartbeat(self) -> float:
        return self._last_sent + self._pace.heartbeat_seconds - time.monotonic()


def _epoch_changed(head: FeedHead, now: datetime) -> EpochChangedError:
    return EpochChangedError(
        "the feed was restored and numbered anew; begin with `since`",
        metadata={"resync_from": max(head.resync_from, _earliest(now)).isoformat()},
    )


def _earliest(now: datetime) -> datetime:
    # A little later than what `since` allows, so that the answer is still good when it comes back.
    return now - LIVE_PERIOD + timedelta(minutes=1)
