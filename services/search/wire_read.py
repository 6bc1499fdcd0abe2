"""GetRead and GetReadImage: request to question, answer to message."""

from __future__ import annotations

import math
from typing import Any

from alpr.search.v1 import motor_carrier_service_pb2 as apart_pb
from alpr.search.v1 import search_service_pb2 as pb
from alpr.type.v1 import read_pb2
from services.common.errors import FieldViolation
from services.common.identity import AccessToken
from services.common.wire import parse_uuid, raise_violations, to_timestamp
from services.search.app_read import ImageAnswer, ReadAnswer, ReadRequest
from services.search.core.pictures import PlateBox
from services.search.wire_search import NOTICE, found_read, left_out


def parse_read(
    request: pb.GetReadRequest | pb.GetReadImageRequest | apart_pb.GetMotorCarrierReadImageRequest,
    token: AccessToken,
) -> ReadRequest:
    """Which read is asked for; case number and purpose pass through unread (ENF-051 IV.C.5, IV.C.6).

    Raises:
        InvalidFieldError: Request id or read id is malformed; names each field.
    """
    wrong: list[FieldViolation] = []
    parse_uuid("request_id", request.request_id, wrong)
    read_id = parse_uuid("read_id", request.read_id, wrong)
    raise_violations(wrong)
    return ReadRequest(request.request_id, token, request.justification, read_id)


def build_read(answer: ReadAnswer) -> pb.GetReadResponse:
    """The read, proof, and what it is good for."""
    return pb.GetReadResponse(
        read=found_read(answer.read),
        question_receipt=answer.receipts.question,
        outcome_receipt=answer.receipts.outcome,
        notice=NOTICE,
        searched_from=to_timestamp(answer.authorization.from_time),
        searched_to=to_timestamp(answer.authorization.to_time),
        left_out=left_out(answer.authorization),
    )


def build_image(answer: ImageAnswer, *, with_original: bool) -> pb.GetReadImageResponse:
    """The picture, proof, and what it is good for."""
    return pb.GetReadImageResponse(**image_parts(answer, with_original=with_original))


def image_parts(answer: ImageAnswer, *, with_original: bool) -> dict[str, Any]:
    """The fields of an answer with pictures, which are the same for both data sets."""
    image = answer.image
    return {
        "crop_image": answer.pictures.crop,
        "overview_image": answer.pictures.overview,
        "original_image": answer.original if with_original else b"",
        "image": read_pb2.ImageRef(
            sha256=image.sha256,
            day=image.day.isoformat(),
            media_type=image.media_type,
            size_bytes=image.size_bytes,
        ),
        "question_receipt": answer.receipts.question,
        "outcome_receipt": answer.receipts.outcome,
        "notice": NOTICE,
        "searched_from": to_timestamp(answer.authorization.from_time),
        "searched_to": to_timestamp(answer.authorization.to_time),
        "left_out": left_out(answer.authorization),
    }


def plate_box(recognition: bytes) -> PlateBox | None:
    """The plate's box in what the recogniser said, from its corners where it has no box; None for neither."""
    read = read_pb2.Read.FromString(recognition)
    if read.HasField("plate_box"):
        box = read.plate_box
        return PlateBox(box.x, box.y, box.width, box.height)
    if not read.HasField("plate_corners"):
        return None
    quad = read.plate_corners
    corners = (quad.upper_left, quad.upper_right, quad.lower_right, quad.lower_left)
    across, down = [corner.x for corner in corners], [corner.y for corner in corners]
    if not all(map(math.isfinite, (*across, *down))):
        return None
    return PlateBox(min(across), min(down), max(across) - min(across), max(down) - min(down))
