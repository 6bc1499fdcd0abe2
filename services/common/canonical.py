"""The one spelling of a question, by which audit's permit and the archive know it for the same (ADR-0003).

A question is written as lines joined by a line feed, each `name:length:value` with the length of the value
in UTF-8 bytes, so that no value can pass for two. Its digest is the SHA-256 of that text. Functions of the
archive spell the same text in SQL; `tests/golden/permit.json` holds both to it.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeAlias
from uuid import UUID

LONGEST_ARGUMENT = 2000
"""Characters of a value that stands in the log as it is."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class AlertQuestion:
    """What alerts were there in the window, or what is in the one alert `alert_id`? None asks for a list.

    `arguments` are names and values of what else they must be; `motor_carrier` means that those of the Motor
    Carrier Safety data set are asked for.
    """

    alert_id: UUID | None
    from_time: datetime
    to_time: datetime
    page_size: int
    arguments: tuple[tuple[str, str], ...] = ()
    motor_carrier: bool = False


@dataclass(frozen=True, slots=True)
class LookBackQuestion:
    """Which reads that hot lists older than `match_revision` were compared with may be of these plates?

    `plates_sha256` is what `plates_digest` gives; a `plate_count` of 0 asks for reads of every plate.
    `after_read_id` is the last read of the page before, or None; `motor_carrier` means that the Motor Carrier
    Safety data set is asked instead of the archive.
    """

    intent_id: UUID
    changed_id: UUID
    match_revision: int
    from_time: datetime
    to_time: datetime
    plate_count: int
    plates_sha256: bytes
    page_size: int
    after_read_id: UUID | None = None
    motor_carrier: bool = False


@dataclass(frozen=True, slots=True)
class ArchiveQuestion:
    """A question to the archive of reads of the kind `kind`, in the window from `from_time` to `to_time`.

    `arguments` are names and values in the order of the kind; a value is what `argument_value` gives.
    """

    kind: str
    from_time: datetime
    to_time: datetime
    page_size: int
    arguments: tuple[tuple[str, str], ...]


Question: TypeAlias = AlertQuestion | LookBackQuestion | ArchiveQuestion


def question_kind(question: Question) -> str:
    """The kind as it stands in canonical text and permit, for instance "reads" or "lookback"."""
    match question:
        case AlertQuestion():
            return "mcsalerts" if question.motor_carrier else "alerts"
        case LookBackQuestion():
            return "mcslookback" if question.motor_carrier else "lookback"
        case ArchiveQuestion():
            return question.kind


def canonical_text(question: Question) -> str:
    """The question as it is recorded and digested."""
    fields = [("kind", question_kind(question)), *_fields(question)]
    return "\n".join(f"{name}:{len(value.encode())}:{value}" for name, value in fields)


def question_digest(question: Question) -> bytes:
    """SHA-256 of the canonical text, 32 bytes."""
    return hashlib.sha256(canonical_text(question).encode()).digest()


def act_digest(resource: str, case: tuple[str, str], details: Mapping[str, str]) -> bytes:
    """SHA-256 of an act as audit signs it for a database that checks it (`permit.SignedAct`), 32 bytes.

    Args:
        resource: What it is done to.
        case: Kind and number of the case; empty texts where the act needs none.
        details: As they are recorded. An empty value counts as one that is not there, as it does in the log.
    """
    kind, number = case
    fields = [("resource", resource), ("case_number_kind", kind), ("case_number", number)]
    fields += sorted(details.items())
    text = "\n".join(f"{name}:{len(value.encode())}:{value}" for name, value in fields if value)
    return hashlib.sha256(text.encode()).digest()


def plates_digest(plates: Sequence[str]) -> bytes:
    """SHA-256 of the plates of a look-back in their order, joined by commas, 32 bytes."""
    return hashlib.sha256(",".join(plates).encode()).digest()


def argument_value(text: str) -> str:
    """`text` as the value of an argument: itself, or SHA-256 in hexadecimal of what is too long."""
    return text if len(text) <= LONGEST_ARGUMENT else hashlib.sha256(text.encode()).hexdigest()


def to_microseconds(moment: datetime) -> int:
    """Microseconds from 1970-01-01T00:00:00Z to `moment`, exactly."""
    return (moment - _EPOCH) // _MICROSECOND


def _fields(question: Question) -> list[tuple[str, str]]:
    match question:
        case AlertQuestion():
            return [
                ("alert_id", _id(question.alert_id)),
                ("from_us", str(to_microseconds(question.from_time))),
                ("to_us", str(to_microseconds(question.to_time))),
                ("page_size", str(question.page_size)),
                *question.arguments,
            ]
        case LookBackQuestion():
            return _look_back_fields(question)
        case ArchiveQuestion():
            return [
                ("from_us", str(to_microseconds(question.from_time))),
                ("to_us", str(to_microseconds(question.to_time))),
                ("page_size", str(question.page_size)),
                *question.arguments,
            ]


def _look_back_fields(question: LookBackQuestion) -> list[tuple[str, str]]:
    return [
        ("intent_id", _id(question.intent_id)),
        ("changed_id", _id(question.changed_id)),
        ("match_revision", str(question.match_revision)),
        ("from_us", str(to_microseconds(question.from_time))),
        ("to_us", str(to_microseconds(question.to_time))),
        ("plate_count", str(question.plate_count)),
        ("plates_sha256", question.plates_sha256.hex()),
        ("page_size", str(question.page_size)),
        ("after_read_id", _id(question.after_read_id)),
    ]


def _id(value: UUID | None) -> str:
    return "" if value is None else str(value)
