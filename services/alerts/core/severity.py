"""How loud an alert is, from what its entries are about (ENF-051 II.A, IV.D.2)."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from types import MappingProxyType

from services.alerts.core.floor import FLOOR
from services.alerts.core.model import Category, HitWarning, Match, MatchGrade, Severity

LATE_AFTER = timedelta(minutes=15)

_HIGH = frozenset({Category.WANTED, Category.MISSING})
# Within one severity: danger to life first, then crimes, then registration matters.
_RANK = MappingProxyType(
    {
        category: rank
        for rank, category in enumerate(
            (
                Category.AMBER,
                Category.FELONY,
                Category.SILVER,
                Category.STOLEN_VEHICLE,
                Category.STOLEN_PLATE,
                Category.MISSING,
                Category.WANTED,
                Category.REVOKED,
                Category.SUSPENDED,
                Category.EXPIRED_REGISTRATION,
                Category.OTHER,
            )
        )
    }
)


def severity_of(category: Category) -> Severity:
    """The severity of an entry of `category`; whatever stands in the floor of IV.D.2 is URGENT."""
    if category in FLOOR:
        return Severity.URGENT
    return Severity.HIGH if category in _HIGH else Severity.NOTICE


def severity(match: Match) -> Severity:
    """The severity of its category; NOTICE for a check only, for a wrong stop begins with a sound.

    What was captured more than 15 minutes ago never sounds as live: it is HIGH at most.
    """
    if match.grade is MatchGrade.CHECK:
        return Severity.NOTICE
    of_category = severity_of(match.entry.category)
    return min(of_category, Severity.HIGH) if HitWarning.LATE_CAPTURE in match.warnings else of_category


def loudest(matches: Iterable[Match]) -> Severity:
    """The severity of an alert with `matches`: of those that are listed still, and NOTICE when none is."""
    listed = (severity(match) for match in matches if match.withdrawn is None)
    return max(listed, default=Severity.NOTICE)


def most_severe_first(matches: Iterable[Match]) -> tuple[Match, ...]:
    """`matches` by severity, then by what the category means for life, then the most probable."""
    return tuple(sorted(matches, key=_order))


def with_lateness(
    warnings: Iterable[HitWarning], capture_time: datetime, now: datetime
) -> tuple[HitWarning, ...]:
    """`warnings` without repeats, with LATE_CAPTURE when the capture is more than 15 minutes before `now`."""
    late = {HitWarning.LATE_CAPTURE} if now - capture_time > LATE_AFTER else set()
    return tuple(sorted({*warnings, *late}))


def _order(match: Match) -> tuple[int, int, float, str, int]:
    entry = match.entry
    key = (str(entry.key.entry_id), entry.key.list_version)
    return (-severity(match), _RANK[entry.category], -match.probability, *key)
