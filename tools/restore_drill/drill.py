"""The drill: a system lives, loses its databases and pictures, is restored to a moment, and is looked at.

The database of records (audit, matcher, alerts) comes back as it was before the last alerts, acts and
questions; the one of reads as it was after the last read, and before a day of reads ended. The image store
comes back from a copy that still has that day. So every rule for a restore is needed: the log's, the feed's,
the lists', the reads'.
"""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
import time
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from services.cli.audit import export_log, verifier_key
from services.cli.demo import cast
from services.cli.demo.material import gather
from services.common.config import StartError
from services.common.tlog import VerifierKey
from services.dev.places import DATABASE_FOLDER, Places, Ports, default_photo_dir
from services.dev.postgres import EmbeddedPostgres
from services.witness.store import WitnessStore
from tools.restore_drill.clusters import Cluster, DrillError
from tools.restore_drill.processes import (
    Stack,
    WitnessProcess,
    command,
    environment_of,
    platewarden,
    witness,
)
from tools.restore_drill.scene import Scene

_OLD_DAYS = 87
_SETTLE_SECONDS = 180.0
_LOOK_BACK_SECONDS = 120.0
_POLL_SECONDS = 0.2
_HITS = "SELECT read_id::text || '/' || entry_id::text AS hit FROM alerts.hit"
_TWICE = "SELECT count(*) - count(DISTINCT (read_id, entry_id)) FROM alerts.hit"
_NEW_ORIGIN = "development.platewarden.invalid/log-2"


@dataclass(frozen=True, slots=True)
class Plan:
    """How much happens, and which way the log goes.

    Attributes:
        rounds: Of passages in each part of the story.
        close: The witness's copy is lost, too: the log is closed, and another one begins.
        sync: Databases and backups are on disk before the drill goes on.
    """

    folder: Path
    base_port: int = 7500
    rounds: int = 3
    close: bool = False
    sync: bool = True


@dataclass
class Report:
    """What the drill found; `wrong` is empty after a good one."""

    seconds: dict[str, float] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)

    @contextmanager
    def timed(self, name: str) -> Iterator[None]:
        """Notes how long the block took."""
        began = time.monotonic()
        yield
        self.seconds[name] = round(time.monotonic() - began, 2)

    def expect(self, what: str, found: object, wanted: object) -> None:
        """Notes `what` when it is not so."""
        if found != wanted:
            self.wrong.append(f"{what}: {found!r} instead of {wanted!r}")

    def as_dict(self) -> dict[str, Any]:
        """For the one line of JSON."""
        return {
            "drill": "restore",
            "ok": not self.wrong,
            **self.facts,
            "seconds": self.seconds,
            "wrong": self.wrong,
        }


@dataclass
class Before:
    """What the living system knew at its end."""

    records_to: datetime
    reads_to: datetime
    token: str
    hits_kept: set[str]
    hits: set[str] = field(default_factory=set)
    reads: set[str] = field(default_factory=set)
    old_reads: set[str] = field(default_factory=set)
    plate: str = ""
    answered: set[str] = field(default_factory=set)
    log_size: int = 0


class Drill:
    """One run, in a folder of its own."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._places = Places(plan.folder / "data")
        self._elsewhere = plan.folder / "elsewhere"
        evidence = plan.folder / "evidence"
        for folder in (plan.folder, self._places.data_dir, self._elsewhere, evidence):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._logs = plan.folder / "drill.log"
        ports = Ports(plan.base_port)
        elsewhere, sync = self._elsewhere, plan.sync
        self._records = Cluster(DATABASE_FOLDER, self._places.postgres, ports.postgres, elsewhere, sync)
        self._reads = Cluster(
            "reads", self._places.postgres_of_reads, ports.postgres_of_reads, elsewhere, sync
        )
        self._stack = Stack(self._places.data_dir, plan.base_port, self._logs)
        material = gather(None, default_photo_dir(), 3)
        self._scene = Scene(self._places.data_dir, material, evidence)
        self._following: WitnessProcess | None = None
        self.report = Report()

    async def run(self) -> Report:
        """What was found. The stack has ended when this returns."""
        try:
            self._records.make()
            self._reads.make()
            with self.report.timed("first_start"):
                await self._stack.start()
            async with self._witness() as self._following:
                before = await self._live()
                self._stack.kill()
            self._lose()
            began = time.monotonic()
            await self._restore(before)
            self.report.seconds["until_serving"] = round(time.monotonic() - began, 2)
            async with self._witness() as self._following:
                await self._look(before)
        finally:
            self._stack.stop()
        return self.report

    def _witness(self) -> AbstractAsyncContextManager[WitnessProcess]:
        log = self._plan.folder / "witness.log"
        return witness(self._elsewhere / "witness", self._places.data_dir, log)

    async def _live(self) -> Before:
        """The story until the disaster."""
        await platewarden("bootstrap", *cast.founding(), "--data-dir", str(self._places.data_dir))
        scene, rounds = self._scene, self._plan.rounds
        await scene.furnish()
        old = await scene.pass_by(rounds, days_ago=_OLD_DAYS)
        await scene.pass_by(rounds)
        await self._back_up()
        await scene.pass_by(rounds)
        await scene.keep_shorter()
        token = await scene.resume_token()
        moment = await self._records.now()
        before = Before(moment, moment, token, await self._hits())
        before.old_reads = set(old)
        late = await scene.pass_by(rounds)
        await scene.enrol_latecomer()
        hits = await self._hits()
        if hits == before.hits_kept:
            raise DrillError("nothing was hit after the moment to restore to")
        await scene.confirm(
            str(
                await self._records.value(
                    "SELECT alert_id::text FROM alerts.hit ORDER BY hit_time DESC LIMIT 1"
                )
            )
        )
        before.plate = scene.stored[late[0]]
        before.answered = await scene.ask(before.plate, "before")
        await self._quiet()
        before.reads_to = await self._reads.now()
        shutil.copytree(self._places.images, self._elsewhere / "images")
        await self._end_of_life(before)
        return before

    async def _end_of_life(self, before: Before) -> None:
        """A day of reads ends, which the copies still have; then all that is known is noted."""
        self.report.expect("days end before the disaster", await self._scene.purge() > 0, True)
        before.hits = await self._hits()
        rows = await self._reads.rows("SELECT read_id::text AS read_id FROM archive.read")
        before.reads = {row["read_id"] for row in rows}
        self.report.expect("old reads after their purge", before.reads & before.old_reads, set())
        before.log_size = await self._quiet()
        with self.report.timed("archive_the_last_segment"):
            await asyncio.gather(self._records.archived(), self._reads.archived())

    async def _back_up(self) -> None:
        with self.report.timed("base_backups"):
            sizes = [await asyncio.to_thread(one.back_up) for one in (self._records, self._reads)]
        self.report.facts["base_backup_megabytes"] = [round(size / 1e6, 1) for size in sizes]

    async def _hits(self) -> set[str]:
        return {row["hit"] for row in await self._records.rows(_HITS)}

    async def _quiet(self) -> int:
        """The log's size, once it does not grow and the witness's copy has all of it."""
        give_up = time.monotonic() + _SETTLE_SECONDS
        while True:
            if self._following is not None:
                self._following.require_running()
            size = int(await self._records.value("SELECT size FROM audit.log_head"))
            await asyncio.sleep(1)
            if size == await self._records.value("SELECT size FROM audit.log_head") == self._copied():
                return size
            if time.monotonic() > give_up:
                raise DrillError(f"the witness's copy has {self._copied()} of {size} entries, not all")

    def _copied(self) -> int:
        """Entries in the witness's copy; -1 while a new witness has made no store yet."""
        try:
            store = WitnessStore(self._elsewhere / "witness" / "store", only_read=True)
        except StartError:
            return -1
        try:
            return store.copy_state(self._origin()).frontier.size
        except sqlite3.OperationalError:  # its tables are just being made
            return -1
        finally:
            store.close()

    def _origin(self) -> str:
        return (self._places.secrets / "log-origin").read_text(encoding="ascii").strip()

    def _lose(self) -> None:
        self._records.lose()
        self._reads.lose()
        shutil.rmtree(self._places.images)

    async def _restore(self, before: Before) -> None:
        """What an operator does, command by command (docs/operations/restore.md)."""
        timed = self.report.timed
        with timed("records"):
            await self._records.restore(before.records_to)
        with timed("reads"):
            await self._reads.restore(before.reads_to)
        with timed("images"):
            await asyncio.to_thread(shutil.copytree, self._elsewhere / "images", self._places.images)
        with self._databases():
            self.report.facts["log_entries"] = [
                before.log_size,
                int(await self._records.value("SELECT size FROM audit.log_head")),
            ]
            self.report.expect("hits of before the moment", await self._hits(), before.hits_kept)
            with timed("log"):
                await (self._close() if self._plan.close else self._replay())
            with timed("services_told"):
                for cluster, moment, services in (
                    (self._records, before.records_to, ("alerts", "matcher")),
                    (self._reads, before.reads_to, ("search",)),
                ):
                    named = [part for one in services for part in ("--service", one)]
                    options = ["--admin-url", cluster.url, "--restored-to", moment.isoformat()]
                    await command("services.common.restored", *options, *named)
        self.report.seconds["start_and_end_what_came_back"] = round(await self._stack.start(), 2)

    @contextmanager
    def _databases(self) -> Iterator[None]:
        with ExitStack() as ending:
            for one in (self._records, self._reads):
                server = EmbeddedPostgres(one.folder, port=one.port)
                server.start()
                ending.callback(server.stop)
            yield

    async def _replay(self) -> None:
        copy = self._elsewhere / "copy.jsonl"
        folder = self._elsewhere / "witness"
        await platewarden("witness", "copy", "--dir", str(folder), "--out", str(copy))
        options = ["--admin-url", self._records.url, "--copy", str(copy)]
        said = await command(
            "services.audit.restore",
            *("replay", *options, "--witness-key", str(folder / "witness.pub")),
            environment=environment_of(self._places.data_dir, "audit"),
        )
        self.report.facts["to_do_again"] = [
            line.partition("do it again: ")[2].partition(" (")[0]
            for line in said.splitlines()
            if "do it again: " in line
        ]

    async def _close(self) -> None:
        await command(
            "services.audit.restore",
            *("close", "--admin-url", self._records.url, "--new-origin", _NEW_ORIGIN),
            *("--reason", "The drill: disk of the database and the witness's copy lost"),
            environment=environment_of(self._places.data_dir, "audit"),
        )
        (self._places.secrets / "log-origin").write_text(_NEW_ORIGIN, encoding="ascii")
        shutil.rmtree(self._elsewhere / "witness")

    async def _look(self, before: Before) -> None:
        """Everything that must hold once the system serves again."""
        report, scene = self.report, self._scene
        told = await scene.resumed(before.token)
        report.expect("a stream of before", told and told.metadata.get("resync_from", "") != "", True)
        if told is not None and told.metadata.get("resync_from"):
            since = datetime.fromisoformat(told.metadata["resync_from"])
            report.expect("its resync is from the moment or before", since <= before.records_to, True)
        await self._look_at_hits(before)
        rows = await self._reads.rows("SELECT read_id::text AS read_id FROM archive.read")
        kept = {row["read_id"] for row in rows}
        report.expect("reads that were lost", before.reads - kept, set())
        report.expect("reads that had ended", kept & before.old_reads, set())
        report.expect("what is older than reads are kept", await scene.older(), [])
        found = await scene.ask(before.plate, "after")
        report.expect("reads that a question finds no more", before.answered - found, set())
        now = await scene.pass_by(1)
        report.expect("passages of after the restore are stored", bool(now), True)
        await self._look_at_log()
        report.facts["reads"], report.facts["reads_ended_again"] = len(kept), len(before.old_reads)

    async def _look_at_hits(self, before: Before) -> None:
        """Every alert: those of before the moment are there, lost ones are raised again from the reads."""
        began = time.monotonic()
        wanted = before.hits_kept if self._plan.close else before.hits
        missing = wanted - await self._hits()
        while missing and time.monotonic() - began < _LOOK_BACK_SECONDS:
            await asyncio.sleep(_POLL_SECONDS)
            missing = wanted - await self._hits()
        self.report.seconds["lost_alerts_raised_again"] = round(time.monotonic() - began, 2)
        self.report.expect("hits that are lost", missing, set())
        lost = before.hits - await self._hits() if self._plan.close else set()
        self.report.facts |= {
            "hits": len(before.hits),
            "hits_not_in_backup": len(before.hits - before.hits_kept),
            "hits_lost": len(lost),
        }
        self.report.expect("hits that are there twice", await self._records.value(_TWICE), 0)

    async def _look_at_log(self) -> None:
        """The log is whole to whoever kept its key, a receipt or a witnessed checkpoint."""
        evidence = self._plan.folder / "evidence"
        size = await self._quiet()
        key, log = evidence / "log.pub", evidence / "log.jsonl"
        key.write_text(verifier_key(self._places.data_dir) + "\n", encoding="ascii")
        VerifierKey.parse(key.read_text(encoding="ascii"))
        kept, folder = evidence / "witnessed.jsonl", self._elsewhere / "witness"
        await platewarden("witness", "checkpoints", "--dir", str(folder), "--out", str(kept))
        async with self._scene.as_person(cast.AUDITOR.subject) as auditor:
            entries = await export_log(auditor, log)
        self.report.expect("the export has the whole log", entries >= size, True)
        names = ("after",) if self._plan.close else ("before", "after")
        receipts = [str(one) for name in names for one in sorted((evidence / name).glob("*.json"))]
        given = ["--public-key", str(key), "--complete", "--checkpoint", str(kept)]
        given += ["--witness-key", str(folder / "witness.pub")]
        given += [part for one in receipts for part in ("--receipt", one)]
        await command("services.audit.verifier", *given, str(log))
        self.report.facts |= {"log_verified": entries, "receipts_verified": len(receipts)}
