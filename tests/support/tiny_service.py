"""A real service with nothing in it but health: `python -m tests.support.tiny_service`.

TINY_NAME is its name; TINY_FAIL makes it end at once with a sentence; TINY_SLOW_STOP keeps it from ending.
"""

import asyncio
import os
import signal
import sys

from services.common import logs
from services.common.config import ServiceSettings
from services.common.server import ServerBuilder, run, serve


async def main() -> None:
    """Serves until told to stop."""
    settings = ServiceSettings.from_environment()
    name = os.environ["TINY_NAME"]
    logs.configure(name, level=settings.log_level, log_format=settings.log_format)
    if os.environ.get("TINY_FAIL"):
        sys.exit(os.environ["TINY_FAIL"])
    builder = ServerBuilder(settings, name=name)
    if os.environ.get("TINY_SLOW_STOP"):
        builder.on_stop(_forever)
    await serve(builder)


async def _forever() -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    await asyncio.sleep(3600)


if __name__ == "__main__":
    run(main())
