"""Faults: each is put in, left for a while, and taken away; all are drawn from the run's seed."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from services.dev.postgres import PostgresError
from tests.chaos import disks
from tests.chaos.database import Server
from tests.chaos.links import Link
from tests.chaos.skewed import set_difference
from tests.chaos.stack import SERVICES, Replica, Stack

# Kinds of faults, and how often each comes: services fail more often than databases, and disks rarely.
WEIGHTS: Final = {
    "kill": 24,
    "kill both": 6,
    "kill pair": 8,
    "kill database": 6,
    "kill standby": 4,
    "kill database and service": 4,
    "pause": 10,
    "pause database": 3,
    "pause standby": 3,
    "cut link": 12,
    "shut link": 6,
    "silence link": 6,
    "slow link": 8,
    "isolate": 4,
    "fill disk": 6,
    "expire certificate": 4,
    "skew clock": 10,
    "lose primary": 3,
    "lose primary that is ahead": 3,
}
NEEDS_DISKS: Final = frozenset({"fill disk"})
_SKEWS: Final = (-86_400.0, -900.0, -20.0, -2.0, 2.0, 20.0, 900.0, 86_400.0, 100 * 86_400.0)
_DISKS: Final = ("images", "spool", "postgres", "postgres-b")
_EXPIRE_SECONDS: Final = 8

Undo = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Fault:
    """What is to be done: kind, to whom, for how long; `value` is the skew, or a link's delay."""

    kind: str
    targets: tuple[str, ...]
    seconds: float
    value: float = 0.0


def draw(chance: random.Random, stack: Stack, kinds: Sequence[str]) -> Fault:
    """The next fault of one of `kinds`."""
    kind = chance.choices(kinds, [WEIGHTS[one] for one in kinds])[0]
    one, other = chance.sample(stack.replicas, 2)
    link, value = chance.choice(stack.links), round(chance.uniform(0.02, 0.5), 2)
    targets: dict[str, tuple[str, ...]] = {
        "kill both": tuple(found.name for found in stack.of(one.service)),
        "kill pair": (one.name, other.name),
        "kill database": ("primary",),
        "kill database and service": ("primary", one.name),
        "pause database": ("primary",),
        "lose primary": ("primary",),
        "lose primary that is ahead": ("primary",),
        "kill standby": ("standby",),
        "pause standby": ("standby",),
        "fill disk": (chance.choice(_DISKS),),
    }
    whom = (link.name,) if kind.endswith("link") else targets.get(kind, (one.name,))
    seconds = 0.0 if kind.startswith("kill") else round(chance.uniform(1.0, 8.0), 1)
    return Fault(kind, whom, seconds, chance.choice(_SKEWS) if kind == "skew clock" else value)


class Hand:
    """Does what a fault says."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._by_name = {one.name: one for one in stack.replicas}
        self._links = {one.name: one for one in stack.links}

    async def put_in(self, fault: Fault) -> Undo:
        """Puts the fault in; what takes it away again."""
        name = fault.targets[0]
        match fault.kind:
            case "kill database" | "kill standby":
                undo = self._kill_database(self._server(fault))
            case "pause database" | "pause standby":
                undo = self._pause_database(self._server(fault))
            case "cut link" | "shut link" | "silence link" | "slow link":
                undo = self._link(self._links[name], fault)
            case "fill disk":
                undo = await self._fill(name)
            case "lose primary":
                undo = await self._lose_primary()
            case "lose primary that is ahead":
                undo = await self._lose_primary_ahead(fault.seconds)
            case _:
                undo = await self._replica(fault)
        return undo

    async def _replica(self, fault: Fault) -> Undo:
        if fault.kind.startswith("kill"):
            return self._kill(fault)
        replica = self._by_name[fault.targets[0]]
        if fault.kind == "expire certificate":
            return await self._expire(replica)
        if fault.kind == "skew clock":
            return self._skew(replica, fault.value)
        return self._pause(replica) if fault.kind == "pause" else self._isolate(replica)

    async def _lose_primary_ahead(self, seconds: float) -> Undo:
        """The standby stops, work goes on at the primary as far as it may, and then the primary is lost."""
        go_on = self._pause_database(self._stack.database.standby)
        try:
            await asyncio.sleep(seconds)
            self._kill_database(self._stack.database.primary)
        finally:
            await go_on()
        return await self._lose_primary()

    async def _lose_primary(self) -> Undo:
        await self._stack.database.lose_primary()
        self._stack.write_stack_file()
        return _nothing

    def _server(self, fault: Fault) -> Server:
        return self._stack.database.standby if fault.targets[0] == "standby" else self._stack.database.primary

    def _kill(self, fault: Fault) -> Undo:
        for name in fault.targets:
            if name == "primary":
                self._kill_database(self._stack.database.primary)
            else:
                self._by_name[name].signal(signal.SIGKILL)
        return _nothing

    def _kill_database(self, server: Server) -> Undo:
        with contextlib.suppress(PostgresError):
            server.kill()
        return _nothing

    def _pause(self, replica: Replica) -> Undo:
        replica.signal(signal.SIGSTOP)

        async def undo() -> None:
            replica.signal(signal.SIGCONT)

        return undo

    def _pause_database(self, server: Server) -> Undo:
        stopped = server.processes
        _signal_all(stopped, signal.SIGSTOP)

        async def undo() -> None:
            _signal_all(stopped, signal.SIGCONT)

        return undo

    def _link(self, link: Link, fault: Fault) -> Undo:
        match fault.kind:
            case "cut link":
                link.cut()
            case "shut link":
                link.shut()
            case "silence link":
                link.silence()
            case "slow link":
                link.slow(fault.value, 200_000)

        async def undo() -> None:
            link.heal()

        return undo

    def _isolate(self, replica: Replica) -> Undo:
        """It lives, and reaches nobody."""
        for link in replica.links.values():
            link.silence()

        async def undo() -> None:
            for link in replica.links.values():
                link.heal()

        return undo

    async def _fill(self, name: str) -> Undo:
        folder = self._stack.folder / name
        await asyncio.to_thread(disks.fill, folder)

        async def undo() -> None:
            disks.empty(folder)

        return undo

    async def _expire(self, replica: Replica) -> Undo:
        """It starts with a certificate that is about to end, and goes on with it until it gets a new one."""
        self._stack.certify(replica, timedelta(seconds=_EXPIRE_SECONDS))
        replica.signal(signal.SIGTERM)
        await asyncio.sleep(_EXPIRE_SECONDS)
        # Nobody may take it for who it says it is, from the next connection on.
        for link in self._stack.links:
            if replica.name in link.name:
                link.cut()

        async def undo() -> None:
            self._stack.certify(replica)
            replica.signal(signal.SIGTERM)

        return undo

    def _skew(self, replica: Replica, seconds: float) -> Undo:
        set_difference(replica.clock, seconds)

        async def undo() -> None:
            set_difference(replica.clock, 0.0)

        return undo


def every_service_once(chance: random.Random) -> list[Fault]:
    """A kill of each service's first replica and of the database: no run is without."""
    made = [Fault("kill", (f"{name}-1",), 0) for name in SERVICES]
    made.append(Fault("kill database", ("primary",), 0))
    chance.shuffle(made)
    return made


def _signal_all(pids: Sequence[int], number: int) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


async def _nothing() -> None:
    pass
