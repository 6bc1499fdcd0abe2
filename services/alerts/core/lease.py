"""How long a lease of audit's is trusted (ENF-051 IV.A.4)."""

from datetime import datetime, timedelta

# The contract's: audit gives no longer ones, and a new one well before the half of it.
_LONGEST = timedelta(seconds=60)
# Two clocks that differ by less are clocks that are right.
_NARROW = timedelta(seconds=5)
# Until the next one is due.
_WHEN_CLOCKS_DIFFER = timedelta(seconds=20)


def trusted_for(until: datetime, now: datetime) -> timedelta:
    """How long a lease that came at `now` and says `until` is trusted; to be counted by a clock nobody sets.

    What comes is good, as audit gives none to whoever is not entitled. So a clock that jumped here does no
    harm: one that was set back makes no lease longer than a minute, and with one that is far ahead, by which
    every lease is long over, each is trusted until the next is due.
    """
    left = until - now
    if left < -_NARROW:
        return _WHEN_CLOCKS_DIFFER
    return min(max(left, timedelta()), _LONGEST)
