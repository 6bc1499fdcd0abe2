"""Alerts as OASIS Common Alerting Protocol 1.2 says them, for dispatch systems that read it.

What is not confirmed says so first, in the headline, and is Possible at most; an alert that turned out wrong,
or whose entries are listed no longer, cancels what was sent before (ENF-051 II.A, III.B.3.r, III.D.4).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from uuid import UUID
from xml.etree.ElementTree import Element, SubElement, tostring

from services.alerts.core.model import Alert, Category, Match, Severity, Verification
from services.alerts.core.severity import loudest
from services.alerts.core.webhook import GOOD_FOR, Message

NAMESPACE = "urn:oasis:names:tc:emergency:cap:1.2"
RESTRICTION = "Law enforcement only (ENF-051 IV.A.1)."
_RESCUE = frozenset({Category.AMBER, Category.SILVER, Category.MISSING})
_WRONG = frozenset(
    {Verification.NOT_CONFIRMED, Verification.MISREAD, Verification.WRONG_STATE, Verification.STALE}
)
_EVENTS = MappingProxyType(
    {
        Category.STOLEN_VEHICLE: "Stolen vehicle",
        Category.STOLEN_PLATE: "Stolen plate",
        Category.FELONY: "Felony vehicle",
        Category.WANTED: "Wanted subject",
        Category.MISSING: "Missing person",
        Category.AMBER: "AMBER alert",
        Category.SILVER: "SILVER alert",
        Category.SUSPENDED: "Suspended registration",
        Category.REVOKED: "Revoked registration",
        Category.EXPIRED_REGISTRATION: "Expired registration",
        Category.OTHER: "Hot list",
    }
)
_URGENCY = MappingProxyType(
    {Severity.URGENT: "Immediate", Severity.HIGH: "Expected", Severity.NOTICE: "Unknown"}
)
_SEVERITY = MappingProxyType({Severity.URGENT: "Severe", Severity.HIGH: "Moderate", Severity.NOTICE: "Minor"})
# Characters that XML 1.0 cannot carry.
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True)
class Sent:
    """A message that the receiver has: its id, and when it was said to be sent."""

    event_id: UUID
    moment: datetime


def cap_document(message: Message, sender: str, text: str, before: Sent | None) -> bytes:
    """The message as a CAP 1.2 document, UTF-8.

    Args:
        message: An alert as the webhook's agency sees it.
        sender: Who sends: no blank, comma, < or &.
        text: Words of the notice, which say how far the alert is verified.
        before: The last message of the same alert that the receiver has.
    """
    root = Element("alert", xmlns=NAMESPACE)
    _add(root, "identifier", str(message.event_id))
    _add(root, "sender", sender)
    _add(root, "sent", _time(message.event_time))
    _add(root, "status", "Actual")
    _add(root, "msgType", _kind(message.alert, before))
    _add(root, "scope", "Restricted")
    _add(root, "restriction", RESTRICTION)
    if before is not None:
        _add(root, "references", f"{sender},{before.event_id},{_time(before.moment)}")
    _add_info(SubElement(root, "info"), message, text)
    document: bytes = tostring(root, encoding="utf-8", xml_declaration=True)
    return document


def _add_info(info: Element, message: Message, text: str) -> None:
    alert = message.alert
    category, volume = alert.matches[0].entry.category, loudest(alert.matches)
    event = _EVENTS[category]
    _add(info, "language", "en-US")
    _add(info, "category", "Rescue" if category in _RESCUE else "Security")
    _add(info, "event", event)
    # To assess is all that an alert may ask for: it is a lead.
    _add(info, "responseType", "Assess")
    _add(info, "urgency", _URGENCY[volume])
    _add(info, "severity", _SEVERITY[volume])
    _add(info, "certainty", _certainty(alert))
    _add(info, "onset", _time(alert.sighting.capture_time))
    _add(info, "expires", _time(message.event_time + GOOD_FOR))
    _add(info, "headline", f"{text} - {event}")
    _add(info, "description", _description(alert))
    _add(
        info, "instruction", "A lead only. Confirm with LEADS, NCIC or the record's owner before any action."
    )
    for name, value in _parameters(message):
        parameter = SubElement(info, "parameter")
        _add(parameter, "valueName", name)
        _add(parameter, "value", value)
    place = alert.sighting.place
    area = SubElement(info, "area")
    _add(area, "areaDesc", place.description or f"{place.latitude:.5f} {place.longitude:.5f}")
    _add(area, "circle", f"{place.latitude:.6f},{place.longitude:.6f} 0")


def _kind(alert: Alert, before: Sent | None) -> str:
    if before is None:
        return "Alert"
    is_void = alert.withdrawn_at is not None or alert.verification in _WRONG
    return "Cancel" if is_void else "Update"


def _certainty(alert: Alert) -> str:
    if alert.withdrawn_at is not None or alert.verification in _WRONG:
        return "Unlikely"
    return "Observed" if alert.verification is Verification.CONFIRMED else "Possible"


def _description(alert: Alert) -> str:
    sighting = alert.sighting
    where = sighting.place.description or "the place of the sensor"
    state = f" ({sighting.state})" if sighting.state else ""
    return f"Plate {sighting.plate}{state} was read at {where} at {_time(sighting.capture_time)}."


def _parameters(message: Message) -> Iterator[tuple[str, str]]:
    """Values for machines: how to find the alert, reasons to doubt first, then read and entries."""
    alert = message.alert
    if message.is_quiet:
        yield "platewarden:quiet", "true"
    yield "platewarden:alertId", str(alert.alert_id)
    yield "platewarden:verification", alert.verification.name
    for warning in sorted({warning for match in alert.matches for warning in match.warnings}):
        yield "platewarden:warning", warning.name
    yield "platewarden:plate", alert.sighting.plate
    if alert.sighting.state:
        yield "platewarden:state", alert.sighting.state
    yield "platewarden:matchProbability", f"{alert.matches[0].probability:.3f}"
    yield "platewarden:sensor", alert.sighting.sensor_id
    yield "platewarden:sensorAgency", alert.sighting.sensor_agency_ori
    for number, match in enumerate(alert.matches, 1):
        yield from _entry_parameters(number, match)


def _entry_parameters(number: int, match: Match) -> Iterator[tuple[str, str]]:
    entry, vehicle = match.entry, match.entry.vehicle
    seen = (vehicle.year, vehicle.color, vehicle.make, vehicle.model, vehicle.style)
    said = {
        "category": entry.category.name,
        "plate": entry.plate,
        "state": entry.state,
        "record": entry.record_number,
        "agency": entry.list_agency_ori,
        "list": entry.hot_list_name,
        "vehicle": " ".join(part for part in seen if part),
        "withdrawn": _time(match.withdrawn.moment) if match.withdrawn else "",
    }
    yield from ((f"platewarden:entry{number}.{name}", value) for name, value in said.items() if value)


def _time(moment: datetime) -> str:
    # CAP has no Z: UTC is -00:00.
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S-00:00")


def _add(parent: Element, name: str, text: str) -> None:
    SubElement(parent, name).text = _NOT_XML.sub("\ufffd", text)
