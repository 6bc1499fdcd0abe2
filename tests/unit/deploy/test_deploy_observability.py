"""Dashboards, alert rules and runbooks against the code that they speak of."""

import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer.main
import yaml
from typer.core import TyperGroup

from services.cli.main import app
from tests.support import promql
from tools import dashboards, metrics
from tools.panels import DASHBOARDS
from tools.rules import RUNBOOKS, groups, rules

ROOT = Path(__file__).parents[3]
OBSERVABILITY = ROOT / "deploy" / "observability"
# What Prometheus makes by itself, with the labels that it has.
OF_PROMETHEUS = {"up": frozenset[str](), "ALERTS": frozenset({"alertstate", "alertname", "severity"})}
OF_CLOUDNATIVE_PG = {
    "cnpg_pg_replication_streaming_replicas": frozenset[str](),
    "barman_cloud_cloudnative_pg_io_last_available_backup_timestamp": frozenset[str](),
}
BY_SCRAPING = frozenset({"job", "instance", "le"})
QUERIES = {**promql.panel_queries(), **promql.rule_queries()}
LINES = re.compile(r"`((?:platewarden|kubectl|python -m) [^`]+)`")
PAGES = sorted(path for path in RUNBOOKS.glob("*.md") if path.name != "README.md")


@cache
def known() -> dict[str, frozenset[str]]:
    """Labels by the name of each series that there can be."""
    found = {series: frozenset(one.labels) for one in metrics.families().values() for series in one.series}
    recorded = {
        rule["record"]: frozenset[str]() for group in groups() for rule in group["rules"] if "record" in rule
    }
    return {**found, **recorded, **OF_PROMETHEUS, **OF_CLOUDNATIVE_PG}


@pytest.mark.parametrize("name", DASHBOARDS)
def test_a_dashboards_file_is_what_its_panels_say(name: str) -> None:
    file = dashboards.FOLDER / f"{name}.json"

    assert file.read_text(encoding="utf-8") == dashboards.text_of(name), "run python -m tools.dashboards"


def test_no_panel_lies_on_another_and_all_are_within_the_grid() -> None:
    for name in DASHBOARDS:
        places = [panel["gridPos"] for panel in dashboards.dashboard(name)["panels"]]
        cells = [
            (x, y)
            for one in places
            for x in range(one["x"], one["x"] + one["w"])
            for y in range(one["y"], one["y"] + one["h"])
        ]
        assert len(cells) == len(set(cells)), name
        assert max(x for x, _ in cells) < 24, name


@pytest.mark.parametrize("where", QUERIES)
def test_a_query_speaks_of_metrics_and_labels_that_the_code_has(where: str) -> None:
    series, query = known(), QUERIES[where]
    asked = promql.selectors(query)

    assert asked
    for one in asked:
        assert one.metric in series, one.metric
        assert {label for label, _, _ in one.matchers} <= series[one.metric] | BY_SCRAPING, one
    labels = frozenset[str]().union(*(series[one.metric] for one in asked))
    assert promql.grouping_labels(query) <= labels | BY_SCRAPING


def test_every_metric_is_shown_or_alerted_on() -> None:
    used = {one.metric for query in QUERIES.values() for one in promql.selectors(query)}
    unused = {
        name
        for name, one in metrics.families().items()
        if name.startswith(("platewarden_", "grpc_")) and not used & set(one.series)
    }

    # Numbers that explain others, by hand.
    assert unused == {
        "grpc_server_cancelled",
        *(f"platewarden_matcher_{name}" for name in ("local_suspended", "tunings", "verdicts")),
        *(f"platewarden_matcher_look_back_{name}" for name in ("reads", "hits", "without_picture")),
        *(f"platewarden_ocr_{name}" for name in ("batch_reads", "passages", "pushes", "unreadable_plates")),
        *(f"platewarden_witness_{name}" for name in ("answers", "signed_timestamp_seconds")),
    }


def test_the_page_of_metrics_is_as_the_code_is() -> None:
    assert metrics.PAGE.read_text(encoding="utf-8") == metrics.page(), "run python -m tools.metrics"


def test_every_alert_has_a_runbook_and_every_runbook_an_alert() -> None:
    names = [rule["alert"] for rule in rules()]

    assert len(names) == len(set(names))
    assert sorted(names) == [page.stem for page in PAGES]
    for rule in rules():
        assert rule["labels"]["severity"] in {"page", "ticket", "note"}, rule["alert"]
        assert rule["annotations"]["runbook"] == f"docs/operations/runbooks/{rule['alert']}.md"
        assert rule["annotations"]["summary"]


def test_every_alert_is_seen_to_fire_by_promtools_tests() -> None:
    tests = yaml.safe_load((OBSERVABILITY / "rules_test.yaml").read_text(encoding="utf-8"))["tests"]

    assert [one["name"] for one in tests] == ["Healthy", *(rule["alert"] for rule in rules())]
    for one in tests[1:]:
        (asked,) = one["promql_expr_test"]
        assert asked["expr"] == f'count(ALERTS{{alertname="{one["name"]}",alertstate="firing"}})'
        assert asked["exp_samples"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_runbook_says_what_it_means_what_to_look_at_and_what_to_do(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    (rule,) = (rule for rule in rules() if rule["alert"] == page.stem)

    assert text.startswith(f"# {page.stem}\n")
    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == ["Look at", "Do"]
    assert f"Severity: {rule['labels']['severity']}. Dashboard: " in text
    assert re.search(r"Dashboard: (\w+)\.", text)[1] in DASHBOARDS  # type: ignore[index]
    for link in re.findall(r"\]\(([^)]+)\)", text):
        assert (page.parent / link).exists(), link


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_commands_of_a_runbook_exist(page: Path) -> None:
    for line in LINES.findall(page.read_text(encoding="utf-8")):
        words = shlex.split(line)
        if words[0] == "platewarden":
            assert options_of(words[1:]) >= {word for word in words if word.startswith("--")}, line
        if words[0] == "python":
            assert (ROOT / f"{words[2].replace('.', '/')}.py").exists(), line


@cache
def command_line() -> Any:
    return typer.main.get_command(app)


def options_of(words: list[str]) -> set[str]:
    """The options of the command that the words name; fails where there is no such command."""
    command = command_line()
    for word in words:
        if not isinstance(command, TyperGroup) or word.startswith("--") or word == "...":
            break
        command = command.get_command(typer.Context(command), word)
        assert command, f"there is no command platewarden {' '.join(words)}"
    return {name for parameter in command.params for name in parameter.opts}


def test_the_index_of_runbooks_names_them_all() -> None:
    text = (RUNBOOKS / "README.md").read_text(encoding="utf-8")

    assert re.findall(r"^\| \[(\w+)\]", text, re.MULTILINE) == [rule["alert"] for rule in rules()]


def documents() -> Iterator[dict[str, Any]]:
    yield from yaml.safe_load_all((OBSERVABILITY / "kustomization.yaml").read_text(encoding="utf-8"))


def test_the_kustomization_carries_every_dashboard() -> None:
    (document,) = documents()
    (made,) = document["configMapGenerator"]

    assert made["files"] == [f"dashboards/{name}.json" for name in sorted(DASHBOARDS)]
    assert made["files"] == [f"dashboards/{path.name}" for path in sorted(dashboards.FOLDER.glob("*.json"))]
