"""FindForLookBack: request to question, rows to parts of the answer, with every check of the request."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from alpr.search.v1 import archive_service_pb2 as pb
from alpr.type.v1.sensor_pb2 import Partition, Provenance
from services.common.errors import FieldViolation
from services.common.wire import parse_moment, parse_uuid, raise_violations
from services.search.core.look_back import MOST_PLATES, MOST_ROWS, LookBackQuestion, OlderRead
from services.search.look_back import LookBackAnswer
from services.search.wire_search import read_message

# Under the 4 MiB that a gRPC client takes by default, whatever the lattices are.
_READS_A_PART: Final = 250
_PLATE: Final = re.compile(r"[A-Z0-9]{1,12}")


def parse_look_back(request: pb.FindForLookBackRequest) -> tuple[str, LookBackQuestion]:
    """Request id and question.

    Raises:
        InvalidFieldError: A field is missing or wrong; names each field and repeats no plate.
    """
    wrong: list[FieldViolation] = []
    parse_uuid("request_id", request.request_id, wrong)
    question = LookBackQuestion(
        intent_id=parse_uuid("intent_id", request.intent_id, wrong),
        changed_id=parse_uuid("changed_id", request.changed_id, wrong),
        match_revision=request.match_revision,
        from_time=parse_moment("capture_from", request, wrong),
        to_time=parse_moment("capture_until", request, wrong),
        plates=tuple(request.plates),
        page_size=request.page_size,
        after_read_id=parse_uuid("after_read_id", request.after_read_id, wrong)
        if request.after_read_id
        else None,
        motor_carrier=request.partition == Partition.PARTITION_MOTOR_CARRIER,
    )
    checks = (
        (question.match_revision > 0, "match_revision", "must be positive"),
        (question.from_time < question.to_time or bool(wrong), "capture_until", "must be after capture_from"),
        (len(question.plates) <= MOST_PLATES, "plates", f"must be at most {MOST_PLATES}"),
        (all(map(_PLATE.fullmatch, question.plates)), "plates", "must each be 1 to 12 of A-Z and 0-9"),
        (1 <= question.page_size <= MOST_ROWS, "page_size", f"must be 1 to {MOST_ROWS}"),
        (request.partition in Partition.values(), "partition", "must be GENERAL or MOTOR_CARRIER"),
    )
    raise_violations([*wrong, *(FieldViolation(name, text) for holds, name, text in checks if not holds)])
    return request.request_id, question


def build_parts(answer: LookBackAnswer) -> Iterator[pb.FindForLookBackResponse]:
    """The answer in parts, at least one."""
    reads = answer.reads
    for start in range(0, max(1, len(reads)), _READS_A_PART):
        end = start + _READS_A_PART
        yield pb.FindForLookBackResponse(
            reads=map(_archived, reads[start:end]), has_more=answer.has_more and end >= len(reads)
        )


def _archived(one: OlderRead) -> pb.ArchivedRead:
    return pb.ArchivedRead(
        read=read_message(one.read),
        agency_ori=one.read.agency_ori,
        sensor_group=one.read.sensor_group,
        provenance=Provenance.Value(f"PROVENANCE_{one.read.provenance}"),
        match_revision=one.match_revision,
    )
