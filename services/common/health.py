"""Health as gRPC, Kubernetes and round_robin understand it (grpc.health.v1).

Not the servicer of grpcio-health-checking: that one writes to watchers while it holds the lock that a change
of state needs, so a watcher that stopped reading would hold up the shutdown.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from enum import Enum
from typing import Final

import structlog
from grpc_health.v1 import health_pb2, health_pb2_grpc

from services.common.errors import NotFoundError, StoppingError
from services.common.identity import Context
from services.common.stopping import Stopping

log = structlog.get_logger()

HealthCheck = Callable[[], Awaitable[None]]
"""Returns when the service can do its work; raises when it cannot."""

LIVE: Final = "live"
"""Name under which the process serves as long as it answers: what it needs may be away, and no restart
would bring it back."""

_SERVING: Final = health_pb2.HealthCheckResponse.SERVING
_NOT_SERVING: Final = health_pb2.HealthCheckResponse.NOT_SERVING
_UNKNOWN: Final = health_pb2.HealthCheckResponse.SERVICE_UNKNOWN


class Health(health_pb2_grpc.HealthServicer):
    """One state for the process and all of its services: they share database and fate."""

    def __init__(self, services: Collection[str], stopping: Stopping) -> None:
        self._services = frozenset(services) | {"", LIVE}
        self._stopping = stopping
        self._serving = False
        self._changed = asyncio.Event()

    @property
    def serving(self) -> bool:
        """Whether new calls are welcome."""
        return self._serving

    def set_serving(self, serving: bool) -> None:
        """Changes the state and tells all watchers."""
        if serving is not self._serving:
            self._serving = serving
            log.info("health_changed", serving=serving)
            self._changed.set()
            self._changed = asyncio.Event()

    async def Check(  # noqa: N802 - the contract's name
        self, request: health_pb2.HealthCheckRequest, _context: Context
    ) -> health_pb2.HealthCheckResponse:
        """The state of a service, or of all with an empty name."""
        if request.service not in self._services:
            raise NotFoundError("there is no such service here")
        return health_pb2.HealthCheckResponse(status=self._status(request.service))

    async def Watch(  # noqa: N802 - the contract's name
        self, request: health_pb2.HealthCheckRequest, _context: Context
    ) -> AsyncIterator[health_pb2.HealthCheckResponse]:
        """The state now, then every change; intermediate ones may be left out."""
        last: int | None = None
        while True:
            changed = self._changed
            if (status := self._status(request.service)) != last:
                last = status
                yield health_pb2.HealthCheckResponse(status=status)
            if self._stopping.is_set():
                raise StoppingError("the service is stopping")
            if changed is self._changed:
                await self._change(changed)

    async def _change(self, changed: asyncio.Event) -> None:
        waiting = [asyncio.ensure_future(one) for one in (changed.wait(), self._stopping.wait())]
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in waiting:
                one.cancel()

    def _status(self, service: str) -> int:
        if service not in self._services:
            return _UNKNOWN
        return _SERVING if self._serving or service == LIVE else _NOT_SERVING


class Found(Enum):
    """What a check came to."""

    WELL = "well"
    ILL = "ill"
    """It said so."""
    SILENT = "silent"
    """It did not say anything in time."""


async def check_once(check: HealthCheck, seconds: float) -> Found:
    """What `check` came to within `seconds`."""
    limit = asyncio.timeout(seconds)
    try:
        async with limit:
            await check()
    except Exception as error:
        log.warning("health_check_failed", exc_info=error)
        return Found.SILENT if limit.expired() else Found.ILL
    return Found.WELL


def serves(serving: bool, before: Collection[Found], now: Collection[Found]) -> bool:
    """Whether a service that has been `serving` goes on, or begins, after checks came to `now`.

    A machine that stands still for some seconds, as one does while its disk is busy, answers the next time:
    so silence counts against a service that serves only when it was silent `before`, too. Otherwise a busy
    disk would take all replicas out at once, and calls that would have been answered would fail.
    """
    if Found.ILL in now:
        return False
    if Found.SILENT in now:
        return serving and Found.SILENT not in before
    return True
