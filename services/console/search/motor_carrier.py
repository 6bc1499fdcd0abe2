"""Reads of the Motor Carrier Safety data set, which no other question reaches (ENF-051 II.H)."""

from __future__ import annotations

from typing import Final

from alpr.search.v1 import motor_carrier_service_pb2 as pb
from services.common.errors import FieldViolation
from services.console import justification, question
from services.console.door import Person

WORD: Final = "motor-carrier"
"""What the form's field `data_set` says for it."""
# Fields of the form that this data set's question has not, by their names in the request.
_OTHERS: Final = {
    "plate_match": "plate_match",
    "state": "state",
    "around": "area.circle.center",
    "area": "area.polygon",
    "sensor_group": "area.sensor_group",
    "whose": "provenances",
    "own_only": "own_agency_only",
}


def is_meant(person: Person) -> bool:
    """Whether the form asks for this data set."""
    return person.field("data_set") == WORD


def parse(person: Person, wrong: list[FieldViolation]) -> pb.SearchMotorCarrierReadsRequest:
    """The request out of the form; adds to `wrong` what cannot be asked so."""
    text = "Leave it empty: Motor Carrier Safety reads are found by plate, sensor and time alone."
    wrong += [FieldViolation(path, text) for name, path in _OTHERS.items() if person.field(name)]
    request = pb.SearchMotorCarrierReadsRequest(
        request_id=person.field("request_id"),
        justification=justification.given(person),
        plate=person.field("plate"),
        sensor_id=person.field("sensors"),
        page_size=question.number(person, "page_size", wrong),
        page_token=person.field("page_token"),
    )
    question.set_window(request, person, wrong)
    return request
