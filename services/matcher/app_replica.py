"""What this replica says of itself to the others: the oldest hot lists that it still compares reads with."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections import Counter
from collections.abc import Iterator
from typing import Final, Protocol

import structlog

from services.common.errors import AlprError
from services.matcher.errors import IndexBehindError

log = structlog.get_logger()

_REPORT_EVERY_S: Final = 1.0


class RevisionsInUse:
    """Revisions that batches under way are compared with; used on the event loop alone."""

    def __init__(self) -> None:
        self._using: Counter[int] = Counter()
        self.announced = False
        """Whether the other replicas know of this one; nothing is compared before."""

    @contextlib.contextmanager
    def using(self, revision: int) -> Iterator[None]:
        """Counts `revision` as in use until the block ends.

        Raises:
            IndexBehindError: A look-back would not wait for what is compared here.
        """
        if not self.announced:
            raise IndexBehindError("this replica has just started; send the batch again", retry_after_ms=1000)
        self._using[revision] += 1
        try:
            yield
        finally:
            self._using[revision] -= 1
            if not self._using[revision]:
                del self._using[revision]

    def oldest(self, current: int) -> int:
        """The oldest revision in use, `current` among them."""
        return min(current, *self._using) if self._using else current


class Replicas(Protocol):
    """Where replicas report. Both raise StorageUnavailableError."""

    async def report(self, replica_id: uuid.UUID, revision: int) -> None:
        """Stores that this replica lives and compares with nothing older than `revision`."""

    async def leave(self, replica_id: uuid.UUID) -> None:
        """Stores that this replica is no more."""


class Loaded(Protocol):
    """The index in memory."""

    @property
    def revision(self) -> int | None:
        """Its revision; None while nothing is loaded."""


class ReplicaReporter:
    """Reports every second. A replica that has loaded nothing yet compares nothing, and reports nothing."""

    def __init__(self, replicas: Replicas, index: Loaded, in_use: RevisionsInUse) -> None:
        self._replicas = replicas
        self._index = index
        self._in_use = in_use
        self._replica_id = uuid.uuid4()

    async def report(self) -> None:
        """Reports once. Raises StorageUnavailableError."""
        revision = self._index.revision
        if revision is not None:
            await self._replicas.report(self._replica_id, self._in_use.oldest(revision))
            self._in_use.announced = True

    async def keep_reporting(self) -> None:
        """Reports for ever; what fails is noted and tried again."""
        while True:
            try:
                await self.report()
            except Exception as error:
                log.warning("replica_not_reported", error=type(error).__name__)
            await asyncio.sleep(_REPORT_EVERY_S)

    async def leave(self) -> None:
        """Returns when the others need not wait for this replica any more, as far as that can be stored."""
        try:
            await self._replicas.leave(self._replica_id)
        except AlprError as error:
            # They stop waiting for it by themselves, a minute and a half later.
            log.warning("replica_not_left", error=type(error).__name__)
