"""What an answer of LEADS or NCIC bears out (ENF-051 III.D.4, IV.D.4)."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum
from types import MappingProxyType
from uuid import UUID

from services.alerts.core.model import Alert, EntryKey, Match, Verification

# A record may be cleared at any minute; what was said earlier than that is asked again. It is the time of an
# urgent hit confirmation.
GOOD_FOR = timedelta(minutes=10)


class RecordAnswer(IntEnum):
    """What was said of a record; numbers of alpr.connector.v1.RecordAnswer."""

    IN_FORCE = 1
    NO_RECORD = 2
    CLEARED = 3
    OTHER_STATE = 4


BEARS_OUT = MappingProxyType(
    {
        RecordAnswer.IN_FORCE: Verification.CONFIRMED,
        RecordAnswer.NO_RECORD: Verification.NOT_CONFIRMED,
        RecordAnswer.CLEARED: Verification.STALE,
        RecordAnswer.OTHER_STATE: Verification.WRONG_STATE,
    }
)


@dataclass(frozen=True, slots=True)
class RecordCheck:
    """An answer about one entry of an alert, that somebody of `agency_ori` asked for."""

    check_id: UUID
    alert_id: UUID
    entry: EntryKey
    agency_ori: str
    answer: RecordAnswer
    system: str
    response_id: str
    answer_time: datetime

    @property
    def bears_out(self) -> Verification:
        """The one state that may rest on it."""
        return BEARS_OUT[self.answer]

    def is_good(self, now: datetime) -> bool:
        """Whether something may still rest on it."""
        return now - self.answer_time <= GOOD_FOR


def asked_match(alert: Alert, entry_id: UUID | None) -> Match | None:
    """The entry that is asked about: the one of that id, or the first; None when the alert has none such."""
    chosen = (match for match in alert.matches if entry_id in {None, match.entry.key.entry_id})
    return next(chosen, None)
