"""A dispatch system that takes webhooks over HTTPS, keeps what it got, and can refuse."""

import asyncio
import json
import ssl
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from services.dev.pki import DevelopmentAuthority


@dataclass(frozen=True)
class Got:
    """One request: its headers, its body, and what was answered."""

    headers: dict[str, str]
    body: bytes
    status: int

    @property
    def event_id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def event(self) -> dict[str, Any]:
        """The body as a JSON document."""
        document: dict[str, Any] = json.loads(self.body)
        return document

    @property
    def plate(self) -> str:
        return str(self.event["data"]["plate"])


class Receiver:
    """Answers 200, or what `answers` says next; keeps every request.

    `meanwhile` is awaited while the sender waits for the answer.
    """

    def __init__(self) -> None:
        self.got: list[Got] = []
        self.answers: deque[int] = deque()
        self.always = 200
        self.headers: dict[str, str] = {}
        self.delay = 0.0
        self.meanwhile: Callable[[], Awaitable[None]] | None = None
        self.port = 0
        self._news = asyncio.Event()

    @property
    def url(self) -> str:
        """Where it listens; the path is a key of the receiver's own."""
        return f"https://localhost:{self.port}/cad/k-7f3e9a"

    @property
    def taken(self) -> list[Got]:
        """What it took, in the order in which it came."""
        return [one for one in self.got if one.status == 200]

    async def until(self, holds: Callable[["Receiver"], object], seconds: float = 60) -> None:
        """Returns when `holds`; fails after `seconds`."""
        async with asyncio.timeout(seconds):
            while not holds(self):
                self._news.clear()
                await self._news.wait()

    async def handle(self, request: web.Request) -> web.Response:
        body = await request.read()
        await asyncio.sleep(self.delay)
        if self.meanwhile is not None:
            await self.meanwhile()
        status = self.answers.popleft() if self.answers else self.always
        self.got.append(Got({key.lower(): value for key, value in request.headers.items()}, body, status))
        self._news.set()
        return web.Response(status=status, headers=self.headers)


@asynccontextmanager
async def receiving(tls: DevelopmentAuthority, receiver: Receiver | None = None) -> AsyncIterator[Receiver]:
    """A receiver at work, on its port of before when it had one."""
    receiver = receiver or Receiver()
    files = tls.server("receiver")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(files.cert_file, files.key_file)
    application = web.Application()
    application.router.add_post("/{path:.*}", receiver.handle)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", receiver.port, ssl_context=context, reuse_address=True)
    await site.start()
    receiver.port = runner.addresses[0][1]
    try:
        yield receiver
    finally:
        await runner.cleanup()
