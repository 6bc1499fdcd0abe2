"""The forms of a report, each with the program that makes it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from services.search.core.report import Report
from services.search.core.report_csv import to_csv
from services.search.core.report_geojson import to_geojson
from services.search.outlines import united_states
from services.search.report_html import to_html
from services.search.report_pdf import to_pdf


@dataclass(frozen=True, slots=True)
class _Form:
    media_type: str
    ending: str
    has_pictures: bool
    make: Callable[[Report], bytes]


class Form(Enum):
    """A form by its name in the contract. Making one takes up to seconds of one core."""

    GEOJSON = _Form("application/geo+json", "geojson", has_pictures=False, make=to_geojson)
    CSV = _Form("text/csv", "csv", has_pictures=False, make=to_csv)
    HTML = _Form("text/html", "html", has_pictures=True, make=lambda report: to_html(report, united_states()))
    PDF = _Form(
        "application/pdf", "pdf", has_pictures=True, make=lambda report: to_pdf(report, united_states())
    )
