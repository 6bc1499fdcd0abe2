"""GetLookBackPictures: request to question, with every check of it; pictures to the answer."""

from __future__ import annotations

from alpr.search.v1 import archive_service_pb2 as pb
from alpr.type.v1.sensor_pb2 import Partition
from services.common.errors import FieldViolation
from services.common.wire import parse_moment, parse_uuid, raise_violations
from services.search.core.look_back_pictures import MOST_READS, LookBackPictureQuestion
from services.search.look_back_pictures import ReadPictures


def parse_pictures(request: pb.GetLookBackPicturesRequest) -> tuple[str, LookBackPictureQuestion]:
    """Request id and question. Raises InvalidFieldError."""
    wrong: list[FieldViolation] = []
    parse_uuid("request_id", request.request_id, wrong)
    if not 1 <= len(request.read_ids) <= MOST_READS:
        wrong.append(FieldViolation("read_ids", f"must be 1 to {MOST_READS}"))
    question = LookBackPictureQuestion(
        intent_id=parse_uuid("intent_id", request.intent_id, wrong),
        changed_id=parse_uuid("changed_id", request.changed_id, wrong),
        from_time=parse_moment("capture_from", request, wrong),
        to_time=parse_moment("capture_until", request, wrong),
        read_ids=tuple(
            parse_uuid(f"read_ids[{number}]", one, wrong)
            for number, one in enumerate(request.read_ids[:MOST_READS])
        ),
        motor_carrier=request.partition == Partition.PARTITION_MOTOR_CARRIER,
    )
    if request.partition not in Partition.values():
        wrong.append(FieldViolation("partition", "must be GENERAL or MOTOR_CARRIER"))
    if not wrong and question.from_time >= question.to_time:
        wrong.append(FieldViolation("capture_until", "must be after capture_from"))
    raise_violations(wrong)
    return request.request_id, question


def to_response(one: ReadPictures) -> pb.GetLookBackPicturesResponse:
    """The pictures of one read."""
    return pb.GetLookBackPicturesResponse(
        read_id=str(one.read_id), crop_image=one.pictures.crop, overview_image=one.pictures.overview
    )
