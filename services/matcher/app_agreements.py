"""Keeps the database's agreements at audit's word, or lets nothing of another agency be compared."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing
from datetime import datetime
from typing import Final, Protocol

import structlog

from services.common.errors import DependencyUnavailableError
from services.matcher.core.scope import AgreementNews, Scope

log = structlog.get_logger()

TRUSTED_S: Final = 15.0
"""How long audit's last word is believed."""
_SHORTEST_PAUSE_S: Final = 0.2
_LONGEST_PAUSE_S: Final = 5.0


class Feed(Protocol):
    """Where agreements are heard of."""

    def news(self) -> AsyncGenerator[AgreementNews]:
        """A snapshot, then every change, and something at least every 5 seconds."""


class Store(Protocol):
    """Where agreements are kept for all replicas. Raises StorageUnavailableError."""

    async def take(self, news: AgreementNews) -> int | None:
        """The revision from which the news count; None when they change nothing."""


class AgreementFollower:
    """Takes what audit says into the database, as every replica does, for the life of the process."""

    def __init__(self, feed: Feed, store: Store) -> None:
        self._feed = feed
        self._store = store
        self._heard_at = float("-inf")

    def require_heard(self, agencies: Iterable[str], scope: Scope, now: datetime) -> None:
        """Returns when reads of these agencies' sensors may be compared by `scope`.

        An agreement that has ended must not go on because nobody here heard of it; but who shares nothing
        needs no agreement, and goes on.

        Raises:
            DependencyUnavailableError: Audit has not been heard for 15 seconds, and one of the agencies has
                an agreement in effect. The reads are to be sent again.
        """
        if _monotonic() - self._heard_at <= TRUSTED_S:
            return
        if any(scope.admits_others(agency, now) for agency in set(agencies)):
            raise DependencyUnavailableError(
                "whether agreements still count cannot be said; send the batch again",
                resource="audit",
                retry_after_ms=1000,
            )

    async def follow(self) -> None:
        """Follows for ever; what fails is noted and tried again, from a new snapshot."""
        pause = _SHORTEST_PAUSE_S
        while True:
            heard_before = self._heard_at
            try:
                await self._take_all()
            except Exception as error:
                log.warning("agreements_not_followed", error=type(error).__name__)
            heard = self._heard_at != heard_before
            pause = _SHORTEST_PAUSE_S if heard else min(2 * pause, _LONGEST_PAUSE_S)
            await asyncio.sleep(pause)

    async def _take_all(self) -> None:
        """Takes the news of one stream to its end. Each is in the database before it counts as heard."""
        async with aclosing(self._feed.news()) as stream:
            known = False
            async for news in stream:
                known = known or news.snapshot
                if not known:
                    raise DependencyUnavailableError("audit began without a snapshot")
                heard_at = _monotonic()
                if revision := await self._store.take(news):
                    log.info("agreements_changed", revision=revision, audit_revision=news.audit_revision)
                self._heard_at = heard_at


def _monotonic() -> float:
    return asyncio.get_running_loop().time()
