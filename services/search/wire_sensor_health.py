"""SensorHealthService: requests to values and back, with every check of the request."""

from __future__ import annotations

import binascii
import re
from base64 import b64decode, urlsafe_b64encode
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from google.protobuf.duration_pb2 import Duration

from alpr.search.v1 import archive_service_pb2 as archive_pb
from alpr.search.v1 import sensor_health_service_pb2 as pb
from alpr.type.v1.sensor_pb2 import Partition
from services.common.errors import FieldViolation, InvalidFieldError
from services.common.wire import parse_moment, raise_violations, to_timestamp
from services.search.app_sensor_health import Changes, GroupCount, SensorView
from services.search.core.sensor_activity import hour_of
from services.search.core.sensor_health import Kind
from services.search.store_sensor_health import Notice, SensorStatus

_USUAL_ROWS: Final = 100
_MOST_ROWS: Final = 500
_LONGEST_PERIOD: Final = timedelta(days=400)
_HOUR: Final = timedelta(hours=1)
_DAY: Final = timedelta(days=1)
_LONGEST_SENSOR_ID: Final = 63
_SENSOR_ID: Final = re.compile(r"[a-z0-9-]{3,63}")
_FIRST: Final = (datetime(9000, 1, 1, tzinfo=UTC), UUID(int=(1 << 128) - 1))


def parse_partition(partition: Partition.ValueType) -> bool:
    """Whether the Motor Carrier Safety system is meant.

    Raises:
        InvalidFieldError: It is no data set.
    """
    if partition not in Partition.values():
        raise_violations([FieldViolation("partition", "must be GENERAL or MOTOR_CARRIER")])
    return partition == Partition.PARTITION_MOTOR_CARRIER


def parse_size(size: int) -> int:
    """Rows of the page.

    Raises:
        InvalidFieldError: It is out of range.
    """
    if not 0 <= size <= _MOST_ROWS:
        text = f"must be 1 to {_MOST_ROWS}, or 0 for {_USUAL_ROWS}"
        raise_violations([FieldViolation("page_size", text)])
    return size or _USUAL_ROWS


def parse_sensor(sensor_id: str) -> str:
    """The sensor that is asked for; empty for all.

    Raises:
        InvalidFieldError: It is no sensor's id. It would stand in the log, where a plate does not belong.
    """
    if sensor_id and not _SENSOR_ID.fullmatch(sensor_id):
        raise_violations([FieldViolation("sensor_id", "must be 3 to 63 of a-z, 0-9 and dashes")])
    return sensor_id


def parse_sensor_after(page_token: str) -> str:
    """The sensor id after which a page begins.

    Raises:
        InvalidFieldError: The token is none of ours.
    """
    return _opened(page_token) if page_token else ""


def parse_period(request: pb.CountActiveSensorsRequest) -> tuple[datetime, datetime]:
    """The period in full hours.

    Raises:
        InvalidFieldError: A bound is missing or wrong.
    """
    wrong: list[FieldViolation] = []
    start, end = parse_moment("from", request, wrong), parse_moment("to", request, wrong)
    if not wrong and not timedelta() < end - start <= _LONGEST_PERIOD:
        wrong.append(FieldViolation("to", f"must be after from, by at most {_LONGEST_PERIOD.days} days"))
    raise_violations(wrong)
    return hour_of(start), hour_of(end + _HOUR - timedelta(microseconds=1))


def parse_notice_before(page_token: str) -> tuple[datetime, UUID]:
    """The notice before which a page begins; before none for the first page.

    Raises:
        InvalidFieldError: The token is none of ours.
    """
    if not page_token:
        return _FIRST
    moment, _, notice_id = _opened(page_token).partition("/")
    try:
        opened = datetime.fromisoformat(moment)
        if opened.tzinfo is None:
            raise _bad_token()
        return opened, UUID(notice_id)
    except ValueError:
        raise _bad_token() from None


def parse_position(position: int) -> int:
    """The position after which a watch goes on.

    Raises:
        InvalidFieldError: It is negative.
    """
    if position < 0:
        raise_violations([FieldViolation("after_position", "must not be negative")])
    return position


def parse_status(request: archive_pb.RecordSensorStatusRequest) -> SensorStatus:
    """What a sensor said of itself.

    Raises:
        InvalidFieldError: A field is missing or wrong.
    """
    wrong: list[FieldViolation] = []
    status = request.status
    received = parse_moment("receive_time", request, wrong)
    told = parse_moment("sensor_time", status, wrong)
    since = parse_moment("backlog_since", status, wrong) if status.HasField("backlog_since") else None
    used = status.storage_used if status.HasField("storage_used") else None
    checks = (
        (
            1 <= len(status.sensor_id) <= _LONGEST_SENSOR_ID and status.sensor_id.isprintable(),
            "sensor_id",
            f"must be 1 to {_LONGEST_SENSOR_ID} printable characters",
        ),
        (status.backlog_count >= 0, "backlog_count", "must not be negative"),
        (used is None or 0 <= used <= 1, "storage_used", "must be 0 to 1"),
    )
    raise_violations(
        [*wrong, *(FieldViolation(f"status.{name}", text) for holds, name, text in checks if not holds)]
    )
    return SensorStatus(
        sensor_id=status.sensor_id,
        receive_time=received,
        clock_offset=told - received,
        backlog_count=status.backlog_count,
        backlog_since=since,
        storage_used=used,
    )


def build_health(views: Sequence[SensorView], size: int) -> pb.GetSensorHealthResponse:
    """One page; `views` has one more when there is another page."""
    return pb.GetSensorHealthResponse(
        sensors=map(_sensor, views[:size]),
        next_page_token=_sealed(views[size - 1].sensor.sensor_id) if len(views) > size else "",
    )


def build_count(
    groups: Sequence[GroupCount], period: tuple[datetime, datetime]
) -> pb.CountActiveSensorsResponse:
    """The counts of all groups and of each."""
    return pb.CountActiveSensorsResponse(
        active_count=sum(one.active for one in groups),
        approved_count=sum(one.approved for one in groups),
        groups=[
            pb.ActiveGroup(
                sensor_group=one.sensor_group,
                active_count=one.active,
                approved_count=one.approved,
                read_count=one.reads,
            )
            for one in groups
        ],
        counted_from=to_timestamp(period[0]),
        counted_to=to_timestamp(period[1]),
    )


def build_notices(notices: Sequence[Notice], size: int) -> pb.ListMaintenanceResponse:
    """One page; `notices` has one more when there is another page."""
    last = notices[size - 1] if len(notices) > size else None
    return pb.ListMaintenanceResponse(
        notices=map(_notice, notices[:size]),
        next_page_token=_sealed(f"{last.open_time.isoformat()}/{last.notice_id}") if last else "",
    )


def build_changes(changes: Changes) -> pb.WatchMaintenanceResponse:
    """One message of the stream."""
    return pb.WatchMaintenanceResponse(notices=map(_notice, changes.notices), position=changes.position)


def _sensor(view: SensorView) -> pb.SensorHealth:
    sensor, facts, now = view.sensor, view.facts, view.moment
    delay, ahead, reports = facts.least_delay(now), facts.clock(now), facts.reports(now)
    message = pb.SensorHealth(
        sensor_id=sensor.sensor_id,
        sensor_group=sensor.sensor_group,
        deployment_type=sensor.deployment_type,
        deployment_status=sensor.status,
        reads_24h=sum(hour.reads for hour in facts.hours),
        usual_reads_24h=facts.usual.expected(hour_of(now) - _DAY + _HOUR, now) if facts.usual else None,
        clock_offset=_duration(ahead),
        least_delay=_duration(delay),
        drift_metres=facts.drift_metres,
        backlog_count=facts.backlog_count if reports else None,
        storage_used=facts.storage_used if reports else None,
        quarantined_24h=sum(hour.quarantined for hour in facts.hours),
        open_kinds=sorted(map(_kind, view.open_kinds)),
    )
    for name, moment in (
        ("last_capture_time", facts.last_capture),
        ("last_receive_time", facts.last_receive),
        ("last_report_time", facts.last_report),
        ("backlog_since", facts.backlog_since if reports else None),
    ):
        if moment is not None:
            getattr(message, name).CopyFrom(to_timestamp(moment))
    return message


def _notice(notice: Notice) -> pb.MaintenanceNotice:
    return pb.MaintenanceNotice(
        notice_id=str(notice.notice_id),
        sensor_id=notice.sensor_id,
        sensor_group=notice.sensor_group,
        kind=_kind(notice.kind),
        description=notice.description,
        open_time=to_timestamp(notice.open_time),
        clear_time=to_timestamp(notice.clear_time) if notice.clear_time else None,
        position=notice.position,
    )


def _kind(kind: Kind) -> pb.MaintenanceKind.ValueType:
    return pb.MaintenanceKind.Value(f"MAINTENANCE_KIND_{kind.value}")


def _duration(length: timedelta | None) -> Duration | None:
    if length is None:
        return None
    message = Duration()
    message.FromTimedelta(length)
    return message


def _sealed(position: str) -> str:
    # It only says where to go on; what may be seen is asked anew.
    return urlsafe_b64encode(position.encode()).decode()


def _opened(token: str) -> str:
    try:
        return b64decode(token.encode("ascii"), altchars=b"-_", validate=True).decode()
    except (binascii.Error, UnicodeError):
        raise _bad_token() from None


def _bad_token() -> InvalidFieldError:
    violation = FieldViolation("page_token", "must be empty or come from the page before")
    return InvalidFieldError("the page token is not one of ours", violations=[violation])
