"""Tokens that are not accepted: told in the log together, and not looked at without end (CJIS AC-7, AU-2)."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextvars import ContextVar
from datetime import datetime, timedelta

import structlog

from services.audit.app_log import Draft, Log
from services.audit.core.entry import EntryKind, rfc3339
from services.common.clock import Clock
from services.common.errors import AlprError, UnauthenticatedError

log = structlog.get_logger()

# From where the call being served came, without the port; "" when a service passed the token on.
CALLER: ContextVar[str] = ContextVar("caller", default="")

# So many wrong tokens a minute are a mistake of somebody's program; more are somebody trying.
_MOST_A_MINUTE = 30
_MINUTE = timedelta(minutes=1)
_MOST_ADDRESSES = 10_000
_EVERY_SECONDS = 900.0


def address_of(peer: str) -> str:
    """The address in gRPC's name of a peer, "ipv4:10.0.0.1:53211", without the port."""
    return peer.rpartition(":")[0]


class RefusedTokens:
    """Counts refused tokens. One entry a quarter of an hour tells of all: no caller can fill the log."""

    def __init__(self, journal: Log, clock: Clock) -> None:
        self._log = journal
        self._clock = clock
        self._since = clock.now()
        self._through: Counter[str] = Counter()
        self._from: dict[str, tuple[datetime, int]] = {}

    def check(self) -> None:
        """Returns when a token that is not known yet may be looked at for the caller of this call.

        Raises:
            UnauthenticatedError: Too many wrong ones came from there within a minute.
        """
        began, count = self._from.get(CALLER.get(), (self._clock.now(), 0))
        left = began + _MINUTE - self._clock.now()
        if count >= _MOST_A_MINUTE and left > timedelta(0):
            msg = "too many access tokens from this address were refused; wait a minute"
            raise UnauthenticatedError(msg, retry_after_ms=int(left.total_seconds() * 1000))

    def note(self, service: str) -> None:
        """Counts a token that was refused; `service` passed it on, "" when its bearer called here."""
        self._through[service or "audit"] += 1
        address = CALLER.get()
        if not address:
            return
        now = self._clock.now()
        began, count = self._from.pop(address, (now, 0))
        if now >= began + _MINUTE:
            began, count = now, 0
        if len(self._from) >= _MOST_ADDRESSES:
            del self._from[next(iter(self._from))]
        self._from[address] = (began, count + 1)

    async def watch(self) -> None:
        """Tells every quarter of an hour, without end."""
        while True:
            await asyncio.sleep(_EVERY_SECONDS)
            try:
                await self.tell()
            except AlprError:
                log.warning("refused_tokens_not_told")

    async def tell(self) -> None:
        """Records how many tokens were refused since it was last told, if any were.

        Raises:
            AuditUnavailableError: It could not be recorded; they are told the next time.
        """
        told, since = self._through, self._since
        if not told:
            return
        values = {
            "action": "sign_in.refused",
            "detail.count": str(told.total()),
            "detail.through": ",".join(f"{name}:{number}" for name, number in sorted(told.items())),
            "detail.first_time": rfc3339(since),
        }
        self._through, self._since = Counter(), self._clock.now()
        try:
            await self._log.append(Draft(EntryKind.EVENT, "", values))
        except AlprError:
            self._through, self._since = self._through + told, since
            raise
