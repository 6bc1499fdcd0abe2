"""A run: the system under load, faults one after another, and the reckoning at the end."""

from __future__ import annotations

import asyncio
import random
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from tests.chaos import check
from tests.chaos.answers import Answers
from tests.chaos.faults import NEEDS_DISKS, WEIGHTS, Fault, Hand, draw, every_service_once
from tests.chaos.load import Load, Pace, settled
from tests.chaos.stack import Stack

_RECOVER_SECONDS: Final = 60.0
_POLL_SECONDS: Final = 0.2
_WELL_SECONDS: Final = 240.0


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do: for how long, how many faults at least, with which kinds, and at what pace."""

    seed: int
    seconds: float
    least_faults: int
    at_once: int
    kinds: tuple[str, ...] = tuple(WEIGHTS)
    pace: Pace = field(default_factory=Pace)
    database_settings: dict[str, str] = field(default_factory=dict)


@dataclass
class Seen:
    """A fault and what was seen: when, for how long, what was answered meanwhile, when all went on."""

    fault: Fault
    at_seconds: float
    took_seconds: float = 0.0
    answered: dict[str, int] = field(default_factory=dict)
    refused: dict[str, int] = field(default_factory=dict)
    recovered_seconds: dict[str, float | None] = field(default_factory=dict)
    problem: str = ""


async def run(plan: Plan, folder: Path, say: Any) -> dict[str, Any]:
    """The ledger of a run on a new system in `folder`."""
    answers = Answers()
    start = time.monotonic()
    async with Stack(folder, database_settings=plan.database_settings) as stack:
        say(f"the system is up after {time.monotonic() - start:.0f} s")
        async with Load(stack, answers, plan.seed, plan.pace) as load:
            witness = await stack.start_witness()
            await _all_answered(answers, load, time.monotonic(), _WELL_SECONDS)
            seen = await Storm(stack, load, answers, plan, say).run()
            stack.heal()
            say("healed; waiting until all is well")
            await stack.until_well(_WELL_SECONDS)
            unfinished = await load.finish()
            await settled(answers, load)
            say("checking")
            auditor = await load.session("demo-auditor")
            findings = await check.everything(stack, answers, auditor, witness)
    wrong = [*unfinished, *findings.wrong]
    return {
        **_ledger(plan, stack, seen),
        "wrong": wrong,
        "checked": findings.checked,
        "load": answers.summary(),
    }


def _ledger(plan: Plan, stack: Stack, seen: list[Seen]) -> dict[str, Any]:
    """What was done, and what was seen of it."""
    return {
        "seed": plan.seed,
        "seconds": plan.seconds,
        "faults": len(seen),
        "by_kind": {kind: sum(one.fault.kind == kind for one in seen) for kind in plan.kinds},
        "not_put_in": [] if stack.has_disks else sorted(NEEDS_DISKS),
        "promotions": stack.database.promotions,
        "restarts": stack.restarts,
        "ledger": [asdict(one) for one in seen],
    }


class Storm:
    """Puts in faults until the time is over."""

    def __init__(self, stack: Stack, load: Load, answers: Answers, plan: Plan, say: Any) -> None:
        self._stack, self._load, self._answers, self._plan, self._say = stack, load, answers, plan, say
        self._hand = Hand(stack)
        self._chance = random.Random(f"faults {plan.seed}")
        self._seen: list[Seen] = []
        self._in_place = 0
        self._start = time.monotonic()
        # A promotion or a full disk of the database is an emergency of its own: no second one beside it.
        self._database = asyncio.Lock()

    async def run(self) -> list[Seen]:
        """What was seen of each fault."""
        kinds = [kind for kind in self._plan.kinds if self._stack.has_disks or kind not in NEEDS_DISKS]
        first = [one for one in every_service_once(self._chance) if one.kind in kinds]
        watching: list[asyncio.Task[None]] = []
        gap = self._plan.seconds / max(self._plan.least_faults, 1)
        begun = time.monotonic()
        # On a busy machine faults take longer, and the time would be over before there were enough of them.
        while time.monotonic() < begun + self._plan.seconds or len(watching) < self._plan.least_faults:
            fault = first.pop() if first else draw(self._chance, self._stack, kinds)
            if self._in_place < self._plan.at_once:
                self._in_place += 1
                watching.append(asyncio.create_task(self._one(fault)))
            await asyncio.sleep(gap * self._chance.uniform(0.4, 1.2))
        await asyncio.gather(*watching)
        return self._seen

    async def _one(self, fault: Fault) -> None:
        seen = Seen(fault, round(time.monotonic() - self._start, 1))
        self._seen.append(seen)
        counts, refusals = self._answers.counts.copy(), self._answers.refusals.copy()
        begun = time.monotonic()
        try:
            if "primary" in fault.targets or "standby" in fault.targets or "postgres" in fault.targets[0]:
                async with self._database:
                    await self._in_and_out(fault)
            else:
                await self._in_and_out(fault)
        except Exception as error:  # the ledger tells; the run goes on
            seen.problem = repr(error)
        finally:
            self._in_place -= 1  # the next one does not wait until all have recovered from this one
        seen.took_seconds = round(time.monotonic() - begun, 1)
        recovered = await _all_answered(self._answers, self._load, time.monotonic(), _RECOVER_SECONDS)
        seen.recovered_seconds = recovered
        seen.answered = dict(self._answers.counts - counts)
        seen.refused = dict(self._answers.refusals - refusals)
        slowest = max((one if one is not None else _RECOVER_SECONDS for one in recovered.values()), default=0)
        said = f" PROBLEM {seen.problem}" if seen.problem else ""
        what = f"{fault.kind} {', '.join(fault.targets)}"
        self._say(f"{len(self._seen)}: {what}: all goes on after {slowest:.1f} s{said}")

    async def _in_and_out(self, fault: Fault) -> None:
        undo = await self._hand.put_in(fault)
        try:
            await asyncio.sleep(fault.seconds)
        finally:
            await undo()
        if fault.targets[0] in ("primary", "standby", "postgres", "postgres-b"):
            await self._stack.database.until_synchronous()


async def _all_answered(
    answers: Answers, load: Load, since: float, patience: float
) -> dict[str, float | None]:
    """For each kind of work, how long after `since` it was answered again; None for not within `patience`."""
    found: dict[str, float | None] = dict.fromkeys(load.kinds)
    while time.monotonic() < since + patience and None in found.values():
        for kind in [kind for kind, when in found.items() if when is None]:
            if answers.last_ok.get(kind, 0.0) > since:
                found[kind] = round(answers.last_ok[kind] - since, 1)
        await asyncio.sleep(_POLL_SECONDS)
    return found
