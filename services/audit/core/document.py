"""Documents that people must have acknowledged (ENF-051 III.B.3.b, III.D.2, III.D.3, III.E.3)."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class DocumentKind(StrEnum):
    """What a document is; the names are those of the contract without their prefix."""

    DIRECTIVE = "DIRECTIVE"
    SECURITY_ADDENDUM = "SECURITY_ADDENDUM"
    USE_BANNER = "USE_BANNER"
    MOTOR_CARRIER_GUIDELINES = "MOTOR_CARRIER_GUIDELINES"


@dataclass(frozen=True, slots=True)
class Document:
    """One version. An acknowledgement counts for `acknowledged_days` days; 0 is until the next version."""

    document_id: str
    agency_ori: str
    kind: DocumentKind
    version: str
    title: str
    shown: str
    sha256: bytes
    effective_time: datetime
    acknowledged_days: int
    publish_time: datetime


@dataclass(frozen=True, slots=True)
class Duty:
    """A version as it concerns one account: in force from `effective_time` to before `superseded_time`.

    The last acknowledgement, when there is one, counts up to `acknowledged_until`; None is without end.
    """

    document_id: str
    kind: DocumentKind
    effective_time: datetime
    superseded_time: datetime | None
    acknowledge_time: datetime | None
    acknowledged_until: datetime | None

    def in_force(self, moment: datetime) -> bool:
        """True when the version is in force at `moment`."""
        return self.effective_time <= moment and not _is_past(self.superseded_time, moment)

    def is_open(self, moment: datetime) -> bool:
        """True when it is in force at `moment` and no acknowledgement counts."""
        return self.in_force(moment) and (
            self.acknowledge_time is None or _is_past(self.acknowledged_until, moment)
        )


def open_kinds(duties: Collection[Duty], moment: datetime) -> frozenset[DocumentKind]:
    """The kinds whose version in force at `moment` is not acknowledged."""
    return frozenset(duty.kind for duty in duties if duty.is_open(moment))


def changes_after(duties: Collection[Duty], moment: datetime) -> list[datetime]:
    """The moments after `moment` at which a version takes effect or an acknowledgement ends."""
    moments = [one for duty in duties for one in (duty.effective_time, duty.acknowledged_until) if one]
    return [one for one in moments if one > moment]


def _is_past(end: datetime | None, moment: datetime) -> bool:
    return end is not None and end <= moment
