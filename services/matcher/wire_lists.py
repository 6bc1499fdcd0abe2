"""Requests and answers of the hot list service."""

from __future__ import annotations

import base64
import binascii
import uuid
from collections.abc import AsyncIterator, Sequence
from typing import Final

from alpr.matcher.v1 import hot_list_service_pb2 as pb
from alpr.type.v1 import hit_pb2
from services.common.errors import FieldViolation, InvalidFieldError
from services.common.wire import parse_uuid, raise_violations, to_timestamp
from services.matcher.core.entry import Source
from services.matcher.core.hot_list import FileFormat, HotList, UploadHeader, VersionSummary

_NAME_LENGTH: Final = range(1, 101)
_ATTESTATION_LENGTH: Final = range(10, 501)
_LARGEST_FILE: Final = 2 << 30
_LARGEST_CHUNK: Final = 1 << 20
_SHA256_BYTES: Final = 32
_SOURCES: Final = frozenset(source.value for source in Source)
_FORMATS: Final = frozenset(layout.value for layout in FileFormat)
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
    if len(header.attestation.strip()) not in _ATTESTATION_LENGTH:
        wrong.append(FieldViolation("header.attestation", "must be 10 to 500 characters"))
    raise_violations(wrong)
    return UploadHeader(
        request_id=request_id,
        hot_list_id=hot_list_id,
        format=FileFormat(header.format),
        sha256=header.sha256,
        size_bytes=header.size_bytes,
        attestation=header.attestation.strip(),
    )


async def parse_chunks(requests: AsyncIterator[pb.UploadHotListVersionRequest]) -> AsyncIterator[bytes]:
    """The chunks after the header. Raises InvalidFieldError."""
    async for request in requests:
        if request.WhichOneof("part") != "chunk":
            raise_violations([FieldViolation("header", "must come once only")])
        if len(request.chunk) > _LARGEST_CHUNK:
            raise_violations([FieldViolation("chunk", "must be at most 1 MiB")])
        yield request.chunk


def parse_activate(request: pb.ActivateHotListVersionRequest) -> tuple[uuid.UUID, uuid.UUID, int]:
    """Request id, list id and version. Raises InvalidFieldError."""
    wrong: list[FieldViolation] = []
    request_id = parse_uuid("request_id", request.request_id, wrong)
    hot_list_id = parse_uuid("hot_list_id", request.hot_list_id, wrong)
    if request.version < 1:
        wrong.append(FieldViolation("version", "must be at least 1"))
    raise_violations(wrong)
    return request_id, hot_list_id, request.version


def parse_list(request: pb.ListHotListsRequest) -> tuple[str, int]:
    """The name after which the page begins, and its size. Raises InvalidFieldError."""
    wrong: list[FieldViolation] = []
    if not 0 <= request.page_size <= _LARGEST_PAGE:
        wrong.append(FieldViolation("page_size", "must be 0 to 200"))
    after = ""
    try:
        after = base64.urlsafe_b64decode(request.page_token.encode()).decode()
    except (binascii.Error, UnicodeError):
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
        activated_at=to_timestamp(one.activated_at) if one.activated_at else None,
        entry_count=one.entry_count,
        latest_version=one.latest_version,
    )


def to_upload_response(summary: VersionSummary) -> pb.UploadHotListVersionResponse:
    """The new version in numbers."""
    return pb.UploadHotListVersionResponse(
        version=summary.version,
        row_count=summary.row_count,
        categories=[
            pb.CategoryCount(category=hit_pb2.HotListCategory.ValueType(category.value), count=count)
            for category, count in summary.categories
        ],
        added_count=summary.added_count,
        removed_count=summary.removed_count,
    )
