"""Tries dashboards and alert rules: promtool, a running system, and a real Prometheus that watches it.

    python -m tools.observability PROMETHEUS_FOLDER OUT [MINUTES]

The system does its main job again and again for some minutes. Then every query of every panel is put to
Prometheus, and the dashboards are drawn into OUT, an HTML page each: not by Grafana, but with its places,
queries and titles.
"""

from __future__ import annotations

import asyncio
import io
import json
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request
from contextlib import redirect_stdout, suppress
from pathlib import Path
from typing import Any, Final

import yaml

from services.cli.demo import cast
from services.cli.demo.command import tell
from services.cli.demo.material import Material
from services.cli.demo.story import SENSOR_ID
from services.cli.frames import Picture
from services.cli.output import Output
from services.cli.scenes import draw_scene
from services.cli.witness import development_settings
from services.common.clock import SystemClock
from services.dev.supervisor import Options, Supervisor
from services.witness.__main__ import running as watching
from tools.draw_dashboards import draw
from tools.panels import DASHBOARDS
from tools.rules import FILE, groups

_BASE_PORT: Final = 18_400
_PORT: Final = _BASE_PORT + 30
_WITNESS_PORT: Final = _BASE_PORT + 31
_EVERY_SECONDS: Final = 5
_INTERVAL: Final = "1m"


def check_rules(tools: Path, folder: Path) -> None:
    """Returns when promtool finds nothing wrong with the rules and their tests."""
    (folder / "rules.yml").write_text(yaml.safe_dump({"groups": groups()}), encoding="utf-8")
    shutil.copy(FILE.with_name("rules_test.yaml"), folder)
    for command in (["check", "rules", "rules.yml"], ["test", "rules", "rules_test.yaml"]):
        subprocess.run([tools.absolute() / "promtool", *command], cwd=folder, check=True)  # noqa: S603 - ours


def start_prometheus(tools: Path, folder: Path, targets: dict[str, str]) -> subprocess.Popen[bytes]:
    """Prometheus, watching."""
    scraped = [{"targets": [target], "labels": {"job": job}} for job, target in targets.items()]
    config = {
        "global": {"scrape_interval": f"{_EVERY_SECONDS}s", "evaluation_interval": f"{_EVERY_SECONDS}s"},
        "rule_files": ["rules.yml"],
        "scrape_configs": [{"job_name": "platewarden", "static_configs": scraped}],
    }
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config), encoding="utf-8")
    command = [
        str(tools.absolute() / "prometheus"),
        "--config.file=prometheus.yml",
        "--storage.tsdb.path=data",
        f"--web.listen-address=127.0.0.1:{_PORT}",
        "--log.level=error",
    ]
    return subprocess.Popen(command, cwd=folder)  # noqa: S603 - ours


async def work(data_dir: Path, pictures: Path, plate: str, minutes: float) -> None:
    """Pictures come and questions are asked, until the time is over; one of them is refused."""
    case = ["--case-kind", "cad", "--case", "2026-000001", "--purpose", "a drawing of the dashboards"]
    asking = ["search", "plate", plate, *case, "--offence"]
    officer = ["--as", cast.OFFICER.subject]
    until = time.monotonic() + 60 * minutes
    while time.monotonic() < until:
        await _command(data_dir, "capture", str(pictures), "--sensor", SENSOR_ID)
        await _command(data_dir, *asking, "HOMICIDE", *officer)
        await _command(data_dir, *asking, "PARKING", *officer)


async def _command(data_dir: Path, *arguments: str) -> None:
    made = await asyncio.create_subprocess_exec(
        Path(sys.executable).with_name("platewarden"),
        *arguments,
        "--data-dir",
        str(data_dir),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    await made.wait()


def ask(query: str, minutes: float) -> list[dict[str, Any]]:
    """What Prometheus answers for the last minutes. Raises HTTPError for a query that it does not take."""
    end = time.time()
    given = {"query": query, "start": end - 60 * minutes, "end": end, "step": _EVERY_SECONDS}
    url = f"http://127.0.0.1:{_PORT}/api/v1/query_range?{urllib.parse.urlencode(given)}"
    with urllib.request.urlopen(url, timeout=30) as answer:
        found: list[dict[str, Any]] = json.load(answer)["data"]["result"]
    return found


def look(out: Path, minutes: float) -> int:
    """Draws the dashboards; the number of queries without an answer, which are printed."""
    empty = asked = 0
    for name, (title, panels) in DASHBOARDS.items():
        answers = {}
        for panel in panels:
            for query in panel.queries:
                answers[query] = ask(query.replace("$__rate_interval", _INTERVAL), minutes)
                asked += 1
                if not answers[query]:
                    empty += 1
                    print(f"no series: {title}: {panel.title}: {query}")
        (out / f"{name}.html").write_text(draw(name, answers), encoding="utf-8")
    firing = [one["metric"]["alertname"] for one in ask('ALERTS{alertstate="firing"}', minutes)]
    print(json.dumps({"queries": asked, "without_series": empty, "firing": sorted(set(firing))}))
    return empty


async def observe(tools: Path, out: Path, minutes: float, folder: Path) -> int:
    """Runs it all in the folder."""
    scene = draw_scene(11)
    material = Material((Picture("scene", scene.image, None),), (scene.plate,), "a generated scene")
    pictures, data_dir = folder / "pictures", folder / "system"
    for made in (pictures, folder / "evidence"):
        made.mkdir()
    (pictures / "scene.jpg").write_bytes(scene.image)
    async with Supervisor(Options(data_dir, _BASE_PORT, console=True)) as stack:
        witness = development_settings(folder / "witness", "127.0.0.1:0", 5, data_dir)
        witness = witness.model_copy(update={"metrics_listen": f"127.0.0.1:{_WITNESS_PORT}"})
        async with watching(witness, SystemClock()):
            targets = {**stack.metrics_targets, "witness": witness.metrics_listen}
            prometheus = start_prometheus(tools, folder, targets)
            try:
                with redirect_stdout(io.StringIO()):
                    await tell(stack, data_dir, material, folder / "evidence", Output(as_json=True))
                await work(data_dir, pictures, scene.plate, minutes)
                return await asyncio.to_thread(look, out, minutes + 1)
            finally:
                prometheus.terminate()
                with suppress(subprocess.TimeoutExpired):
                    prometheus.wait(10)


def main(arguments: list[str]) -> int:
    """Ends with 1 when a query finds nothing."""
    tools, out = Path(arguments[0]), Path(arguments[1])
    minutes = float(arguments[2]) if arguments[2:] else 2.0
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        check_rules(tools, Path(scratch))
        empty = asyncio.run(observe(tools, out, minutes, Path(scratch)))
    print(f"The dashboards are drawn in {out}.")
    return 1 if empty else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
