"""SearchReads: request to question, rows to answer, with every check of the request."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from alpr.search.v1 import search_service_pb2 as pb
from alpr.type.v1 import left_out_pb2, notice_pb2, read_pb2
from alpr.type.v1.sensor_pb2 import Provenance
from services.common.errors import FieldViolation
from services.common.identity import AccessToken
from services.common.wire import normalise_plate, parse_moment, parse_uuid, raise_violations, to_timestamp
from services.search.app import SearchAnswer, SearchRequest
from services.search.core.answer import Authorization, FoundRead
from services.search.core.pattern import EVERY_PLATE, PatternError, WantedPlate, wanted_plate
from services.search.core.questions import ReadsQuestion
from services.search.wire_area import parse_area

MOST_ROWS: Final = 1000
_USUAL_ROWS: Final = 100
_STATE: Final = re.compile(r"[A-Z]{2}")
# ENF-051 III.B.3.r: what is found is no ground to act upon until somebody has verified it.
NOTICE: Final = notice_pb2.Notice(
    lead_only=True,
    verification_state=notice_pb2.VERIFICATION_STATE_NEW,
    text=(
        "UNVERIFIED. A lead only, not actionable by itself: a plate may be misread, and a read says nothing "
        "of who was in the vehicle. Look at the image and confirm with the record's owner, LEADS or NCIC "
        "before any action."
    ),
)


def parse_search(request: pb.SearchReadsRequest, token: AccessToken) -> SearchRequest:
    """The search that `request` asks for.

    Case number and purpose pass through unread: they are audit's to judge, so that a refusal stands in the
    log (ENF-051 IV.C.5, IV.C.6).

    Raises:
        InvalidFieldError: Request id, plate, window or page size is malformed; names each field.
    """
    wrong: list[FieldViolation] = []
    parse_uuid("request_id", request.request_id, wrong)
    area = parse_area("area", request.area, wrong)
    if area is None and request.HasField("area"):
        wrong.append(FieldViolation("area", "must have a shape, or be unset"))
    since, until = _moment(request, "from", wrong), _moment(request, "to", wrong)
    state = request.state.strip().upper()
    question = ReadsQuestion(
        plate=_parse_plate(request, wrong),
        state=state,
        provenances=_parse_provenances(request.provenances, wrong),
        area=area,
        from_time=since,
        to_time=until,
        page_size=request.page_size or _USUAL_ROWS,
    )
    checks = (
        (not state or bool(_STATE.fullmatch(state)), "state", "must be two letters, or empty for any state"),
        (since is None or until is None or since < until, "to", "must be later than from"),
        (
            0 <= request.page_size <= MOST_ROWS,
            "page_size",
            f"must be 1 to {MOST_ROWS}, or 0 for {_USUAL_ROWS}",
        ),
    )
    raise_violations([*wrong, *(FieldViolation(name, text) for holds, name, text in checks if not holds)])
    return SearchRequest(
        request_id=request.request_id,
        token=token,
        justification=request.justification,
        question=question,
        page_token=request.page_token,
        own_agency_only=request.own_agency_only,
    )


def _parse_plate(request: pb.SearchReadsRequest, wrong: list[FieldViolation]) -> WantedPlate:
    """The plates that are asked for; every plate only of an area."""
    if request.plate_match not in pb.PlateMatch.values():
        wrong.append(FieldViolation("plate_match", "must be one of PlateMatch"))
    if not request.plate and request.HasField("area"):
        if request.plate_match != pb.PLATE_MATCH_UNSPECIFIED:
            wrong.append(FieldViolation("plate", "must be set for plates that are like it"))
        return EVERY_PLATE
    if not request.plate:
        wrong.append(FieldViolation("plate", "must be set, or an area: nobody may search everything"))
        return EVERY_PLATE
    try:
        return wanted_plate(
            normalise_plate(request.plate),
            look_alike=request.plate_match == pb.PLATE_MATCH_LOOK_ALIKE,
            one_off=request.plate_match == pb.PLATE_MATCH_ONE_OFF,
        )
    except PatternError as error:
        wrong.append(FieldViolation("plate", str(error)))
        return EVERY_PLATE


def _parse_provenances(given: Sequence[Provenance.ValueType], wrong: list[FieldViolation]) -> tuple[str, ...]:
    """Names without their prefix, each once, in the order of the contract."""
    if any(one not in Provenance.values() or one == Provenance.PROVENANCE_UNSPECIFIED for one in given):
        wrong.append(FieldViolation("provenances", "must each be OWN, PARTNER or COMMERCIAL"))
        return ()
    return tuple(Provenance.Name(one).removeprefix("PROVENANCE_") for one in sorted(set(given)))


def build_answer(answer: SearchAnswer) -> pb.SearchReadsResponse:
    """The answer to the person: rows, proof, and what the rows are good for."""
    return pb.SearchReadsResponse(
        reads=[found_read(read) for read in answer.reads],
        next_page_token=answer.next_page_token,
        question_receipt=answer.receipts.question,
        outcome_receipt=answer.receipts.outcome,
        notice=NOTICE,
        searched_from=to_timestamp(answer.authorization.from_time),
        searched_to=to_timestamp(answer.authorization.to_time),
        left_out=left_out(answer.authorization),
    )


def left_out(authorization: Authorization) -> list[left_out_pb2.LeftOut]:
    """What the question was not allowed to look at."""
    return [
        left_out_pb2.LeftOut(
            reason=left_out_pb2.LeftOutReason.Value(f"LEFT_OUT_REASON_{one.reason}"),
            agency_ori=one.agency_ori,
            sensor_group=one.sensor_group,
        )
        for one in authorization.left_out
    ]


def read_message(found: FoundRead) -> read_pb2.Read:
    """The read as contracts carry it, without an image key."""
    read = read_pb2.Read.FromString(found.recognition)
    read.read_id = str(found.read_id)
    read.sensor_id = found.sensor_id
    read.capture_time.CopyFrom(to_timestamp(found.capture_time))
    read.receive_time.CopyFrom(to_timestamp(found.receive_time))
    read.place.latitude = found.latitude
    read.place.longitude = found.longitude
    read.place.description = found.place
    read.plate = found.plate
    read.image.sha256 = found.image_sha256
    read.image.day = found.image_day.isoformat()
    read.image.media_type = found.image_media_type
    read.image.size_bytes = found.image_size
    read.model_version = found.model_version
    read.sender_read_id = found.sender_read_id
    return read


def found_read(found: FoundRead) -> pb.FoundRead:
    """The read with whose it is."""
    return pb.FoundRead(
        read=read_message(found),
        agency_ori=found.agency_ori,
        sensor_group=found.sensor_group,
        provenance=Provenance.Value(f"PROVENANCE_{found.provenance}"),
    )


def _moment(request: pb.SearchReadsRequest, name: str, wrong: list[FieldViolation]) -> datetime | None:
    """The field's moment, None where it is unset."""
    return parse_moment(name, request, wrong) if request.HasField(name) else None  # type: ignore[arg-type]
