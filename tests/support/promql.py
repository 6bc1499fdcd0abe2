"""Queries of dashboards and alert rules, taken apart by Prometheus's own grammar."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import promql_parser
from prometheus_client.parser import text_string_to_metric_families

from tools.panels import DASHBOARDS
from tools.rules import groups

_INTERVAL = "5m"


@dataclass(frozen=True)
class Selector:
    """What a query asks of one metric: pairs of label and matcher, as (label, operation, value)."""

    metric: str
    matchers: tuple[tuple[str, str, str], ...]

    def takes(self, labels: dict[str, str]) -> bool:
        """Whether a series with these labels is one of those asked for."""
        return all(_fits(operation, labels.get(name, ""), value) for name, operation, value in self.matchers)


def panel_queries() -> dict[str, str]:
    """Every query of every dashboard, by dashboard, panel and legend."""
    return {
        f"{name}: {panel.title}: {legend}": query.replace("$__rate_interval", _INTERVAL)
        for name, (_, panels) in DASHBOARDS.items()
        for panel in panels
        for query, legend in panel.queries.items()
    }


def rule_queries() -> dict[str, str]:
    """The expression of every rule, by its name."""
    rules = (rule for group in groups() for rule in group["rules"])
    return {rule.get("alert") or rule["record"]: rule["expr"] for rule in rules}


def selectors(query: str) -> list[Selector]:
    """What the query asks for. Raises ValueError for what is no PromQL."""
    return [_selector(node) for node in _nodes(promql_parser.parse(query)) if hasattr(node, "matchers")]


def grouping_labels(query: str) -> set[str]:
    """Labels that the query sums or matches by."""
    return {
        label
        for node in _nodes(promql_parser.parse(query))
        if (modifier := getattr(node, "modifier", None)) is not None
        for label in getattr(modifier, "labels", ())
    }


def series_of(job: str, exposition: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Names and labels of the series that a service shows, as Prometheus would keep them."""
    for family in text_string_to_metric_families(exposition):
        for sample in family.samples:
            yield sample.name, {**sample.labels, "job": job, "instance": f"{job}:9090"}


def without_series(query: str, series: Iterable[tuple[str, dict[str, str]]]) -> list[Selector]:
    """What the query asks for and no series answers."""
    known = list(series)
    return [
        one
        for one in selectors(query)
        if not any(name == one.metric and one.takes(labels) for name, labels in known)
    ]


def _nodes(node: Any) -> Iterator[Any]:
    yield node
    for name in ("lhs", "rhs", "expr", "param", "args", "vector_selector"):
        below = getattr(node, name, None)
        for one in below if isinstance(below, list) else [below]:
            if one is not None and not isinstance(one, str | int | float):
                yield from _nodes(one)


def _selector(node: Any) -> Selector:
    matchers = tuple((one.name, str(one.op), one.value) for one in node.matchers.matchers)
    return Selector(node.name, matchers)


def _fits(operation: str, value: str, wanted: str) -> bool:
    kind = operation.rpartition(".")[2]
    is_same = re.fullmatch(wanted, value) is not None if kind in {"Re", "NotRe"} else value == wanted
    return is_same is (kind in {"Equal", "Re"})
