"""A report on reads, and the evidence package of one: files that leave on record (III.B.3.m, III.D.5)."""

from __future__ import annotations

import uuid
from typing import Any, Final

from alpr.search.v1 import report_service_pb2 as pb
from services.common.errors import FieldViolation, InvalidFieldError
from services.common.wire import raise_violations
from services.console import justification, words
from services.console.analysis import recipient
from services.console.analysis.leaving import Leaving, Left, data_set, received
from services.console.door import Person
from services.console.question import number
from services.console.search import reads

_FORMATS: Final = (
    (pb.REPORT_FORMAT_PDF, "PDF"),
    (pb.REPORT_FORMAT_HTML, "Web page in one file"),
    (pb.REPORT_FORMAT_CSV, "Table (CSV)"),
    (pb.REPORT_FORMAT_GEOJSON, "Map data (GeoJSON)"),
)


def _parse_report(person: Person, wrong: list[FieldViolation]) -> pb.ExportReportRequest:
    return pb.ExportReportRequest(
        request_id=person.field("request_id"),
        justification=justification.given(person),
        read_ids=_read_ids(person),
        found_by=person.field("found_by"),
        format=words.one_of(pb.ReportFormat, person.field("format")),
        picture_count=number(person, "picture_count", wrong),
        caption=person.field("caption"),
        partition=data_set(person),
    )


async def _ask_report(person: Person, request: pb.ExportReportRequest) -> Left:
    """The report; on reads of a plate once a question of its own has found them. Raises AlprError."""
    wrong: list[FieldViolation] = []
    recipient.set_redactions(request, person)
    await recipient.set_recipient(request, person, wrong)
    raise_violations(wrong)
    if not request.read_ids:
        await _find(person, request)
    return await received(person, "ExportReport", request)


async def _find(person: Person, request: pb.ExportReportRequest) -> None:
    """Puts the reads of the plate into the request."""
    wrong: list[FieldViolation] = []
    question = reads.parse(person, wrong)
    raise_violations(wrong)
    question.request_id = _part_of(request.request_id, "reads")
    question.page_size = question.page_size or reads.MOST_READS
    found = await reads.ask(person, question)
    if not found.reads:
        nothing = FieldViolation("plate", "No read of it was found, so there is nothing to report.")
        raise InvalidFieldError("there is nothing to report", violations=[nothing])
    request.read_ids.extend(one.read.read_id for one in found.reads)
    request.found_by = found.question_receipt.entry_id


def _more_report(person: Person, _answer: Left | None) -> dict[str, Any]:
    return {
        "formats": _FORMATS,
        "recipients": recipient.KINDS,
        "redacted": recipient.REDACTED,
        "read_ids": _read_ids(person),
    }


def _read_ids(person: Person) -> list[str]:
    return [one for one in person.field("read_ids").split(",") if one]


def _part_of(act: str, what: str) -> str:
    """Id of a part of an act: the same for the same act."""
    try:
        return str(uuid.uuid5(uuid.UUID(act), what))
    except ValueError:
        return ""


def _parse_evidence(person: Person, _wrong: list[FieldViolation]) -> pb.ExportEvidenceRequest:
    return pb.ExportEvidenceRequest(
        request_id=person.field("request_id"),
        justification=justification.given(person),
        read_id=person.field("read_id"),
        report_number=person.field("report_number"),
        evidence_system=person.field("evidence_system"),
        evidence_item=person.field("evidence_item"),
        partition=data_set(person),
    )


async def _ask_evidence(person: Person, request: pb.ExportEvidenceRequest) -> Left:
    return await received(person, "ExportEvidence", request)


REPORT: Final = Leaving(
    "/search/report", "Report", "analysis/report.html", _parse_report, _ask_report, _more_report
)
EVIDENCE: Final = Leaving(
    "/search/evidence", "Evidence", "analysis/evidence.html", _parse_evidence, _ask_evidence
)
