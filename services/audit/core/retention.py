"""How long reads are kept, and within which bounds that may be changed (ENF-051 IV.E.1)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

LONGEST_DAYS = 3660
"""No pack allows more: partitions are made for each day."""


@dataclass(frozen=True, slots=True)
class RetentionPack:
    """What law and policy allow, and the records series that reads belong to (IV.E.3)."""

    name: str
    least_days: int
    most_days: int
    records_series: str

    def __post_init__(self) -> None:
        """Raises ValueError for bounds that are none."""
        if not 1 <= self.least_days <= self.most_days <= LONGEST_DAYS:
            msg = f"retention needs 1 <= least_days <= most_days <= {LONGEST_DAYS}"
            raise ValueError(msg)
        if not self.name or not self.records_series:
            raise ValueError("retention needs a name and a records_series")


@dataclass(frozen=True, slots=True)
class Retention:
    """The period of now; `changed_at` is None if it never was."""

    days: int
    revision: int
    changed_at: datetime | None

    @property
    def period(self) -> timedelta:
        """How long a read may be found after its capture."""
        return timedelta(days=self.days)

    def within(self, pack: RetentionPack) -> Retention:
        """The same, cut to what the pack allows: a pack that becomes stricter counts at once."""
        return Retention(min(self.days, pack.most_days), self.revision, self.changed_at)


@dataclass(frozen=True, slots=True)
class RetentionChange:
    """A change as it is asked for; `confirm_days` repeats `days` where less will be kept than now."""

    days: int
    days_before: int
    reason: str
    confirm_days: int


def problems(change: RetentionChange, pack: RetentionPack) -> dict[str, str]:
    """What is wrong with the change, by field of the request; empty when nothing is."""
    wrong = {}
    if not pack.least_days <= change.days <= pack.most_days:
        wrong["days"] = f"must be {pack.least_days} to {pack.most_days} ({pack.name})"
    if change.days < change.days_before and change.confirm_days != change.days:
        wrong["confirm_days"] = (
            f"must repeat {change.days}: all reads that are older are then deleted for good"
        )
    return wrong


def statement_body(retention: Retention) -> str:
    """What audit signs for the archive, which believes no other word about the period."""
    return f"retention/v1|{retention.revision}|{retention.days}"
