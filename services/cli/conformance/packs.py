"""Policies beside the directive, and how a running system stands to each of their rules. Pure."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import resources

from services.cli.conformance.verdicts import Finding, Verdict, summed


@dataclass(frozen=True, slots=True)
class Values:
    """What is in force: retention in days, settings by name. None and missing: nobody could ask."""

    retention_days: int | None
    settings: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule of a pack: its text, and what it is held against; exactly one of the four is given."""

    text: str
    checks: tuple[str, ...] = ()
    retention_most_days: int | None = None
    setting: str = ""
    most: int = 0
    person: str = ""


@dataclass(frozen=True, slots=True)
class Pack:
    """A policy: its name and rules."""

    name: str
    rules: tuple[Rule, ...]


@dataclass(frozen=True, slots=True)
class Held:
    """A rule with its verdict and why."""

    pack: str
    text: str
    verdict: Verdict
    why: str


def packs() -> tuple[Pack, ...]:
    """The policies that come with the command."""
    text = resources.files(__package__).joinpath("packs.toml").read_text(encoding="utf-8")
    return tuple(Pack(one["name"], tuple(map(_rule, one["rule"]))) for one in tomllib.loads(text)["pack"])


def _rule(table: Mapping[str, object]) -> Rule:
    given = dict(table)
    if "checks" in given:
        given["checks"] = tuple(given["checks"])  # type: ignore[arg-type]
    return Rule(**given)  # type: ignore[arg-type]


def hold(all_packs: Iterable[Pack], findings: Iterable[Finding], values: Values) -> list[Held]:
    """Every rule of every pack with its verdict.

    Raises:
        KeyError: A rule names a check that was not made.
    """
    by_name = {one.check: one for one in findings}
    return [
        Held(pack.name, rule.text, *_verdict(rule, by_name, values))
        for pack in all_packs
        for rule in pack.rules
    ]


def _verdict(rule: Rule, findings: Mapping[str, Finding], values: Values) -> tuple[Verdict, str]:
    if rule.checks:
        own = [findings[name] for name in rule.checks]
        verdict = summed(one.verdict for one in own)
        return verdict, "; ".join(f"{one.check}: {one.sentence}" for one in own if one.verdict is verdict)
    if rule.person:
        return Verdict.NEEDS_PERSON, rule.person
    name = rule.setting or "retention"
    value = values.settings.get(rule.setting) if rule.setting else values.retention_days
    most = rule.most if rule.retention_most_days is None else rule.retention_most_days
    if value is None:
        return Verdict.NEEDS_PERSON, f"nobody could ask for {name}"
    verdict = Verdict.PASSED if value <= most else Verdict.FAILED
    return verdict, f"{name} is {value}, {most} at most"
