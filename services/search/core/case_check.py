"""What a case directory says of a case number before a question is authorized (ENF-051 IV.C.5)."""

from __future__ import annotations

from enum import StrEnum


class CaseCheck(StrEnum):
    """The check's outcome; audit refuses UNKNOWN and AWAY_REFUSED, and notes every other one."""

    NONE = ""
    OPEN = "OPEN"
    CLOSED = "CLOSED"
    NOT_COVERED = "NOT_COVERED"
    UNKNOWN = "UNKNOWN"
    AWAY = "AWAY"
    AWAY_REFUSED = "AWAY_REFUSED"
