"""Leases of people who call often: audit is asked once a lease, not once a call (ENF-051 IV.A.4)."""

import time
from hashlib import sha256

from services.alerts.audit import AuditClient
from services.alerts.core.lease import trusted_for
from services.alerts.core.model import Actor
from services.alerts.entitlement import first_lease
from services.common.clock import Clock
from services.common.identity import AccessToken

_MOST = 20_000


class Leases:
    """Trusts a lease as long as audit says, at most a minute, as an open stream does."""

    def __init__(self, audit: AuditClient, clock: Clock) -> None:
        self._audit = audit
        self._clock = clock
        self._known: dict[tuple[bytes, str], tuple[Actor, float]] = {}

    async def who_is(self, token: AccessToken, action: str) -> Actor:
        """The person whose token it is, entitled to `action`. Raises what audit refuses with."""
        # By its hash: a token is kept nowhere.
        key, now = (sha256(token.reveal().encode()).digest(), action), time.monotonic()
        actor, until = self._known.get(key, (None, now))
        if actor is not None and now < until:
            return actor
        lease = await first_lease(self._audit, token, action)
        if len(self._known) >= _MOST:
            self._known = {one: held for one, held in self._known.items() if held[1] > now}
        life = trusted_for(lease.until, self._clock.now())
        self._known[key] = (lease.actor, time.monotonic() + life.total_seconds())
        return lease.actor
