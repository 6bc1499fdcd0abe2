"""ExportService: requests to pages and seals, with every check of a request."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from alpr.search.v1 import export_service_pb2 as pb
from alpr.type.v1.receipt_pb2 import AuditReceipt
from services.common.errors import FieldViolation
from services.common.identity import AccessToken
from services.common.wire import parse_uuid, raise_violations
from services.search.app_department import Manifest
from services.search.app_export import ExportPage
from services.search.app_holds import HeldQuestion
from services.search.wire_export import exported_file
from services.search.wire_search import NOTICE

_MOST_READS: Final = 1000
_HASH_BYTES: Final = 32


def parse_held(request: pb.ExportHeldReadsRequest, token: AccessToken) -> tuple[HeldQuestion, UUID]:
    """The page that is asked for, and the id of the request; case number and purpose are audit's to judge.

    Raises:
        InvalidFieldError: Names each field that is missing or wrong.
    """
    wrong: list[FieldViolation] = []
    request_id = parse_uuid("request_id", request.request_id, wrong)
    hold_id = parse_uuid("hold_id", request.hold_id, wrong)
    after = parse_uuid("after_read_id", request.after_read_id, wrong) if request.after_read_id else None
    if not 0 <= request.page_size <= _MOST_READS:
        wrong.append(FieldViolation("page_size", f"must be 1 to {_MOST_READS}, or 0 for {_MOST_READS}"))
    raise_violations(wrong)
    size = request.page_size or _MOST_READS
    asked = HeldQuestion(request.request_id, token, request.justification, hold_id, size, after)
    return asked, request_id


def parse_seal(request: pb.SealExportRequest, token: AccessToken) -> Manifest:
    """The manifest that is to be sealed. Errors as for `parse_held`."""
    wrong: list[FieldViolation] = []
    request_id = parse_uuid("request_id", request.request_id, wrong)
    if len(request.manifest_sha256) != _HASH_BYTES:
        wrong.append(FieldViolation("manifest_sha256", "must be a SHA-256, 32 bytes"))
    for name in ("file_count", "size_bytes"):
        if getattr(request, name) < 0:
            wrong.append(FieldViolation(name, "must not be negative"))
    raise_violations(wrong)
    return Manifest(
        request_id,
        token,
        request.justification,
        request.manifest_sha256,
        request.file_count,
        request.size_bytes,
    )


def held_description(page: ExportPage) -> pb.ExportHeldReadsResponse:
    """What the page is, and how its leaving is recorded."""
    return pb.ExportHeldReadsResponse(file=exported_file(page), notice=NOTICE)


def sealed(receipt: AuditReceipt) -> pb.SealExportResponse:
    """The proof of a seal."""
    return pb.SealExportResponse(seal_receipt=receipt)
