"""`platewarden capture` as a process of its own, against the real service."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from services.cli.scenes import draw_scene
from tests.rpc.ocr.test_ocr_rpc_video_frames import drive
from tests.support.ocr_kit import FIXED, World, pixels
from tests.support.rtsp import rtsp_camera, video_file

# Each starts processes that load the whole of the command.
pytestmark = pytest.mark.timeout(180)


async def captured(ocr: World, source: str, *more: str) -> tuple[list[dict[str, Any]], str]:
    """What the command prints with --json, and what it says beside."""
    files = ocr.tls.sensor(FIXED)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PW_")}
    places = {"PW_OCR_TARGET": f"127.0.0.1:{ocr.server.port}", "PW_CA_FILE": str(files.ca_file)}
    program = "from services.cli.main import main; main()"
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", program, "capture", source, "--sensor", FIXED, "--json", *more),
        *("--cert", str(files.cert_file), "--key", str(files.key_file)),
        env=kept | places,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    said, beside = await asyncio.wait_for(process.communicate(), 80)
    assert process.returncode == 0, beside.decode()
    return [json.loads(line) for line in said.decode().splitlines()], beside.decode()


async def test_folder_gives_one_line_a_picture_with_what_was_read_and_kept(
    ocr: World, tmp_path: Path
) -> None:
    (tmp_path / "day").mkdir()
    (tmp_path / "a.jpg").write_bytes(draw_scene(0).image)
    (tmp_path / "day" / "b.jpg").write_bytes(draw_scene(1).image)
    cv2.imwrite(str(tmp_path / "day" / "empty.png"), np.full((360, 640, 3), 96, dtype=np.uint8))
    (tmp_path / "torn.jpg").write_bytes(draw_scene(2).image[:5000])

    lines, _ = await captured(ocr, str(tmp_path))

    read = {line["file"]: line for line in lines}
    assert list(read) == ["a.jpg", "day/b.jpg", "day/empty.png", "torn.jpg"]
    for file, seed in (("a.jpg", 0), ("day/b.jpg", 1)):
        (plate,) = read[file]["plates"]
        assert plate["text"] == draw_scene(seed).plate
        assert plate["candidates"][0]["score"] == plate["score"]
        assert plate["read_id"] in ocr.matcher.reads
        assert len(plate["box"]) == len(plate["corners"]) == 4
    assert read["day/empty.png"]["plates"] == []
    assert read["torn.jpg"]["error"]["reason"] == "ERROR_REASON_BAD_IMAGE"


async def test_video_file_is_one_passage_and_singly_one_read_a_frame(ocr: World, tmp_path: Path) -> None:
    frames, plate = drive(0)
    file = tmp_path / "drive.mp4"
    file.write_bytes(video_file([pixels(frame.image) for frame in frames], rate=5))

    lines, _ = await captured(ocr, str(file), "--every", "0")
    singly, _ = await captured(ocr, str(file), "--every", "0", "--singly")

    assert [[read["text"] for read in line.get("reads", [])] for line in lines] == [[plate], *[[]] * 5]
    assert len({one["passage_id"] for line in lines for one in line["plates"]}) == 1
    assert [[one["text"] for one in line["plates"]] for line in singly] == [[plate]] * 6
    assert len(ocr.matcher.reads) == 7


async def test_live_camera_is_captured_until_told_to_stop(ocr: World) -> None:
    frames, plate = drive(0)
    async with rtsp_camera([pixels(frame.image) for frame in frames], rate=5) as live:
        lines, beside = await captured(ocr, live.address, "--every", "0.4", "--seconds", "3")

    assert [captured.read.plate for captured in ocr.matcher.reads.values()] == [plate]
    assert {line["file"] for line in lines} == {f"rtsp://127.0.0.1:{live.port}/lane-1"}
    assert "secret" not in beside + json.dumps(lines)
