"""Wiring of what leaves as a file: reports, evidence packages, and the register of both."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from alpr.search.v1 import dissemination_service_pb2, report_service_pb2
from alpr.search.v1.dissemination_service_pb2_grpc import add_DisseminationServiceServicer_to_server
from alpr.search.v1.report_service_pb2_grpc import add_ReportServiceServicer_to_server
from services.common.clock import SystemClock
from services.common.keyfile import read_key
from services.common.objects import ObjectStore
from services.common.pg import Pool, open_pool
from services.common.server import ServerBuilder
from services.search.acts import Acts
from services.search.app_evidence import EvidencePackages, EvidenceRoom, EvidenceSources
from services.search.app_export import Exports
from services.search.app_notices import NoticeDesk
from services.search.app_register import RegisterBook
from services.search.app_report import PictureSource, Reports, ReportSources
from services.search.config import SearchSettings
from services.search.departures import Departures
from services.search.evidence_vault import EvidenceVault
from services.search.images import ReadImages
from services.search.notices import open_notifier
from services.search.notifier import Notifier
from services.search.road import QuestionRoad
from services.search.server_dissemination import DisseminationServer
from services.search.server_report import ReportServer, UseCases
from services.search.store_notices import NoticeStore
from services.search.store_register import RegisterStore
from services.search.store_report_pictures import ReportPictureStore
from services.search.wire_evidence import read_as_json
from services.search.wire_export import write_page
from services.search.wire_read import plate_box
from services.search.wire_report import WORDING

if TYPE_CHECKING:
    from alpr.audit.v1.authorization_service_pb2_grpc import AuthorizationServiceAsyncStub

_REPORT = report_service_pb2.DESCRIPTOR.services_by_name["ReportService"].full_name
_DISSEMINATION = dissemination_service_pb2.DESCRIPTOR.services_by_name["DisseminationService"].full_name


@dataclass(frozen=True, slots=True)
class Neighbours:
    """What the rest of search has already: the road of questions, acts, connections, pictures, audit."""

    road: QuestionRoad
    acts: Acts
    question_pool: Pool
    objects: ObjectStore
    audit: AuthorizationServiceAsyncStub


@dataclass(frozen=True, slots=True)
class Leaving:
    """Both servicers, and what must be stopped with them."""

    reports: ReportServer
    disseminations: DisseminationServer
    departures: Departures
    notifier: Notifier | None
    pool: Pool

    def added_to(self, builder: ServerBuilder) -> ServerBuilder:
        """`builder` with both services, stopped with it."""
        if self.notifier:
            # After the pool's, so that it is stopped before.
            builder = builder.on_stop(self.pool.close).on_stop(self.notifier.stop)
        else:
            builder = builder.on_stop(self.pool.close)
        return (
            builder.add(_REPORT, add_ReportServiceServicer_to_server, self.reports)
            .add(_DISSEMINATION, add_DisseminationServiceServicer_to_server, self.disseminations)
            .on_stop(self.departures.stop)
        )


async def open_leaving(settings: SearchSettings, neighbours: Neighbours) -> Leaving:
    """What leaves as a file, connected, and its upkeep begun.

    Raises:
        StartError: The key file is no key.
        asyncpg.PostgresError: PostgreSQL refuses the login, or lacks the schema.
    """
    clock = SystemClock()
    pool = await open_pool(
        settings.register_database_url, application_name="search-register", min_size=1, max_size=4
    )
    register = RegisterStore(pool)
    departures = Departures(neighbours.acts, register, clock)
    keys = ReportPictureStore(neighbours.question_pool)
    images = ReadImages(neighbours.objects)
    pictures = PictureSource(images, plate_box)
    reports = Reports(neighbours.road, ReportSources(keys, pictures, register, WORDING), departures, clock)
    vault = EvidenceVault(neighbours.objects, read_key(settings.evidence_kek_file, "PW_EVIDENCE_KEK_FILE"))
    packages = EvidencePackages(
        neighbours.road,
        EvidenceSources(keys, pictures, read_as_json, WORDING),
        departures,
        EvidenceRoom(vault, register),
    )
    exports = Exports(neighbours.road, (keys, images), departures, write_page)
    book = RegisterBook(neighbours.acts, register)
    notices = NoticeStore(pool)
    desk = NoticeDesk(neighbours.acts, register, notices)
    notifier = open_notifier(settings, notices, neighbours.audit, clock)
    await departures.start()
    if notifier:
        await notifier.start(settings.notice_seconds)
    return Leaving(
        reports=ReportServer(UseCases(reports, packages, exports, book), settings.home_state, clock),
        disseminations=DisseminationServer(book, desk, settings.home_state, clock),
        departures=departures,
        notifier=notifier,
        pool=pool,
    )
