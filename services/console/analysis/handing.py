"""What happens to files once they have left: one goes on to somebody else, or a read in one was wrong."""

from __future__ import annotations

from typing import Any, Final

from alpr.search.v1 import dissemination_service_pb2 as pb
from alpr.search.v1 import dissemination_service_pb2_grpc as rpc
from services.common.errors import FieldViolation
from services.common.wire import raise_violations
from services.console import justification
from services.console.analysis import recipient
from services.console.analysis.leaving import data_set
from services.console.analysis.page import Analysis
from services.console.door import Person

# For own use a file is made, and for the public one of its own (ENF-051 IV.B.1).
_RECIPIENTS: Final = recipient.KINDS[1:-1]


def _parse_hand_on(person: Person, _wrong: list[FieldViolation]) -> pb.RecordDisseminationRequest:
    return pb.RecordDisseminationRequest(
        request_id=person.field("request_id"),
        justification=justification.given(person),
        export_id=person.field("export_id"),
        partition=data_set(person),
    )


async def _hand_on(person: Person, request: pb.RecordDisseminationRequest) -> pb.RecordDisseminationResponse:
    wrong: list[FieldViolation] = []
    await recipient.set_recipient(request, person, wrong)
    raise_violations(wrong)
    answer: pb.RecordDisseminationResponse = await person.call(
        rpc.DisseminationServiceStub, "RecordDissemination", request
    )
    return answer


def _more_hand_on(_person: Person, _answer: Any) -> dict[str, Any]:
    return {"recipients": _RECIPIENTS}


def _parse_correction(person: Person, _wrong: list[FieldViolation]) -> pb.RecordCorrectionRequest:
    return pb.RecordCorrectionRequest(
        request_id=person.field("request_id"),
        justification=justification.given(person),
        read_id=person.field("read_id"),
        statement=person.field("statement"),
        partition=data_set(person),
    )


async def _correct(person: Person, request: pb.RecordCorrectionRequest) -> pb.RecordCorrectionResponse:
    answer: pb.RecordCorrectionResponse = await person.call(
        rpc.DisseminationServiceStub, "RecordCorrection", request
    )
    return answer


HAND_ON: Final = Analysis(
    "/search/hand-on",
    "Hand a file on",
    "analysis/hand_on.html",
    _parse_hand_on,
    _hand_on,
    _more_hand_on,
)
CORRECTION: Final = Analysis(
    "/search/correction", "A read was wrong", "analysis/correction.html", _parse_correction, _correct
)
