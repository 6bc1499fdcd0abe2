"""A console of a test's own at a running system: one that can be killed and comes back."""

from __future__ import annotations

import asyncio
import os
import shlex
import signal
import ssl
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.cutting_proxy import CuttingProxy
from tests.support.ports import free_base_port


@dataclass
class OwnConsole:
    """One process of the console, and the link to it, which can be cut."""

    folder: Path
    port: int = field(default_factory=free_base_port)
    link: CuttingProxy = field(init=False)
    _process: asyncio.subprocess.Process | None = None

    def __post_init__(self) -> None:
        self.link = CuttingProxy(self.port)

    @property
    def url(self) -> str:
        """Where browsers reach it."""
        return f"https://localhost:{self.link.target.rpartition(':')[2]}"

    async def start(self) -> None:
        """Starts it, and returns when it answers."""
        address = {
            "PW_CONSOLE_LISTEN": f"127.0.0.1:{self.port}",
            "PW_CONSOLE_URL": self.url,
            "PW_METRICS_LISTEN": "",
        }
        settings = {**os.environ, **_settings(self.folder / "env" / "console.env"), **address}
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-P", "-m", "services.console", env=settings, stderr=asyncio.subprocess.DEVNULL
        )
        async with asyncio.timeout(30):
            while not await self._answers():  # noqa: ASYNC110 - a port sends no event
                await asyncio.sleep(0.05)

    async def kill(self) -> None:
        """Ends it at once, in the middle of whatever it does."""
        await self._end(signal.SIGKILL)

    async def stop(self) -> None:
        """Ends it as an operator does."""
        await self._end(signal.SIGTERM)

    async def _end(self, how: signal.Signals) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(how)
            await self._process.wait()

    async def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.returncode is None, "the console did not start"
        anybody = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        anybody.check_hostname, anybody.verify_mode = False, ssl.CERT_NONE
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", self.port, ssl=anybody)
        except OSError:
            return False
        writer.close()
        return True


@asynccontextmanager
async def running_console(folder: Path) -> AsyncIterator[OwnConsole]:
    """A console of one's own at the system in `folder`, until the end of the block."""
    console = OwnConsole(folder)
    await console.link.start()
    await console.start()
    try:
        yield console
    finally:
        await console.kill()
        await console.link.stop()


def _settings(file: Path) -> dict[str, str]:
    words = shlex.split(file.read_text("utf-8"))
    return dict(one.split("=", 1) for one in words)
