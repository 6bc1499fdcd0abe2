"""The right of a person to an open stream, held by leases from audit (ENF-051 IV.A.4)."""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import structlog

from services.alerts.audit import AuditClient, Lease
from services.alerts.core.lease import trusted_for
from services.alerts.core.model import Actor
from services.alerts.errors import EntitlementEndedError
from services.alerts.races import first_ending, wait_at_most
from services.common.clock import Clock
from services.common.errors import AlprError, AuditUnavailableError
from services.common.identity import AccessToken

log = structlog.get_logger()

ACTION = "alerts.subscribe"
_RETRY_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Continuation:
    """A telecommunication centre's stream that goes on without audit (IV.D.3): `begins`, or is over."""

    actor: Actor
    lease_until: datetime
    begins: bool


@dataclass(frozen=True, slots=True)
class EntitlementTerms:
    """How entitlements are held. `report` puts a continuation in the outbox before delivery goes on."""

    audit: AuditClient
    clock: Clock
    telecom_grace: Callable[[], timedelta]
    report: Callable[[Continuation], Awaitable[None]]


async def who_is(audit: AuditClient, token: AccessToken, action: str = ACTION) -> Actor:
    """The person whose token it is, entitled to `action` at this moment. Raises what audit refuses with."""
    return (await first_lease(audit, token, action)).actor


async def first_lease(audit: AuditClient, token: AccessToken, action: str) -> Lease:
    """A lease for `action` as of this moment, which is not renewed. Raises what audit refuses with."""
    leases = audit.leases(token, action)
    try:
        return await _first(leases, audit)
    finally:
        await leases.aclose()


class Entitlement:
    """A lease that renews itself while `hold` runs. Made by `open`, ended by `close`."""

    def __init__(
        self,
        terms: EntitlementTerms,
        open_leases: Callable[[], AsyncGenerator[Lease]],
        leases: AsyncGenerator[Lease],
        first: Lease,
    ) -> None:
        self._terms = terms
        self._open_leases = open_leases
        self._leases = leases
        self._renewed = asyncio.Event()
        self._take(first)

    @classmethod
    async def open(cls, terms: EntitlementTerms, token: AccessToken, action: str = ACTION) -> "Entitlement":
        """The entitlement to `action`, with its first lease.

        Raises:
            UnauthenticatedError, NotPermittedError: Audit refuses the person.
            AuditUnavailableError: Audit did not answer in time.
        """

        return await cls._open(terms, lambda: terms.audit.leases(token, action))

    @classmethod
    async def open_standing(cls, terms: EntitlementTerms, intent_id: UUID) -> "Entitlement":
        """The entitlement to alerts of whoever did the act of that intent, who is not signed in.

        Raises:
            NotPermittedError: Audit refuses the person.
            AuditUnavailableError: Audit did not answer in time.
        """
        return await cls._open(terms, lambda: terms.audit.standing_leases(intent_id, ACTION))

    @classmethod
    async def _open(
        cls, terms: EntitlementTerms, open_leases: Callable[[], AsyncGenerator[Lease]]
    ) -> "Entitlement":
        leases = open_leases()
        try:
            return cls(terms, open_leases, leases, await _first(leases, terms.audit))
        except BaseException:
            await leases.aclose()
            raise

    @property
    def actor(self) -> Actor:
        """Who holds it, as of the newest lease."""
        return self._lease.actor

    async def hold(self) -> None:
        """Never returns; keeps the lease fresh.

        Raises:
            EntitlementEndedError: Audit ended it, or the lease ran out and audit could not be asked.
        """
        await first_ending(self._renew(), self._expire())

    async def close(self) -> None:
        """Ends the watch on audit's side too."""
        await self._leases.aclose()

    async def _renew(self) -> None:
        while True:
            try:
                async for lease in self._leases:
                    self._take(lease)
                    self._renewed.set()
            except AuditUnavailableError as error:
                log.warning("entitlement_unproven", error=type(error).__name__)
            except AlprError as error:
                raise EntitlementEndedError(
                    "the entitlement ended; sign in again", metadata=error.metadata
                ) from error
            await asyncio.sleep(_RETRY_SECONDS)
            await self._leases.aclose()
            self._leases = self._open_leases()

    def _take(self, lease: Lease) -> None:
        self._lease = lease
        # By a clock that nobody sets.
        life = trusted_for(lease.until, self._terms.clock.now())
        self._trusted_until = time.monotonic() + life.total_seconds()

    async def _expire(self) -> None:
        while True:
            last, trusted_until = self._lease, self._trusted_until
            if await self._renewed_before(trusted_until):
                continue
            if not last.actor.is_telecom_center:
                raise EntitlementEndedError("the entitlement could not be proved any more; try again")
            # An AMBER alert must reach dispatch: for a while the last lease does, and the log hears of it.
            await self._terms.report(Continuation(last.actor, last.until, begins=True))
            grace = self._terms.telecom_grace().total_seconds()
            renewed = await self._renewed_before(trusted_until + grace)
            await self._terms.report(Continuation(last.actor, last.until, begins=False))
            if not renewed:
                raise EntitlementEndedError("the entitlement could not be proved any more; try again")

    async def _renewed_before(self, moment: float) -> bool:
        self._renewed.clear()
        return await wait_at_most(self._renewed, moment - time.monotonic())


async def _first(leases: AsyncGenerator[Lease], audit: AuditClient) -> Lease:
    try:
        async with asyncio.timeout(audit.timeout_seconds):
            return await anext(leases)
    except (TimeoutError, StopAsyncIteration) as error:
        raise AuditUnavailableError(
            "the audit service did not answer; nothing was done; try again"
        ) from error
