"""Transparency reports: numbers of what people asked and did, for everybody (ENF-051 IV.B.1)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from alpr.audit.v1 import transparency_service_pb2 as pb
from alpr.audit.v1 import transparency_service_pb2_grpc as rpc
from services.common.errors import AlprError, FieldViolation, InvalidFieldError
from services.common.transparency_pages import BREAKDOWNS, TITLES
from services.common.wire import to_timestamp
from services.console import words
from services.console.answers import attachment
from services.console.auditor.folder import archive
from services.console.door import Door, Person

_ROWS = 100
# Of measures and breakdowns, as the published page has them.
_WORDS: Final[Mapping[str, Any]] = {"titles": TITLES, "by": BREAKDOWNS}


def routes(door: Door) -> Sequence[Route]:
    """The reports, one of them, its file, and how one comes about."""
    return (
        Route("/auditor/transparency", door.page(_show), methods=["GET"]),
        Route("/auditor/transparency/preview", door.page(_preview), methods=["POST"]),
        Route("/auditor/transparency/publish", door.page(_publish), methods=["POST"]),
        Route("/auditor/transparency/{report_id:uuid}", door.page(_one), methods=["GET"]),
        Route("/auditor/transparency/{report_id:uuid}/report.json", door.page(_file), methods=["GET"]),
        Route("/auditor/transparency/{report_id:uuid}/folder.zip", door.page(_folder), methods=["GET"]),
    )


async def _show(request: Request, person: Person) -> Response:
    values = await _page(person, request.query_params.get("page", ""))
    return await person.show("auditor/transparency.html", sentence="", fields=(), clauses="", **values)


async def _preview(_request: Request, person: Person) -> Response:
    """What a report would say of any days up to now; it is not kept."""
    request = pb.PreviewReportRequest(request_id=person.field("request_id"))
    try:
        _set_period(person, request, ("first_day", "end_day"), "-")
        answer = await person.call(rpc.TransparencyServiceStub, "PreviewReport", request)
    except AlprError as error:
        return await person.refused(error, "auditor/transparency.html", **await _page(person))
    return await person.show(
        "auditor/report.html",
        title="Preview of a report",
        section="/auditor",
        report=json.loads(answer.report),
        **_WORDS,
        one=None,
    )


async def _publish(_request: Request, person: Person) -> Response:
    """Counts whole months that are over, and keeps the report for ever."""
    request = pb.PublishReportRequest(request_id=person.field("request_id"))
    try:
        _set_period(person, request, ("first_month", "end_month"), "-01")
        answer = await person.call(rpc.TransparencyServiceStub, "PublishReport", request)
    except AlprError as error:
        return await person.refused(error, "auditor/transparency.html", **await _page(person))
    return RedirectResponse(f"/auditor/transparency/{UUID(answer.report.report_id)}", 303)


async def _one(request: Request, person: Person) -> Response:
    answer = await _report(request, person)
    return await person.show(
        "auditor/report.html",
        title="Transparency report",
        section="/auditor",
        report=json.loads(answer.report.report),
        **_WORDS,
        one=answer.report,
        receipt=answer.receipt,
    )


async def _file(request: Request, person: Person) -> Response:
    """The report byte by byte: its SHA-256 stands in the log."""
    return attachment((await _report(request, person)).report.report, "report.json", "application/json")


async def _folder(request: Request, person: Person) -> Response:
    """All that is published: the report in its three forms, its receipt, the programs that count anew."""
    answer = await _report(request, person)
    name = f"transparency-{_period(answer.report).replace(' ', '-')}"
    return attachment(archive(answer, name), f"{name}.zip", "application/zip")


async def _report(request: Request, person: Person) -> pb.GetReportResponse:
    wanted = pb.GetReportRequest(report_id=str(request.path_params["report_id"]))
    answer: pb.GetReportResponse = await person.call(rpc.TransparencyServiceStub, "GetReport", wanted)
    return answer


async def _page(person: Person, token: str = "") -> dict[str, Any]:
    request = pb.ListReportsRequest(page_size=_ROWS, page_token=token)
    listed = await person.call(rpc.TransparencyServiceStub, "ListReports", request)
    names = ("first_day", "end_day", "first_month", "end_month")
    return {
        "title": "Transparency reports",
        "section": "/auditor",
        "reports": listed.reports,
        "next_page": listed.next_page_token,
        "period": _period,
        "written": {name: person.field(name) if person.form else "" for name in names},
    }


def _set_period(person: Person, request: Any, names: tuple[str, str], tail: str) -> None:
    """Sets `from` and `to` of the request: first moments of days of UTC, as the contract counts.

    Raises:
        InvalidFieldError: A day or month cannot be read.
    """
    for field, name in zip(("from", "to"), names, strict=True):
        try:
            day = date.fromisoformat(person.field(name) + tail.rstrip("-"))
        except ValueError:
            wrong = [FieldViolation(field, "Choose a day, or a month.")]
            raise InvalidFieldError("the period cannot be read", violations=wrong) from None
        at = datetime(day.year, day.month, day.day, tzinfo=UTC)
        getattr(request, field).CopyFrom(to_timestamp(min(at, datetime.now(UTC))))


def _period(one: pb.TransparencyReport) -> str:
    """For instance "2026-05 to 2026-07": the months that it counts, both named included."""
    first = words.moment(getattr(one, "from"))
    last = words.moment(one.to) - timedelta(days=1)
    same = (first.year, first.month) == (last.year, last.month)
    return f"{first:%Y-%m}" if same else f"{first:%Y-%m} to {last:%Y-%m}"
