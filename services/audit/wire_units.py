"""Between the messages of units and this service's own values."""

from __future__ import annotations

from alpr.audit.v1 import unit_service_pb2 as pb
from services.audit.core.unit import Appointment, Unit, UnitKind
from services.audit.wire import Wrong, parse_ori
from services.common.errors import FieldViolation
from services.common.wire import parse_text, parse_uuid, raise_violations, to_timestamp

_DIGEST_BYTES = 32
_MOST_CODE = 50
_MOST_TEXT = 200
_MOST_REASON = 500


def parse_register(request: pb.RegisterUnitRequest) -> Unit:
    """The unit to register. Raises InvalidFieldError."""
    given, wrong = request.unit, _request_id(request.request_id)
    if given.HasField("appointment") or given.served or given.enabled_accounts:
        text = "appointment, served and enabled_accounts must be unset; AppointCoordinator appoints"
        wrong.append(FieldViolation("unit", text))
    kind = _kind(given.kind)
    if kind is None:
        wrong.append(FieldViolation("unit.kind", "must be set"))
    made = Unit(
        agency_ori=parse_ori("unit.agency_ori", given.agency_ori, wrong),
        code=parse_text("unit.code", given.code, wrong, most=_MOST_CODE),
        name=parse_text("unit.name", given.name, wrong, most=_MOST_TEXT),
        kind=kind or UnitKind.DISTRICT,
    )
    raise_violations(wrong)
    return made


def parse_appoint(request: pb.AppointCoordinatorRequest) -> tuple[str, str, Appointment]:
    """Agency, code of the unit, and the appointment. Raises InvalidFieldError."""
    given, wrong = request.appointment, _request_id(request.request_id)
    if given.HasField("appoint_time") or given.HasField("end_time"):
        wrong.append(FieldViolation("appointment", "appoint_time and end_time must be unset"))
    if len(given.document_sha256) != _DIGEST_BYTES:
        text = "must be the SHA-256 of the appointing document, 32 bytes"
        wrong.append(FieldViolation("appointment.document_sha256", text))
    parse_uuid("appointment.account_id", given.account_id, wrong)
    commander = parse_text("appointment.commander", given.commander, wrong, most=_MOST_TEXT)
    ori, code = _which(request, wrong)
    raise_violations(wrong)
    return ori, code, Appointment(given.account_id, commander, given.document_sha256)


def parse_end(request: pb.EndAppointmentRequest) -> tuple[str, str, str]:
    """Agency, code of the unit, and why. Raises InvalidFieldError."""
    wrong = _request_id(request.request_id)
    ori, code = _which(request, wrong)
    reason = parse_text("reason", request.reason, wrong, most=_MOST_REASON)
    raise_violations(wrong)
    return ori, code, reason


def unit(given: Unit) -> pb.Unit:
    """The message."""
    return pb.Unit(
        agency_ori=given.agency_ori,
        code=given.code,
        name=given.name,
        kind=pb.UnitKind.Value(f"UNIT_KIND_{given.kind.value}"),
        appointment=_appointment(given.appointment) if given.appointment else None,
        served=given.served,
        enabled_accounts=given.enabled_accounts,
    )


def _appointment(given: Appointment) -> pb.Appointment:
    return pb.Appointment(
        account_id=given.account_id,
        commander=given.commander,
        document_sha256=given.document_sha256,
        appoint_time=to_timestamp(given.appoint_time) if given.appoint_time else None,
        end_time=to_timestamp(given.end_time) if given.end_time else None,
    )


def _which(request: pb.AppointCoordinatorRequest | pb.EndAppointmentRequest, wrong: Wrong) -> tuple[str, str]:
    ori = parse_ori("agency_ori", request.agency_ori, wrong)
    return ori, parse_text("code", request.code, wrong, most=_MOST_CODE)


def _kind(number: int) -> UnitKind | None:
    if not number or number not in pb.UnitKind.values():
        return None
    return UnitKind(pb.UnitKind.Name(pb.UnitKind.ValueType(number)).removeprefix("UNIT_KIND_"))


def _request_id(request_id: str) -> Wrong:
    wrong: Wrong = []
    parse_uuid("request_id", request_id, wrong)
    return wrong
