"""Questions of alpr.audit.v1 as this service's own values; checks of their shape are here."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime

from google.protobuf.message import Message

from alpr.audit.v1 import authorization_service_pb2 as pb
from alpr.type.v1.sensor_pb2 import Partition
from services.audit.core.question import (
    AskedAlerts,
    AskedArchive,
    AskedLookBack,
    AskedLookBackPictures,
    AskedQuestion,
)
from services.audit.core.question_kinds import ASKED_THROUGH, KINDS
from services.common.canonical import LONGEST_ARGUMENT
from services.common.errors import FieldViolation
from services.common.wire import parse_moment, parse_uuid

Wrong = list[FieldViolation]

_ARGUMENT = re.compile(r"[a-z][a-z0-9_]{0,39}")
_MOST_ARGUMENTS = 32
_MOST_ROWS = 1000
_MOST_LOOK_BACK_ROWS = 20_000
_MOST_PLATES = 200_000
# As text they stand in one value of the log.
_MOST_PICTURES = 50
_DIGEST_BYTES = 32


def parse_question(question: pb.Question, service: str, wrong: Wrong) -> AskedQuestion | None:
    """The question that `service` asks, None when it cannot be read; adds to `wrong` what is wrong."""
    match question.WhichOneof("kind"):
        case "alerts":
            return _alerts(question.alerts, wrong)
        case "look_back" | "look_back_pictures":
            return _of_act(question, wrong)
        case "archive":
            return _archive(question.archive, service, wrong)
        case _:
            wrong.append(FieldViolation("question", "must be one of those that the contract knows"))
            return None


def _alerts(asked: pb.AlertQuestion, wrong: Wrong) -> AskedAlerts:
    path = "question.alerts"
    alert_id = parse_uuid(f"{path}.alert_id", asked.alert_id, wrong) if asked.alert_id else None
    start, end = _moment(f"{path}.from", asked, wrong), _moment(f"{path}.to", asked, wrong)
    _check_order(path, start, end, wrong)
    if alert_id is None:
        _check_rows(f"{path}.page_size", asked.page_size, wrong)
    if asked.partition not in Partition.values():
        wrong.append(FieldViolation(f"{path}.partition", "must be GENERAL or MOTOR_CARRIER"))
    return AskedAlerts(
        alert_id,
        start,
        end,
        asked.page_size,
        _arguments(path, asked.arguments, wrong),
        asked.partition == Partition.PARTITION_MOTOR_CARRIER,
    )


def _of_act(question: pb.Question, wrong: Wrong) -> AskedLookBack | AskedLookBackPictures:
    if question.HasField("look_back"):
        return _look_back(question.look_back, wrong)
    return _look_back_pictures(question.look_back_pictures, wrong)


def _look_back(asked: pb.LookBackQuestion, wrong: Wrong) -> AskedLookBack:
    path = "question.look_back"
    start, end = parse_moment(f"{path}.from", asked, wrong), parse_moment(f"{path}.to", asked, wrong)
    _check_order(path, start, end, wrong)
    after = parse_uuid(f"{path}.after_read_id", asked.after_read_id, wrong) if asked.after_read_id else None
    checks = (
        ("match_revision", asked.match_revision > 0, "must be positive"),
        ("plate_count", 0 <= asked.plate_count <= _MOST_PLATES, f"must be 0 to {_MOST_PLATES}"),
        ("plates_sha256", len(asked.plates_sha256) == _DIGEST_BYTES, "must be a SHA-256"),
        ("page_size", 1 <= asked.page_size <= _MOST_LOOK_BACK_ROWS, f"must be 1 to {_MOST_LOOK_BACK_ROWS}"),
        ("partition", asked.partition in Partition.values(), "must be GENERAL or MOTOR_CARRIER"),
    )
    wrong += [FieldViolation(f"{path}.{name}", text) for name, holds, text in checks if not holds]
    return AskedLookBack(
        intent_id=parse_uuid(f"{path}.intent_id", asked.intent_id, wrong),
        changed_id=parse_uuid(f"{path}.changed_id", asked.changed_id, wrong),
        match_revision=asked.match_revision,
        start=start,
        end=end,
        plate_count=asked.plate_count,
        plates_sha256=asked.plates_sha256,
        page_size=asked.page_size,
        after_read_id=after,
        motor_carrier=asked.partition == Partition.PARTITION_MOTOR_CARRIER,
    )


def _look_back_pictures(asked: pb.LookBackPictureQuestion, wrong: Wrong) -> AskedLookBackPictures:
    path = "question.look_back_pictures"
    start, end = parse_moment(f"{path}.from", asked, wrong), parse_moment(f"{path}.to", asked, wrong)
    _check_order(path, start, end, wrong)
    if not 1 <= len(asked.read_ids) <= _MOST_PICTURES:
        wrong.append(FieldViolation(f"{path}.read_ids", f"must be 1 to {_MOST_PICTURES}"))
    return AskedLookBackPictures(
        intent_id=parse_uuid(f"{path}.intent_id", asked.intent_id, wrong),
        changed_id=parse_uuid(f"{path}.changed_id", asked.changed_id, wrong),
        start=start,
        end=end,
        read_ids=tuple(
            parse_uuid(f"{path}.read_ids[{n}]", one, wrong)
            for n, one in enumerate(asked.read_ids[:_MOST_PICTURES])
        ),
        motor_carrier=asked.partition == Partition.PARTITION_MOTOR_CARRIER,
    )


def _archive(asked: pb.ArchiveQuestion, service: str, wrong: Wrong) -> AskedArchive | None:
    path = "question.archive"
    kind = KINDS.get(asked.kind)
    if kind is None or service != ASKED_THROUGH:
        wrong.append(FieldViolation(f"{path}.kind", "must be a kind of question that this service asks"))
        return None
    start, end = _moment(f"{path}.from", asked, wrong), _moment(f"{path}.to", asked, wrong)
    _check_order(path, start, end, wrong)
    _check_rows(f"{path}.page_size", asked.page_size, wrong, kind.most_rows)
    arguments = _arguments(path, asked.arguments, wrong)
    return AskedArchive(asked.kind, start, end, asked.page_size, arguments, asked.own_agency_only)


def _arguments(path: str, asked: Sequence[pb.QuestionArgument], wrong: Wrong) -> tuple[tuple[str, str], ...]:
    arguments = tuple((one.name, one.value) for one in asked)
    names = [name for name, _ in arguments]
    checks = (
        (len(names) <= _MOST_ARGUMENTS, f"must be at most {_MOST_ARGUMENTS}"),
        (all(map(_ARGUMENT.fullmatch, names)), "names must be 1 to 40 of a-z, 0-9 and _"),
        (len(set(names)) == len(names), "names must be unique"),
        (
            all(len(value) <= LONGEST_ARGUMENT and value.isprintable() for _, value in arguments),
            f"values must be printable, at most {LONGEST_ARGUMENT} characters",
        ),
    )
    wrong += [FieldViolation(f"{path}.arguments", text) for holds, text in checks if not holds]
    return arguments


def _moment(path: str, message: Message, wrong: Wrong) -> datetime | None:
    """The moment in an optional field."""
    return parse_moment(path, message, wrong) if message.HasField(path.rpartition(".")[2]) else None


def _check_order(path: str, start: datetime | None, end: datetime | None, wrong: Wrong) -> None:
    if start and end and start >= end:
        wrong.append(FieldViolation(f"{path}.to", "must be after from"))


def _check_rows(path: str, rows: int, wrong: Wrong, most: int = _MOST_ROWS) -> None:
    if not 1 <= rows <= most:
        wrong.append(FieldViolation(path, f"must be 1 to {most}"))
