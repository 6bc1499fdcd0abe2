"""Which alert a hit belongs to: an alert is one passage of a plate, not one picture of it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from services.alerts.core.model import Disposition, EntryKey, Partition, Verification

_TAKES_NEW_ENTRIES = frozenset({Verification.NEW})
_TAKES_KNOWN_ENTRIES = frozenset({Verification.NEW, Verification.VERIFYING, Verification.CONFIRMED})


@dataclass(frozen=True, slots=True)
class Passage:
    """An alert that a further hit of its plate under its sensor agency may join.

    `first_capture` and `last_capture` bound the captures that lie near the hits that are being placed.
    """

    alert_id: UUID
    plate: str
    sensor_agency_ori: str
    first_capture: datetime
    last_capture: datetime
    verification: Verification
    disposition: Disposition
    entries: frozenset[EntryKey]
    partition: Partition = Partition.GENERAL

    def extended(self, capture_time: datetime, entries: Iterable[EntryKey]) -> "Passage":
        """This passage after one more hit."""
        return replace(
            self,
            first_capture=min(self.first_capture, capture_time),
            last_capture=max(self.last_capture, capture_time),
            entries=self.entries.union(entries),
        )


@dataclass(frozen=True, slots=True)
class Placing:
    """What is asked of `passage_for`: plate, agency, moment, entries and data set of a hit."""

    plate: str
    sensor_agency_ori: str
    capture_time: datetime
    entries: frozenset[EntryKey]
    partition: Partition = Partition.GENERAL


def passage_for(hit: Placing, passages: Sequence[Passage], window: timedelta) -> Passage | None:
    """The newest passage that `hit` continues, or None when it begins one of its own, with a new alert.

    A hit joins when plate, agency and data set are the same, its capture is at most `window` from the
    passage, and what people have verified stays what they verified: an entry that they have not seen raises
    its own alert once somebody is verifying, and after a denial or a disposition every hit does.
    """
    joinable = [p for p in passages if _continues(p, hit, window) and _takes(p, hit.entries)]
    return max(joinable, key=lambda p: p.last_capture, default=None)


def _continues(passage: Passage, hit: Placing, window: timedelta) -> bool:
    same = (
        passage.plate == hit.plate
        and passage.sensor_agency_ori == hit.sensor_agency_ori
        and passage.partition is hit.partition
    )
    return same and passage.first_capture - window <= hit.capture_time <= passage.last_capture + window


def _takes(passage: Passage, entries: frozenset[EntryKey]) -> bool:
    if passage.disposition != Disposition.NONE:
        return False
    if passage.verification in _TAKES_NEW_ENTRIES:
        return True
    return passage.verification in _TAKES_KNOWN_ENTRIES and entries <= passage.entries
