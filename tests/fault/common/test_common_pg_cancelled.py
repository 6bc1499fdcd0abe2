"""Work that is told to end ends, also while the database works for it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import pytest_asyncio

from services.common.errors import StorageUnavailableError
from services.common.pg import Pool, connection, open_pool, transaction

Work = Callable[[Pool, asyncio.Event], Awaitable[None]]


@pytest_asyncio.fixture
async def pool(postgres_admin_url: str) -> AsyncIterator[Pool]:
    made = await open_pool(postgres_admin_url, application_name="cancelled", min_size=1, max_size=2)
    yield made
    await made.close()


async def in_transaction(pool: Pool, begun: asyncio.Event) -> None:
    async with transaction(pool) as held:
        begun.set()
        await held.execute("SELECT pg_sleep(30)")


async def in_two_transactions(pool: Pool, begun: asyncio.Event) -> None:
    async with transaction(pool) as held, held.transaction():
        begun.set()
        await held.execute("SELECT pg_sleep(30)")


async def without_transaction(pool: Pool, begun: asyncio.Event) -> None:
    async with connection(pool) as held:
        begun.set()
        await held.execute("SELECT pg_sleep(30)")


async def through_a_cursor(pool: Pool, begun: asyncio.Event) -> None:
    async with transaction(pool) as held:
        begun.set()
        async for _ in held.cursor("SELECT pg_sleep(30) FROM generate_series(1, 3)", prefetch=1):
            pass


WORK = pytest.mark.parametrize(
    "work", [in_transaction, in_two_transactions, without_transaction, through_a_cursor]
)


@WORK
async def test_a_task_that_is_cancelled_is_cancelled(pool: Pool, work: Work) -> None:
    begun = asyncio.Event()
    task = asyncio.ensure_future(work(pool, begun))
    await begun.wait()
    await asyncio.sleep(0.05)

    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(task, 5)
    async with connection(pool) as held:
        assert await held.fetchval("SELECT 1") == 1


@WORK
async def test_a_time_limit_around_it_is_heard_as_one(pool: Pool, work: Work) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3):
            await work(pool, asyncio.Event())


async def test_a_task_that_goes_on_in_spite_of_errors_ends_when_it_is_told_to(pool: Pool) -> None:
    begun = asyncio.Event()

    async def keep_working() -> None:
        while True:
            try:
                await in_transaction(pool, begun)
            except StorageUnavailableError:
                await asyncio.sleep(0.01)

    task = asyncio.create_task(keep_working())
    await begun.wait()
    await asyncio.sleep(0.05)

    task.cancel()
    done, _ = await asyncio.wait({task}, timeout=5)

    assert done
    assert task.cancelled()
