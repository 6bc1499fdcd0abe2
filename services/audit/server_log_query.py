"""Servicer of alpr.audit.v1.LogQueryService: decode, call, encode."""

from __future__ import annotations

from alpr.audit.v1 import log_query_service_pb2 as pb
from alpr.audit.v1 import log_query_service_pb2_grpc as rpc
from services.audit import wire, wire_log_query
from services.audit.app_log_query import LogQuestions
from services.audit.callers import call_of
from services.common.clock import Clock
from services.common.identity import Context
from services.common.wire import to_timestamp


class LogQueryServicer(rpc.LogQueryServiceServicer):
    """Questions to the log."""

    def __init__(self, questions: LogQuestions, clock: Clock) -> None:
        self._questions = questions
        self._clock = clock

    async def ListEntries(self, request: pb.ListEntriesRequest, context: Context) -> pb.ListEntriesResponse:
        """See log_query_service.proto."""
        call, asked = call_of(context, request.request_id), wire_log_query.parse_list(request)
        answer = await self._questions.entries(call, wire.justification(request.justification), asked)
        return wire_log_query.entries(answer, pb.ListEntriesResponse)

    async def ListOwnEntries(
        self, request: pb.ListOwnEntriesRequest, context: Context
    ) -> pb.ListOwnEntriesResponse:
        """See log_query_service.proto."""
        call, asked = call_of(context, request.request_id), wire_log_query.parse_own(request)
        return wire_log_query.entries(await self._questions.own(call, asked), pb.ListOwnEntriesResponse)

    async def DiscloseFields(
        self, request: pb.DiscloseFieldsRequest, context: Context
    ) -> pb.DiscloseFieldsResponse:
        """See log_query_service.proto."""
        call, asked = call_of(context, request.request_id), wire_log_query.parse_disclose(request)
        shown, answer = await self._questions.disclose(call, wire.justification(request.justification), asked)
        recorded = to_timestamp(shown.stored.record_time)
        return pb.DiscloseFieldsResponse(
            receipt=wire.receipt(shown),
            question_receipt=wire.receipt(answer.question),
            outcome_receipt=wire.receipt(answer.outcome),
            notice=wire_log_query.NOTICE,
            searched_from=recorded,
            searched_to=recorded,
        )

    async def RedactField(self, request: pb.RedactFieldRequest, context: Context) -> pb.RedactFieldResponse:
        """See log_query_service.proto."""
        call, asked = call_of(context, request.request_id), wire_log_query.parse_redact(request)
        return pb.RedactFieldResponse(receipt=wire.receipt(await self._questions.redact(call, asked)))

    async def ListUnfinished(
        self, request: pb.ListUnfinishedRequest, context: Context
    ) -> pb.ListUnfinishedResponse:
        """See log_query_service.proto."""
        start, end = wire_log_query.parse_window(request, self._clock.now())
        found, has_more = await self._questions.unfinished(call_of(context), start, end)
        return pb.ListUnfinishedResponse(acts=map(wire_log_query.unfinished, found), has_more=has_more)
