"""Hours of the week: when a subscription counts, and when it is quiet."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

_DAY = timedelta(days=1)
_WEEK = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Hours:
    """From `begin` to before `end` of the clock on the wall of `zone`, on days 1 (Monday) to 7 (Sunday).

    When `end` is not after `begin`, it is the next day's. `zone` is a name of the IANA time zone database.
    """

    days: frozenset[int]
    begin: time
    end: time
    zone: str

    def meet(self, since: datetime, until: datetime) -> bool:
        """Whether a moment from `since` to `until`, both included, lies in them."""
        zone = ZoneInfo(self.zone)
        if until - since >= _WEEK:
            return bool(self.days)
        day = since.astimezone(zone).date() - _DAY
        last = until.astimezone(zone).date()
        while day <= last:
            if day.isoweekday() in self.days:
                begin, end = self._on(day, zone)
                if begin <= until and since < end:
                    return True
            day += _DAY
        return False

    def _on(self, day: date, zone: ZoneInfo) -> tuple[datetime, datetime]:
        last = day if self.end > self.begin else day + _DAY
        return datetime.combine(day, self.begin, zone), datetime.combine(last, self.end, zone)


def any_meets(hours: Iterable[Hours], since: datetime, until: datetime) -> bool:
    """Whether a moment from `since` to `until` lies in one of `hours`."""
    return any(one.meet(since, until) for one in hours)
