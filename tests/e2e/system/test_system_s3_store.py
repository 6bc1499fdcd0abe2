"""The whole stack with its pictures in a store that speaks S3, a process of its own (SeaweedFS)."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import pytest_asyncio

from services.cli.demo.command import tell
from services.cli.demo.material import Material
from services.cli.frames import Picture
from services.cli.output import Output
from services.cli.scenes import draw_scene
from services.common.config import StartError
from services.dev.postgres import WITHOUT_SYNC
from services.dev.supervisor import Options, Supervisor
from tests.support.ports import free_base_port
from tests.support.s3_server import S3Server, s3_server

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    made = tmp_path_factory.mktemp("system")
    yield made
    shutil.rmtree(made, ignore_errors=True)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    before = dict(os.environ)
    with s3_server(tmp_path_factory.mktemp("s3")) as running:
        os.environ.update(running.environment)
        yield running
    os.environ.clear()
    os.environ.update(before)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def stack(folder: Path, server: S3Server) -> AsyncIterator[Supervisor]:
    """The running stack with its story told: recognised, searched with pictures, alerted."""
    server.bucket("pictures")
    scenes = [draw_scene(seed) for seed in (11, 12)]
    pictures = tuple(Picture(f"scene-{n}", scene.image, None) for n, scene in enumerate(scenes))
    material = Material(pictures, (scenes[0].plate,), "two generated scenes")
    (folder / "evidence").mkdir()
    options = Options(
        folder / "data",
        free_base_port(),
        database_settings=WITHOUT_SYNC,
        image_store_url="s3://pictures/stack",
    )
    async with Supervisor(options) as running:
        await tell(running, folder / "data", material, folder / "evidence", Output(as_json=True))
        yield running


def keys_in(server: S3Server, bucket: str) -> list[str]:
    return [one["Key"] for one in server.client.list_objects_v2(Bucket=bucket).get("Contents", [])]


@pytest.mark.clause("IV.E.1", "II.A")
async def test_pictures_of_reads_and_of_alerts_lie_sealed_in_the_bucket_and_nowhere_else(
    stack: Supervisor, server: S3Server, folder: Path
) -> None:
    today = f"stack/days/{datetime.now(UTC).date()}/"

    keys = keys_in(server, "pictures")

    assert f"{today}key" in keys
    assert len([key for key in keys if key.startswith(today)]) >= 3
    assert [key for key in keys if not key.startswith(("stack/days/", "stack/models"))]
    assert not any(one.is_file() for one in (folder / "data" / "images").rglob("*"))
    for key in keys:
        body = server.client.get_object(Bucket="pictures", Key=key)["Body"].read()
        assert not body.startswith((b"\xff\xd8", b"\x89PNG"))


@pytest.mark.clause("IV.E.1")
async def test_a_stack_whose_bucket_keeps_versions_does_not_start(server: S3Server, tmp_path: Path) -> None:
    url = server.bucket("kept-for-ever", "Enabled")

    with pytest.raises(StartError, match=r"alerts|search"):
        async with Supervisor(Options(tmp_path / "data", free_base_port(), image_store_url=url)):
            raise AssertionError("it started")

    logs = "".join(path.read_text(errors="replace") for path in (tmp_path / "data" / "logs").glob("*.log"))
    assert "keeps older versions" in logs
    assert len(keys_in(server, "kept-for-ever")) <= 2  # probes, without anything in them
