"""MotorCarrierService: requests to questions, answers to messages, with every check of the request."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Final

from alpr.search.v1 import motor_carrier_service_pb2 as pb
from services.common.errors import FieldViolation
from services.common.identity import AccessToken
from services.common.wire import parse_moment, parse_plate, parse_uuid, raise_violations, to_timestamp
from services.search.app import SearchAnswer
from services.search.app_motor_carrier import ApartSearch
from services.search.app_read import ImageAnswer
from services.search.wire_read import image_parts
from services.search.wire_search import MOST_ROWS, NOTICE, found_read, left_out

_USUAL_ROWS: Final = 100
_SENSOR: Final = re.compile(r"[a-z0-9-]{3,63}")


def parse_search(request: pb.SearchMotorCarrierReadsRequest, token: AccessToken) -> ApartSearch:
    """What is asked for; case number and purpose pass through unread (ENF-051 IV.C.5, IV.C.6).

    Raises:
        InvalidFieldError: Request id, plate, sensor, window or page size is malformed; names each field.
    """
    wrong: list[FieldViolation] = []
    parse_uuid("request_id", request.request_id, wrong)
    plate = parse_plate("plate", request.plate, wrong) if request.plate else ""
    since, until = _moment("from", request, wrong), _moment("to", request, wrong)
    sensor_id = request.sensor_id
    checks = (
        (bool(request.plate or sensor_id), "plate", "must be set, or a sensor: nobody may search everything"),
        (len(plate) != 1, "plate", "must have at least 2 characters"),
        (
            not sensor_id or bool(_SENSOR.fullmatch(sensor_id)),
            "sensor_id",
            "must be 3 to 63 of a-z, 0-9 and -",
        ),
        (since is None or until is None or since < until, "to", "must be later than from"),
        (
            0 <= request.page_size <= MOST_ROWS,
            "page_size",
            f"must be 1 to {MOST_ROWS}, or 0 for {_USUAL_ROWS}",
        ),
    )
    raise_violations([*wrong, *(FieldViolation(name, text) for holds, name, text in checks if not holds)])
    return ApartSearch(
        request_id=request.request_id,
        token=token,
        justification=request.justification,
        plate=plate,
        sensor_id=sensor_id,
        from_time=since,
        to_time=until,
        page_size=request.page_size or _USUAL_ROWS,
        page_token=request.page_token,
    )


def build_answer(answer: SearchAnswer) -> pb.SearchMotorCarrierReadsResponse:
    """The answer to the person: rows, proof, and what the rows are good for."""
    return pb.SearchMotorCarrierReadsResponse(
        reads=map(found_read, answer.reads),
        next_page_token=answer.next_page_token,
        question_receipt=answer.receipts.question,
        outcome_receipt=answer.receipts.outcome,
        notice=NOTICE,
        searched_from=to_timestamp(answer.authorization.from_time),
        searched_to=to_timestamp(answer.authorization.to_time),
        left_out=left_out(answer.authorization),
    )


def build_image(answer: ImageAnswer, *, with_original: bool) -> pb.GetMotorCarrierReadImageResponse:
    """The picture, proof, and what it is good for."""
    return pb.GetMotorCarrierReadImageResponse(**image_parts(answer, with_original=with_original))


def _moment(
    name: str, request: pb.SearchMotorCarrierReadsRequest, wrong: list[FieldViolation]
) -> datetime | None:
    """The field's moment, None where it is unset."""
    return parse_moment(name, request, wrong) if request.HasField(name) else None  # type: ignore[arg-type]
