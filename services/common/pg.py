"""Connections of a service to PostgreSQL: pools, errors as callers see them, and notifications."""

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, TypeAlias

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from services.common import metrics
from services.common.errors import StorageUnavailableError

if TYPE_CHECKING:  # generic to the type checker alone
    Pool: TypeAlias = asyncpg.Pool[asyncpg.Record]
    Connection: TypeAlias = PoolConnectionProxy[asyncpg.Record]
    _Bare: TypeAlias = asyncpg.Connection[asyncpg.Record]
else:
    Pool = asyncpg.Pool
    Connection = PoolConnectionProxy
    _Bare = asyncpg.Connection

_CONNECT_SECONDS = 10.0
_ACQUIRE_SECONDS = 5.0
_IDLE_IN_TRANSACTION_SECONDS = 30
# The server gives up a little before the client does, so that no statement runs on without anybody waiting.
_SERVER_MARGIN = 0.9
_CLIENT_CHECK_SECONDS = 5
_ALIVE_SECONDS = 15.0
_FIRST_PAUSE_SECONDS = 0.1
_LONGEST_PAUSE_SECONDS = 5.0
_SENTENCE = "the database cannot be used just now; try again"

# What goes away by itself or by the operator's hand, and says nothing about the request.
_PASSING: tuple[type[BaseException], ...] = (
    OSError,  # TimeoutError is one
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # a connection that the server ended while a statement began
    asyncpg.PostgresConnectionError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.CannotConnectNowError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.InsufficientResourcesError,  # disk full, out of memory, too many connections
    asyncpg.PostgresSystemError,  # input and output errors
    asyncpg.QueryCanceledError,  # statement_timeout
    asyncpg.LockNotAvailableError,
    asyncpg.ReadOnlySQLTransactionError,  # a standby that was not promoted yet
    asyncpg.TransactionRollbackError,  # deadlock, serialisation
)
# For a task that connects again whatever it was.
_ANY: tuple[type[BaseException], ...] = (*_PASSING, asyncpg.PostgresError)


async def open_pool(  # noqa: PLR0913 - each is a knob of its own
    dsn: str,
    *,
    application_name: str,
    min_size: int = 2,
    max_size: int = 10,
    command_timeout: float = 30.0,
    settings: dict[str, str] | None = None,
) -> Pool:
    """A pool with `min_size` connections made, which goes on by itself after the server was restarted.

    Args:
        dsn: URL with user, password and database.
        application_name: What the server's own views call the connections, for example "search-question".
        min_size: Connections that are kept; a first plan costs some 45 ms, so keep as many as are usual.
        max_size: The most connections.
        command_timeout: Seconds after which a statement ends, on the server too.
        settings: Further server settings of each connection, for example `{"plan_cache_mode": ...}`.

    Raises:
        StorageUnavailableError: The server cannot be reached.
        asyncpg.PostgresError: It refused the login or a setting.
    """
    server_settings = {
        "application_name": application_name,
        "statement_timeout": str(int(command_timeout * 1000 * _SERVER_MARGIN)),
        "idle_in_transaction_session_timeout": str(_IDLE_IN_TRANSACTION_SECONDS * 1000),
        # What runs on for a client that has gone, ends (see `_Dropped`).
        "client_connection_check_interval": str(_CLIENT_CHECK_SECONDS * 1000),
        "TimeZone": "UTC",
        **(settings or {}),
    }
    with storage_errors():
        pool = await asyncpg.create_pool(
            dsn,
            min_size=min_size,
            max_size=max_size,
            timeout=_CONNECT_SECONDS,
            command_timeout=command_timeout,
            max_inactive_connection_lifetime=0,  # a kept connection keeps its plans
            reset=_as_it_is,
            connection_class=_Dropped,
            server_settings=server_settings,
        )
    metrics.count_pool(application_name, pool)
    return pool


class _Dropped(_Bare):
    """A connection that is dropped when nobody waits for its statement; the driver would cancel that.

    A COMMIT that waits for a synchronous standby and is cancelled stands at once on this server alone, for
    everybody to see: the same request sent again would find its effect and be answered OK, and the effect
    would be gone with the server's disk. Without a word from its client the COMMIT goes on waiting, unseen,
    until the standby has it. All else that runs for nobody ends within seconds.
    """

    def _cancel_current_command(self, *_: object) -> None:
        asyncio.get_running_loop().call_soon(self.terminate)


async def _as_it_is(_: _Bare) -> None:
    """Leaves a connection that is given back as it is, once an open transaction was rolled back.

    The driver would clear settings, cursors and session locks: one more round trip for each statement.
    No code may leave any: settings are LOCAL, locks are the transaction's or given back, and LISTEN has a
    connection of its own.
    """


@contextmanager
def storage_errors() -> Iterator[None]:
    """Turns what a server that is down, full or overloaded causes inside the block into one typed error.

    After a connection broke during COMMIT nobody knows whether the transaction is in; a request that is sent
    again must therefore find its own earlier effect.

    Raises:
        StorageUnavailableError: In place of the driver's error, which stays its cause.
        CancelledError: The task was told to end, and the driver's error only says what came of that.
    """
    try:
        yield
    except _PASSING as error:
        if _comes_of_cancellation(error):
            raise asyncio.CancelledError from error
        metrics.DATABASE_ERRORS.labels(type(error).__name__).inc()
        raise StorageUnavailableError(_SENTENCE) from error


def _comes_of_cancellation(error: BaseException) -> bool:
    """Whether the task was cancelled in a statement, and rolling back on the dropped connection then failed.

    Otherwise work that goes on in spite of errors would never end, and a time limit would not be heard.
    """
    before: BaseException | None = error
    while before is not None and not isinstance(before, asyncio.CancelledError):
        before = before.__context__
    if before is None:
        return False
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


@asynccontextmanager
async def connection(pool: Pool) -> AsyncIterator[Connection]:
    """A connection of `pool` without a transaction, given back at the end.

    Raises:
        StorageUnavailableError: None became free within five seconds, or as for `storage_errors`.
    """
    with storage_errors():
        began = time.perf_counter()
        async with pool.acquire(timeout=_ACQUIRE_SECONDS) as held:
            metrics.ACQUIRE_SECONDS.observe(time.perf_counter() - began)
            yield held


@asynccontextmanager
async def transaction(pool: Pool, *, readonly: bool = False) -> AsyncIterator[Connection]:
    """A connection of `pool` inside a transaction, committed at the end, rolled back by an exception.

    Everything that a `readonly` one reads is of one moment: what is stored meanwhile is seen by all of its
    queries or by none.

    Raises:
        StorageUnavailableError: As for `connection`.
    """
    async with (
        connection(pool) as held,
        held.transaction(isolation="repeatable_read" if readonly else None, readonly=readonly),
    ):
        yield held


async def is_healthy(pool: Pool) -> bool:
    """Whether a statement can be run now; for deep health checks."""
    try:
        async with connection(pool) as held:
            await held.fetchval("SELECT 1")
    except StorageUnavailableError:
        return False
    return True


_CLUSTER = """
SELECT pg_database_size(current_database()) AS size,
    CASE WHEN current_setting('archive_mode') <> 'off' THEN last_archived_time END AS archived
FROM pg_stat_archiver
"""


async def measure_cluster(pool: Pool, cluster: str) -> None:
    """Takes gauges of the database and its server: its size, and the age of its archive where it has one.

    Raises:
        StorageUnavailableError: As for `connection`.
    """
    async with connection(pool) as held:
        row = await held.fetchrow(_CLUSTER)
    if row is None:
        return
    metrics.DATABASE_BYTES.labels(cluster).set(row["size"])
    if row["archived"] is not None:
        metrics.ARCHIVED.labels(cluster).set(row["archived"].timestamp())


class Listener:
    """Notifications of one channel (LISTEN), over a connection of its own that is made anew when it breaks.

    Use it as an async context. What the server sends while the connection is down is lost, so `wake` is
    called after each connect too: it shall look for what is new, not rely on the payload.
    """

    def __init__(self, dsn: str, channel: str, wake: Callable[[str | None], None]) -> None:
        """Nothing happens yet.

        Args:
            dsn: A direct connection; a pooler that hands connections around loses notifications.
            channel: A plain identifier.
            wake: Called in the event loop with the payload, and with None after each connect; must not block.
        """
        self._dsn = dsn
        self._channel = channel
        self._wake = wake
        self._connected = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @property
    def is_connected(self) -> bool:
        """Whether notifications arrive now."""
        return self._connected.is_set()

    async def wait_connected(self) -> None:
        """Returns when notifications arrive."""
        await self._connected.wait()

    async def __aenter__(self) -> "Listener":
        self._task = asyncio.create_task(self._run(), name=f"listen {self._channel}")
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        pause = _FIRST_PAUSE_SECONDS
        while True:
            try:
                async with self._connection() as bare:
                    pause = _FIRST_PAUSE_SECONDS
                    await self._until_broken(bare)
            except _ANY:
                pass  # connect again, below; the pool's users report what is wrong with the server
            finally:
                self._connected.clear()
            # Replicas that lost the same server shall not all come back in the same moment.
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311 - no secret
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[_Bare]:
        settings = {"application_name": f"listen-{self._channel}"}
        bare = await asyncpg.connect(self._dsn, timeout=_CONNECT_SECONDS, server_settings=settings)
        try:
            await bare.add_listener(self._channel, self._notified)
            yield bare
        finally:
            with contextlib.suppress(*_ANY):
                await bare.close(timeout=1.0)

    async def _until_broken(self, bare: _Bare) -> None:
        broken = asyncio.Event()
        bare.add_termination_listener(lambda _: broken.set())
        self._connected.set()
        self._wake(None)
        while not bare.is_closed():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(broken.wait(), _ALIVE_SECONDS)
                return
            # A peer that vanished without a word is noticed only by asking it.
            await bare.fetchval("SELECT 1", timeout=_CONNECT_SECONDS)

    def _notified(self, *event: object) -> None:
        self._wake(str(event[-1]))
