"""What was found out about a running system, and what that says of each clause. Pure."""

from __future__ import annotations

import enum
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Final


class Verdict(enum.Enum):
    """How a check or a clause stands; the value is the word that people read."""

    PASSED = "pass"
    FAILED = "fail"
    NEEDS_PERSON = "needs a person"


@dataclass(frozen=True, slots=True)
class Clause:
    """A clause of the directive: id, kind (T, C, R, O), what it asks of the software, and of people."""

    id: str
    kind: str
    text: str
    person: str


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found.

    Args:
        check: Its name.
        clauses: Ids of the clauses that it speaks of.
        verdict: How it ended.
        sentence: What that is, for people.
        evidence: RPCs with their answers, entries of the log, counts: enough to look again; no content.
    """

    check: str
    clauses: tuple[str, ...]
    verdict: Verdict
    sentence: str
    evidence: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Judged:
    """A clause with all that was found about it."""

    clause: Clause
    verdict: Verdict
    findings: tuple[Finding, ...]


NOTHING_SHOWS: Final = "nothing of it shows from outside"


def clauses() -> tuple[Clause, ...]:
    """The clauses of the directive, in its order."""
    text = resources.files(__package__).joinpath("clauses.toml").read_text(encoding="utf-8")
    return tuple(
        Clause(name, one["kind"], one["text"], one.get("person", NOTHING_SHOWS))
        for name, one in tomllib.loads(text).items()
    )


def judge(all_clauses: Sequence[Clause], findings: Iterable[Finding]) -> tuple[Judged, ...]:
    """Every clause with its verdict.

    One failed check fails its clauses, and one that needs a person leaves them to a person; a clause of which
    nothing shows from outside is a person's, too.

    Raises:
        ValueError: A finding speaks of a clause that there is not.
    """
    given = tuple(findings)
    unknown = {name for one in given for name in one.clauses} - {one.id for one in all_clauses}
    if unknown:
        raise ValueError(f"no such clause: {', '.join(sorted(unknown))}")
    return tuple(_judged(clause, given) for clause in all_clauses)


def _judged(clause: Clause, given: Iterable[Finding]) -> Judged:
    own = tuple(one for one in given if clause.id in one.clauses)
    return Judged(clause, summed(one.verdict for one in own), own)


def summed(verdicts: Iterable[Verdict]) -> Verdict:
    """The verdict of what consists of `verdicts`: the worst of them; without any, a person is needed."""
    found = set(verdicts) or {Verdict.NEEDS_PERSON}
    return next(one for one in (Verdict.FAILED, Verdict.NEEDS_PERSON, Verdict.PASSED) if one in found)
