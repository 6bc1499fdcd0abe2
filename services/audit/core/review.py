"""Reviews of what may be misuse, and weekly packets (ENF-051 III.C.2.d, IV.A.2)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from hashlib import sha256

from services.audit.core.misuse import Rule

WEEK = timedelta(days=7)
TIME_TO_SIGN = timedelta(days=7)
"""After the week's end a packet is signed within this time."""


class ReviewFinding(StrEnum):
    """What a review found; the names are those of the contract without their prefix."""

    EXPLAINED = "EXPLAINED"
    MISTAKE = "MISTAKE"
    MISUSE = "MISUSE"


@dataclass(frozen=True, slots=True)
class MisuseFlag:
    """A flag as it is shown: what was counted, and in which entries of the log."""

    flag_id: str
    rule: Rule
    raise_time: datetime
    evidence: Mapping[str, int]
    entries: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Review:
    """A review of the person `account_id`; ids are "", `finding` and `close_time` None until they are set."""

    review_id: str
    agency_ori: str
    account_id: str
    full_name: str
    unit: str
    open_time: datetime
    reason: str = ""
    reviewer: str = ""
    finding: ReviewFinding | None = None
    explanation: str = ""
    sanction_reference: str = ""
    signer: str = ""
    close_time: datetime | None = None
    flags: tuple[MisuseFlag, ...] = ()

    def is_overdue(self, moment: datetime, period: timedelta) -> bool:
        """True when by `moment` nothing is found although the review is open for longer than `period`."""
        return self.finding is None and moment > self.open_time + period


@dataclass(frozen=True, slots=True)
class Conclusion:
    """What a reviewer states."""

    finding: ReviewFinding
    explanation: str
    sanction_reference: str


@dataclass(frozen=True, slots=True)
class PacketLine:
    """What one person did in a week."""

    account_id: str
    full_name: str
    questions: int
    cases: int
    refused: int
    acts: int
    files: int
    flags: tuple[Rule, ...] = ()


@dataclass(frozen=True, slots=True)
class Packet:
    """A week of a unit; `signer` is "" and `sign_time` None until it is signed."""

    agency_ori: str
    unit: str
    week: date
    lines: tuple[PacketLine, ...]
    open_reviews: int = 0
    signer: str = ""
    sign_time: datetime | None = None

    @property
    def end(self) -> datetime:
        """The moment at which the week is over."""
        return begin_of(self.week) + WEEK

    @property
    def sha256(self) -> bytes:
        """What is signed: unit, week and lines."""
        return packet_digest(self.unit, self.week, self.lines)

    def is_overdue(self, moment: datetime) -> bool:
        """True when the signature should have been there by `moment`, or came too late."""
        return (self.sign_time or moment) > self.end + TIME_TO_SIGN


def begin_of(week: date) -> datetime:
    """Midnight in UTC with which the week begins."""
    return datetime(week.year, week.month, week.day, tzinfo=UTC)


def week_of(moment: datetime) -> date:
    """The Monday of the week that `moment` is in, in UTC."""
    day = moment.astimezone(UTC).date()
    return day - timedelta(days=day.weekday())


def packet_digest(unit: str, week: date, lines: Sequence[PacketLine]) -> bytes:
    """SHA-256 over all that a packet says of the week; names apart, which may be corrected later."""
    said = [f"{len(unit)}:{unit}", week.isoformat()]
    for one in lines:
        numbers = (one.questions, one.cases, one.refused, one.acts, one.files)
        said.append(" ".join((one.account_id, *map(str, numbers), *sorted(one.flags))))
    return sha256("\n".join(said).encode()).digest()
