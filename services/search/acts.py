"""Acts on record: intent before, outcome after, by audit (ENF-051 III.B.3.d)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from uuid import UUID, uuid5

import grpc
import structlog

from alpr.audit.v1 import authorization_service_pb2 as pb
from alpr.type.v1.justification_pb2 import Justification
from services.common.errors import AlprError, AuditUnavailableError, from_rpc_error
from services.common.identity import AccessToken
from services.search.audit_gateway import Receipts
from services.search.core.houses import ARCHIVE, HouseNames

if TYPE_CHECKING:
    from alpr.audit.v1.authorization_service_pb2_grpc import AuthorizationServiceAsyncStub

log = structlog.get_logger()

# What audit says of the person or the act; every other failure is audit's own.
_REFUSALS: Final = frozenset(
    {
        grpc.StatusCode.INVALID_ARGUMENT,
        grpc.StatusCode.UNAUTHENTICATED,
        grpc.StatusCode.PERMISSION_DENIED,
        grpc.StatusCode.FAILED_PRECONDITION,
        grpc.StatusCode.ALREADY_EXISTS,
        grpc.StatusCode.NOT_FOUND,
    }
)
_NOT_RECORDED: Final = "the audit service did not record the act, so nothing was done; try again"


@dataclass(frozen=True, slots=True)
class ActPlan:
    """What somebody is about to do; without a token it is this service's own act."""

    request_id: UUID
    action: str
    resource: str
    details: Mapping[str, str] = field(default_factory=dict)
    token: AccessToken | None = None
    justification: Justification | None = None


@dataclass(frozen=True, slots=True)
class Intent:
    """An intent that is in the log, and who it is of.

    `statement` is audit's signature, of an act that the archive checks by itself (sql/0091_signed_acts.sql).
    """

    intent_id: UUID
    account_id: str
    agency_ori: str
    statement: str = field(default="", repr=False)


class Acts:
    """Calls audit over mTLS with a deadline; `names` is how the data set names its actions."""

    def __init__(
        self,
        stub: AuthorizationServiceAsyncStub,
        timeout_seconds: float,
        names: HouseNames = ARCHIVE,
    ) -> None:
        self._stub = stub
        self._names = names
        self._timeout = timeout_seconds

    async def begin(self, plan: ActPlan) -> Intent:
        """The intent once it is in the log and allowed; nothing may be done before. Idempotent.

        Raises:
            AlprError: Audit's refusal, unchanged.
            AuditUnavailableError: It is not certain that it is in the log.
        """
        request = pb.RecordIntentRequest(
            request_id=str(plan.request_id),
            access_token=plan.token.reveal() if plan.token else "",
            action=self._names.action(plan.action),
            resource=plan.resource,
            details=plan.details,
            justification=plan.justification,
        )
        try:
            answer = await self._stub.RecordIntent(request, timeout=self._timeout)
            intent_id = UUID(answer.intent_id)
        except grpc.aio.AioRpcError as error:
            raise _refusal(error) from error
        except ValueError:
            raise AuditUnavailableError(_NOT_RECORDED) from None
        return Intent(intent_id, answer.actor.account_id, answer.actor.agency_ori, answer.statement)

    async def done(self, intent_id: UUID, details: Mapping[str, str]) -> Receipts:
        """Receipts of intent and outcome, once it is in the log that the act is done. Idempotent.

        Raises:
            AuditUnavailableError: It is not certain that it is in the log; say it again.
        """
        return await self._end(intent_id, "done", pb.OUTCOME_RESULT_DONE, details)

    async def failed(self, intent_id: UUID) -> None:
        """Tells the log that nothing was changed, for good.

        Without audit the intent stays without an outcome, which its reconciler finds: the caller must hear
        why the act failed, not this.
        """
        try:
            await self._end(intent_id, "failed", pb.OUTCOME_RESULT_FAILED, {})
        except AlprError as error:
            log.warning("outcome_not_recorded", intent_id=str(intent_id), error=type(error).__name__)

    async def _end(
        self, intent_id: UUID, name: str, result: pb.OutcomeResult.ValueType, details: Mapping[str, str]
    ) -> Receipts:
        request = pb.RecordOutcomeRequest(
            # From the intent: whoever makes an outcome good after a crash asks for the same entry.
            request_id=str(uuid5(intent_id, name)),
            subject_id=str(intent_id),
            result=result,
            details=details,
        )
        try:
            answer = await self._stub.RecordOutcome(request, timeout=self._timeout)
        except grpc.aio.AioRpcError as error:
            raise AuditUnavailableError(_NOT_RECORDED) from error
        return Receipts(answer.subject_receipt, answer.outcome_receipt)


def _refusal(error: grpc.aio.AioRpcError) -> AlprError:
    refusal = from_rpc_error(error)
    return refusal if refusal.code in _REFUSALS else AuditUnavailableError(_NOT_RECORDED)
