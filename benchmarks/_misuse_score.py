"""Runs the rules over a simulated year, and says how often they are right and what they miss."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from benchmarks._misuse_episodes import Episode
from benchmarks._misuse_people import BEGIN, DAYS, Agency, Ask
from services.audit.core.conduct import asked_in
from services.audit.core.justification import Rules
from services.audit.core.misuse import QUIET, REMEMBERED, Conduct, Limits, Standing

# What is flagged within a week after misuse ended still leads a reviewer to it.
AFTERWARDS = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Flag:
    """What was flagged: who, by which rule, when."""

    person: int
    rule: str
    moment: datetime


class Everybody:
    """Who else asked under a case or about a plate, as the service knows it at that moment."""

    def __init__(self) -> None:
        self._cases: dict[str, dict[int, datetime]] = defaultdict(dict)
        self._targets: dict[str, dict[int, datetime]] = defaultdict(dict)
        self.me = -1
        self.now = BEGIN

    def in_case(self, case: str) -> int:
        """How many others asked under that case number."""
        return self._others(self._cases.get(case, {}))

    def at_target(self, target: str) -> int:
        """How many others asked about that plate."""
        return self._others(self._targets.get(target, {}))

    def join(self, case: str, target: str) -> None:
        """The person asked."""
        if case:
            self._cases[case][self.me] = self.now
        if target:
            self._targets[target][self.me] = self.now

    def _others(self, seen: dict[int, datetime]) -> int:
        return sum(1 for who, at in seen.items() if who != self.me and self.now - at <= REMEMBERED)


def flags_of(agency: Agency, asks: Sequence[Ask], rules: Rules) -> list[Flag]:
    """What the rules flag, question by question, in the order in which they are asked."""
    conducts: dict[int, Conduct] = {}
    everybody, found = Everybody(), []
    for number, ask in enumerate(asks):
        one = asked_in(number, ask.moment, _fields(ask), rules)
        if one is None:
            continue
        conduct = conducts.setdefault(ask.person, Conduct(Limits(), Standing()))
        conduct.standing = _standing(agency, ask)
        everybody.me, everybody.now = ask.person, ask.moment
        found += [Flag(ask.person, each.rule.value, ask.moment) for each in conduct.see(one, everybody)]
        everybody.join(one.case, one.target)
    return found


def flags_by_volume(asks: Iterable[Ask], least: int) -> list[Flag]:
    """What a plain threshold flags: so many plates in a day; the same person again after the same pause."""
    plates: dict[tuple[int, datetime], set[str]] = defaultdict(set)
    last: dict[int, datetime] = {}
    found = []
    for ask in asks:
        day = ask.moment.replace(hour=0, minute=0, second=0, microsecond=0)
        plates[ask.person, day].add(ask.plate)
        quiet = ask.person in last and ask.moment - last[ask.person] < QUIET
        if len(plates[ask.person, day]) >= least and not quiet:
            last[ask.person] = ask.moment
            found.append(Flag(ask.person, "VOLUME", ask.moment))
    return found


def judged(episodes: Sequence[Episode], flags: Sequence[Flag]) -> dict[str, Any]:
    """Flags, how many of them in or right after an episode, how many episodes they found; also by rule."""
    by_person: dict[int, list[Episode]] = defaultdict(list)
    for episode in episodes:
        by_person[episode.person].append(episode)
    raised, right = Counter[str](), Counter[str]()
    found: set[Episode] = set()
    found_by_rule: set[Episode] = set()
    for flag in flags:
        hit = [one for one in by_person[flag.person] if one.first <= flag.moment <= one.last + AFTERWARDS]
        raised[flag.rule] += 1
        right[flag.rule] += bool(hit)
        found.update(hit)
        found_by_rule.update(one for one in hit if one.kind == flag.rule)
    kinds = Counter(one.kind for one in episodes)
    return {
        **_rates(raised.total(), right.total(), len(episodes), len(found)),
        "by_rule": {
            rule: _rates(
                raised[rule], right[rule], kinds[rule], sum(one.kind == rule for one in found_by_rule)
            )
            for rule in sorted(kinds.keys() | raised.keys())
        },
    }


def _rates(flags: int, right: int, episodes: int, found: int) -> dict[str, Any]:
    return {
        "flags": flags,
        "precision": round(right / flags, 3) if flags else None,
        "episodes": episodes,
        "recall": round(found / episodes, 3) if episodes else None,
    }


def _standing(agency: Agency, ask: Ask) -> Standing:
    person = agency.people[ask.person]
    is_known = person.last_day < DAYS and (ask.moment - BEGIN).days >= person.end_known
    return Standing(BEGIN + timedelta(days=person.last_day) if is_known else None)


def _fields(ask: Ask) -> dict[str, str]:
    return {
        "kind": ask.kind,
        "action": ask.action,
        "clauses": ask.clauses,
        "case_number": ask.case,
        "case_number_kind": "CAD",
        "purpose": ask.purpose,
        "offence_code": ask.code,
        "question": f"kind:5:reads\nplate:{len(ask.plate)}:{ask.plate}",
    }
