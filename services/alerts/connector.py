"""The connector to LEADS and NCIC as alerts uses it: it is believed no further than what it must say."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import grpc
import structlog

from alpr.connector.v1 import record_check_service_pb2 as pb
from alpr.connector.v1 import record_check_service_pb2_grpc as rpc
from services.alerts.config import AlertsSettings
from services.alerts.core.model import Actor, Entry
from services.alerts.core.record_check import RecordAnswer
from services.common.client import ClientTls, service_channel
from services.common.errors import DependencyUnavailableError, FieldViolation, WrongStateError
from services.common.wire import parse_moment, parse_text

log = structlog.get_logger()

_LONGEST = 200
_ANSWERS: frozenset[int] = frozenset(RecordAnswer)
BY_HAND = "ask LEADS or NCIC by hand and record what it answered"


@dataclass(frozen=True, slots=True)
class Answered:
    """What the system said, with its name and its id of the answer; `moment` is its own time, if it says."""

    answer: RecordAnswer
    system: str
    response_id: str
    moment: datetime | None


class Connector:
    """Asks over mutual TLS; without a target there is none to ask."""

    def __init__(self, settings: AlertsSettings) -> None:
        target = settings.connector_target
        self._seconds = settings.connector_timeout_seconds
        self._channel: grpc.aio.Channel | None = None
        if target:
            own = settings.client_tls
            tls = ClientTls(own.certificate, own.key, settings.connector_ca_file or own.ca)
            name = settings.connector_name or target.rpartition(":")[0]
            self._channel = service_channel(target, tls, server_name=name)

    def require(self) -> grpc.aio.Channel:
        """The channel to the connector.

        Raises:
            WrongStateError: There is no connector.
        """
        if self._channel is None:
            raise WrongStateError(f"no connector is set up; {BY_HAND}", metadata={"state": "NO_CONNECTOR"})
        return self._channel

    async def ask(self, request_id: UUID, entry: Entry, actor: Actor) -> Answered:
        """What the system says of the entry's record.

        Raises:
            WrongStateError: There is no connector.
            DependencyUnavailableError: It did not answer, or with what is no answer.
        """
        stub = rpc.RecordCheckServiceStub(self.require())
        request = pb.QueryRecordRequest(
            request_id=str(request_id),
            plate=entry.plate,
            state=entry.state,
            plate_type=entry.plate_type,
            record_number=entry.record_number,
            requester_account_id=actor.account_id,
            requester_agency_ori=actor.agency_ori,
        )
        try:
            response: pb.QueryRecordResponse = await stub.QueryRecord(request, timeout=self._seconds)
        except grpc.aio.AioRpcError as error:
            log.warning("connector_away", code=error.code().name)
            raise DependencyUnavailableError(f"the connector did not answer; {BY_HAND}") from None
        return _answered(response)

    async def close(self) -> None:
        """Ends the channel."""
        if self._channel is not None:
            await self._channel.close()


def _answered(response: pb.QueryRecordResponse) -> Answered:
    wrong: list[FieldViolation] = []
    system = parse_text("system", response.system, wrong, most=_LONGEST)
    response_id = parse_text("response_id", response.response_id, wrong, most=_LONGEST)
    # Where the connector says when: an answer that it kept for a request of before is as old as it is.
    moment = parse_moment("answer_time", response, wrong) if response.HasField("answer_time") else None
    if wrong or response.answer not in _ANSWERS:
        # An answer that cannot be found again at its source proves nothing.
        log.warning("connector_answer_unusable", fields=[one.field for one in wrong])
        raise DependencyUnavailableError(f"the connector gave no usable answer; {BY_HAND}")
    return Answered(RecordAnswer(response.answer), system, response_id, moment)
