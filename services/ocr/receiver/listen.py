"""Starts the receiver on its address."""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Final

from aiohttp import web

from services.common.clock import Clock
from services.common.config import ConfigError
from services.common.sensors import SensorRegistry
from services.common.server import PortInUseError
from services.common.tls_files import keep_renewed
from services.ocr.config import OcrSettings
from services.ocr.matcher_link import MatcherLink
from services.ocr.receiver.fetch import PictureFetcher
from services.ocr.receiver.intake import PushIntake
from services.ocr.receiver.sensor_secrets import SensorSecrets
from services.ocr.receiver.server import Limits, Receiver
from services.ocr.store import ImageVault

# Less than what is left to whatever ends with a service.
_LONGEST_GRACE_SECONDS: Final = 8.0


async def listen(
    settings: OcrSettings, sensors: SensorRegistry, vault: ImageVault, matcher: MatcherLink, clock: Clock
) -> Callable[[], Awaitable[None]]:
    """What ends the receiver, once it listens.

    Raises:
        ConfigError: The folder of secrets is not named, or is none.
        PortInUseError: The address is taken or may not be used.
    """
    folder = settings.receiver_secrets_dir
    if folder is None or not folder.is_dir():
        raise ConfigError("PW_RECEIVER_SECRETS_DIR must name the folder of the sensors' secrets")
    intake = PushIntake(
        sensors=sensors,
        vault=vault,
        matcher=matcher,
        clock=clock,
        oldest=timedelta(hours=settings.receiver_oldest_hours),
    )
    limits = Limits(
        body_bytes=settings.receiver_megabytes << 20,
        in_flight=settings.receiver_in_flight,
        replay=timedelta(seconds=settings.receiver_replay_seconds),
    )
    fetcher = PictureFetcher(settings.image_hosts)
    receiver = Receiver(intake, SensorSecrets(folder), fetcher, clock, limits)
    # No access log: addresses of requests belong to nobody's log, and statuses are counted.
    grace = min(settings.shutdown_grace_seconds, _LONGEST_GRACE_SECONDS)
    runner = web.AppRunner(
        receiver.application(), access_log=None, handle_signals=False, shutdown_timeout=grace
    )
    await runner.setup()
    context = _tls(settings)
    await _bind(runner, settings, context)
    renewing = asyncio.create_task(keep_renewed(context, *_pair(settings)))

    async def end() -> None:
        renewing.cancel()
        await asyncio.gather(renewing, return_exceptions=True)
        await runner.cleanup()
        await fetcher.close()

    return end


async def _bind(runner: web.AppRunner, settings: OcrSettings, context: ssl.SSLContext) -> None:
    host, _, port = settings.receiver_listen.rpartition(":")
    site = web.TCPSite(runner, host.strip("[]"), int(port), ssl_context=context)
    try:
        await site.start()
    except OSError as error:
        await runner.cleanup()
        why = os.strerror(error.errno).lower() if error.errno and error.errno > 0 else "there is no such host"
        raise PortInUseError(
            f"PW_RECEIVER_LISTEN: {settings.receiver_listen} cannot be listened on: {why}"
        ) from None


def _tls(settings: OcrSettings) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(*_pair(settings))
    return context


def _pair(settings: OcrSettings) -> tuple[Path, Path]:
    """Certificate and key; settings give both or neither."""
    return settings.receiver_tls_cert or settings.tls_cert, settings.receiver_tls_key or settings.tls_key
