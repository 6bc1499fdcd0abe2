"""The services that the matcher calls."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Final, TypeVar

import grpc
from google.protobuf.message import Message

from alpr.alerts.v1 import alert_service_pb2 as alerts_pb
from alpr.alerts.v1 import alert_service_pb2_grpc as alerts_grpc
from alpr.audit.v1 import authorization_service_pb2 as audit_pb
from alpr.audit.v1 import authorization_service_pb2_grpc as audit_grpc
from alpr.search.v1 import archive_service_pb2 as archive_pb
from alpr.search.v1 import archive_service_pb2_grpc as archive_grpc
from alpr.type.v1 import justification_pb2
from services.common.errors import (
    AlprError,
    AuditUnavailableError,
    DependencyUnavailableError,
    from_rpc_error,
)
from services.common.groupcommit import GroupCommit
from services.common.identity import AccessToken
from services.matcher.app_acts import Intent, Plan
from services.matcher.app_reads import ReadAnswer
from services.matcher.core.local import Grounds
from services.matcher.errors import LookBackRefusedError

_AUDIT_DEADLINE_S: Final = 10.0
_STORE_DEADLINE_S: Final = 20.0
# Authorization, the question and 20,000 reads on their way.
_LOOK_BACK_DEADLINE_S: Final = 120.0
_HITS_A_CALL: Final = 100
_READS_A_CALL: Final = 500
_SMALL_BATCH: Final = 20
# Under the 4 MiB that a gRPC server takes by default, with room for what wraps the parts.
_BYTES_A_CALL: Final = 3_900_000


_Message = TypeVar("_Message", bound=Message)


class AuditClient:
    """Intents and outcomes in the log."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub: audit_grpc.AuthorizationServiceAsyncStub = audit_grpc.AuthorizationServiceStub(channel)

    async def record_intent(self, plan: Plan, token: AccessToken | None) -> Intent:
        """The intent once it is in the log. Raises AuditUnavailableError, or audit's refusal as it came."""
        request = audit_pb.RecordIntentRequest(
            request_id=str(plan.request_id),
            access_token=token.reveal() if token else "",
            action=plan.action,
            resource=plan.resource,
            resource_agency_ori=plan.agency_ori,
            details=plan.details,
            justification=_justification(plan.grounds) if plan.grounds else None,
            resource_account_id=plan.owner_id,
            resource_unit=plan.unit,
        )
        try:
            answer = await self._stub.RecordIntent(request, timeout=_AUDIT_DEADLINE_S)
        except grpc.aio.AioRpcError as error:
            raise _audit_error(error) from None
        actor = answer.actor
        return Intent(
            uuid.UUID(answer.intent_id),
            actor.account_id,
            actor.agency_ori,
            actor.unit,
            frozenset(audit_pb.Role.Name(role).removeprefix("ROLE_") for role in actor.roles),
        )

    async def record_outcome(self, intent_id: uuid.UUID, *, done: bool, row_count: int) -> None:
        """Returns once the outcome is in the log."""
        request = audit_pb.RecordOutcomeRequest(
            # From the intent: whoever makes good an outcome after a crash asks for the same entry.
            request_id=str(uuid.uuid5(intent_id, "done" if done else "failed")),
            subject_id=str(intent_id),
            result=audit_pb.OUTCOME_RESULT_DONE if done else audit_pb.OUTCOME_RESULT_FAILED,
            row_count=row_count,
        )
        try:
            await self._stub.RecordOutcome(request, timeout=_AUDIT_DEADLINE_S)
        except grpc.aio.AioRpcError as error:
            raise _audit_error(error) from None


class AlertsClient:
    """Where hits go."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub: alerts_grpc.AlertServiceAsyncStub = alerts_grpc.AlertServiceStub(channel)

    async def withdraw_alerts(self, withdrawal: alerts_pb.WithdrawAlertsRequest) -> None:
        """Returns once the entries' alerts are withdrawn, on disk. Raises DependencyUnavailableError."""
        try:
            await self._stub.WithdrawAlerts(withdrawal, timeout=_STORE_DEADLINE_S)
        except grpc.aio.AioRpcError as error:
            raise _dependency_error("alerts", error) from None

    async def list_dispositions(
        self, after_position: int, epoch: int, page_size: int
    ) -> alerts_pb.ListDispositionsResponse:
        """What people found of alerts after that position. Raises DependencyUnavailableError."""
        request = alerts_pb.ListDispositionsRequest(
            after_position=after_position, epoch=epoch, page_size=page_size
        )
        try:
            answer: alerts_pb.ListDispositionsResponse = await self._stub.ListDispositions(
                request, timeout=_STORE_DEADLINE_S
            )
        except grpc.aio.AioRpcError as error:
            raise _dependency_error("alerts", error) from None
        return answer

    async def raise_alerts(self, hits: Sequence[alerts_pb.Hit]) -> None:
        """Returns once all hits are on disk. Raises DependencyUnavailableError."""
        try:
            for part in _parts(hits, _HITS_A_CALL):
                request = alerts_pb.RaiseAlertsRequest(hits=part)
                await self._stub.RaiseAlerts(request, timeout=_STORE_DEADLINE_S)
        except grpc.aio.AioRpcError as error:
            raise _dependency_error("alerts", error) from None


class ArchiveClient:
    """Where reads are kept.

    A call costs as much as dozens of reads, and most cameras send theirs one by one. So a small batch that
    comes while another is on its way waits for the next call, with all others that wait.
    """

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub: archive_grpc.ArchiveServiceAsyncStub = archive_grpc.ArchiveServiceStub(channel)
        self._alone = 0
        self._small = GroupCommit(
            self._append_together, most_in_batch=_READS_A_CALL // _SMALL_BATCH, name="to_archive"
        )

    async def find_for_look_back(
        self, request: archive_pb.FindForLookBackRequest
    ) -> tuple[Sequence[archive_pb.ArchivedRead], bool]:
        """Reads of before a change, by read id, and whether there are more after them.

        Raises:
            LookBackRefusedError: Audit knows of no act that allows it.
            DependencyUnavailableError: Ask again.
        """
        reads: list[archive_pb.ArchivedRead] = []
        has_more = False
        try:
            async for part in self._stub.FindForLookBack(request, timeout=_LOOK_BACK_DEADLINE_S):
                reads.extend(part.reads)
                has_more = part.has_more
        except grpc.aio.AioRpcError as error:
            raise _look_back_error(error) from None
        return reads, has_more

    async def look_back_pictures(
        self, request: archive_pb.GetLookBackPicturesRequest
    ) -> Sequence[archive_pb.GetLookBackPicturesResponse]:
        """Crop and overview of reads, as far as there are any. Errors as for `find_for_look_back`."""
        try:
            return [
                one async for one in self._stub.GetLookBackPictures(request, timeout=_LOOK_BACK_DEADLINE_S)
            ]
        except grpc.aio.AioRpcError as error:
            raise _look_back_error(error) from None

    async def record_status(self, request: archive_pb.RecordSensorStatusRequest) -> None:
        """Returns once it is on disk.

        Raises:
            InvalidFieldError: A field is wrong.
            DependencyUnavailableError: Send it again.
        """
        try:
            await self._stub.RecordSensorStatus(request, timeout=_STORE_DEADLINE_S)
        except grpc.aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.INVALID_ARGUMENT:
                raise from_rpc_error(error) from None
            raise _dependency_error("search", error) from None

    async def append(self, request: archive_pb.AppendReadsRequest) -> tuple[ReadAnswer, ...]:
        """What became of each of its reads, in their order.

        Raises:
            DependencyUnavailableError: Not all are known to be stored; sending them again is safe.
            StorageUnavailableError: Likewise; too many batches wait.
        """
        if self._alone and len(request.reads) <= _SMALL_BATCH:
            return await self._small.submit(request)
        self._alone += 1
        try:
            return await self._append(request)
        except grpc.aio.AioRpcError as error:
            raise _dependency_error("search", error) from None
        finally:
            self._alone -= 1

    async def _append_together(
        self, requests: Sequence[archive_pb.AppendReadsRequest]
    ) -> Sequence[tuple[ReadAnswer, ...] | Exception]:
        whole = archive_pb.AppendReadsRequest()
        for one in requests:
            whole.MergeFrom(one)
        try:
            answers = iter(await self._append(whole))
        except grpc.aio.AioRpcError as error:
            if len(requests) == 1 or error.code() in _NO_ANSWER - {grpc.StatusCode.INTERNAL}:
                raise _dependency_error("search", error) from None
            # What search does not take must not keep the other senders' reads from it.
            return [result for one in requests for result in await self._apart(one)]
        return [tuple(islice(answers, len(one.reads))) for one in requests]

    async def _apart(
        self, request: archive_pb.AppendReadsRequest
    ) -> Sequence[tuple[ReadAnswer, ...] | Exception]:
        try:
            return await self._append_together([request])
        except DependencyUnavailableError as error:
            return [error]

    async def _append(self, request: archive_pb.AppendReadsRequest) -> tuple[ReadAnswer, ...]:
        results: list[archive_pb.AppendResult] = []
        for part in _requests(request):
            answer = await self._stub.AppendReads(part, timeout=_STORE_DEADLINE_S)
            results.extend(answer.results)
        if [result.read_id for result in results] != [one.read.read_id for one in request.reads]:
            raise DependencyUnavailableError("search answered for other reads", resource="search")
        return tuple(ReadAnswer(result.read_id, result.status, result.status_reason) for result in results)


def _justification(grounds: Grounds) -> justification_pb2.Justification:
    return justification_pb2.Justification(
        case_number_kind=justification_pb2.CaseNumberKind.ValueType(grounds.case_number_kind),
        case_number=grounds.case_number,
        outside_agency=grounds.outside_agency,
        purpose=grounds.purpose,
        offence_code=grounds.offence_code,
    )


def _requests(whole: archive_pb.AppendReadsRequest) -> Iterator[archive_pb.AppendReadsRequest]:
    """`whole` itself where one call can carry it, as nearly always; else requests with a part of it each."""
    if len(whole.reads) <= _READS_A_CALL and whole.ByteSize() <= _BYTES_A_CALL:
        yield whole
        return
    for part in _parts(whole.reads, _READS_A_CALL):
        yield archive_pb.AppendReadsRequest(reads=part)


def _parts(messages: Iterable[_Message], most: int) -> Iterator[list[_Message]]:
    """`messages` in their order, in parts of at most `most` and of a size that one call can carry."""
    part: list[_Message] = []
    size = 0
    for message in messages:
        if part and (len(part) == most or size + message.ByteSize() > _BYTES_A_CALL):
            yield part
            part, size = [], 0
        part.append(message)
        size += message.ByteSize()
    if part:
        yield part


def _audit_error(error: grpc.aio.AioRpcError) -> AlprError:
    """Audit's refusal as it came; anything that is no answer of audit means that nothing was recorded."""
    if error.code() in _NO_ANSWER:
        return AuditUnavailableError("the audit service did not record the call; nothing was done")
    return from_rpc_error(error)


def _look_back_error(error: grpc.aio.AioRpcError) -> AlprError:
    if error.code() is grpc.StatusCode.NOT_FOUND:
        return LookBackRefusedError("no recorded act allows the look-back")
    return _dependency_error("search", error)


def _dependency_error(name: str, error: grpc.aio.AioRpcError) -> DependencyUnavailableError:
    return DependencyUnavailableError(
        f"{name} did not store its part ({error.code().name}); send the batch again", resource=name
    )


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
