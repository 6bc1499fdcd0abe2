"""Evidence packages that were made, and one of them again (ENF-051 III.D.5)."""

from __future__ import annotations

from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from alpr.search.v1 import report_service_pb2 as pb
from alpr.search.v1 import report_service_pb2_grpc as rpc
from services.common.errors import AlprError, FieldViolation
from services.console import justification
from services.console.analysis.leaving import Leaving, Left, data_set, received
from services.console.door import Person
from services.console.pages import new_id

_ROWS: Final = 100


async def show(_request: Request, person: Person) -> Response:
    """The agency's packages, newest first; of one report where the form names it."""
    request = pb.ListEvidenceRequest(
        request_id=new_id(),
        report_number=person.field("report_number"),
        page_size=_ROWS,
        page_token=person.field("page_token"),
        partition=data_set(person),
    )
    values: dict[str, Any] = {"title": "Evidence packages", "section": "/search", "written": person.field}
    values["why"] = justification.given(person)
    try:
        listed = await person.call(rpc.ReportServiceStub, "ListEvidence", request)
    except AlprError as error:
        return await person.refused(error, "analysis/packages.html", listed=None, **values)
    return await person.show(
        "analysis/packages.html", listed=listed, sentence="", fields=(), clauses="", **values
    )


def _parse(person: Person, _wrong: list[FieldViolation]) -> pb.GetEvidenceRequest:
    return pb.GetEvidenceRequest(
        request_id=person.field("request_id"),
        justification=justification.given(person),
        evidence_id=person.field("evidence_id"),
        partition=data_set(person),
    )


async def _ask(person: Person, request: pb.GetEvidenceRequest) -> Left:
    return await received(person, "GetEvidence", request)


AGAIN: Final = Leaving("/search/package", "Evidence package", "analysis/package.html", _parse, _ask)
