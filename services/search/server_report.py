"""Servicer of ReportService: decode, call, encode."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass

from alpr.search.v1 import report_service_pb2 as pb
from alpr.search.v1.report_service_pb2_grpc import ReportServiceServicer
from services.common.clock import Clock
from services.common.identity import Context
from services.search import wire_dissemination, wire_evidence, wire_export, wire_report
from services.search.app_evidence import EvidencePackages
from services.search.app_export import Exports
from services.search.app_register import RegisterBook
from services.search.app_report import Reports
from services.search.server_search import token_of
from services.search.store_register import BEYOND
from services.search.wire_sensor_health import parse_partition


@dataclass(frozen=True, slots=True)
class UseCases:
    """What the service does."""

    reports: Reports
    packages: EvidencePackages
    exports: Exports
    book: RegisterBook


_OfHouse = (
    pb.ExportReportRequest
    | pb.ExportEvidenceRequest
    | pb.GetEvidenceRequest
    | pb.ExportReadsRequest
    | pb.ListEvidenceRequest
)


class ReportServer(ReportServiceServicer):
    """See report_service.proto."""

    def __init__(self, uses: Mapping[bool, UseCases], home_state: str, clock: Clock) -> None:
        """`uses` are those of the archive as False, of the Motor Carrier Safety data set as True."""
        self._uses = uses
        self._home_state = home_state
        self._clock = clock

    def _of(self, request: _OfHouse) -> UseCases:
        return self._uses[parse_partition(request.partition)]

    async def ExportReport(
        self, request: pb.ExportReportRequest, context: Context
    ) -> AsyncIterator[pb.ExportReportResponse]:
        """See report_service.proto."""
        token, now = token_of(context), self._clock.now()
        asked = wire_report.parse_report(request, token, self._home_state, now)
        file = await self._of(request).reports.export(asked)
        for part in wire_report.report_parts(asked, file):
            yield part

    async def ExportEvidence(
        self, request: pb.ExportEvidenceRequest, context: Context
    ) -> AsyncIterator[pb.ExportEvidenceResponse]:
        """See report_service.proto."""
        asked = wire_evidence.parse_evidence(request, token_of(context))
        for part in wire_evidence.evidence_parts(await self._of(request).packages.export(asked)):
            yield part

    async def GetEvidence(
        self, request: pb.GetEvidenceRequest, context: Context
    ) -> AsyncIterator[pb.GetEvidenceResponse]:
        """See report_service.proto."""
        asked = wire_evidence.parse_copy(request, token_of(context))
        for part in wire_evidence.copy_parts(await self._of(request).packages.again(asked)):
            yield part

    async def ExportReads(
        self, request: pb.ExportReadsRequest, context: Context
    ) -> AsyncIterator[pb.ExportReadsResponse]:
        """See report_service.proto."""
        page = await self._of(request).exports.page(wire_export.parse_export(request, token_of(context)))
        yield wire_export.page_description(page)
        for part in wire_report.parts_of(page.data):
            yield pb.ExportReadsResponse(data=part)
        async for image, picture in self._of(request).exports.pictures(page):
            yield wire_export.picture_description(image)
            for part in wire_report.parts_of(picture):
                yield pb.ExportReadsResponse(data=part)

    async def ListEvidence(
        self, request: pb.ListEvidenceRequest, context: Context
    ) -> pb.ListEvidenceResponse:
        """See report_service.proto."""
        filters = {"report_number": request.report_number}
        wanted = wire_dissemination.parse_wanted(request, token_of(context), [], filters)
        kept = await self._of(request).book.evidence(wanted, request.report_number, wanted.position or BEYOND)
        return pb.ListEvidenceResponse(
            packages=[wire_evidence.kept_package(one) for one in kept],
            next_page_token=wire_dissemination.next_page([one.evidence_number for one in kept], wanted),
        )
