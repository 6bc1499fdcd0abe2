"""The Motor Carrier Safety data set: connections of its own, as logins of its own (ENF-051 II.H, III.E.5)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Literal

from alpr.search.v1 import motor_carrier_service_pb2
from alpr.search.v1.motor_carrier_service_pb2_grpc import add_MotorCarrierServiceServicer_to_server
from services.common.clock import Clock
from services.common.objects import ObjectStore
from services.common.pg import Pool, open_pool
from services.common.server import ServerBuilder
from services.search.app_motor_carrier import MotorCarrierSearch
from services.search.app_read import OneRead
from services.search.append import Archive
from services.search.config import SearchSettings
from services.search.core.houses import MOTOR_CARRIER
from services.search.departures import Departures
from services.search.images import ReadImages
from services.search.look_back_pictures import PictureSources
from services.search.retention import House, RetentionPools
from services.search.road import QuestionRoad
from services.search.server_motor_carrier import MotorCarrierServer
from services.search.store_append import AppendStore
from services.search.store_image import ImageKeyStore
from services.search.store_look_back_pictures import LookBackKeyStore
from services.search.store_question import QuestionStore
from services.search.store_upkeep import UpkeepStore
from services.search.upkeep import SteadyUpkeep
from services.search.wire_read import plate_box

_SERVICE = motor_carrier_service_pb2.DESCRIPTOR.services_by_name["MotorCarrierService"].full_name
_SCHEMA: Final = "motor_carrier"
# Some thousand reads a day of a few scale houses: nobody waits for a warmed connection.
_QUESTION_CONNECTIONS: Final = 2


@dataclass(frozen=True, slots=True)
class Asking:
    """What questions to the data set need."""

    road: QuestionRoad
    token_key: bytes = field(repr=False)
    objects: ObjectStore


@dataclass(frozen=True, slots=True)
class MotorCarrier:
    """What there is of the data set, open.

    Attributes:
        archive: Where its reads go.
        questions: Connections of the login that may ask.
        schema: Where its functions are.
        purge: Connections of the login that ends its days.
    """

    archive: Archive
    questions: Pool
    schema: Literal["motor_carrier"]
    purge: Pool
    upkeep: SteadyUpkeep
    pools: tuple[Pool, ...]

    def picture_sources(self, objects: ObjectStore) -> PictureSources:
        """Where the pictures of hits of a look-back come from."""
        return PictureSources(
            questions=QuestionStore(self.questions, self.schema),
            keys=LookBackKeyStore(self.questions, motor_carrier=True),
            images=ReadImages(objects, motor_carrier=True),
            box_of=plate_box,
        )

    def served_by(self, builder: ServerBuilder, asking: Asking) -> ServerBuilder:
        """`builder`, which answers questions, and closes all here but the archive when the server stops."""
        for pool in self.pools:
            builder.on_stop(pool.close)
        road = asking.road
        images = ReadImages(asking.objects, motor_carrier=True)
        keys = ImageKeyStore(self.questions, self.schema)
        one_read = OneRead(road, keys, images, plate_box)
        server = MotorCarrierServer(MotorCarrierSearch(road, asking.token_key), one_read)
        builder.add(_SERVICE, add_MotorCarrierServiceServicer_to_server, server)
        return builder.on_stop(self.upkeep.stop).on_stop(road.close)

    def house(self, settings: SearchSettings, road: QuestionRoad, departures: Departures) -> House:
        """The data set as holds and purges know it."""
        pools = RetentionPools(self.purge, self.questions)
        return House(MOTOR_CARRIER, pools, road, departures, settings.mcs_hold_kek_file)


async def open_motor_carrier(settings: SearchSettings, clock: Clock) -> MotorCarrier:
    """The data set with its partitions made.

    Raises:
        StorageUnavailableError: The database did not answer.
    """
    append = await open_pool(
        settings.mcs_append_database_url, application_name="search-mcs-append", min_size=1, max_size=2
    )
    questions = await open_pool(
        settings.mcs_question_database_url,
        application_name="search-mcs-question",
        min_size=1,
        max_size=_QUESTION_CONNECTIONS,
    )
    purge = await open_pool(
        settings.mcs_purge_database_url, application_name="search-mcs-purge", min_size=1, max_size=2
    )
    upkeep = SteadyUpkeep(UpkeepStore(purge, _SCHEMA))
    await upkeep.start()
    archive = Archive(AppendStore(append, _SCHEMA), clock, name="motor_carrier")
    return MotorCarrier(archive, questions, _SCHEMA, purge, upkeep, (append, questions, purge))
