"""What streams follow: changes of the registry, and a person's entitlement (ENF-051 III.B.3.e, IV.A.4)."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Generic, TypeVar

import structlog

from services.audit.app_authorize import Actor, actor_of, actor_of_account
from services.audit.app_gate import Attempt, Gate, Person
from services.audit.app_standing import Standing
from services.audit.core.policy import Thing
from services.audit.errors import EntitlementEndedError
from services.audit.store_sensors import Revisions, SensorStore
from services.common.clock import Clock
from services.common.errors import NotPermittedError, StorageUnavailableError, UnauthenticatedError

log = structlog.get_logger()

_Item = TypeVar("_Item")

_POLL_SECONDS = 0.5
# A poll that has not come back for that long makes every stream end: silence must not look like peace.
_BLIND_SECONDS = 5.0
_HEARTBEAT_SECONDS = 3.0
# Each a little different: a thousand streams that began together would otherwise be looked at together, too.
_LEASE_EVERY_SECONDS = (12.0, 18.0)
LEASE = timedelta(seconds=60)
_NOTHING = Revisions(-1, -1, -1, -1)


class Registry:
    """The registry's revisions, polled once for all streams of this process."""

    def __init__(self, store: SensorStore) -> None:
        self._store = store
        self._revisions = _NOTHING
        self._changed = asyncio.Event()
        self._heard = float("-inf")
        self._task: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Begins to poll."""
        self._take(await self._store.revisions())
        self._task = asyncio.create_task(self._poll())

    async def close(self) -> None:
        """Ends it."""
        if self._task:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def after(self, seen: Revisions, seconds: float) -> Revisions:
        """The revisions once they differ from `seen`, or after `seconds`.

        Raises:
            StorageUnavailableError: The registry cannot be read.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self._revisions == seen:
                    self._check_sight()
                    await self._changed.wait()
        self._check_sight()
        return self._revisions

    def _check_sight(self) -> None:
        if asyncio.get_running_loop().time() - self._heard > _BLIND_SECONDS:
            raise StorageUnavailableError("the registry cannot be read; try again")

    async def _poll(self) -> None:
        while True:
            await asyncio.sleep(_POLL_SECONDS)
            try:
                self._take(await self._store.revisions())
            except Exception as error:
                # Whatever it is, the poll must go on: the streams of this process hear from nobody else.
                log.warning("registry_not_read", error=type(error).__name__)
                self._wake()

    def _take(self, revisions: Revisions) -> None:
        self._heard = asyncio.get_running_loop().time()
        if revisions != self._revisions:
            self._revisions = revisions
            self._wake()

    def _wake(self) -> None:
        """Wakes those who wait now; who comes later compares revisions first."""
        self._changed.set()
        self._changed = asyncio.Event()


@dataclass(frozen=True, slots=True)
class News(Generic[_Item]):
    """What is new or changed, and the revision after it; without any item it is a heartbeat."""

    items: tuple[_Item, ...]
    revision: int
    snapshot: bool


class Watch(Generic[_Item]):
    """Tells watchers of everything of one kind.

    Args:
        registry: Says when anything changed.
        revisions: Reads the revisions as committed now.
        part: The one of them that this kind has.
        since: Reads what changed after one revision and not after another.
    """

    def __init__(
        self,
        registry: Registry,
        revisions: Callable[[], Awaitable[Revisions]],
        part: Callable[[Revisions], int],
        since: Callable[[int, int], Awaitable[Sequence[_Item]]],
    ) -> None:
        self._registry = registry
        self._revisions = revisions
        self._part = part
        self._since = since

    async def watch(self) -> AsyncGenerator[News[_Item], None]:
        """All of them, then every change, and a heartbeat at least every five seconds, without end."""
        seen = await self._revisions()
        told = self._part(seen)
        yield News(tuple(await self._since(0, told)), told, snapshot=True)
        while True:
            seen = await self._registry.after(seen, _HEARTBEAT_SECONDS)
            newest = self._part(seen)
            changed = await self._since(told, newest) if newest > told else ()
            # A poll may lag behind the snapshot; the revision that was told never goes back.
            told = max(told, newest)
            yield News(tuple(changed), told, snapshot=False)


@dataclass(frozen=True, slots=True)
class Lease:
    """A person's entitlement may be trusted until `until`."""

    actor: Actor
    until: datetime


class Entitlements:
    """Follows whether a person may still do what an open stream does."""

    def __init__(self, registry: Registry, gate: Gate, standing: Standing, clock: Clock) -> None:
        self._registry = registry
        self._gate = gate
        self._standing = standing
        self._clock = clock

    async def watch(self, service: str, token: str, action: str) -> AsyncGenerator[Lease, None]:
        """Leases, the first at once; ends only by an error.

        Raises:
            UnauthenticatedError: The token is not accepted, at the beginning.
            NotPermittedError: The person may not do this, at the beginning.
            EntitlementEndedError: Token, account, roles, training or certification have ended since.
        """
        seen = await self._registry.after(_NOTHING, 0)
        attempt = Attempt(service, action)
        async with self._gate.recording(attempt):
            person = self._permitted(await self._gate.person(token, attempt), action)
        while True:
            until = self._until(person)
            yield Lease(actor_of(person), until)
            pause = self._pause(until)
            seen = await self._registry.after(seen, max(pause, 0))
            async with self._gate.recording(attempt):
                person = await self._still(token, action, attempt)

    async def watch_standing(self, service: str, intent_id: str, action: str) -> AsyncGenerator[Lease, None]:
        """Leases for what a person set up by that intent, the first at once; ends only by an error.

        Raises:
            EntryNotFoundError, InvalidFieldError: The intent is none that work may stand on.
            NotPermittedError: The person may not do `action`, at the beginning.
            EntitlementEndedError: Account, roles, training or certification have ended since.
        """
        seen = await self._registry.after(_NOTHING, 0)
        founded = await self._standing.founded(service, intent_id, action)
        account = await self._standing.entitled(founded)
        while True:
            now = self._clock.now()
            next_end = account.next_change(now)
            until = min(now + LEASE, next_end) if next_end else now + LEASE
            yield Lease(actor_of_account(account), until)
            pause = self._pause(until)
            seen = await self._registry.after(seen, max(pause, 0))
            account = await self._standing.still_entitled(founded)

    def _permitted(self, person: Person, action: str) -> Person:
        self._gate.permit(person, action, Thing(agency=person.account.profile.agency_ori))
        return person

    def _pause(self, until: datetime) -> float:
        """Seconds to the next lease of a stream whose lease ends at `until`."""
        usual = random.uniform(*_LEASE_EVERY_SECONDS)  # noqa: S311 - no secret
        return min(usual, (until - self._clock.now()).total_seconds())

    async def _still(self, token: str, action: str, attempt: Attempt) -> Person:
        try:
            person = self._permitted(await self._gate.person_still(token, attempt), action)
        except UnauthenticatedError:
            raise EntitlementEndedError(
                "the sign-in has ended; sign in again", metadata={"clauses": "I"}
            ) from None
        except NotPermittedError as error:
            raise EntitlementEndedError(error.message, metadata=error.metadata) from None
        if person.identity.expires_at <= self._clock.now():
            raise EntitlementEndedError("the sign-in has ended; sign in again", metadata={"clauses": "I"})
        return person

    def _until(self, person: Person) -> datetime:
        now = self._clock.now()
        ends = [now + LEASE, person.identity.expires_at]
        next_end = person.account.next_change(now)
        return min([*ends, next_end] if next_end else ends)
