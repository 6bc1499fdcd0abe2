"""The result as one HTML page that fetches nothing and runs nothing, and as JSON-ready values."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any, Final

from services.cli.conformance.packs import Held
from services.cli.conformance.verdicts import Finding, Judged, Verdict

_COLOUR: Final = {
    Verdict.PASSED: "#1d6f42",
    Verdict.FAILED: "#b3261e",
    Verdict.NEEDS_PERSON: "#7a5900",
}
_PAGE: Final = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Conformance with ENF-051</title>
<style>
body {{ font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 72rem; color: #1b2733 }}
table {{ border-collapse: collapse; width: 100% }}
th, td {{ text-align: left; vertical-align: top; padding: .4rem .6rem; border-bottom: 1px solid #d5dde5 }}
td:first-child {{ white-space: nowrap }}
b {{ white-space: nowrap }}
ul {{ margin: .2rem 0; padding-left: 1.2rem; color: #44525f; font-size: .9em; overflow-wrap: anywhere }}
</style></head><body>
<h1>Conformance with ENF-051</h1>
<p>Asked of the running system {when} UTC. {counts}.</p>
<h2>Clauses of the directive</h2>
<table>
<thead><tr><th>clause</th><th>stands</th><th>what it asks for, and what was found</th></tr></thead>
<tbody>
{clauses}
</tbody></table>
<h2>Other policies</h2>
<p>A policy that does not bind this agency may fail. Short readings of the law, and no legal advice.</p>
<table><thead><tr><th>policy</th><th>stands</th><th>rule, and why</th></tr></thead><tbody>
{packs}
</tbody></table>
</body></html>
"""


@dataclass(frozen=True, slots=True)
class Result:
    """A run: when it ended (ISO 8601, UTC), clauses, rules of packs."""

    when: str
    judged: Sequence[Judged]
    held: Sequence[Held]


def counts(verdicts: Iterable[Verdict]) -> str:
    """For instance "61 pass, 0 fail, 19 needs a person"."""
    number = Counter(verdicts)
    return ", ".join(f"{number[one]} {one.value}" for one in Verdict)


def page(result: Result) -> str:
    """The page. Every value in it is escaped."""
    return _PAGE.format(
        when=escape(result.when),
        counts=counts(one.verdict for one in result.judged),
        clauses="\n".join(map(_clause, result.judged)),
        packs="\n".join(map(_rule, result.held)),
    )


def _clause(one: Judged) -> str:
    found = "".join(map(_finding, one.findings)) or f"<p>{escape(one.clause.person)}</p>"
    return _row(one.clause.id, one.verdict, escape(one.clause.text) + found)


def _finding(one: Finding) -> str:
    lines = "".join(f"<li>{escape(line)}</li>" for line in one.evidence)
    head = f"<summary>{_mark(one.verdict)} {escape(one.check)}: {escape(one.sentence)}</summary>"
    opened = " open" if one.verdict is Verdict.FAILED else ""
    return f"<details{opened}>{head}<ul>{lines}</ul></details>"


def _rule(one: Held) -> str:
    return _row(one.pack, one.verdict, f"{escape(one.text)}<ul><li>{escape(one.why)}</li></ul>")


def _row(name: str, verdict: Verdict, rest: str) -> str:
    return f"<tr><td>{escape(name)}</td><td>{_mark(verdict)}</td><td>{rest}</td></tr>"


def _mark(verdict: Verdict) -> str:
    return f'<b style="color: {_COLOUR[verdict]}">{verdict.value}</b>'


def clause_to_json(one: Judged) -> dict[str, Any]:
    """A clause as an object for `json.dumps`."""
    return {
        "clause": one.clause.id,
        "verdict": one.verdict.value,
        "text": one.clause.text,
        "look_at": one.clause.person,
        "findings": [
            {
                "check": found.check,
                "verdict": found.verdict.value,
                "sentence": found.sentence,
                "evidence": list(found.evidence),
            }
            for found in one.findings
        ],
    }


def rule_to_json(one: Held) -> dict[str, Any]:
    """A rule of a pack as an object for `json.dumps`."""
    return {"pack": one.pack, "verdict": one.verdict.value, "rule": one.text, "why": one.why}
