"""Requests and answers of the local list service."""

from __future__ import annotations

import base64
import binascii
import re
import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from alpr.matcher.v1 import local_list_service_pb2 as pb
from alpr.type.v1 import hit_pb2, justification_pb2
from services.common.errors import FieldViolation
from services.common.wire import normalise_plate, parse_moment, parse_uuid, raise_violations, to_timestamp
from services.matcher.app_local import NewEntry, PageOf, Shown
from services.matcher.core.entry import Category, Vehicle, is_state, is_vehicle_code
from services.matcher.core.local import Grounds, LocalEntry, OwnerKind, Watched
from services.matcher.core.wildcard import pattern_problem

_KINDS: Final = frozenset(kind.value for kind in OwnerKind)
_CATEGORIES: Final = frozenset(category.value for category in Category)
_SENSOR: Final = re.compile(r"[a-z0-9-]{3,63}")
_PLATE_TYPE: Final = re.compile(r"(?:[A-Z0-9]{2})?")
_YEAR: Final = re.compile(r"(?:[0-9]{4})?")
_DEFAULT_PAGE: Final = 50
_LARGEST_PAGE: Final = 200
# Above every revision there will be.
_NEWEST: Final = (1 << 63) - 1
# Audit judges case number and purpose; here is only what keeps rows and requests small.
_MOST_TEXT: Final = {"case_number": 64, "outside_agency": 200, "purpose": 500, "offence_code": 64}

Wrong = list[FieldViolation]


def parse_add(request: pb.AddLocalEntryRequest) -> NewEntry:
    """What is to be watched for. Raises InvalidFieldError."""
    wrong: Wrong = []
    request_id = parse_uuid("request_id", request.request_id, wrong)
    if request.owner_kind not in _KINDS:
        wrong.append(FieldViolation("owner_kind", "must be one of USER, UNIT and SENSOR"))
    _check_sensor(request, wrong)
    watched = _watched(request, wrong)
    grounds = _grounds(request.justification, wrong)
    expires_at = parse_moment("expire_time", request, wrong).replace(microsecond=0)
    raise_violations(wrong)
    kind = OwnerKind(request.owner_kind)
    return NewEntry(request_id, kind, request.sensor_id, watched, grounds, expires_at)


def parse_remove(request: pb.RemoveLocalEntryRequest) -> tuple[uuid.UUID, uuid.UUID]:
    """Request id and entry id. Raises InvalidFieldError."""
    wrong: Wrong = []
    ids = parse_uuid("request_id", request.request_id, wrong), parse_uuid("entry_id", request.entry_id, wrong)
    raise_violations(wrong)
    return ids


def parse_list(request: pb.ListLocalEntriesRequest) -> PageOf:
    """What is to be shown. Raises InvalidFieldError."""
    wrong: Wrong = []
    if not 0 <= request.page_size <= _LARGEST_PAGE:
        wrong.append(FieldViolation("page_size", f"must be 0 to {_LARGEST_PAGE}"))
    before = _NEWEST
    if request.page_token:
        try:
            before = int.from_bytes(base64.urlsafe_b64decode(request.page_token.encode()))
        except (binascii.Error, UnicodeError):
            before = 0
        if not 0 < before <= _NEWEST:
            wrong.append(FieldViolation("page_token", "must be one from the page before"))
    raise_violations(wrong)
    return PageOf(request.with_ended, before, request.page_size or _DEFAULT_PAGE)


def to_add_response(
    entry: LocalEntry, revision: int, suspended: Sequence[LocalEntry], now: datetime
) -> pb.AddLocalEntryResponse:
    """The entry as stored, and what the person must be told."""
    return pb.AddLocalEntryResponse(
        entry=to_entry(entry, now),
        match_revision=revision,
        suspended=[to_entry(one, now) for one in suspended],
    )


def to_list_response(shown: Shown, now: datetime) -> pb.ListLocalEntriesResponse:
    """A page of entries, with a token when more follow.

    The token needs no seal: it is a revision to go on before, and what may be seen is asked anew.
    """
    token = ""
    if shown.more:
        token = base64.urlsafe_b64encode(shown.entries[-1].added_revision.to_bytes(8)).decode()
    return pb.ListLocalEntriesResponse(
        entries=[to_entry(one, now) for one in shown.entries],
        next_page_token=token,
        suspended=[to_entry(one, now) for one in shown.suspended],
    )


def to_entry(one: LocalEntry, now: datetime) -> pb.LocalEntry:
    """The entry as the contract has it; whether its time is over is counted to `now`."""
    watched, vehicle, grounds = one.watched, one.watched.vehicle, one.grounds
    return pb.LocalEntry(
        entry_id=str(one.entry_id),
        hot_list_id=str(one.owner.hot_list_id),
        owner_kind=pb.LocalListOwnerKind.ValueType(one.owner.kind.value),
        owner=one.owner.key,
        pattern=watched.pattern,
        state=watched.state,
        plate_type=watched.plate_type,
        category=hit_pb2.HotListCategory.ValueType(watched.category.value),
        vehicle=hit_pb2.ListedVehicle(
            year=vehicle.year,
            make=vehicle.make,
            model=vehicle.model,
            style=vehicle.style,
            color=vehicle.color,
        ),
        justification=justification_pb2.Justification(
            case_number_kind=justification_pb2.CaseNumberKind.ValueType(grounds.case_number_kind),
            case_number=grounds.case_number,
            outside_agency=grounds.outside_agency,
            purpose=grounds.purpose,
            offence_code=grounds.offence_code,
        ),
        account_id=one.account_id,
        add_time=to_timestamp(one.added_at),
        expire_time=to_timestamp(one.expires_at),
        entry_state=_state(one, now),
        end_time=to_timestamp(one.ended_at) if one.ended_at else None,
        read_count=one.read_count,
        match_count=one.match_count,
    )


def _state(one: LocalEntry, now: datetime) -> pb.LocalEntryState.ValueType:
    if one.end_reason:
        return pb.LocalEntryState.ValueType(one.end_reason.value)
    return pb.LOCAL_ENTRY_STATE_LIVE if one.is_live(now) else pb.LOCAL_ENTRY_STATE_EXPIRED


def _check_sensor(request: pb.AddLocalEntryRequest, wrong: Wrong) -> None:
    if request.owner_kind == pb.LOCAL_LIST_OWNER_KIND_SENSOR:
        if not _SENSOR.fullmatch(request.sensor_id):
            wrong.append(FieldViolation("sensor_id", "must be 3 to 63 of a-z, 0-9 and dashes"))
    elif request.sensor_id:
        wrong.append(FieldViolation("sensor_id", "must be empty but for a sensor's list"))


def _watched(request: pb.AddLocalEntryRequest, wrong: Wrong) -> Watched:
    pattern = normalise_plate(request.pattern)
    if problem := pattern_problem(pattern, state_known=bool(request.state)):
        wrong.append(FieldViolation("pattern", problem))
    if not is_state(request.state):
        wrong.append(FieldViolation("state", "must be empty or two letters A-Z"))
    if not _PLATE_TYPE.fullmatch(request.plate_type):
        wrong.append(FieldViolation("plate_type", "must be empty or two of A-Z and 0-9"))
    if request.category not in _CATEGORIES:
        wrong.append(FieldViolation("category", "must be a category"))
    given = request.vehicle
    vehicle = Vehicle(given.year, given.make, given.model, given.style, given.color)
    if not _YEAR.fullmatch(vehicle.year):
        wrong.append(FieldViolation("vehicle.year", "must be empty or four digits"))
    for name in ("make", "model", "style", "color"):
        if not is_vehicle_code(getattr(vehicle, name)):
            wrong.append(FieldViolation(f"vehicle.{name}", "must be a code of at most 12 characters"))
    # What is wrong is raised before this is used.
    category = Category(request.category) if request.category in _CATEGORIES else Category.OTHER
    return Watched(pattern, request.state, request.plate_type, category, vehicle)


def _grounds(given: justification_pb2.Justification, wrong: Wrong) -> Grounds:
    # It goes into every hit, where record numbers are plain letters and digits.
    case_number = given.case_number.strip().upper()
    if not case_number.isascii():
        wrong.append(FieldViolation("justification.case_number", "must hold plain characters only"))
    for name, most in _MOST_TEXT.items():
        text: str = getattr(given, name)
        if len(text) > most or not text.isprintable():
            problem = f"must be at most {most} characters, all printable"
            wrong.append(FieldViolation(f"justification.{name}", problem))
    return Grounds(
        given.case_number_kind,
        case_number,
        given.outside_agency.strip(),
        given.purpose.strip(),
        given.offence_code,
    )
