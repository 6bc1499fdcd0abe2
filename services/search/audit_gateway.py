"""The audit service as search sees it: may this be asked, and this is how it ended."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from uuid import uuid4

import grpc

from alpr.audit.v1 import authorization_service_pb2 as pb
from alpr.type.v1.left_out_pb2 import LEFT_OUT_REASON_UNSPECIFIED, LeftOutReason
from alpr.type.v1.left_out_pb2 import LeftOut as LeftOutMessage
from alpr.type.v1.receipt_pb2 import AuditReceipt
from alpr.type.v1.sensor_pb2 import PARTITION_GENERAL, PARTITION_MOTOR_CARRIER
from services.common.canonical import plates_digest
from services.common.errors import AlprError, AuditUnavailableError, from_rpc_error
from services.common.wire import to_datetime, to_timestamp
from services.search.core.answer import AnswerSummary, Authorization, LeftOut
from services.search.core.look_back import LookBackQuestion
from services.search.core.look_back_pictures import LookBackPictureQuestion

if TYPE_CHECKING:
    from alpr.audit.v1.authorization_service_pb2_grpc import AuthorizationServiceAsyncStub
    from services.search.road import RoadRequest

# What audit says of the person or the question. Every other failure is audit's own, and the officer is told
# that the question was not recorded.
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
_NOT_RECORDED: Final = "the audit service did not record the question, so it was not asked; try again"


@dataclass(frozen=True, slots=True)
class Receipts:
    """Proof that question and outcome stand in the log."""

    question: AuditReceipt
    outcome: AuditReceipt


class AuditGateway:
    """Calls audit over mTLS with a deadline."""

    def __init__(self, stub: AuthorizationServiceAsyncStub, timeout_seconds: float) -> None:
        self._stub = stub
        self._timeout = timeout_seconds

    async def authorize(self, request: RoadRequest) -> Authorization:
        """Audit's permission for the question, with the window that it clamped.

        Raises:
            AlprError: Audit's refusal, unchanged.
            AuditUnavailableError: Audit did not answer in time, failed, or answered what cannot be used.
        """
        message = pb.AuthorizeRequest(
            request_id=request.request_id,
            access_token=request.token.reveal(),
            justification=request.justification,
            question=pb.Question(archive=_archive_question(request)),
            first_authorization_id=request.first_authorization_id,
            case_check=pb.CaseCheck.Value(f"CASE_CHECK_{request.case_check or 'UNSPECIFIED'}"),
        )
        return await self._authorize(message)

    async def authorize_look_back(self, request_id: str, question: LookBackQuestion) -> Authorization:
        """Audit's permission for the look-back, in the name of who did the act `question.intent_id`.

        Raises:
            AlprError: Audit's refusal, unchanged.
            AuditUnavailableError: Audit did not answer in time, failed, or answered what cannot be used.
        """
        asked = _look_back_question(question)
        return await self._authorize(
            pb.AuthorizeRequest(request_id=request_id, question=pb.Question(look_back=asked))
        )

    async def authorize_look_back_pictures(
        self, request_id: str, question: LookBackPictureQuestion
    ) -> Authorization:
        """Audit's permission to open pictures for the hits of a look-back. Errors as for the look-back."""
        asked = pb.LookBackPictureQuestion(
            intent_id=str(question.intent_id),
            changed_id=str(question.changed_id),
            read_ids=map(str, question.read_ids),
            to=to_timestamp(question.to_time),
            partition=PARTITION_MOTOR_CARRIER if question.motor_carrier else PARTITION_GENERAL,
        )
        getattr(asked, "from").CopyFrom(to_timestamp(question.from_time))
        return await self._authorize(
            pb.AuthorizeRequest(request_id=request_id, question=pb.Question(look_back_pictures=asked))
        )

    async def _authorize(self, message: pb.AuthorizeRequest) -> Authorization:
        try:
            response = await self._stub.Authorize(message, timeout=self._timeout)
        except grpc.aio.AioRpcError as error:
            raise _refusal(error) from error
        return _authorization(response)

    async def record_outcome(self, authorization: Authorization, answer: AnswerSummary) -> Receipts:
        """Receipts of question and outcome: it is in the log that these rows leave.

        Every answering is an outcome of its own, also when a retry is answered with what was lost before:
        rows that leave twice are recorded twice.

        Raises:
            AuditUnavailableError: It is not certain that it is in the log; no row may leave.
        """
        message = pb.RecordOutcomeRequest(
            request_id=str(uuid4()),
            subject_id=authorization.authorization_id,
            result=pb.OUTCOME_RESULT_DONE,
            row_count=answer.row_count,
            rows_digest=answer.rows_digest,
        )
        try:
            response = await self._stub.RecordOutcome(message, timeout=self._timeout)
        except grpc.aio.AioRpcError as error:
            raise AuditUnavailableError(_NOT_RECORDED) from error
        if not (response.HasField("subject_receipt") and response.HasField("outcome_receipt")):
            raise AuditUnavailableError(_NOT_RECORDED)
        return Receipts(response.subject_receipt, response.outcome_receipt)

    async def record_failure(self, authorization: Authorization) -> None:
        """Returns when audit knows that the question failed and nothing was shown.

        Raises:
            AuditUnavailableError: It is not certain that it is in the log.
        """
        message = pb.RecordOutcomeRequest(
            request_id=str(uuid4()),
            subject_id=authorization.authorization_id,
            result=pb.OUTCOME_RESULT_FAILED,
        )
        try:
            await self._stub.RecordOutcome(message, timeout=self._timeout)
        except grpc.aio.AioRpcError as error:
            raise AuditUnavailableError(_NOT_RECORDED) from error


def _refusal(error: grpc.aio.AioRpcError) -> AlprError:
    """Audit's refusal for the officer, or that audit did not do its work."""
    refusal = from_rpc_error(error)
    return refusal if refusal.code in _REFUSALS else AuditUnavailableError(_NOT_RECORDED)


def _archive_question(request: RoadRequest) -> pb.ArchiveQuestion:
    message = pb.ArchiveQuestion(
        kind=request.kind,
        arguments=[pb.QuestionArgument(name=name, value=value) for name, value in request.arguments],
        page_size=request.page_size,
        own_agency_only=request.own_agency_only,
    )
    # Left out by the caller means left out here: audit sets the window once, and a retry that repeats the
    # request repeats it to the letter. `from` is a word of Python's, so the field goes by its name.
    for name, moment in (("from", request.from_time), ("to", request.to_time)):
        if moment is not None:
            getattr(message, name).CopyFrom(to_timestamp(moment))
    return message


def _look_back_question(question: LookBackQuestion) -> pb.LookBackQuestion:
    message = pb.LookBackQuestion(
        intent_id=str(question.intent_id),
        changed_id=str(question.changed_id),
        match_revision=question.match_revision,
        to=to_timestamp(question.to_time),
        plate_count=len(question.plates),
        plates_sha256=plates_digest(question.plates),
        page_size=question.page_size,
        after_read_id=str(question.after_read_id or ""),
        partition=PARTITION_MOTOR_CARRIER if question.motor_carrier else PARTITION_GENERAL,
    )
    getattr(message, "from").CopyFrom(to_timestamp(question.from_time))
    return message


def _authorization(response: pb.AuthorizeResponse) -> Authorization:
    """The authorization that `response` holds.

    Raises:
        AuditUnavailableError: Something that the question cannot do without is missing.
    """
    complete = (
        response.authorization_id
        and response.permit
        and response.actor.account_id
        and response.HasField("from")
        and response.HasField("to")
    )
    try:
        window = to_datetime(getattr(response, "from")), to_datetime(response.to)
    except ValueError:
        complete = False
    if not complete:
        raise AuditUnavailableError(_NOT_RECORDED)
    return Authorization(
        authorization_id=response.authorization_id,
        permit=response.permit,
        account_id=response.actor.account_id,
        from_time=window[0],
        to_time=window[1],
        left_out=tuple(map(_left_out, response.left_out)),
    )


def _left_out(given: LeftOutMessage) -> LeftOut:
    # A reason of a newer contract is said to be none rather than not to be left out.
    known = given.reason in LeftOutReason.values()
    name = LeftOutReason.Name(given.reason if known else LEFT_OUT_REASON_UNSPECIFIED).removeprefix(
        "LEFT_OUT_REASON_"
    )
    return LeftOut(name, given.agency_ori, given.sensor_group)
