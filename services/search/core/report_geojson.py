"""A report as GeoJSON (RFC 7946): every read a point; notice, question and mark as members of the whole."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from services.search.core.report import Report, ReportedRead


def to_geojson(report: Report) -> bytes:
    """The report as UTF-8 text in one spelling: the same report gives the same bytes."""
    document = {
        "type": "FeatureCollection",
        "notice": {
            "lead_only": True,
            "verification_state": report.verification_state,
            "text": report.notice,
        },
        "report": _about(report),
        "features": [_feature(read, report) for read in report.reads],
    }
    return (json.dumps(document, ensure_ascii=False, indent=1) + "\n").encode()


def _about(report: Report) -> dict[str, Any]:
    return {
        "title": report.title,
        "asked": dict(report.asked),
        "searched_from": _iso(report.searched_from),
        "searched_to": _iso(report.searched_to),
        "case_number_kind": report.why.case_number_kind,
        "case_number": report.why.case_number,
        "outside_agency": report.why.outside_agency,
        "purpose": report.why.purpose,
        "offence_code": report.why.offence_code,
        "made_time": _iso(report.made_time),
        "account_id": report.mark.account_id,
        "question_entry": report.mark.question.entry_id,
        "question_log_index": report.mark.question.log_index,
        "outcome_entry": report.mark.outcome.entry_id,
        "outcome_log_index": report.mark.outcome.log_index,
        "recipient": report.recipient,
        "due_to_delete": _iso(report.due_to_delete) if report.due_to_delete else None,
        "has_more": report.has_more,
    }


def _feature(read: ReportedRead, report: Report) -> dict[str, Any]:
    return {
        "type": "Feature",
        "id": str(read.read_id),
        "geometry": None
        if read.latitude is None
        else {"type": "Point", "coordinates": [read.longitude, read.latitude]},
        "properties": {
            "plate": read.plate,
            "state": read.state,
            "confidence": read.confidence,
            "capture_time": _iso(read.capture_time),
            "receive_time": _iso(read.receive_time),
            "sensor_id": read.sensor_id,
            "sensor_group": read.sensor_group,
            "agency_ori": read.agency_ori,
            "provenance": read.provenance,
            "place": read.place,
            "model_version": read.model_version,
            "image_sha256": read.image_sha256.hex(),
            # A map program shows one point by itself, so the point says by itself what it is good for.
            "lead_only": True,
            "verification_state": report.verification_state,
        },
    }


def _iso(time: datetime) -> str:
    return time.isoformat().replace("+00:00", "Z")
