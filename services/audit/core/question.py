"""Questions as they were asked, and the window that they may look into (ENF-051 IV.E.1)."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from uuid import UUID

from services.audit.core.entry import rfc3339
from services.audit.core.question_kinds import KINDS, action_of_kind
from services.common import canonical


@dataclass(frozen=True, slots=True)
class AskedAlerts:
    """One alert, or the alerts of a window; alerts are kept for ever. `arguments` are names and values."""

    alert_id: UUID | None
    start: datetime | None
    end: datetime | None
    page_size: int
    arguments: tuple[tuple[str, str], ...] = ()
    motor_carrier: bool = False


@dataclass(frozen=True, slots=True)
class AskedLookBack:
    """Which reads from before the change that the act `intent_id` made may be of these plates?"""

    intent_id: UUID
    changed_id: UUID
    match_revision: int
    start: datetime
    end: datetime
    plate_count: int
    plates_sha256: bytes
    page_size: int
    after_read_id: UUID | None
    motor_carrier: bool = False


@dataclass(frozen=True, slots=True)
class AskedLookBackPictures:
    """The pictures of reads that match what the act `intent_id` brought."""

    intent_id: UUID
    changed_id: UUID
    start: datetime
    end: datetime
    read_ids: tuple[UUID, ...]
    motor_carrier: bool = False


@dataclass(frozen=True, slots=True)
class AskedArchive:
    """A question to the archive of reads; `arguments` are names and values.

    An unset `start` means the start of the retention period, an unset `end` now.

    `own_agency_only` leaves out what other agencies share, for who may see it.
    """

    kind: str
    start: datetime | None
    end: datetime | None
    page_size: int
    arguments: tuple[tuple[str, str], ...]
    own_agency_only: bool = False


AskedQuestion = AskedAlerts | AskedLookBack | AskedLookBackPictures | AskedArchive

_BEFORE_ALL = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Window:
    """From `start`, inclusive, to `end`, exclusive."""

    start: datetime
    end: datetime


def action_of(question: AskedQuestion) -> str:
    """The action by which the policies know this kind of question."""
    match question:
        case AskedArchive():
            return action_of_kind(question.kind)
        case AskedAlerts():
            return action_of_kind("mcsalerts" if question.motor_carrier else "alerts")
        case AskedLookBack() | AskedLookBackPictures():
            return "look_back.run"


def asked_text(question: AskedQuestion) -> str:
    """The question as it came, unset bounds left empty; the same question gives the same text at any time."""
    named = [(field.name, getattr(question, field.name)) for field in fields(question)]
    if isinstance(question, AskedArchive | AskedAlerts):
        named = [*(one for one in named if one[0] != "arguments"), *question.arguments]
    return "\n".join((action_of(question), *(f"{name}:{_text(value)}" for name, value in named)))


def window_of(question: AskedQuestion, now: datetime, retention: timedelta) -> Window:
    """The window that the question may look into at `now`.

    For reads it begins no earlier than the retention period does, whatever was asked for, and whether or not
    the purge has run; only what is kept apart, and longer, has kinds of questions of its own. It may be
    empty: then everything asked for lies before the retention period.
    """
    oldest = now - retention
    if isinstance(question, AskedArchive) and KINDS[question.kind].beyond_retention:
        oldest = _BEFORE_ALL
    match question:
        case AskedArchive():
            return Window(max(question.start or oldest, oldest), question.end or now)
        case AskedAlerts():
            return Window(question.start or oldest, question.end or now)
        case AskedLookBack() | AskedLookBackPictures():
            return Window(max(question.start, oldest), question.end)


def within(question: AskedQuestion, window: Window) -> canonical.Question:
    """The question with its bounds set to those of `window`."""
    match question:
        case AskedAlerts():
            return _of_alerts(question, window)
        case AskedLookBack():
            return canonical.LookBackQuestion(
                question.intent_id,
                question.changed_id,
                question.match_revision,
                window.start,
                window.end,
                question.plate_count,
                question.plates_sha256,
                question.page_size,
                question.after_read_id,
                question.motor_carrier,
            )
        case AskedLookBackPictures():
            return _of_pictures(question, window)
        case AskedArchive():
            return canonical.ArchiveQuestion(
                question.kind, window.start, window.end, question.page_size, question.arguments
            )


def _of_alerts(question: AskedAlerts, window: Window) -> canonical.AlertQuestion:
    return canonical.AlertQuestion(
        question.alert_id,
        window.start,
        window.end,
        question.page_size,
        question.arguments,
        question.motor_carrier,
    )


def _of_pictures(question: AskedLookBackPictures, window: Window) -> canonical.ArchiveQuestion:
    arguments = (
        ("intent_id", str(question.intent_id)),
        ("changed_id", str(question.changed_id)),
        ("read_ids", _text(question.read_ids)),
    )
    rows = len(question.read_ids)
    kind = "mcslookbackimage" if question.motor_carrier else "lookbackimage"
    return canonical.ArchiveQuestion(kind, window.start, window.end, rows, arguments)


def _text(value: object) -> str:
    match value:
        case datetime():
            return rfc3339(value)
        case bytes():
            return value.hex()
        case tuple():
            return ",".join(map(str, value))
        case _:
            return str(value or "")
