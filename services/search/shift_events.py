"""A camera that no longer stands where the registry says, put into audit's log (ENF-051 IV.C.4)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Final
from uuid import UUID, uuid5

import grpc

from alpr.audit.v1 import authorization_service_pb2 as pb
from services.common.errors import AuditUnavailableError
from services.common.wire import to_timestamp
from services.search.store_sensor_health import NewNotice

if TYPE_CHECKING:
    from alpr.audit.v1.authorization_service_pb2_grpc import AuthorizationServiceAsyncStub

_NAMESPACE: Final = UUID("6a0f8f5e-7c0d-5b83-9d58-0c1c7d3f4f10")
_ACTION: Final = {False: "sensor.moved", True: "mcs_sensor.moved"}


class ShiftEvents:
    """Calls audit over mTLS with a deadline."""

    def __init__(self, stub: AuthorizationServiceAsyncStub, timeout_seconds: float) -> None:
        self._stub = stub
        self._timeout = timeout_seconds

    async def record(self, moved: Sequence[NewNotice], moment: datetime) -> None:
        """Returns when all of them are in the log, each sensor once an hour. Repeating it is harmless.

        Raises:
            AuditUnavailableError: It is not certain that they are.
        """
        request = pb.RecordEventsRequest(events=[_event(one, moment) for one in moved])
        try:
            await self._stub.RecordEvents(request, timeout=self._timeout)
        except grpc.aio.AioRpcError as error:
            raise AuditUnavailableError("the audit service did not record that a camera moved") from error


def _event(notice: NewNotice, moment: datetime) -> pb.Event:
    hour = moment.replace(minute=0, second=0, microsecond=0)
    return pb.Event(
        event_id=str(uuid5(_NAMESPACE, f"{notice.sensor_id}/{hour.isoformat()}")),
        action=_ACTION[notice.motor_carrier],
        resource=notice.sensor_id,
        agency_ori=notice.agency_ori,
        event_time=to_timestamp(hour),
        details={"finding": notice.description},
    )
