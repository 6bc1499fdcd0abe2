"""Requests and answers about the life of a list: versions, differences, refused uploads."""

from __future__ import annotations

import base64
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

from alpr.matcher.v1 import hot_list_service_pb2 as pb
from alpr.type.v1 import hit_pb2, notice_pb2
from services.common.errors import FieldViolation
from services.common.wire import parse_uuid, raise_violations, to_timestamp
from services.matcher.core.entry import ListRow
from services.matcher.core.hot_list import (
    Approval,
    Change,
    Comparison,
    Difference,
    Finding,
    Quarantined,
    Version,
)
from services.matcher.wire_lists import stamp, to_counts, to_findings

_DEFAULT_PAGE: Final = 50
_LARGEST_PAGE: Final = 200
_DEFAULT_REPORT: Final = 200
_LARGEST_REPORT: Final = 1000
_NEWEST: Final = (1 << 63) - 1
_NIL: Final = uuid.UUID(int=0)
_LAST: Final = uuid.UUID(int=(1 << 128) - 1)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_FAR: Final = datetime(9999, 1, 1, tzinfo=UTC)
_LATEST: Final = (_FAR - _EPOCH) // timedelta(microseconds=1)
_NOTICE: Final = notice_pb2.Notice(
    lead_only=True,
    verification_state=notice_pb2.VERIFICATION_STATE_NEW,
    text="A listed plate is a lead only. Verify with the record's owner, LEADS or NCIC before any action.",
)


class _Paged(Protocol):
    page_size: int
    page_token: str


def parse_versions(request: pb.ListHotListVersionsRequest) -> tuple[uuid.UUID, int, int]:
    """List id, the version below which the page begins, and its size. Raises InvalidFieldError."""
    wrong: list[FieldViolation] = []
    list_id = parse_uuid("hot_list_id", request.hot_list_id, wrong)
    size = _page_size(request, _DEFAULT_PAGE, _LARGEST_PAGE, wrong)
    before = _token(request, (_NEWEST,), wrong)
    raise_violations(wrong)
    return list_id, before[0] if before else _NEWEST, size


def parse_difference(request: pb.DiffHotListVersionsRequest) -> Comparison:
    """What to compare. Raises InvalidFieldError."""
    wrong: list[FieldViolation] = []
    list_id = parse_uuid("hot_list_id", request.hot_list_id, wrong)
    for name, version in (("from_version", request.from_version), ("to_version", request.to_version)):
        if version < 1:
            wrong.append(FieldViolation(name, "must be at least 1"))
    size = _page_size(request, _DEFAULT_PAGE, _LARGEST_PAGE, wrong)
    start = _token(request, (_LAST.int,), wrong)
    raise_violations(wrong)
    after = uuid.UUID(int=start[0]) if start else _NIL
    return Comparison(list_id, request.from_version, request.to_version, after, size)


def parse_quarantined(
    request: pb.ListQuarantinedUploadsRequest,
) -> tuple[uuid.UUID, tuple[datetime, uuid.UUID], int]:
    """List id, time and id before which the page begins, and its size. Raises InvalidFieldError."""
    wrong: list[FieldViolation] = []
    list_id = parse_uuid("hot_list_id", request.hot_list_id, wrong)
    size = _page_size(request, _DEFAULT_PAGE, _LARGEST_PAGE, wrong)
    before = _token(request, (_LATEST, _LAST.int), wrong)
    raise_violations(wrong)
    if not before:
        return list_id, (_FAR, _LAST), size
    return list_id, (_EPOCH + timedelta(microseconds=before[0]), uuid.UUID(int=before[1])), size


def parse_report(request: pb.GetQuarantinedUploadRequest) -> tuple[uuid.UUID, int, int]:
    """Upload id, after how many findings the page begins, and its size. Raises InvalidFieldError."""
    wrong: list[FieldViolation] = []
    upload_id = parse_uuid("upload_id", request.upload_id, wrong)
    size = _page_size(request, _DEFAULT_REPORT, _LARGEST_REPORT, wrong)
    after = _token(request, (_NEWEST,), wrong)
    raise_violations(wrong)
    return upload_id, after[0] if after else 0, size


def to_versions_response(
    versions: Sequence[tuple[Version, bool]], *, more: bool
) -> pb.ListHotListVersionsResponse:
    """A page of versions, each with whether it needed approval, and a token when more follow."""
    return pb.ListHotListVersionsResponse(
        versions=[_version(one, approval_needed=needed) for one, needed in versions],
        next_page_token=_to_token(versions[-1][0].version) if more else "",
    )


def to_difference_response(
    difference: Difference, changes: Sequence[Change], *, more: bool
) -> pb.DiffHotListVersionsResponse:
    """What versions differ by, with a page of it, and a token when more follows."""
    return pb.DiffHotListVersionsResponse(
        changes=[
            pb.EntryChange(
                entry_id=str(one.entry_id),
                before=_listed(one.before) if one.before else None,
                after=_listed(one.after) if one.after else None,
            )
            for one in changes
        ],
        added_count=difference.added,
        removed_count=difference.removed,
        changed_count=difference.changed,
        next_page_token=_to_token(changes[-1].entry_id.int) if more else "",
        notice=_NOTICE,
    )


def to_quarantined_response(
    uploads: Sequence[Quarantined], *, more: bool
) -> pb.ListQuarantinedUploadsResponse:
    """A page of refused uploads, with a token when more follow."""
    token = ""
    if more:
        last = uploads[-1]
        token = _to_token((last.upload_time - _EPOCH) // timedelta(microseconds=1), last.upload_id.int)
    return pb.ListQuarantinedUploadsResponse(
        uploads=[_quarantined(one) for one in uploads], next_page_token=token
    )


def to_report_response(
    upload: Quarantined, findings: Sequence[Finding], after: int, *, more: bool
) -> pb.GetQuarantinedUploadResponse:
    """A refused upload with the findings after the first `after`, and a token when more follow."""
    return pb.GetQuarantinedUploadResponse(
        upload=_quarantined(upload),
        errors=to_findings(findings),
        next_page_token=_to_token(after + len(findings)) if more else "",
    )


def _version(one: Version, *, approval_needed: bool) -> pb.HotListVersion:
    return pb.HotListVersion(
        version=one.version,
        kind=pb.UploadKind.ValueType(one.kind.value),
        base_version=one.base_version,
        account_id=one.account_id,
        attestation=one.attestation,
        upload_time=to_timestamp(one.upload_time),
        source_time=stamp(one.source_time),
        expire_time=stamp(one.expire_time),
        format=pb.HotListFormat.ValueType(one.format.value),
        sha256=one.sha256,
        size_bytes=one.size_bytes,
        row_count=one.row_count,
        entry_count=one.entry_count,
        categories=to_counts(one.categories),
        compared_version=one.removal.compared_version,
        added_count=one.added_count,
        removed_count=one.removal.removed,
        approval_needed=approval_needed,
        approvals=[_approval(each) for each in one.approvals],
        activated_at=stamp(one.activated_at),
        active=one.active,
        immigration_file=one.immigration_file,
    )


def _approval(one: Approval) -> pb.VersionApproval:
    return pb.VersionApproval(
        account_id=one.account_id,
        approved_at=to_timestamp(one.approved_at),
        compared_version=one.compared_version,
    )


def _listed(row: ListRow) -> pb.ListedEntry:
    vehicle = row.vehicle
    return pb.ListedEntry(
        plate=row.plate,
        state=row.state,
        plate_type=row.plate_type,
        category=hit_pb2.HotListCategory.ValueType(row.category.value),
        record_number=row.record_number,
        entry_date=row.entry_date.isoformat() if row.entry_date else "",
        expire_time=stamp(row.expires_at),
        vehicle=hit_pb2.ListedVehicle(
            year=vehicle.year,
            make=vehicle.make,
            model=vehicle.model,
            style=vehicle.style,
            color=vehicle.color,
        ),
    )


def _quarantined(one: Quarantined) -> pb.QuarantinedUpload:
    return pb.QuarantinedUpload(
        upload_id=str(one.upload_id),
        hot_list_id=str(one.hot_list_id),
        account_id=one.account_id,
        attestation=one.attestation,
        upload_time=to_timestamp(one.upload_time),
        format=pb.HotListFormat.ValueType(one.format.value),
        sha256=one.sha256,
        size_bytes=one.size_bytes,
        row_count=one.row_count,
        error_count=one.error_count,
        stopped=one.stopped,
    )


def _page_size(request: _Paged, usual: int, largest: int, wrong: list[FieldViolation]) -> int:
    if not 0 <= request.page_size <= largest:
        wrong.append(FieldViolation("page_size", f"must be 0 to {largest:,}"))
    return request.page_size or usual


def _to_token(*place: int) -> str:
    """Where a page ended. It needs no seal: it is a place within what the caller may see anyway."""
    return base64.urlsafe_b64encode("-".join(f"{number:x}" for number in place).encode()).decode()


def _token(request: _Paged, most: Sequence[int], wrong: list[FieldViolation]) -> tuple[int, ...]:
    """The place that the page begins after, each number at most the one in `most`; empty at the start."""
    if not request.page_token:
        return ()
    try:
        text = base64.urlsafe_b64decode(request.page_token.encode()).decode()
        place = tuple(int(number, 16) for number in text.split("-"))
        good = len(place) == len(most) and all(0 <= n <= top for n, top in zip(place, most, strict=True))
    except ValueError:  # binascii.Error and UnicodeError are both
        good = False
    if not good:
        wrong.append(FieldViolation("page_token", "must be one from the page before"))
        return ()
    return place
