"""Between the messages of incidents, contracts and requests for support and this service's own values."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, TypeVar

from alpr.audit.v1 import contract_service_pb2 as contract_pb
from alpr.audit.v1 import incident_service_pb2 as incident_pb
from alpr.audit.v1 import support_service_pb2 as support_pb
from alpr.type.v1 import sensor_pb2
from services.audit import wire
from services.audit.core.records import (
    Contact,
    Contract,
    ContractKind,
    Incident,
    IncidentKind,
    IncidentNotice,
    IncidentRecipient,
    SupportCategory,
    SupportRequest,
    Use,
)
from services.audit.core.registry import Partition
from services.audit.store_records import Before
from services.audit.wire import Wrong
from services.common.errors import FieldViolation
from services.common.wire import parse_moment, parse_text, parse_uuid, raise_violations, to_timestamp

_Kind = TypeVar("_Kind", bound=StrEnum)
_LEAST_WORDS = 10
_MOST_WORDS = 2000
_MOST_TEXT = 200
_MOST_SUBJECT = 500
_MOST_WARNING = 730
_DIGEST_BYTES = 32
_LONGEST = timedelta(days=20 * 366)
_LONGEST_USE = timedelta(days=400)
_NOT_YET = datetime.min.replace(tzinfo=UTC)
_AFTER_ALL = ("9999-01-01T00:00:00+00:00", "ffffffff-ffff-ffff-ffff-ffffffffffff")


def parse_open_incident(request: incident_pb.OpenIncidentRequest) -> Incident:
    """The incident, without id, agency and time of its record. Raises InvalidFieldError."""
    wrong = _ids(request, "request_id")
    kind = _member("kind", incident_pb.IncidentKind, request.kind, IncidentKind, wrong)
    summary = _words("summary", request.summary, wrong)
    noticed = parse_moment("discover_time", request, wrong)
    raise_violations(wrong)
    return Incident("", "", kind, summary, noticed, _NOT_YET)


def parse_tell(request: incident_pb.RecordIncidentNoticeRequest) -> tuple[str, IncidentNotice]:
    """The incident's id, and who was told. Raises InvalidFieldError."""
    given, wrong = request.notice, _ids(request, "request_id", "incident_id")
    if given.account_id or given.HasField("notice_time"):
        wrong.append(FieldViolation("notice", "notice_time and account_id must be unset"))
    recipient = _member(
        "notice.recipient", incident_pb.IncidentRecipient, given.recipient, IncidentRecipient, wrong
    )
    name = parse_text("notice.name", given.name, wrong, most=_MOST_TEXT)
    way = parse_text("notice.way", given.way, wrong, most=_MOST_TEXT)
    raise_violations(wrong)
    return request.incident_id, IncidentNotice(recipient, name, way, _NOT_YET, "")


def parse_close_incident(request: incident_pb.CloseIncidentRequest) -> tuple[str, str]:
    """The incident's id, and what was found. Raises InvalidFieldError."""
    wrong = _ids(request, "request_id", "incident_id")
    finding = _words("finding", request.finding, wrong)
    raise_violations(wrong)
    return request.incident_id, finding


def parse_contract(request: contract_pb.RecordContractRequest) -> Contract:
    """The contract, without id and agency. Raises InvalidFieldError."""
    given, wrong = request.contract, _ids(request, "request_id")
    if given.contract_id or given.standing:
        wrong.append(FieldViolation("contract", "contract_id and standing must be unset"))
    if len(given.document_sha256) != _DIGEST_BYTES:
        text = "must be the SHA-256 of the document, 32 bytes"
        wrong.append(FieldViolation("contract.document_sha256", text))
    if not 1 <= given.warning_days <= _MOST_WARNING:
        wrong.append(FieldViolation("contract.warning_days", f"must be 1 to {_MOST_WARNING}"))
    made = Contract(
        contract_id="",
        agency_ori="",
        kind=_member("contract.kind", contract_pb.ContractKind, given.kind, ContractKind, wrong),
        party=parse_text("contract.party", given.party, wrong, most=_MOST_TEXT),
        subject=parse_text("contract.subject", given.subject, wrong, most=_MOST_SUBJECT),
        document_sha256=given.document_sha256,
        start_time=parse_moment("contract.start_time", given, wrong),
        end_time=parse_moment("contract.end_time", given, wrong),
        warning_days=given.warning_days,
        partition=_partition(given.partition),
    )
    if not made.start_time < made.end_time <= made.start_time + _LONGEST:
        wrong.append(FieldViolation("contract.end_time", "must be after start_time, by at most 20 years"))
    raise_violations(wrong)
    return made


def parse_use(request: contract_pb.ReportUseRequest) -> tuple[str, datetime, datetime]:
    """The contract's id, and the period. Raises InvalidFieldError."""
    wrong = _ids(request, "contract_id")
    first, end = parse_moment("from", request, wrong), parse_moment("to", request, wrong)
    if not first < end <= first + _LONGEST_USE:
        wrong.append(FieldViolation("to", "must be after from, by at most 400 days"))
    raise_violations(wrong)
    return request.contract_id, first, end


def parse_support(request: support_pb.RequestSupportRequest) -> SupportRequest:
    """The request, without what audit sets. Raises InvalidFieldError."""
    wrong = _ids(request, "request_id")
    category = _member("category", support_pb.SupportCategory, request.category, SupportCategory, wrong)
    details = _words("details", request.details, wrong)
    raise_violations(wrong)
    return SupportRequest("", "", category, details, _NOT_YET, "")


def parse_close_support(request: support_pb.CloseSupportRequest) -> tuple[str, str]:
    """The request's id, and how it ended. Raises InvalidFieldError."""
    wrong = _ids(request, "request_id", "support_request_id")
    resolution = parse_text("resolution", request.resolution, wrong, most=_MOST_WORDS)
    raise_violations(wrong)
    return request.support_request_id, resolution


def parse_page_token(token: str) -> Before:
    """Time and id before which the page begins. Raises InvalidFieldError."""
    text, record_id = wire.parse_page_token(token, _AFTER_ALL)
    wrong: Wrong = []
    parse_uuid("page_token", record_id, wrong)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = datetime.now()  # noqa: DTZ005 - without a zone, and so refused below
    if moment.tzinfo is None:
        wrong.append(FieldViolation("page_token", "is none that was given here"))
    raise_violations(wrong)
    return moment, record_id


def page_token(moment: datetime, record_id: str) -> str:
    """The token of the page after this record."""
    return wire.page_token(moment.isoformat(), record_id)


def contact(one: Contact) -> support_pb.Contact:
    """The message."""
    return support_pb.Contact(name=one.name, email=one.email, telephone=one.telephone, url=one.url)


def incident(one: Incident, moment: datetime) -> incident_pb.Incident:
    """The message, with its clock as at `moment`."""
    told = one.told_time
    return incident_pb.Incident(
        incident_id=one.incident_id,
        kind=incident_pb.IncidentKind.Value(f"INCIDENT_KIND_{one.kind.value}"),
        summary=one.summary,
        discover_time=to_timestamp(one.discover_time),
        due_time=to_timestamp(one.due_time),
        notices=map(_notice, one.notices),
        # Told within the same second is told.
        notified_after_seconds=max(1, math.ceil((told - one.discover_time).total_seconds())) if told else 0,
        overdue=one.is_overdue(moment),
        finding=one.finding,
        close_time=to_timestamp(one.close_time) if one.close_time else None,
    )


def contract(one: Contract, moment: datetime) -> contract_pb.Contract:
    """The message, with how it stands at `moment`."""
    return contract_pb.Contract(
        contract_id=one.contract_id,
        kind=contract_pb.ContractKind.Value(f"CONTRACT_KIND_{one.kind.value}"),
        party=one.party,
        subject=one.subject,
        document_sha256=one.document_sha256,
        start_time=to_timestamp(one.start_time),
        end_time=to_timestamp(one.end_time),
        warning_days=one.warning_days,
        partition=sensor_pb2.Partition.Value(f"PARTITION_{one.partition.value}"),
        standing=contract_pb.ContractStanding.Value(f"CONTRACT_STANDING_{one.standing(moment).value}"),
    )


def use(one: Use) -> contract_pb.ReportUseResponse:
    """The message, without the contract."""
    months = [
        contract_pb.MonthOfUse(
            month=each.month, questions=each.questions, refused=each.refused, disclosures=each.disclosures
        )
        for each in one.months
    ]
    return contract_pb.ReportUseResponse(
        months=months, people=one.people, deployments_approved=one.deployments_approved
    )


def support(one: SupportRequest) -> support_pb.SupportRequest:
    """The message."""
    return support_pb.SupportRequest(
        support_request_id=one.support_request_id,
        category=support_pb.SupportCategory.Value(f"SUPPORT_CATEGORY_{one.category.value}"),
        details=one.details,
        open_time=to_timestamp(one.open_time),
        account_id=one.account_id,
        resolution=one.resolution,
        close_time=to_timestamp(one.close_time) if one.close_time else None,
    )


def _notice(one: IncidentNotice) -> incident_pb.IncidentNotice:
    return incident_pb.IncidentNotice(
        recipient=incident_pb.IncidentRecipient.Value(f"INCIDENT_RECIPIENT_{one.recipient.value}"),
        name=one.name,
        way=one.way,
        notice_time=to_timestamp(one.notice_time),
        account_id=one.account_id,
    )


def _partition(number: int) -> Partition:
    is_apart = number == sensor_pb2.PARTITION_MOTOR_CARRIER
    return Partition.MOTOR_CARRIER if is_apart else Partition.GENERAL


def _member(path: str, enum: Any, number: int, kind: type[_Kind], wrong: Wrong) -> _Kind:
    """The member that `number` stands for: both enums have the same order, the contract's from 1 on."""
    members = list(kind)
    if number in enum.values() and number:
        return members[number - 1]
    wrong.append(FieldViolation(path, "must be set"))
    return members[0]


def _words(path: str, text: str, wrong: Wrong) -> str:
    given = parse_text(path, text, wrong, most=_MOST_WORDS)
    if given and len(given) < _LEAST_WORDS:
        wrong.append(FieldViolation(path, f"must be at least {_LEAST_WORDS} characters"))
    return given


def _ids(request: Any, *fields: str) -> Wrong:
    wrong: Wrong = []
    for field in fields:
        parse_uuid(field, getattr(request, field), wrong)
    return wrong
