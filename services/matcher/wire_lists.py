"""Requests and answers of the hot list service."""

from __future__ import annotations

import base64
import binascii
import uuid
from collections.abc import AsyncIterator, Iterable, Sequence
from datetime import datetime
from typing import Final

from google.protobuf.timestamp_pb2 import Timestamp

from alpr.matcher.v1 import hot_list_service_pb2 as pb
from alpr.type.v1 import hit_pb2
from services.common.errors import FieldViolation, InvalidFieldError
from services.common.wire import parse_moment, parse_uuid, raise_violations, to_timestamp
from services.matcher.core.entry import Category, Source
from services.matcher.core.hot_list import (
    FileFormat,
    Finding,
    HotList,
    UploadHeader,
    UploadKind,
    VersionSummary,
)

_NAME_LENGTH: Final = range(1, 101)
_REASON_LENGTH: Final = range(10, 501)
_LARGEST_FILE: Final = 2 << 30
_LARGEST_CHUNK: Final = 1 << 20
_SHA256_BYTES: Final = 32
_SOURCES: Final = frozenset(source.value for source in Source)
_FORMATS: Final = frozenset(layout.value for layout in FileFormat)
_KINDS: Final = frozenset(kind.value for kind in UploadKind)
_DEFAULT_PAGE: Final = 50
_LARGEST_PAGE: Final = 200


def parse_create(request: pb.CreateHotListRequest) -> tuple[uuid.UUID, str, Source]:
    """Request id, name and source. Raises InvalidFieldError."""
    wrong: list[FieldViolation] = []
    request_id = parse_uuid("request_id", request.request_id, wrong)
    if len(request.name) not in _NAME_LENGTH or request.name.strip() != request.name:
        wrong.append(FieldViolation("name", "must be 1 to 100 characters, without space around them"))
    elif not request.name.isprintable():
        wrong.append(FieldViolation("name", "must hold printable characters only"))
    if request.source not in _SOURCES:
        wrong.append(FieldViolation("source", f"must be one of {', '.join(Source.__members__)}"))
    raise_violations(wrong)
    return request_id, request.name, Source(request.source)


def parse_header(request: pb.UploadHotListVersionRequest | None) -> UploadHeader:
    """The first message of an upload. Raises InvalidFieldError."""
    wrong: list[FieldViolation] = []
    if request is None or request.WhichOneof("part") != "header":
        raise InvalidFieldError(
            "the header is missing", violations=[FieldViolation("header", "must be the first message")]
        )
    header = request.header
    request_id = parse_uuid("header.request_id", header.request_id, wrong)
    hot_list_id = parse_uuid("header.hot_list_id", header.hot_list_id, wrong)
    if header.format not in _FORMATS:
        wrong.append(FieldViolation("header.format", f"must be one of {', '.join(FileFormat.__members__)}"))
    if len(header.sha256) != _SHA256_BYTES:
        wrong.append(FieldViolation("header.sha256", "must be 32 bytes"))
    if not 0 < header.size_bytes <= _LARGEST_FILE:
        wrong.append(FieldViolation("header.size_bytes", "must be 1 byte to 2 GiB"))
    attestation = parse_reason("header.attestation", header.attestation, wrong)
    kind, base = _parse_kind(header, wrong)
    source_time = expire_time = None
    if header.HasField("source_time"):
        source_time = parse_moment("header.source_time", header, wrong)
    if header.HasField("expire_time"):
        expire_time = parse_moment("header.expire_time", header, wrong)
    raise_violations(wrong)
    return UploadHeader(
        request_id=request_id,
        hot_list_id=hot_list_id,
        format=FileFormat(header.format),
        sha256=header.sha256,
        size_bytes=header.size_bytes,
        attestation=attestation,
        kind=kind,
        base_version=base,
        source_time=source_time,
        expire_time=expire_time,
    )


def _parse_kind(header: pb.UploadHeader, wrong: list[FieldViolation]) -> tuple[UploadKind, int]:
    """What the file is to its list, and for an increment the version that it changes."""
    number = header.kind or UploadKind.FULL.value
    if number not in _KINDS:
        wrong.append(FieldViolation("header.kind", "must be one of FULL, ADD and REMOVE"))
        return UploadKind.FULL, 0
    kind = UploadKind(number)
    if (kind is UploadKind.FULL) != (header.base_version == 0) or header.base_version < 0:
        wrong.append(FieldViolation("header.base_version", "must be set for an increment, and only for one"))
    return kind, header.base_version


def parse_reason(field: str, text: str, wrong: list[FieldViolation]) -> str:
    """The words, without blanks round them; adds to `wrong` when there are fewer than 10 or more than 500."""
    if len(text.strip()) not in _REASON_LENGTH:
        wrong.append(FieldViolation(field, "must be 10 to 500 characters"))
    return text.strip()


async def parse_chunks(requests: AsyncIterator[pb.UploadHotListVersionRequest]) -> AsyncIterator[bytes]:
    """The chunks after the header. Raises InvalidFieldError."""
    async for request in requests:
        if request.WhichOneof("part") != "chunk":
            raise_violations([FieldViolation("header", "must come once only")])
        if len(request.chunk) > _LARGEST_CHUNK:
            raise_violations([FieldViolation("chunk", "must be at most 1 MiB")])
        yield request.chunk


def parse_version(
    request: pb.ActivateHotListVersionRequest | pb.ApproveHotListVersionRequest,
) -> tuple[uuid.UUID, uuid.UUID, int]:
    """Request id, list id and version. Raises InvalidFieldError."""
    wrong: list[FieldViolation] = []
    request_id = parse_uuid("request_id", request.request_id, wrong)
    hot_list_id = parse_uuid("hot_list_id", request.hot_list_id, wrong)
    if request.version < 1:
        wrong.append(FieldViolation("version", "must be at least 1"))
    raise_violations(wrong)
    return request_id, hot_list_id, request.version


def parse_reasoned(
    request: pb.DeactivateHotListRequest | pb.SetImmigrationFileRequest,
) -> tuple[uuid.UUID, uuid.UUID, str]:
    """Request id, list id and reason. Raises InvalidFieldError."""
    wrong: list[FieldViolation] = []
    request_id = parse_uuid("request_id", request.request_id, wrong)
    hot_list_id = parse_uuid("hot_list_id", request.hot_list_id, wrong)
    reason = parse_reason("reason", request.reason, wrong)
    raise_violations(wrong)
    return request_id, hot_list_id, reason


def parse_list(request: pb.ListHotListsRequest) -> tuple[str, int]:
    """The name after which the page begins, and its size. Raises InvalidFieldError."""
    wrong: list[FieldViolation] = []
    if not 0 <= request.page_size <= _LARGEST_PAGE:
        wrong.append(FieldViolation("page_size", "must be 0 to 200"))
    after = ""
    try:
        after = base64.b64decode(request.page_token.encode(), altchars=b"-_", validate=True).decode()
    except (binascii.Error, UnicodeError):
        wrong.append(FieldViolation("page_token", "must be one from the page before"))
    if "\0" in after:  # which no text of PostgreSQL may hold
        wrong.append(FieldViolation("page_token", "must be one from the page before"))
    raise_violations(wrong)
    return after, request.page_size or _DEFAULT_PAGE


def to_list_response(lists: Sequence[HotList], *, more: bool) -> pb.ListHotListsResponse:
    """A page of lists, with a token when more follow.

    The token needs no seal: it is a name to go on after, and only the caller's own agency is ever listed.
    """
    token = base64.urlsafe_b64encode(lists[-1].name.encode()).decode() if more else ""
    return pb.ListHotListsResponse(hot_lists=[to_hot_list(one) for one in lists], next_page_token=token)


def to_hot_list(one: HotList) -> pb.HotList:
    """The list as the contract has it."""
    return pb.HotList(
        hot_list_id=str(one.hot_list_id),
        name=one.name,
        agency_ori=one.agency_ori,
        source=hit_pb2.HotListSource.ValueType(one.source.value),
        active_version=one.active_version,
        activated_at=stamp(one.activated_at),
        entry_count=one.entry_count,
        latest_version=one.latest_version,
        upload_time=stamp(one.upload_time),
        source_time=stamp(one.source_time),
        expire_time=stamp(one.expire_time),
        immigration_file=one.immigration_file,
    )


def stamp(moment: datetime | None) -> Timestamp | None:
    """The message for `moment`; None leaves the field unset."""
    return to_timestamp(moment) if moment else None


def to_upload_response(summary: VersionSummary, *, approval_needed: bool) -> pb.UploadHotListVersionResponse:
    """The new version in numbers."""
    return pb.UploadHotListVersionResponse(
        version=summary.version,
        row_count=summary.row_count,
        categories=to_counts(summary.categories),
        added_count=summary.added_count,
        removed_count=summary.removal.removed,
        entry_count=summary.entry_count,
        approval_needed=approval_needed,
        notes=to_findings(summary.notes),
        note_count=summary.note_count,
    )


def to_counts(categories: Iterable[tuple[Category, int]]) -> list[pb.CategoryCount]:
    """Entries by category."""
    return [
        pb.CategoryCount(category=hit_pb2.HotListCategory.ValueType(category.value), count=count)
        for category, count in categories
    ]


def to_findings(findings: Iterable[Finding]) -> list[pb.RowFinding]:
    """What is to be said about rows."""
    return [pb.RowFinding(row=one.row, column=one.column, problem=one.problem) for one in findings]
