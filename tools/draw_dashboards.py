"""Draws a dashboard as an HTML page, from what Prometheus answered."""

from __future__ import annotations

import html
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from tools.dashboards import dashboard

Answers = Mapping[str, Sequence[Mapping[str, Any]]]
Line = tuple[str, list[tuple[float, float]]]

_CELL: Final = (76, 42)
_COLOURS: Final = ("#3274d9", "#e0752d", "#299c46", "#a352cc", "#d6455d", "#33a2a4", "#b08d12", "#6d6d6d")
_MOST_LEGENDS: Final = 8
_PREFIXES: Final = ((1e9, "G"), (1e6, "M"), (1e3, "k"), (1, ""), (1e-3, "m"), (1e-6, "u"))
_UNITS: Final = {"s": "s", "bytes": "B", "reqps": "/s", "ops": "/s", "short": "", "percentunit": "%"}
_STYLE: Final = (
    "body{background:#f4f5f5;font:12px sans-serif;margin:12px}h1{font-size:18px}"
    ".board{position:relative}.panel{position:absolute;background:#fff;border:1px solid #ddd;overflow:hidden}"
    ".panel b{display:block;padding:4px 8px}.value{font-size:30px;text-align:center;padding-top:18px}"
    ".legend{padding:0 8px;white-space:nowrap;overflow:hidden;text-overflow:ellipsis}"
)


def draw(name: str, answers: Answers) -> str:
    """The page; `answers` holds the series of each query."""
    board = dashboard(name)
    panels = "".join(_panel(panel, answers) for panel in board["panels"])
    height = max(one["gridPos"]["y"] + one["gridPos"]["h"] for one in board["panels"]) * _CELL[1]
    return (
        f"<!doctype html><meta charset=utf-8><title>{board['title']}</title><style>{_STYLE}</style>"
        f"<h1>{board['title']}</h1><div class=board style='height:{height}px'>{panels}</div>\n"
    )


def _panel(panel: Mapping[str, Any], answers: Answers) -> str:
    place, unit = panel["gridPos"], panel["fieldConfig"]["defaults"]["unit"]
    width, height = place["w"] * _CELL[0] - 8, place["h"] * _CELL[1] - 8
    lines = [line for target in panel["targets"] for line in _lines(target, answers)]
    inside = _values(panel, lines, unit) if panel["type"] == "stat" else _chart(lines, unit, width, height)
    return (
        f"<div class=panel style='left:{place['x'] * _CELL[0]}px;top:{place['y'] * _CELL[1]}px;"
        f"width:{width}px;height:{height}px'><b>{html.escape(panel['title'])}</b>{inside}</div>"
    )


def _lines(target: Mapping[str, Any], answers: Answers) -> list[Line]:
    found = []
    for series in answers.get(target["expr"], ()):
        legend = target["legendFormat"]
        for label, value in series["metric"].items():
            legend = legend.replace("{{" + label + "}}", value)
        legend = re.sub(r"{{\w+}}", "", legend)
        points = [(float(x), float(y)) for x, y in series["values"]]
        found.append((legend, [(x, y) for x, y in points if math.isfinite(y)]))
    return found


def _values(panel: Mapping[str, Any], lines: Sequence[Line], unit: str) -> str:
    steps = panel["fieldConfig"]["defaults"]["thresholds"]["steps"]
    red = next((step["value"] for step in steps if step["color"] == "red"), math.inf)
    shown = [(legend, points[-1][1]) for legend, points in lines if points]
    size = 30 if len(shown) == 1 else 13
    rows = "<br>".join(
        f"<span style='color:{'#d6455d' if value >= red else '#299c46'}'>{number(value, unit)}"
        f"{'' if len(shown) == 1 else ' ' + html.escape(legend)}</span>"
        for legend, value in shown
    )
    return f"<div class=value style='font-size:{size}px'>{rows or 'no data'}</div>"


def _chart(lines: Sequence[Line], unit: str, width: int, height: int) -> str:
    points = [point for _, line in lines for point in line]
    if not points:
        return "<div class=value>no data</div>"
    top, bottom, left = 6, height - 64, 56
    most = 1.1 * (max(y for _, y in points) or 1.0)
    start, end = min(x for x, _ in points), max(x for x, _ in points)

    def at(x: float, y: float) -> str:
        across = left + (x - start) / max(end - start, 1) * (width - left - 12)
        return f"{across:.1f},{top + (1 - max(y, 0) / most) * (bottom - top):.1f}"

    grid = "".join(
        f"<line x1={left} x2={width - 12} y1={y:.0f} y2={y:.0f} stroke='#eee'/>"
        f"<text x=4 y={y + 4:.0f} font-size=10 fill='#666'>{number(most * share, unit)}</text>"
        for share in (0, 0.5, 1)
        for y in (top + (1 - share) * (bottom - top),)
    )
    drawn = "".join(
        f"<polyline fill=none stroke='{_colour(n)}' points='{' '.join(at(*point) for point in line)}'/>"
        for n, (_, line) in enumerate(lines)
    )
    legends = " ".join(
        f"<span style='color:{_colour(n)}'>&#9644; {html.escape(legend)}</span>"
        for n, (legend, _) in enumerate(lines[:_MOST_LEGENDS])
    )
    return f"<svg width={width} height={height - 50}>{grid}{drawn}</svg><div class=legend>{legends}</div>"


def number(value: float, unit: str) -> str:
    """The value with its unit, short."""
    if unit == "percentunit":
        return f"{100 * value:.1f} %"
    size, prefix = next(((s, p) for s, p in _PREFIXES if abs(value) >= s), (1, ""))
    if unit == "s" and size >= 1:
        days, hours = value / 86400, value / 3600
        return f"{days:.1f} d" if days >= 1 else f"{hours:.1f} h" if hours >= 1 else f"{value:.2f} s"
    return f"{value / size:.3g} {prefix}{_UNITS.get(unit, '')}".strip()


def _colour(number: int) -> str:
    return _COLOURS[number % len(_COLOURS)]
