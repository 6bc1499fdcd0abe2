"""A transparency report as a file: JSON, and the CSV and HTML that are made of it, always the same way.

It needs nothing but Python and `transparency.py`: `verify_transparency.py` takes both with it and makes every
file anew.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from html import escape
from typing import Any

if __package__:
    from services.common.transparency import (
        FIXED_ROWS,
        FORMAT,
        LEAST_SHOWN,
        MEASURES,
        OTHER,
        Tally,
        Terms,
    )
else:  # alone, with transparency.py in the same folder
    from transparency import (  # type: ignore[no-redef, import-not-found]
        FIXED_ROWS,
        FORMAT,
        LEAST_SHOWN,
        MEASURES,
        OTHER,
        Tally,
        Terms,
    )

REPORT, TABLE, PAGE, RECEIPT = "report.json", "report.csv", "report.html", "receipt.json"
"""Names of a report's files, as they are published."""
WITHHELD = "withheld"
NOTICE = (
    "Numbers of what people asked and did, counted from the log. They show no plate, place or person. A "
    f"number below {LEAST_SHOWN} is withheld, and others with it, so that it cannot be told from the total."
)
TITLES = {
    "questions": "Questions that were allowed",
    "refusals": "Questions and acts that were refused",
    "questions_of_other_agencies": "Questions of other agencies that reached this agency's reads",
    "hits": "Hits on this agency's cameras",
    "verifications": "Acts of verification",
    "dispositions": "Dispositions",
    "shares": "What left the system",
}
BREAKDOWNS = {
    "offence": "Offence or activity",
    "question": "Kind of question",
    "case_number_kind": "Kind of case number",
    "reason": "Reason of the refusal",
    "agency": "Agency",
    "hit": "Hit",
    "state": "State",
    "disposition": "Disposition",
    "share": "To whom or what",
}


@dataclass(frozen=True)
class Head:
    """What a report says of itself: agency, period, and the checkpoint over the entries that were counted."""

    agency_ori: str
    agency_name: str
    start: str
    end: str
    checkpoint: str


def report_of(tally: Tally, head: Head) -> dict[str, Any]:
    """The report, once every entry of the checkpoint was counted."""
    return {
        "agency": {"name": head.agency_name, "ori": head.agency_ori},
        "checkpoint": head.checkpoint,
        "format": FORMAT,
        "from": head.start,
        "least_shown": LEAST_SHOWN,
        "measures": tally.measures(),
        "notice": NOTICE,
        "purges": {name: tally.purges[name] for name in ("certificates", "pictures", "reads")},
        "to": head.end,
    }


def json_of(report: Mapping[str, Any]) -> bytes:
    """The one way to write a report; the log has the SHA-256 of these bytes."""
    return (json.dumps(report, sort_keys=True, ensure_ascii=False, indent=1) + "\n").encode()


def terms_in(report: Mapping[str, Any]) -> Terms:
    """What a report counts, by its own words.

    Raises:
        ValueError, KeyError, TypeError: It is no report of this form.
    """
    if report["format"] != FORMAT or report["least_shown"] != LEAST_SHOWN or report["notice"] != NOTICE:
        raise ValueError(f"it is not in the format {FORMAT}")
    rows: dict[str, tuple[str, ...]] = {}
    found = [(one["name"], tuple(part["by"] for part in one["breakdowns"])) for one in report["measures"]]
    if found != list(MEASURES):
        raise ValueError("it does not count what a report counts")
    for measure in report["measures"]:
        for part in measure["breakdowns"]:
            *names, last = (str(row["name"]) for row in part["rows"])
            by = part["by"]
            if last != OTHER or rows.setdefault(by, tuple(names)) != tuple(names):
                raise ValueError(f"its rows by {by} are not the same everywhere")
            if by in FIXED_ROWS and FIXED_ROWS[by] != tuple(names):
                raise ValueError(f"its rows by {by} are not those of a report")
    return Terms(str(report["agency"]["ori"]), str(report["from"]), str(report["to"]), rows)


def csv_of(report: Mapping[str, Any]) -> bytes:
    """The report as a table (RFC 4180, UTF-8): measure, breakdown, row, count."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(("agency", "from", "to", "measure", "by", "row", "count"))
    about = (report["agency"]["ori"], report["from"], report["to"])
    for row in _rows(report):
        writer.writerow((*about, *row))
    return text.getvalue().encode()


def _rows(report: Mapping[str, Any]) -> Iterator[tuple[str, str, str, str]]:
    for measure in report["measures"]:
        yield measure["name"], "", "TOTAL", count_text(measure["total"])
        for part in measure["breakdowns"]:
            for row in part["rows"]:
                yield measure["name"], part["by"], row["name"], count_text(row["count"])
    for name, count in report["purges"].items():
        yield "purges", "", name, count_text(count)


def count_text(count: int | None) -> str:
    """The number, or that it is withheld."""
    return WITHHELD if count is None else str(count)


def files_of(raw: bytes) -> dict[str, bytes]:
    """Contents by name: the report `raw` byte by byte, and the table and page that are made of it."""
    report = json.loads(raw)
    return {REPORT: raw, TABLE: csv_of(report), PAGE: html_of(report)}


_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
body {{ font: 1rem/1.5 system-ui, sans-serif; max-width: 50rem; margin: 2rem auto; padding: 0 1rem; }}
table {{ border-collapse: collapse; margin: 0 0 1.5rem; width: 100%; }}
caption, th, td {{ text-align: left; padding: .25rem .5rem; }}
td, th {{ border-bottom: 1px solid #bbb; }}
td.count, th.count {{ text-align: right; }}
pre {{ overflow-x: auto; }}
</style>
</head>
<body>
<h1>{title}</h1>
<p>{period}</p>
<p>{notice}</p>
{body}
<h2>How to check it</h2>
<p>The log had these entries when it was counted, and signed them:</p>
<pre>{checkpoint}</pre>
<p>The SHA-256 of report.json stands in the log; receipt.json proves it. Whoever is given an export of the log
counts anew with verify_transparency.py.</p>
</body>
</html>
"""


def html_of(report: Mapping[str, Any]) -> bytes:
    """The report as a page without scripts or anything from elsewhere."""
    agency = report["agency"]
    purges = report["purges"]
    body = [_section(measure) for measure in report["measures"]]
    body.append(
        "<h2>Purges of the whole system</h2>\n"
        f"<p>{purges['certificates']} certificates: {purges['reads']} reads and {purges['pictures']} "
        "pictures ended.</p>"
    )
    text = _PAGE.format(
        title=escape(f"Licence plate readers: transparency report of {agency['name']} ({agency['ori']})"),
        period=escape(f"From {report['from'][:10]} to before {report['to'][:10]}, days in UTC."),
        notice=escape(report["notice"]),
        body="\n".join(body),
        checkpoint=escape(report["checkpoint"]),
    )
    return text.encode()


def _section(measure: Mapping[str, Any]) -> str:
    title = escape(TITLES[measure["name"]])
    tables = [_table(part) for part in measure["breakdowns"]]
    return "\n".join((f"<h2>{title}: {count_text(measure['total'])}</h2>", *tables))


def _table(part: Mapping[str, Any]) -> str:
    name = escape(BREAKDOWNS[part["by"]])
    head = f'<tr><th scope="col">{name}</th><th scope="col" class="count">Number</th></tr>'
    # Rows of zero are in the JSON and the CSV; a page of them is no use to a reader.
    rows = [
        f'<tr><td>{escape(row["name"])}</td><td class="count">{count_text(row["count"])}</td></tr>'
        for row in part["rows"]
        if row["count"] != 0
    ]
    return "\n".join(("<table>", head, *rows, "</table>")) if rows else ""
