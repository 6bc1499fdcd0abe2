"""The Motor Carrier Safety data set: connections of its own, as logins of its own (ENF-051 II.H, III.E.5)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from services.common.clock import Clock
from services.common.pg import Pool, open_pool
from services.common.server import ServerBuilder
from services.search.append import Archive
from services.search.config import SearchSettings
from services.search.store_append import AppendStore
from services.search.store_upkeep import UpkeepStore
from services.search.upkeep import HourlyUpkeep

_SCHEMA: Final = "motor_carrier"
# Some thousand reads a day of a few scale houses: nobody waits for a warmed connection.
_QUESTION_CONNECTIONS: Final = 2


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
    upkeep: HourlyUpkeep
    pools: tuple[Pool, ...]

    def closed_with(self, builder: ServerBuilder) -> ServerBuilder:
        """`builder`, which closes everything here but the archive when the server has stopped."""
        for pool in self.pools:
            builder.on_stop(pool.close)
        return builder.on_stop(self.upkeep.stop)


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
    upkeep = HourlyUpkeep(UpkeepStore(purge, _SCHEMA))
    await upkeep.start()
    archive = Archive(AppendStore(append, _SCHEMA), clock)
    return MotorCarrier(archive, questions, _SCHEMA, purge, upkeep, (append, questions, purge))
