"""The feed as this process knows it: a tailer that follows the table, and the newest positions in memory."""

import asyncio
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

import structlog

from services.alerts.core.model import Alert, Category, FeedItem, Partition
from services.alerts.core.view import visible_to
from services.alerts.races import wait_at_most
from services.alerts.store import AlertStore, FeedHead
from services.alerts.subscription_book import SubscriptionBook
from services.alerts.wire_stream import encode_event
from services.common.errors import StorageUnavailableError

log = structlog.get_logger()

POLL_SECONDS = 1.0
_REACH_SECONDS = 5.0
_PAGE = 500
# Older pages that are kept: after a restart everybody resumes from about the same place.
_OLDER_PAGES = 8


@dataclass(frozen=True, slots=True)
class View:
    """An alert as one agency sees it; `body` is encoded once for all its subscribers (wire_stream)."""

    alert: Alert
    categories: frozenset[Category]
    body: bytes


class Published:
    """A position of the feed, with what each agency sees of it."""

    __slots__ = ("_epoch", "_partition", "_views", "item")

    def __init__(self, item: FeedItem, epoch: int) -> None:
        self.item = item
        self._partition = item.alert.partition
        self._epoch = epoch
        self._views: dict[str, View | None] = {}

    def view(self, agency_ori: str, partition: Partition = Partition.GENERAL) -> View | None:
        """What the agency sees in the data set; None when the alert is not its business."""
        if self._partition is not partition:
            return None
        if agency_ori not in self._views:
            self._views[agency_ori] = self._seen_by(agency_ori)
        return self._views[agency_ori]

    def _seen_by(self, agency_ori: str) -> View | None:
        alert = visible_to(self.item.alert, agency_ori, self._partition)
        if alert is None:
            return None
        categories = frozenset(match.entry.category for match in alert.matches)
        return View(alert, categories, encode_event(self.item, alert, self._epoch))


class Feed:
    """Follows the feed. Subscribers near its end read from memory, others from the table."""

    def __init__(self, store: AlertStore, book: SubscriptionBook, *, ring_size: int) -> None:
        self._store = store
        self._book = book
        self._ring_size = ring_size
        self._ring: dict[int, Published] = {}
        # Pages of the table, by the position before the first of each; the one used last comes last.
        self._older: dict[int, dict[int, Published]] = {}
        self._reading = asyncio.Lock()
        self._last = 0
        self._last_mark = 0
        self._head = FeedHead(epoch=0, last_position=0, resync_from=datetime.min.replace(tzinfo=UTC))
        self._seen_at = 0.0
        self._era = 0
        self._awake = asyncio.Event()
        self._followers: set[asyncio.Event] = set()

    @property
    def head(self) -> FeedHead:
        """The head of the feed as last read; epoch 0 before `start`."""
        return self._head

    @property
    def era(self) -> int:
        """Changes when positions of before mean nothing any more: another epoch, or a feed that went back."""
        return self._era

    @property
    def last_position(self) -> int:
        """The newest position that this process knows."""
        return self._last

    @contextmanager
    def waking(self, follower: asyncio.Event) -> Iterator[asyncio.Event]:
        """Sets `follower` whenever there is more. Clear it first, then read, then wait."""
        self._followers.add(follower)
        try:
            yield follower
        finally:
            self._followers.discard(follower)

    def age_seconds(self) -> float:
        """How long ago the feed was last known to be complete up to `last_position`."""
        return time.monotonic() - self._seen_at

    def wake(self) -> None:
        """Says that the table may have more."""
        self._awake.set()

    async def reach(self, epoch: int) -> int:
        """The era of `epoch`, which the table has begun, once this process follows that too.

        Raises:
            StorageUnavailableError: It does not within a few seconds.
        """
        with self.waking(asyncio.Event()) as begun:
            self.wake()
            try:
                async with asyncio.timeout(_REACH_SECONDS):
                    while self._head.epoch < epoch:
                        begun.clear()
                        await begun.wait()
            except TimeoutError:
                raise StorageUnavailableError("the feed cannot be read; try another replica") from None
        return self._era

    async def start(self) -> None:
        """Begins at the end of the feed as it is now."""
        head = await self._store.head()
        await self._book.catch_up(head.subscription_revision)
        await self._begin(head)

    async def run(self) -> None:
        """Follows the table for ever; it polls once a second even when no wake comes."""
        while True:
            self._awake.clear()
            try:
                await self._follow()
            except Exception as error:  # whatever it was, who waits for alerts needs the next try
                log.warning("feed_waits", error=type(error).__name__)
                await asyncio.sleep(POLL_SECONDS)
            else:
                await wait_at_most(self._awake, POLL_SECONDS)

    async def after(self, position: int) -> Sequence[Published]:
        """The next positions, in order; empty at the end."""
        if position >= self._last:
            return ()
        if position + 1 in self._ring:
            return [self._ring[number] for number in range(position + 1, self._last + 1)]
        page = await self._older_page(position)
        return [published for number, published in page.items() if number > position]

    async def _older_page(self, position: int) -> Mapping[int, Published]:
        """Positions from the table, the one after `position` among them where there is one.

        One reads at a time, and for all: a thousand who come back together would otherwise read the same
        positions a thousand times, and leave the tailer no connection.
        """
        start = position // _PAGE * _PAGE
        async with self._reading:
            page = self._older.pop(start, {})
            if position + 1 not in page:
                era, epoch, last = self._era, self._head.epoch, self._last
                items = await self._store.feed_after(start, _PAGE)
                # What is newer than the tailer knows waits for it: the book of subscriptions is not as new.
                page = {item.position: Published(item, epoch) for item in items if item.position <= last}
                if era != self._era:
                    return page
            self._older[start] = page
            while len(self._older) > _OLDER_PAGES:
                del self._older[next(iter(self._older))]
            return page

    async def _follow(self) -> None:
        head = await self._store.head()
        # Before anything that this head has is published: it may have been raised after the newest change.
        await self._book.catch_up(head.subscription_revision)
        if head.epoch != self._head.epoch or await self._is_another(head):
            log.warning("feed_begins_anew", epoch=head.epoch, last_position=head.last_position)
            await self._begin(head)
        self._head = head
        while self._last < head.last_position:
            # What was raised since may follow changes that are not known yet: it waits for the next head.
            items = await self._store.feed_after(self._last, min(_PAGE, head.last_position - self._last))
            if not items or items[0].position != self._last + 1:
                raise StorageUnavailableError("the feed has a gap; the database is not whole")
            self._publish(items)
        self._seen_at = time.monotonic()

    async def _is_another(self, head: FeedHead) -> bool:
        """Whether the feed went back: restored by somebody who did not begin an epoch.

        It may be longer again than it was; then another mark stands where the last one stood.
        """
        return head.last_position < self._last or await self._store.mark_at(self._last) != self._last_mark

    async def _begin(self, head: FeedHead) -> None:
        self._last_mark = await self._store.mark_at(head.last_position)
        self._head = head
        self._last = head.last_position
        self._ring.clear()
        self._older.clear()
        self._era += 1
        self._seen_at = time.monotonic()
        self._announce()

    def _publish(self, items: Sequence[FeedItem]) -> None:
        for item in items:
            self._ring[item.position] = Published(item, self._head.epoch)
            self._ring.pop(item.position - self._ring_size, None)
            self._last, self._last_mark = item.position, item.mark
        self._announce()

    def _announce(self) -> None:
        for follower in self._followers:
            follower.set()
