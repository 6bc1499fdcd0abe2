"""Summarize: request to question, counts to answer."""

from __future__ import annotations

from typing import Final

from alpr.search.v1 import analysis_service_pb2 as pb
from services.common.errors import FieldViolation
from services.common.identity import AccessToken
from services.common.wire import raise_violations
from services.search.app_analysis import Analysed
from services.search.asking import Asking
from services.search.core.summary import Summary, SummaryQuestion
from services.search.wire_analysis import Rows, answer_fields, parse_asking, parse_time_zone
from services.search.wire_area import parse_area

_ROWS: Final = Rows(most=5000, usual=1000)
_MOST_DIMENSIONS: Final = 3
_PREFIX: Final = "SUMMARY_DIMENSION_"


def parse_summary(
    request: pb.SummarizeRequest, token: AccessToken, time_zone: str
) -> tuple[Asking, SummaryQuestion]:
    """Who asks, and what.

    Raises:
        InvalidFieldError: A field is missing or wrong; names each field.
    """
    wrong: list[FieldViolation] = []
    asking = parse_asking(request, token, _ROWS, wrong)
    question = SummaryQuestion(
        dimensions=_dimensions(request, wrong),
        area=parse_area("area", request.area, wrong),
        time_zone=parse_time_zone("time_zone", request.time_zone, time_zone, wrong),
        count_plates=request.count_plates,
    )
    raise_violations(wrong)
    return asking, question


def _dimensions(request: pb.SummarizeRequest, wrong: list[FieldViolation]) -> tuple[str, ...]:
    given = list(request.dimensions)
    known = set(pb.SummaryDimension.values()) - {pb.SUMMARY_DIMENSION_UNSPECIFIED}
    if len(given) > _MOST_DIMENSIONS or len(set(given)) != len(given) or not known.issuperset(given):
        text = f"must be at most {_MOST_DIMENSIONS} different ones of SummaryDimension"
        wrong.append(FieldViolation("dimensions", text))
        return ()
    return tuple(pb.SummaryDimension.Name(one).removeprefix(_PREFIX).lower() for one in given)


def build_summary(question: SummaryQuestion, answer: Analysed[Summary]) -> pb.SummarizeResponse:
    """The answer to the person."""
    return pb.SummarizeResponse(
        rows=[
            pb.SummaryRow(values=row.values, read_count=row.read_count, plate_count=row.plate_count)
            for row in answer.result.rows
        ],
        read_count=answer.result.read_count,
        time_zone=question.time_zone,
        **answer_fields(answer.answered),
    )
