"""A report as one HTML page that fetches nothing and runs nothing."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from functools import cache
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined

from services.search.core.map import Outlines, draw_map
from services.search.core.report import Report, moment, site_letters, sites_of
from services.search.core.report_facts import facts_of
from services.search.core.timeline import timeline_of

_MAP_SIZE: Final = (1000.0, 560.0)
# Colour and width of the lines of a map.
_STROKES: Final = {"county": ("#d9e0e6", 1), "state": ("#9aa7b3", 1.6), "coast": ("#9db8cc", 1.6)}
_LONGEST_NAME: Final = 28


def to_html(report: Report, outlines: Outlines) -> bytes:
    """The page, UTF-8. Every value in it is escaped: a place called <script> is shown as it is called."""
    sites = sites_of(report.reads)
    letters = site_letters(report.reads, sites)
    drawings: dict[str, Any] = {}
    if report.reads:
        drawings["timeline"] = timeline_of(report.reads, sites, letters)
    if sites:
        drawings["map"] = draw_map(sites, outlines, *_MAP_SIZE)
    page = (
        _environment()
        .get_template("report.html.j2")
        .render(
            report=report,
            facts=facts_of(report),
            mark=report.mark.line(),
            count=len(report.reads),
            sites=sites,
            letters=letters,
            pictured=[one for one in report.reads if one.pictures.crop or one.pictures.overview],
            stroke=_STROKES,
            **drawings,
        )
    )
    return page.encode()


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("services.search"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    environment.filters.update(
        data_uri=_data_uri,
        length_text=length_text,
        moment=moment,
        percent=percent,
        points=_points,
        short=short,
        tenth=lambda number: f"{number:.1f}",
    )
    return environment


def length_text(kilometres: float) -> str:
    """The length of a scale bar in words."""
    return f"{kilometres:g} km" if kilometres >= 1 else f"{kilometres * 1000:g} m"


def percent(share: float | None) -> str:
    """0.934 as "93 %", nothing for None."""
    return "" if share is None else f"{share:.0%}".replace("%", " %")


def short(name: str) -> str:
    """The name as far as a lane has room for it."""
    return name if len(name) <= _LONGEST_NAME else name[: _LONGEST_NAME - 1].rstrip() + "…"


def _points(points: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)


def _data_uri(jpeg: bytes) -> str:
    return f"data:image/jpeg;base64,{b64encode(jpeg).decode()}"
