"""FindStakeout: request to question, weighed evidence to answer."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from alpr.search.v1 import analysis_service_pb2 as pb
from services.common.errors import FieldViolation
from services.common.identity import AccessToken
from services.common.wire import parse_moment, raise_violations, to_timestamp
from services.search.app_analysis import Analysed
from services.search.asking import Asking
from services.search.core.area import SensorGroup
from services.search.core.moments import from_microseconds
from services.search.core.stakeout import Scene, Stakeout, StakeoutQuestion, Visit, Visitor
from services.search.wire_analysis import (
    MOST_SENSORS,
    Rows,
    answer_fields,
    parse_asking,
    parse_number,
    parse_time_zone,
)
from services.search.wire_area import parse_area

_ROWS: Final = Rows(most=500, usual=100)
_SCENES: Final = (2, 20)
_LONGEST_SCENE: Final = timedelta(days=7)
_LONGEST_LABEL: Final = 60


def parse_stakeout(
    request: pb.FindStakeoutRequest, token: AccessToken, time_zone: str
) -> tuple[Asking, StakeoutQuestion]:
    """Who asks, and what.

    Raises:
        InvalidFieldError: A field is missing or wrong; names each field.
    """
    wrong: list[FieldViolation] = []
    asking = parse_asking(request, token, _ROWS, wrong)
    least, most = _SCENES
    if not least <= len(request.scenes) <= most:
        wrong.append(FieldViolation("scenes", f"must be {least} to {most}"))
        raise_violations(wrong)
    question = StakeoutQuestion(
        scenes=tuple(_scene(f"scenes[{n}]", scene, wrong) for n, scene in enumerate(request.scenes)),
        min_scenes=parse_number("min_scenes", request.min_scenes, 2, (2, len(request.scenes)), wrong),
        time_zone=parse_time_zone("time_zone", request.time_zone, time_zone, wrong),
    )
    raise_violations(wrong)
    return asking, question


def _scene(field: str, scene: pb.Scene, wrong: list[FieldViolation]) -> Scene:
    label = scene.label.strip()
    if len(label) > _LONGEST_LABEL or not label.isprintable():
        wrong.append(
            FieldViolation(f"{field}.label", f"must be at most {_LONGEST_LABEL} printable characters")
        )
    area = parse_area(f"{field}.area", scene.area, wrong)
    if area is None:
        wrong.append(FieldViolation(f"{field}.area", "must be set"))
    since, until = parse_moment(f"{field}.from", scene, wrong), parse_moment(f"{field}.to", scene, wrong)
    if not since < until <= since + _LONGEST_SCENE:
        wrong.append(FieldViolation(f"{field}.to", "must be later than from, and at most 7 days"))
    return Scene(label, area or SensorGroup(""), since, until)


def build_stakeout(question: StakeoutQuestion, answer: Analysed[Stakeout]) -> pb.FindStakeoutResponse:
    """The answer to the person."""
    labels = [scene.label for scene in question.scenes]
    return pb.FindStakeoutResponse(
        plates=[_plate(visitor, labels) for visitor in answer.result.visitors],
        plates_considered=answer.result.plates_considered,
        **answer_fields(answer.answered),
    )


def _plate(visitor: Visitor, labels: list[str]) -> pb.StakeoutPlate:
    return pb.StakeoutPlate(
        plate=visitor.plate,
        visits=[_visit(visit, labels[visit.scene]) for visit in visitor.visits],
        chance=visitor.chance.probability,
        expected_by_chance=visitor.chance.expected,
    )


def _visit(visit: Visit, label: str) -> pb.SceneVisit:
    return pb.SceneVisit(
        scene_index=visit.scene,
        label=label,
        first_time=to_timestamp(from_microseconds(visit.first_us)),
        last_time=to_timestamp(from_microseconds(visit.last_us)),
        read_count=visit.read_count,
        sensor_ids=visit.sensor_ids[:MOST_SENSORS],
        usual_days=visit.usual_days,
        days=visit.days,
    )
