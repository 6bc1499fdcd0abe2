"""ReportService: requests to exports, files to streams, with every check of a request."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from hashlib import sha256
from typing import Final

from alpr.search.v1 import report_service_pb2 as pb
from alpr.type.v1.notice_pb2 import VerificationState
from services.common.errors import FieldViolation
from services.common.identity import AccessToken
from services.common.wire import parse_moment, parse_uuid, raise_violations, to_timestamp
from services.search.app_report import ReportFile, ReportRequest, Wording
from services.search.core.dissemination import Field, due_shortcomings
from services.search.report_forms import Form
from services.search.wire_recipient import parse_for_whom
from services.search.wire_search import NOTICE, left_out

WORDING: Final = Wording(
    NOTICE.text, VerificationState.Name(NOTICE.verification_state).removeprefix("VERIFICATION_STATE_")
)
PART_BYTES: Final = 65_536
_MOST_READS: Final = 1000
_MOST_PICTURES: Final = 50
_LONGEST_CAPTION: Final = 200
_FORMS: Final = {pb.ReportFormat.Value(f"REPORT_FORMAT_{form.name}"): form for form in Form}


def parse_report(
    request: pb.ExportReportRequest, token: AccessToken, home_state: str, now: datetime
) -> ReportRequest:
    """The report that `request` asks for; case number and purpose pass through unread, they are audit's.

    Raises:
        InvalidFieldError: Names each field that is missing or wrong.
    """
    wrong: list[FieldViolation] = []
    request_id = parse_uuid("request_id", request.request_id, wrong)
    read_ids = tuple(
        parse_uuid(f"read_ids[{n}]", one, wrong) for n, one in enumerate(request.read_ids[:_MOST_READS])
    )
    if request.found_by:
        parse_uuid("found_by", request.found_by, wrong)
    for_whom = parse_for_whom(request.recipient, request.redactions, home_state, wrong)
    due = parse_moment("due_to_delete", request, wrong) if request.HasField("due_to_delete") else None
    form = _FORMS.get(request.format)
    fits = {
        "read_ids": (1 <= len(request.read_ids) <= _MOST_READS, f"must be 1 to {_MOST_READS} reads"),
        "format": (form is not None, "must be GEOJSON, CSV, HTML or PDF"),
        "picture_count": (0 <= request.picture_count <= _MOST_PICTURES, f"must be 0 to {_MOST_PICTURES}"),
        "caption": (
            len(request.caption) <= _LONGEST_CAPTION and request.caption.isprintable(),
            f"must be at most {_LONGEST_CAPTION} printable characters",
        ),
    }
    wrong += [FieldViolation(name, text) for name, (holds, text) in fits.items() if not holds]
    if len(set(read_ids)) < len(read_ids):
        wrong.append(FieldViolation("read_ids", "must name each read once"))
    wrong += [FieldViolation(name, text) for name, text in due_shortcomings(due, now)]
    raise_violations(wrong)
    form = form or Form.CSV
    hidden = {one.field for one in for_whom.redactions} & {Field.PICTURE, Field.PLATE, Field.PLACE}
    return ReportRequest(
        request_id=request_id,
        token=token,
        justification=request.justification,
        read_ids=read_ids,
        form=form,
        # A picture that is not shown is not opened either.
        picture_count=request.picture_count if form.value.has_pictures and not hidden else 0,
        caption=request.caption.strip(),
        found_by=request.found_by,
        for_whom=for_whom,
        due_to_delete=due,
    )


def report_parts(request: ReportRequest, file: ReportFile) -> Iterator[pb.ExportReportResponse]:
    """The description of the file, then its bytes."""
    answered, form = file.answered, request.form.value
    described = pb.ExportedFile(
        dissemination_id=str(file.departed.dissemination_id),
        file_name=f"report-{answered.receipts.question.log_index}.{form.ending}",
        media_type=form.media_type,
        size_bytes=len(file.data),
        sha256=sha256(file.data).digest(),
        read_count=file.read_count,
        missing_count=len(request.read_ids) - file.read_count,
        due_to_delete=to_timestamp(file.due_time),
        question_receipt=answered.receipts.question,
        outcome_receipt=answered.receipts.outcome,
        dissemination_receipt=file.departed.receipt,
        searched_from=to_timestamp(answered.authorization.from_time),
        searched_to=to_timestamp(answered.authorization.to_time),
        left_out=left_out(answered.authorization),
    )
    yield pb.ExportReportResponse(file=described, notice=NOTICE)
    for part in parts_of(file.data):
        yield pb.ExportReportResponse(data=part)


def parts_of(data: bytes) -> Iterator[bytes]:
    """The bytes in parts that a stream takes well."""
    return (data[start : start + PART_BYTES] for start in range(0, len(data), PART_BYTES))
