"""One subscriber's stream: in order, at least once, never behind anybody's back."""

import asyncio
import contextvars
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from services.alerts import metrics
from services.alerts.core.floor import is_wanted
from services.alerts.core.subscription import Verdict, judge
from services.alerts.entitlement import Entitlement
from services.alerts.errors import BadTokenError, EpochChangedError, SlowSubscriberError
from services.alerts.feed import Feed, Published
from services.alerts.races import first_ending
from services.alerts.store import AlertStore, FeedHead
from services.alerts.subscription_book import Followed, SubscriptionBook
from services.alerts.tokens import ResumePoint, TokenSealer
from services.alerts.wire import Start
from services.alerts.wire_stream import encode_heartbeat, with_token
from services.common.clock import Clock
from services.common.errors import FieldViolation, InvalidFieldError, StorageUnavailableError

# The live feed reaches back so far and no further: what is older is a question, with case number and purpose.
LIVE_PERIOD = timedelta(hours=24)

_WATCH_SECONDS = 0.25
# When a replica comes back, everybody does at once. So many begin at a time; all together would wait for one
# another until each is out of time, and begin again.
_MOST_BEGINNING = 32
# A feed that could not be read for so long is ended: another replica may do better.
_STALE_AFTER_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast a subscriber must be, and how often it hears that nothing is new."""

    heartbeat_seconds: float
    backlog: int
    stall_seconds: float


Send = Callable[[bytes], Awaitable[None]]
"""Takes one encoded message, and returns when there is room for the next."""


class Subscriptions:
    """Opens streams over one feed."""

    def __init__(  # noqa: PLR0913 - what every stream is made of, put together in one place
        self,
        feed: Feed,
        store: AlertStore,
        book: SubscriptionBook,
        sealer: TokenSealer,
        *,
        clock: Clock,
        pace: Pace,
    ) -> None:
        self._feed = feed
        self._book = book
        self._store = store
        self._sealer = sealer
        self._clock = clock
        self._pace = pace
        self._watch = _Watch()
        self.door = asyncio.Semaphore(_MOST_BEGINNING)
        """To be held while a stream begins."""

    async def run(self, start: Start, entitlement: Entitlement, send: Send) -> None:
        """Sends until the stream ends; never returns by itself.

        Raises:
            BadTokenError, EpochChangedError, InvalidFieldError: It cannot begin there.
            EntitlementEndedError, SlowSubscriberError, EpochChangedError, StorageUnavailableError: It ended.
        """
        era, epoch = self._feed.era, self._feed.head.epoch
        account_id = entitlement.actor.account_id
        async with AsyncExitStack() as stack:
            async with self.door:
                point = await self._begin(start, account_id)
                if point.epoch != epoch:
                    # The table began anew, and this process has just heard of it or is about to.
                    era = await self._feed.reach(point.epoch)
                following = self._book.following(account_id, start.partition, point.position + 1)
                followed = await stack.enter_async_context(following)
            stream = _Stream(
                feed=self._feed,
                sealer=self._sealer,
                clock=self._clock,
                pace=self._pace,
                entitlement=entitlement,
                start=start,
                followed=followed,
                point=point,
                era=era,
                send=send,
            )
            with self._watching(stream):
                await first_ending(stream.deliver(), stream.broken(), entitlement.hold())

    @contextmanager
    def _watching(self, stream: "_Stream") -> Iterator[None]:
        metrics.SUBSCRIBERS.inc()
        try:
            with self._feed.waking(stream.awake), self._watch.over(stream):
                yield
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
        return ResumePoint(head.epoch, position, await self._store.mark_at(position), account_id)

    async def _resume(self, point: ResumePoint, head: FeedHead, account_id: str) -> ResumePoint:
        if point.account_id != account_id:
            raise BadTokenError("the resume token belongs to another account; begin without one")
        # A position that was not given out, or stands for something else: a restore that nobody declared.
        if point.epoch != head.epoch or await self._store.mark_at(point.position) != point.mark:
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


class _Watch:
    """Looks at all streams in turn. A timer for each of a thousand would be work while nothing happens."""

    def __init__(self) -> None:
        self._streams: set[_Stream] = set()
        self._work: asyncio.Task[None] | None = None

    @contextmanager
    def over(self, stream: "_Stream") -> Iterator[None]:
        """Watches `stream` meanwhile."""
        self._streams.add(stream)
        if self._work is None or self._work.done():
            # In a context of its own: it outlives the call that happened to start it.
            self._work = asyncio.create_task(self._run(), context=contextvars.Context())
        try:
            yield
        finally:
            self._streams.discard(stream)

    async def _run(self) -> None:
        while self._streams:
            await asyncio.sleep(_WATCH_SECONDS)
            for stream in tuple(self._streams):
                stream.check()


class _Stream:
    def __init__(  # noqa: PLR0913 - the parts of one stream, put together in one place
        self,
        *,
        feed: Feed,
        sealer: TokenSealer,
        clock: Clock,
        pace: Pace,
        entitlement: Entitlement,
        start: Start,
        followed: Followed,
        point: ResumePoint,
        era: int,
        send: Send,
    ) -> None:
        self.awake = asyncio.Event()
        """To be set when there is more."""
        self._feed = feed
        self._sealer = sealer
        self._clock = clock
        self._pace = pace
        self._entitlement = entitlement
        self._start = start
        self._followed = followed
        self._point = point
        self._era = era
        self._send = send
        self._is_live = False
        self._last_sent = -pace.heartbeat_seconds
        self._sending_since: float | None = None
        self._broken: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def deliver(self) -> None:
        """Sends what comes, in order of position; a heartbeat whenever nothing else was sent for a while.

        Raises:
            EpochChangedError: Positions do not mean what they did.
        """
        while True:
            self.awake.clear()
            batch = await self._feed.after(self._point.position)
            if self._feed.era != self._era:
                raise _epoch_changed(self._feed.head, self._clock.now())
            for published in batch:
                message = self._message(published)
                if message:
                    await self._hand_over(message)
            if self._is_heartbeat_due():
                beat = encode_heartbeat(self._point.epoch, self._clock.now())
                await self._hand_over(with_token(beat, self._sealer.seal(self._point)))
            if batch:
                self._note_lag(batch[0].item.feed_time)
            else:
                self._is_live = True
                await self.awake.wait()

    async def broken(self) -> None:
        """Never returns; raises what `check` found."""
        await self._broken

    def check(self) -> None:
        """Ends the stream of a subscriber that does not keep up, and of a feed that is not what it was."""
        if self._broken.done():
            return
        behind = self._feed.last_position - self._point.position
        stalled = self._sending_since is not None and (
            time.monotonic() - self._sending_since > self._pace.stall_seconds
        )
        if self._feed.era != self._era:
            self._broken.set_exception(_epoch_changed(self._feed.head, self._clock.now()))
        elif stalled or (self._is_live and behind > self._pace.backlog):
            self._broken.set_exception(
                SlowSubscriberError("the subscriber read too slowly; resume with the last token")
            )
        elif self._feed.age_seconds() > _STALE_AFTER_SECONDS:
            self._broken.set_exception(
                StorageUnavailableError("the feed cannot be read; resume on another replica")
            )
        elif self._is_heartbeat_due():
            self.awake.set()

    def _message(self, published: Published) -> bytes | None:
        """What is sent of the next position; None when it is not for this subscriber."""
        # Told with the message itself: a token of an earlier message never skips this one.
        item, point = published.item, self._point
        self._point = ResumePoint(point.epoch, item.position, item.mark, point.account_id)
        view = published.view(self._entitlement.actor.agency_ori, self._start.partition)
        if view is None or not is_wanted(view.categories, self._start.wanted):
            return None
        verdict = judge(self._followed.at(item.position), view.alert, item.feed_time)
        if verdict is Verdict.WITHHELD:
            return None
        return with_token(view.body, self._sealer.seal(self._point), quiet=verdict is Verdict.QUIET)

    async def _hand_over(self, message: bytes) -> None:
        self._sending_since = time.monotonic()
        await self._send(message)
        self._sending_since = None
        self._last_sent = time.monotonic()

    def _note_lag(self, oldest: datetime) -> None:
        # Of what came together the oldest waited longest.
        if self._is_live:
            metrics.DELIVERY_LAG.observe((self._clock.now() - oldest).total_seconds())

    def _is_heartbeat_due(self) -> bool:
        # No heartbeat while the table cannot be read: it would claim that nothing is new.
        fresh = self._feed.age_seconds() < self._pace.heartbeat_seconds
        quiet = time.monotonic() - self._last_sent
        # Before the time is over, as nobody looks again for so long.
        return fresh and quiet + _WATCH_SECONDS > self._pace.heartbeat_seconds


def _epoch_changed(head: FeedHead, now: datetime) -> EpochChangedError:
    return EpochChangedError(
        "the feed was restored and numbered anew; begin with `since`",
        metadata={"resync_from": max(head.resync_from, _earliest(now)).isoformat()},
    )


def _earliest(now: datetime) -> datetime:
    # A little later than what `since` allows, so that the answer is still good when it comes back.
    return now - LIVE_PERIOD + timedelta(minutes=1)
