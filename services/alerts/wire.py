"""Requests of people into words of the service, with every check of them; alerts into the contract."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from google.protobuf.timestamp_pb2 import Timestamp

from alpr.alerts.v1 import alert_service_pb2 as pb
from alpr.type.v1 import hit_pb2, justification_pb2, notice_pb2, read_pb2, sensor_pb2
from services.alerts.checks import Checks
from services.alerts.core.floor import wanted_categories
from services.alerts.core.model import (
    Alert,
    Category,
    Disposition,
    Escalation,
    Match,
    Partition,
    Step,
    StepKind,
    StepRequest,
    Verification,
)
from services.alerts.core.severity import loudest
from services.alerts.core.timers import acknowledge_by, verify_by
from services.common.wire import to_timestamp

UNVERIFIED = "UNVERIFIED: confirm with LEADS/NCIC before any action"
WITHDRAWN = "WITHDRAWN: listed no longer; not to be acted on without a new confirmation by LEADS/NCIC"
CONFIRMED = (
    "CONFIRMED by LEADS, NCIC or the record's owner, see the history; a lead only, it identifies a plate"
)

_LONGEST = 64
_LONGEST_SYSTEM = 200
_CATEGORIES: frozenset[int] = frozenset(Category)
_STATES: frozenset[int] = frozenset(Verification) - {Verification.NEW}
_DISPOSITIONS: frozenset[int] = frozenset(Disposition) - {Disposition.NONE}


@dataclass(frozen=True, slots=True)
class Look:
    """A request to see one alert."""

    request_id: UUID
    alert_id: UUID
    justification: justification_pb2.Justification | None


@dataclass(frozen=True, slots=True)
class Start:
    """Where a subscriber wants to begin: after `token`, else at `since`, else with the next alert."""

    token: str
    since: datetime | None
    wanted: frozenset[Category]
    partition: Partition = Partition.GENERAL


def parse_partition(value: int, checks: Checks) -> Partition:
    """The data set that is meant; unset means the general one."""
    if value not in sensor_pb2.Partition.values():
        checks.note("partition", "GENERAL or MOTOR_CARRIER")
    return Partition.MOTOR_CARRIER if value == Partition.MOTOR_CARRIER else Partition.GENERAL


def parse_subscribe(request: pb.SubscribeAlertsRequest) -> Start:
    """What the subscriber asks for, widened to the floor of IV.D.2.

    Raises:
        InvalidFieldError: A category or the data set is not of the contract.
    """
    checks = Checks()
    partition = parse_partition(request.partition, checks)
    for number, category in enumerate(request.categories):
        if category not in _CATEGORIES:
            checks.note(f"categories[{number}]", "a category of the contract")
    since = checks.time(request, "since") if request.HasField("since") else None
    checks.raise_if_any()
    chosen = frozenset(Category(category) for category in request.categories)
    return Start(request.resume_token, since, wanted_categories(chosen), partition)


def parse_get(request: pb.GetAlertRequest) -> Look:
    """The look that is asked for. Raises InvalidFieldError."""
    checks = Checks()
    look = Look(
        request_id=checks.uuid("request_id", request.request_id),
        alert_id=checks.uuid("alert_id", request.alert_id),
        justification=request.justification if request.HasField("justification") else None,
    )
    checks.raise_if_any()
    return look


def parse_acknowledge(request: pb.AcknowledgeAlertRequest) -> StepRequest:
    """The step that is asked for. Raises InvalidFieldError."""
    checks = Checks()
    step = StepRequest(
        request_id=checks.uuid("request_id", request.request_id),
        alert_id=checks.uuid("alert_id", request.alert_id),
        kind=StepKind.ACKNOWLEDGE,
    )
    checks.raise_if_any()
    return step


def parse_verify(request: pb.VerifyAlertRequest) -> StepRequest:
    """The step that is asked for; whether it follows from the alert's state is not known here.

    Raises:
        InvalidFieldError: An id is not a UUID, the state is none that can be recorded, or a text is too long.
    """
    checks = Checks()
    if request.state not in _STATES:
        checks.note("state", "a state after NEW")
    step = StepRequest(
        request_id=checks.uuid("request_id", request.request_id),
        alert_id=checks.uuid("alert_id", request.alert_id),
        kind=StepKind.VERIFY,
        verification=Verification(request.state) if request.state in _STATES else None,
        system=checks.optional("system", request.system, longest=_LONGEST_SYSTEM),
        response_id=checks.optional("response_id", request.response_id, longest=_LONGEST_SYSTEM),
        check_id=checks.uuid("check_id", request.check_id) if request.check_id else None,
    )
    if request.check_id and (step.system or step.response_id):
        checks.note("check_id", "stands in place of system and response_id")
    checks.raise_if_any()
    return step


def parse_dispose(request: pb.DisposeAlertRequest) -> StepRequest:
    """The step that is asked for; whether it follows from the alert's state is not known here.

    Raises:
        InvalidFieldError: An id is not a UUID, there is no disposition, or a text is too long.
    """
    checks = Checks()
    if request.disposition not in _DISPOSITIONS:
        checks.note("disposition", "a disposition of the contract")
    step = StepRequest(
        request_id=checks.uuid("request_id", request.request_id),
        alert_id=checks.uuid("alert_id", request.alert_id),
        kind=StepKind.DISPOSE,
        disposition=Disposition(request.disposition)
        if request.disposition in _DISPOSITIONS
        else Disposition.NONE,
        report_number=checks.optional("report_number", request.report_number, longest=_LONGEST),
        reported_by=checks.optional("reported_by", request.reported_by, longest=_LONGEST),
    )
    checks.raise_if_any()
    return step


def encode_alert(alert: Alert) -> pb.Alert:
    """`alert` for people: reasons to doubt and the notice are always there (II.A, III.B.3.r)."""
    sighting, withdrawn_at = alert.sighting, alert.withdrawn_at
    return pb.Alert(
        alert_id=str(alert.alert_id),
        warnings=_warnings(alert),
        notice=_notice(alert),
        severity=pb.Severity.ValueType(loudest(alert.matches)),
        plate=sighting.plate,
        state=sighting.state,
        match_probability=alert.matches[0].probability,
        capture_time=to_timestamp(sighting.capture_time),
        raise_time=to_timestamp(alert.raise_time),
        place=read_pb2.Place(
            latitude=sighting.place.latitude,
            longitude=sighting.place.longitude,
            description=sighting.place.description,
        ),
        sensor_id=sighting.sensor_id,
        sensor_agency_ori=sighting.sensor_agency_ori,
        read_id=str(sighting.read_id),
        entries=[_entry(match) for match in alert.matches],
        acknowledged=alert.acknowledged,
        disposition=pb.Disposition.ValueType(alert.disposition),
        withdraw_time=to_timestamp(withdrawn_at) if withdrawn_at else None,
        withdrawn_entries=[
            pb.WithdrawnEntry(
                entry_id=str(match.entry.key.entry_id),
                withdraw_time=to_timestamp(match.withdrawn.moment),
                reason=pb.WithdrawReason.ValueType(match.withdrawn.reason),
            )
            for match in alert.matches
            if match.withdrawn
        ],
        acknowledge_by=_moment(acknowledge_by(alert)),
        verify_by=_moment(verify_by(alert)),
        escalations=[encode_escalation(escalation) for escalation in alert.escalations],
    )


def encode_escalation(escalation: Escalation) -> pb.Escalation:
    """What was not done about an alert in time."""
    return pb.Escalation(
        escalation_id=str(escalation.escalation_id),
        kind=pb.EscalationKind.ValueType(escalation.kind),
        due_time=to_timestamp(escalation.due_time),
        escalate_time=to_timestamp(escalation.escalate_time),
    )


def _moment(moment: datetime | None) -> Timestamp | None:
    return to_timestamp(moment) if moment else None


def encode_step(step: Step) -> pb.AlertStep:
    """One step of the history."""
    return pb.AlertStep(
        step_time=to_timestamp(step.step_time),
        account_id=step.account_id,
        verification_state=notice_pb2.VerificationState.ValueType(step.verification),
        disposition=pb.Disposition.ValueType(step.disposition),
        system=step.system,
        response_id=step.response_id,
        entry_state=pb.EntryState.ValueType(step.entry_state),
        by_telecom_center=step.by_centre,
        reported_by=step.reported_by,
        report_number=step.report_number,
    )


def _warnings(alert: Alert) -> list[hit_pb2.HitWarning.ValueType]:
    numbers = {int(warning) for match in alert.matches for warning in match.warnings}
    return [hit_pb2.HitWarning.ValueType(number) for number in sorted(numbers)]


def _notice(alert: Alert) -> notice_pb2.Notice:
    state = alert.verification
    text = CONFIRMED if state == Verification.CONFIRMED else UNVERIFIED
    # Also over a confirmation: whether it is newer than the withdrawal is in the history.
    text = WITHDRAWN if alert.withdrawn_at else text
    return notice_pb2.Notice(
        lead_only=True, verification_state=notice_pb2.VerificationState.ValueType(state), text=text
    )


def _entry(match: Match) -> hit_pb2.MatchedEntry:
    entry, vehicle = match.entry, match.entry.vehicle
    return hit_pb2.MatchedEntry(
        entry_id=str(entry.key.entry_id),
        hot_list_id=str(entry.hot_list_id),
        hot_list_name=entry.hot_list_name,
        list_agency_ori=entry.list_agency_ori,
        list_version=entry.key.list_version,
        list_activated_at=to_timestamp(entry.list_activated_at),
        source=hit_pb2.HotListSource.ValueType(entry.source),
        category=hit_pb2.HotListCategory.ValueType(entry.category),
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
        list_time=to_timestamp(entry.list_time) if entry.list_time else None,
        entry_date=entry.entry_date.isoformat() if entry.entry_date else "",
        plate_type=entry.plate_type,
        match_label=hit_pb2.MatchLabel.ValueType(match.label),
        match_grade=hit_pb2.MatchGrade.ValueType(match.grade),
    )
