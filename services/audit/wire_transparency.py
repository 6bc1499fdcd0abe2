"""Between the messages of TransparencyService and this service's own values; checks of shape are here."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from alpr.audit.v1 import transparency_service_pb2 as pb
from services.audit import wire
from services.audit.app_transparency import Period
from services.audit.store_transparency import PublishedReport
from services.common.errors import FieldViolation, InvalidFieldError
from services.common.wire import parse_moment, parse_uuid, raise_violations, to_timestamp

_AFTER_ALL: Final = datetime(9999, 1, 1, tzinfo=UTC)


def parse_period(request: pb.PublishReportRequest | pb.PreviewReportRequest) -> Period:
    """The period.

    Raises:
        InvalidFieldError: A field is missing or wrong.
    """
    wrong: list[FieldViolation] = []
    parse_uuid("request_id", request.request_id, wrong)
    start, end = parse_moment("from", request, wrong), parse_moment("to", request, wrong)
    raise_violations(wrong)
    return Period(start, end)


def parse_get(request: pb.GetReportRequest) -> str:
    """Id of the report.

    Raises:
        InvalidFieldError: It is none.
    """
    wrong: list[FieldViolation] = []
    report_id = str(parse_uuid("report_id", request.report_id, wrong))
    raise_violations(wrong)
    return report_id


def parse_page_token(token: str) -> datetime:
    """The start of the last period of the page before; after all for an empty token.

    Raises:
        InvalidFieldError: It is none of ours.
    """
    (text,) = wire.parse_page_token(token, (_AFTER_ALL.isoformat(),))
    moment: datetime | None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        violation = FieldViolation("page_token", "must be empty or come from the page before")
        raise InvalidFieldError("the page token is not one of ours", violations=[violation])
    return moment


def page_token(last: PublishedReport) -> str:
    """The token for the page after `last`."""
    return wire.page_token(last.start.isoformat())


def report(one: PublishedReport, *, whole: bool) -> pb.TransparencyReport:
    """The message for a report, with its text or without."""
    message = pb.TransparencyReport(
        report_id=one.report_id,
        agency_ori=one.agency_ori,
        to=to_timestamp(one.end),
        publish_time=to_timestamp(one.publish_time),
        entries=one.entries,
        sha256=one.sha256,
        report=one.report.encode() if whole else b"",
    )
    getattr(message, "from").CopyFrom(to_timestamp(one.start))
    return message
