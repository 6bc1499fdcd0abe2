"""What those who follow the feed have chosen, position by position, as new as the feed itself."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from uuid import UUID

import structlog
from google.protobuf.json_format import ParseError

from services.alerts.core.model import Partition
from services.alerts.core.subscription import Filter
from services.alerts.store_subscriptions import SubscriptionStore, Version
from services.alerts.wire_filter import stored_filter
from services.common.errors import InvalidFieldError

log = structlog.get_logger()


class Followed:
    """One person's filters of one data set, while somebody reads the feed with them."""

    def __init__(self, account_id: str, partition: Partition) -> None:
        self.account_id = account_id
        self._partition = partition
        self._versions: dict[int, tuple[int, UUID, Filter | None]] = {}
        # From which position on which filters count, in order; before the first one there are none.
        self._counting: list[tuple[int, tuple[Filter, ...]]] = []

    def at(self, position: int) -> tuple[Filter, ...]:
        """The filters for what the feed has at `position`; none: everything is wanted."""
        for from_position, filters in reversed(self._counting):
            if from_position <= position:
                return filters
        return ()

    def take(self, versions: Iterable[Version]) -> None:
        """Adds changes; those of other people or data sets, and known ones, change nothing."""
        for one in versions:
            if (one.account_id, one.partition) == (self.account_id, self._partition):
                chosen = None if one.chosen is None else _understood(one.chosen)
                self._versions[one.revision] = (one.from_position, one.subscription_id, chosen)
        self._count()

    def forget(self) -> None:
        """Nothing is known any more."""
        self._versions.clear()
        self._count()

    def _count(self) -> None:
        present: dict[UUID, Filter] = {}
        self._counting.clear()
        for _, (from_position, subscription_id, chosen) in sorted(self._versions.items()):
            present.pop(subscription_id, None)
            if chosen is not None:
                present[subscription_id] = chosen
            self._counting.append((from_position, tuple(present.values())))


def _understood(chosen: str) -> Filter:
    """The filter; everything, when a newer replica wrote what this one does not know.

    Nobody misses an alert by it, and above all not everybody else, whose feed waits for this.
    """
    try:
        return stored_filter(chosen)
    except (ParseError, InvalidFieldError) as error:
        log.warning("subscription_not_understood", error=type(error).__name__)
        return Filter()


class SubscriptionBook:
    """Filters of the people whose streams are open in this process.

    The tailer of the feed brings it up to the revision that it read with the feed's head, before it publishes
    what that head has. So every position is judged by the changes that came before it and by no others, by
    whatever replica, and however often it is sent.
    """

    def __init__(self, store: SubscriptionStore) -> None:
        self._store = store
        self._revision = 0
        self._followed: set[Followed] = set()

    @asynccontextmanager
    async def following(
        self, account_id: str, partition: Partition, position: int
    ) -> AsyncIterator[Followed]:
        """What the person wants of the feed from `position` on, kept up to date meanwhile.

        Raises:
            StorageUnavailableError: It cannot be read.
        """
        followed = Followed(account_id, partition)
        # Entered before it is read: a change that comes in between is brought by the tailer.
        self._followed.add(followed)
        try:
            followed.take(await self._store.counting(account_id, position))
            yield followed
        finally:
            self._followed.discard(followed)

    async def catch_up(self, revision: int) -> None:
        """Returns when all that is followed has every change up to `revision`.

        Raises:
            StorageUnavailableError: They cannot be read.
        """
        if revision == self._revision:
            return
        if revision < self._revision:
            # Restored to an older state: what was known is worth nothing.
            self._revision = 0
            for followed in self._followed:
                followed.forget()
        accounts = {followed.account_id for followed in self._followed}
        versions = await self._store.since(accounts, self._revision) if accounts else ()
        for followed in self._followed:
            followed.take(versions)
        self._revision = revision
