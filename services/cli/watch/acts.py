"""What the person does about alerts, brought to the service over a link that may drop at any moment.

An act carries its request id from the key press on, so that sending it again is safe, and is sent until the
service has answered. Acts on one alert go one after the other.
"""

import asyncio
from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import grpc

from alpr.alerts.v1 import alert_service_pb2 as pb
from alpr.alerts.v1 import alert_service_pb2_grpc as rpc
from alpr.type.v1 import notice_pb2
from services.cli.locate import CommandError
from services.cli.options import new_request_id
from services.cli.session import Session
from services.common.errors import AlprError, from_rpc_error

Request = pb.AcknowledgeAlertRequest | pb.VerifyAlertRequest | pb.DisposeAlertRequest

_TRY_SECONDS: Final = 8.0
_PAUSE_SECONDS: Final = 0.5
# The link's failures, and a service that is not ready. Any other answer is the service's last word.
_PASSING: Final = frozenset(
    {
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.CANCELLED,
        grpc.StatusCode.ABORTED,
        grpc.StatusCode.UNKNOWN,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
    }
)


@dataclass(frozen=True, slots=True)
class Act:
    """One thing to record. `word` names it for the person; the request has its id and stays the same."""

    alert_id: str
    word: str
    # Not in its text: the response id of LEADS and the report number belong into no log.
    request: Request = field(repr=False)


def acknowledging(alert_id: str) -> Act:
    """Somebody has seen it."""
    return Act(
        alert_id, "acknowledge", pb.AcknowledgeAlertRequest(request_id=new_request_id(), alert_id=alert_id)
    )


def verifying(
    alert: pb.Alert, state: notice_pb2.VerificationState.ValueType, system: str = "", response_id: str = ""
) -> list[Act]:
    """A step of the verification. An answer needs that somebody has begun to ask, so that is recorded first
    where it was not yet (III.D.4).
    """
    begun = alert.notice.verification_state == notice_pb2.VERIFICATION_STATE_VERIFYING
    first = (
        []
        if begun or state == notice_pb2.VERIFICATION_STATE_VERIFYING
        else verifying(alert, notice_pb2.VERIFICATION_STATE_VERIFYING)
    )
    request = pb.VerifyAlertRequest(
        request_id=new_request_id(),
        alert_id=alert.alert_id,
        state=state,
        system=system,
        response_id=response_id,
    )
    return [*first, Act(alert.alert_id, "verify", request)]


def disposing(
    alert_id: str, disposition: pb.Disposition.ValueType, report_number: str = "", reported_by: str = ""
) -> Act:
    """Something was done, by the person or by who reported it."""
    request = pb.DisposeAlertRequest(
        request_id=new_request_id(),
        alert_id=alert_id,
        disposition=disposition,
        report_number=report_number,
        reported_by=reported_by,
    )
    return Act(alert_id, "dispose", request)


class Acts:
    """Acts that the service has not answered yet.

    Args:
        session: Who acts.
        told: Called with each act that is over, and with the error when it was refused. What waits behind a
            refused act on the same alert is given up with it.
    """

    def __init__(self, session: Session, told: Callable[[Act, AlprError | None], None]) -> None:
        self._session = session
        self._told = told
        self._waiting: defaultdict[str, deque[Act]] = defaultdict(deque)
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._acknowledged: set[str] = set()

    def put(self, *acts: Act) -> None:
        """Sends `acts`, all of one alert, behind what was put before them."""
        for act in acts:
            self._waiting[act.alert_id].append(act)
            if act.alert_id not in self._tasks:
                self._tasks[act.alert_id] = asyncio.create_task(self._send_all(act.alert_id))

    def words(self, alert_id: str) -> tuple[str, ...]:
        """The words of what is on its way for the alert."""
        return tuple(act.word for act in self._waiting.get(alert_id, ()))

    def has_seen(self, alert_id: str) -> bool:
        """Whether the person at this board does something about it just now, or has acknowledged it here.

        The feed may tell of it some time after the service has answered.
        """
        return alert_id in self._waiting or alert_id in self._acknowledged

    @property
    def count(self) -> int:
        """How many are on their way."""
        return sum(map(len, self._waiting.values()))

    async def close(self) -> None:
        """Gives up what is on its way; the service may or may not have recorded it."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _send_all(self, alert_id: str) -> None:
        waiting = self._waiting[alert_id]
        try:
            while waiting:
                await self._send(waiting)
        finally:
            del self._tasks[alert_id], self._waiting[alert_id]

    async def _send(self, waiting: deque[Act]) -> None:
        error = await self._answer(waiting[0])
        act = waiting.popleft()
        if error is not None:
            waiting.clear()
        elif isinstance(act.request, pb.AcknowledgeAlertRequest):
            self._acknowledged.add(act.alert_id)
        self._told(act, error)

    async def _answer(self, act: Act) -> AlprError | None:
        """The service's last word on `act`: None when it is recorded."""
        while True:
            try:
                await self._try(act)
            except AlprError as error:
                if error.code not in _PASSING:
                    return error
            except CommandError:
                # No token just now: the issuer is away.
                pass
            else:
                return None
            await asyncio.sleep(_PAUSE_SECONDS)

    async def _try(self, act: Act) -> None:
        # Over a connection of its own: a link that went silent stays open for a while and answers nothing.
        async with self._session.lone_channel("alerts") as channel:
            stub = rpc.AlertServiceStub(channel)
            metadata = await self._session.metadata()
            try:
                match act.request:
                    case pb.AcknowledgeAlertRequest():
                        await stub.AcknowledgeAlert(act.request, metadata=metadata, timeout=_TRY_SECONDS)
                    case pb.VerifyAlertRequest():
                        await stub.VerifyAlert(act.request, metadata=metadata, timeout=_TRY_SECONDS)
                    case pb.DisposeAlertRequest():
                        await stub.DisposeAlert(act.request, metadata=metadata, timeout=_TRY_SECONDS)
            except grpc.aio.AioRpcError as error:
                raise from_rpc_error(error) from None
