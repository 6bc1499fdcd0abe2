"""ExportReads: requests to pages, pages to streams, with every check of a request."""

from __future__ import annotations

import json
from datetime import datetime
from hashlib import sha256
from typing import Any, Final
from uuid import UUID

from google.protobuf.json_format import MessageToDict

from alpr.search.v1 import report_service_pb2 as pb
from services.common.errors import FieldViolation
from services.common.identity import AccessToken
from services.common.wire import parse_moment, parse_uuid, raise_violations, to_timestamp
from services.search.app_export import ExportPage, ExportRequest
from services.search.core.answer import FoundRead, StoredImage
from services.search.core.dissemination import Recipient, RecipientKind
from services.search.road import Answered
from services.search.wire_evidence import for_whom
from services.search.wire_report import WORDING
from services.search.wire_search import NOTICE, found_read, left_out

FORMAT: Final = "platewarden.reads/v1"
_MOST_ROWS: Final = 5000
_USUAL_ROWS: Final = 1000


def parse_export(request: pb.ExportReadsRequest, token: AccessToken) -> ExportRequest:
    """The page that `request` asks for; case number and purpose pass through unread, they are audit's.

    Raises:
        InvalidFieldError: Names each field that is missing or wrong.
    """
    wrong: list[FieldViolation] = []
    request_id = parse_uuid("request_id", request.request_id, wrong)
    since, until = (_moment(request, name, wrong) for name in ("from", "to"))
    if since and until and since >= until:
        wrong.append(FieldViolation("to", "must be later than from"))
    if not 0 <= request.page_size <= _MOST_ROWS:
        wrong.append(FieldViolation("page_size", f"must be 1 to {_MOST_ROWS}, or 0 for {_USUAL_ROWS}"))
    after: UUID | None = None
    if request.after_read_id:
        after = parse_uuid("after_read_id", request.after_read_id, wrong)
    if request.first_question_id:
        parse_uuid("first_question_id", request.first_question_id, wrong)
    raise_violations(wrong)
    return ExportRequest(
        request_id=request_id,
        token=token,
        justification=request.justification,
        from_time=since,
        to_time=until,
        page_size=request.page_size or _USUAL_ROWS,
        after_read_id=after,
        first_question_id=request.first_question_id,
        with_pictures=request.with_pictures,
        for_whom=for_whom(Recipient(RecipientKind.OWN_USE)),
    )


def _moment(request: pb.ExportReadsRequest, name: str, wrong: list[FieldViolation]) -> datetime | None:
    return parse_moment(name, request, wrong) if request.HasField(name) else None  # type: ignore[arg-type]


def write_page(answered: Answered, reads: list[FoundRead], after_read_id: UUID | None) -> bytes:
    """The page as lines of JSON: what it is, then a read a line in the contract's own names."""
    authorization = answered.authorization
    about = {
        "format": FORMAT,
        "notice": {
            "lead_only": True,
            "verification_state": WORDING.verification_state,
            "text": WORDING.notice,
        },
        "question_entry": authorization.authorization_id,
        "searched_from": authorization.from_time.isoformat(),
        "searched_to": authorization.to_time.isoformat(),
        "after_read_id": str(after_read_id or ""),
        "reads": len(reads),
        "has_more": answered.summary.has_more,
    }
    lines = [about, *(_read(read) for read in reads)]
    return "".join(json.dumps(line, ensure_ascii=False, sort_keys=True) + "\n" for line in lines).encode()


def _read(read: FoundRead) -> dict[str, Any]:
    document: dict[str, Any] = MessageToDict(found_read(read), preserving_proto_field_name=True)
    return document


def page_description(page: ExportPage) -> pb.ExportReadsResponse:
    """What the page is, and how its leaving is recorded."""
    return pb.ExportReadsResponse(file=exported_file(page), notice=NOTICE)


def exported_file(page: ExportPage) -> pb.ExportedFile:
    """The page as a file, with its proof."""
    answered, last = page.answered, page.reads[-1].read_id if page.reads else ""
    return pb.ExportedFile(
        dissemination_id=str(page.departed.dissemination_id),
        file_name=f"reads-{answered.receipts.question.log_index}.jsonl",
        media_type="application/jsonl",
        size_bytes=len(page.data),
        sha256=sha256(page.data).digest(),
        read_count=len(page.reads),
        question_receipt=answered.receipts.question,
        outcome_receipt=answered.receipts.outcome,
        dissemination_receipt=page.departed.receipt,
        searched_from=to_timestamp(answered.authorization.from_time),
        searched_to=to_timestamp(answered.authorization.to_time),
        left_out=left_out(answered.authorization),
        has_more=answered.summary.has_more,
        last_read_id=str(last),
    )


def picture_description(image: StoredImage) -> pb.ExportReadsResponse:
    """Which picture follows."""
    return pb.ExportReadsResponse(
        picture=pb.ExportedPicture(
            sha256=image.sha256,
            day=image.day.isoformat(),
            media_type=image.media_type,
            size_bytes=image.size_bytes,
        )
    )
