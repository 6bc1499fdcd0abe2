"""An agency's dispatch or records system, asked whether there is such a case."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

import grpc
import structlog

from alpr.cad.v1 import case_directory_service_pb2 as pb
from alpr.cad.v1.case_directory_service_pb2_grpc import CaseDirectoryServiceStub
from alpr.type.v1.justification_pb2 import Justification
from services.common.client import ClientTls, service_channel
from services.search.config import SearchSettings
from services.search.core.case_check import CaseCheck

if TYPE_CHECKING:
    from alpr.cad.v1.case_directory_service_pb2_grpc import CaseDirectoryServiceAsyncStub

log = structlog.get_logger()

_CHECKS: Final = {
    pb.CASE_STATUS_OPEN: CaseCheck.OPEN,
    pb.CASE_STATUS_CLOSED: CaseCheck.CLOSED,
    pb.CASE_STATUS_UNKNOWN: CaseCheck.UNKNOWN,
    pb.CASE_STATUS_NOT_COVERED: CaseCheck.NOT_COVERED,
}


class CaseDirectory(Protocol):
    """Where case numbers are checked."""

    async def check(self, justification: Justification) -> CaseCheck:
        """What is known of the case. It never raises: whether a question may be asked is audit's to say."""


class NoCaseDirectory:
    """The agency has none: nothing is checked."""

    async def check(self, justification: Justification) -> CaseCheck:
        """Nothing."""
        return CaseCheck.NONE


@dataclass(frozen=True, slots=True)
class When:
    """How long the directory may take, and whether questions are refused while it does not answer."""

    timeout_seconds: float
    refuse_when_away: bool


class RemoteCaseDirectory:
    """Asks the directory's server."""

    def __init__(self, stub: CaseDirectoryServiceAsyncStub, when: When) -> None:
        self._stub = stub
        self._when = when

    async def check(self, justification: Justification) -> CaseCheck:
        """What the directory says, or that it said nothing that can be used."""
        number = justification.case_number.strip()
        if not (number and justification.case_number_kind):
            return CaseCheck.NONE  # audit refuses that by itself
        request = pb.CheckCaseRequest(case_number_kind=justification.case_number_kind, case_number=number)
        try:
            response = await self._stub.CheckCase(request, timeout=self._when.timeout_seconds)
        except grpc.aio.AioRpcError as error:
            log.warning("case_directory_away", code=error.code().name)
            return self._away()
        return _CHECKS.get(response.status) or self._away()

    def _away(self) -> CaseCheck:
        return CaseCheck.AWAY_REFUSED if self._when.refuse_when_away else CaseCheck.AWAY


def open_directory(settings: SearchSettings) -> OpenDirectory:
    """The directory that the settings name, or one that says nothing."""
    target = settings.case_directory_target
    if not target:
        return OpenDirectory(NoCaseDirectory(), None)
    own = settings.client_tls
    tls = ClientTls(own.certificate, own.key, settings.case_directory_ca or own.ca)
    name = settings.case_directory_name or target.rpartition(":")[0]
    channel = service_channel(target, tls, server_name=name)
    when = When(settings.case_directory_timeout_seconds, settings.case_directory_when_away == "refuse")
    return OpenDirectory(RemoteCaseDirectory(CaseDirectoryServiceStub(channel), when), channel)


@dataclass(frozen=True, slots=True)
class OpenDirectory:
    """A directory with the channel to it."""

    directory: CaseDirectory
    channel: grpc.aio.Channel | None

    async def close(self) -> None:
        """Returns when the channel is closed."""
        if self.channel is not None:
            await self.channel.close()
