"""Attempts to tell recipients, put into audit's log as what happened (ENF-051 III.B.3.n)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final
from uuid import uuid5

import grpc

from alpr.audit.v1 import authorization_service_pb2 as pb
from services.common.errors import AuditUnavailableError
from services.common.wire import to_timestamp
from services.search.store_notices import Attempt

if TYPE_CHECKING:
    from alpr.audit.v1.authorization_service_pb2_grpc import AuthorizationServiceAsyncStub

_ACTION: Final = "dissemination.delivery"


class AttemptEvents:
    """Calls audit over mTLS with a deadline."""

    def __init__(self, stub: AuthorizationServiceAsyncStub, timeout_seconds: float) -> None:
        self._stub = stub
        self._timeout = timeout_seconds

    async def record(self, attempts: Sequence[Attempt]) -> None:
        """Returns when all of them, at most 500, are in the log. Repeating it is harmless.

        Raises:
            AuditUnavailableError: It is not certain that they are.
        """
        request = pb.RecordEventsRequest(events=[_event(one) for one in attempts])
        try:
            await self._stub.RecordEvents(request, timeout=self._timeout)
        except grpc.aio.AioRpcError as error:
            raise AuditUnavailableError("the audit service did not record the attempts") from error


def _event(attempt: Attempt) -> pb.Event:
    return pb.Event(
        event_id=str(uuid5(attempt.notice_id, f"attempt/{attempt.attempt}")),
        action=_ACTION,
        resource=str(attempt.notice_id),
        agency_ori=attempt.agency_ori,
        event_time=to_timestamp(attempt.attempt_time),
        details={
            "attempt": str(attempt.attempt),
            "result": attempt.result,
            "problem": attempt.problem,
        },
    )
