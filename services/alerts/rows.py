"""Rows of the alerts schema into words of the service, and back."""

from collections.abc import Sequence
from typing import TypeAlias

import asyncpg

from services.alerts.core.model import (
    Alert,
    Category,
    Disposition,
    Due,
    Entry,
    EntryKey,
    Escalation,
    EscalationKind,
    Facet,
    HitWarning,
    Match,
    MatchGrade,
    MatchLabel,
    Place,
    Severity,
    Sighting,
    Vehicle,
    Verification,
    Withdrawn,
    WithdrawReason,
)
from services.alerts.core.severity import most_severe_first

Row: TypeAlias = asyncpg.Record

SIGHTING_COLUMNS = (
    "read_id, plate, state, capture_time, receive_time, latitude, longitude, place_description, sensor_id, "
    "sensor_agency_ori, sensor_group, model_version, crop_key, overview_key, sensor_unit"
)
MATCH_COLUMNS = (
    "entry_id, list_version, hot_list_id, hot_list_name, list_agency_ori, list_activated_at, source, "
    "category, listed_plate, listed_state, record_number, vehicle_year, vehicle_make, vehicle_model, "
    "vehicle_style, vehicle_color, match_probability, warnings, list_time, entry_date, plate_type, "
    "match_label, match_grade"
)


def sighting_of(row: Row) -> Sighting:
    """The sighting in a row with SIGHTING_COLUMNS."""
    return Sighting(
        read_id=row["read_id"],
        plate=row["plate"],
        state=row["state"],
        capture_time=row["capture_time"],
        receive_time=row["receive_time"],
        place=Place(row["latitude"], row["longitude"], row["place_description"]),
        sensor_id=row["sensor_id"],
        sensor_agency_ori=row["sensor_agency_ori"],
        sensor_group=row["sensor_group"],
        model_version=row["model_version"],
        crop_key=row["crop_key"],
        overview_key=row["overview_key"],
        sensor_unit=row["sensor_unit"],
    )


def sighting_values(sighting: Sighting) -> tuple[object, ...]:
    """The values of SIGHTING_COLUMNS, in their order."""
    return (
        sighting.read_id,
        sighting.plate,
        sighting.state,
        sighting.capture_time,
        sighting.receive_time,
        sighting.place.latitude,
        sighting.place.longitude,
        sighting.place.description,
        sighting.sensor_id,
        sighting.sensor_agency_ori,
        sighting.sensor_group,
        sighting.model_version,
        sighting.crop_key,
        sighting.overview_key,
        sighting.sensor_unit,
    )


def match_of(row: Row) -> Match:
    """The match in a row with MATCH_COLUMNS, `sounded`, and `withdraw_time` and `reason`.

    The last two are null while the entry is listed. What sounded once in a passage is no mere check when a
    further camera reads the plate worse.
    """
    entry = Entry(
        key=EntryKey(row["entry_id"], row["list_version"]),
        hot_list_id=row["hot_list_id"],
        hot_list_name=row["hot_list_name"],
        list_agency_ori=row["list_agency_ori"],
        list_activated_at=row["list_activated_at"],
        source=row["source"],
        category=Category(row["category"]),
        plate=row["listed_plate"],
        state=row["listed_state"],
        record_number=row["record_number"],
        vehicle=Vehicle(
            row["vehicle_year"],
            row["vehicle_make"],
            row["vehicle_model"],
            row["vehicle_style"],
            row["vehicle_color"],
        ),
        list_time=row["list_time"],
        entry_date=row["entry_date"],
        plate_type=row["plate_type"],
    )
    withdrawn = None
    if row["withdraw_time"] is not None:
        withdrawn = Withdrawn(row["withdraw_time"], WithdrawReason(row["reason"]))
    warnings = tuple(HitWarning(code) for code in row["warnings"])
    grade = MatchGrade.SOUND if row["sounded"] else MatchGrade.CHECK
    return Match(entry, row["match_probability"], warnings, withdrawn, MatchLabel(row["match_label"]), grade)


def match_values(match: Match) -> tuple[object, ...]:
    """The values of MATCH_COLUMNS, in their order."""
    entry, vehicle = match.entry, match.entry.vehicle
    return (
        entry.key.entry_id,
        entry.key.list_version,
        entry.hot_list_id,
        entry.hot_list_name,
        entry.list_agency_ori,
        entry.list_activated_at,
        entry.source,
        int(entry.category),
        entry.plate,
        entry.state,
        entry.record_number,
        vehicle.year,
        vehicle.make,
        vehicle.model,
        vehicle.style,
        vehicle.color,
        match.probability,
        [int(warning) for warning in match.warnings],
        entry.list_time,
        entry.entry_date,
        entry.plate_type,
        int(match.label),
        int(match.grade),
    )


def facet_of(row: Row) -> Facet:
    """The facet in a row of alerts.alert_facet."""
    return Facet(
        key=EntryKey(row["entry_id"], row["list_version"]),
        sensor_id=row["sensor_id"],
        sensor_group=row["sensor_group"],
        latitude=row["latitude"],
        longitude=row["longitude"],
        percent=row["percent"],
        severity=Severity(row["severity"]),
        sensor_unit=row["sensor_unit"],
    )


def escalation_of(row: Row) -> Escalation:
    """The escalation in a row of its table."""
    return Escalation(
        row["escalation_id"],
        EscalationKind(row["kind"]),
        row["round"],
        row["due_time"],
        row["escalate_time"],
    )


def alert_of(
    row: Row, matches: Sequence[Match], facets: Sequence[Facet], escalations: Sequence[Escalation]
) -> Alert:
    """The alert in a row of its own columns and SIGHTING_COLUMNS of its newest sighting."""
    return Alert(
        alert_id=row["alert_id"],
        raise_time=row["raise_time"],
        sighting=sighting_of(row),
        matches=most_severe_first(matches),
        acknowledged=row["acknowledged"],
        verification=Verification(row["verification_state"]),
        disposition=Disposition(row["disposition"]),
        facets=tuple(facets),
        due=Due(row["acknowledge_by"], row["verify_by"], row["centre_has_seen"]),
        escalations=tuple(escalations),
    )
