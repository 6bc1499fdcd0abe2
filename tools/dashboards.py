"""Writes Grafana's dashboards (deploy/observability/dashboards) from tools/panels.py; --check compares.

python -m tools.dashboards [--check]
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from tools.panels import DASHBOARDS, Panel

FOLDER: Final = Path(__file__).parents[1] / "deploy" / "observability" / "dashboards"
_WIDTH: Final = 24
_SMALL: Final = (4, 4)
_LARGE: Final = (8, 7)
_SOURCE: Final = {"type": "prometheus", "uid": "${source}"}


def dashboard(name: str) -> dict[str, Any]:
    """The dashboard as Grafana takes it."""
    title, panels = DASHBOARDS[name]
    return {
        "uid": f"platewarden-{name}",
        "title": title,
        "tags": ["platewarden"],
        "schemaVersion": 39,
        "editable": False,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "timezone": "browser",
        "templating": {
            "list": [{"name": "source", "label": "Prometheus", "type": "datasource", "query": "prometheus"}]
        },
        "links": [
            {"type": "dashboards", "tags": ["platewarden"], "title": "Platewarden", "asDropdown": True}
        ],
        "panels": _placed(panels),
    }


def _placed(panels: Sequence[Panel]) -> list[dict[str, Any]]:
    """The panels from left to right, first the small ones: six of them take a row, or three large ones."""
    placed, x, y, height = [], 0, 0, 0
    for number, panel in enumerate(sorted(panels, key=lambda one: not one.now), start=1):
        width, tall = _SMALL if panel.now else _LARGE
        if x + width > _WIDTH or (x and tall != height):
            x, y = 0, y + height
        height = tall
        placed.append({"id": number, "gridPos": {"x": x, "y": y, "w": width, "h": tall}, **_panel(panel)})
        x += width
    return placed


def _panel(panel: Panel) -> dict[str, Any]:
    targets = [
        {"refId": chr(ord("A") + n), "expr": query, "legendFormat": legend, "datasource": _SOURCE}
        for n, (query, legend) in enumerate(panel.queries.items())
    ]
    steps: list[dict[str, Any]] = [{"color": "green", "value": None}]
    if panel.red is not None:
        steps.append({"color": "red", "value": panel.red})
    made: dict[str, Any] = {
        "type": "stat" if panel.now else "timeseries",
        "title": panel.title,
        "description": panel.about,
        "datasource": _SOURCE,
        "targets": targets,
        "fieldConfig": {
            "defaults": {"unit": panel.unit, "min": 0, "thresholds": {"mode": "absolute", "steps": steps}},
            "overrides": [],
        },
    }
    if panel.now:
        made["options"] = {
            "reduceOptions": {"calcs": ["lastNotNull"]},
            "graphMode": "none",
            "colorMode": "value",
        }
    else:
        made["options"] = {
            "legend": {"displayMode": "list", "placement": "bottom"},
            "tooltip": {"mode": "multi"},
        }
        made["fieldConfig"]["defaults"]["custom"] = {"fillOpacity": 10, "showPoints": "never"}
    return made


def text_of(name: str) -> str:
    """The file of a dashboard."""
    return json.dumps(dashboard(name), indent=1, ensure_ascii=False) + "\n"


def main(arguments: list[str]) -> int:
    """Writes the files, or with --check names those that are not as they should be and ends with 1."""
    stale = 0
    for name in DASHBOARDS:
        file = FOLDER / f"{name}.json"
        if "--check" not in arguments:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text_of(name), encoding="utf-8")
        elif not file.exists() or file.read_text(encoding="utf-8") != text_of(name):
            print(
                f"{file.name} is not as tools/panels.py says: run python -m tools.dashboards", file=sys.stderr
            )
            stale = 1
    return stale


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
