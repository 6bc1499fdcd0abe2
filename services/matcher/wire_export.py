"""ExportHotLists: the request's checks, and records as JSON objects in the words of the contract."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from typing import Any, Final

from alpr.matcher.v1 import export_service_pb2 as pb
from alpr.matcher.v1 import hot_list_service_pb2, local_list_service_pb2, tuning_service_pb2
from alpr.type.v1 import hit_pb2, justification_pb2
from services.common.errors import FieldViolation
from services.common.identity import AccessToken
from services.common.paged_export import Asked, plain
from services.common.wire import parse_uuid, raise_violations

_MOST_ROWS: Final = 5000
_USUAL_ROWS: Final = 1000
_NUMBER: Final = r"[0-9]{1,18}"
_UUID: Final = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
LISTS, ENTRIES, LOCAL_ENTRIES = "hot_lists", "hot_list_entries", "local_entries"
QUARANTINED, FINDINGS, TUNING = "quarantined_uploads", "findings", "tuning"
_PARTS: Final = {
    pb.HOT_LIST_PART_LISTS: LISTS,
    pb.HOT_LIST_PART_ENTRIES: ENTRIES,
    pb.HOT_LIST_PART_LOCAL_ENTRIES: LOCAL_ENTRIES,
    pb.HOT_LIST_PART_QUARANTINED_UPLOADS: QUARANTINED,
    pb.HOT_LIST_PART_FINDINGS: FINDINGS,
    pb.HOT_LIST_PART_TUNING: TUNING,
}
# What a position looks like, by part.
_POSITIONS: Final = {
    LISTS: _UUID,
    ENTRIES: f"{_UUID}/{_NUMBER}",
    LOCAL_ENTRIES: _NUMBER,
    QUARANTINED: _UUID,
    FINDINGS: f"{_UUID}/{_NUMBER}",
    TUNING: _NUMBER,
}
# Enumerations of the contract by the fields that have their numbers.
_ENUMS: Final[Mapping[str, Any]] = {
    "source": hit_pb2.HotListSource,
    "category": hit_pb2.HotListCategory,
    "categories": hit_pb2.HotListCategory,
    "format": hot_list_service_pb2.HotListFormat,
    "kind": hot_list_service_pb2.UploadKind,
    "owner_kind": local_list_service_pb2.LocalListOwnerKind,
    "end_reason": local_list_service_pb2.LocalEntryState,
    "case_number_kind": justification_pb2.CaseNumberKind,
    "budget": tuning_service_pb2.BudgetKind,
}


def parse_export(request: pb.ExportHotListsRequest, token: AccessToken) -> Asked:
    """The page that is asked for; case number and purpose pass through unread, they are audit's.

    Raises:
        InvalidFieldError: Names each field that is wrong.
    """
    wrong: list[FieldViolation] = []
    request_id = parse_uuid("request_id", request.request_id, wrong)
    part = _PARTS.get(request.part, "")
    list_id = ""
    if part == ENTRIES:
        list_id = str(parse_uuid("hot_list_id", request.hot_list_id, wrong))
    if not part:
        wrong.append(FieldViolation("part", "must be one of the parts of hot lists"))
    if not 0 <= request.page_size <= _MOST_ROWS:
        wrong.append(FieldViolation("page_size", f"must be 1 to {_MOST_ROWS}, or 0 for {_USUAL_ROWS}"))
    if request.after and not re.fullmatch(_POSITIONS.get(part, ""), request.after):
        wrong.append(FieldViolation("after", "must be `last` of the page before"))
    if request.until and not re.fullmatch(_NUMBER, request.until):
        wrong.append(FieldViolation("until", "must be `until` of the first page"))
    raise_violations(wrong)
    return Asked(
        request_id=request_id,
        token=token,
        justification=request.justification,
        part=part,
        of=list_id,
        after=request.after,
        until=request.until,
        size=request.page_size or _USUAL_ROWS,
    )


def numbered_position(after: str) -> tuple[uuid.UUID, int]:
    """Entry and version, or upload and number, that a page of entries or findings begins after."""
    entry, _, version = after.partition("/")
    return (uuid.UUID(entry), int(version)) if after else (uuid.UUID(int=0), 0)


def document(record: Mapping[str, Any]) -> dict[str, Any]:
    """The record as one line of the export; what it does not have is left out."""
    return {
        name: [document(one) for one in value] if _is_nested(value) else plain(name, value, _ENUMS)
        for name, value in record.items()
        if value is not None
    }


def _is_nested(value: object) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], dict)
