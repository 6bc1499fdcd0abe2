"""Every process of the system is killed at every step from the frame to what was done about the alert."""

import asyncio
import contextlib
import os
import shutil
import signal
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path

import pytest
import pytest_asyncio

from alpr.ocr.v1 import ocr_service_pb2 as pb
from alpr.type.v1 import read_pb2
from services.cli import alert
from services.cli.camera import Camera
from services.cli.demo import cast
from services.cli.demo.command import tell
from services.cli.demo.material import Material
from services.cli.demo.story import SENSOR_ID
from services.cli.frames import Picture
from services.cli.locate import locate
from services.cli.output import Output
from services.cli.scenes import Scene, draw_scene
from services.cli.sensor_channel import sensor_channel
from services.cli.session import Session, is_passing
from services.cli.tokens import token_source
from services.cli.watch.feed import alert_stream
from services.common.errors import AlprError
from services.dev.postgres import WITHOUT_SYNC
from services.dev.supervisor import Options, Supervisor
from tests.support.alerts_rig import eventually
from tests.support.databases import awake, fetch
from tests.support.ports import free_base_port

pytestmark = pytest.mark.timeout(900)
# A frame takes some 100 ms to its alert: as it comes, and on its way.
MOMENTS = (0.0, 0.08)
ON_THE_ROAD = ("ocr", "matcher", "search", "alerts", "audit", "postgres")
FOR_PEOPLE = ("alerts", "audit", "postgres")


@cache
def scenes() -> list[Scene]:
    """One for each kill, and one before."""
    return [draw_scene(seed) for seed in range(100, 101 + len(MOMENTS) * len(ON_THE_ROAD) + len(FOR_PEOPLE))]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    made = tmp_path_factory.mktemp("system")
    yield made
    shutil.rmtree(made, ignore_errors=True)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def stack(folder: Path) -> AsyncIterator[Supervisor]:
    """The whole system with people, a camera, and every scene's plate on a hot list."""
    first = Picture("first", scenes()[0].image, None)
    material = Material((first,), tuple(scene.plate for scene in scenes()), "generated scenes")
    (folder / "evidence").mkdir()
    async with Supervisor(
        Options(folder / "data", free_base_port(), database_settings=WITHOUT_SYNC)
    ) as running:
        await tell(running, folder / "data", material, folder / "evidence", Output(as_json=True))
        yield running


@asynccontextmanager
async def signed_in(folder: Path, subject: str) -> AsyncIterator[Session]:
    source = token_source(folder / "data", subject)
    async with Session(locate(folder / "data"), source, on_wait=lambda _: None) as session:
        yield session


@asynccontextmanager
async def following(folder: Path) -> AsyncIterator[list[tuple[str, str]]]:
    """Plates and ids of the alerts that a dispatcher's client takes, in order."""
    got: list[tuple[str, str]] = []

    async def follow(session: Session) -> None:
        async with alert_stream(session, hours=1) as stream:
            async for event in stream:
                got.append((event.alert.plate, event.alert.alert_id))

    async with signed_in(folder, cast.DISPATCHER.subject) as session:
        task = asyncio.create_task(follow(session))
        try:
            await eventually(lambda: got or task.done(), 60)
            yield got
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


async def capture(folder: Path, scene: Scene) -> None:
    """The camera's frame is answered: its read is stored, now or by a try whose answer got lost."""
    async with sensor_channel(locate(folder / "data"), SENSOR_ID, None, None) as channel:
        picture = Picture(f"frame-{scene.plate}", scene.image, None)
        while not (answers := await sent(Camera(channel, None, on_wait=lambda _: None), picture)):  # noqa: ASYNC110
            await asyncio.sleep(1)
    (plate,) = answers[-1].plates
    assert plate.status in {read_pb2.READ_STATUS_STORED, read_pb2.READ_STATUS_DUPLICATE}


async def sent(camera: Camera, picture: Picture) -> list[pb.RecognizeStreamResponse]:
    """The answer; none when the camera lost patience, which it does on a machine that is slow to start."""
    try:
        return [answer async for _, answer in camera.send([picture])]
    except AlprError as error:
        assert is_passing(error)
        return []


async def killed(stack: Supervisor, victim: str, after: float) -> None:
    """`victim` dies so many seconds from now, and has been started again when this returns."""
    await asyncio.sleep(after)
    await eventually(lambda: stack.pids[victim], 60)
    pid = stack.pids[victim]
    os.kill(pid, signal.SIGKILL)
    await eventually(lambda: stack.pids[victim] not in {0, pid}, 60)


@pytest.mark.clause("IV.D.3", "IV.E.2")
async def test_no_kill_of_any_service_at_any_step_costs_an_alert_or_doubles_one(
    stack: Supervisor, folder: Path
) -> None:
    steps = [(victim, after) for victim in ON_THE_ROAD for after in MOMENTS]
    passing = dict(zip(steps, scenes()[1:], strict=False))
    async with following(folder) as got:
        for (victim, after), scene in passing.items():
            await asyncio.gather(capture(folder, scene), killed(stack, victim, after))
            await eventually(lambda plate=scene.plate: plate in dict(got), 60)

    await awake(stack.admin_url)
    rows = await fetch(stack.admin_url, "SELECT plate, alert_id FROM alerts.alert")
    alerts = Counter(row["plate"] for row in rows)
    assert {scene.plate: alerts[scene.plate] for scene in passing.values()} == {
        scene.plate: 1 for scene in passing.values()
    }
    of_plate = {row["plate"]: str(row["alert_id"]) for row in rows}
    assert all(of_plate[plate] == alert_id for plate, alert_id in got)
    reads = await fetch(stack.admin_url, "SELECT plate FROM archive.read")
    assert {row["plate"] for row in reads} >= {scene.plate for scene in passing.values()}


@pytest.mark.clause("III.D.4", "IV.D.4", "IV.C.1")
@pytest.mark.parametrize("victim", FOR_PEOPLE)
async def test_no_kill_at_any_step_of_a_persons_work_loses_a_step_or_records_it_twice(
    stack: Supervisor, folder: Path, victim: str
) -> None:
    scene = scenes()[-1 - FOR_PEOPLE.index(victim)]
    await capture(folder, scene)
    (row,) = await fetch(stack.admin_url, "SELECT alert_id FROM alerts.alert WHERE plate = $1", scene.plate)
    alert_id = str(row["alert_id"])
    async with signed_in(folder, cast.OFFICER.subject) as officer:
        steps: list[Callable[[], Awaitable[object]]] = [
            lambda: alert.acknowledge(officer, alert_id),
            lambda: alert.verify(officer, alert_id, "verifying", "", ""),
            lambda: alert.verify(officer, alert_id, "confirmed", "LEADS", "R-1"),
            lambda: alert.dispose(officer, alert_id, "stopped", "R-2"),
        ]
        for number, step in enumerate(steps):
            await asyncio.gather(step(), killed(stack, victim, 0.004 * number))

    await awake(stack.admin_url)
    done = await fetch(
        stack.admin_url,
        "SELECT kind, verified_state, disposition FROM alerts.alert_step WHERE alert_id = $1"
        " ORDER BY step_number",
        row["alert_id"],
    )
    assert [tuple(one) for one in done] == [(1, None, None), (2, 2, None), (2, 3, None), (3, None, 1)]
    await settled(stack, row["alert_id"])


async def settled(stack: Supervisor, alert_id: object) -> None:
    """Every step's intent is in the log before it, and its outcome comes to be there too."""
    missing = (
        "SELECT count(*) AS n FROM alerts.alert_step s WHERE s.alert_id = $1 AND"
        " (SELECT count(*) FROM audit.log_field f WHERE f.value = s.intent_id::text) < 2"
    )
    async with asyncio.timeout(60):
        while (await fetch(stack.admin_url, missing, alert_id))[0]["n"]:  # noqa: ASYNC110 - no event
            await asyncio.sleep(0.2)
