"""The witness: `python -m services.witness`. Wiring only."""

from __future__ import annotations

import asyncio
import os
import signal
import ssl
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from aiohttp import web

from services.common import logs
from services.common.client import service_channel
from services.common.clock import Clock, SystemClock
from services.common.metrics import SERVING, note_version, serve_metrics
from services.common.server import PortInUseError, run
from services.common.tls_files import keep_renewed
from services.witness.app import Witness
from services.witness.config import WitnessSettings
from services.witness.follow import Follower
from services.witness.server import Pages
from services.witness.store import WitnessStore


def _told(sentence: str) -> None:
    print(sentence, file=sys.stderr, flush=True)


@asynccontextmanager
async def running(settings: WitnessSettings, clock: Clock) -> AsyncIterator[tuple[Witness, int]]:
    """The witness and its port, serving and following until the block ends.

    Raises:
        ConfigError: A setting does not hold what it should.
        StartError: Its store or its address is taken.
    """
    known, cosigner = settings.logs(), settings.cosigner()
    async with AsyncExitStack() as ending:
        store = WitnessStore(settings.witness_dir)
        ending.callback(store.close)
        witness = Witness(store, cosigner, known, clock)
        for origin in await witness.begin():
            _told(f"ALARM: {origin} has presented what does not belong to what it signed; see /refused")
        runner = web.AppRunner(Pages(witness, known).application(), access_log=None, handle_signals=False)
        await runner.setup()
        ending.push_async_callback(runner.cleanup)
        context = _context(settings)
        port = await _listen(runner, settings, context)
        renewing = asyncio.create_task(keep_renewed(context, settings.tls_cert, settings.tls_key))
        ending.push_async_callback(_ended, renewing)
        note_version()
        SERVING.set(1)
        if settings.metrics_listen:
            host, _, number = settings.metrics_listen.rpartition(":")
            ending.callback(serve_metrics(host.strip("[]"), int(number)))
        if settings.audit_target:
            channel = service_channel(settings.audit_target, settings.client_tls, server_name="audit")
            ending.push_async_callback(channel.close)
            (key,) = known.values()
            follower = Follower(channel, witness, key, with_copy=settings.witness_copies)
            following = asyncio.create_task(follower.run(settings.witness_every_seconds, _told))
            ending.push_async_callback(_ended, following)
        yield witness, port


async def _ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def _context(settings: WitnessSettings) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(settings.tls_cert, settings.tls_key)
    return context


async def _listen(runner: web.AppRunner, settings: WitnessSettings, context: ssl.SSLContext) -> int:
    host, _, port = settings.listen.rpartition(":")
    site = web.TCPSite(runner, host.strip("[]"), int(port), ssl_context=context)
    try:
        await site.start()
    except OSError as error:
        why = os.strerror(error.errno).lower() if error.errno and error.errno > 0 else "there is no such host"
        msg = f"PW_LISTEN: {settings.listen} cannot be listened on: {why}"
        raise PortInUseError(msg) from None
    bound: int = runner.addresses[0][1]
    return bound


async def main(settings: WitnessSettings | None = None) -> None:
    """Serves and follows until told to stop."""
    settings = settings or WitnessSettings.from_environment()
    logs.configure("witness", level=settings.log_level, log_format=settings.log_format)
    told = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, told.set)
    async with running(settings, SystemClock()) as (witness, port):
        _told(f"Witness {witness.public_key.text()} on port {port}")
        await told.wait()


if __name__ == "__main__":
    run(main())
