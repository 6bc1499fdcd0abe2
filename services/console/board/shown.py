"""What of an alert the board shows, and so all that the browser gets of it."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any, Final

from google.protobuf.timestamp_pb2 import Timestamp

from alpr.alerts.v1 import alert_service_pb2 as pb
from alpr.type.v1 import hit_pb2, notice_pb2
from services.console import words

_SEVERITY: Final = MappingProxyType(
    {pb.SEVERITY_URGENT: "urgent", pb.SEVERITY_HIGH: "high", pb.SEVERITY_NOTICE: "notice"}
)
_SURE: Final = frozenset(
    {
        notice_pb2.VERIFICATION_STATE_CONFIRMED,
        notice_pb2.VERIFICATION_STATE_NOT_CONFIRMED,
        notice_pb2.VERIFICATION_STATE_MISREAD,
        notice_pb2.VERIFICATION_STATE_WRONG_STATE,
        notice_pb2.VERIFICATION_STATE_STALE,
    }
)


def shown(alert: pb.Alert, *, quiet: bool = False) -> dict[str, Any]:
    """The alert as the board's script takes it; `quiet` says that it came in quiet hours.

    A severity that this console does not know is not taken for a quiet one, and a verification that it does
    not know counts as none (II.A).
    """
    entry = alert.entries[0] if alert.entries else hit_pb2.MatchedEntry()
    return {
        "id": alert.alert_id,
        "severity": _SEVERITY.get(alert.severity, "urgent"),
        "categories": _categories(alert),
        "warnings": words.words(alert, "warnings"),
        "standing": _standing(alert),
        "confirmed": _is_confirmed(alert),
        "notice": alert.notice.text,
        "plate": alert.plate,
        "state": alert.state,
        "listed": {"plate": entry.plate, "state": entry.state, "name": entry.hot_list_name},
        "probability": round(100 * alert.match_probability),
        "place": alert.place.description or f"{alert.place.latitude:.5f}, {alert.place.longitude:.5f}",
        "sensor": alert.sensor_id,
        "captured": _text(alert.capture_time),
        "raised": _text(alert.raise_time),
        "acknowledged": alert.acknowledged,
        "disposition": words.word(alert, "disposition"),
        "acknowledgeBy": _text(alert.acknowledge_by),
        "verifyBy": _text(alert.verify_by),
        "escalated": [words.word(one, "kind") for one in alert.escalations],
        "quiet": quiet,
    }


def _categories(alert: pb.Alert) -> list[str]:
    """What the entries are about, each once, the most severe first."""
    return list(dict.fromkeys(words.word(entry, "category") for entry in alert.entries))


def _standing(alert: pb.Alert) -> str:
    """How far it is verified: UNVERIFIED until somebody has found out (II.A, III.D.4)."""
    state = alert.notice.verification_state
    said = words.word(alert.notice, "verification_state") if state in _SURE else "unverified"
    if state == notice_pb2.VERIFICATION_STATE_VERIFYING:
        said = "unverified, being verified"
    return f"withdrawn, {said}" if alert.HasField("withdraw_time") else said


def _is_confirmed(alert: pb.Alert) -> bool:
    confirmed = alert.notice.verification_state == notice_pb2.VERIFICATION_STATE_CONFIRMED
    return confirmed and not alert.HasField("withdraw_time")


def _text(stamp: Timestamp) -> str:
    """The moment for a script; "" where it is not set."""
    return f"{words.moment(stamp):%Y-%m-%dT%H:%M:%S.%f}"[:-3] + "Z" if stamp.seconds else ""
