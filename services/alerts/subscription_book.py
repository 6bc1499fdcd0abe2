"""What those who follow the feed have chosen, as new as the feed itself."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from services.alerts.core.model import Partition
from services.alerts.core.subscription import Filter
from services.alerts.store_subscriptions import Chosen, SubscriptionStore
from services.alerts.wire_filter import stored_filter


@dataclass(slots=True)
class Followed:
    """A person's filters of one data set; they change under whoever holds this. None: everything."""

    filters: tuple[Filter, ...] = ()
    revision: int = -1
    followers: int = 0


class SubscriptionBook:
    """Filters of the people whose streams are open in this process.

    The tailer of the feed brings it up to the revision that it read with the feed's head, before it publishes
    what that head has. So what was raised after a change is judged by it, by whatever replica.
    """

    def __init__(self, store: SubscriptionStore) -> None:
        self._store = store
        self._revision = 0
        self._followed: dict[tuple[str, Partition], Followed] = {}

    @asynccontextmanager
    async def following(self, account_id: str, partition: Partition) -> AsyncIterator[Followed]:
        """What the person wants, kept up to date meanwhile. Raises StorageUnavailableError."""
        key = (account_id, partition)
        followed = self._followed.setdefault(key, Followed())
        followed.followers += 1
        try:
            # Entered before it is read: a change that comes in between is brought by the tailer.
            self._take(await self._store.chosen([account_id]), {account_id})
            yield followed
        finally:
            followed.followers -= 1
            if not followed.followers:
                del self._followed[key]

    async def catch_up(self, revision: int) -> None:
        """Returns when all that is followed is as of the change `revision`, or later."""
        if revision == self._revision:
            return
        accounts = {account_id for account_id, _ in self._followed}
        if revision < self._revision:
            # Restored to an older state: what was known is worth nothing.
            for followed in self._followed.values():
                followed.revision = -1
        else:
            accounts &= await self._store.changed_after(self._revision)
        if accounts:
            self._take(await self._store.chosen(accounts), accounts)
        self._revision = revision

    def _take(self, chosen: Chosen, accounts: set[str]) -> None:
        for (account_id, partition), followed in self._followed.items():
            # Two looks may come back in either order; the later state stands.
            if account_id in accounts and chosen.revision >= followed.revision:
                texts = chosen.filters.get((account_id, partition), ())
                followed.filters = tuple(stored_filter(text) for text in texts)
                followed.revision = chosen.revision
