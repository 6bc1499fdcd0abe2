"""What the requests and responses of all analyses share."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Protocol

from google.protobuf.message import Message

from alpr.type.v1.justification_pb2 import Justification
from services.common.errors import FieldViolation
from services.common.identity import AccessToken
from services.common.wire import normalise_plate, parse_moment, parse_uuid, to_timestamp
from services.search.asking import Asking
from services.search.core.time_zones import known_time_zones
from services.search.road import Answered
from services.search.wire_search import NOTICE, left_out

_PLATE: Final = re.compile(r"[A-Z0-9]{2,12}")


class AnalysisRequest(Protocol):
    """What every request has besides `from` and `to`."""

    request_id: str
    page_size: int
    own_agency_only: bool

    @property
    def justification(self) -> Justification:
        """Why."""


MOST_SENSORS: Final = 5
"""Sensors of a visit that are named."""
_MOST_DETAILS: Final = 5_000


@dataclass(frozen=True, slots=True)
class Rows:
    """How many rows an answer may have, and has when nothing is said."""

    most: int
    usual: int


def parse_asking(
    request: AnalysisRequest, token: AccessToken, rows: Rows, wrong: list[FieldViolation]
) -> Asking:
    """Request id, reason and window; adds to `wrong` what is wrong.

    Case number and purpose pass through unread: they are audit's to judge, so that a refusal stands in the
    log (ENF-051 IV.C.5, IV.C.6).
    """
    parse_uuid("request_id", request.request_id, wrong)
    since, until = moment_or_none("from", request, wrong), moment_or_none("to", request, wrong)
    if since is not None and until is not None and since >= until:
        wrong.append(FieldViolation("to", "must be later than from"))
    return Asking(
        request_id=request.request_id,
        token=token,
        justification=request.justification,
        from_time=since,
        to_time=until,
        page_size=parse_number("page_size", request.page_size, rows.usual, (1, rows.most), wrong),
        own_agency_only=request.own_agency_only,
    )


def moment_or_none(field: str, request: Any, wrong: list[FieldViolation]) -> datetime | None:
    """The moment in that field, None where it is unset; adds to `wrong` where it is outside the years."""
    assert isinstance(request, Message)  # noqa: S101 -- every request is one
    return parse_moment(field, request, wrong) if request.HasField(field) else None


def parse_number(
    field: str, given: float, usual: int, limits: tuple[int, int], wrong: list[FieldViolation]
) -> int:
    """The number, `usual` for 0; adds to `wrong` where it lies outside the limits, which are included."""
    low, high = limits
    if given != 0 and not low <= given <= high:
        wrong.append(FieldViolation(field, f"must be {low:,} to {high:,}, or 0 for {usual:,}"))
        return usual
    return int(given) or usual


def parse_whole_plate(field: str, text: str, wrong: list[FieldViolation]) -> str:
    """The plate in capitals without blanks, dots and dashes; adds to `wrong`, without repeating it."""
    plate = normalise_plate(text)
    if not _PLATE.fullmatch(plate):
        wrong.append(FieldViolation(field, "must be 2 to 12 letters A-Z and digits, without wildcards"))
    return plate


def parse_time_zone(field: str, name: str, usual: str, wrong: list[FieldViolation]) -> str:
    """The name of a time zone, `usual` for an empty one; adds to `wrong` where there is no such zone."""
    if name and name not in known_time_zones():
        wrong.append(FieldViolation(field, 'must be a name of the IANA data base, as "America/Chicago"'))
        return usual
    return name or usual


def details_each(rows: int) -> int:
    """How many meetings, visits or passages each of so many rows may show, at least 2.

    So the largest answer stays below the 4 MiB that a gRPC client takes by default.
    """
    return max(2, _MOST_DETAILS // max(rows, 1))


def answer_fields(answered: Answered) -> dict[str, Any]:
    """The fields that every answer has: proof, what it is good for, and what was searched."""
    return {
        "question_receipt": answered.receipts.question,
        "outcome_receipt": answered.receipts.outcome,
        "notice": NOTICE,
        "searched_from": to_timestamp(answered.authorization.from_time),
        "searched_to": to_timestamp(answered.authorization.to_time),
        "has_more": answered.summary.has_more,
        "left_out": left_out(answered.authorization),
    }
