"""Which patrol assets hear of an alert, and what each is told when it changes (ENF-051 IV.D.3)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum
from uuid import UUID

from services.alerts.core.area import Point, meters_between
from services.alerts.core.model import Alert, Disposition, StepKind, StepRequest, Verification

# A car that was there longer ago may be anywhere by now.
FRESH = timedelta(minutes=15)
RADIUS_METRES = 30_000
MOST_ASSETS = 5

_TOLD = frozenset({Verification.NEW, Verification.VERIFYING, Verification.CONFIRMED})


class DeliveryKind(IntEnum):
    """What a message to an asset is about; numbers of alpr.alerts.v1.DeliveryKind."""

    ALERT = 1
    UPDATED = 2
    VERIFYING = 3
    CONFIRMED = 4
    NOT_CONFIRMED = 5
    WITHDRAWN = 6
    CLOSED = 7
    CANCELLED = 8


class DeliveryStage(IntEnum):
    """How far a message has come; numbers of alpr.alerts.v1.DeliveryStage."""

    RECEIVED = 1
    SEEN = 2
    EN_ROUTE = 3


@dataclass(frozen=True, slots=True)
class Position:
    """Where an asset was, WGS 84 degrees, and when."""

    latitude: float
    longitude: float
    moment: datetime


@dataclass(frozen=True, slots=True)
class Asset:
    """A patrol asset in use. `crew` are the accounts aboard; `position` is None when nobody has said."""

    asset_id: UUID
    agency_ori: str
    unit: str
    call_sign: str
    crew: tuple[str, ...] = ()
    position: Position | None = None


@dataclass(frozen=True, slots=True)
class Wish:
    """What a dispatcher asks for: units (all when empty), the farthest distance, and how many at most."""

    units: frozenset[str] = frozenset()
    radius_metres: float = RADIUS_METRES
    most: int = MOST_ASSETS


@dataclass(frozen=True, slots=True)
class Candidate:
    """An asset that may be told. `distance_metres` is None when it is not known where the asset is now."""

    asset: Asset
    distance_metres: float | None
    proposed: bool


def candidates(alert: Alert, assets: Iterable[Asset], now: datetime, wish: Wish) -> tuple[Candidate, ...]:
    """The assets that somebody is aboard of, nearest to the alert's newest sighting first.

    Proposed are the nearest within the radius, of the units wished for. Where there is none the nearest of
    all are, and where no position is known, every one: an alert that nobody is told of helps nobody.
    """
    measured = [(_distance(alert, asset, now), asset) for asset in assets if asset.crew]
    measured.sort(key=lambda one: (one[0] is None, one[0] or 0.0, one[1].unit, one[1].call_sign))
    chosen = _proposed(measured, wish)
    return tuple(Candidate(asset, metres, asset.asset_id in chosen) for metres, asset in measured)


def _distance(alert: Alert, asset: Asset, now: datetime) -> float | None:
    position = asset.position
    if position is None or now - position.moment > FRESH:
        return None
    place = alert.sighting.place
    there = Point(position.latitude, position.longitude)
    return meters_between(Point(place.latitude, place.longitude), there)


def _proposed(measured: Sequence[tuple[float | None, Asset]], wish: Wish) -> frozenset[UUID]:
    of_units = [one for one in measured if not wish.units or one[1].unit in wish.units]
    known = [(metres, asset) for metres, asset in of_units if metres is not None]
    near = [one for one in known if one[0] <= wish.radius_metres]
    chosen = (near or known)[: wish.most] or of_units
    return frozenset(asset.asset_id for _, asset in chosen)


def may_be_told(alert: Alert) -> bool:
    """Whether patrol assets may be sent after it: it is open, listed still, and nobody has denied it."""
    is_open = alert.disposition == Disposition.NONE and alert.verification in _TOLD
    return is_open and alert.withdrawn_at is None


def kind_after(step: StepRequest) -> DeliveryKind | None:
    """What assets that were told of the alert hear after `step`; None when nothing changes for them."""
    if step.kind == StepKind.DISPOSE:
        return DeliveryKind.CLOSED
    match step.verification:
        case None:
            return None
        case Verification.VERIFYING:
            return DeliveryKind.VERIFYING
        case Verification.CONFIRMED:
            return DeliveryKind.CONFIRMED
        case _:
            return DeliveryKind.NOT_CONFIRMED
