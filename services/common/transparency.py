"""What a transparency report counts in the log, and what it withholds (ENF-051 IV.B.1, III.B.3.q).

It needs nothing but Python, so that whoever is given an export of the log counts by the very same rules:
`verify_transparency.py` takes this file with it.

Each entry counts in the period in which it was recorded; an act counts in the period of its intent, once an
outcome within the counted part of the log says that it was done. A question counts once, whatever the number
of its pages. Everything is counted for one agency.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

FORMAT = "platewarden.transparency/v1"
LEAST_SHOWN = 5
"""Numbers from 1 up to, not including, this one are never shown."""
OTHER = "OTHER"
"""The row of whatever has no row of its own; people's own words never become one."""

_KNOWN_BY = frozenset({"entry_id", "kind", "record_time"})
_ALWAYS = _KNOWN_BY | {"action", "actor_agency", "agency", "result", "subject"}
_OF_ACTION = {
    "alert.verify": frozenset({"detail.state"}),
    "alert.dispose": frozenset({"detail.disposition"}),
    "reads.purge": frozenset({"detail.certificate", "detail.reads", "detail.images"}),
}
_OF_QUESTION = frozenset({"case_number_kind", "offence_code"})
COUNTED = _ALWAYS.union(_OF_QUESTION, *_OF_ACTION.values())
"""Names of all fields that are counted by."""

_HITS = {"hit.raised": "ALERT_RAISED", "hit.added": "ADDED_TO_AN_ALERT"}
_ACTS = {
    "alert.verify": ("verifications", "state", "detail.state"),
    "alert.dispose": ("dispositions", "disposition", "detail.disposition"),
}
_SHARES = {
    "dissemination.evidence": "EVIDENCE_PACKAGE",
    "dissemination.export": "EXPORT_FOR_A_CASE",
    "dissemination.everything": "FULL_EXPORT",
    "dissemination.government": "GOVERNMENT_ENTITY",
    "dissemination.public": "PUBLIC_BY_LAW",
    "dissemination.share": "LAW_ENFORCEMENT_AGENCY",
}
_APART = "mcs_"
_PURGE = "reads.purge"
# What is counted, in the order of the report, and by what it is broken down.
MEASURES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("questions", ("offence", "question", "case_number_kind")),
    ("refusals", ("reason", "offence")),
    ("questions_of_other_agencies", ("agency", "offence")),
    ("hits", ("hit",)),
    ("verifications", ("state",)),
    ("dispositions", ("disposition",)),
    ("shares", ("share",)),
)
# Rows that are the same for everybody; those of the other breakdowns come from the agency's own catalogue.
FIXED_ROWS = {
    "disposition": ("ARREST", "FALSE_ALARM", "NOT_LOCATED", "NO_ACTION", "RECOVERED", "STOPPED"),
    "hit": tuple(sorted(_HITS.values())),
    "state": ("CONFIRMED", "MISREAD", "NOT_CONFIRMED", "STALE", "VERIFYING", "WRONG_STATE"),
    "share": tuple(sorted(_SHARES.values())),
}


@dataclass(frozen=True)
class Terms:
    """What is counted: for which agency, from when to before when, and the rows of each breakdown.

    Moments are written as in the log, "2026-05-01T00:00:00.000000Z". `rows` holds no OTHER: every breakdown
    has that one.
    """

    agency_ori: str
    start: str
    end: str
    rows: Mapping[str, tuple[str, ...]]


def counted_names(values: Mapping[str, str], offences: frozenset[str]) -> frozenset[str]:
    """Fields of an entry that somebody needs in order to count it: no person, plate, place or case number.

    A code that is none of `offences` is what somebody typed, and stays closed; it counts as OTHER.
    """
    names = _ALWAYS | _OF_ACTION.get(values.get("action", ""), frozenset())
    if values.get("kind") in {"query", "refusal"}:
        names |= _OF_QUESTION
    return names if values.get("offence_code", "") in offences else names - {"offence_code"}


class Tally:
    """Counts entries, given in the order of the log, each as its fields by name."""

    def __init__(self, terms: Terms) -> None:
        self._terms = terms
        self._totals: Counter[str] = Counter()
        self._cells: Counter[tuple[str, str, str]] = Counter()
        self._pending: dict[str, tuple[str, str, str]] = {}
        self.purges: Counter[str] = Counter()

    @property
    def pending(self) -> frozenset[str]:
        """Ids of the acts of the period whose outcome has not come yet."""
        return frozenset(self._pending)

    def take(self, values: Mapping[str, str]) -> None:
        """Counts the next entry."""
        kind = values.get("kind", "")
        if kind == "outcome":
            self._end(values)
        elif self._terms.start <= values.get("record_time", "") < self._terms.end:
            if kind == "query":
                self._question(values)
            elif kind == "refusal" and self._is_own(values):
                self._add("refusals", reason=values.get("result", ""), offence=_offence(values))
            elif kind == "event" and values.get("agency") == self._terms.agency_ori:
                if hit := _HITS.get(values.get("action", "")):
                    self._add("hits", hit=hit)
            elif kind == "intent":
                self._intent(values)

    def _is_own(self, values: Mapping[str, str]) -> bool:
        return values.get("actor_agency") == self._terms.agency_ori

    def _question(self, values: Mapping[str, str]) -> None:
        action = values.get("action", "")
        # A further page belongs to a question that was counted.
        if not action.startswith("question.") or values.get("subject"):
            return
        if self._is_own(values):
            case = values.get("case_number_kind", "")
            self._add("questions", offence=_offence(values), question=action, case_number_kind=case)
        elif self._terms.agency_ori in values.get("agency", "").split(","):
            agency = values.get("actor_agency", "")
            self._add("questions_of_other_agencies", agency=agency, offence=_offence(values))

    def _intent(self, values: Mapping[str, str]) -> None:
        action, entry_id = values.get("action", ""), values.get("entry_id", "")
        if action == _PURGE:
            self._pending[entry_id] = (_PURGE, "", "")
            return
        action = action.removeprefix(_APART)
        if not self._is_own(values):
            return
        if action in _ACTS:
            measure, breakdown, field = _ACTS[action]
            self._pending[entry_id] = (measure, breakdown, values.get(field, ""))
        elif action in _SHARES:
            self._pending[entry_id] = ("shares", "share", _SHARES[action])

    def _end(self, values: Mapping[str, str]) -> None:
        measure, breakdown, row = self._pending.pop(values.get("subject", ""), ("", "", ""))
        if not measure or values.get("result") != "DONE":
            return
        if measure != _PURGE:
            self._add(measure, **{breakdown: row})
        elif values.get("detail.certificate"):
            self.purges["certificates"] += 1
            self.purges["reads"] += _number(values.get("detail.reads", ""))
            self.purges["pictures"] += _number(values.get("detail.images", ""))

    def _add(self, measure: str, **rows: str) -> None:
        self._totals[measure] += 1
        for breakdown, row in rows.items():
            known = row in self._terms.rows.get(breakdown, ())
            self._cells[measure, breakdown, row if known else OTHER] += 1

    def measures(self) -> list[dict[str, Any]]:
        """What was counted, as it may be shown: numbers, and None for what is withheld."""
        return [self._measure(name, breakdowns) for name, breakdowns in MEASURES]

    def _measure(self, measure: str, breakdowns: Iterable[str]) -> dict[str, Any]:
        found = []
        for by in breakdowns:
            names = (*self._terms.rows.get(by, ()), OTHER)
            counts = shown([self._cells[measure, by, name] for name in names])
            rows = [{"count": count, "name": name} for name, count in zip(names, counts, strict=True)]
            found.append({"by": by, "rows": rows})
        total = self._totals[measure]
        return {"breakdowns": found, "name": measure, "total": None if is_small(total) else total}


def is_small(count: int, least: int = LEAST_SHOWN) -> bool:
    """True for a number that might point at somebody."""
    return 0 < count < least


def shown(counts: Sequence[int], least: int = LEAST_SHOWN) -> list[int | None]:
    """The cells of one sum as they may be shown beside their total, which is withheld when it is small.

    Small cells are withheld, and with them the smallest of the others, so that nobody tells from the total
    which of the withheld ones is small. Where no cell is large, and in the one case where the total gives all
    of them away, none is shown. For every cell that is withheld there are two values or more that fit
    everything that is shown, also for whoever knows this rule; a test goes through all tables of some size.
    """
    total = sum(counts)
    small = [is_small(count, least) for count in counts]
    large = [count for count in counts if count >= least]
    gives_away = total == len(counts) * (least - 1)
    if total and (not large or gives_away):
        return [None] * len(counts)
    if not any(small):
        return list(counts)
    lowest = min(large)
    return [None if is_small(count, least) or count == lowest else count for count in counts]


def _offence(values: Mapping[str, str]) -> str:
    return values.get("offence_code", "")


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdecimal() else 0
