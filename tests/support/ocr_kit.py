"""What the tests of ocr share: models, neighbours behind real gRPC, a running service, frames."""

from __future__ import annotations

import asyncio
import functools
import re
import secrets
import shutil
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import cv2
import grpc
import numpy as np
from google.rpc import error_details_pb2  # type: ignore[import-untyped]
from grpc_status import rpc_status

from alpr.audit.v1 import authorization_service_pb2 as acts_pb
from alpr.audit.v1 import authorization_service_pb2_grpc as acts_grpc
from alpr.audit.v1 import sensor_service_pb2 as audit_pb
from alpr.audit.v1 import sensor_service_pb2_grpc as audit_grpc
from alpr.audit.v1.settings_service_pb2_grpc import add_SettingsServiceServicer_to_server
from alpr.matcher.v1 import match_service_pb2 as match_pb
from alpr.matcher.v1 import match_service_pb2_grpc as match_grpc
from alpr.ocr.v1 import ocr_service_pb2 as pb
from alpr.ocr.v1.ocr_service_pb2_grpc import OcrServiceStub
from alpr.type.v1 import read_pb2, sensor_pb2
from services.cli.scenes import draw_scene
from services.common.client import ClientTls, bearer, service_channel, user_channel
from services.common.clock import SystemClock
from services.common.errors import AlprError, to_status
from services.common.wire import to_timestamp
from services.dev.pki import DevelopmentAuthority, IssuedCertificate
from services.ocr.__main__ import build
from services.ocr.config import OcrSettings
from services.ocr.engine import Engine
from services.ocr.models import PACKAGED, ModelSet, known_versions
from tests.support.sensor_certificates import on_record
from tests.support.serving import until_serving
from tests.support.settings import SystemSettings
from tools import assets

FIXED, MOBILE, SUSPENDED = "i90-mile12-east", "isp-unit-0417", "i57-mile03-north"
SCALE = "i80-scale-house-1"
# Portable ones: with a period that is open, and with none.
PLACED, UNPLACED = "isp-trailer-2", "isp-trailer-3"
RAMP = read_pb2.Place(latitude=42.3, longitude=-88.4, description="ramp of exit 12")
SURVEYED = read_pb2.Place(latitude=42.1, longitude=-88.2, description="I-90 at mile 12, eastbound")
_START = datetime(2020, 1, 1, tzinfo=UTC)


@functools.cache
def model() -> ModelSet:
    """The newest of the models that are shipped."""
    return list(known_versions(PACKAGED).values())[-1]


@functools.cache
def engine() -> Engine:
    """The models that are shipped, loaded once a process."""
    return Engine(model(), threads=1)


def copy_of_models(folder: Path, *versions: str) -> Path:
    """A folder with the shipped models under other names, one made a day after the other."""
    for day, version in enumerate(versions, start=1):
        shutil.copytree(model().files[0].path.parent, folder / version)
        listed = folder / version / "model.toml"
        text = listed.read_text(encoding="utf-8")
        text = re.sub(r"(?m)^version = .*$", f'version = "{version}"', text)
        listed.write_text(re.sub(r"(?m)^date = .*$", f"date = 2026-01-{day:02d}", text), encoding="utf-8")
    return folder


@functools.cache
def photograph() -> bytes:
    """The photograph of a car whose plate is PHOTOGRAPHED; without it the tests fail, and say so."""
    assert assets.main() == 0, "the photograph is missing and could not be fetched: run `make assets`"
    return (assets.ASSETS / "photos" / "test_image.png").read_bytes()


PHOTOGRAPHED = "5AU5341"


def without_plate() -> bytes:
    """A JPEG of a road without a vehicle."""
    image = np.full((360, 640, 3), 96, dtype=np.uint8)
    cv2.line(image, (100, 359), (300, 120), (220, 220, 220), 6)
    return cv2.imencode(".jpg", image)[1].tobytes()


def pixels(data: bytes) -> Any:
    """The picture decoded, BGR."""
    return cv2.imdecode(np.frombuffer(data, dtype=np.uint8), cv2.IMREAD_COLOR)


def frame_of(
    image: bytes,
    *,
    frame_id: str = "frame-1",
    at: datetime | None = None,
    place: read_pb2.Place | None = None,
) -> pb.Frame:
    """A frame as a sensor sends it, captured now."""
    return pb.Frame(
        frame_id=frame_id, image=image, capture_time=to_timestamp(at or datetime.now(UTC)), place=place
    )


def scene_frame(seed: int, **more: Any) -> tuple[pb.Frame, str]:
    """A frame of the synthetic scene of `seed`, and its plate."""
    scene = draw_scene(seed)
    return frame_of(scene.image, frame_id=f"scene-{seed}", **more), scene.plate


class Audit(audit_grpc.SensorServiceServicer):
    """Knows three sensors: fixed, mobile, suspended."""

    def __init__(self, tls: DevelopmentAuthority) -> None:
        self._tls = tls

    async def WatchSensors(  # noqa: N802 - the contract's name
        self, _: audit_pb.WatchSensorsRequest, __: Any
    ) -> AsyncIterator[Any]:
        yield audit_pb.WatchSensorsResponse(sensors=_sensors(self._tls), revision=1, snapshot=True)
        while True:
            await asyncio.sleep(1)
            yield audit_pb.WatchSensorsResponse(revision=1)


@dataclass
class Acts(acts_grpc.AuthorizationServiceServicer):
    """Keeps intents and outcomes, and can be told to refuse or to fail."""

    intents: dict[str, acts_pb.RecordIntentRequest] = field(default_factory=dict)
    outcomes: dict[str, acts_pb.RecordOutcomeRequest] = field(default_factory=dict)
    refuse: AlprError | None = None
    outcome_fails: bool = False

    async def RecordIntent(  # noqa: N802 - the contract's name
        self, request: acts_pb.RecordIntentRequest, context: Any
    ) -> acts_pb.RecordIntentResponse:
        if self.refuse is not None:
            await abort_with(context, self.refuse)
        intent_id = str(uuid.uuid5(uuid.NAMESPACE_OID, request.request_id))
        self.intents[intent_id] = request
        return acts_pb.RecordIntentResponse(intent_id=intent_id)

    async def RecordOutcome(  # noqa: N802 - the contract's name
        self, request: acts_pb.RecordOutcomeRequest, context: Any
    ) -> acts_pb.RecordOutcomeResponse:
        if self.outcome_fails:
            await context.abort(grpc.StatusCode.UNAVAILABLE, "going down")
        self.outcomes[request.request_id] = request
        return acts_pb.RecordOutcomeResponse()

    def recorded(self) -> list[tuple[str, str]]:
        """Action and result of each outcome, in their order."""
        return [
            (
                self.intents[one.subject_id].action,
                acts_pb.OutcomeResult.Name(one.result).removeprefix("OUTCOME_RESULT_"),
            )
            for one in self.outcomes.values()
        ]


async def abort_with(context: Any, error: AlprError) -> None:
    """Ends a call as a service of ours does."""
    status = rpc_status.to_status(to_status(error))
    await context.abort(status.code, status.details, status.trailing_metadata)


def _sensors(tls: DevelopmentAuthority) -> list[sensor_pb2.Sensor]:
    kinds = (
        (FIXED, sensor_pb2.DEPLOYMENT_TYPE_FIXED, sensor_pb2.DEPLOYMENT_STATUS_APPROVED),
        (MOBILE, sensor_pb2.DEPLOYMENT_TYPE_MOBILE, sensor_pb2.DEPLOYMENT_STATUS_APPROVED),
        (SUSPENDED, sensor_pb2.DEPLOYMENT_TYPE_FIXED, sensor_pb2.DEPLOYMENT_STATUS_SUSPENDED),
        (SCALE, sensor_pb2.DEPLOYMENT_TYPE_FIXED, sensor_pb2.DEPLOYMENT_STATUS_APPROVED),
        (PLACED, sensor_pb2.DEPLOYMENT_TYPE_PORTABLE, sensor_pb2.DEPLOYMENT_STATUS_APPROVED),
        (UNPLACED, sensor_pb2.DEPLOYMENT_TYPE_PORTABLE, sensor_pb2.DEPLOYMENT_STATUS_APPROVED),
    )
    period = sensor_pb2.Placement(place=RAMP, start_time=to_timestamp(_START))
    return [
        sensor_pb2.Sensor(
            sensor_id=sensor_id,
            agency_ori="IL0160000",
            sensor_group="expressway",
            deployment_type=kind,
            place=SURVEYED,
            provenance=sensor_pb2.PROVENANCE_OWN,
            status=status,
            approved_from=to_timestamp(_START),
            partition=sensor_pb2.PARTITION_MOTOR_CARRIER if sensor_id == SCALE else None,
            placements=[period] if sensor_id == PLACED else [],
            certificates=[on_record(tls.sensor(sensor_id))],
        )
        for sensor_id, kind, status in kinds
    ]


@dataclass
class Matcher(match_grpc.MatchServiceServicer):
    """Keeps reads by id, and can be told to hang up, to wait, or to refuse."""

    batches: list[match_pb.SubmitReadsRequest] = field(default_factory=list)
    reads: dict[str, read_pb2.CapturedRead] = field(default_factory=dict)
    statuses: list[match_pb.ReportSensorStatusRequest] = field(default_factory=list)
    streams: int = 0
    hang_up: int = 0
    """So many batches end their stream without an answer."""
    refuse: Callable[[read_pb2.CapturedRead], AlprError | None] = lambda _: None
    gate: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.gate.set()

    async def ReportSensorStatus(  # noqa: N802 - the contract's name
        self, request: match_pb.ReportSensorStatusRequest, context: Any
    ) -> match_pb.ReportSensorStatusResponse:
        self.statuses.append(request)
        return match_pb.ReportSensorStatusResponse(receive_time=request.receive_time)

    async def SubmitReads(  # noqa: N802 - the contract's name
        self, requests: AsyncIterator[match_pb.SubmitReadsRequest], context: Any
    ) -> AsyncIterator[match_pb.SubmitReadsResponse]:
        self.streams += 1
        async for request in requests:
            self.batches.append(request)
            await self.gate.wait()
            if self.hang_up:
                self.hang_up -= 1
                await context.abort(grpc.StatusCode.UNAVAILABLE, "going down")
            for error in filter(None, map(self.refuse, request.reads)):
                await abort_with(context, error)
            yield match_pb.SubmitReadsResponse(
                batch_number=request.batch_number, results=[self._keep(one) for one in request.reads]
            )

    def _keep(self, captured: read_pb2.CapturedRead) -> match_pb.ReadResult:
        new = self.reads.setdefault(captured.read.read_id, captured) is captured
        status = read_pb2.READ_STATUS_STORED if new else read_pb2.READ_STATUS_DUPLICATE
        return match_pb.ReadResult(read_id=captured.read.read_id, status=status, match_revision=7)


@dataclass
class Neighbours:
    """Audit and matcher at one address each, which can be closed and opened again."""

    tls: DevelopmentAuthority
    audit: Audit = field(init=False)
    acts: Acts = field(default_factory=Acts)
    system: SystemSettings = field(default_factory=SystemSettings)
    matcher: Matcher = field(default_factory=Matcher)
    audit_target: str = ""
    matcher_target: str = ""
    _servers: dict[str, grpc.aio.Server] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.audit = Audit(self.tls)

    async def open(self) -> None:
        self.audit_target = await self._serve("audit", self.audit_target)
        self.matcher_target = await self._serve("matcher", self.matcher_target)

    async def open_matcher(self) -> None:
        """At the address that it had before."""
        await self._serve("matcher", self.matcher_target)

    async def close_matcher(self) -> None:
        await self._servers.pop("matcher").stop(0)

    async def close(self) -> None:
        await asyncio.gather(*(server.stop(0) for server in self._servers.values()))

    async def _serve(self, name: str, target: str) -> str:
        server = grpc.aio.server()
        if name == "audit":
            audit_grpc.add_SensorServiceServicer_to_server(self.audit, server)
            acts_grpc.add_AuthorizationServiceServicer_to_server(self.acts, server)
            add_SettingsServiceServicer_to_server(self.system, server)
        else:
            match_grpc.add_MatchServiceServicer_to_server(self.matcher, server)
        files = self.tls.server(name)
        credentials = grpc.ssl_server_credentials(
            [(files.key_file.read_bytes(), files.cert_file.read_bytes())],
            files.ca_file.read_bytes(),
            require_client_auth=True,
        )
        port = server.add_secure_port(target or "127.0.0.1:0", credentials)
        await server.start()
        self._servers[name] = server
        return f"127.0.0.1:{port}"


@dataclass
class World:
    """A running ocr service with its neighbours and its image store."""

    tls: DevelopmentAuthority
    neighbours: Neighbours
    settings: OcrSettings
    server: Any
    channels: list[grpc.aio.Channel] = field(default_factory=list)

    @property
    def matcher(self) -> Matcher:
        return self.neighbours.matcher

    @property
    def store(self) -> Path:
        return self.settings.image_store_dir

    def stored(self) -> list[Path]:
        """The images in the store, without the keys of their days."""
        return [path for path in (self.store / "days").rglob("*") if path.is_file() and path.name != "key"]

    async def until_stored(self, count: int) -> None:
        """Returns when that many images are in the store."""
        while len(self.stored()) < count:  # noqa: ASYNC110 - a folder has no event
            await asyncio.sleep(0.05)

    def stub(self, certificate: IssuedCertificate) -> Any:
        """A client with that certificate."""
        return OcrServiceStub(self.channel(certificate))

    def channel(self, certificate: IssuedCertificate) -> grpc.aio.Channel:
        """A channel with that certificate."""
        tls = ClientTls(certificate.cert_file, certificate.key_file, certificate.ca_file)
        channel = service_channel(f"127.0.0.1:{self.server.port}", tls, server_name="ocr")
        self.channels.append(channel)
        return channel

    def person(self) -> Any:
        """A client of a person, without a certificate; calls bring TOKEN."""
        channel = user_channel(f"127.0.0.1:{self.server.user_port}", self.settings.tls_ca)
        self.channels.append(channel)
        return OcrServiceStub(channel)

    def sensor(self, sensor_id: str = FIXED) -> Any:
        """A client that is the sensor."""
        return self.stub(self.tls.sensor(sensor_id))

    async def recognize(self, frame: pb.Frame, *, sensor_id: str = FIXED) -> pb.RecognizeResponse:
        answer = await self.sensor(sensor_id).Recognize(pb.RecognizeRequest(frame=frame), timeout=30)
        assert isinstance(answer, pb.RecognizeResponse)
        return answer


def settings_for(tls: DevelopmentAuthority, folder: Path, neighbours: Neighbours, **more: Any) -> OcrSettings:
    """Settings of a service on a free port, its store in `folder`."""
    kek, mcs_kek = folder / "image.kek", folder / "mcs-image.kek"
    for file in (kek, mcs_kek):
        if not file.exists():
            file.write_text(secrets.token_hex(32), encoding="ascii")
    files = tls.server("ocr")
    given: dict[str, Any] = {
        "listen": "127.0.0.1:0",
        "user_listen": "127.0.0.1:0",
        "tls_cert": files.cert_file,
        "tls_key": files.key_file,
        "tls_ca": files.ca_file,
        "image_store_dir": folder / "images",
        "image_kek_file": kek,
        "mcs_image_kek_file": mcs_kek,
        "matcher_target": neighbours.matcher_target,
        "audit_target": neighbours.audit_target,
        "shutdown_grace_seconds": 5,
    }
    return OcrSettings(**{**given, **more})


@asynccontextmanager
async def world(
    tls: DevelopmentAuthority, folder: Path, *, serves: bool = True, **more: Any
) -> AsyncIterator[World]:
    """A running service that `serves`, or lacks something that it needs for it; stopped at the end."""
    neighbours = Neighbours(tls)
    await neighbours.open()
    settings = settings_for(tls, folder, neighbours, **more)
    server = (await build(settings, SystemClock())).build()
    await server.start()
    running = World(tls, neighbours, settings, server)
    try:
        if serves:
            await until_serving(server)
        yield running
    finally:
        await asyncio.gather(*(channel.close() for channel in running.channels))
        await running.server.stop()
        await neighbours.close()


TOKEN = (bearer("a-token"),)
"""Metadata of a call of a person; audit, which would look at it, is the test's own."""


async def error_of(call: Any) -> tuple[grpc.StatusCode, str]:
    """Code and reason with which `call` fails."""
    try:
        await call
    except grpc.aio.AioRpcError as error:
        status = rpc_status.from_call(cast(grpc.Call, error))
        info = error_details_pb2.ErrorInfo()
        for detail in status.details if status else ():
            detail.Unpack(info)
        return error.code(), info.reason.removeprefix("ERROR_REASON_")
    raise AssertionError("the call did not fail")


async def answers_of(stub: Any, frames: Sequence[pb.Frame]) -> list[pb.RecognizeStreamResponse]:
    """What a stream of `frames` answers."""

    async def requests() -> AsyncIterator[pb.RecognizeStreamRequest]:
        for frame in frames:
            yield pb.RecognizeStreamRequest(frame=frame)

    return [answer async for answer in stub.RecognizeStream(requests(), timeout=40)]
