"""The search service: `python -m services.search`."""

from __future__ import annotations

import asyncpg

from alpr.audit.v1.authorization_service_pb2_grpc import AuthorizationServiceStub
from alpr.search.v1 import analysis_service_pb2, archive_service_pb2, search_service_pb2
from alpr.search.v1.analysis_service_pb2_grpc import add_AnalysisServiceServicer_to_server
from alpr.search.v1.archive_service_pb2_grpc import add_ArchiveServiceServicer_to_server
from alpr.search.v1.search_service_pb2_grpc import add_SearchServiceServicer_to_server
from services.common import logs
from services.common.client import service_channel
from services.common.clock import SystemClock
from services.common.clock_check import clock_check
from services.common.config import StartError
from services.common.keyfile import read_key
from services.common.pg import open_pool
from services.common.server import ServerBuilder, run, serve
from services.search.acts import Acts
from services.search.app import Search
from services.search.app_analysis import Analysis
from services.search.app_read import OneRead
from services.search.append import Archive, DataSets
from services.search.audit_gateway import AuditGateway
from services.search.case_directory import open_directory
from services.search.config import SearchSettings
from services.search.core.houses import ARCHIVE, MOTOR_CARRIER
from services.search.images import ReadImages
from services.search.leaving import Neighbours, open_leaving
from services.search.look_back import LookBack
from services.search.look_back_pictures import LookBackPictures, PictureSources
from services.search.measures import SearchMeasures
from services.search.motor_carrier import Asking, open_motor_carrier
from services.search.retention import House, Houses, RetentionPools, add_retention
from services.search.road import QuestionRoad
from services.search.sensor_health import open_sensor_health
from services.search.server import ArchiveServer
from services.search.server_analysis import AnalysisServer
from services.search.server_search import SearchServer
from services.search.store_append import AppendStore
from services.search.store_image import ImageKeyStore
from services.search.store_look_back import LookBackStore
from services.search.store_look_back_pictures import LookBackKeyStore
from services.search.store_purge import PurgeStore
from services.search.store_question import QuestionStore
from services.search.store_reads import ReadsStore
from services.search.store_upkeep import UpkeepStore
from services.search.upkeep import SteadyUpkeep
from services.search.wire_read import plate_box

_ANALYSIS = analysis_service_pb2.DESCRIPTOR.services_by_name["AnalysisService"].full_name
_ARCHIVE = archive_service_pb2.DESCRIPTOR.services_by_name["ArchiveService"].full_name
_SEARCH = search_service_pb2.DESCRIPTOR.services_by_name["SearchService"].full_name


async def assemble(settings: SearchSettings) -> ServerBuilder:
    """The server, ready to start: partitions made, connections warm."""
    token_key = read_key(settings.token_key_file, "PW_TOKEN_KEY_FILE")
    size = settings.question_connections
    # One writer commits at a time (services.common.groupcommit); the second connection is for its successor
    # while a broken one is given up.
    append_pool = await open_pool(
        settings.append_database_url, application_name="search-append", min_size=1, max_size=2
    )
    question_pool = await open_pool(
        settings.question_database_url, application_name="search-question", min_size=size, max_size=size
    )
    purge_pool = await open_pool(
        settings.purge_database_url, application_name="search-purge", min_size=1, max_size=4
    )
    channel = service_channel(settings.audit_target, settings.client_tls, server_name="audit")

    questions = QuestionStore(question_pool)
    audit = AuditGateway(AuthorizationServiceStub(channel), settings.audit_timeout_seconds)
    cases = open_directory(settings)
    road = QuestionRoad(audit, questions, cases.directory)
    search = Search(road, ReadsStore(question_pool), token_key)
    analysis = Analysis(road, at_once=max(1, size // 2))
    objects = settings.image_store()
    await objects.check()
    images = ReadImages(objects)
    one_read = OneRead(road, ImageKeyStore(question_pool), images, plate_box)
    sources = PictureSources(questions, LookBackKeyStore(question_pool), images, plate_box)
    motor_carrier = await open_motor_carrier(settings, SystemClock())
    apart_road = QuestionRoad(
        audit, QuestionStore(motor_carrier.questions, MOTOR_CARRIER.schema), cases.directory, MOTOR_CARRIER
    )
    look_back_pictures = LookBackPictures(audit, sources, motor_carrier.picture_sources(objects))
    apart = LookBackStore(motor_carrier.questions, motor_carrier.schema)
    look_back = LookBack(audit, LookBackStore(question_pool), apart)
    stub = AuthorizationServiceStub(channel)
    acts = Acts(stub, settings.audit_timeout_seconds)
    sensors = await open_sensor_health(settings, channel, acts, SystemClock())
    leaving = await open_leaving(
        settings,
        Neighbours(ARCHIVE, road, question_pool, objects, stub),
        Neighbours(MOTOR_CARRIER, apart_road, motor_carrier.questions, objects, stub),
    )
    general = Archive(AppendStore(append_pool), SystemClock())
    archive = DataSets(general, motor_carrier.archive, sensors.notes.note)
    upkeep = SteadyUpkeep(UpkeepStore(purge_pool))

    await upkeep.start()
    await questions.warm_up(size)
    builder = ServerBuilder(settings, name="search").on_stop(channel.close).on_stop(cases.close)
    asking = Asking(apart_road, token_key, objects)
    built = (
        leaving.added_to(sensors.served_by(motor_carrier.served_by(builder, asking)), settings)
        .add(
            _ARCHIVE,
            add_ArchiveServiceServicer_to_server,
            ArchiveServer(archive, look_back, look_back_pictures, sensors.store),
        )
        .add(_SEARCH, add_SearchServiceServicer_to_server, SearchServer(search, one_read))
        .add(
            _ANALYSIS,
            add_AnalysisServiceServicer_to_server,
            AnalysisServer(analysis, settings.time_zone),
        )
        .health_check(questions.check)
        .health_check(clock_check(question_pool))
        .on_stop(purge_pool.close)
        .on_stop(question_pool.close)
        .on_stop(append_pool.close)
        .on_stop(upkeep.stop)
        .on_stop(road.close)
        .on_stop(look_back.close)
        .on_stop(look_back_pictures.close)
        .on_stop(archive.close)
    )
    pools = RetentionPools(purge_pool, question_pool)
    houses = Houses(
        House(ARCHIVE, pools, road, leaving.archive.departures, settings.hold_kek_file),
        motor_carrier.house(settings, apart_road, leaving.apart.departures),
    )
    measures = SearchMeasures(PurgeStore(purge_pool, motor_carrier.purge), sensors.store, question_pool)
    return add_retention(built.measure("search", measures.take), settings, channel, houses)


async def main() -> None:
    """Serves until it is told to stop.

    Raises:
        StartError: A setting or the database keeps the service from starting.
    """
    settings = SearchSettings.from_environment()
    logs.configure("search", level=settings.log_level, log_format=settings.log_format)
    try:
        builder = await assemble(settings)
    except asyncpg.PostgresError as error:
        raise StartError(
            f"PostgreSQL refuses a login of search or lacks its schema ({type(error).__name__}); "
            "check PW_..._DATABASE_URL and run the migration"
        ) from None
    await serve(builder)


if __name__ == "__main__":
    run(main())
