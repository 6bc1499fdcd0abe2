"""Between the messages of alpr.audit.v1 and this service's own values; checks of shape are here."""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping

from alpr.audit.v1 import authorization_service_pb2 as pb
from alpr.audit.v1 import health_service_pb2 as health_pb
from alpr.audit.v1 import log_service_pb2 as log_pb
from alpr.type.v1 import justification_pb2, left_out_pb2, receipt_pb2
from services.audit.app_authorize import Actor, Asked, Authorization
from services.audit.app_gate import clean
from services.audit.app_log import Receipt
from services.audit.app_record import Ended, Happened, Intended
from services.audit.core.entry import Field
from services.audit.core.justification import CASE_NUMBER_LENGTH, PURPOSE_LENGTH, Justification
from services.audit.core.log_question import Selection
from services.audit.core.person import Role
from services.audit.core.scope import LeftOut
from services.audit.store_log import StoredEntry
from services.audit.wire_question import parse_question
from services.common.errors import FieldViolation, InvalidFieldError
from services.common.wire import parse_moment, parse_text, parse_uuid, raise_violations, to_timestamp

Wrong = list[FieldViolation]

_ACTION = re.compile(r"[a-z][a-z0-9_]*(?:[.][a-z][a-z0-9_]*)+")
_DETAIL = re.compile(r"[a-z0-9_.-]{1,63}")
_ORI = re.compile(r"[A-Z0-9]{9}")
_MOST_DETAILS = 48
_MOST_DETAIL = 2000
_MOST_RESOURCE = 200
_MOST_ACTION = 64
_MOST_EVENTS = 500
_DIGEST_BYTES = 32


def parse_authorize(request: pb.AuthorizeRequest, service: str) -> Asked:
    """The request as asked. It does not raise: what is wrong is recorded as a refusal first."""
    wrong: Wrong = []
    parse_uuid("request_id", request.request_id, wrong)
    if request.first_authorization_id:
        parse_uuid("first_authorization_id", request.first_authorization_id, wrong)
    question = parse_question(request.question, service, wrong)
    case_check = _case_check(request, wrong)
    return Asked(
        service=service,
        request_id=clean(request.request_id, 36),
        token=request.access_token,
        justification=justification(request.justification),
        question=question,
        first_authorization_id=request.first_authorization_id,
        problems=tuple(wrong),
        case_check=case_check,
    )


def _case_check(request: pb.AuthorizeRequest, wrong: Wrong) -> str:
    if request.case_check not in pb.CaseCheck.values():
        wrong.append(FieldViolation("case_check", "must be one of those that the contract knows"))
        return ""
    name = pb.CaseCheck.Name(request.case_check).removeprefix("CASE_CHECK_")
    return "" if name == "UNSPECIFIED" else name


def justification(given: justification_pb2.Justification) -> Justification:
    """Why, as it came; what is too long stays too long."""
    try:
        kind = justification_pb2.CaseNumberKind.Name(given.case_number_kind).removeprefix("CASE_NUMBER_KIND_")
    except ValueError:
        kind = ""
    return Justification(
        kind="" if kind == "UNSPECIFIED" else kind,
        # One character more than allowed is kept, so that what is too long is refused, not cut.
        case_number=clean(given.case_number, CASE_NUMBER_LENGTH[1] + 1),
        outside_agency=clean(given.outside_agency),
        purpose=clean(given.purpose, PURPOSE_LENGTH[1] + 1),
        offence_code=clean(given.offence_code, _MOST_ACTION),
    )


def parse_intent(request: pb.RecordIntentRequest, service: str) -> Intended:
    """The request as asked. It does not raise: what is wrong is recorded as a refusal first."""
    wrong: Wrong = []
    parse_uuid("request_id", request.request_id, wrong)
    _check_action("action", request.action, wrong)
    _check_ori("resource_agency_ori", request.resource_agency_ori, wrong, required=False)
    _check_resource("resource", request.resource, wrong)
    _check_resource("resource_unit", request.resource_unit, wrong)
    if request.resource_account_id:
        parse_uuid("resource_account_id", request.resource_account_id, wrong)
    details = _details("details", request.details, wrong)
    justified = request.HasField("justification")
    return Intended(
        service=service,
        request_id=clean(request.request_id, 36),
        token=request.access_token,
        action=clean(request.action, _MOST_ACTION),
        resource=clean(request.resource, _MOST_RESOURCE),
        resource_agency_ori=clean(request.resource_agency_ori, 9),
        details=details,
        problems=tuple(wrong),
        justification=justification(request.justification) if justified else None,
        person=request.resource_account_id,
        unit=clean(request.resource_unit, _MOST_RESOURCE),
    )


def parse_outcome(request: pb.RecordOutcomeRequest, service: str) -> Ended:
    """The request, checked.

    Raises:
        InvalidFieldError: A field is missing or wrong.
    """
    wrong: Wrong = []
    parse_uuid("request_id", request.request_id, wrong)
    parse_uuid("subject_id", request.subject_id, wrong)
    results = {pb.OUTCOME_RESULT_DONE: "DONE", pb.OUTCOME_RESULT_FAILED: "FAILED"}
    if request.result not in results:
        wrong.append(FieldViolation("result", "must be DONE or FAILED"))
    if request.row_count < 0:
        wrong.append(FieldViolation("row_count", "must not be negative"))
    if len(request.rows_digest) not in {0, _DIGEST_BYTES}:
        wrong.append(FieldViolation("rows_digest", "must be a SHA-256 or empty"))
    details = _details("details", request.details, wrong)
    raise_violations(wrong)
    return Ended(
        service=service,
        request_id=request.request_id,
        subject_id=request.subject_id,
        result=results[request.result],
        row_count=request.row_count,
        rows_digest=request.rows_digest,
        details=details,
    )


def parse_events(request: pb.RecordEventsRequest, service: str) -> list[Happened]:
    """The events, checked.

    Raises:
        InvalidFieldError: A field is missing or wrong, or there are none or too many.
    """
    if not 1 <= len(request.events) <= _MOST_EVENTS:
        raise InvalidFieldError("1 to 500 events", violations=[FieldViolation("events", "must be 1 to 500")])
    wrong: Wrong = []
    happened = [_event(f"events[{at}]", one, service, wrong) for at, one in enumerate(request.events)]
    raise_violations(wrong)
    return happened


def _event(path: str, event: pb.Event, service: str, wrong: Wrong) -> Happened:
    parse_uuid(f"{path}.event_id", event.event_id, wrong)
    _check_action(f"{path}.action", event.action, wrong)
    _check_ori(f"{path}.agency_ori", event.agency_ori, wrong, required=False)
    _check_resource(f"{path}.resource", event.resource, wrong)
    return Happened(
        service=service,
        event_id=event.event_id,
        action=event.action,
        resource=event.resource,
        agency_ori=event.agency_ori,
        event_time=parse_moment(f"{path}.event_time", event, wrong),
        details=_details(f"{path}.details", event.details, wrong),
    )


def _check_action(path: str, action: str, wrong: Wrong) -> None:
    if len(action) > _MOST_ACTION or not _ACTION.fullmatch(action):
        wrong.append(FieldViolation(path, 'must be an action like "hot_list.activate"'))


def _check_resource(path: str, resource: str, wrong: Wrong) -> None:
    if resource:
        parse_text(path, resource, wrong, most=_MOST_RESOURCE)


def _check_ori(path: str, ori: str, wrong: Wrong, *, required: bool) -> None:
    if (ori or required) and not _ORI.fullmatch(ori):
        wrong.append(FieldViolation(path, "must be an ORI: 9 of A-Z and 0-9"))


def parse_ori(path: str, ori: str, wrong: Wrong) -> str:
    """The ORI; adds to `wrong` when it is none."""
    _check_ori(path, ori, wrong, required=True)
    return ori


def _details(path: str, details: Mapping[str, str], wrong: Wrong) -> dict[str, str]:
    if len(details) > _MOST_DETAILS:
        wrong.append(FieldViolation(path, f"must be at most {_MOST_DETAILS} entries"))
    if not all(_DETAIL.fullmatch(name) for name in details):
        wrong.append(FieldViolation(path, "names must be 1 to 63 of a-z, 0-9, _, . and -"))
    if any(len(value) > _MOST_DETAIL or "\x00" in value for value in details.values()):
        wrong.append(FieldViolation(path, f"values must be at most {_MOST_DETAIL} characters, without NUL"))
    return dict(details)


def actor(who: Actor) -> pb.Actor:
    """The message for who asks or acts."""
    return pb.Actor(
        account_id=who.account_id,
        agency_ori=who.agency_ori,
        roles=sorted(map(role_number, who.roles)),
        unit=who.unit,
    )


def role_number(role: Role) -> pb.Role.ValueType:
    """The contract's number of a role."""
    return pb.Role.Value(f"ROLE_{role.value}")


def authorization(given: Authorization) -> pb.AuthorizeResponse:
    """The message for an authorization."""
    response = pb.AuthorizeResponse(
        authorization_id=given.authorization_id,
        permit=given.permit,
        expires_at=to_timestamp(given.expires_at),
        actor=actor(given.actor),
        agency_oris=given.scope.agency_oris,
        sensor_groups=given.scope.sensor_groups,
        left_out=map(_left_out, given.scope.left_out),
        to=to_timestamp(given.window.end),
    )
    # `from` is a word of Python's.
    getattr(response, "from").CopyFrom(to_timestamp(given.window.start))
    return response


def _left_out(given: LeftOut) -> left_out_pb2.LeftOut:
    return left_out_pb2.LeftOut(
        reason=left_out_pb2.LeftOutReason.Value(f"LEFT_OUT_REASON_{given.reason.value}"),
        agency_ori=given.agency_ori,
        sensor_group=given.sensor_group,
    )


def receipt(given: Receipt) -> receipt_pb2.AuditReceipt:
    """The message for a receipt with all its fields opened."""
    entry = given.stored.entry
    return receipt_pb2.AuditReceipt(
        entry_id=entry.entry_id,
        log_index=given.stored.log_index,
        leaf=entry.leaf,
        fields=map(_opened, entry.fields),
        proof=given.proof,
    )


def parse_selection(request: log_pb.ExportLogRequest, offences: frozenset[str]) -> Selection:
    """What is opened of entries; `offences` are the codes of the catalogue.

    Raises:
        InvalidFieldError: A field is wrong.
    """
    wrong: Wrong = []
    if request.account_id:
        parse_uuid("account_id", request.account_id, wrong)
    if request.case_number:
        parse_text("case_number", request.case_number, wrong, most=_MOST_RESOURCE)
    raise_violations(wrong)
    return Selection(request.account_id, request.case_number.strip(), request.counted_only, offences)


def log_entry(stored: StoredEntry) -> log_pb.LogEntry:
    """The message for an exported entry."""
    return log_pb.LogEntry(
        log_index=stored.log_index,
        leaf=stored.entry.leaf,
        fields=map(_opened, stored.entry.fields),
        record_time=to_timestamp(stored.record_time),
    )


def _opened(field: Field) -> receipt_pb2.OpenedField:
    return receipt_pb2.OpenedField(name=field.name, salt=field.salt, value=field.value)


def page_token(*parts: str) -> str:
    """A token that `parse_page_token` reads. It only says where to go on; what may be seen is asked anew."""
    return urlsafe_b64encode("\x00".join(parts).encode()).decode()


def parse_page_token(token: str, first: tuple[str, ...]) -> tuple[str, ...]:
    """The parts of the token, or `first` for an empty one.

    Raises:
        InvalidFieldError: It is none of ours.
    """
    if not token:
        return first
    try:
        parts = tuple(urlsafe_b64decode(token.encode()).decode().split("\x00"))
    except ValueError:
        parts = ()
    if len(parts) != len(first) or "" in parts:
        violation = FieldViolation("page_token", "must be empty or come from the page before")
        raise InvalidFieldError("the page token is not one of ours", violations=[violation])
    return parts


def parse_page_size(size: int, usual: int, most: int) -> int:
    """The size of a page, `usual` for 0.

    Raises:
        InvalidFieldError: It is not 0 to `most`.
    """
    if not 0 <= size <= most:
        violation = FieldViolation("page_size", f"must be 0 to {most}")
        raise InvalidFieldError("the page size is not allowed", violations=[violation])
    return size or usual


def parse_standing(request: health_pb.WatchEntitlementsRequest) -> str:
    """The id of the intent that stands in place of a token.

    Raises:
        InvalidFieldError: It is no UUID, or a token came with it.
    """
    wrong: Wrong = []
    intent_id = str(parse_uuid("intent_id", request.intent_id, wrong))
    if request.access_token:
        wrong.append(FieldViolation("access_token", "must be empty where intent_id is set"))
    raise_violations(wrong)
    return intent_id


def parse_action(action: str) -> str:
    """The action.

    Raises:
        InvalidFieldError: It is none.
    """
    wrong: Wrong = []
    _check_action("action", action, wrong)
    raise_violations(wrong)
    return action
