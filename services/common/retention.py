"""How long reads are kept, followed from audit's setting (ENF-051 IV.E.1.a)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog

from alpr.audit.v1 import settings_service_pb2 as pb
from services.common.errors import AuditUnavailableError
from services.common.settings_stream import SettingsStream

if TYPE_CHECKING:
    # The stubs have this name for type checkers only.
    from alpr.audit.v1.settings_service_pb2_grpc import SettingsServiceAsyncStub

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Retention:
    """The setting as audit told it; `statement` is the same, signed for the archive."""

    days: int
    revision: int
    records_series: str
    statement: str


async def _nothing(_: Retention) -> None:
    pass


class RetentionFollower(SettingsStream):
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
        super().__init__(stub)
        self._on_change = on_change
        self._current: Retention | None = None

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

    async def _take(self, message: pb.WatchSettingsResponse) -> bool:
        if not message.HasField("retention"):
            return False
        told = message.retention
        heard = Retention(told.days, told.revision, told.pack.records_series, message.retention_statement)
        await self._on_change(heard)
        if heard != self._current:
            log.info("retention_heard", days=heard.days, revision=heard.revision)
        self._current = heard
        return True
