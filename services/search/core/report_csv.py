"""A report as CSV (RFC 4180): a line a read, each with notice and mark, for a line may be copied alone."""

from __future__ import annotations

import csv
import io
from typing import Final

from services.search.core.report import Report, ReportedRead

COLUMNS: Final = (
    "capture_time",
    "plate",
    "state",
    "confidence",
    "latitude",
    "longitude",
    "place",
    "sensor_id",
    "sensor_group",
    "agency_ori",
    "provenance",
    "receive_time",
    "read_id",
    "image_sha256",
    "model_version",
    "lead_only",
    "verification_state",
    "notice",
    "account_id",
    "question_entry",
    "question_log_index",
    "outcome_entry",
    "outcome_log_index",
)
# A spreadsheet takes text that begins so for a formula, and a place or group is words that somebody typed.
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n")


def to_csv(report: Report) -> bytes:
    """The report as UTF-8 text with one line of names. Text that looks like a formula has a ' before it."""
    sheet = io.StringIO(newline="")
    writer = csv.writer(sheet, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for read in report.reads:
        writer.writerow(_row(read, report))
    return sheet.getvalue().encode()


def _row(read: ReportedRead, report: Report) -> tuple[str, ...]:
    mark = report.mark
    return (
        read.capture_time.isoformat(),
        *map(_text, (read.plate, read.state)),
        "" if read.confidence is None else f"{read.confidence:.4f}",
        _degrees(read.latitude),
        _degrees(read.longitude),
        *map(_text, (read.place, read.sensor_id, read.sensor_group, read.agency_ori, read.provenance)),
        read.receive_time.isoformat(),
        str(read.read_id),
        read.image_sha256.hex(),
        _text(read.model_version),
        "true",
        report.verification_state,
        report.notice,
        mark.account_id,
        mark.question.entry_id,
        str(mark.question.log_index),
        mark.outcome.entry_id,
        str(mark.outcome.log_index),
    )


def _degrees(value: float | None) -> str:
    return "" if value is None else f"{value:.6f}"


def _text(value: str) -> str:
    return f"'{value}" if value.startswith(_FORMULA) else value
