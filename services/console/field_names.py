"""The contracts' names of fields as people know them from the form, and where in the form they are."""

from __future__ import annotations

import re
from typing import Final

# Path in the request: name in the form, label.
_KNOWN: Final = {
    "justification.case_number_kind": ("case_number_kind", "Kind of case number"),
    "justification.case_number": ("case_number", "Case number"),
    "justification.outside_agency": ("outside_agency", "Agency whose case it is"),
    "justification.offence_code": ("offence_code", "Offence or activity"),
    "justification.purpose": ("purpose", "Purpose"),
    "plate": ("plate", "Plate"),
    "plate_match": ("plate_match", "How plates are compared"),
    "state": ("state", "State"),
    "from": ("from", "From"),
    "to": ("to", "To"),
    "area": ("around", "Place"),
    "area.circle.center": ("around", "Around"),
    "area.circle.radius_meters": ("radius", "Metres around it"),
    "area.polygon": ("area", "Corners of an area"),
    "area.sensor_group": ("sensor_group", "Group of sensors"),
    "area.sensors": ("sensors", "Sensors"),
    "page_size": ("page_size", "Most rows"),
    "provenances": ("", "Whose reads"),
    "own_agency_only": ("", "Leave out what other agencies share"),
    "sensor_id": ("sensors", "Sensors"),
    "scenes": ("", "Scenes"),
    "min_scenes": ("min_scenes", "At so many scenes or more"),
    "within_seconds": ("within_seconds", "Seconds apart"),
    "min_cameras": ("min_cameras", "At so many cameras or more"),
    "kind": ("kind", "Kind"),
    "chunk": ("file", "File"),
    "within_meters": ("within_meters", "Metres"),
    "within_minutes": ("within_minutes", "Minutes"),
    "min_incidents": ("min_incidents", "At so many incidents or more"),
    "dimensions": ("first_by", "Counted by"),
    "line": ("line", "The line"),
    "direction": ("direction", "Which way"),
    "max_gap_minutes": ("max_gap_minutes", "Most minutes from one to the next"),
    "read_ids": ("", "Reads"),
    "picture_count": ("picture_count", "Pictures"),
    "caption": ("caption", "A line at its head"),
    "due_to_delete": ("delete_by", "To be deleted by"),
    "redactions": ("redact-2", "Leave something out"),
    "fields": ("open", "Fields to open"),
    "recipient": ("recipient", "Who gets it"),
    "action": ("action", "Action"),
    "agency_ori": ("agency_ori", "Agency whose people acted"),
    "account_id": ("who", "Whose"),
    "recipient.kind": ("recipient_kind", "Who gets it"),
    "recipient.agency_ori": ("agency_ori", "ORI of a law enforcement agency"),
    "recipient.organisation": ("organisation", "Agency, entity or system"),
    "recipient.person": ("recipient_person", "Name and office of who gets it"),
    "recipient.purpose": ("recipient_purpose", "For what they need it"),
    "recipient.legal_basis": ("legal_basis", "Legal basis"),
    "recipient.report_number": ("recipient_report_number", "Number of the report"),
    "recipient.email": ("email", "Where the system writes"),
    "recipient.declaration": ("declared_by", "Declaration"),
    "recipient.declaration.document_sha256": ("declaration", "The declaration"),
    "recipient.decision": ("decided_by", "Decision"),
    "recipient.decision.request_sha256": ("decision", "The request"),
    "read_id": ("read_id", "Id of the read"),
    "report_number": ("report_number", "Number of the report"),
    "reported_by": ("reported_by", "Who reported it by radio"),
    "filter.min_severity": ("min_severity", "How loud"),
    "filter.min_match_percent": ("min_match_percent", "Percent probable"),
    "filter.areas": ("area", "Where"),
    "filter.agency_oris": ("agency_oris", "Agencies"),
    "filter.sensor_groups": ("sensor_groups", "Groups of cameras"),
    "filter.units": ("units", "Units"),
    "filter.sensor_ids": ("sensor_ids", "Cameras"),
    "filter.hours": ("hours", "Only in these hours"),
    "filter.quiet_hours": ("quiet_hours", "Without sound in these hours"),
    "min_match_percent": ("min_match_percent", "Percent probable"),
    "places": ("places", "Further places"),
    "evidence_system": ("evidence_system", "Evidence system"),
    "evidence_item": ("evidence_item", "Its number there"),
    "statement": ("statement", "Statement"),
    "email": ("email", "Address of the letter"),
    "export_id": ("export_id", "Entry of the register"),
    "evidence_id": ("evidence_id", "Id of the package"),
}
_SCENE: Final = re.compile(r"scenes\[(\d{1,2})\]\.(.+)")


def form_field(path: str) -> tuple[str, str]:
    """Name in the form and label of the field `path`, or of the one that it is part of; "" for no name."""
    scene = _SCENE.fullmatch(path)
    if scene:
        name, label = form_field(scene[2])
        return name and f"scene-{scene[1]}-{name}", f"Scene {int(scene[1]) + 1}: {label}"
    part = path.replace("[", ".")
    while part:
        if part in _KNOWN:
            return _KNOWN[part]
        part = part.rpartition(".")[0]
    return "", path.replace("_", " ").capitalize()
