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
from services.search.core.houses import HouseNames
from services.search.departures import Departures
from services.search.evidence_vault import EvidenceVault
from services.search.images import ReadImages
from services.search.notices import open_notifier
from services.search.notifier import Notifier
from services.search.road import QuestionRoad
from services.search.server_dissemination import Desks, DisseminationServer
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
    """What the rest of search has already of a data set: names, road and connections; pictures, audit."""

    names: HouseNames
    road: QuestionRoad
    question_pool: Pool
    objects: ObjectStore
    audit: AuthorizationServiceAsyncStub


@dataclass(frozen=True, slots=True)
class LeavingHouse:
    """What leaves one data set as a file: its uses, its register, and what must be stopped with them."""

    uses: UseCases
    desk: NoticeDesk
    departures: Departures
    notifier: Notifier | None
    pool: Pool

    async def start(self, settings: SearchSettings) -> None:
        """Begins its upkeep."""
        await self.departures.start()
        if self.notifier:
            await self.notifier.start(settings.notice_seconds)

    def stopped_by(self, builder: ServerBuilder) -> ServerBuilder:
        """`builder`, which ends it when the server stops."""
        builder.on_stop(self.pool.close)
        if self.notifier:
            # After the pool's, so that it is stopped before.
            builder.on_stop(self.notifier.stop)
        return builder.on_stop(self.departures.stop)


@dataclass(frozen=True, slots=True)
class Leaving:
    """Both data sets."""

    archive: LeavingHouse
    apart: LeavingHouse

    def added_to(self, builder: ServerBuilder, settings: SearchSettings) -> ServerBuilder:
        """`builder` with both services, stopped with it."""
        clock, state = SystemClock(), settings.home_state
        houses = {False: self.archive, True: self.apart}
        reports = ReportServer({apart: one.uses for apart, one in houses.items()}, state, clock)
        desks = {apart: Desks(one.uses.book, one.desk) for apart, one in houses.items()}
        for house in houses.values():
            builder = house.stopped_by(builder)
        return builder.add(_REPORT, add_ReportServiceServicer_to_server, reports).add(
            _DISSEMINATION,
            add_DisseminationServiceServicer_to_server,
            DisseminationServer(desks, state, clock),
        )


async def open_leaving(settings: SearchSettings, archive: Neighbours, apart: Neighbours) -> Leaving:
    """What leaves as a file, connected, and its upkeep begun.

    Raises:
        StartError: A key file is no key.
        asyncpg.PostgresError: PostgreSQL refuses a login, or lacks the schema.
    """
    pools = [
        await open_pool(url, application_name=name, min_size=1, max_size=4)
        for url, name in (
            (settings.register_database_url, "search-register"),
            (settings.mcs_register_database_url, "search-mcs-register"),
        )
    ]
    keks = (
        read_key(settings.evidence_kek_file, "PW_EVIDENCE_KEK_FILE"),
        read_key(settings.mcs_evidence_kek_file, "PW_MCS_EVIDENCE_KEK_FILE"),
    )
    opened = [
        _house(settings, neighbours, pool, kek)
        for neighbours, pool, kek in zip((archive, apart), pools, keks, strict=True)
    ]
    for house in opened:
        await house.start(settings)
    return Leaving(*opened)


def _house(settings: SearchSettings, neighbours: Neighbours, pool: Pool, kek: bytes) -> LeavingHouse:
    clock, names, road = SystemClock(), neighbours.names, neighbours.road
    acts = Acts(neighbours.audit, settings.audit_timeout_seconds, names)
    register, notices = RegisterStore(pool, names.schema), NoticeStore(pool, names.schema)
    departures = Departures(acts, register, clock)
    keys = ReportPictureStore(neighbours.question_pool, names.schema)
    images = ReadImages(neighbours.objects, motor_carrier=bool(names.days))
    pictures = PictureSource(images, plate_box)
    book = RegisterBook(acts, register)
    uses = UseCases(
        reports=Reports(road, ReportSources(keys, pictures, register, WORDING), departures, clock),
        packages=EvidencePackages(
            road,
            EvidenceSources(keys, pictures, read_as_json, WORDING),
            departures,
            EvidenceRoom(EvidenceVault(neighbours.objects, kek, names.evidence), register),
        ),
        exports=Exports(road, (keys, images), departures, write_page),
        book=book,
    )
    return LeavingHouse(
        uses=uses,
        desk=NoticeDesk(acts, register, notices),
        departures=departures,
        notifier=open_notifier(settings, notices, neighbours.audit, clock),
        pool=pool,
    )
