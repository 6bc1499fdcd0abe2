"""What becomes of a stream of frames: which reads, when, and in which answers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest_asyncio

from alpr.type.v1 import read_pb2
from services.common.wire import to_datetime, to_timestamp
from services.dev.pki import DevelopmentAuthority
from services.ocr.core.tracks import Direction
from services.ocr.errors import BadImageError
from services.ocr.frames import VideoAnswer
from services.ocr.passages import HeldBytes
from tests.support.video_kit import START, Videos, looked, passage, plate, videos


@pytest_asyncio.fixture(loop_scope="session")
async def video(tls: DevelopmentAuthority, tmp_path: Path) -> AsyncIterator[Videos]:
    async with videos(tls, tmp_path) as made:
        yield made


def texts(answers: list[VideoAnswer]) -> list[list[str]]:
    """The reads in each answer."""
    return [[read.plate.text for read, _ in answer.reads] for answer in answers]


async def test_passage_gives_one_read_in_the_answer_of_its_first_frame(video: Videos) -> None:
    answers = await video.answers(passage("AB12345", 10))

    assert [answer.frame_id for answer in answers] == [f"AB12345-{n}" for n in range(10)]
    assert texts(answers) == [["AB12345"], *[[]] * 9]
    assert video.plates() == ["AB12345"]
    assert {one.passage_id for answer in answers for one in answer.seen} == {answers[0].reads[0][0].read_id}


async def test_read_says_what_the_passage_was_and_shows_its_best_frame(video: Videos) -> None:
    passages = replace(video.settings.passages, least_frames=99)
    video.settings = replace(video.settings, passages=passages)
    script = passage("AB12345", 10, p=0.3)
    script = [*script[:6], (script[6][0], looked(0.24, plate("AB12345", 0.8, x=348, width=124))), *script[7:]]

    await video.answers(script)

    (captured,) = video.matcher.reads.values()
    read = captured.read
    assert to_datetime(read.capture_time) == START
    assert to_datetime(read.passage.image_time) == START + timedelta(seconds=0.24)
    assert to_datetime(read.passage.last_time) == START + timedelta(seconds=0.36)
    assert (read.plate_box.x, read.plate_box.width) == (348, 124)
    assert read.passage.frame_count == 10
    assert read.passage.direction == read_pb2.TRAVEL_DIRECTION_APPROACHING
    assert read.passage.passage_id == read.read_id
    assert read.lattice.candidates[0].probability > 0.8


async def test_sure_text_is_written_while_the_car_is_in_sight(video: Videos) -> None:
    answers = video.running(_slowly(passage("AB12345", 40, p=0.95), video, after=4))

    first = await asyncio.wait_for(anext(answers), 60)
    await answers.aclose()

    assert [read.plate.text for read, _ in first.reads] == ["AB12345"]
    assert video.plates() == ["AB12345"]


async def test_fairly_sure_text_waits_no_longer_than_its_patience(video: Videos) -> None:
    script = [(f"f{n}", looked(n * 0.1, plate("AB12345", 0.4, x=300 + n))) for n in range(30)]

    await video.answers(script)

    (captured,) = video.matcher.reads.values()
    waited = to_datetime(captured.read.passage.last_time) - to_datetime(captured.read.capture_time)
    assert waited <= timedelta(seconds=1)


async def test_frames_misread_alone_are_right_together(video: Videos) -> None:
    names = ["AB12345", "A812345", "AB12345", "AB1234S", "AB12345"]
    script = [(f"f{n}", looked(n * 0.04, plate(text, 0.5, x=300 + 5 * n))) for n, text in enumerate(names)]

    await video.answers(script)

    assert video.plates() == ["AB12345"]


async def test_frame_without_a_plate_in_the_middle_does_not_end_the_passage(video: Videos) -> None:
    script = passage("AB12345", 10)
    script = [*script[:5], ("empty", looked(0.2)), *script[6:]]

    answers = await video.answers(script)

    assert video.plates() == ["AB12345"]
    assert [answer.frame_id for answer in answers][5] == "empty"
    assert answers[5].seen == ()


async def test_two_cars_that_cross_are_two_passages(video: Videos) -> None:
    script = [
        (
            f"f{n}",
            looked(
                n * 0.04,
                plate("AB12345", x=100 + 20 * n, y=300),
                plate("XK77QQ9", x=500 - 20 * n, y=310),
            ),
        )
        for n in range(21)
    ]

    answers = await video.answers(script)

    assert sorted(video.plates()) == ["AB12345", "XK77QQ9"]
    directions = {one.plate.text: one.direction for one in answers[-1].seen}
    assert directions == {"AB12345": Direction.RIGHT, "XK77QQ9": Direction.LEFT}


async def test_same_plate_after_a_minute_is_another_passage(video: Videos) -> None:
    await video.answers([*passage("AB12345", 5), *passage("AB12345", 5, begins=60)])

    assert video.plates() == ["AB12345", "AB12345"]
    assert len(video.matcher.reads) == 2


async def test_frames_a_little_out_of_order_are_one_passage(video: Videos) -> None:
    script = list(passage("AB12345", 8))
    script[3], script[4] = script[4], script[3]

    await video.answers(script)

    assert video.plates() == ["AB12345"]


async def test_camera_whose_clock_is_set_back_loses_nothing(video: Videos) -> None:
    await video.answers([*passage("AB12345", 5), *passage("XK77QQ9", 5, begins=-30)])

    assert sorted(video.plates()) == ["AB12345", "XK77QQ9"]


async def test_bad_frame_is_answered_with_its_error_and_the_passage_goes_on(video: Videos) -> None:
    script: list[Any] = list(passage("AB12345", 6))
    script[3] = ("torn", BadImageError("the image cannot be decoded"))

    answers = await video.answers(script)

    assert isinstance(answers[3].error, BadImageError)
    assert video.plates() == ["AB12345"]


async def test_later_frames_that_are_sure_of_another_text_give_a_second_read_once(video: Videos) -> None:
    far = [(f"far{n}", looked(n * 0.5, plate("A812345", 0.85, x=300 + n))) for n in range(4)]
    near = [(f"near{n}", looked(2 + n * 0.04, plate("AB12345", 0.99, x=304 + n))) for n in range(20)]

    answers = await video.answers([*far, *near])

    assert video.plates() == ["A812345", "AB12345"]
    first, second = (captured.read for captured in video.matcher.reads.values())
    assert second.passage.passage_id == first.read_id != second.read_id
    assert second.capture_time == first.capture_time
    assert sum(len(answer.reads) for answer in answers) == 2
    assert answers[0].reads[0][0].plate.text == "A812345"


async def test_what_cannot_be_read_alone_counts_with_others_and_is_no_passage_of_its_own(
    video: Videos,
) -> None:
    sign = plate("X1", 0.05, x=900, y=100)
    script = [
        (f"f{n}", looked(n * 0.04, plate("AB12345", 0.5, x=300 + 5 * n), unreadable=[sign]))
        if n % 2
        else (f"f{n}", looked(n * 0.04, unreadable=[plate("AB12345", 0.15, x=300 + 5 * n), sign]))
        for n in range(10)
    ]

    answers = await video.answers(script)

    assert video.plates() == ["AB12345"]
    (captured,) = video.matcher.reads.values()
    assert captured.read.capture_time == to_timestamp(START + timedelta(seconds=0.04))
    assert [answer.unreadable for answer in answers[:2]] == [2, 1]


async def test_passage_over_midnight_keeps_its_image_with_the_day_of_its_first_frame(video: Videos) -> None:
    begins = (START.replace(hour=0, minute=0, second=0) - START).total_seconds() - 0.05

    await video.answers(passage("AB12345", 8, begins=begins))

    (captured,) = video.matcher.reads.values()
    day = to_datetime(captured.read.capture_time).date()
    assert to_datetime(captured.read.passage.image_time).date() > day
    assert captured.read.image.day == day.isoformat()


async def test_sender_that_pauses_gets_the_read_without_waiting_for_the_next_frame(video: Videos) -> None:
    video.settings = replace(video.settings, idle_seconds=0.3)
    answers = video.running(_slowly(passage("AB12345", 3), video, after=99))

    got = [await asyncio.wait_for(anext(answers), 60) for _ in range(3)]
    await answers.aclose()

    assert texts(got) == [["AB12345"], [], []]


async def test_sender_that_keeps_few_frames_is_never_stuck(video: Videos) -> None:
    script = [(f"f{n}", looked(n * 0.04, plate("AB12345", 0.2, x=300 + n))) for n in range(40)]
    window, sent = asyncio.Semaphore(8), 0

    async def items() -> AsyncIterator[Any]:
        nonlocal sent
        for item in script:
            await window.acquire()
            sent += 1
            yield item

    answers = []
    async with asyncio.timeout(60):
        async for answer in video.running(items(), frames_kept=8):
            answers.append(answer)
            window.release()

    assert len(answers) == sent == 40
    assert video.plates() == ["AB12345"]


async def test_frames_are_held_in_bounded_memory(video: Videos) -> None:
    video.held = HeldBytes(1)

    answers = await video.answers([*passage("AB12345", 6, p=0.3), *passage("XK77QQ9", 6, begins=9)])

    assert video.plates() == ["AB12345", "XK77QQ9"]
    assert len(answers) == 12
    assert not video.held.full


async def test_more_plates_than_may_be_followed_are_all_read(video: Videos) -> None:
    tracks = replace(video.settings.tracks, most=4)
    video.settings = replace(video.settings, tracks=tracks)
    names = [f"AB{n}{n}{n}{n}{n}" for n in range(9)]
    crowd = [plate(name, 0.7, x=120 * n, y=60 * n) for n, name in enumerate(names)]

    answers = await video.answers([("f0", looked(0, *crowd)), ("f1", looked(0.04))])

    assert sorted(video.plates()) == names
    assert sorted(read.plate.text for read, _ in answers[0].reads) == names


async def _slowly(script: Any, video: Videos, *, after: int) -> AsyncIterator[Any]:
    """Those frames; after some, or after the last, nothing more comes until the matcher has a read."""
    for n, item in enumerate(script):
        yield item
        if n == after:
            while not video.matcher.reads:  # noqa: ASYNC110 - the matcher of the tests has no event
                await asyncio.sleep(0.02)
            await asyncio.sleep(30)
    await asyncio.sleep(30)
