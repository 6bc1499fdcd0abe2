"""What happens in the drill's system: people, a list, passages, questions, all over the public contracts."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from google.protobuf.timestamp_pb2 import Timestamp
from PIL import Image

from alpr.alerts.v1 import alert_service_pb2 as alerts_pb
from alpr.alerts.v1 import alert_service_pb2_grpc as alerts_rpc
from alpr.audit.v1 import sensor_service_pb2 as sensor_service_pb
from alpr.audit.v1 import sensor_service_pb2_grpc as sensor_rpc
from alpr.audit.v1 import settings_service_pb2 as settings_pb
from alpr.audit.v1 import settings_service_pb2_grpc as settings_rpc
from alpr.search.v1 import retention_service_pb2 as retention_pb
from alpr.search.v1 import retention_service_pb2_grpc as retention_rpc
from alpr.search.v1 import search_service_pb2 as search_pb
from alpr.search.v1 import search_service_pb2_grpc as search_rpc
from alpr.type.v1 import justification_pb2, read_pb2, sensor_pb2
from services.cli import alert, hotlist
from services.cli.camera import Camera
from services.cli.demo import cast
from services.cli.demo.material import Material, leads_file
from services.cli.frames import Picture
from services.cli.locate import locate
from services.cli.options import new_request_id
from services.cli.question import write_receipts
from services.cli.sensor import register_sensor
from services.cli.sensor_certificate import certified_here
from services.cli.sensor_channel import sensor_channel
from services.cli.session import Session
from services.cli.tokens import token_source
from services.common.errors import AlprError
from services.common.issuers import DEVELOPMENT_ISSUER
from tools.restore_drill.clusters import DrillError

SENSOR = "drill-bridge"
KEPT_DAYS = 85
LATECOMER = cast.Person("drill-latecomer", "Drill Latecomer", "user", "1009")
_WHY = justification_pb2.Justification(
    case_number_kind=justification_pb2.CASE_NUMBER_KIND_CAD,
    case_number="2026-004711",
    offence_code="STOLEN_VEHICLE",
    purpose="Stolen vehicle seen at the bridge, looking for where it was before the stop",
)
# Farther apart than a passage lasts, so that each round raises alerts of its own.
_ROUND = timedelta(minutes=7)
_STOOD = timedelta(days=100)


@dataclass
class Scene:
    """The running system in `data_dir`, and what was done in it so far."""

    data_dir: Path
    material: Material
    evidence: Path
    stored: dict[str, str] = field(default_factory=dict)
    """Reads that were answered STORED: id and plate."""
    _rounds: int = 0
    _began: datetime = field(default_factory=lambda: datetime.now(UTC) - timedelta(hours=8))

    @asynccontextmanager
    async def as_person(self, subject: str) -> AsyncIterator[Session]:
        """A session of that person."""
        source = token_source(self.data_dir, subject)
        async with Session(locate(self.data_dir), source, on_wait=lambda _: None) as session:
            yield session

    async def furnish(self) -> None:
        """People, a sensor, and a hot list in use."""
        async with self.as_person(cast.COORDINATOR) as coordinator:
            for person in cast.PEOPLE:
                await cast.enrol(coordinator, person, DEVELOPMENT_ISSUER)
            place = read_pb2.Place(latitude=41.98, longitude=-87.87, description="bridge")
            sensor = sensor_pb2.Sensor(
                sensor_id=SENSOR,
                agency_ori=cast.AGENCY_ORI,
                sensor_group="bridge",
                deployment_type=sensor_pb2.DEPLOYMENT_TYPE_FIXED,
                place=place,
                provenance=sensor_pb2.PROVENANCE_OWN,
            )
            await register_sensor(coordinator, sensor)
            await _approve(coordinator)
            await certified_here(coordinator, SENSOR)
        async with self.as_person(cast.LIST_MANAGER.subject) as manager:
            file = self.evidence / "hot-list.txt"
            file.write_bytes(leads_file(self.material.listed))
            made = await hotlist.create_list(manager, "LEADS stolen vehicles", "leads")
            answer = await hotlist.upload_version(
                manager, made.hot_list_id, file, "il-leads", "Drill file; its rows are invented."
            )
            await hotlist.activate_version(manager, made.hot_list_id, answer.version)

    async def pass_by(self, rounds: int, *, days_ago: int = 0) -> list[str]:
        """Ids of the reads that were stored of so many rounds of passages, each long after the one before."""
        pictures = [one for _ in range(rounds) for one in self._round(days_ago)]
        found: dict[str, str] = {}
        async with sensor_channel(locate(self.data_dir), SENSOR, None, None) as channel:
            async for frame, answer in Camera(channel, None, on_wait=lambda _: None).send(pictures):
                if answer.error.reason:
                    raise DrillError(f"{frame.frame_id} was refused: {answer.error.message}")
                found |= {
                    one.read.read_id: one.read.plate
                    for one in answer.plates
                    if one.status == read_pb2.READ_STATUS_STORED
                }
        self.stored |= found
        return list(found)

    def _round(self, days_ago: int) -> Sequence[Picture]:
        self._rounds += 1
        moment = self._began + self._rounds * _ROUND - timedelta(days=days_ago)
        return [
            Picture(f"{self._rounds}-{one.name}", _another(one.image, self._rounds), moment)
            for one in self.material.pictures
        ]

    async def keep_shorter(self) -> None:
        """Reads are kept `KEPT_DAYS` from now on; the daily purge has been today."""
        async with self.as_person(cast.ADMINISTRATOR) as administrator:
            stub = settings_rpc.SettingsServiceStub(administrator.channel("audit"))
            now = await administrator.call(stub.GetRetention, settings_pb.GetRetentionRequest())
            request = settings_pb.SetRetentionRequest(
                request_id=new_request_id(),
                days=KEPT_DAYS,
                days_before=now.retention.days,
                reason="The drill",
                confirm_days=KEPT_DAYS,
            )
            await administrator.call(stub.SetRetention, request)

    async def purge(self) -> int:
        """Days that were purged at an administrator's word."""
        async with self.as_person(cast.ADMINISTRATOR) as administrator:
            stub = retention_rpc.RetentionServiceStub(administrator.channel("search"))
            request = retention_pb.RunPurgeRequest(request_id=new_request_id())
            answer = await administrator.call(stub.RunPurge, request, deadline=120)
            return int(answer.days)

    async def older(self) -> list[str]:
        """What is older than reads may be kept, of whatever there is in databases and image store."""
        async with self.as_person(cast.AUDITOR.subject) as auditor:
            stub = retention_rpc.RetentionServiceStub(auditor.channel("search"))
            request = retention_pb.CheckRetentionRequest(request_id=new_request_id())
            answer = await auditor.call(stub.CheckRetention, request)
        wrong = {retention_pb.OLDER_REASON_OVERDUE, retention_pb.OLDER_REASON_UNKNOWN}
        return [one.place for one in answer.found if one.reason in {*wrong, retention_pb.OLDER_REASON_COPY}]

    async def ask(self, plate: str, name: str) -> set[str]:
        """Ids of the reads that an officer finds of the plate; the receipts lie in `evidence`."""
        async with self.as_person(cast.OFFICER.subject) as officer:
            stub = search_rpc.SearchServiceStub(officer.channel("search"))
            request = search_pb.SearchReadsRequest(
                request_id=new_request_id(), plate=plate, justification=_WHY, page_size=200
            )
            answer = await officer.call(stub.SearchReads, request)
        folder = self.evidence / name
        folder.mkdir(exist_ok=True)
        write_receipts(answer, folder)
        return {one.read.read_id for one in answer.reads}

    async def enrol_latecomer(self) -> None:
        """One more person gets an account."""
        async with self.as_person(cast.COORDINATOR) as coordinator:
            await cast.enrol(coordinator, LATECOMER, DEVELOPMENT_ISSUER)

    async def confirm(self, alert_id: str) -> None:
        """An officer has the alert confirmed by LEADS."""
        async with self.as_person(cast.OFFICER.subject) as officer:
            await alert.verify(officer, alert_id, "verifying", "", "")
            await alert.verify(officer, alert_id, "confirmed", "LEADS", "drill-1")

    async def resume_token(self) -> str:
        """Where a dispatcher's stream of alerts is now."""
        since = Timestamp()
        since.FromDatetime(datetime.now(UTC))
        async with self.as_person(cast.DISPATCHER.subject) as dispatcher:
            stub = alerts_rpc.AlertServiceStub(dispatcher.channel("alerts"))
            request = alerts_pb.SubscribeAlertsRequest(since=since)
            async for message in dispatcher.stream(stub.SubscribeAlerts, request):
                if message.WhichOneof("event") == "heartbeat":
                    return str(message.resume_token)
        return ""

    async def resumed(self, token: str) -> AlprError | None:
        """What a dispatcher is told who goes on with the token; None if the stream goes on."""
        async with self.as_person(cast.DISPATCHER.subject) as dispatcher:
            stub = alerts_rpc.AlertServiceStub(dispatcher.channel("alerts"))
            try:
                request = alerts_pb.SubscribeAlertsRequest(resume_token=token)
                async for _ in dispatcher.stream(stub.SubscribeAlerts, request):
                    return None
            except AlprError as error:
                return error
        return None


async def _approve(coordinator: Session) -> None:
    """The sensor has stood there for long: the drill has passages of before its own beginning."""
    start = Timestamp()
    start.FromDatetime(datetime.now(UTC) - _STOOD)
    request = sensor_service_pb.ApproveDeploymentRequest(
        request_id=new_request_id(),
        sensor_id=SENSOR,
        status=sensor_pb2.DEPLOYMENT_STATUS_APPROVED,
        approved_from=start,
    )
    stub = sensor_rpc.SensorServiceStub(coordinator.channel("audit"))
    await coordinator.call(stub.ApproveDeployment, request)


def _another(image: bytes, number: int) -> bytes:
    """The same view in another file: the next passage."""
    with Image.open(io.BytesIO(image)) as opened:
        made = io.BytesIO()
        opened.convert("RGB").save(made, "JPEG", quality=95 - number % 20, comment=str(number).encode())
    return made.getvalue()
