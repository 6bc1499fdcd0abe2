"""A video whose stream breaks: no passage is lost and none gets two reads."""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc
import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.common.errors import AlprError, SensorNotApprovedError
from services.dev.pki import DevelopmentAuthority
from services.ocr import wire_video
from services.ocr.errors import OverloadedError
from services.ocr.frames import OpenPassage, VideoAnswer
from tests.support.video_kit import Script, Videos, looked, passage, plate, videos

CROSSING: Script = [
    (
        f"f{n}",
        looked(
            n * 0.04,
            *([plate("AB12345", 0.6, x=100 + 20 * n, y=300)] if n < 30 else []),
            *([plate("XK77QQ9", 0.55, x=900 - 20 * n, y=310)] if 8 <= n < 38 else []),
            *([plate("ZZ9", 0.4, x=60 + 5 * n, y=600)] if n >= 20 else []),
        ),
    )
    for n in range(44)
]


@pytest_asyncio.fixture(loop_scope="session")
async def video(tls: DevelopmentAuthority, tmp_path: Path) -> AsyncIterator[Videos]:
    async with videos(tls, tmp_path) as made:
        yield made


async def broken_off(
    video: Videos, script: Script, answered: int, open_passages: tuple[OpenPassage, ...] = ()
) -> list[VideoAnswer]:
    """The answers that a sender got before its stream broke; what was under way is torn."""
    got: list[VideoAnswer] = []

    async def items() -> AsyncIterator[Any]:
        for item in script:
            yield item
        await asyncio.sleep(60)

    if not answered:
        return got
    answers = video.running(items(), open_passages)
    try:
        async with asyncio.timeout(60):
            async for answer in answers:
                got.append(answer)
                if len(got) == answered:
                    break
    finally:
        await answers.aclose()
    return got


def over_the_wire(passages: tuple[OpenPassage, ...]) -> tuple[OpenPassage, ...]:
    """As another stream gets them from the sender."""
    options = wire_video.pb.StreamOptions(
        video=True, open_passages=[wire_video.to_open_passage(one) for one in passages]
    )
    parsed = wire_video.parse_options(wire_video.pb.StreamOptions.FromString(options.SerializeToString()))
    assert parsed is not None
    return parsed.open_passages


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(breaks=st.lists(st.integers(0, 30), max_size=4))
def test_breaks_anywhere_give_every_passage_exactly_one_read(
    tls: DevelopmentAuthority, tmp_path: Path, breaks: list[int]
) -> None:
    async def run() -> list[str]:
        async with videos(tls, tmp_path) as video:
            video.settings = replace(video.settings, idle_seconds=0.2)
            rest, passages = list(CROSSING), tuple[OpenPassage, ...]()
            for answered in breaks:
                got = await broken_off(video, rest, min(answered, len(rest)), passages)
                rest = rest[len(got) :]
                passages = over_the_wire(got[-1].open_passages) if got else passages
            await video.answers(rest, passages)
            return video.plates()

    assert sorted(asyncio.run(run())) == ["AB12345", "XK77QQ9", "ZZ9"]


async def test_frames_without_an_answer_sent_again_give_the_same_ids(video: Videos) -> None:
    script = passage("AB12345", 3, p=0.3)
    stuck = asyncio.create_task(broken_off(video, script, 1))
    video.matcher.gate.clear()
    await asyncio.sleep(0.5)
    stuck.cancel()
    await asyncio.gather(stuck, return_exceptions=True)
    video.matcher.gate.set()

    answers = await video.answers(script)

    assert len(video.matcher.reads) == 1
    assert str(answers[0].reads[0][0].read_id) in video.matcher.reads


async def test_no_frame_of_a_passage_is_answered_before_its_read_is_on_disk(video: Videos) -> None:
    video.matcher.gate.clear()
    script: Script = [("empty", looked(0)), *passage("AB12345", 5, begins=1)]
    answers = video.running(_all_of(script))

    assert (await asyncio.wait_for(anext(answers), 60)).frame_id == "empty"
    waiting = asyncio.ensure_future(anext(answers))
    done, _ = await asyncio.wait({waiting}, timeout=0.5)
    assert not done
    video.matcher.gate.set()
    assert (await asyncio.wait_for(waiting, 60)).reads[0][0].plate.text == "AB12345"
    await answers.aclose()


async def test_matcher_that_is_away_ends_the_stream_and_nothing_is_lost(
    tls: DevelopmentAuthority, tmp_path: Path
) -> None:
    async with videos(tls, tmp_path, timeout_seconds=0.5) as video:
        script = passage("AB12345", 6)
        await video.neighbours.close_matcher()
        with pytest.raises(AlprError, match="send the frame again"):
            await video.answers(script)
        await video.neighbours.open_matcher()

        answers = await _answers_when_back(video, script)

    assert [len(answer.reads) for answer in answers] == [1, 0, 0, 0, 0, 0]
    assert len(video.matcher.reads) == 1


async def _answers_when_back(video: Videos, script: list[Any]) -> list[Any]:
    """As a sender does: the frames again until the channel to the matcher is open, which takes its time."""
    for _ in range(20):
        try:
            return list(await video.answers(script))
        except AlprError as error:
            assert "send the frame again" in str(error)
            await asyncio.sleep(0.2)
    pytest.fail("the matcher was never reached again")


async def test_slow_matcher_holds_back_answers_but_not_the_passages_that_follow(video: Videos) -> None:
    video.matcher.gate.clear()
    script = [*passage("AB12345", 5), *passage("XK77QQ9", 5, begins=5), *passage("QQ99", 5, begins=10)]
    answering = asyncio.create_task(video.answers(script))
    await asyncio.sleep(0.5)
    assert not answering.done()
    video.matcher.gate.set()

    answers = await answering

    assert [answer.frame_id for answer in answers] == [name for name, _ in script]
    assert sorted(video.plates()) == ["AB12345", "QQ99", "XK77QQ9"]


async def test_read_that_is_refused_for_good_is_told_in_the_frames_that_show_it(video: Videos) -> None:
    def refuse(captured: Any) -> AlprError | None:
        return SensorNotApprovedError("suspended just now") if captured.read.plate == "AB12345" else None

    video.matcher.refuse = refuse

    answers = await video.answers([*passage("AB12345", 3), *passage("XK77QQ9", 3, begins=5)])

    assert [isinstance(answer.error, SensorNotApprovedError) for answer in answers] == [True] * 3 + [
        False
    ] * 3
    assert video.plates() == ["XK77QQ9"]


async def test_overload_in_the_middle_of_a_passage_ends_the_stream_without_an_answer_for_it(
    video: Videos,
) -> None:
    script: list[Any] = [("empty", looked(0)), *passage("AB12345", 6, p=0.2, begins=1)]
    script[4] = ("refused", OverloadedError("too many images are under way"))
    got: list[str] = []

    with pytest.raises(OverloadedError):
        async for answer in video.running(_all_of(script)):
            got.append(answer.frame_id)

    assert got == ["empty"]
    assert video.plates() == []


async def test_stop_in_the_middle_of_a_passage_writes_its_read_first(video: Videos) -> None:
    got: list[VideoAnswer] = []

    async def stop_soon() -> None:
        await asyncio.sleep(0.3)
        video.stopping.set()

    stopping = asyncio.create_task(stop_soon())
    async with asyncio.timeout(20):
        async for answer in video.running(_all_of(passage("AB12345", 3, p=0.2))):
            got.append(answer)
    await stopping

    assert [len(answer.reads) for answer in got] == [1, 0, 0]
    assert video.plates() == ["AB12345"]


async def test_full_disk_ends_the_stream_and_nothing_is_sent_on(
    video: Videos, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.open

    def full(path: Any, flags: int, *rest: Any, **more: Any) -> int:
        if flags & os.O_CREAT:
            raise OSError(errno.ENOSPC, "no space")
        return real(path, flags, *rest, **more)

    monkeypatch.setattr(os, "open", full)
    with pytest.raises(AlprError) as refused:
        await video.answers(passage("AB12345", 3))
    monkeypatch.undo()

    assert refused.value.code is grpc.StatusCode.UNAVAILABLE
    assert video.plates() == []


async def _all_of(script: Script) -> AsyncIterator[Any]:
    for item in script:
        yield item
    await asyncio.sleep(60)
