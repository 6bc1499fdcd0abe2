"""The steady load of a run: who works, and that all of it can be told to stop and finish."""

from __future__ import annotations

import asyncio
import contextlib
import random
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any, Final, Self

from alpr.type.v1 import read_pb2, sensor_pb2
from services.cli.bootstrap import begin
from services.cli.demo import cast
from services.cli.locate import locate
from services.cli.scenes import draw_scene
from services.cli.sensor import approve_deployment, register_sensor
from services.cli.sensor_certificate import certified_here, files_of
from services.cli.session import Session
from services.cli.tokens import token_source
from services.common.client import ClientTls, service_channel
from services.common.issuers import DEVELOPMENT_ISSUER
from tests.chaos.answers import Answers
from tests.chaos.load_people import Doubter, Follower, Manager, Officer, Watcher
from tests.chaos.load_reads import Camera, Sensor
from tests.chaos.plates import Plates
from tests.chaos.stack import Stack

_SCENES: Final = 8
_LISTED: Final = 60
_FINISH_SECONDS: Final = 240.0
_AT_ONCE_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True)
class Pace:
    """How much there is to do: sensors with batches of so many reads, and pauses in seconds."""

    sensors: int = 4
    batch: int = 5
    batch_seconds: float = 0.5
    frame_seconds: float = 2.0
    question_seconds: float = 1.0
    change_seconds: float = 10.0


class Load:
    """Everybody at work on a running stack. Use it as an async context."""

    def __init__(self, stack: Stack, answers: Answers, seed: int, pace: Pace) -> None:
        """Nothing happens yet."""
        self._stack = stack
        self._answers = answers
        self._chance = random.Random(f"load {seed}")
        self._pace = pace
        self.plates = Plates(self._chance)
        self._stop = asyncio.Event()
        self._work: list[asyncio.Task[None]] = []
        self._following: list[asyncio.Task[None]] = []
        self._centre: Follower | None = None
        self._exit = AsyncExitStack()

    async def __aenter__(self) -> Self:
        try:
            await self._begin()
        except BaseException:
            await self._exit.aclose()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in [*self._work, *self._following]:
            task.cancel()
        await asyncio.gather(*self._work, *self._following, return_exceptions=True)
        await self._exit.aclose()

    @property
    def kinds(self) -> tuple[str, ...]:
        """What must be answered again for the system to count as recovered."""
        return ("reads", "frames", "questions", "alerts to centre")

    async def session(self, subject: str) -> Session:
        """Somebody's calls; they end with the load."""
        return await self._exit.enter_async_context(self._session(subject))

    async def finish(self) -> list[str]:
        """Makes nothing new, waits for what is under way, and says what did not end well."""
        self._stop.set()
        done, late = await asyncio.wait(self._work, timeout=_FINISH_SECONDS)
        if self._centre is not None:
            await self._centre.finish()
        failed = [repr(task.exception()) for task in done if task.exception() is not None]
        failed += [repr(task.exception()) for task in self._following if task.done()]
        return failed + [f"{task.get_name()} did not finish" for task in late]

    def _session(self, subject: str) -> Session:
        source = token_source(self._stack.folder, subject)
        return Session(locate(self._stack.folder), source, on_wait=lambda _: None)

    async def _begin(self) -> None:
        if await asyncio.to_thread(begin, self._stack.folder, "", cast.founding()):
            raise AssertionError("the system could not be begun")
        coordinator = await self.session(cast.COORDINATOR)
        for person in cast.PEOPLE:
            await cast.enrol(coordinator, person, DEVELOPMENT_ISSUER)
        names = [f"chaos-{n}" for n in range(self._pace.sensors)]
        for name in [*names, "chaos-camera"]:
            await self._install(coordinator, name)
        await self._people()
        for number, name in enumerate(names):
            channel = await self._sensor_channel("matcher", name)
            sensor = Sensor(
                name,
                channel,
                self._answers,
                self.plates,
                random.Random(f"{number} {self._chance.random()}"),
                self._pace.batch,
                self._pace.batch_seconds,
            )
            self._go(sensor.run(self._stop), name)
        camera = await self._sensor_channel("ocr", "chaos-camera")
        pictures = self._pictures
        self._go(
            Camera("chaos-camera", camera, self._answers, pictures, self._pace.frame_seconds).run(self._stop),
            "camera",
        )

    async def _people(self) -> None:
        scenes = await asyncio.to_thread(lambda: [draw_scene(900 + n) for n in range(_SCENES)])
        self._pictures = [scene.image for scene in scenes]
        manager = Manager(
            *await self._person(cast.LIST_MANAGER.subject),
            plates=self.plates,
            every_seconds=self._pace.change_seconds,
        )
        await manager.create("chaos")
        await manager.change(
            [scene.plate for scene in scenes[:2]] + [self.plates.new() for _ in range(_LISTED)]
        )
        self._go(manager.run(self._stop), "manager")
        for number in range(2):
            officer = Officer(
                *await self._person(cast.OFFICER.subject), every_seconds=self._pace.question_seconds
            )
            self._go(officer.run(self._stop), f"officer {number}")
        watcher = Watcher(
            *await self._person(cast.OFFICER.subject),
            plates=self.plates,
            every_seconds=self._pace.change_seconds,
        )
        self._go(watcher.run(self._stop), "watcher")
        self._go(Doubter(*await self._person(cast.AUDITOR.subject)).run(self._stop), "doubter")
        self._centre = Follower(*await self._person(cast.DISPATCHER.subject), name="centre", works=False)
        crew = Follower(*await self._person(cast.OFFICER.subject), name="crew", works=True)
        for follower in (self._centre, crew):
            task = asyncio.create_task(follower.run(self._stop), name=follower.name)
            self._following.append(task)
        self._centre = crew

    async def _person(self, subject: str) -> tuple[Session, Answers, random.Random]:
        chance = random.Random(f"{subject} {self._chance.random()}")
        return await self.session(subject), self._answers, chance

    async def _install(self, coordinator: Session, sensor_id: str) -> None:
        sensor = sensor_pb2.Sensor(
            sensor_id=sensor_id,
            agency_ori=cast.AGENCY_ORI,
            sensor_group="expressway",
            deployment_type=sensor_pb2.DEPLOYMENT_TYPE_FIXED,
            place=read_pb2.Place(latitude=41.98, longitude=-87.87, description="I-90 at mile 79, eastbound"),
            provenance=sensor_pb2.PROVENANCE_OWN,
        )
        await register_sensor(coordinator, sensor)
        await approve_deployment(coordinator, sensor_id)
        await certified_here(coordinator, sensor_id)

    async def _sensor_channel(self, service: str, sensor_id: str) -> Any:
        files = files_of(self._stack.places.sensor_certificates, sensor_id)
        tls = ClientTls(files.certificate, files.key, self._stack.authority.ca_file)
        channel = service_channel(self._stack.fronts[service].address, tls, server_name=service)
        self._exit.push_async_callback(channel.close)
        return channel

    def _go(self, work: Any, name: str) -> None:
        self._work.append(asyncio.create_task(work, name=name))


async def settled(answers: Answers, followers: Load) -> None:
    """Returns when followers have heard nothing new for a while."""
    before = -1
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_AT_ONCE_SECONDS):
            while (now := sum(map(len, answers.delivered.values()))) != before:
                before = now
                await asyncio.sleep(6)
