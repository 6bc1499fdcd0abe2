"""What the tests of the matcher share: neighbours over real gRPC that store by id, files and reads."""

# ruff: noqa: N802 - RPC names are the contract's

from __future__ import annotations

import asyncio
import contextlib
import functools
import hashlib
import uuid
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
from grpc_status import rpc_status

from alpr.alerts.v1 import alert_service_pb2 as alerts_pb
from alpr.alerts.v1 import alert_service_pb2_grpc as alerts_grpc
from alpr.audit.v1 import authorization_service_pb2 as audit_pb
from alpr.audit.v1 import authorization_service_pb2_grpc as audit_grpc
from alpr.audit.v1 import governance_service_pb2 as agency_pb
from alpr.audit.v1 import governance_service_pb2_grpc as agency_grpc
from alpr.audit.v1 import sensor_service_pb2 as sensors_pb
from alpr.audit.v1 import sensor_service_pb2_grpc as sensors_grpc
from alpr.matcher.v1 import hot_list_service_pb2 as lists_pb
from alpr.matcher.v1 import hot_list_service_pb2_grpc as lists_grpc
from alpr.matcher.v1 import local_list_service_pb2 as local_pb
from alpr.matcher.v1 import local_list_service_pb2_grpc as local_grpc
from alpr.matcher.v1 import match_service_pb2 as match_pb
from alpr.matcher.v1 import match_service_pb2_grpc as match_grpc
from alpr.matcher.v1 import scope_service_pb2_grpc as scope_grpc
from alpr.matcher.v1 import tuning_service_pb2 as tuning_pb
from alpr.matcher.v1 import tuning_service_pb2_grpc as tuning_grpc
from alpr.search.v1 import archive_service_pb2 as archive_pb
from alpr.search.v1 import archive_service_pb2_grpc as archive_grpc
from alpr.type.v1 import hit_pb2, justification_pb2, read_pb2, sensor_pb2
from services.common.client import ClientTls, bearer, service_channel, user_channel
from services.common.clock import SystemClock
from services.common.errors import AlprError, NotPermittedError, UnauthenticatedError, to_status
from services.common.readid import read_id_of_sender
from services.common.wire import to_timestamp
from services.dev.pki import DevelopmentAuthority, IssuedCertificate
from services.matcher.__main__ import build
from services.matcher.config import MatcherSettings
from tests.support.databases import MigratedDatabase
from tests.support.sensor_certificates import on_record
from tests.support.serving import until_serving

ORI = "IL0160000"
OTHER_ORI = "IL0990000"
MANAGER = "token-of-the-list-manager"
COLLEAGUE = "token-of-a-colleague-of-the-unit"
UNIT = "D1"
STRANGER = "token-of-another-agencys-manager"
OFFICER = "token-without-the-role"
SENSOR = "i90-mile12-east"
OTHER_SENSOR = "chi-lsd-01"
SUSPENDED_SENSOR = "i57-mile03-north"
SCALE_SENSOR = "i80-scale-house-1"
OTHER_SCALE_SENSOR = "i55-scale-house-2"
ATTESTATION = "Current LEADS extract, obtained lawfully."
CROP, OVERVIEW = b"\xff\xd8crop", b"\xff\xd8overview"


async def refuse(context: Any, error: AlprError) -> None:
    status = rpc_status.to_status(to_status(error))
    await context.abort(status.code, status.details, status.trailing_metadata)


@dataclass
class Neighbour:
    """Something that can be away, or hold every call until it is let go."""

    down: bool = False
    calls: int = 0
    open: asyncio.Event = field(default_factory=asyncio.Event)
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def called(self, times: int) -> None:
        """Returns when it was called so many times in all; gives up after 10 seconds."""
        async with asyncio.timeout(60), self.changed:
            await self.changed.wait_for(lambda: self.calls >= times)

    async def enter(self, context: Any) -> None:
        async with self.changed:
            self.calls += 1
            self.changed.notify_all()
        if self.down:
            await context.abort(grpc.StatusCode.UNAVAILABLE, "away")
        await self.open.wait()

    def __post_init__(self) -> None:
        self.open.set()


class Governance(agency_grpc.GovernanceServiceServicer):
    """Tells of agreements, in the order in which tests add them; each is a change of its own."""

    def __init__(self) -> None:
        self.door = Neighbour()
        self.agreements: list[agency_pb.Agreement] = []
        self.told = asyncio.Condition()

    async def tell(self, agreement: agency_pb.Agreement) -> None:
        """Has every watcher hear of an agreement that is new or changed."""
        async with self.told:
            self.agreements.append(agreement)
            self.told.notify_all()

    async def WatchAgreements(self, _: agency_pb.WatchAgreementsRequest, context: Any) -> AsyncIterator[Any]:
        told, snapshot = 0, True
        while True:
            await self.door.enter(context)
            news, told = self.agreements[told:], len(self.agreements)
            yield agency_pb.WatchAgreementsResponse(agreements=news, revision=told, snapshot=snapshot)
            snapshot = False
            async with self.told:
                if len(self.agreements) == told:
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(self.told.wait(), 1)


class Audit(audit_grpc.AuthorizationServiceServicer, sensors_grpc.SensorServiceServicer):
    """Knows four people and three sensors, and keeps intents and outcomes by request id."""

    # Acts of the matcher itself, without a person.
    own_acts = frozenset({"local_list.suspend", "hot_list.tune", "look_back.run"})
    people = {  # noqa: RUF012 - never changed
        MANAGER: ("manager", ORI, True),
        COLLEAGUE: ("colleague", ORI, True),
        STRANGER: ("stranger", OTHER_ORI, True),
        OFFICER: ("officer", ORI, False),
    }

    def __init__(self, tls: DevelopmentAuthority) -> None:
        self.tls = tls
        self.intents = Neighbour()
        self.outcomes = Neighbour()
        self.intent_requests: dict[str, audit_pb.RecordIntentRequest] = {}
        self.outcome_requests: dict[str, audit_pb.RecordOutcomeRequest] = {}
        self.governance = Governance()

    async def RecordIntent(self, request: audit_pb.RecordIntentRequest, context: Any) -> Any:
        await self.intents.enter(context)
        if request.access_token not in self.people and request.action not in self.own_acts:
            await refuse(context, UnauthenticatedError("the token was not accepted"))
        account, agency, allowed = self.people.get(
            request.access_token, ("matcher", request.resource_agency_ori, True)
        )
        if not allowed or request.resource_agency_ori not in ("", agency):
            await refuse(context, NotPermittedError("refused", metadata={"clauses": "III.B.3.f"}))
        if request.resource_account_id not in ("", account):
            await refuse(context, NotPermittedError("refused", metadata={"clauses": "II.D"}))
        before = self.intent_requests.setdefault(request.request_id, request)
        if before != request:
            await context.abort(grpc.StatusCode.ALREADY_EXISTS, "request id reused")
        return audit_pb.RecordIntentResponse(
            intent_id=self.intent_id(request.request_id),
            actor=audit_pb.Actor(account_id=account, agency_ori=agency, unit=UNIT),
        )

    async def RecordOutcome(self, request: audit_pb.RecordOutcomeRequest, context: Any) -> Any:
        await self.outcomes.enter(context)
        self.outcome_requests[request.request_id] = request
        return audit_pb.RecordOutcomeResponse()

    async def WatchSensors(self, _: sensors_pb.WatchSensorsRequest, context: Any) -> AsyncIterator[Any]:
        yield sensors_pb.WatchSensorsResponse(sensors=_sensors(self.tls), revision=1, snapshot=True)
        while True:
            await asyncio.sleep(1)
            yield sensors_pb.WatchSensorsResponse(revision=1)

    @staticmethod
    def intent_id(request_id: str) -> str:
        return str(uuid.uuid5(uuid.NAMESPACE_OID, request_id))

    def results(self, request_id: str) -> list[int]:
        """Outcomes of the intent of that request."""
        subject = self.intent_id(request_id)
        return [one.result for one in self.outcome_requests.values() if one.subject_id == subject]

    def actions(self) -> list[str]:
        return [request.action for request in self.intent_requests.values()]


def _sensors(tls: DevelopmentAuthority) -> list[sensor_pb2.Sensor]:
    start = to_timestamp(datetime(2020, 1, 1, tzinfo=UTC))
    status = sensor_pb2.DEPLOYMENT_STATUS_APPROVED, sensor_pb2.DEPLOYMENT_STATUS_SUSPENDED
    general, apart = sensor_pb2.PARTITION_UNSPECIFIED, sensor_pb2.PARTITION_MOTOR_CARRIER
    wanted = (
        (SENSOR, ORI, 0, general),
        (OTHER_SENSOR, OTHER_ORI, 0, general),
        (SUSPENDED_SENSOR, ORI, 1, general),
        (SCALE_SENSOR, ORI, 0, apart),
        (OTHER_SCALE_SENSOR, OTHER_ORI, 0, apart),
    )
    return [
        sensor_pb2.Sensor(
            sensor_id=sensor_id,
            agency_ori=agency,
            sensor_group="expressway",
            deployment_type=sensor_pb2.DEPLOYMENT_TYPE_FIXED,
            provenance=sensor_pb2.PROVENANCE_OWN,
            status=status[n],
            approved_from=start,
            partition=partition,
            unit="District 15",
            certificates=[on_record(tls.sensor(sensor_id))],
        )
        for sensor_id, agency, n, partition in wanted
    ]


class Alerts(alerts_grpc.AlertServiceServicer):
    """Keeps hits by read, entry and list version, as the contract says."""

    def __init__(self) -> None:
        self.door = Neighbour()
        self.hits: dict[tuple[str, str, int], alerts_pb.MatchedHit] = {}
        self.reads: dict[str, alerts_pb.Hit] = {}
        self.raised = 0
        self.withdrawals: list[alerts_pb.WithdrawAlertsRequest] = []
        # What people found, one a position of the feed.
        self.judged: list[alerts_pb.JudgedAlert] = []
        self.epoch = 7

    async def ListDispositions(self, request: alerts_pb.ListDispositionsRequest, context: Any) -> Any:
        await self.door.enter(context)
        start = request.after_position if request.epoch == self.epoch else 0
        page = self.judged[start : start + request.page_size]
        return alerts_pb.ListDispositionsResponse(
            alerts=page,
            last_position=start + len(page),
            epoch=self.epoch,
            has_more=len(page) == request.page_size,
        )

    async def RaiseAlerts(self, request: alerts_pb.RaiseAlertsRequest, context: Any) -> Any:
        await self.door.enter(context)
        for hit in request.hits:
            read_id = hit.captured_read.read.read_id
            self.reads.setdefault(read_id, hit)
            for match in hit.matches:
                key = (read_id, match.entry.entry_id, match.entry.list_version)
                self.raised += key not in self.hits
                self.hits.setdefault(key, match)
        ids = [f"alert-{hit.captured_read.read.read_id}" for hit in request.hits]
        return alerts_pb.RaiseAlertsResponse(alert_ids=ids)

    async def WithdrawAlerts(self, request: alerts_pb.WithdrawAlertsRequest, context: Any) -> Any:
        await self.door.enter(context)
        self.withdrawals.append(request)
        return alerts_pb.WithdrawAlertsResponse()


class Archive(archive_grpc.ArchiveServiceServicer):
    """Keeps reads by id."""

    def __init__(self) -> None:
        self.door = Neighbour()
        self.reads: dict[str, archive_pb.ArchivedRead] = {}
        self.look_backs = Neighbour()
        self.asked: list[archive_pb.FindForLookBackRequest] = []
        self.statuses: list[archive_pb.RecordSensorStatusRequest] = []
        self.refused = False
        self.pictures = Neighbour()
        self.pictures_asked: list[archive_pb.GetLookBackPicturesRequest] = []
        self.without_picture: set[str] = set()
        self.refused_plates: set[str] = set()

    async def FindForLookBack(
        self, request: archive_pb.FindForLookBackRequest, context: Any
    ) -> AsyncIterator[archive_pb.FindForLookBackResponse]:
        await self.look_backs.enter(context)
        if self.refused:
            await context.abort(grpc.StatusCode.NOT_FOUND, "no such act")
        self.asked.append(request)
        found = [one for key, one in sorted(self.reads.items()) if key > request.after_read_id]
        older = [one for one in found if one.match_revision < request.match_revision]
        asked = [one for one in older if (one.partition or 1) == (request.partition or 1)]
        wanted = [one for one in asked if one.read.plate in request.plates or not request.plates]
        yield archive_pb.FindForLookBackResponse(
            reads=wanted[: request.page_size], has_more=len(wanted) > request.page_size
        )

    async def GetLookBackPictures(
        self, request: archive_pb.GetLookBackPicturesRequest, context: Any
    ) -> AsyncIterator[archive_pb.GetLookBackPicturesResponse]:
        await self.pictures.enter(context)
        self.pictures_asked.append(request)
        for read_id in sorted(request.read_ids):
            if read_id not in self.without_picture:
                yield archive_pb.GetLookBackPicturesResponse(
                    read_id=read_id, crop_image=CROP, overview_image=OVERVIEW
                )

    async def RecordSensorStatus(self, request: archive_pb.RecordSensorStatusRequest, context: Any) -> Any:
        await self.door.enter(context)
        self.statuses.append(request)
        return archive_pb.RecordSensorStatusResponse()

    async def AppendReads(self, request: archive_pb.AppendReadsRequest, context: Any) -> Any:
        await self.door.enter(context)
        if self.refused_plates & {one.read.plate for one in request.reads}:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "a field is wrong")
        results = [
            archive_pb.AppendResult(read_id=one.read.read_id, status=status, status_reason=reason)
            for one in request.reads
            for status, reason in [self._append(one)]
        ]
        return archive_pb.AppendReadsResponse(results=results)

    def _append(self, one: archive_pb.ArchivedRead) -> tuple[read_pb2.ReadStatus.ValueType, str]:
        read, captured = one.read, one.read.capture_time.ToDatetime(UTC)
        now = datetime.now(UTC)
        if not read.HasField("capture_time") or captured > now + timedelta(minutes=5):
            return read_pb2.READ_STATUS_QUARANTINED, "time"
        if captured < now - timedelta(days=90):
            return read_pb2.READ_STATUS_OUT_OF_RETENTION, ""
        if not read.HasField("place") or not read.image.sha256:
            return read_pb2.READ_STATUS_QUARANTINED, "incomplete"
        if before := self.reads.get(read.read_id):
            same = before.read.plate == read.plate
            return (
                (read_pb2.READ_STATUS_DUPLICATE, "")
                if same
                else (read_pb2.READ_STATUS_CONFLICT, "other content")
            )
        self.reads[read.read_id] = one
        return read_pb2.READ_STATUS_STORED, ""


def client_tls(issued: IssuedCertificate) -> ClientTls:
    return ClientTls(issued.cert_file, issued.key_file, issued.ca_file)


@contextlib.asynccontextmanager
async def served(tls: DevelopmentAuthority, name: str, add: Any) -> AsyncIterator[str]:
    """Serves what `add` adds under `name`'s certificate; gives host:port."""
    issued = tls.server(name)
    pair = (issued.key_file.read_bytes(), issued.cert_file.read_bytes())
    server = grpc.aio.server(options=[("grpc.max_receive_message_length", 20 << 20)])
    add(server)
    credentials = grpc.ssl_server_credentials([pair], issued.ca_file.read_bytes(), require_client_auth=True)
    port = server.add_secure_port("127.0.0.1:0", credentials)
    await server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        await server.stop(0)


@dataclass
class World:
    """The matcher's neighbours, running, and what is needed to start matchers beside them."""

    tls: DevelopmentAuthority
    database: MigratedDatabase
    folder: Path
    audit: Audit
    alerts: Alerts
    archive: Archive
    targets: dict[str, str]

    def environment(self, **more: str) -> dict[str, str]:
        issued = self.tls.service("matcher")
        return {
            "PW_LISTEN": "127.0.0.1:0",
            "PW_USER_LISTEN": "127.0.0.1:0",
            "PW_TLS_CERT": str(issued.cert_file),
            "PW_TLS_KEY": str(issued.key_file),
            "PW_TLS_CA": str(issued.ca_file),
            "PW_DATABASE_URL": self.database.url("matcher_app"),
            "PW_UPLOAD_SPOOL_DIR": str(self.folder),
            **{f"PW_{name.upper()}_TARGET": target for name, target in self.targets.items()},
            **more,
        }


@contextlib.asynccontextmanager
async def a_world(
    tls: DevelopmentAuthority, database: MigratedDatabase, folder: Path
) -> AsyncIterator[World]:
    """The neighbours, until the block ends."""
    audit, alerts, archive = Audit(tls), Alerts(), Archive()

    def add_audit(server: Any) -> None:
        audit_grpc.add_AuthorizationServiceServicer_to_server(audit, server)
        sensors_grpc.add_SensorServiceServicer_to_server(audit, server)
        agency_grpc.add_GovernanceServiceServicer_to_server(audit.governance, server)

    add_alerts = functools.partial(alerts_grpc.add_AlertServiceServicer_to_server, alerts)
    add_archive = functools.partial(archive_grpc.add_ArchiveServiceServicer_to_server, archive)
    async with (
        served(tls, "audit", add_audit) as to_audit,
        served(tls, "alerts", add_alerts) as to_alerts,
        served(tls, "search", add_archive) as to_search,
    ):
        targets = {"audit": to_audit, "alerts": to_alerts, "search": to_search}
        yield World(tls, database, folder, audit, alerts, archive, targets)


@dataclass
class Matcher:
    """A matcher that serves, and its callers."""

    world: World
    port: int
    user_port: int

    @contextlib.asynccontextmanager
    async def channel_of(self, issued: IssuedCertificate) -> AsyncIterator[grpc.aio.Channel]:
        target = f"127.0.0.1:{self.port}"
        async with service_channel(target, client_tls(issued), server_name="matcher") as channel:
            yield channel

    @contextlib.asynccontextmanager
    async def reads_of(self, name: str) -> AsyncIterator[match_grpc.MatchServiceAsyncStub]:
        """Stub of the ocr service (`ocr`), another service (`service/x`), or a sensor (its id)."""
        if name == "ocr" or name.startswith("service/"):
            issued = self.world.tls.service(name.removeprefix("service/"))
        else:
            issued = self.world.tls.sensor(name)
        async with self.channel_of(issued) as channel:
            yield match_grpc.MatchServiceStub(channel)

    @contextlib.asynccontextmanager
    async def person(self, token: str = MANAGER) -> AsyncIterator[Person]:
        async with user_channel(f"127.0.0.1:{self.user_port}", self.world.tls.ca_file) as channel:
            yield Person(channel, token)


class Person:
    """A person who calls with a token."""

    def __init__(self, channel: grpc.aio.Channel, token: str) -> None:
        self.lists: lists_grpc.HotListServiceAsyncStub = lists_grpc.HotListServiceStub(channel)
        self.local: local_grpc.LocalListServiceAsyncStub = local_grpc.LocalListServiceStub(channel)
        self.matching: match_grpc.MatchServiceAsyncStub = match_grpc.MatchServiceStub(channel)
        self.scope: scope_grpc.ScopeServiceAsyncStub = scope_grpc.ScopeServiceStub(channel)
        self.tuning: tuning_grpc.TuningServiceAsyncStub = tuning_grpc.TuningServiceStub(channel)
        self.metadata = (bearer(token),) if token else ()

    async def create(self, name: str = "", request_id: str = "", source: int = 2) -> lists_pb.HotList:
        request = lists_pb.CreateHotListRequest(
            request_id=request_id or new_id(),
            name=name or new_id(),
            source=hit_pb2.HotListSource.ValueType(source),
        )
        answer = await self.lists.CreateHotList(request, metadata=self.metadata, timeout=60)
        return answer.hot_list

    async def upload(
        self, hot_list_id: str, content: bytes, *, request_id: str = "", **changes: Any
    ) -> lists_pb.UploadHotListVersionResponse:
        header = upload_header(hot_list_id, content, request_id=request_id, **changes)
        return await self.lists.UploadHotListVersion(
            upload_parts(header, content), metadata=self.metadata, timeout=30
        )

    async def activate(
        self, hot_list_id: str, version: int, request_id: str = ""
    ) -> lists_pb.ActivateHotListVersionResponse:
        request = lists_pb.ActivateHotListVersionRequest(
            request_id=request_id or new_id(), hot_list_id=hot_list_id, version=version
        )
        return await self.lists.ActivateHotListVersion(request, metadata=self.metadata, timeout=60)

    async def active_list(self, *plates: str, source: int = 2) -> lists_pb.HotList:
        """A new list with these plates of Illinois, active."""
        made = await self.create(source=source)
        await self.upload(made.hot_list_id, csv_of(*plates))
        return (await self.activate(made.hot_list_id, 1)).hot_list

    async def tuning_of(self, hot_list_id: str) -> tuning_pb.GetHotListTuningResponse:
        request = tuning_pb.GetHotListTuningRequest(hot_list_id=hot_list_id)
        return await self.tuning.GetHotListTuning(request, metadata=self.metadata, timeout=60)

    async def watch_for(self, pattern: str, /, **changes: Any) -> local_pb.AddLocalEntryResponse:
        """Puts `pattern` on the person's own list, for a day; `changes` replace fields of the request."""
        request = watch_request(pattern, **changes)
        return await self.local.AddLocalEntry(request, metadata=self.metadata, timeout=60)

    async def watch_no_more(self, entry_id: str, request_id: str = "") -> local_pb.RemoveLocalEntryResponse:
        request = local_pb.RemoveLocalEntryRequest(request_id=request_id or new_id(), entry_id=entry_id)
        return await self.local.RemoveLocalEntry(request, metadata=self.metadata, timeout=60)

    async def watched(self, **fields: Any) -> local_pb.ListLocalEntriesResponse:
        request = local_pb.ListLocalEntriesRequest(**fields)
        return await self.local.ListLocalEntries(request, metadata=self.metadata, timeout=60)


def watch_request(pattern: str, /, **changes: Any) -> local_pb.AddLocalEntryRequest:
    """A good request for the person's own list; `lives` says for how long."""
    lives = changes.pop("lives", timedelta(days=1))
    fields = {
        "request_id": new_id(),
        "owner_kind": local_pb.LOCAL_LIST_OWNER_KIND_USER,
        "pattern": pattern,
        "state": "IL",
        "category": hit_pb2.HOT_LIST_CATEGORY_FELONY,
        "justification": justification_pb2.Justification(
            case_number_kind=justification_pb2.CASE_NUMBER_KIND_CAD,
            case_number="2026-004711",
            purpose="homicide investigation, victim's car seen leaving",
            offence_code="HOMICIDE",
        ),
        "expire_time": to_timestamp(datetime.now(UTC) + lives),
    }
    return local_pb.AddLocalEntryRequest(**{**fields, **changes})


def upload_header(
    hot_list_id: str, content: bytes, *, request_id: str = "", **changes: Any
) -> lists_pb.UploadHeader:
    fields = {
        "request_id": request_id or new_id(),
        "hot_list_id": hot_list_id,
        "format": lists_pb.HOT_LIST_FORMAT_CSV,
        "sha256": hashlib.sha256(content).digest(),
        "size_bytes": len(content),
        "attestation": ATTESTATION,
    }
    return lists_pb.UploadHeader(**{**fields, **changes})


def upload_parts(
    header: lists_pb.UploadHeader, content: bytes, chunk: int = 1 << 20
) -> Iterator[lists_pb.UploadHotListVersionRequest]:
    yield lists_pb.UploadHotListVersionRequest(header=header)
    for start in range(0, len(content), chunk):
        yield lists_pb.UploadHotListVersionRequest(chunk=content[start : start + chunk])


def csv_of(*plates: str, category: str = "STOLEN_VEHICLE", state: str = "IL") -> bytes:
    rows = [f"{plate},{state},{category},V26A{n:04d}" for n, plate in enumerate(plates)]
    return "\n".join(["plate,state,category,record_number", *rows]).encode()


def new_id() -> str:
    return str(uuid.uuid4())


def a_read(
    plate: str,
    /,
    *,
    sensor_id: str = SENSOR,
    age: timedelta = timedelta(seconds=2),
    name: str = "",
    **changes: Any,
) -> read_pb2.CapturedRead:
    """A complete read of a plate of Illinois; `changes` replace fields of Read, None clears one."""
    captured = datetime.now(UTC) - age
    name = name or new_id()
    read = read_pb2.Read(
        read_id=str(read_id_of_sender(sensor_id, captured, name)),
        sensor_id=sensor_id,
        capture_time=to_timestamp(captured),
        receive_time=to_timestamp(captured + timedelta(milliseconds=300)),
        place=read_pb2.Place(latitude=41.9, longitude=-87.9, description="I-90 at mile 12"),
        plate=plate,
        lattice=read_pb2.Lattice(
            positions=[
                read_pb2.Position(
                    characters=[read_pb2.CharacterProbability(character=char, probability=0.99)]
                )
                for char in plate
            ]
        ),
        states=[read_pb2.StateProbability(state="IL", probability=0.97)],
        plate_box=read_pb2.Box(x=1, y=2, width=100, height=40),
        image=read_pb2.ImageRef(
            sha256=hashlib.sha256(OVERVIEW).digest(),
            day=f"{captured:%Y-%m-%d}",
            media_type="image/jpeg",
            size_bytes=len(OVERVIEW),
            image_key=bytes(32),
        ),
        model_version="test@1",
        sender_read_id=name,
    )
    for key, value in changes.items():
        read.ClearField(key)  # type: ignore[arg-type]
        if value is not None:
            read.MergeFrom(read_pb2.Read(**{key: value}))
    return read_pb2.CapturedRead(read=read, crop_image=CROP, overview_image=OVERVIEW)


def batch(number: int, *reads: read_pb2.CapturedRead) -> match_pb.SubmitReadsRequest:
    return match_pb.SubmitReadsRequest(batch_number=number, reads=reads)


async def submit(
    stub: match_grpc.MatchServiceAsyncStub, *batches: match_pb.SubmitReadsRequest
) -> Sequence[match_pb.SubmitReadsResponse]:
    """All answers of a stream of these batches."""
    return [answer async for answer in stub.SubmitReads(iter(batches), timeout=30)]


@contextlib.asynccontextmanager
async def a_matcher(world: World, **more: str) -> AsyncIterator[Matcher]:
    """A matcher of the real wiring in this process, until the block ends."""
    settings = MatcherSettings.model_validate(
        {name.removeprefix("PW_").lower(): value for name, value in world.environment(**more).items()}
    )
    builder = await build(settings, SystemClock())
    server = builder.build()
    await server.start()
    try:
        await until_serving(server)
        yield Matcher(world, server.port, server.user_port)
    finally:
        await server.stop()
