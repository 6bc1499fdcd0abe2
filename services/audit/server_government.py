"""Servicer of alpr.audit.v1: requests of government entities. With what its messages mean."""

from __future__ import annotations

from alpr.audit.v1 import government_request_service_pb2 as pb
from alpr.audit.v1 import government_request_service_pb2_grpc as rpc
from services.audit import wire
from services.audit.app_government import GovernmentRequests
from services.audit.callers import call_of
from services.audit.core.government_request import Decided, GovernmentRequest, RequestDecision
from services.audit.wire import Wrong
from services.audit.wire_escorts import parse_page_token
from services.common.errors import FieldViolation
from services.common.identity import Context
from services.common.wire import parse_moment, parse_text, parse_uuid, raise_violations, to_timestamp

_DIGEST_BYTES = 32
_SHORTEST_PURPOSE = 10
_GIVEN = {"entity", "entity_type", "person", "purpose", "document_sha256", "receive_time"}
_PREFIX = "GOVERNMENT_REQUEST_DECISION_"
_DECISIONS = {pb.GovernmentRequestDecision.Value(f"{_PREFIX}{one.value}"): one for one in RequestDecision}


class GovernmentRequestServicer(rpc.GovernmentRequestServiceServicer):
    """Requests of government entities."""

    def __init__(self, requests: GovernmentRequests) -> None:
        self._requests = requests

    async def RecordGovernmentRequest(
        self, request: pb.RecordGovernmentRequestRequest, context: Context
    ) -> pb.RecordGovernmentRequestResponse:
        """See government_request_service.proto."""
        call, given = call_of(context, request.request_id), _parse_record(request)
        done = await self._requests.record(call, given)
        return pb.RecordGovernmentRequestResponse(government_request=_message(done))

    async def DecideGovernmentRequest(
        self, request: pb.DecideGovernmentRequestRequest, context: Context
    ) -> pb.DecideGovernmentRequestResponse:
        """See government_request_service.proto."""
        call, given = call_of(context, request.request_id), _parse_decide(request)
        done = await self._requests.decide(call, request.government_request_id, given)
        return pb.DecideGovernmentRequestResponse(government_request=_message(done))

    async def ListGovernmentRequests(
        self, request: pb.ListGovernmentRequestsRequest, context: Context
    ) -> pb.ListGovernmentRequestsResponse:
        """See government_request_service.proto."""
        size = wire.parse_page_size(request.page_size, usual=100, most=500)
        before = parse_page_token(request.page_token)
        found = await self._requests.page(call_of(context), before, size + 1)
        last = found[size - 1] if len(found) > size else None
        moment = last.record_time.isoformat() if last and last.record_time else ""
        return pb.ListGovernmentRequestsResponse(
            government_requests=map(_message, found[:size]),
            next_page_token=wire.page_token(moment, last.request_id) if last else "",
        )


def _parse_record(request: pb.RecordGovernmentRequestRequest) -> GovernmentRequest:
    """The request without id and agency. Raises InvalidFieldError."""
    given = request.government_request
    wrong: Wrong = []
    parse_uuid("request_id", request.request_id, wrong)
    if not {field.name for field, _ in given.ListFields()} <= _GIVEN:
        wrong.append(FieldViolation("government_request", "what audit sets must be unset"))
    if len(given.document_sha256) != _DIGEST_BYTES:
        text = "must be the SHA-256 of the written request, 32 bytes"
        wrong.append(FieldViolation("government_request.document_sha256", text))
    texts = {
        name: parse_text(f"government_request.{name}", getattr(given, name), wrong, most=most)
        for name, most in (("entity", 200), ("entity_type", 100), ("person", 200), ("purpose", 500))
    }
    if 0 < len(texts["purpose"]) < _SHORTEST_PURPOSE:
        text = f"must be at least {_SHORTEST_PURPOSE} characters"
        wrong.append(FieldViolation("government_request.purpose", text))
    received = parse_moment("government_request.receive_time", given, wrong)
    raise_violations(wrong)
    return GovernmentRequest(
        request_id="",
        agency_ori="",
        entity=texts["entity"],
        entity_type=texts["entity_type"],
        person=texts["person"],
        purpose=texts["purpose"],
        document_sha256=given.document_sha256,
        receive_time=received,
    )


def _parse_decide(request: pb.DecideGovernmentRequestRequest) -> Decided:
    """The decision. Raises InvalidFieldError."""
    wrong: Wrong = []
    parse_uuid("request_id", request.request_id, wrong)
    parse_uuid("government_request_id", request.government_request_id, wrong)
    decision = _DECISIONS.get(request.decision)
    if decision is None:
        wrong.append(FieldViolation("decision", "must be set"))
    reason = parse_text("reason", request.reason, wrong, most=500)
    until = None
    if decision is RequestDecision.GRANTED:
        until = parse_moment("valid_until", request, wrong)
    elif request.HasField("valid_until"):
        wrong.append(FieldViolation("valid_until", "must be unset, unless it is granted"))
    raise_violations(wrong)
    return Decided(decision or RequestDecision.REFUSED, reason, until)


def _message(one: GovernmentRequest) -> pb.GovernmentRequest:
    made = pb.GovernmentRequest(
        government_request_id=one.request_id,
        entity=one.entity,
        entity_type=one.entity_type,
        person=one.person,
        purpose=one.purpose,
        document_sha256=one.document_sha256,
        receive_time=to_timestamp(one.receive_time),
        record_time=to_timestamp(one.record_time) if one.record_time else None,
    )
    if one.decided is not None:
        made.decision = pb.GovernmentRequestDecision.Value(f"{_PREFIX}{one.decided.decision.value}")
        made.reason, made.decider_account_id = one.decided.reason, one.decided.decided_by
        for name in ("decide_time", "valid_until"):
            moment = getattr(one.decided, name)
            if moment is not None:
                getattr(made, name).CopyFrom(to_timestamp(moment))
    return made
