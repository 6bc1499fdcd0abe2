from __future__ import annotations

import asyncio
import itertools
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import cv2
import numpy as np
import pytest

from services.cli.feed import Feed
from services.cli.frames import Picture, pictures
from services.cli.locate import CommandError
from tests.support.rtsp import rtsp_camera, video_file

SHADES = [np.full((96, 128, 3), 8 * n, dtype=np.uint8) for n in range(30)]


def shade(picture: Picture) -> float:
    """Which of SHADES a picture shows."""
    pixels = cv2.imdecode(np.frombuffer(picture.image, dtype=np.uint8), cv2.IMREAD_COLOR)
    return float(np.mean(pixels)) / 8


@pytest.mark.parametrize("suffix", ["mp4", "matroska", "avi"])
def test_video_file_gives_each_of_its_frames_when_asked_for_all(tmp_path: Path, suffix: str) -> None:
    file = tmp_path / f"drive.{'mkv' if suffix == 'matroska' else suffix}"
    file.write_bytes(video_file(SHADES, suffix=suffix))

    sent = list(pictures(file, 0))

    assert [shade(picture) for picture in sent] == pytest.approx(range(30), abs=0.6)
    gaps = [(b.capture_time - a.capture_time) for a, b in itertools.pairwise(sent)]
    assert all(abs(gap - timedelta(seconds=0.04)) < timedelta(milliseconds=2) for gap in gaps)
    assert {picture.file for picture in sent} == {file.name}
    assert len({picture.name for picture in sent}) == 30


def test_video_file_ends_now_unless_it_is_sent_in_real_time(tmp_path: Path) -> None:
    file = tmp_path / "drive.mp4"
    file.write_bytes(video_file(SHADES))

    before = datetime.now(UTC)
    past = [picture.capture_time for picture in pictures(file, 0)]
    paced = [picture.capture_time for picture in pictures(file, 0, real_time=True)]

    assert past[-1] is not None and abs(past[-1] - before) < timedelta(seconds=0.5)
    assert paced[0] is not None and paced[0] >= before
    assert paced[-1] is not None and paced[-1] <= datetime.now(UTC)


def test_file_that_is_no_video_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "drive.mp4").write_bytes(b"not a video")

    with pytest.raises(CommandError, match="cannot be decoded"):
        list(pictures(tmp_path / "drive.mp4", 0))


def test_folder_of_folders_and_formats_gives_every_photograph_with_its_path(tmp_path: Path) -> None:
    (tmp_path / "day").mkdir()
    cv2.imwrite(str(tmp_path / "a.png"), SHADES[3])
    cv2.imwrite(str(tmp_path / "day" / "a.bmp"), SHADES[4])
    cv2.imwrite(str(tmp_path / "day" / "b.webp"), SHADES[5])
    (tmp_path / "labels.csv").write_text("image\n")

    sent = list(pictures(tmp_path, 1.0))

    assert [picture.file for picture in sent] == ["a.png", "day/a.bmp", "day/b.webp"]
    assert all(picture.image.startswith(b"\x89PNG") for picture in sent)


async def test_live_camera_is_read_over_rtsp_and_its_password_stays_out_of_names() -> None:
    async with rtsp_camera(SHADES) as camera:
        sent = await asyncio.to_thread(lambda: list(itertools.islice(pictures(camera.address, 0), 20)))

    shown = [round(shade(picture)) for picture in sent]
    assert shown == [(shown[0] + n) % len(SHADES) for n in range(20)]
    now = datetime.now(UTC)
    assert all(abs(picture.capture_time - now) < timedelta(seconds=10) for picture in sent)
    assert not any("secret" in picture.name + picture.file for picture in sent)


async def test_camera_that_hangs_up_is_asked_again() -> None:
    async with rtsp_camera(SHADES, hang_up_after=5) as camera:
        sent = await asyncio.to_thread(lambda: list(itertools.islice(pictures(camera.address, 0), 12)))

    assert camera.asked == 2
    assert len(sent) == 12


async def test_live_source_never_waits_and_counts_what_it_drops() -> None:
    taken = threading.Event()

    def camera() -> Iterator[int]:
        yield from range(100)
        taken.set()

    feed = Feed(camera(), most=4, live=True)
    items = feed.items()
    first = await anext(items)
    await asyncio.to_thread(taken.wait, 5)

    rest = [item async for item in items]

    assert rest[-3:] == [97, 98, 99]
    assert len([first, *rest]) + feed.dropped == 100
    assert feed.dropped > 80


async def test_file_waits_for_whoever_takes_its_frames_and_loses_none() -> None:
    begun = []

    def file() -> Iterator[int]:
        for n in range(50):
            begun.append(n)
            yield n

    feed = Feed(file(), most=4, live=False)
    items = feed.items()
    first = await anext(items)
    await asyncio.sleep(0.2)
    assert len(begun) <= 7

    assert [first, *[item async for item in items]] == list(range(50))
    assert feed.dropped == 0


async def test_error_of_a_source_comes_after_its_last_item() -> None:
    def torn() -> Iterator[int]:
        yield 1
        raise CommandError("it tore")

    seen = []
    with pytest.raises(CommandError, match="it tore"):
        async for item in Feed(torn(), most=4, live=False).items():
            seen.append(item)
    assert seen == [1]


async def test_source_ends_when_nobody_wants_more() -> None:
    ended = threading.Event()

    def endless() -> Iterator[int]:
        try:
            while True:
                time.sleep(0.001)
                yield 1
        finally:
            ended.set()

    items = Feed(endless(), most=4, live=False).items()
    await anext(items)
    await items.aclose()

    assert await asyncio.to_thread(ended.wait, 5)
