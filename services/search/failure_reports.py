"""Telling audit, in the background, that a question failed: it stands in the log, and so shall its end."""

from __future__ import annotations

import asyncio
from typing import Protocol

import structlog

from services.common.errors import AlprError
from services.search.core.answer import Authorization

log = structlog.get_logger()


class Audit(Protocol):
    """Where ends of questions are recorded (services.search.audit_gateway)."""

    async def record_failure(self, authorization: Authorization) -> None:
        """Returns when it is in the log that the question failed."""


class FailureReports:
    """Reports of failures that are on their way to audit."""

    def __init__(self, audit: Audit) -> None:
        self._audit = audit
        self._reports: set[asyncio.Task[None]] = set()

    def report(self, authorization: Authorization) -> None:
        """Begins to tell audit that this question failed and nothing was shown."""
        task = asyncio.create_task(self._report(authorization))
        self._reports.add(task)
        task.add_done_callback(self._reports.discard)

    async def close(self) -> None:
        """Returns when nothing is on its way any more."""
        await asyncio.gather(*self._reports)

    async def _report(self, authorization: Authorization) -> None:
        try:
            await self._audit.record_failure(authorization)
        except AlprError as error:
            # Audit's reconciler finds a question without an end.
            log.warning(
                "failure_not_recorded",
                authorization_id=authorization.authorization_id,
                error=type(error).__name__,
            )
