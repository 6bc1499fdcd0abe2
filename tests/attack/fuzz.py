"""Hostile messages to every RPC of a running system, as everybody: `make fuzz [MESSAGES=...] [SEED=...]`.

One JSON line on stdout says what was sent and how it ended; exit code 1 when anything was wrong with that.
Told to end (SIGINT, SIGTERM) it says so of what was sent until then.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import signal
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, Final

import asyncpg
from google.protobuf.descriptor import MethodDescriptor
from prometheus_client.parser import text_string_to_metric_families

from services.cli.conformance.requests import request_for
from tests.attack.calls import ENDED_EARLY, OK, Ended, RawCalls
from tests.attack.messages import Requests
from tests.attack.state import Stored, changed, memory_mb
from tests.attack.values import Values
from tests.support.access_fields import FOLLOWS, fields_for
from tests.support.access_stack import World, documented, methods, name_of, running_world, things
from tests.support.access_world import OPEN, REFUSED, Principal
from tests.support.ports import free_base_port

_OWN: Final = frozenset({"INTERNAL", "UNKNOWN", "DATA_LOSS"})
_REQUEST_ID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_AT_ONCE: Final = 32
_SHOTS_A_TURN: Final = 100
_MOST_WRONG: Final = 100
_LEAST_EACH: Final = 4
_MOST_EACH: Final = 400
_REFUSED: Final = frozenset({code.name for code in REFUSED})
# The caller may have been let in, or it is not known whether anything was done.
_UNSURE: Final = frozenset({OK, OPEN, ENDED_EARLY, "NONE", "DEADLINE_EXCEEDED", "UNAVAILABLE", "CANCELLED"})


@dataclass(frozen=True, slots=True)
class Plan:
    """How much to send.

    Attributes:
        messages: At least so many, in whole rounds through all RPCs.
        seed: Decides what.
        each: Messages to one RPC in a round.
        together: So many RPCs have their turn at once; what is stored is compared for all of them.
    """

    messages: int
    seed: int
    each: int
    together: int = 1


@dataclass(frozen=True, slots=True)
class Shot:
    """One call to be made."""

    method: MethodDescriptor
    who: Principal
    messages: tuple[bytes, ...]

    def __str__(self) -> str:
        """Enough of it to send it again."""
        shown = " ".join(message[:200].hex() for message in self.messages[:3])
        return f"{name_of(self.method)} by {self.who.name} [{shown}]"


@dataclass
class Tally:
    """What was sent and how it ended."""

    messages: int = 0
    calls: int = 0
    codes: Counter[str] = field(default_factory=Counter)
    let_in: Counter[str] = field(default_factory=Counter)
    compared: int = 0
    wrong: list[str] = field(default_factory=list)

    def add(self, shot: Shot, ended: Ended) -> None:
        """Counts one call."""
        self.messages += len(shot.messages)
        self.calls += 1
        self.codes[ended.code] += 1
        if ended.code not in _REFUSED:
            self.let_in[name_of(shot.method)] += 1
        if ended.wrong:
            self.blame(f"{ended.wrong} {ended.request_id} {shot}")

    def blame(self, sentence: str) -> None:
        """Notes what is wrong, the first ones of it."""
        if len(self.wrong) < _MOST_WRONG:
            self.wrong.append(sentence)


class Fuzz:
    """Sends hostile messages to the RPCs of `world`."""

    def __init__(self, world: World, database: asyncpg.Connection, seed: int) -> None:
        self._world = world
        self._most, self._all_days = Stored(database, with_days=False), Stored(database)
        self._random = Random(seed)
        self._calls = RawCalls(world.callers)
        self._allowed = documented()
        values = Values(self._random, tuple(sorted({value for value in world.facts.values() if value})))
        self._requests = {
            method.full_name: Requests(self._random, values, self._sound(method)) for method in methods()
        }
        self.tally = Tally()
        self.told_to_end = asyncio.Event()

    async def attack(self, group: Sequence[MethodDescriptor], each: int) -> None:
        """Sends about `each` messages to each method of the group.

        First by whom they are not for, and broken ones, all refused: nothing stored may differ then. Next by
        whom they are for; and what was refused of that once more, after which again nothing may differ.
        """
        await self._refused(group, [shot for method in group for shot in self._unfit(method, each)])
        turns = max(1, each // _SHOTS_A_TURN)
        for _ in range(turns):
            shots = [shot for method in group for shot in self._fit(method, each // turns)]
            ends = await self._all(shots)
            refused = [shot for shot, end in zip(shots, ends, strict=True) if end.code not in _UNSURE]
            await self._refused(group, refused[: max(1, len(shots) // 4)])

    def _unfit(self, method: MethodDescriptor, each: int) -> list[Shot]:
        """Calls that are to be refused, whatever they say."""
        requests, own = self._requests[method.full_name], self._own(method)
        others = [one for one in self._world.principals if one not in own]
        strangers = [(others, requests.draw(method)) for _ in range(each // 5 + 1)]
        broken = [(own or others, requests.broken(method)) for _ in range(each // 20 + 1)]
        return [Shot(method, self._random.choice(who), sent) for who, sent in [*strangers, *broken]]

    def _fit(self, method: MethodDescriptor, count: int) -> list[Shot]:
        requests, own = self._requests[method.full_name], self._own(method)
        drawn = [requests.draw(method) for _ in range(count if own else 0)]
        return [Shot(method, self._random.choice(own), messages) for messages in drawn]

    def _own(self, method: MethodDescriptor) -> list[Principal]:
        return [one for one in self._world.principals if one.name in self._allowed[name_of(method)]]

    def _sound(self, method: MethodDescriptor) -> list[Any]:
        facts = self._world.facts
        fields = [fields_for(method.name, facts), *([FOLLOWS[method.name]] if method.name in FOLLOWS else [])]
        return [request_for(method, one, facts) for one in fields]

    async def _refused(self, group: Sequence[MethodDescriptor], shots: Sequence[Shot]) -> None:
        """Sends what will be refused, and compares what is stored before and after."""
        # Reads are put into the parts for days by services only.
        machines = any(who.startswith("service ") for one in group for who in self._allowed[name_of(one)])
        stored = self._all_days if machines else self._most
        before = await stored.settled()
        ends = await self._all(shots)
        if any(end.code in _UNSURE for end in ends):
            return
        self.tally.compared += len(shots)
        for table in changed(before, await stored.look()):
            self.tally.blame(f"refused messages changed {table}: {', '.join(map(name_of, group))}")

    async def _all(self, shots: Sequence[Shot]) -> list[Ended]:
        turns = asyncio.Semaphore(_AT_ONCE)

        async def one(shot: Shot) -> Ended:
            async with turns:
                return await self._calls.end_of(shot.who, shot.method, shot.messages)

        ends = await asyncio.gather(*map(one, shots))
        for shot, end in zip(shots, ends, strict=True):
            self.tally.add(shot, end)
        return ends


async def fuzzed(
    folder: Path, plan: Plan, on_progress: Callable[[str], None] = lambda _: None
) -> dict[str, Any]:
    """What came of the plan; the system is in `folder`."""
    async with running_world(folder, free_base_port()) as world:
        stack = world.callers.stack
        world.facts |= await things(world)
        database = await asyncpg.connect(stack.admin_url)
        pids, began, looks = dict(stack.pids), time.monotonic(), [memory_mb(stack.pids)]
        try:
            fuzz = Fuzz(world, database, plan.seed)
            for number in (signal.SIGINT, signal.SIGTERM):
                asyncio.get_running_loop().add_signal_handler(number, fuzz.told_to_end.set)
            while fuzz.tally.messages < plan.messages and not fuzz.told_to_end.is_set():
                await _round(fuzz, plan, on_progress)
                looks.append(memory_mb(stack.pids))
        finally:
            await database.close()
        for name, pid in dict(stack.pids).items():
            if pid != pids[name]:
                fuzz.tally.blame(f"{name} ended and was started again")
        for count, method in await asyncio.to_thread(_own_errors, stack.metrics_targets):
            fuzz.tally.blame(f"{method}: {count} calls ended with an error of the server's own")
        wrong = [_explained(sentence, folder) for sentence in fuzz.tally.wrong]
        return {
            **_report(fuzz.tally, plan, looks),
            "seconds": round(time.monotonic() - began),
            "wrong": wrong,
        }


async def _round(fuzz: Fuzz, plan: Plan, on_progress: Callable[[str], None]) -> None:
    for start in range(0, len(methods()), plan.together):
        if fuzz.told_to_end.is_set():
            return
        group = methods()[start : start + plan.together]
        on_progress(f"{fuzz.tally.messages} {name_of(group[0])}")
        await fuzz.attack(group, plan.each)


def _report(tally: Tally, plan: Plan, looks: Sequence[Mapping[str, tuple[int, int]]]) -> dict[str, Any]:
    """The figures; memory in MiB at the begin, after the first round, at the end, and at its most."""
    first, second, last = looks[0], looks[min(1, len(looks) - 1)], looks[-1]
    return {
        "name": "fuzz",
        "asked_for": plan.messages,
        "messages": tally.messages,
        "calls": tally.calls,
        "seed": plan.seed,
        "methods": len(methods()),
        "methods_let_in": len(tally.let_in),
        "codes": dict(tally.codes.most_common()),
        "refused_with_state_compared": tally.compared,
        "memory_mb": {
            name: {"begin": first[name][0], "first_round": second[name][0], "end": now, "most": most}
            for name, (now, most) in last.items()
        },
    }


def _own_errors(targets: Mapping[str, str]) -> list[tuple[int, str]]:
    """How many calls of which methods the servers themselves count as their own failures."""
    found = []
    for target in targets.values():
        with urllib.request.urlopen(f"http://{target}/metrics", timeout=10) as answer:
            for family in text_string_to_metric_families(answer.read().decode()):
                found += [
                    (int(one.value), one.labels["method"])
                    for one in family.samples
                    if one.name == "grpc_server_handled_total" and one.labels["code"] in _OWN and one.value
                ]
    return found


def _explained(sentence: str, folder: Path) -> str:
    """The sentence, with the places in the code that the services' logs have under the id in it."""
    found = _REQUEST_ID.search(sentence)
    if found is None:
        return sentence
    lines = [
        line for file in (folder / "logs").glob("*.log") for line in file.read_text("utf-8").splitlines()
    ]
    errors = [json.loads(line).get("error") for line in lines if found[0] in line and '"call_failed"' in line]
    return f"{sentence} {errors}"


def main() -> int:
    """0 when nothing was wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=0, help="0 takes the clock")
    arguments = parser.parse_args()
    each = min(_MOST_EACH, max(_LEAST_EACH, arguments.messages // len(methods())))
    plan = Plan(arguments.messages, arguments.seed or int(time.time()), each)

    def say(text: str) -> None:
        print(f"\r{text:<100}", end="", file=sys.stderr, flush=True)

    with tempfile.TemporaryDirectory(prefix="platewarden-fuzz-", ignore_cleanup_errors=True) as folder:
        found = asyncio.run(fuzzed(Path(folder), plan, say))
    print(file=sys.stderr)
    print(json.dumps(found))
    return 1 if found["wrong"] else 0


if __name__ == "__main__":
    sys.exit(main())
