"""The live board on a whole stack, for a telecommunication centre whose link drops every few seconds."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import shutil
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest
import pytest_asyncio

from services.cli.demo import cast
from services.cli.demo.command import tell
from services.cli.demo.material import Material
from services.cli.demo.story import SENSOR_ID
from services.cli.frames import Picture
from services.cli.locate import locate
from services.cli.output import Output
from services.cli.scenes import draw_scene
from services.cli.tokens import token_source
from services.dev.postgres import WITHOUT_SYNC
from services.dev.supervisor import Options, Supervisor
from tests.support.cutting_proxy import CuttingProxy, cutting_proxy
from tests.support.ports import free_base_port
from tests.support.terminal import ENTER, Terminal, on_terminal

pytestmark = pytest.mark.timeout(600)
GOLDEN = Path(__file__).parents[2] / "golden"
PLATEWARDEN = str(Path(sys.executable).with_name("platewarden"))
# Invented rows of the hot list of the story.
_ACKNOWLEDGED, _VERIFIED, _DISPOSED = 1, 2, 3
LISTED = [f"IQ{number:05}" for number in (501, 502, 503, 504, 505, 506)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    made = tmp_path_factory.mktemp("system")
    yield made
    shutil.rmtree(made, ignore_errors=True)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def stack(folder: Path) -> AsyncIterator[Supervisor]:
    """The running stack with its story told: people, a camera, and a hot list of a thousand rows."""
    scene = draw_scene(11)
    material = Material((Picture("scene", scene.image, None),), (scene.plate,), "a generated scene")
    (folder / "evidence").mkdir()
    async with Supervisor(
        Options(folder / "data", free_base_port(), database_settings=WITHOUT_SYNC)
    ) as running:
        await tell(running, folder / "data", material, folder / "evidence", Output(as_json=True))
        yield running


async def push(folder: Path, plate: str) -> None:
    """A camera sends a read of `plate`, and the system has answered it."""
    now = int(time.time() * 1000)
    group = json.loads((GOLDEN / "ocr" / "push_rekor.json").read_text()) | {
        "epoch_start": now,
        "best_uuid": f"watch-{plate}",
        "best_plate_number": plate,
        "candidates": [{"plate": plate, "confidence": 93.0}],
        "vehicle_crop_jpeg": base64.b64encode(draw_scene(12).image).decode(),
    }
    file = folder / f"{plate}.json"
    file.write_text(json.dumps(group))
    given = ("capture", str(file), "--from", "rekor", "--sensor", SENSOR_ID, "--json")
    process = await asyncio.create_subprocess_exec(
        *(PLATEWARDEN, *given, "--data-dir", str(folder / "data")), stdout=asyncio.subprocess.PIPE
    )
    answer, _ = await process.communicate()
    assert process.returncode == 0, answer
    assert json.loads(answer)["reads"][0]["status"] == "STORED"


@asynccontextmanager
async def dropping(proxy: CuttingProxy, seconds: float) -> AsyncIterator[None]:
    """Cuts every connection again and again."""

    async def cut() -> None:
        while True:
            await asyncio.sleep(seconds)
            proxy.cut()

    task = asyncio.ensure_future(cut())
    try:
        yield
    finally:
        task.cancel()


@asynccontextmanager
async def board(folder: Path, proxy: CuttingProxy) -> AsyncIterator[Terminal]:
    """The dispatcher's board behind `proxy`."""
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "PW_ALERTS_TARGET": proxy.target,
        "PW_CA_FILE": str(locate(folder / "data").ca_file),
        "PW_TOKEN": await token_source(folder / "data", cast.DISPATCHER.subject)(),
    }
    async with on_terminal(
        PLATEWARDEN, "watch", "--hours", "1", environment=environment, rows=48
    ) as terminal:
        yield terminal


@pytest.mark.clause("II.A", "IV.C.1", "IV.D.3", "III.D.4", "IV.D.4")
async def test_over_a_link_that_drops_every_few_seconds_all_alerts_come_and_all_keys_are_recorded_once(
    stack: Supervisor, folder: Path
) -> None:
    port = int(locate(folder / "data").target("alerts").rpartition(":")[2])
    async with cutting_proxy(port) as proxy, dropping(proxy, 2.5), board(folder, proxy) as terminal:
        for plate in LISTED:
            await push(folder, plate)
        for plate in LISTED:
            await terminal.shows(plate)
        for left in range(len(LISTED) - 1, -1, -1):
            terminal.press("n")
            await asyncio.sleep(0.3)
            terminal.press("a")
            await terminal.until(lambda t, left=left: unseen(t) == left and "sending" not in t.text)  # type: ignore[misc]
        terminal.press("g")
        await terminal.shows(f"read   {LISTED[0]}")
        terminal.press("v")
        await terminal.shows("Verify this alert")
        terminal.press(f"2LEADS{ENTER}R-778{ENTER}")
        await terminal.until(lambda t: "undisposed" in t.text and "sending" not in t.text)
        terminal.press("d")
        await terminal.shows("What was done")
        terminal.press(f"1{ENTER}Unit 12{ENTER}")
        await terminal.until(lambda t: "undisposed" not in t.text and "sending" not in t.text)
        rung = terminal.bells
        terminal.press("q")
        assert await terminal.ended() == 0

    assert proxy.connections > 5
    assert rung > 0
    assert await recorded(stack) == [(_ACKNOWLEDGED, 6), (_VERIFIED, 2), (_DISPOSED, 1)]


def unseen(terminal: Terminal) -> int:
    """How many rows say that nobody has seen their alert."""
    return terminal.text.count("  unseen ")


async def recorded(stack: Supervisor) -> list[tuple[int, int]]:
    """How many steps of each kind the service has of the listed plates."""
    database = await asyncpg.connect(stack.admin_url)
    try:
        rows = await database.fetch(
            "SELECT kind, count(*) FROM alerts.alert_step JOIN alerts.alert USING (alert_id) "
            "WHERE plate = ANY($1) GROUP BY kind ORDER BY kind",
            LISTED,
        )
    finally:
        await database.close()
    return [(row["kind"], row["count"]) for row in rows]
