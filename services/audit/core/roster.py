"""Who has left: accounts that the personnel office's roster does not name (CJIS AC-2, PS-4)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

TIME_TO_END = timedelta(days=1)
"""How long a leaver's account may stay open."""
_OLDEST = timedelta(days=30)
# How far the personnel office's clock may be ahead.
_AHEAD = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Roster:
    """Everybody who is with the agency at `as_of_time`, by badge number as the accounts spell it or not."""

    badge_numbers: frozenset[str]
    sha256: bytes
    as_of_time: datetime

    @property
    def keys(self) -> list[str]:
        """The numbers as they are compared, sorted."""
        return sorted({badge_key(one) for one in self.badge_numbers})

    def is_fresh(self, moment: datetime) -> bool:
        """True when it speaks of the last 30 days and of no time ahead."""
        return moment - _OLDEST <= self.as_of_time <= moment + _AHEAD


@dataclass(frozen=True, slots=True)
class Leaver:
    """Somebody with an account that may be used and who has been on no roster since `since_time`."""

    account_id: str
    full_name: str
    unit: str
    since_time: datetime
    agency_ori: str = ""


def badge_key(badge_number: str) -> str:
    """The number as it is compared: spaces at its ends and the case of letters say nothing."""
    return badge_number.strip().lower()
