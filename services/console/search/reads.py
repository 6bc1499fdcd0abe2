"""Where was this plate, or one like it; what was seen here: reads, newest first, page by page."""

from __future__ import annotations

from typing import Any, Final

from alpr.search.v1 import motor_carrier_service_pb2 as apart_pb
from alpr.search.v1 import motor_carrier_service_pb2_grpc as apart_rpc
from alpr.search.v1 import search_service_pb2 as pb
from alpr.search.v1 import search_service_pb2_grpc as rpc
from alpr.type.v1.sensor_pb2 import Provenance
from services.common.errors import FieldViolation
from services.console import justification, moments, question
from services.console.analysis.page import Analysis
from services.console.door import Person
from services.console.search import motor_carrier
from services.console.search.shapes import days, hours, points, zone

Asked = pb.SearchReadsRequest | apart_pb.SearchMotorCarrierReadsRequest
MOST_READS: Final = 1000
"""Most reads of a page of an answer."""
Answer = pb.SearchReadsResponse | apart_pb.SearchMotorCarrierReadsResponse
MATCHES: Final = (
    (pb.PLATE_MATCH_LOOK_ALIKE, "Look-alikes count as the same: 0 O Q D, 1 I L, 2 Z, 5 S, 6 G, 8 B"),
    (pb.PLATE_MATCH_ONE_OFF, "One character may be another, missing, or too much"),
)
WHOSE: Final = (
    (Provenance.PROVENANCE_OWN, "My agency's"),
    (Provenance.PROVENANCE_PARTNER, "Partner agencies'"),
    (Provenance.PROVENANCE_COMMERCIAL, "Private and commercial networks'"),
)
# Parts of the form that are folded until something is written in them.
_FOLDED: Final = {
    "where": ("around", "area", "sensor_group", "sensors"),
    "whose": ("whose", "own_only", "state"),
}
# What goes along to the next page, besides why it is asked.
_FIELDS: Final = (
    "plate", "plate_match", "state", "own_only", "page_size", "time_zone", "around", "radius", "area",
    "sensor_group", "sensors", "data_set",
)  # fmt: skip


def parse(person: Person, wrong: list[FieldViolation]) -> Asked:
    """The request out of the form; adds to `wrong` what cannot be read."""
    if motor_carrier.is_meant(person):
        return motor_carrier.parse(person, wrong)
    request = pb.SearchReadsRequest(
        request_id=person.field("request_id"),
        justification=justification.given(person),
        plate=person.field("plate"),
        plate_match=_one_of(pb.PlateMatch, person.field("plate_match")),
        state=person.field("state"),
        own_agency_only=bool(person.field("own_only")),
        provenances=_whose(person),
        page_size=question.number(person, "page_size", wrong),
        page_token=person.field("page_token"),
    )
    question.set_window(request, person, wrong)
    place = question.area(person, wrong)
    if place is not None:
        request.area.CopyFrom(place)
    return request


async def ask(person: Person, request: Asked) -> Answer:
    """One page of reads. Raises AlprError."""
    if isinstance(request, apart_pb.SearchMotorCarrierReadsRequest):
        return await _apart(person, request)
    answer: pb.SearchReadsResponse = await person.call(rpc.SearchServiceStub, "SearchReads", request)
    return answer


def more(person: Person, answer: Answer | None) -> dict[str, Any]:
    """What the page shows besides: the choices of the form, and the answer in its other shapes."""
    values: dict[str, Any] = {
        "matches": MATCHES,
        "whose": WHOSE,
        "chosen": _whose(person),
        "written_of": [name for name, parts in _FOLDED.items() if any(map(person.field, parts))],
        "data_sets": [(motor_carrier.WORD, "Motor Carrier Safety")],
    }
    if answer is None:
        return values
    local = zone(person.field("time_zone"))
    return values | {
        "carried": carried(person),
        "zone": str(local),
        "days": days(answer.reads, local),
        "hours": hours(answer.reads, local),
        "points": points(answer.reads),
    }


def carried(person: Person) -> list[tuple[str, str]]:
    """The question as hidden fields."""
    pairs = [(name, person.field(name)) for name in _FIELDS]
    pairs += [(f"{name}_utc", moments.written(person, name)) for name in ("from", "to")]
    pairs += [("whose", str(one)) for one in _whose(person)]
    return [(name, value) for name, value in pairs if value]


async def _apart(person: Person, request: apart_pb.SearchMotorCarrierReadsRequest) -> Answer:
    answer: apart_pb.SearchMotorCarrierReadsResponse = await person.call(
        apart_rpc.MotorCarrierServiceStub, "SearchMotorCarrierReads", request
    )
    return answer


def _whose(person: Person) -> list[Provenance.ValueType]:
    sent = person.fields("whose") if person.form else []
    return [number for number, _words in WHOSE if str(number) in sent]


def _one_of(enum: Any, text: str) -> Any:
    """The value of the enum that the form chose, the unspecified one for none."""
    return next((number for number in enum.values() if str(number) == text), 0)


READS: Final = Analysis(
    path="/search", title="Search", template="search/reads.html", parse=parse, ask=ask, more=more
)
