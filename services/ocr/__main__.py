"""`python -m services.ocr`: the wiring, from the models up."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final

import grpc
import structlog

from alpr.audit.v1.sensor_service_pb2_grpc import SensorServiceStub
from alpr.audit.v1.settings_service_pb2_grpc import SettingsServiceStub
from alpr.matcher.v1.match_service_pb2_grpc import MatchServiceStub
from alpr.ocr.v1.ocr_service_pb2_grpc import add_OcrServiceServicer_to_server
from services.common import logs
from services.common.client import service_channel
from services.common.clock import Clock, SystemClock
from services.common.config import ConfigError
from services.common.errors import SensorsUnknownError, WrongStateError
from services.common.keyfile import read_key
from services.common.objects import ObjectStore
from services.common.retention import RetentionFollower
from services.common.sensors import SensorRegistry
from services.common.server import ServerBuilder, run, serve
from services.ocr.app import FrameIntake
from services.ocr.app_models import ModelRollOut
from services.ocr.audit import AuditClient
from services.ocr.config import OcrSettings
from services.ocr.core.detection import DetectionSettings
from services.ocr.engine import EngineSettings
from services.ocr.engines import Engines
from services.ocr.limits import Load
from services.ocr.matcher_link import MatcherLink
from services.ocr.models import ModelsError, known_versions
from services.ocr.receiver.listen import listen
from services.ocr.recognition import Recognizer
from services.ocr.server import SERVICE, OcrServicer
from services.ocr.status import StatusRelay
from services.ocr.store import ImageKeks, ImageVault
from services.ocr.store_rollout import RollOutStore
from services.ocr.video import video_settings

log = structlog.get_logger()

# Less than the two seconds that a health check gets.
_FIRST_WORD_SECONDS: Final = 1.5
_LOOK_EVERY_SECONDS: Final = 0.05


async def build(settings: OcrSettings, clock: Clock) -> ServerBuilder:
    """The server of ocr, with all that works behind it under way.

    Raises:
        ConfigError: A model, the key or the image store is not what it must be.
    """
    engines = await _engines(settings)
    objects = settings.image_store()
    await objects.check()
    vault = ImageVault(objects, _keks(settings), clock, retention_days=lambda: retention.current.days)
    await vault.check()
    builder = ServerBuilder(settings, name="ocr")

    def channel(name: str, target: str) -> grpc.aio.Channel:
        made = service_channel(target, settings.client_tls, server_name=name)
        builder.on_stop(made.close)
        return made

    audit = channel("audit", settings.audit_target)
    retention = RetentionFollower(SettingsServiceStub(audit))
    retention.start()
    builder.on_stop(retention.stop)
    sensors = SensorRegistry(SensorServiceStub(audit), clock)
    await sensors.start()
    builder.on_stop(sensors.stop)

    matcher_stub = MatchServiceStub(channel("matcher", settings.matcher_target))
    matcher = MatcherLink(
        matcher_stub,
        timeout_seconds=settings.matcher_timeout_seconds,
    )
    builder.on_stop(matcher.close)

    roll_out = await _roll_out(engines, objects, AuditClient(audit), clock)
    builder.on_stop(_in_background(roll_out.keep_following()))
    recognizer = Recognizer(engines, roll_out.version_for, workers=settings.recognition_workers)
    builder.on_stop(recognizer.close)
    builder.on_stop(_in_background(vault.keep_forgetting()))

    if settings.receiver_listen:
        builder.on_stop(await listen(settings, sensors, vault, matcher, clock))
    intake = FrameIntake(
        sensors=sensors,
        recognizer=recognizer,
        vault=vault,
        matcher=matcher,
        clock=clock,
        load=Load(workers=settings.recognition_workers, most_bytes=settings.waiting_megabytes << 20),
        in_flight=settings.frames_in_flight,
    )
    statuses = StatusRelay(sensors, matcher_stub, clock)
    servicer = OcrServicer(sensors, intake, statuses, roll_out, clock, video_settings(settings))
    builder.add(SERVICE, add_OcrServiceServicer_to_server, servicer)
    builder.health_check(lambda: _audit_heard(sensors, retention))
    builder.health_check(lambda: _models_here(roll_out))
    return builder


def _keks(settings: OcrSettings) -> ImageKeks:
    keks = ImageKeks(
        read_key(settings.image_kek_file, "PW_IMAGE_KEK_FILE"),
        read_key(settings.mcs_image_kek_file, "PW_MCS_IMAGE_KEK_FILE"),
    )
    if keks.general == keks.motor_carrier:
        raise ConfigError("PW_MCS_IMAGE_KEK_FILE must hold another key than PW_IMAGE_KEK_FILE")
    return keks


async def _engines(settings: OcrSettings) -> Engines:
    try:
        versions = await asyncio.to_thread(known_versions, settings.model_dir)
    except ModelsError as error:
        raise ConfigError(str(error)) from None
    detection = DetectionSettings(long_side=settings.detector_long_side)
    return Engines(
        versions, threads=settings.recognition_threads, settings=EngineSettings(detection=detection)
    )


async def _roll_out(engines: Engines, objects: ObjectStore, audit: AuditClient, clock: Clock) -> ModelRollOut:
    """The roll-out as it stands, with the versions in use in memory."""

    async def load(version: str) -> None:
        try:
            await asyncio.to_thread(engines.of, version)
        except ModelsError:
            log.exception("models_not_loaded", version=version)
            raise WrongStateError("a file of that version is not what it was", resource=version) from None

    made = ModelRollOut(
        versions=engines.versions, store=RollOutStore(objects), audit=audit, clock=clock, load=load
    )
    await made.start()
    for version in made.current().state.versions & engines.versions.keys():
        await load(version)
    return made


async def _models_here(roll_out: ModelRollOut) -> None:
    """Returns when this replica has the models that are rolled out."""
    roll_out.version_for("")


async def _audit_heard(sensors: SensorRegistry, retention: RetentionFollower) -> None:
    """Returns when audit has been heard; without it every frame would be refused."""
    waited = 0.0
    while not (sensors.fresh and retention.is_known):
        if waited >= _FIRST_WORD_SECONDS:
            raise SensorsUnknownError("the registry of sensors or the retention period has not been heard")
        await asyncio.sleep(_LOOK_EVERY_SECONDS)
        waited += _LOOK_EVERY_SECONDS


def _in_background(work: Coroutine[Any, Any, None]) -> Callable[[], Awaitable[None]]:
    """Starts `work`; what comes back ends it."""
    task = asyncio.create_task(work)

    async def end() -> None:
        task.cancel()
        await asyncio.wait({task})

    return end


async def main() -> None:
    """Serves until it is told to stop."""
    settings = OcrSettings.from_environment()
    logs.configure("ocr", level=settings.log_level, log_format=settings.log_format)
    await serve(await build(settings, SystemClock()))


if __name__ == "__main__":
    run(main())
