"""No contract moves a camera; the registry says that one stands elsewhere by the vendor's work alone."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from google.protobuf.descriptor import Descriptor, FieldDescriptor, MethodDescriptor

from services.audit.config import POLICY_FOLDER
from services.cli.conformance import notices

# What the makers of cameras call it: ONVIF PTZ, RTSP SET_PARAMETER, and plain words.
VERBS = re.compile(
    r"Move|Pan|Tilt|Zoom|Turn|Rotate(?!WebhookSecret)|Aim|Point|Steer|Adjust|Control|Command|Configure|Preset|Ptz|Home|Focus|Reboot"
)
PARTS = re.compile(
    r"(^|_)(pan|tilt|zoom|azimuth|elevation|heading|bearing|yaw|pitch|ptz|preset|focus|aim)(_|$)"
)
# Every RPC whose request tells something about a sensor that is kept. None of them reaches the sensor.
ABOUT_SENSORS = {
    "alpr.audit.v1.SensorService.RegisterSensor",
    "alpr.audit.v1.SensorService.ApproveDeployment",
    "alpr.audit.v1.SensorPlacementService.ApprovePlacement",
    "alpr.audit.v1.SensorPlacementService.EndPlacement",
    "alpr.audit.v1.SensorPlacementService.RecordSurvey",
    "alpr.matcher.v1.MatchService.ReportSensorStatus",
    "alpr.ocr.v1.OcrService.ReportSensorStatus",
    "alpr.search.v1.ArchiveService.RecordSensorStatus",
}


def methods() -> list[MethodDescriptor]:
    return [
        method
        for file in notices.contracts()
        for service in file.services_by_name.values()
        for method in service.methods
    ]


def fields(message: Descriptor, seen: set[str]) -> Iterator[FieldDescriptor]:
    """All fields of the message and of what it holds."""
    if message.full_name in seen:
        return
    seen.add(message.full_name)
    for field in message.fields:
        yield field
        if field.message_type is not None:
            yield from fields(field.message_type, seen)


def test_all_contracts_are_looked_at() -> None:
    names = {method.full_name for method in methods()}

    assert len(names) > 50
    assert names >= ABOUT_SENSORS


@pytest.mark.clause("IV.C.4")
def test_no_rpc_is_named_for_moving_or_setting_a_camera() -> None:
    named = {method.full_name for method in methods() if VERBS.search(method.name)}

    # Their word is "point" in "checkpoint" only where a log has one.
    assert {name for name in named if "Checkpoint" not in name} == set()


@pytest.mark.clause("IV.C.4")
def test_no_message_of_any_rpc_has_a_field_that_points_a_camera() -> None:
    found = {
        f"{method.full_name}: {field.full_name}"
        for method in methods()
        for message in (method.input_type, method.output_type)
        for field in fields(message, set())
        if PARTS.search(field.name)
    }

    assert found == set()


@pytest.mark.clause("IV.C.4")
def test_only_registering_approving_and_reporting_tell_anything_about_a_sensor() -> None:
    telling = {
        method.full_name
        for method in methods()
        if any(
            field.message_type is not None
            and field.message_type.full_name in {"alpr.type.v1.Sensor", "alpr.type.v1.SensorStatus"}
            for field in fields(method.input_type, set())
        )
        or method.name.endswith(("Deployment", "Placement", "Survey"))
    }

    assert telling == ABOUT_SENSORS


@pytest.mark.clause("IV.C.4")
def test_answers_to_sensors_tell_them_nothing_but_the_time_and_what_became_of_reads() -> None:
    to_sensors = {
        method.name: {field.name for field in method.output_type.fields}
        for method in methods()
        if method.name == "ReportSensorStatus"
    }

    assert to_sensors == {"ReportSensorStatus": {"receive_time"}}


@pytest.mark.clause("IV.C.4", "III.B.3.e")
def test_where_a_sensor_stands_is_changed_by_the_vendors_work_and_by_nobody_otherwise() -> None:
    folder = POLICY_FOLDER.parent / "sql"
    texts = "\n".join(path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.sql")))
    granted = re.findall(r"UPDATE \(([^)]*)\)[^;]*ON audit\.sensor\b", texts)

    assert granted == ["status, approved_from, approved_until, revision"]
    changing = re.findall(
        r"CREATE FUNCTION audit\.(\w+)\((?:(?!CREATE FUNCTION).)*?SET latitude", texts, re.DOTALL
    )
    assert changing == ["record_survey"]
