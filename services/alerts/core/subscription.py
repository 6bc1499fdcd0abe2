"""What a person has chosen to hear of, and the floor that no choice takes away (ENF-051 IV.D.1, IV.D.2).

An alert passes a filter when one of its hits does. What a filter asks of a hit never changes, and an alert's
hits only grow in number; so who was told of an alert is told of everything that becomes of it, a correction
above all, although the vehicle has left the area, or a later picture of it is worse.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from uuid import UUID

from services.alerts.core.area import Area, Point, lies_in
from services.alerts.core.floor import FLOOR
from services.alerts.core.hours import Hours, any_meets
from services.alerts.core.model import Alert, Category, Facet, Match, Severity
from services.alerts.core.severity import severity


@dataclass(frozen=True, slots=True)
class Filter:
    """What is wanted besides the floor. What is empty asks for nothing; what is set must hold, all of it.

    Attributes:
        agency_oris: Of the sensor or of the list.
        units: Of the own agency's sensors: of others nobody is told the unit (view.py).
        areas: One of them must have the place.
        min_severity: At least as loud, when it was captured.
        min_percent: Probability that the plate read is the listed one, in whole hundredths cut off.
        hours: The alert was raised, or something was new of it, in one of them.
        quiet_hours: What comes in them comes without sound.
    """

    categories: frozenset[Category] = frozenset()
    hot_list_ids: frozenset[UUID] = frozenset()
    agency_oris: frozenset[str] = frozenset()
    sensor_groups: frozenset[str] = frozenset()
    sensor_ids: frozenset[str] = frozenset()
    areas: tuple[Area, ...] = ()
    min_severity: Severity = Severity.NOTICE
    min_percent: int = 0
    hours: tuple[Hours, ...] = ()
    quiet_hours: tuple[Hours, ...] = ()
    units: frozenset[str] = frozenset()


class Verdict(Enum):
    """What becomes of an alert on its way to a person."""

    WITHHELD = "withheld"
    QUIET = "quiet"
    """It comes, to be shown without sound."""
    TOLD = "told"


def judge(filters: Sequence[Filter], alert: Alert, feed_time: datetime) -> Verdict:
    """What becomes of `alert`, as the person's agency sees it, for who has `filters`.

    Without any filter everything is told. One that lets the alert pass is enough. The floor is always told,
    and never quietly.

    Args:
        feed_time: When the feed took what is new of the alert; never the time of delivery, so that an alert
            that is sent again fares as before.
    """
    if not filters or is_floor(alert):
        return Verdict.TOLD
    hits = tuple(facets_of(alert))
    passed = [one for one in filters if _passes(one, alert, hits, feed_time)]
    if not passed:
        return Verdict.WITHHELD
    quiet = all(any_meets(one.quiet_hours, feed_time, feed_time) for one in passed)
    return Verdict.QUIET if quiet else Verdict.TOLD


def is_floor(alert: Alert) -> bool:
    """Whether an entry of the alert is about what everybody hears of, whatever he chose."""
    return any(match.entry.category in FLOOR for match in alert.matches)


def widened(chosen: Filter) -> tuple[str, ...]:
    """Names of what in `chosen` does not hold for the floor, for it would take some of it away."""
    narrows = {
        "categories": bool(chosen.categories) and not chosen.categories >= FLOOR,
        "hot_list_ids": bool(chosen.hot_list_ids),
        "agency_oris": bool(chosen.agency_oris),
        "sensor_groups": bool(chosen.sensor_groups),
        "sensor_ids": bool(chosen.sensor_ids),
        "areas": bool(chosen.areas),
        "min_severity": chosen.min_severity > Severity.NOTICE,
        "min_match_percent": chosen.min_percent > 0,
        "hours": bool(chosen.hours),
        "quiet_hours": bool(chosen.quiet_hours),
        "units": bool(chosen.units),
    }
    return tuple(name for name, does in narrows.items() if does)


def facets_of(alert: Alert) -> Iterable[tuple[Match, Facet]]:
    """Each hit of the alert as filters see it, with its match; equal ones once.

    An entry of which nothing is known yet is judged by the newest sighting.
    """
    matches = {match.entry.key: match for match in alert.matches}
    known = {facet.key for facet in alert.facets}
    yield from ((matches[facet.key], facet) for facet in alert.facets if facet.key in matches)
    yield from ((m, facet_of(alert, m)) for key, m in matches.items() if key not in known)


def facet_of(alert: Alert, match: Match) -> Facet:
    """The newest sighting of the alert, as a hit of `match`."""
    seen = alert.sighting
    return Facet(
        key=match.entry.key,
        sensor_id=seen.sensor_id,
        sensor_group=seen.sensor_group,
        latitude=seen.place.latitude,
        longitude=seen.place.longitude,
        percent=percent_of(match.probability),
        severity=severity(match),
        sensor_unit=seen.sensor_unit,
    )


def percent_of(probability: float) -> int:
    """`probability` in whole hundredths, cut off: 100 is certainty and nothing less."""
    # A hundredth is not a binary fraction: without the millionth 0.29 would be 28.
    return int(probability * 100 + 1e-6)


def _passes(chosen: Filter, alert: Alert, hits: Sequence[tuple[Match, Facet]], feed_time: datetime) -> bool:
    sensor_agency = alert.sighting.sensor_agency_ori
    wants_one = any(
        _wants_entry(chosen, match, sensor_agency) and _wants_hit(chosen, facet) for match, facet in hits
    )
    return wants_one and (not chosen.hours or any_meets(chosen.hours, alert.raise_time, feed_time))


def _wants_entry(chosen: Filter, match: Match, sensor_agency: str) -> bool:
    entry = match.entry
    return (
        (not chosen.categories or entry.category in chosen.categories)
        and (not chosen.hot_list_ids or entry.hot_list_id in chosen.hot_list_ids)
        and (
            not chosen.agency_oris
            or not chosen.agency_oris.isdisjoint({entry.list_agency_ori, sensor_agency})
        )
    )


def _wants_hit(chosen: Filter, facet: Facet) -> bool:
    if facet.percent < chosen.min_percent or facet.severity < chosen.min_severity:
        return False
    if chosen.sensor_groups and facet.sensor_group not in chosen.sensor_groups:
        return False
    if chosen.units and facet.sensor_unit not in chosen.units:
        return False
    if chosen.sensor_ids and facet.sensor_id not in chosen.sensor_ids:
        return False
    place = Point(facet.latitude, facet.longitude)
    return not chosen.areas or any(lies_in(place, area) for area in chosen.areas)
