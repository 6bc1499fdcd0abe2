"""The audit service as alerts uses it: every call in words of the service, every failure a typed error."""

from collections.abc import AsyncGenerator, Awaitable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar
from uuid import NAMESPACE_OID, UUID, uuid5

import grpc

from alpr.audit.v1 import authorization_service_pb2 as pb
from alpr.audit.v1 import authorization_service_pb2_grpc as rpc
from alpr.audit.v1 import health_service_pb2 as health_pb
from alpr.audit.v1 import health_service_pb2_grpc as health_rpc
from alpr.type.v1 import justification_pb2, receipt_pb2, sensor_pb2
from services.alerts.core.model import Actor, Partition
from services.alerts.store_batch import OutboxItem
from services.common.errors import AuditUnavailableError, from_rpc_error
from services.common.identity import AccessToken
from services.common.wire import to_datetime, to_timestamp

T = TypeVar("T")

DONE = pb.OUTCOME_RESULT_DONE
FAILED = pb.OUTCOME_RESULT_FAILED

# The caller did not get an answer of audit's own: nothing is known to be recorded.
_UNREACHABLE = frozenset(
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
class Lease:
    """Who holds an entitlement, and until when it may be trusted."""

    actor: Actor
    until: datetime


@dataclass(frozen=True, slots=True)
class Recorded:
    """An act or a question that audit has written down and allowed; `subject_id` is cited in its outcome."""

    subject_id: UUID
    actor: Actor


@dataclass(frozen=True, slots=True)
class Act:
    """What a person is about to do to an alert, or to what else `alert_id` names here.

    `unit` is whose the resource is, where it is one unit's own, and `account` where it is one person's.
    """

    request_id: UUID
    action: str
    alert_id: UUID
    agency_ori: str
    details: Mapping[str, str] = field(default_factory=dict)
    unit: str = ""
    account: str = ""


@dataclass(frozen=True, slots=True)
class AskedAlerts:
    """A question about one alert, or about those of the window from `start` to `end`.

    `arguments` are names and values of what else they must be; a further page cites the first authorization.
    """

    request_id: UUID
    justification: justification_pb2.Justification | None
    partition: Partition
    start: datetime
    end: datetime
    alert_id: UUID | None = None
    page_size: int = 1
    arguments: tuple[tuple[str, str], ...] = ()
    first_authorization_id: str = ""


class AuditClient:
    """Calls audit over one channel. Every method raises AuditUnavailableError when audit does not answer."""

    def __init__(self, channel: grpc.aio.Channel, *, timeout_seconds: float) -> None:
        self._authorization = rpc.AuthorizationServiceStub(channel)
        self._health = health_rpc.HealthServiceStub(channel)
        self.timeout_seconds = timeout_seconds

    def leases(self, token: AccessToken, action: str) -> AsyncGenerator[Lease]:
        """Leases for the person's stream, the first at once, until audit ends them.

        Raises:
            UnauthenticatedError, NotPermittedError: The person is not, or no longer, entitled.
        """
        return self._leases(health_pb.WatchEntitlementsRequest(access_token=token.reveal(), action=action))

    def standing_leases(self, intent_id: UUID, action: str) -> AsyncGenerator[Lease]:
        """Leases for what a person set up by that intent to go on without a sign-in, as `leases`.

        Raises:
            NotPermittedError: The person is not, or no longer, entitled.
        """
        return self._leases(health_pb.WatchEntitlementsRequest(intent_id=str(intent_id), action=action))

    async def _leases(self, request: health_pb.WatchEntitlementsRequest) -> AsyncGenerator[Lease]:
        call = self._health.WatchEntitlements(request)
        try:
            async for message in call:
                yield Lease(_actor(message.actor), to_datetime(message.lease_until))
        except grpc.aio.AioRpcError as error:
            raise _typed(error) from error
        finally:
            call.cancel()

    async def record_intent(self, act: Act, token: AccessToken) -> Recorded:
        """The intent of `act`, once it is on disk and allowed. Raises what audit refuses with."""
        request = pb.RecordIntentRequest(
            request_id=str(act.request_id),
            access_token=token.reveal(),
            action=act.action,
            resource=str(act.alert_id),
            resource_agency_ori=act.agency_ori,
            details=act.details,
            resource_unit=act.unit,
            resource_account_id=act.account,
        )
        response = await self._answer(self._authorization.RecordIntent(request, timeout=self.timeout_seconds))
        return Recorded(UUID(response.intent_id), _actor(response.actor))

    async def authorize(self, asked: AskedAlerts, token: AccessToken) -> Recorded:
        """The authorization to look, once it is on disk. Raises what audit refuses with."""
        question = pb.AlertQuestion(
            alert_id=str(asked.alert_id) if asked.alert_id else "",
            page_size=asked.page_size,
            partition=sensor_pb2.Partition.ValueType(asked.partition),
            arguments=[pb.QuestionArgument(name=name, value=value) for name, value in asked.arguments],
        )
        getattr(question, "from").CopyFrom(to_timestamp(asked.start))
        question.to.CopyFrom(to_timestamp(asked.end))
        request = pb.AuthorizeRequest(
            request_id=str(asked.request_id),
            access_token=token.reveal(),
            justification=asked.justification,
            question=pb.Question(alerts=question),
            first_authorization_id=asked.first_authorization_id,
        )
        response = await self._answer(self._authorization.Authorize(request, timeout=self.timeout_seconds))
        return Recorded(UUID(response.authorization_id), _actor(response.actor))

    async def record_outcome(
        self,
        subject_id: UUID,
        result: pb.OutcomeResult.ValueType,
        *,
        row_count: int = 0,
        rows_digest: bytes = b"",
    ) -> receipt_pb2.AuditReceipt:
        """The receipt of `subject_id`, once its outcome is on disk. Repeating it is harmless."""
        request = pb.RecordOutcomeRequest(
            # The same outcome of the same subject is the same request, whoever sends it again.
            request_id=str(uuid5(NAMESPACE_OID, f"{subject_id}/outcome/{result}")),
            subject_id=str(subject_id),
            result=result,
            row_count=row_count,
            rows_digest=rows_digest,
        )
        response = await self._answer(
            self._authorization.RecordOutcome(request, timeout=self.timeout_seconds)
        )
        return response.subject_receipt

    async def record_events(self, items: Sequence[OutboxItem]) -> None:
        """Returns when audit has `items` on disk, at most 500. Repeating it is harmless."""
        request = pb.RecordEventsRequest(events=[_event(item) for item in items])
        await self._answer(self._authorization.RecordEvents(request, timeout=self.timeout_seconds))

    async def _answer(self, call: Awaitable[T]) -> T:
        try:
            return await call
        except grpc.aio.AioRpcError as error:
            raise _typed(error) from error


def _typed(error: grpc.aio.AioRpcError) -> Exception:
    if error.code() in _UNREACHABLE:
        return AuditUnavailableError("the audit service did not answer; nothing was done; try again")
    return from_rpc_error(error)


def _actor(actor: pb.Actor) -> Actor:
    is_telecom_center = pb.ROLE_TELECOM_CENTER in actor.roles
    return Actor(actor.account_id, actor.agency_ori, is_telecom_center, unit=actor.unit)


def _event(item: OutboxItem) -> pb.Event:
    return pb.Event(
        event_id=str(item.item_id),
        action=item.action,
        resource=item.resource,
        agency_ori=item.agency_ori,
        event_time=to_timestamp(item.event_time),
        details=item.details,
    )
