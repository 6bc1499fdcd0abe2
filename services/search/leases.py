"""The right of a person to an open stream, held by leases from audit (ENF-051 IV.A.4)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import grpc

from alpr.audit.v1 import health_service_pb2 as pb
from services.common.clock import Clock
from services.common.errors import AlprError, AuditUnavailableError, from_rpc_error
from services.common.identity import AccessToken
from services.common.wire import to_datetime
from services.search.errors import EntitlementEndedError

if TYPE_CHECKING:
    from alpr.audit.v1.health_service_pb2_grpc import HealthServiceAsyncStub

_AGAIN_SECONDS: Final = 1.0
# Audit's own no; every other failure says nothing about the person.
_ENDED: Final = frozenset(
    {
        grpc.StatusCode.UNAUTHENTICATED,
        grpc.StatusCode.PERMISSION_DENIED,
        grpc.StatusCode.FAILED_PRECONDITION,
    }
)


class Lease:
    """One person's leave to do one thing, as long as it lasts."""

    def __init__(self, until: datetime, clock: Clock) -> None:
        self.until = until
        self.ended: AlprError | None = None
        self._clock = clock

    def require(self) -> None:
        """Returns while it lasts.

        Raises:
            EntitlementEndedError: Audit ended it, or it ran out and audit could not be asked.
        """
        if self.ended is not None:
            raise EntitlementEndedError("the entitlement ended; sign in again", metadata=self.ended.metadata)
        if self.until <= self._clock.now():
            raise EntitlementEndedError("the entitlement could not be proved any more; try again")


class Leases:
    """Asks audit for leases."""

    def __init__(self, stub: HealthServiceAsyncStub, clock: Clock, timeout_seconds: float) -> None:
        self._stub = stub
        self._clock = clock
        self._timeout = timeout_seconds

    @asynccontextmanager
    async def held(self, token: AccessToken, action: str) -> AsyncIterator[Lease]:
        """A lease that renews itself inside the block.

        Raises:
            AlprError: Audit's refusal, unchanged.
            AuditUnavailableError: Audit did not answer in time.
        """
        request = pb.WatchEntitlementsRequest(access_token=token.reveal(), action=action)
        call: Any = self._stub.WatchEntitlements(request)
        lease = Lease(await self._first(call), self._clock)
        renewing = asyncio.create_task(self._renew(lease, call, request))
        try:
            yield lease
        finally:
            renewing.cancel()
            await asyncio.gather(renewing, return_exceptions=True)

    async def _first(self, call: Any) -> datetime:
        try:
            async with asyncio.timeout(self._timeout):
                message = await call.read()
        except (TimeoutError, grpc.aio.AioRpcError) as error:
            call.cancel()
            raise _refusal(error) from error
        if message is grpc.aio.EOF:
            raise _refusal(None)
        return to_datetime(message.lease_until)

    async def _renew(self, lease: Lease, call: Any, request: pb.WatchEntitlementsRequest) -> None:
        while True:
            try:
                while (message := await call.read()) is not grpc.aio.EOF:
                    lease.until = to_datetime(message.lease_until)
            except grpc.aio.AioRpcError as error:
                if error.code() in _ENDED:
                    lease.ended = from_rpc_error(error)
                    return
            finally:
                call.cancel()
            await asyncio.sleep(_AGAIN_SECONDS)
            call = self._stub.WatchEntitlements(request)


def _refusal(error: BaseException | None) -> AlprError:
    if isinstance(error, grpc.aio.AioRpcError) and error.code() in _ENDED:
        return from_rpc_error(error)
    return AuditUnavailableError("the audit service did not answer, so nothing was shown; try again")
