"""CompareDataSet: header and file to question, what they have in common to answer."""

from __future__ import annotations

from collections.abc import AsyncIterator
from hashlib import sha256
from typing import Final
from zoneinfo import ZoneInfo

from alpr.search.v1 import analysis_service_pb2 as pb
from services.common.errors import FieldViolation, InvalidFieldError
from services.common.identity import AccessToken
from services.common.wire import normalise_plate, raise_violations, to_timestamp
from services.search.app_analysis import Analysed
from services.search.asking import Asking
from services.search.core.compare import IncidentsQuestion, Nearness, PlatesQuestion, SeenPlate
from services.search.core.data_set import (
    MOST_INCIDENTS,
    DataSetError,
    Incident,
    parse_incidents,
    parse_plates,
)
from services.search.core.moments import from_microseconds
from services.search.core.stakeout import Stakeout, Visit, Visitor
from services.search.wire_analysis import (
    MOST_SENSORS,
    Rows,
    answer_fields,
    details_each,
    parse_asking,
    parse_number,
    parse_time_zone,
)

_ROWS: Final = Rows(most=1000, usual=100)
_LONGEST_CHUNK: Final = 256 * 1024
_LONGEST_FILE: Final = 1024 * 1024


async def read_upload(
    requests: AsyncIterator[pb.CompareDataSetRequest],
) -> tuple[pb.CompareDataSetHeader, bytes]:
    """Header and file, as they come; no more of it is taken than a file may have.

    Raises:
        InvalidFieldError: The parts are not a header and pieces after it, or too long.
    """
    header: pb.CompareDataSetHeader | None = None
    file = bytearray()
    async for request in requests:
        part = request.WhichOneof("part")
        if (part == "header") != (header is None):
            raise _one_wrong("part", "must be the header first, then pieces of the file")
        if part == "header":
            header = request.header
            continue
        if len(request.chunk) > _LONGEST_CHUNK:
            raise _one_wrong("chunk", "must be at most 256 KiB")
        file += request.chunk
        if len(file) > _LONGEST_FILE:
            raise _one_wrong("chunk", "must be at most 1 MiB in all")
    if header is None:
        raise _one_wrong("header", "must be set")
    return header, bytes(file)


def parse_compare(
    header: pb.CompareDataSetHeader, file: bytes, token: AccessToken, time_zone: str
) -> tuple[Asking, PlatesQuestion | IncidentsQuestion]:
    """Who asks, and what.

    Raises:
        InvalidFieldError: A field is missing or wrong, or the file is no such data set; names each field, and
            lines of the file, and repeats nothing of it.
    """
    wrong: list[FieldViolation] = []
    asking = parse_asking(header, token, _ROWS, wrong)
    zone = parse_time_zone("time_zone", header.time_zone, time_zone, wrong)
    try:
        if header.kind == pb.DATA_SET_KIND_PLATES:
            question = _plates(file)
            raise_violations(wrong)
            return asking, question
        if header.kind == pb.DATA_SET_KIND_INCIDENTS:
            incidents = _incidents(header, file, zone, wrong)
            raise_violations(wrong)
            return asking, incidents
    except DataSetError as error:
        raise_violations([*wrong, *(FieldViolation("chunk", mistake) for mistake in error.mistakes)])
    raise_violations([*wrong, FieldViolation("kind", "must be PLATES or INCIDENTS")])
    raise AssertionError  # the line before raises


def _plates(file: bytes) -> PlatesQuestion:
    return PlatesQuestion(parse_plates(file, normalise_plate), sha256(file).digest())


def _incidents(
    header: pb.CompareDataSetHeader, file: bytes, zone: str, wrong: list[FieldViolation]
) -> IncidentsQuestion:
    nearness = Nearness(
        meters=parse_number("within_meters", header.within_meters, 500, (1, 10_000), wrong),
        minutes=parse_number("within_minutes", header.within_minutes, 30, (1, 1_440), wrong),
        incidents=parse_number("min_incidents", header.min_incidents, 2, (1, MOST_INCIDENTS), wrong),
    )
    incidents = parse_incidents(file, ZoneInfo(zone))
    return IncidentsQuestion(incidents, sha256(file).digest(), nearness, zone)


def _one_wrong(field: str, text: str) -> InvalidFieldError:
    return InvalidFieldError(
        "1 field is missing or wrong: see the details", violations=[FieldViolation(field, text)]
    )


def build_seen(
    question: PlatesQuestion, answer: Analysed[tuple[SeenPlate, ...]]
) -> pb.CompareDataSetResponse:
    """The answer for a data set of plates."""
    labels = {one.plate: one.label for one in question.plates}
    return pb.CompareDataSetResponse(
        plates=[_seen(one, labels.get(one.plate, "")) for one in answer.result],
        compared_rows=len(question.plates),
        file_sha256=question.file_sha256,
        **answer_fields(answer.answered),
    )


def _seen(seen: SeenPlate, label: str) -> pb.ComparedPlate:
    return pb.ComparedPlate(
        plate=seen.plate,
        label=label,
        read_count=seen.read_count,
        first_time=to_timestamp(from_microseconds(seen.first_us)),
        last_time=to_timestamp(from_microseconds(seen.last_us)),
        sensor_ids=seen.sensor_ids,
    )


def build_near(question: IncidentsQuestion, answer: Analysed[Stakeout]) -> pb.CompareDataSetResponse:
    """The answer for a data set of incidents."""
    visitors = answer.result.visitors
    shown = details_each(len(visitors))
    return pb.CompareDataSetResponse(
        plates=[_near(visitor, question.incidents, shown) for visitor in visitors],
        compared_rows=len(question.incidents),
        file_sha256=question.file_sha256,
        plates_considered=answer.result.plates_considered,
        **answer_fields(answer.answered),
    )


def _near(visitor: Visitor, incidents: tuple[Incident, ...], shown: int) -> pb.ComparedPlate:
    return pb.ComparedPlate(
        plate=visitor.plate,
        read_count=sum(visit.read_count for visit in visitor.visits),
        first_time=to_timestamp(from_microseconds(min(visit.first_us for visit in visitor.visits))),
        last_time=to_timestamp(from_microseconds(max(visit.last_us for visit in visitor.visits))),
        visits=[_visit(visit, incidents[visit.scene]) for visit in visitor.visits[:shown]],
        visit_count=len(visitor.visits),
        chance=visitor.chance.probability,
        expected_by_chance=visitor.chance.expected,
    )


def _visit(visit: Visit, incident: Incident) -> pb.IncidentVisit:
    return pb.IncidentVisit(
        line=incident.line,
        label=incident.label,
        first_time=to_timestamp(from_microseconds(visit.first_us)),
        last_time=to_timestamp(from_microseconds(visit.last_us)),
        read_count=visit.read_count,
        sensor_ids=visit.sensor_ids[:MOST_SENSORS],
        usual_days=visit.usual_days,
        days=visit.days,
    )
