"""Reads in the archive of the console's system, as the matcher sends them: two plates along one road."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from alpr.search.v1 import archive_service_pb2_grpc as rpc
from services.cli.demo.cast import AGENCY_ORI
from tests.support.access_stack import World
from tests.support.search_analysis import at, camera_point, drive, store

TRAVELS: Final = ((5, 9), (12, 20), (26, 4))
"""Days ago and hours, UTC, at which both set out."""
CAMERAS: Final = 4
_LETTERS: Final = "ABCDEFHKLMNPRTUVWXYZ"
_ROADS: Final = 400


@dataclass(frozen=True)
class Journeys:
    """A plate, the one that follows it some seconds behind, and their road, which nobody else uses."""

    plate: str
    friend: str
    road: int

    def at_camera(self, camera: int) -> str:
        """Where it stands, as forms take it."""
        point = camera_point(self.road, camera)
        return f"{point.latitude}, {point.longitude}"

    def starts(self) -> list[datetime]:
        """When they set out, the newest first."""
        return [at(day, hour) for day, hour in TRAVELS]


def new_plate() -> str:
    """A plate that nobody has had."""
    return "".join(secrets.choice(_LETTERS) for _ in range(3)) + f"{secrets.randbelow(10_000):04d}"


def archive_of(world: World) -> Any:
    """The archive, called as the matcher calls it."""
    matcher = next(one for one in world.principals if one.name == "service matcher")
    return rpc.ArchiveServiceStub(world.callers.channel(matcher, "search"))


async def travelled(world: World) -> Journeys:
    """Two plates that have travelled together three times."""
    made = Journeys(new_plate(), new_plate(), 1 + secrets.randbelow(_ROADS))
    archive = archive_of(world)
    for start in made.starts():
        for plate, moment in ((made.plate, start), (made.friend, start.replace(second=20))):
            reads = drive(plate, moment, made.road, range(CAMERAS), agency=AGENCY_ORI)
            await store(archive, reads)
    return made
