"""Agreements between agencies, as audit tells them (ENF-051 III.B.1)."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING, Any, Final

import grpc

from alpr.audit.v1 import governance_service_pb2 as pb
from services.common.errors import DependencyUnavailableError
from services.common.wire import to_datetime
from services.matcher.core.scope import Agreement, AgreementNews, Partition

if TYPE_CHECKING:
    # The stubs have this name for type checkers only.
    from alpr.audit.v1.governance_service_pb2_grpc import GovernanceServiceAsyncStub

SILENCE_S: Final = 15.0
"""Audit says something every 5 seconds; after so long without a word its last one is not to be trusted."""
_PARTITIONS: Final = {
    pb.DATA_CLASS_HOT_LIST_HITS: Partition.GENERAL,
    pb.DATA_CLASS_MOTOR_CARRIER_HITS: Partition.MOTOR_CARRIER,
}


class AgreementFeed:
    """Audit's watch on agreements."""

    def __init__(self, stub: GovernanceServiceAsyncStub) -> None:
        self._stub = stub

    async def news(self) -> AsyncGenerator[AgreementNews]:
        """A snapshot, then every change, and news without content at least every 5 seconds.

        Raises:
            DependencyUnavailableError: Audit cannot be reached, or has been silent for too long.
        """
        call: Any = self._stub.WatchAgreements(pb.WatchAgreementsRequest())
        try:
            while (message := await _next(call)) is not grpc.aio.EOF:
                yield parse_news(message)
        except grpc.aio.AioRpcError as error:
            raise DependencyUnavailableError(f"audit ended the watch ({error.code().name})") from None
        except TimeoutError:
            raise DependencyUnavailableError("audit has been silent") from None
        finally:
            call.cancel()


def parse_news(message: pb.WatchAgreementsResponse) -> AgreementNews:
    """What audit says. An agreement that this matcher cannot read in full lets nothing in."""
    read = [(uuid.UUID(one.agreement_id), _agreement(one)) for one in message.agreements]
    return AgreementNews(
        audit_revision=message.revision,
        in_force=tuple(agreement for _, agreement in read if agreement is not None),
        ended=tuple(agreement_id for agreement_id, agreement in read if agreement is None),
        snapshot=message.snapshot,
    )


def _agreement(given: pb.Agreement) -> Agreement | None:
    """The agreement where both parties have accepted it and it gives something that matters here."""
    partitions = frozenset(_PARTITIONS[one] for one in given.data_classes if one in _PARTITIONS)
    if given.state != pb.AGREEMENT_STATE_ACCEPTED or not partitions:
        return None
    return Agreement(
        agreement_id=uuid.UUID(given.agreement_id),
        sensor_agency_ori=given.provider_ori,
        list_agency_ori=given.recipient_ori,
        partitions=partitions,
        start=to_datetime(given.start_time),
        end=to_datetime(given.end_time),
    )


async def _next(call: Any) -> Any:
    # A connection can be dead without an end.
    async with asyncio.timeout(SILENCE_S):
        return await call.read()
