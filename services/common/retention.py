"""How long reads are kept, followed from audit's setting (ENF-051 IV.E.1.a)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import grpc
import structlog

from alpr.audit.v1 import settings_service_pb2 as pb
from services.common.errors import AuditUnavailableError

if TYPE_CHECKING:
    # The stubs have this name for type checkers only.
    from alpr.audit.v1.settings_service_pb2_grpc import SettingsServiceAsyncStub

log = structlog.get_logger()

_SILENCE_SECONDS: Final = 15.0
_SHORTEST_PAUSE_SECONDS: Final = 0.2
_LONGEST_PAUSE_SECONDS: Final = 5.0


@dataclass(frozen=True, slots=True)
class Retention:
    """The setting as audit told it; `statement` is the same, signed for the archive."""

    days: int
    revision: int
    records_series: str
    statement: str


async def _nothing(_: Retention) -> None:
    pass


class RetentionFollower:
    """Follows the setting for as long as it runs.

    Audit's last word counts until the next one: without audit nothing is asked, stored or purged anyway.

    Args:
        stub: Of audit's SettingsService, on a channel of this service's own certificate.
        on_change: Awaited with the setting when it was heard anew; when it fails, it is called again soon.
    """

    def __init__(
        self,
        stub: SettingsServiceAsyncStub,
        on_change: Callable[[Retention], Awaitable[None]] = _nothing,
    ) -> None:
        self._stub = stub
        self._on_change = on_change
        self._current: Retention | None = None
        self._following: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begins to follow, in the background."""
        self._following = asyncio.create_task(self._keep_following())

    async def stop(self) -> None:
        """Ends it."""
        if self._following is not None:
            self._following.cancel()
            await asyncio.wait({self._following})

    @property
    def is_known(self) -> bool:
        """Whether audit has been heard since the start."""
        return self._current is not None

    @property
    def current(self) -> Retention:
        """The setting as audit last told it.

        Raises:
            AuditUnavailableError: Audit has not been heard since the start.
        """
        if self._current is None:
            raise AuditUnavailableError("the retention period is not known yet; nothing was done; try again")
        return self._current

    async def _keep_following(self) -> None:
        pause = _SHORTEST_PAUSE_SECONDS
        while True:
            before = self._current
            try:
                await self._follow()
            except grpc.aio.AioRpcError as error:
                log.warning("settings_watch_ended", code=error.code().name)
            except TimeoutError:
                log.warning("settings_watch_ended", code="SILENT")
            except Exception:
                # Whatever it is: a watch that died would leave the old period in force for ever.
                log.exception("settings_watch_ended")
            heard = self._current is not before
            pause = _SHORTEST_PAUSE_SECONDS if heard else min(2 * pause, _LONGEST_PAUSE_SECONDS)
            await asyncio.sleep(pause)

    async def _follow(self) -> None:
        """Follows one stream to its end; each begins with the setting of now."""
        call: Any = self._stub.WatchSettings(pb.WatchSettingsRequest())
        try:
            while (message := await _next(call)) is not grpc.aio.EOF:
                if message.HasField("retention"):
                    await self._take(message)
        finally:
            call.cancel()

    async def _take(self, message: pb.WatchSettingsResponse) -> None:
        told = message.retention
        heard = Retention(told.days, told.revision, told.pack.records_series, message.retention_statement)
        await self._on_change(heard)
        if heard != self._current:
            log.info("retention_heard", days=heard.days, revision=heard.revision)
        self._current = heard


async def _next(call: Any) -> Any:
    # A connection can be dead without an end; audit sends something every 5 seconds.
    async with asyncio.timeout(_SILENCE_SECONDS):
        return await call.read()
