"""A PostgreSQL cluster of the drill: continuous archiving, base backup, restore to a moment.

All by PostgreSQL's own tools: basic_archive writes each segment of the write-ahead log durably,
pg_basebackup and pg_verifybackup make and check a backup, and the server itself recovers.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg

from services.common.database import admin_connection, with_database
from services.dev.postgres import MARKER, WITHOUT_SYNC, EmbeddedPostgres, _programs

DATABASE = "platewarden"
_ARCHIVING = """
# The restore drill: every finished segment goes to another folder, which stands for another machine.
archive_mode = on
archive_library = 'basic_archive'
basic_archive.archive_directory = '{archive}'
archive_timeout = 60
"""
_ARCHIVED_SECONDS = 60.0
_RECOVERED_SECONDS = 300.0
_POLL_SECONDS = 0.1


class DrillError(Exception):
    """The drill cannot go on, or found what must not be; one sentence."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """A cluster in `folder` on `port`, whose backups and archived log lie in `elsewhere`.

    Without `sync` all of it outlives the end of every process, and not the machine's.
    """

    name: str
    folder: Path
    port: int
    elsewhere: Path
    sync: bool = True

    @property
    def archive(self) -> Path:
        """Archived segments of the write-ahead log."""
        return self.elsewhere / self.name / "wal"

    @property
    def backup(self) -> Path:
        """The base backup."""
        return self.elsewhere / self.name / "base"

    @property
    def url(self) -> str:
        """The drill's database, as superuser."""
        return with_database(EmbeddedPostgres(self.folder, port=self.port).admin_url, DATABASE)

    def make(self) -> None:
        """A new cluster that archives from its first start on."""
        self.archive.mkdir(parents=True)
        settings = {} if self.sync else WITHOUT_SYNC
        EmbeddedPostgres(self.folder, port=self.port, settings=settings).prepare()
        data = self.folder / "data"
        owner = data.stat()
        os.chown(self.archive, owner.st_uid, owner.st_gid)
        with (data / "postgresql.conf").open("a", encoding="utf-8") as file:
            file.write(_ARCHIVING.format(archive=self.archive) + ("" if self.sync else "fsync = off\n"))

    def back_up(self) -> int:
        """Bytes of a base backup, made while the cluster works and checked against its manifest."""
        options = ("--checkpoint", "fast") if self.sync else ("--checkpoint", "fast", "--no-sync")
        _run("pg_basebackup", "--dbname", self.url, "--pgdata", self.backup, *options)
        # The password of its superuser is what opens it after the restore.
        shutil.copy2(self.folder / "password", self.elsewhere / self.name / "password")
        _run("pg_verifybackup", self.backup)
        return sum(one.stat().st_size for one in self.backup.rglob("*") if one.is_file())

    async def rows(self, statement: str, *arguments: object) -> list[asyncpg.Record]:
        """Rows of a statement, asked as superuser past all services."""
        async with admin_connection(self.url) as connection:
            return await connection.fetch(statement, *arguments)

    async def value(self, statement: str, *arguments: object) -> Any:
        """The one value of a statement."""
        return (await self.rows(statement, *arguments))[0][0]

    async def now(self) -> datetime:
        """The cluster's time, with a commit before and after it, so that a restore can stop there."""
        await self.rows("SELECT pg_create_restore_point('drill')")
        await asyncio.sleep(_POLL_SECONDS)
        moment: datetime = await self.value("SELECT clock_timestamp()")
        await asyncio.sleep(_POLL_SECONDS)
        await self.rows("SELECT txid_current()")
        return moment

    async def archived(self) -> None:
        """Returns when all that is written by now is in the archive."""
        segment = await self.value("SELECT pg_walfile_name(pg_current_wal_insert_lsn())")
        await self.rows("SELECT txid_current(), pg_switch_wal()")
        async with asyncio.timeout(_ARCHIVED_SECONDS):
            while not (self.archive / segment).exists():  # noqa: ASYNC110 - another process writes it
                await asyncio.sleep(_POLL_SECONDS)

    def lose(self) -> None:
        """The disk is gone."""
        shutil.rmtree(self.folder)

    async def restore(self, moment: datetime) -> None:
        """Brings the cluster back as it was at `moment`, from backup and archive, and leaves it stopped."""
        self.folder.mkdir(mode=0o700)
        await asyncio.to_thread(shutil.copytree, self.backup, self.folder / "data")
        (self.folder / "data").chmod(0o700)
        shutil.copy2(self.elsewhere / self.name / "password", self.folder / "password")
        (self.folder / MARKER).touch(mode=0o600)
        (self.folder / "data" / "recovery.signal").touch()
        recovery = {
            "restore_command": f'cp "{self.archive}/%f" "%p"',
            "recovery_target_time": moment.astimezone(UTC).isoformat(),
            "recovery_target_action": "promote",
        }
        server = EmbeddedPostgres(self.folder, port=self.port, settings=recovery)
        await asyncio.to_thread(server.start)
        try:
            async with asyncio.timeout(_RECOVERED_SECONDS):
                while await self.value("SELECT pg_is_in_recovery()"):  # noqa: ASYNC110 - it must be asked
                    await asyncio.sleep(_POLL_SECONDS)
        finally:
            await asyncio.to_thread(server.stop)


def _run(program: str, *arguments: object) -> None:
    command = [str(_programs() / program), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["it said nothing"]
        raise DrillError(f"{program} failed: {lines[-1]}")
