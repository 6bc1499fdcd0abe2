"""The contracts' names of fields as people know them from the form, and where in the form they are."""

from __future__ import annotations

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
}


def form_field(path: str) -> tuple[str, str]:
    """Name in the form and label of the field `path`, or of the one that it is part of; "" for no name."""
    part = path
    while part:
        if part in _KNOWN:
            return _KNOWN[part]
        part = part.rpartition(".")[0]
    return "", path.replace("_", " ").capitalize()
