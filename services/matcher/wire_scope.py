"""Between the messages of ScopeService and the matcher's own values."""

from __future__ import annotations

import base64
import binascii
import re
import uuid
from collections.abc import Sequence
from typing import Final

from alpr.matcher.v1 import scope_service_pb2 as pb
from alpr.type.v1 import hit_pb2, sensor_pb2
from services.common.errors import FieldViolation
from services.common.wire import parse_uuid, raise_violations
from services.matcher.app_scope import Compared, NewRow
from services.matcher.core.scope import GroupMode, GroupRow, Partition

_GROUP: Final = re.compile(r"[a-z0-9-]{1,63}")
_MOST_LISTS: Final = 500
_DEFAULT_PAGE: Final = 50
_LARGEST_PAGE: Final = 200


def parse_set(request: pb.SetSensorGroupRequest) -> NewRow:
    """The row as it is wanted. Raises InvalidFieldError."""
    wrong: list[FieldViolation] = []
    request_id = parse_uuid("request_id", request.request_id, wrong)
    _check_group(request.sensor_group, wrong)
    if request.mode not in {one.value for one in GroupMode}:
        wrong.append(FieldViolation("mode", "must be ALL_BUT or ONLY"))
    if len(request.hot_list_ids) > _MOST_LISTS:
        wrong.append(FieldViolation("hot_list_ids", "must be at most 500"))
    named: frozenset[uuid.UUID] = frozenset()
    if not wrong:
        lists = enumerate(request.hot_list_ids)
        named = frozenset(parse_uuid(f"hot_list_ids[{n}]", one, wrong) for n, one in lists)
    raise_violations(wrong)
    return NewRow(request_id, request.sensor_group, GroupMode(request.mode), named)


def parse_list(request: pb.ListSensorGroupsRequest) -> tuple[str, int]:
    """The group after which the page begins, and its size. Raises InvalidFieldError."""
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


def parse_compared(request: pb.ListComparedListsRequest) -> tuple[str, Partition]:
    """The group and the partition. Raises InvalidFieldError."""
    wrong: list[FieldViolation] = []
    _check_group(request.sensor_group, wrong)
    number = request.partition or sensor_pb2.PARTITION_GENERAL
    if number not in {one.value for one in Partition}:
        wrong.append(FieldViolation("partition", "must be GENERAL or MOTOR_CARRIER"))
    raise_violations(wrong)
    return request.sensor_group, Partition(number)


def to_group(row: GroupRow) -> pb.SensorGroup:
    """The row as the contract has it."""
    return pb.SensorGroup(
        agency_ori=row.agency_ori,
        sensor_group=row.sensor_group,
        mode=pb.GroupMode.ValueType(row.mode.value),
        hot_list_ids=[str(one) for one in sorted(row.hot_list_ids)],
    )


def to_list_response(rows: Sequence[GroupRow], *, more: bool) -> pb.ListSensorGroupsResponse:
    """A page of rows, with a token when more follow: a name to go on after, in the caller's own agency."""
    token = base64.urlsafe_b64encode(rows[-1].sensor_group.encode()).decode() if more else ""
    return pb.ListSensorGroupsResponse(sensor_groups=map(to_group, rows), next_page_token=token)


def to_compared_response(lists: Sequence[Compared], revision: int) -> pb.ListComparedListsResponse:
    """The lists, and the revision of which that is true."""
    return pb.ListComparedListsResponse(lists=map(_compared, lists), match_revision=revision)


def _compared(one: Compared) -> pb.ComparedList:
    return pb.ComparedList(
        hot_list_id=str(one.header.hot_list_id),
        hot_list_name=one.header.name,
        list_agency_ori=one.header.agency_ori,
        source=hit_pb2.HotListSource.ValueType(one.header.source.value),
        agreement_ids=[str(agreement_id) for agreement_id in one.agreement_ids],
    )


def _check_group(group: str, wrong: list[FieldViolation]) -> None:
    if not _GROUP.fullmatch(group):
        wrong.append(FieldViolation("sensor_group", "must be 1 to 63 of a-z, 0-9 and dashes"))
