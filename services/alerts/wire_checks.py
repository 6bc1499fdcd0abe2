"""Questions to LEADS and NCIC about an alert into words of the service, and answers into the contract."""

from dataclasses import dataclass
from uuid import UUID

from alpr.alerts.v1 import verification_service_pb2 as pb
from alpr.connector.v1 import record_check_service_pb2 as connector_pb
from alpr.type.v1 import notice_pb2
from services.alerts.checks import Checks
from services.alerts.core.record_check import RecordCheck
from services.common.wire import to_timestamp


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked: an entry of an alert, or its first."""

    request_id: UUID
    alert_id: UUID
    entry_id: UUID | None


def parse_ask(request: pb.AskRecordRequest) -> Question:
    """The question. Raises InvalidFieldError."""
    checks = Checks()
    question = Question(
        request_id=checks.uuid("request_id", request.request_id),
        alert_id=checks.uuid("alert_id", request.alert_id),
        entry_id=checks.uuid("entry_id", request.entry_id) if request.entry_id else None,
    )
    checks.raise_if_any()
    return question


def encode_check(check: RecordCheck) -> pb.RecordCheck:
    """The answer, and what it bears out."""
    return pb.RecordCheck(
        check_id=str(check.check_id),
        alert_id=str(check.alert_id),
        entry_id=str(check.entry.entry_id),
        answer=connector_pb.RecordAnswer.ValueType(check.answer),
        system=check.system,
        response_id=check.response_id,
        answer_time=to_timestamp(check.answer_time),
        bears_out=notice_pb2.VerificationState.ValueType(check.bears_out),
    )
