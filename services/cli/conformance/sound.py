"""Requests of RPCs that look, complete enough to be judged by who sends them and why."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import uuid4

from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import Message

from alpr.search.v1 import analysis_service_pb2
from services.cli.conformance.requests import request_for
from services.common.wire import to_timestamp

# No plate of any state begins so.
NOBODYS_PLATE: Final = "0O0O0O0"
_SENSOR: Final = "conformance-run"
_FACTS: Final = {"plate": NOBODYS_PLATE, "sensor_id": _SENSOR, "unit": "Statewide", "sensor_group": _SENSOR}
_IN_PARTS: Final = "CompareDataSet"


def sound(method: MethodDescriptor, **fields: Any) -> Message:
    """A request that asks for what there is not, or for lists; `fields` are set over what is filled in."""
    given = {**_more(method.name), **fields}
    if method.name == _IN_PARTS:
        return analysis_service_pb2.CompareDataSetRequest(
            header=analysis_service_pb2.CompareDataSetHeader(
                kind=analysis_service_pb2.DATA_SET_KIND_PLATES, **{"request_id": str(uuid4()), **fields}
            )
        )
    return request_for(method, given, _FACTS)


def _more(name: str) -> dict[str, Any]:
    now = datetime.now(UTC)
    window = {"from": to_timestamp(now - timedelta(hours=1)), "to": to_timestamp(now)}
    scene = {"label": "a place", "area": {"sensors": {"sensor_ids": [_SENSOR]}}, **window}
    every: dict[str, dict[str, Any]] = {
        "FindStakeout": {"scenes": [scene, {**scene, "label": "another"}]},
        "FindCorridor": {
            "line": [{"latitude": 41.9, "longitude": -87.6}, {"latitude": 42.0, "longitude": -87.8}],
            **window,
        },
        "Summarize": window,
        "SearchReads": window,
        "ExportReport": {
            **{"read_ids": [str(uuid4())], "format": 1, "recipient": {"kind": 1}},
            "due_to_delete": None,
        },
        "ExportEvidence": {"report_number": "26-1", "evidence_system": "dems", "evidence_item": "1"},
        "GetWeeklyPacket": {"week": "2026-01-05"},
        "ExplainPolicy": {"action": "question.reads", "role": 0},
        "SubscribeAlerts": {"since": None},
        "ListEntries": {"case_number": "", "account_id": "", "plate": "", "agency_ori": "", **window},
    }
    return every.get(name, {})
