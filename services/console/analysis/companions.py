"""Which plates travel with a plate."""

from __future__ import annotations

from typing import Final

from alpr.search.v1 import analysis_service_pb2 as pb
from services.common.errors import FieldViolation
from services.console.analysis.page import Analysis, asked_by, fields_of
from services.console.door import Person
from services.console.question import number, set_window


def _parse(person: Person, wrong: list[FieldViolation]) -> pb.FindConvoyRequest:
    request = pb.FindConvoyRequest(
        **fields_of(person),
        plate=person.field("plate"),
        within_seconds=number(person, "within_seconds", wrong),
        min_cameras=number(person, "min_cameras", wrong),
        page_size=number(person, "page_size", wrong),
    )
    set_window(request, person, wrong)
    return request


CONVOY: Final = Analysis("/search/convoy", "Convoy", "analysis/convoy.html", _parse, asked_by("FindConvoy"))
