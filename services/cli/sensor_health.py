"""`platewarden sensor health|active|maintenance|report`: how sensors do (ENF-051 III.B.2.c)."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import grpc
import typer
from google.protobuf.timestamp_pb2 import Timestamp

from alpr.ocr.v1 import ocr_service_pb2 as ocr_pb
from alpr.ocr.v1 import ocr_service_pb2_grpc as ocr_rpc
from alpr.search.v1 import sensor_health_service_pb2 as pb
from alpr.search.v1 import sensor_health_service_pb2_grpc as rpc
from alpr.type.v1 import sensor_pb2
from alpr.type.v1.error_reason_pb2 import ErrorReason
from services.cli.account import stamp
from services.cli.locate import locate
from services.cli.options import DATA_DIR, As, DataDir, Json, run, run_signed_in
from services.cli.output import Output
from services.cli.sensor_channel import sensor_channel
from services.cli.session import Session, is_passing
from services.cli.words import DEPLOYMENT_STATUS, MAINTENANCE, PARTITION
from services.common.errors import AlprError, from_rpc_error

Partition = Annotated[
    str, typer.Option("--partition", help="general, or motor-carrier for Motor Carrier Safety (II.H).")
]
_PAUSE_SECONDS = 0.5
_DEADLINE_SECONDS = 15.0
_DAY = timedelta(days=1)


def health(
    sensor_id: Annotated[str, typer.Argument(help="One sensor; without it all of your agency.")] = "",
    partition: Partition = "general",
    subject: As = "",
    data_dir: DataDir = DATA_DIR,
    as_json: Json = False,
) -> None:
    """Last read, rate against its own history, clock, drift and backlog of each sensor."""

    async def work(session: Session, output: Output) -> None:
        stub = rpc.SensorHealthServiceStub(session.channel("search"))
        sensors: list[pb.SensorHealth] = []
        request = pb.GetSensorHealthRequest(sensor_id=sensor_id, partition=PARTITION.number(partition))
        while True:
            answer = await session.call(stub.GetSensorHealth, request)
            sensors.extend(answer.sensors)
            if not answer.next_page_token:
                break
            request.page_token = answer.next_page_token
        columns = (
            "sensor",
            "status",
            "last read",
            "24 h",
            "usual",
            "clock",
            "drift",
            "waiting",
            "needs a hand",
        )
        output.table(sensors, columns, map(_health_row, sensors))

    run_signed_in(work, data_dir=data_dir, subject=subject, as_json=as_json)


def active(
    since: Annotated[datetime | None, typer.Option("--from", help="From this hour, UTC; a day ago.")] = None,
    until: Annotated[datetime | None, typer.Option("--to", help="To this hour, UTC; now.")] = None,
    partition: Partition = "general",
    subject: As = "",
    data_dir: DataDir = DATA_DIR,
    as_json: Json = False,
) -> None:
    """How many sensors sent reads in a period."""

    async def work(session: Session, output: Output) -> None:
        end = (until or datetime.now(UTC)).replace(tzinfo=UTC)
        start = since.replace(tzinfo=UTC) if since else end - _DAY
        request = pb.CountActiveSensorsRequest(
            to=stamp(end), partition=PARTITION.number(partition), **{"from": stamp(start)}
        )
        stub = rpc.SensorHealthServiceStub(session.channel("search"))
        answer: pb.CountActiveSensorsResponse = await session.call(stub.CountActiveSensors, request)
        if output.as_json:
            output.json_line(answer)
            return
        rows = (
            (one.sensor_group, str(one.active_count), str(one.approved_count), str(one.read_count))
            for one in answer.groups
        )
        output.table(list(answer.groups), ("group", "active", "approved", "reads"), rows)
        output.note(
            f"{answer.active_count} of {answer.approved_count} approved sensors active between "
            f"{_moment(answer.counted_from)} and {_moment(answer.counted_to)} UTC"
        )

    run_signed_in(work, data_dir=data_dir, subject=subject, as_json=as_json)


def maintenance(
    everything: Annotated[bool, typer.Option("--all", help="Those that are over, too.")] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Go on: each change as it comes.")] = False,
    after: Annotated[
        int, typer.Option("--after", min=0, help="With --watch: go on after this position.")
    ] = 0,
    count: Annotated[int, typer.Option("--count", min=0, help="With --watch: stop after so many.")] = 0,
    partition: Partition = "general",
    subject: As = "",
    data_dir: DataDir = DATA_DIR,
    as_json: Json = False,
) -> None:
    """What about your agency's sensors needs a hand: silent, moved, wrong clock, backlog."""

    async def listed(session: Session, output: Output) -> None:
        stub = rpc.SensorHealthServiceStub(session.channel("search"))
        request = pb.ListMaintenanceRequest(open_only=not everything, partition=PARTITION.number(partition))
        notices: list[pb.MaintenanceNotice] = []
        while True:
            answer = await session.call(stub.ListMaintenance, request)
            notices.extend(answer.notices)
            if not answer.next_page_token:
                break
            request.page_token = answer.next_page_token
        columns = ("since", "until", "sensor", "what", "description")
        output.table(notices, columns, map(_notice_row, notices))

    async def watched(session: Session, output: Output) -> None:
        seen = 0
        async for notice in _changes(session, after, PARTITION.number(partition), output):
            output.result(notice, "  ".join(_notice_row(notice)))
            seen += 1
            if seen == count:
                return

    run_signed_in(watched if watch else listed, data_dir=data_dir, subject=subject, as_json=as_json)


def report(
    sensor_id: Annotated[str, typer.Argument(help="The sensor that speaks.")],
    waiting: Annotated[int, typer.Option("--waiting", min=0, help="Frames that wait in it.")] = 0,
    waiting_minutes: Annotated[
        float, typer.Option("--waiting-minutes", min=0, help="How long the oldest has waited.")
    ] = 0,
    storage: Annotated[
        float | None, typer.Option("--storage", min=0, max=1, help="Share of its storage that is used.")
    ] = None,
    clock_seconds: Annotated[
        float, typer.Option("--clock-seconds", help="How far its clock is ahead, to try it out.")
    ] = 0,
    cert: Annotated[Path | None, typer.Option("--cert", help="The sensor's certificate, PEM.")] = None,
    key: Annotated[Path | None, typer.Option("--key", help="Its key, PEM.")] = None,
    data_dir: DataDir = DATA_DIR,
    as_json: Json = False,
) -> None:
    """Says, as the sensor itself, how it does."""

    async def work(output: Output) -> None:
        now = datetime.now(UTC)
        status = sensor_pb2.SensorStatus(
            sensor_id=sensor_id,
            sensor_time=stamp(now + timedelta(seconds=clock_seconds)),
            backlog_count=waiting,
            backlog_since=stamp(now - timedelta(minutes=waiting_minutes)) if waiting else None,
            storage_used=storage,
        )
        request = ocr_pb.ReportSensorStatusRequest(status=status)
        async with sensor_channel(locate(data_dir), sensor_id, cert, key) as channel:
            try:
                stub = ocr_rpc.OcrServiceStub(channel)
                answer = await stub.ReportSensorStatus(request, timeout=_DEADLINE_SECONDS)
            except grpc.aio.AioRpcError as error:
                raise from_rpc_error(error) from None
        output.result(answer, f"Kept; received at {_moment(answer.receive_time)} UTC")

    run(work, as_json=as_json)


async def _changes(
    session: Session, after: int, partition: sensor_pb2.Partition.ValueType, output: Output
) -> AsyncIterator[pb.MaintenanceNotice]:
    """Notices without end; a broken stream is taken up again where it was."""
    stub = rpc.SensorHealthServiceStub(session.channel("search"))
    while True:
        request = pb.WatchMaintenanceRequest(after_position=after, partition=partition)
        try:
            async for message in session.stream(stub.WatchMaintenance, request):
                after = message.position
                for notice in message.notices:
                    yield notice
        except AlprError as error:
            if not is_passing(error) and error.reason != ErrorReason.ERROR_REASON_ENTITLEMENT_ENDED:
                raise
            output.note("The stream broke; going on where it stopped")
        await asyncio.sleep(_PAUSE_SECONDS)


def _health_row(one: pb.SensorHealth) -> tuple[str, ...]:
    return (
        one.sensor_id,
        DEPLOYMENT_STATUS.word(one.deployment_status),
        _moment(one.last_capture_time) if one.HasField("last_capture_time") else "never",
        str(one.reads_24h),
        f"{one.usual_reads_24h:.0f}" if one.HasField("usual_reads_24h") else "-",
        f"{one.clock_offset.ToTimedelta().total_seconds():+.1f} s" if one.HasField("clock_offset") else "-",
        f"{one.drift_metres:.0f} m" if one.HasField("drift_metres") else "-",
        str(one.backlog_count) if one.HasField("backlog_count") else "-",
        ", ".join(map(MAINTENANCE.word, one.open_kinds)),
    )


def _notice_row(notice: pb.MaintenanceNotice) -> tuple[str, ...]:
    return (
        _moment(notice.open_time),
        _moment(notice.clear_time) if notice.HasField("clear_time") else "open",
        notice.sensor_id,
        MAINTENANCE.word(notice.kind),
        notice.description,
    )


def _moment(stamp: Timestamp) -> str:
    return f"{stamp.ToDatetime():%Y-%m-%d %H:%M}"
