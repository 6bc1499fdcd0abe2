"""Looks at what is new in the log with the rules about misuse (ENF-051 III.B.3.o, III.C.2.d, IV.A.2)."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import date
from typing import Final, TypeVar

import structlog

from services.audit.app_log import Draft, Log
from services.audit.core.conduct import Asked, asked_in
from services.audit.core.entry import EntryKind
from services.audit.core.justification import Rules
from services.audit.core.log_question import REDACTION
from services.audit.core.misuse import QUIET, REMEMBERED, Conduct, Finding, Limits, Standing
from services.audit.core.misuse_rules import MOST_A_DAY
from services.audit.live_settings import LiveSettings
from services.audit.metrics import FLAGS
from services.audit.store_conduct import ConductStore, Entry, Flag, Somebody, Turn
from services.common.errors import AlprError

log = structlog.get_logger()

_Item = TypeVar("_Item")
_NAMESPACE: Final = uuid.UUID("0b5f4f43-6a43-5be5-9a0c-6f6e1f0d2d87")
_LOOK_SECONDS: Final = 1.0
# After a look so many times as long is left to those who wait for answers.
_REST: Final = 19
_MOST_ENTRIES: Final = 2000
_AT_A_TIME: Final = 20
_INTERLEAVED: Final = "misuse.interleaved"


class _Company:
    """Who else asked about a case or a plate; grows while the batch is looked at, in the order of the log."""

    def __init__(self, in_case: Sequence[tuple[str, str]], at_target: Sequence[tuple[str, str]]) -> None:
        self._cases: dict[str, set[str]] = defaultdict(set)
        self._targets: dict[str, set[str]] = defaultdict(set)
        self.me = ""
        for pairs, kept in ((in_case, self._cases), (at_target, self._targets)):
            for name, account_id in pairs:
                kept[name].add(account_id)

    def in_case(self, case: str) -> int:
        return len(self._cases[case] - {self.me}) if case else 0

    def at_target(self, target: str) -> int:
        return len(self._targets[target] - {self.me}) if target else 0

    def join(self, account_id: str, one: Asked) -> None:
        self._cases[one.case].add(account_id)
        self._targets[one.target].add(account_id)


class Misuse:
    """Follows the log. Any number of replicas may: one looks at a time, and a flag has an id of its own."""

    def __init__(
        self, journal: Log, store: ConductStore, rules: Rules, limits: Callable[[], Limits] = Limits
    ) -> None:
        self._log = journal
        self._store = store
        self._rules = rules
        self._limits = limits

    async def watch(self) -> None:
        """Looks every second, without end; what fails now is done at the next look."""
        while True:
            more, began = False, time.monotonic()
            try:
                more = await self.look()
                await self.note()
            except AlprError:
                log.warning("misuse_not_looked_for")
            took = time.monotonic() - began
            await asyncio.sleep(max(took * _REST, 0 if more else _LOOK_SECONDS))

    async def look(self) -> bool:
        """True when there may be more to look at.

        Raises:
            StorageUnavailableError: The log could not be read, or the flags not be stored; nothing was.
        """
        async with self._store.turn() as turn:
            entries = await turn.entries(_MOST_ENTRIES) if turn else []
            if turn is None or not entries:
                return False
            for one in entries:
                if one.fields.get("action") == REDACTION and one.fields.get("kind") == EntryKind.INTENT:
                    await turn.forget(one.fields.get("resource", ""))
            await self._judge(turn, entries)
            await turn.done(entries[-1].log_index + 1)
        return len(entries) == _MOST_ENTRIES

    async def note(self) -> None:
        """Notes flags in the log, once each. Raises AuditUnavailableError, StorageUnavailableError."""
        for flag in await self._store.to_note():
            await self._log.append(_event(flag))
            await self._store.noted(flag.flag_id)
            FLAGS.labels(rule=flag.rule).inc()

    async def _judge(self, turn: Turn, entries: Sequence[Entry]) -> None:
        seen = [
            (one.fields.get("actor", ""), asked_in(one.log_index, one.record_time, one.fields, self._rules))
            async for one in _in_pieces(entries)
        ]
        devices = [one for one in entries if one.fields.get("action") == _INTERLEAVED]
        named = {who for who, asked in seen if asked} | {_whose(one) for one in devices}
        people = await turn.people(sorted(named))
        if not people:
            return
        since = entries[0].record_time - REMEMBERED
        past = await turn.past(sorted(people), since)
        raised = await turn.raised(sorted(people), entries[0].record_time - QUIET)
        asked = _fresh(past, [(people[who], one) for who, one in seen if one and who in people])
        company = await self._company(turn, people, past, asked)
        limits = self._limits()
        conducts = {}
        for name, who in people.items():
            conducts[name] = Conduct(limits, Standing(who.end_time), past[name], raised[name])
            await asyncio.sleep(0)  # questions go on meanwhile
        async for who, one in _in_pieces(asked):
            company.me = who.account_id
            for finding in conducts[who.account_id].see(one, company):
                await self._flag(turn, who, finding, entries[-1])
            company.join(who.account_id, one)
        for event in devices:
            somebody = people.get(_whose(event))
            if somebody is None:
                continue
            for finding in conducts[somebody.account_id].interleaved(event.log_index, event.record_time):
                await self._flag(turn, somebody, finding, entries[-1])
        await turn.remember(asked, since)

    async def _company(
        self,
        turn: Turn,
        people: dict[str, Somebody],
        past: dict[str, list[Asked]],
        asked: Sequence[tuple[Somebody, Asked]],
    ) -> _Company:
        known = [*(one for rows in past.values() for one in rows), *(one for _, one in asked)]
        oldest = min((one.hour for one in known), default=None)
        if oldest is None:
            return _Company((), ())
        cases, targets = {one.case for one in known}, {one.target for _, one in asked}
        agencies = {who.agency_ori for who in people.values()}
        return _Company(*await turn.company(sorted(agencies), sorted(cases), sorted(targets), oldest))

    async def _flag(self, turn: Turn, who: Somebody, found: Finding, last: Entry) -> None:
        # Ids follow from the log, so that whoever looks at it again raises the same flag.
        name = f"{who.account_id}/{found.rule}/{found.about}/{found.log_index}"
        flag_id, review_id = uuid.uuid5(_NAMESPACE, f"flag/{name}"), uuid.uuid5(_NAMESPACE, f"review/{name}")
        await turn.flag(who, found, str(flag_id), str(review_id), last.record_time)


async def _in_pieces(items: Sequence[_Item]) -> AsyncIterator[_Item]:
    """The items, with a pause after some, in which questions go on."""
    for number, one in enumerate(items, 1):
        yield one
        if not number % _AT_A_TIME:
            await asyncio.sleep(0)


def _fresh(
    past: Mapping[str, Sequence[Asked]], asked: Sequence[tuple[Somebody, Asked]]
) -> list[tuple[Somebody, Asked]]:
    """What is not like something before, as long as the person's day has room for it.

    Who asks more than that in a day has been flagged for it long before; looking on would cost more the more
    is asked, and nobody shall be able to keep the rules busy.
    """
    days: dict[tuple[str, date], set[tuple[object, ...]]] = defaultdict(set)
    present = {one.hour.date() for _, one in asked}
    for name, rows in past.items():
        for row in rows:
            if row.hour.date() in present:
                days[name, row.hour.date()].add(row.key)
    found = []
    for who, one in asked:
        today = days[who.account_id, one.hour.date()]
        if one.key not in today and len(today) < MOST_A_DAY:
            today.add(one.key)
            found.append((who, one))
    return found


def limits_of(live: LiveSettings) -> Limits:
    """The limits as the agency has set them (IV.E.1.b)."""
    return Limits(
        repeat_days=live.value("misuse_repeat_days"),
        repeat_cases=live.value("misuse_repeat_cases"),
        repeat_alone_days=live.value("misuse_repeat_alone_days"),
        case_plates=live.value("misuse_case_plates"),
        case_days=live.value("misuse_case_days"),
        case_offences=live.value("misuse_case_offences"),
        hours_days=live.value("misuse_hours_days"),
        spike_plates=live.value("misuse_spike_plates"),
        spike_times=live.value("misuse_spike_times"),
        vague_of_twenty=live.value("misuse_vague_of_twenty"),
        barred_tries=live.value("misuse_barred_tries"),
        leaver_days=live.value("misuse_leaver_days"),
        leaver_times=live.value("misuse_leaver_times"),
        leaver_plates=live.value("misuse_leaver_plates"),
    )


def _whose(event: Entry) -> str:
    return event.fields.get("detail.account") or event.fields.get("resource", "")


def _event(flag: Flag) -> Draft:
    values = {
        "action": "misuse.flagged",
        "actor": "audit",
        "service": "audit",
        "resource": flag.flag_id,
        "agency": flag.agency_ori,
        "subject": flag.entry_id,
        "detail.rule": flag.rule,
        "detail.account": flag.account_id,
        "detail.review": flag.review_id,
    }
    return Draft(EntryKind.EVENT, f"misuse-flag/{flag.flag_id}", values)
