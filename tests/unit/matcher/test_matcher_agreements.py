"""Agreements on their way from audit into the database, and what holds while audit is not heard."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest

from alpr.audit.v1 import governance_service_pb2 as pb
from services.common.errors import DependencyUnavailableError, StorageUnavailableError
from services.common.wire import to_timestamp
from services.matcher import app_agreements
from services.matcher.agreement_feed import parse_news
from services.matcher.app_agreements import AgreementFollower
from services.matcher.core.scope import Agreement, AgreementNews, Partition, Scope

ISP, CHICAGO = "IL0160000", "ILCPD0000"
NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
AGREEMENT = Agreement(
    uuid.UUID(int=1),
    ISP,
    CHICAGO,
    frozenset({Partition.GENERAL}),
    NOW - timedelta(days=1),
    NOW + timedelta(days=1),
)
SHARED = Scope((AGREEMENT,))


class Feed:
    """News that tests put in; None ends the stream, an error breaks it."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[AgreementNews | Exception | None] = asyncio.Queue()
        self.begun = 0

    async def news(self) -> AsyncGenerator[AgreementNews]:
        self.begun += 1
        while (one := await self.queue.get()) is not None:
            if isinstance(one, Exception):
                raise one
            yield one


class Stored:
    """Keeps what it takes; can be away."""

    def __init__(self) -> None:
        self.taken: list[AgreementNews] = []
        self.tried = asyncio.Semaphore(0)
        self.down = False

    async def take(self, news: AgreementNews) -> int | None:
        self.tried.release()
        if self.down:
            raise StorageUnavailableError("away")
        self.taken.append(news)
        return len(self.taken)


def some_news(number: int, *, snapshot: bool = False) -> AgreementNews:
    return AgreementNews(number, (AGREEMENT,), (), snapshot)


@asynccontextmanager
async def following(feed: Feed, stored: Stored) -> AsyncIterator[AgreementFollower]:
    follower = AgreementFollower(feed, stored)
    task = asyncio.create_task(follower.follow())
    yield follower
    task.cancel()
    await asyncio.wait({task})


async def tried(stored: Stored, times: int = 1) -> None:
    """Returns when so many more words have been taken, or refused, by the database."""
    async with asyncio.timeout(60):
        for _ in range(times):
            await stored.tried.acquire()
        await asyncio.sleep(0)


def is_heard(follower: AgreementFollower) -> bool:
    try:
        follower.require_heard([ISP], SHARED, NOW)
    except DependencyUnavailableError:
        return False
    return True


@pytest.mark.clause("III.B.1")
async def test_until_audit_is_heard_nothing_is_compared_that_an_agreement_lets_in() -> None:
    feed, stored = Feed(), Stored()
    async with following(feed, stored) as follower:
        before = is_heard(follower)
        feed.queue.put_nowait(some_news(1, snapshot=True))
        await tried(stored)

        assert (before, is_heard(follower)) == (False, True)


@pytest.mark.clause("III.B.1")
async def test_who_shares_nothing_waits_for_nobody() -> None:
    follower = AgreementFollower(Feed(), Stored())

    follower.require_heard([CHICAGO], SHARED, NOW)
    follower.require_heard([ISP], SHARED, NOW + timedelta(days=2))
    follower.require_heard([ISP], Scope(), NOW)
    with pytest.raises(DependencyUnavailableError):
        follower.require_heard([CHICAGO, ISP], SHARED, NOW)


async def test_audits_word_is_believed_for_fifteen_seconds_only(monkeypatch: pytest.MonkeyPatch) -> None:
    feed, stored, clock = Feed(), Stored(), [100.0]
    monkeypatch.setattr(app_agreements, "_monotonic", lambda: clock[0])
    async with following(feed, stored) as follower:
        feed.queue.put_nowait(some_news(1, snapshot=True))
        await tried(stored)

        for now, believed in ((115.0, True), (115.1, False)):
            clock[0] = now
            assert is_heard(follower) == believed


@pytest.mark.clause("III.B.1")
async def test_what_could_not_be_stored_does_not_count_as_heard() -> None:
    feed, stored = Feed(), Stored()
    stored.down = True
    async with following(feed, stored) as follower:
        feed.queue.put_nowait(some_news(1, snapshot=True))
        await tried(stored)
        refused = is_heard(follower)
        stored.down = False
        feed.queue.put_nowait(some_news(1, snapshot=True))
        await tried(stored)

        assert (refused, is_heard(follower)) == (False, True)
        assert feed.begun == 2


async def test_a_watch_that_breaks_or_ends_begins_again_with_a_snapshot() -> None:
    feed, stored = Feed(), Stored()
    async with following(feed, stored):
        for number, end in ((1, DependencyUnavailableError("gone")), (2, ValueError("nonsense")), (3, None)):
            feed.queue.put_nowait(some_news(number, snapshot=True))
            feed.queue.put_nowait(end)
        feed.queue.put_nowait(some_news(4, snapshot=True))
        await tried(stored, 4)

        assert [one.audit_revision for one in stored.taken] == [1, 2, 3, 4]
        assert feed.begun == 4


async def test_a_watch_without_a_snapshot_is_not_believed() -> None:
    feed, stored = Feed(), Stored()
    async with following(feed, stored) as follower:
        feed.queue.put_nowait(some_news(1))
        feed.queue.put_nowait(some_news(2, snapshot=True))
        await tried(stored)

        assert [one.audit_revision for one in stored.taken] == [2]
        assert is_heard(follower)


def told(state: pb.AgreementState.ValueType, *classes: int) -> AgreementNews:
    agreement = pb.Agreement(
        agreement_id=str(AGREEMENT.agreement_id),
        provider_ori=ISP,
        recipient_ori=CHICAGO,
        data_classes=map(pb.DataClass.ValueType, classes),
        start_time=to_timestamp(AGREEMENT.start),
        end_time=to_timestamp(AGREEMENT.end),
        state=state,
    )
    return parse_news(pb.WatchAgreementsResponse(agreements=[agreement], revision=7, snapshot=True))


@pytest.mark.clause("III.B.1")
def test_an_accepted_agreement_lets_the_recipients_lists_meet_the_providers_sensors() -> None:
    assert told(pb.AGREEMENT_STATE_ACCEPTED, 1) == AgreementNews(7, (AGREEMENT,), (), snapshot=True)
    (both,) = told(pb.AGREEMENT_STATE_ACCEPTED, 1, 2).in_force
    assert both.partitions == frozenset(Partition)


@pytest.mark.clause("III.B.1")
@pytest.mark.parametrize(
    ("state", "classes"),
    [
        (pb.AGREEMENT_STATE_PROPOSED, (1,)),
        (pb.AGREEMENT_STATE_ENDED, (1,)),
        (pb.AGREEMENT_STATE_UNSPECIFIED, (1,)),
        (9, (1,)),
        (pb.AGREEMENT_STATE_ACCEPTED, ()),
        (pb.AGREEMENT_STATE_ACCEPTED, (99,)),
    ],
)
def test_what_is_not_accepted_or_not_understood_lets_nothing_in(
    state: pb.AgreementState.ValueType, classes: tuple[int, ...]
) -> None:
    assert told(state, *classes) == AgreementNews(7, (), (AGREEMENT.agreement_id,), snapshot=True)
