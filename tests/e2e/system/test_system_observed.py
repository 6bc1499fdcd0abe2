"""The running system as its operators see it: traces at a collector, and metrics."""

from __future__ import annotations

import asyncio
import shutil
import urllib.request
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio
from prometheus_client import generate_latest

from services.cli.demo import cast
from services.cli.demo.command import tell
from services.cli.demo.material import Material
from services.cli.frames import Picture
from services.cli.output import Output
from services.cli.scenes import draw_scene
from services.cli.witness import development_settings
from services.common.clock import SystemClock
from services.common.metrics import MEASURE_EVERY_SECONDS
from services.dev.postgres import WITHOUT_SYNC
from services.dev.supervisor import Options, Supervisor
from services.witness.__main__ import running as watching
from tests.support import promql
from tests.support.ports import free_base_port
from tests.support.spans import Collector, Received, collecting

pytestmark = pytest.mark.timeout(300)
Series = list[tuple[str, dict[str, str]]]
# No CloudNativePG is here, nothing is archived, no day has ended, and nothing has gone wrong.
NOT_HERE = frozenset(
    {
        ("platewarden_database_archived_timestamp_seconds", ""),
        ("platewarden_search_purged_timestamp_seconds", ""),
        ("platewarden_database_errors_total", ""),
        ("platewarden_audit_misuse_flags_total", ""),
        ("platewarden_search_questions_total", "end"),
        ("grpc_server_handled_total", "code"),
        ("cnpg_pg_replication_streaming_replicas", ""),
        ("barman_cloud_cloudnative_pg_io_last_available_backup_timestamp", ""),
    }
)


@dataclass(frozen=True)
class Observed:
    """A stack with its story told, its collector, and what must not be seen there."""

    stack: Supervisor
    collector: Collector
    plate: str


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    made = tmp_path_factory.mktemp("observed")
    yield made
    shutil.rmtree(made, ignore_errors=True)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def observed(folder: Path) -> AsyncIterator[Observed]:
    """The stack, with everything traced."""
    scene = draw_scene(11)
    material = Material((Picture("scene", scene.image, None),), (scene.plate,), "a generated scene")
    (folder / "evidence").mkdir()
    with pytest.MonkeyPatch.context() as environment, collecting() as (collector, url):
        environment.setenv("PW_OTLP_ENDPOINT", url)
        environment.setenv("PW_TRACE_SHARE", "1")
        options = Options(folder / "data", free_base_port(), database_settings=WITHOUT_SYNC, console=True)
        async with Supervisor(options) as stack:
            await tell(stack, folder / "data", material, folder / "evidence", Output(as_json=True))
            settings = development_settings(folder / "witness", "127.0.0.1:0", 1, folder / "data")
            async with watching(settings, SystemClock()):
                # Gauges are taken every 15 seconds.
                await asyncio.sleep(MEASURE_EVERY_SECONDS + 2)
                yield Observed(stack, collector, scene.plate)


def services_of(spans: list[Received]) -> set[str]:
    return {span.service for span in spans}


def names_of(spans: list[Received]) -> set[str]:
    return {span.name for span in spans}


async def test_one_picture_is_one_trace_from_the_frame_to_the_alert_in_the_log(observed: Observed) -> None:
    spans = await observed.collector.trace_where(
        lambda spans: services_of(spans) == {"ocr", "matcher", "search", "alerts", "audit"}
    )

    known = {span.span_id for span in spans}
    began = [span.name for span in spans if span.parent not in known]
    assert began in (["ocr.frame"], ["alpr.ocr.v1.OcrService/Recognize"])
    assert names_of(spans) >= {
        *("ocr.frame", "ocr.recognise", "ocr.keep", "ocr.image", "commit.matcher"),
        *("matcher.batch", "matcher.compare"),
        *("alpr.search.v1.ArchiveService/AppendReads", "commit.archive"),
        *("alpr.alerts.v1.AlertService/RaiseAlerts", "commit.alerts", "alerts.outbox"),
        *("alpr.audit.v1.AuthorizationService/RecordEvents", "commit.log"),
    }


async def test_one_question_is_one_trace_from_asking_to_its_outcome_in_the_log(observed: Observed) -> None:
    asked = "alpr.search.v1.SearchService/SearchReads"
    recorded = "alpr.audit.v1.AuthorizationService/RecordOutcome"
    spans = await observed.collector.trace_where(lambda spans: names_of(spans) >= {asked, recorded})

    (began,) = [span for span in spans if not span.parent]
    by_id = {span.span_id: span for span in spans}
    assert began.name == asked
    assert services_of(spans) == {"search", "audit"}
    assert {"search.archive", "search.rows", "alpr.audit.v1.AuthorizationService/Authorize"} <= names_of(
        spans
    )
    commits = [by_id[span.parent].name for span in spans if span.name == "commit.log"]
    assert recorded in commits


async def test_traces_hold_numbers_and_names_of_code_and_nothing_of_the_story(observed: Observed) -> None:
    await observed.collector.trace_where(lambda spans: "search.rows" in names_of(spans))

    everything = b"".join(observed.collector.raw)
    attributes = {key for span in observed.collector.spans for key in span.attributes}
    assert observed.plate.encode() not in everything
    assert attributes <= {"rpc.grpc.status_code", "platewarden.reads"}
    assert "unnamed" not in names_of(observed.collector.spans)


@pytest.fixture(scope="module")
def series(observed: Observed) -> Series:
    """Every series that the five services and the witness show."""
    shown = {job: _metrics(target) for job, target in observed.stack.metrics_targets.items()}
    shown["witness"] = generate_latest().decode()
    known = [one for job, text in shown.items() for one in promql.series_of(job, text)]
    jobs = [*shown, "prometheus"]
    return [*known, *(("up", {"job": job}) for job in jobs), ("ALERTS", {"alertstate": "firing"})]


@pytest.mark.parametrize("where", promql.panel_queries())
def test_every_query_of_every_panel_finds_what_it_asks_for(series: Series, where: str) -> None:
    assert [
        one for one in promql.without_series(promql.panel_queries()[where], series) if not is_excused(one)
    ] == []


@pytest.mark.parametrize("rule", promql.rule_queries())
def test_every_alert_rule_finds_what_it_asks_for(series: Series, rule: str) -> None:
    unknown = promql.without_series(promql.rule_queries()[rule], series)

    assert [one for one in unknown if not (is_excused(one) or one.metric in promql.rule_queries())] == []


def is_excused(selector: promql.Selector) -> bool:
    """Whether a system that does well, and is young, has no such series."""
    return bool(
        NOT_HERE & {(selector.metric, label) for label in ("", *(name for name, *_ in selector.matchers))}
    )


def test_metrics_hold_nothing_of_the_story(observed: Observed) -> None:
    shown = "".join(_metrics(target) for target in observed.stack.metrics_targets.values())

    for said in (observed.plate, "i90-east", "coordinator", "ILISP0000", cast.EMAIL_DOMAIN, "HOMICIDE"):
        assert said not in shown


def _metrics(target: str) -> str:
    with urllib.request.urlopen(f"http://{target}/metrics", timeout=60) as answer:
        text: str = answer.read().decode()
    return text


async def test_long_streams_have_no_span(observed: Observed) -> None:
    await observed.collector.trace_where(lambda spans: "search.rows" in names_of(spans))

    methods = {span.name.rpartition("/")[2] for span in observed.collector.spans}
    assert not [name for name in methods if name.startswith(("Watch", "Subscribe"))]
    assert not methods & {"SubmitReads", "RecognizeStream", "Check"}
