"""Between the messages of sensors, their places and their certificates and this service's own values."""

from __future__ import annotations

import re
from typing import Any, Final

from alpr.audit.v1 import sensor_certificate_service_pb2 as certificate_pb
from alpr.audit.v1 import sensor_placement_service_pb2 as placement_pb
from alpr.audit.v1 import sensor_service_pb2 as service_pb
from alpr.type.v1 import read_pb2, sensor_pb2
from services.audit.app_sensor_certificates import Wish
from services.audit.core.placement import LONGEST_PERIOD, Place, Placement, Survey
from services.audit.core.registry import (
    Approval,
    DeploymentStatus,
    DeploymentType,
    Partition,
    Provenance,
    Sensor,
    SensorAct,
)
from services.audit.core.sensor_certificate import MOST_DAYS, USUAL_DAYS, SensorCertificate
from services.audit.sensor_authority import MOST_PEM
from services.audit.wire import Wrong, parse_ori
from services.audit.wire_registry import named
from services.common.errors import FieldViolation
from services.common.wire import parse_moment, parse_text, parse_uuid, raise_violations, to_timestamp

_SENSOR_ID: Final = re.compile(r"[a-z0-9-]{3,63}")
# One letter or digit at least: a permit that opens no group names "-" (core/scope.py).
_GROUP: Final = re.compile(r"(?=-*[a-z0-9])[a-z0-9-]{1,63}")
_DIGEST_BYTES: Final = 32
_MOST_TEXT: Final = 200
_MOST_VEHICLE: Final = 40
_MOST_ORDER: Final = 100
_MOST_REASON: Final = 500
_MOST_LATITUDE: Final = 90.0
_MOST_LONGITUDE: Final = 180.0


def parse_sensor(request: service_pb.RegisterSensorRequest) -> Sensor:
    """The sensor to register."""
    given, wrong = request.sensor, _request_id(request.request_id)
    if given.status or given.HasField("approved_from") or given.HasField("approved_until"):
        text = "status, approved_from and approved_until must be unset; ApproveDeployment sets them"
        wrong.append(FieldViolation("sensor", text))
    if given.placements or given.certificates:
        wrong.append(FieldViolation("sensor", "placements and certificates must be unset; they have RPCs"))
    parse_sensor_id("sensor.sensor_id", given.sensor_id, wrong)
    if not _GROUP.fullmatch(given.sensor_group):
        wrong.append(FieldViolation("sensor.sensor_group", "must be 1 to 63 of a-z, 0-9 and -, not - alone"))
    deployment = named(sensor_pb2.DeploymentType, given.deployment_type, "DEPLOYMENT_TYPE_")
    provenance = named(sensor_pb2.Provenance, given.provenance, "PROVENANCE_")
    for field, value in (("deployment_type", deployment), ("provenance", provenance)):
        if not value:
            wrong.append(FieldViolation(f"sensor.{field}", "must be set"))
    parse_ori("sensor.agency_ori", given.agency_ori, wrong)
    partition = _partition(given, wrong)
    unit = parse_text("sensor.unit", given.unit, wrong, most=_MOST_TEXT) if given.unit else ""
    place = _place("sensor.place", given, wrong)
    vehicle = _vehicle(given, deployment, wrong)
    raise_violations(wrong)
    return Sensor(
        sensor_id=given.sensor_id,
        agency_ori=given.agency_ori,
        sensor_group=given.sensor_group,
        deployment_type=DeploymentType(deployment),
        place=place,
        provenance=Provenance(provenance),
        status=DeploymentStatus.REGISTERED,
        approved_from=None,
        approved_until=None,
        partition=partition,
        unit=unit,
        vehicle=vehicle,
    )


def parse_approval(request: service_pb.ApproveDeploymentRequest) -> Approval:
    """The coordinator's word on a deployment."""
    wrong = _request_id(request.request_id)
    parse_sensor_id("sensor_id", request.sensor_id, wrong)
    status = named(sensor_pb2.DeploymentStatus, request.status, "DEPLOYMENT_STATUS_")
    if status not in {"APPROVED", "SUSPENDED"}:
        wrong.append(FieldViolation("status", "must be APPROVED or SUSPENDED"))
    approved_from = approved_until = None
    if status == "APPROVED" or request.HasField("approved_from"):
        approved_from = parse_moment("approved_from", request, wrong)
    if request.HasField("approved_until"):
        approved_until = parse_moment("approved_until", request, wrong)
    if approved_until and (approved_from is None or approved_from >= approved_until):
        wrong.append(FieldViolation("approved_until", "must be after approved_from"))
    raise_violations(wrong)
    return Approval(DeploymentStatus(status), approved_from, approved_until)


def sensor(given: Sensor) -> sensor_pb2.Sensor:
    """The message for a sensor."""
    return sensor_pb2.Sensor(
        sensor_id=given.sensor_id,
        agency_ori=given.agency_ori,
        sensor_group=given.sensor_group,
        deployment_type=sensor_pb2.DeploymentType.Value(f"DEPLOYMENT_TYPE_{given.deployment_type.value}"),
        place=_place_message(given.place),
        provenance=sensor_pb2.Provenance.Value(f"PROVENANCE_{given.provenance.value}"),
        status=sensor_pb2.DeploymentStatus.Value(f"DEPLOYMENT_STATUS_{given.status.value}"),
        approved_from=to_timestamp(given.approved_from) if given.approved_from else None,
        approved_until=to_timestamp(given.approved_until) if given.approved_until else None,
        partition=sensor_pb2.Partition.Value(f"PARTITION_{given.partition.value}"),
        unit=given.unit,
        vehicle=given.vehicle,
        placements=map(_placement, given.placements),
        certificates=map(certificate, given.certificates),
    )


def _place(path: str, given: Any, wrong: Wrong) -> Place:
    place = given.place
    inside = abs(place.latitude) <= _MOST_LATITUDE and abs(place.longitude) <= _MOST_LONGITUDE
    # (0, 0) lies in the sea off Africa; it is what a form without a place sends.
    if not given.HasField("place") or not inside or not (place.latitude or place.longitude):
        wrong.append(FieldViolation(path, "must be a point in degrees, WGS 84"))
    description = ""
    if place.description:
        description = parse_text(f"{path}.description", place.description, wrong, most=_MOST_TEXT)
    return Place(place.latitude, place.longitude, description)


def _partition(given: sensor_pb2.Sensor, wrong: Wrong) -> Partition:
    """The sensor's data set; senders of the first contract name none, and meant GENERAL."""
    if given.partition not in sensor_pb2.Partition.values():
        wrong.append(FieldViolation("sensor.partition", "must be GENERAL or MOTOR_CARRIER"))
        return Partition.GENERAL
    return Partition(named(sensor_pb2.Partition, given.partition, "PARTITION_") or Partition.GENERAL)


def parse_sensor_id(path: str, sensor_id: str, wrong: Wrong) -> str:
    """The sensor's id; else adds to `wrong`."""
    if not _SENSOR_ID.fullmatch(sensor_id):
        wrong.append(FieldViolation(path, "must be 3 to 63 of a-z, 0-9 and -"))
    return sensor_id


def parse_shown(request: service_pb.GetSensorRequest) -> str:
    """Which sensor is asked for."""
    wrong: Wrong = []
    sensor_id = parse_sensor_id("sensor_id", request.sensor_id, wrong)
    raise_violations(wrong)
    return sensor_id


def parse_issue(request: certificate_pb.IssueSensorCertificateRequest) -> tuple[str, Wish]:
    """Whose certificate, and what it is to be."""
    wrong = _request_id(request.request_id)
    sensor_id = parse_sensor_id("sensor_id", request.sensor_id, wrong)
    days = request.valid_days or USUAL_DAYS
    if not 1 <= days <= MOST_DAYS:
        wrong.append(FieldViolation("valid_days", f"must be 1 to {MOST_DAYS}, or 0 for {USUAL_DAYS}"))
    _check_pem("certificate_request", request.certificate_request, wrong)
    raise_violations(wrong)
    return sensor_id, Wish(request.certificate_request, days)


def parse_record(request: certificate_pb.RecordSensorCertificateRequest) -> tuple[str, str]:
    """Whose certificate, and the certificate, PEM."""
    wrong = _request_id(request.request_id)
    sensor_id = parse_sensor_id("sensor_id", request.sensor_id, wrong)
    _check_pem("certificate_pem", request.certificate_pem, wrong)
    raise_violations(wrong)
    return sensor_id, request.certificate_pem


def parse_revoke(request: certificate_pb.RevokeSensorCertificateRequest) -> tuple[str, bytes, str]:
    """Whose certificate, which one, and why it is revoked."""
    wrong = _request_id(request.request_id)
    sensor_id = parse_sensor_id("sensor_id", request.sensor_id, wrong)
    if len(request.sha256) != _DIGEST_BYTES:
        wrong.append(FieldViolation("sha256", "must be the SHA-256 of the certificate, 32 bytes"))
    reason = parse_text("reason", request.reason, wrong, most=_MOST_REASON)
    raise_violations(wrong)
    return sensor_id, request.sha256, reason


def parse_period(request: placement_pb.ApprovePlacementRequest) -> tuple[str, Placement]:
    """Which sensor, and the period; its id is not made yet."""
    wrong = _request_id(request.request_id)
    sensor_id = parse_sensor_id("sensor_id", request.sensor_id, wrong)
    place = _place("place", request, wrong)
    start_time = parse_moment("start_time", request, wrong)
    end_time = parse_moment("end_time", request, wrong)
    if not start_time < end_time <= start_time + LONGEST_PERIOD:
        text = f"must be after start_time, by at most {LONGEST_PERIOD.days} days"
        wrong.append(FieldViolation("end_time", text))
    raise_violations(wrong)
    return sensor_id, Placement("", place, start_time, end_time)


def parse_period_end(request: placement_pb.EndPlacementRequest) -> tuple[str, str]:
    """Which sensor, and which of its periods."""
    wrong = _request_id(request.request_id)
    sensor_id = parse_sensor_id("sensor_id", request.sensor_id, wrong)
    placement_id = str(parse_uuid("placement_id", request.placement_id, wrong))
    raise_violations(wrong)
    return sensor_id, placement_id


def parse_survey(request: placement_pb.RecordSurveyRequest) -> tuple[str, Survey]:
    """Which sensor, and what the vendor's work made of it."""
    wrong = _request_id(request.request_id)
    sensor_id = parse_sensor_id("sensor_id", request.sensor_id, wrong)
    survey = Survey(
        place=_place("place", request, wrong),
        work_time=parse_moment("work_time", request, wrong),
        work_order=parse_text("work_order", request.work_order, wrong, most=_MOST_ORDER),
        escort_id=str(parse_uuid("escort_id", request.escort_id, wrong)),
    )
    raise_violations(wrong)
    return sensor_id, survey


def certificate(given: SensorCertificate) -> sensor_pb2.SensorCertificate:
    """The message for a certificate."""
    return sensor_pb2.SensorCertificate(
        sha256=given.sha256,
        start_time=to_timestamp(given.start_time),
        end_time=to_timestamp(given.end_time),
        revoke_time=to_timestamp(given.revoke_time) if given.revoke_time else None,
    )


def act(given: SensorAct) -> service_pb.SensorAct:
    """The message for something that was done."""
    return service_pb.SensorAct(
        intent_id=given.intent_id,
        action=given.action,
        account_id=given.account_id,
        act_time=to_timestamp(given.act_time),
    )


def _placement(given: Placement) -> sensor_pb2.Placement:
    return sensor_pb2.Placement(
        placement_id=given.placement_id,
        place=_place_message(given.place),
        start_time=to_timestamp(given.start_time),
        end_time=to_timestamp(given.end_time) if given.end_time else None,
    )


def _place_message(given: Place) -> read_pb2.Place:
    return read_pb2.Place(latitude=given.latitude, longitude=given.longitude, description=given.description)


def _vehicle(given: sensor_pb2.Sensor, deployment: str, wrong: Wrong) -> str:
    if not given.vehicle:
        return ""
    if deployment != DeploymentType.MOBILE:
        wrong.append(FieldViolation("sensor.vehicle", "must be unset: only a mobile sensor is on a vehicle"))
    return parse_text("sensor.vehicle", given.vehicle, wrong, most=_MOST_VEHICLE)


def _check_pem(field: str, pem: str, wrong: Wrong) -> None:
    if not 1 <= len(pem) <= MOST_PEM:
        wrong.append(FieldViolation(field, f"must be PEM of at most {MOST_PEM} characters"))


def _request_id(request_id: str) -> Wrong:
    wrong: Wrong = []
    parse_uuid("request_id", request_id, wrong)
    return wrong
