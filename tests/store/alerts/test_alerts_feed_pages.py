"""How a process follows the feed's table, and how those read it who resume from before what is in memory."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from uuid import uuid4

import pytest
import pytest_asyncio

from services.alerts.core.model import FeedItem
from services.alerts.feed import Feed
from services.alerts.store import AlertStore, FeedHead
from services.alerts.store_subscriptions import SubscriptionStore
from services.alerts.store_writer import AlertWriter
from services.alerts.subscription_book import SubscriptionBook
from services.common.pg import Pool, open_pool
from tests.support.alerts_kit import NOON, WINDOW, many_hits
from tests.support.clock import ManualClock

HITS = 1200


class CountingStore(AlertStore):
    """The real one; notes how often the feed's table was read."""

    def __init__(self, pool: Pool) -> None:
        super().__init__(pool)
        self.reads = 0

    async def feed_after(self, position: int, limit: int) -> tuple[FeedItem, ...]:
        self.reads += 1
        return await super().feed_after(position, limit)


class BusyStore(AlertStore):
    """The real one; once, something is raised between the reading of the head and of what the table has."""

    def __init__(self, pool: Pool, raise_one: Callable[[], Awaitable[object]]) -> None:
        super().__init__(pool)
        self.known = 0
        self._raise = [raise_one]

    async def head(self) -> FeedHead:
        head = await super().head()
        self.known = head.last_position
        return head

    async def feed_after(self, position: int, limit: int) -> tuple[FeedItem, ...]:
        if self._raise:
            await self._raise.pop()()
        return await super().feed_after(position, limit)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def pool(migrated_database) -> AsyncIterator[Pool]:
    database = await migrated_database("alerts")
    opened = await open_pool(database.url("alerts_app"), application_name="alerts-test")
    writer = AlertWriter(opened, ManualClock(NOON), passage_window=WINDOW, new_id=uuid4)
    for hour in range(HITS // 100):
        await writer.flush(many_hits(100, at=NOON + timedelta(hours=hour)))
    yield opened
    await opened.close()


async def begun(store: AlertStore, pool: Pool) -> Feed:
    """A feed of a process that has just started: nothing is in memory."""
    feed = Feed(store, SubscriptionBook(SubscriptionStore(pool)), ring_size=10)
    await feed.start()
    return feed


async def walked(feed: Feed, position: int) -> list[int]:
    """All positions from there to the end, as a stream takes them."""
    got: list[int] = []
    while batch := await feed.after(position):
        got += [published.item.position for published in batch]
        position = got[-1]
    return got


async def test_a_hundred_who_resume_together_read_each_page_once_and_miss_nothing(pool: Pool) -> None:
    store = CountingStore(pool)
    feed = await begun(store, pool)
    starts = [number * 7 for number in range(100)]

    got = await asyncio.gather(*(walked(feed, start) for start in starts))

    assert got == [list(range(start + 1, HITS + 1)) for start in starts]
    assert store.reads == 3


async def test_pages_of_a_feed_that_begins_anew_are_read_anew(pool: Pool) -> None:
    store = CountingStore(pool)
    feed = await begun(store, pool)
    await walked(feed, 1100)
    await feed.start()

    await walked(feed, 1100)

    assert store.reads == 2


@pytest.mark.clause("IV.D.1")
async def test_what_is_raised_after_the_head_was_read_waits_for_the_changes_that_came_before_it(
    pool: Pool,
) -> None:
    writer = AlertWriter(pool, ManualClock(NOON), passage_window=WINDOW, new_id=uuid4)
    days = iter(range(1, 3))

    async def raise_one() -> None:
        await writer.flush(many_hits(1, at=NOON + timedelta(days=next(days))))

    store = BusyStore(pool, raise_one)
    feed = await begun(store, pool)
    end = feed.last_position + 2
    await raise_one()
    with feed.waking(asyncio.Event()) as published:
        following = asyncio.create_task(feed.run())
        async with asyncio.timeout(20):
            while feed.last_position < end:
                await published.wait()
                published.clear()
                assert feed.last_position <= store.known
        following.cancel()
