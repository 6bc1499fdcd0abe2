"""What an alert says, in words for the person who works it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from google.protobuf.timestamp_pb2 import Timestamp

from alpr.alerts.v1 import alert_service_pb2 as pb
from alpr.type.v1 import hit_pb2, notice_pb2
from services.common.wire import to_timestamp
from services.console import words
from services.console.alert.plates import Compared, compared

_STATES: Final = notice_pb2.VerificationState.DESCRIPTOR
_OPEN: Final = {
    notice_pb2.VERIFICATION_STATE_NEW: "unverified",
    notice_pb2.VERIFICATION_STATE_VERIFYING: "unverified, being verified",
}
DECISIONS: Final = (
    (notice_pb2.VERIFICATION_STATE_CONFIRMED, "confirmed"),
    (notice_pb2.VERIFICATION_STATE_NOT_CONFIRMED, "not confirmed: no such record now"),
    (notice_pb2.VERIFICATION_STATE_MISREAD, "misread: the plate has other characters"),
    (notice_pb2.VERIFICATION_STATE_WRONG_STATE, "wrong state: the plate is of another one"),
    (notice_pb2.VERIFICATION_STATE_STALE, "stale: the entry was no longer current"),
)
"""How a verification may end."""
_DOUBTS: Final = {
    hit_pb2.HIT_WARNING_LOOK_ALIKE: "The plate read is not the listed one letter for letter.",
    hit_pb2.HIT_WARNING_STATE_MISMATCH: "The state read is not the listed state.",
    hit_pb2.HIT_WARNING_STATE_UNKNOWN: "The state was not read, or the list does not name one.",
    hit_pb2.HIT_WARNING_OLD_LIST: "The list is older than its source's update period.",
    hit_pb2.HIT_WARNING_LATE_CAPTURE: "It reached us more than 15 minutes after capture; it is not live.",
    hit_pb2.HIT_WARNING_PLATE_TYPE_MISMATCH: "The plate read is of another type than the listed one.",
    hit_pb2.HIT_WARNING_VEHICLE_MISMATCH: "The camera saw another make or colour of vehicle than is listed.",
    hit_pb2.HIT_WARNING_OLD_ENTRY: "The entry has stood for more than a year.",
    hit_pb2.HIT_WARNING_LOOK_BACK: "The entry was listed after the read: found in the archive, not live.",
}


@dataclass(frozen=True, slots=True)
class Doubt:
    """A reason to doubt: its name in capitals, and what it means."""

    name: str
    meaning: str


@dataclass(frozen=True, slots=True)
class Standing:
    """How far an alert is verified: the banner, what the notice adds to it, and `kind` for its looks."""

    text: str
    more: str
    kind: str


@dataclass(frozen=True, slots=True)
class Listing:
    """An entry that matched, compared with the read. `withdrawn` is None while it is listed."""

    entry: hit_pb2.MatchedEntry
    source: str
    plates: Compared
    other_state: bool
    vehicle: str
    query: str
    withdrawn: pb.WithdrawnEntry | None


@dataclass(frozen=True, slots=True)
class Done:
    """One thing that somebody did."""

    step: pb.AlertStep
    what: str


def now() -> Timestamp:
    """This moment, by the console's clock."""
    return to_timestamp(datetime.now(UTC))


def standing(alert: pb.Alert) -> Standing:
    """How far `alert` is verified. A state that is not known here counts as unverified (II.A)."""
    state = alert.notice.verification_state
    decided = state in dict(DECISIONS)
    text = words.of_enum(_STATES, state) if decided else _OPEN.get(state, "unverified")
    kind = "off" if decided else "unverified"
    if alert.HasField("withdraw_time"):
        # Whether a confirmation is newer than the withdrawal is in the history.
        text, kind = f"withdrawn, {text}", "off"
    elif state == notice_pb2.VERIFICATION_STATE_CONFIRMED:
        kind = "confirmed"
    text = text.upper()
    return Standing(text, alert.notice.text.removeprefix(text).lstrip(":,; "), kind)


def doubts(alert: pb.Alert) -> Sequence[Doubt]:
    """The reasons to doubt, in the alert's order."""
    named = hit_pb2.HitWarning.DESCRIPTOR
    return [Doubt(words.of_enum(named, one).upper(), _DOUBTS.get(one, "")) for one in alert.warnings]


def listings(alert: pb.Alert) -> Sequence[Listing]:
    """The entries that matched, most severe first."""
    gone = {one.entry_id: one for one in alert.withdrawn_entries}
    return [
        Listing(
            entry,
            _source(entry),
            compared(alert.plate, entry.plate),
            bool(alert.state and entry.state) and alert.state != entry.state,
            _vehicle(entry.vehicle),
            query(entry),
            gone.get(entry.entry_id),
        )
        for entry in alert.entries
    ]


def entry_choices(alert: pb.Alert) -> Sequence[tuple[str, str]]:
    """Id and words of each entry, to choose what is asked about."""
    return [
        (one.entry_id, f"{_source(one)} {words.word(one, 'category')}, {one.plate} {one.state}")
        for one in alert.entries
    ]


def places(alert: pb.Alert) -> Sequence[dict[str, Any]]:
    """The place of the camera, for a map; no plate."""
    where = alert.place
    label = where.description or alert.sensor_id
    return [{"id": alert.alert_id, "lat": where.latitude, "lon": where.longitude, "label": label}]


def query(entry: hit_pb2.MatchedEntry) -> str:
    """What to ask LEADS or NCIC of the entry, by NCIC's own field codes: "LIC/AB1234.LIS/IL"."""
    fields = (("LIC", entry.plate), ("LIS", entry.state), ("LIT", entry.plate_type))
    return ".".join(f"{code}/{value}" for code, value in fields if value)


def history(steps: Iterable[pb.AlertStep]) -> Sequence[Done]:
    """What people did, oldest first.

    A step of the verification always changes its state, so one that does not is an acknowledgement.
    """
    done, before = [], notice_pb2.VERIFICATION_STATE_NEW
    for step in steps:
        done.append(Done(step, _what(step, before)))
        before = step.verification_state
    return done


def _source(entry: hit_pb2.MatchedEntry) -> str:
    text = words.word(entry, "source")
    return text if entry.source == hit_pb2.HOT_LIST_SOURCE_AGENCY else text.upper()


def _what(step: pb.AlertStep, before: Any) -> str:
    if step.disposition:
        return words.word(step, "disposition")
    if step.verification_state == before:
        return "acknowledged"
    return words.word(step, "verification_state")


def _vehicle(vehicle: hit_pb2.ListedVehicle) -> str:
    parts = (vehicle.year, vehicle.color, vehicle.make, vehicle.model, vehicle.style)
    return " ".join(part for part in parts if part)
