"""Acts in the log: intent before, outcome after."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import grpc

from alpr.audit.v1 import authorization_service_pb2 as pb
from alpr.audit.v1 import authorization_service_pb2_grpc as rpc
from services.common.errors import AlprError, AuditUnavailableError, from_rpc_error
from services.common.identity import AccessToken

_DEADLINE_SECONDS: Final = 10.0
_NO_ANSWER: Final = frozenset(
    {
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.CANCELLED,
        grpc.StatusCode.UNKNOWN,
        grpc.StatusCode.INTERNAL,
        grpc.StatusCode.UNIMPLEMENTED,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
    }
)


@dataclass(frozen=True, slots=True)
class Plan:
    """What somebody is about to do."""

    request_id: uuid.UUID
    action: str
    resource: str
    details: Mapping[str, str]


class AuditClient:
    """Records acts. Its methods raise AuditUnavailableError, or audit's own refusal."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub: rpc.AuthorizationServiceAsyncStub = rpc.AuthorizationServiceStub(channel)

    async def record_intent(self, plan: Plan, token: AccessToken) -> uuid.UUID:
        """The id of the intent, once it is in the log and allowed; nothing may be done before."""
        request = pb.RecordIntentRequest(
            request_id=str(plan.request_id),
            access_token=token.reveal(),
            action=plan.action,
            resource=plan.resource,
            details=plan.details,
        )
        try:
            answer = await self._stub.RecordIntent(request, timeout=_DEADLINE_SECONDS)
        except grpc.aio.AioRpcError as error:
            raise _refusal(error) from None
        return uuid.UUID(answer.intent_id)

    async def record_outcome(self, intent_id: uuid.UUID, *, done: bool, row_count: int = 0) -> None:
        """Returns once the outcome is in the log. Idempotent by intent and outcome."""
        request = pb.RecordOutcomeRequest(
            # From the intent: whoever makes good an outcome after a crash asks for the same entry.
            request_id=str(uuid.uuid5(intent_id, "done" if done else "failed")),
            subject_id=str(intent_id),
            result=pb.OUTCOME_RESULT_DONE if done else pb.OUTCOME_RESULT_FAILED,
            row_count=row_count,
        )
        try:
            await self._stub.RecordOutcome(request, timeout=_DEADLINE_SECONDS)
        except grpc.aio.AioRpcError as error:
            raise _refusal(error) from None


def _refusal(error: grpc.aio.AioRpcError) -> AlprError:
    """Audit's refusal as it came; anything that is no answer of audit means that nothing was recorded."""
    if error.code() in _NO_ANSWER:
        return AuditUnavailableError("the audit service did not record the call; nothing was done")
    return from_rpc_error(error)
