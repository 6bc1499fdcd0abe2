"""A process that is killed in the middle of a passage, and a camera that goes on with another."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections.abc import AsyncIterator
from datetime import UTC
from pathlib import Path

import pytest

from services.cli.camera import Camera
from services.cli.frames import Picture
from services.common.client import ClientTls, service_channel
from services.dev.pki import DevelopmentAuthority
from tests.rpc.ocr.test_ocr_rpc_video_frames import drive
from tests.support.ocr_kit import FIXED, Neighbours, settings_for


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def _started(environment: dict[str, str], log: Path) -> asyncio.subprocess.Process:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PW_")}
    with log.open("wb") as written:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "services.ocr", env={**kept, **environment}, stderr=written, stdout=written
        )
    while b"server_started" not in log.read_bytes():  # noqa: ASYNC240 - a log is small
        assert process.returncode is None, log.read_text()  # noqa: ASYNC240
        await asyncio.sleep(0.1)
    return process


@pytest.mark.timeout(120)
async def test_killed_process_loses_no_passage_and_none_is_read_twice(
    tls: DevelopmentAuthority, tmp_path: Path
) -> None:
    neighbours = Neighbours(tls)
    await neighbours.open()
    address = f"127.0.0.1:{_free_port()}"
    settings = settings_for(tls, tmp_path, neighbours, listen=address).model_dump(exclude_unset=True)
    environment = {f"PW_{name.upper()}": str(value) for name, value in settings.items()}
    process = await _started(environment, tmp_path / "first.log")
    (first, plate), (second, other) = drive(0), drive(3)
    killed = asyncio.Event()

    async def source() -> AsyncIterator[Picture]:
        for n, frame in enumerate([*first, *second]):
            if n == len(first) - 2:
                # The passage has begun, and these frames are with the process that is about to die.
                await asyncio.sleep(1)
                process.kill()
                await process.wait()
                killed.set()
            yield Picture(frame.frame_id, frame.image, frame.capture_time.ToDatetime(UTC), "drive")

    async def restart() -> asyncio.subprocess.Process:
        await killed.wait()
        return await _started(environment, tmp_path / "second.log")

    restarting = asyncio.create_task(restart())
    files = tls.sensor(FIXED)
    client = ClientTls(files.cert_file, files.key_file, files.ca_file)
    channel = service_channel(address, client, server_name="ocr")
    try:
        camera = Camera(channel, None, on_wait=lambda _: None, video=True)
        sent = [frame.frame_id async for frame, _ in camera.send(source())]
    finally:
        await channel.close()
        again = await restarting
        again.kill()
        await again.wait()
        await neighbours.close()

    assert sent == [frame.frame_id for frame in (*first, *second)]
    reads = [captured.read.plate for captured in neighbours.matcher.reads.values()]
    assert sorted(reads) == sorted([plate, other])
