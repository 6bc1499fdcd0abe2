"""Matches as the alerts service takes them."""

from __future__ import annotations

from collections.abc import Sequence

from alpr.alerts.v1 import alert_service_pb2 as alerts_pb
from alpr.type.v1 import hit_pb2, read_pb2, sensor_pb2
from services.common.wire import to_timestamp
from services.matcher.core.match import Match


def to_hit(
    captured: read_pb2.CapturedRead, sensor: sensor_pb2.Sensor, matches: Sequence[Match], revision: int
) -> alerts_pb.Hit:
    """The hit of one read, with its pictures and every entry of `revision` it matched (ENF-051 IV.C.1)."""
    hit = alerts_pb.Hit(
        captured_read=captured,
        matches=[_match(match) for match in matches],
        sensor_agency_ori=sensor.agency_ori,
        sensor_group=sensor.sensor_group,
        match_revision=revision,
        sensor_unit=sensor.unit,
    )
    # The key of the stored image ends with the read; a hit lasts, and has pictures of its own.
    hit.captured_read.read.image.ClearField("image_key")
    return hit


def _match(match: Match) -> alerts_pb.MatchedHit:
    return alerts_pb.MatchedHit(
        entry=_entry(match),
        match_probability=match.probability,
        warnings=[hit_pb2.HitWarning.ValueType(doubt.value) for doubt in match.doubts],
    )


def _entry(match: Match) -> hit_pb2.MatchedEntry:
    header, entry, vehicle = match.header, match.entry, match.entry.vehicle
    return hit_pb2.MatchedEntry(
        entry_id=str(entry.entry_id),
        hot_list_id=str(header.hot_list_id),
        hot_list_name=header.name,
        list_agency_ori=header.agency_ori,
        list_version=header.version,
        list_activated_at=to_timestamp(header.activated_at),
        source=hit_pb2.HotListSource.ValueType(header.source.value),
        category=hit_pb2.HotListCategory.ValueType(entry.category.value),
        plate=entry.plate,
        state=entry.state,
        record_number=entry.record_number,
        vehicle=hit_pb2.ListedVehicle(
            year=vehicle.year,
            make=vehicle.make,
            model=vehicle.model,
            style=vehicle.style,
            color=vehicle.color,
        ),
        list_time=to_timestamp(header.upload_time),
        entry_date=entry.entry_date.isoformat() if entry.entry_date else "",
        plate_type=entry.plate_type,
        match_label=hit_pb2.MatchLabel.ValueType(match.label.value),
        match_grade=hit_pb2.MatchGrade.ValueType(match.grade.value),
    )
