"""`python -m services.console`."""

from __future__ import annotations

import logging

import uvicorn

from services.common.config import StartError
from services.common.logs import configure
from services.common.server import run
from services.console.app import application
from services.console.config import ConsoleSettings


async def _serve() -> None:
    settings = ConsoleSettings.from_environment()
    configure("console", level=settings.log_level, log_format=settings.log_format)
    logging.getLogger("httpx2").setLevel(logging.WARNING)  # one line a request otherwise
    host, _, port = settings.console_listen.rpartition(":")
    config = uvicorn.Config(
        application(settings),
        host=host.strip("[]"),
        port=int(port),
        ssl_certfile=str(settings.tls_cert),
        ssl_keyfile=str(settings.tls_key),
        access_log=False,  # addresses may say what somebody looks for
        log_config=None,
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=int(settings.shutdown_grace_seconds),
    )
    server = uvicorn.Server(config)
    await server.serve()
    if not server.started:
        raise StartError(f"PW_CONSOLE_LISTEN: {settings.console_listen} cannot be listened on")


if __name__ == "__main__":
    run(_serve())
