"""`python -m services.console`. Wiring only."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import ssl
from typing import cast

import uvicorn
from starlette.types import ASGIApp

from services.common.config import StartError
from services.common.logs import configure
from services.common.metrics import SERVING, note_certificates, note_version, watch_loop
from services.common.server import run, start_metrics
from services.common.tls_files import keep_renewed
from services.console.app import application
from services.console.config import ConsoleSettings


async def _serve() -> None:
    settings = ConsoleSettings.from_environment()
    configure("console", level=settings.log_level, log_format=settings.log_format)
    logging.getLogger("httpx2").setLevel(logging.WARNING)  # one line a request otherwise
    stopping = asyncio.Event()
    config = _config(settings, application(settings, stopping.is_set))
    config.load()
    context = cast(ssl.SSLContext, config.ssl)  # it was given a certificate
    server = _Server(config, stopping)
    with contextlib.ExitStack() as ending:
        note_version()
        note_certificates("own", settings.tls_cert)
        if settings.metrics_listen:
            ending.callback(start_metrics(settings.metrics_listen))
        beside = [
            asyncio.create_task(keep_renewed(context, settings.tls_cert, settings.tls_key)),
            asyncio.create_task(watch_loop()),
        ]
        SERVING.set(1)
        try:
            await server.serve()
        finally:
            SERVING.set(0)
            for task in beside:
                task.cancel()
            await asyncio.gather(*beside, return_exceptions=True)
    if not server.started:
        raise StartError(f"PW_CONSOLE_LISTEN: {settings.console_listen} cannot be listened on")


class _Server(uvicorn.Server):
    """Says that it ends before it waits for what is under way: boards would follow to the last."""

    def __init__(self, config: uvicorn.Config, stopping: asyncio.Event) -> None:
        super().__init__(config)
        self._stopping = stopping

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Ends it."""
        self._stopping.set()
        await super().shutdown(sockets)


def _config(settings: ConsoleSettings, app: ASGIApp) -> uvicorn.Config:
    host, port = _address(settings.console_listen)
    return uvicorn.Config(
        app,
        host=host,
        port=port,
        ssl_certfile=str(settings.tls_cert),
        ssl_keyfile=str(settings.tls_key),
        access_log=False,  # addresses may say what somebody looks for
        log_config=None,
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=int(settings.shutdown_grace_seconds),
    )


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    return host.strip("[]"), int(port)


if __name__ == "__main__":
    run(_serve())
