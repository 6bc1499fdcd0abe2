"""When the board rings, and how. Nothing here looks at a clock or makes a sound."""

from collections.abc import Iterable
from types import MappingProxyType
from typing import Final

from alpr.alerts.v1 import alert_service_pb2 as pb
from alpr.type.v1 import hit_pb2
from services.cli.watch.board import Stage, stage_of

# The floor of ENF-051 IV.D.2: its sound goes off with all sound only, where it is seen that it is off.
FLOOR: Final = frozenset(
    {
        hit_pb2.HOT_LIST_CATEGORY_STOLEN_VEHICLE,
        hit_pb2.HOT_LIST_CATEGORY_STOLEN_PLATE,
        hit_pb2.HOT_LIST_CATEGORY_FELONY,
        hit_pb2.HOT_LIST_CATEGORY_AMBER,
        hit_pb2.HOT_LIST_CATEGORY_SILVER,
    }
)
# Strokes of the bell, told apart without looking: life in danger, then crimes, then the rest.
_STROKES: Final = MappingProxyType(
    {
        hit_pb2.HOT_LIST_CATEGORY_AMBER: 4,
        hit_pb2.HOT_LIST_CATEGORY_SILVER: 4,
        hit_pb2.HOT_LIST_CATEGORY_FELONY: 3,
        hit_pb2.HOT_LIST_CATEGORY_STOLEN_VEHICLE: 2,
        hit_pb2.HOT_LIST_CATEGORY_STOLEN_PLATE: 2,
    }
)
# An urgent alert that nobody has seen rings again after so long.
REPEAT_SECONDS: Final = 6.0


class Bell:
    """Says how often to strike the bell; whoever holds it strikes."""

    def __init__(self, silent: Iterable[hit_pb2.HotListCategory.ValueType] = ()) -> None:
        self.on = True
        self._silent = frozenset(silent) - FLOOR
        self._rung: set[str] = set()
        self._quiet: set[str] = set()
        self._next = 0.0

    @property
    def silent(self) -> frozenset[hit_pb2.HotListCategory.ValueType]:
        """Categories without sound; none of the floor."""
        return self._silent

    def switch(self, category: hit_pb2.HotListCategory.ValueType) -> bool:
        """Takes the sound of `category` away or gives it back; False when it is of the floor and stays."""
        if category in FLOOR:
            return False
        self._silent ^= {category}
        return True

    def note(self, alert: pb.Alert, *, quiet: bool) -> None:
        """Says how the newest word on `alert` came: `quiet` in hours in which the person wants no sound."""
        floor = any(entry.category in FLOOR for entry in alert.entries)
        (self._quiet.add if quiet and not floor else self._quiet.discard)(alert.alert_id)

    def strokes(self, alerts: Iterable[pb.Alert], now: float) -> int:
        """How often to strike now, for the loudest that is due; 0 for silence.

        An alert that sounds rings once when it comes, and an urgent or escalated one again and again until
        somebody has seen it. Many that come together ring once.

        Args:
            alerts: What is on the board and was not acknowledged here a moment ago.
            now: Seconds of a clock that only runs forward.
        """
        sounding = [alert for alert in alerts if self._sounds(alert)]
        fresh = [alert for alert in sounding if alert.alert_id not in self._rung]
        self._rung = {alert.alert_id for alert in sounding}
        urgent = [alert for alert in sounding if _must_be_seen(alert)]
        due = fresh + (urgent if now >= self._next else [])
        if not due:
            return 0
        self._next = now + REPEAT_SECONDS
        return max(_strokes_of(alert) for alert in due) if self.on else 0

    def _sounds(self, alert: pb.Alert) -> bool:
        if stage_of(alert) is not Stage.UNSEEN or alert.severity == pb.SEVERITY_NOTICE:
            return False
        if alert.alert_id in self._quiet:
            return False
        return any(entry.category not in self._silent for entry in alert.entries)


def _must_be_seen(alert: pb.Alert) -> bool:
    """Whether it rings until somebody has seen it: urgent, or escalated because nobody has (IV.D.3)."""
    return alert.severity == pb.SEVERITY_URGENT or bool(alert.escalations)


def _strokes_of(alert: pb.Alert) -> int:
    return max((_STROKES.get(entry.category, 1) for entry in alert.entries), default=1)
