"""What a stream gives."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum

from alpr.alerts.v1.alert_service_pb2 import Alert


@dataclass(frozen=True, slots=True)
class Position:
    """Where in the feed an alert stands: the same again when the same alert is given again.

    Numbers rise from alert to alert. They are times in microseconds and do not count: what lies between two
    of them does not tell what others got. Positions from before a `Gap` do not compare with those after it.
    """

    epoch: int
    number: int

    def is_covered_by(self, last: Position | None) -> bool:
        """Whether who has done everything up to `last` has done this too. Forget `last` after a `Gap`."""
        return last is not None and self.epoch == last.epoch and self.number <= last.number


class EventKind(Enum):
    """What happened to an alert."""

    RAISED = "raised"
    UPDATED = "updated"


class LinkState(Enum):
    """How a stream stands with the service."""

    # It tries to connect.
    CONNECTING = "connecting"
    # A message came just now; the service sends one at least every 5 seconds.
    LIVE = "live"
    # The link broke or went silent. Alerts that are raised now come when it is back.
    BROKEN = "broken"


@dataclass(frozen=True, slots=True)
class AlertEvent:
    """An alert that was raised or that changed.

    Alerts come at least once: after a crash the last one comes again, with the same `position`. A program
    that must not act twice keeps the position with what it did, and leaves out what `is_covered_by` it.
    `quiet`: it came in the quiet hours of the person's subscriptions; show it without sound.
    """

    kind: EventKind
    position: Position
    # Not in the text of the event: plates do not belong into logs.
    alert: Alert = field(repr=False)
    quiet: bool = False


@dataclass(frozen=True, slots=True)
class Gap:
    """The stream could not go on where it stopped, and begins again at `since`.

    Alerts between where it stopped and `since` may be missing: they are a question now (GetAlert, with case
    number and purpose). Alerts after `since` may come a second time under other positions; their alert ids
    are the same. `reason` is the contract's: `ERROR_REASON_EPOCH_CHANGED` or `ERROR_REASON_BAD_TOKEN`.
    """

    since: datetime
    reason: str
