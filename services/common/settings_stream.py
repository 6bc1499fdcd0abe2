"""Audit's stream of system-wide settings, followed for as long as a service runs (ENF-051 IV.E.1.b)."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Final

import grpc
import structlog

from alpr.audit.v1 import settings_service_pb2 as pb

if TYPE_CHECKING:
    # The stubs have this name for type checkers only.
    from alpr.audit.v1.settings_service_pb2_grpc import SettingsServiceAsyncStub

log = structlog.get_logger()

_SILENCE_SECONDS: Final = 15.0
_SHORTEST_PAUSE_SECONDS: Final = 0.2
_LONGEST_PAUSE_SECONDS: Final = 5.0


class SettingsStream(ABC):
    """Follows the settings, connecting again whenever the stream ends or falls silent.

    Args:
        stub: Of audit's SettingsService, on a channel of this service's own certificate.
    """

    def __init__(self, stub: SettingsServiceAsyncStub) -> None:
        self._stub = stub
        self._following: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begins to follow, in the background."""
        self._following = asyncio.create_task(self._keep_following())

    async def stop(self) -> None:
        """Ends it."""
        if self._following is not None:
            self._following.cancel()
            await asyncio.wait({self._following})

    @abstractmethod
    async def _take(self, message: pb.WatchSettingsResponse) -> bool:
        """Takes what a message says; true when it said anything. When it fails, it is soon told all again."""

    async def _keep_following(self) -> None:
        pause = _SHORTEST_PAUSE_SECONDS
        while True:
            heard = await self._once()
            pause = _SHORTEST_PAUSE_SECONDS if heard else min(2 * pause, _LONGEST_PAUSE_SECONDS)
            await asyncio.sleep(pause)

    async def _once(self) -> bool:
        """Follows one stream to its end, which begins with the settings of now; true if it said anything."""
        heard = False
        call: Any = self._stub.WatchSettings(pb.WatchSettingsRequest())
        try:
            while (message := await _next(call)) is not grpc.aio.EOF:
                heard = await self._take(message) or heard
        except grpc.aio.AioRpcError as error:
            log.warning("settings_watch_ended", code=error.code().name)
        except TimeoutError:
            log.warning("settings_watch_ended", code="SILENT")
        except Exception:
            # Whatever it is: a watch that died would leave the old settings in force for ever.
            log.exception("settings_watch_ended")
        finally:
            call.cancel()
        return heard


async def _next(call: Any) -> Any:
    # A connection can be dead without an end; audit sends something every 5 seconds.
    async with asyncio.timeout(_SILENCE_SECONDS):
        return await call.read()
