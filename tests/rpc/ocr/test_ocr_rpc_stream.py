from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import grpc

from alpr.ocr.v1 import ocr_service_pb2 as pb
from services.dev.pki import DevelopmentAuthority
from tests.support.ocr_kit import (
    SUSPENDED,
    World,
    answers_of,
    frame_of,
    scene_frame,
    without_plate,
    world,
)


async def test_answers_come_in_the_order_of_the_frames(ocr: World) -> None:
    # The frame without a plate is the fastest, and still it waits its turn.
    frames = [scene_frame(0)[0], frame_of(without_plate(), frame_id="empty"), scene_frame(1)[0]]

    answers = await answers_of(ocr.sensor(), frames)

    assert [answer.frame_id for answer in answers] == ["scene-0", "empty", "scene-1"]
    assert [[plate.read.plate for plate in answer.plates] for answer in answers] == [
        [scene_frame(0)[1]],
        [],
        [scene_frame(1)[1]],
    ]


async def test_frame_that_failed_is_answered_with_its_error_and_the_stream_goes_on(ocr: World) -> None:
    bad = frame_of(b"not an image at all", frame_id="bad")

    answers = await answers_of(ocr.sensor(), [bad, scene_frame(2)[0]])

    assert answers[0].error.reason == "ERROR_REASON_BAD_IMAGE"
    assert not answers[0].error.retryable
    assert [plate.read.plate for plate in answers[1].plates] == [scene_frame(2)[1]]


async def test_error_of_a_frame_says_which_field_to_change(ocr: World) -> None:
    frame = scene_frame(0)[0]
    frame.ClearField("capture_time")

    (answer,) = await answers_of(ocr.sensor(), [frame])

    assert answer.error.reason == "ERROR_REASON_INVALID_FIELD"
    assert "frame.capture_time" in answer.error.message


async def test_sensor_that_is_not_approved_gets_that_for_each_frame(ocr: World) -> None:
    (answer,) = await answers_of(ocr.sensor(SUSPENDED), [scene_frame(0)[0]])

    assert answer.error.reason == "ERROR_REASON_SENSOR_NOT_APPROVED"
    assert ocr.stored() == []


async def test_no_more_frames_are_under_way_than_the_stream_may_have(
    tls: DevelopmentAuthority, tmp_path: Path
) -> None:
    async with world(tls, tmp_path, stream_frames_in_flight=2, recognition_workers=2) as ocr:
        ocr.matcher.gate.clear()
        frames = [scene_frame(seed)[0] for seed in range(5)]
        answering = asyncio.create_task(answers_of(ocr.sensor(), frames))
        await ocr.until_stored(2)
        await asyncio.sleep(1)

        held = len(ocr.stored())
        ocr.matcher.gate.set()
        answers = await answering

    assert held == 2
    assert [answer.frame_id for answer in answers] == [f"scene-{seed}" for seed in range(5)]


async def test_reads_that_wait_share_a_batch(tls: DevelopmentAuthority, tmp_path: Path) -> None:
    async with world(tls, tmp_path) as ocr:
        ocr.matcher.gate.clear()
        frames = [scene_frame(seed)[0] for seed in range(4)]
        answering = asyncio.create_task(answers_of(ocr.sensor(), frames))
        await ocr.until_stored(4)
        await asyncio.sleep(0.2)
        ocr.matcher.gate.set()
        await answering

    assert [len(batch.reads) for batch in ocr.matcher.batches] == [1, 3]
    assert ocr.matcher.streams == 1


async def test_stream_ends_with_the_reason_when_the_service_stops_and_loses_no_frame(ocr: World) -> None:
    frame, plate = scene_frame(3)

    async def requests() -> AsyncIterator[pb.RecognizeStreamRequest]:
        yield pb.RecognizeStreamRequest(frame=frame)
        await asyncio.sleep(60)

    call = ocr.sensor().RecognizeStream(requests())
    ocr.matcher.gate.clear()
    await ocr.until_stored(1)
    stopping = asyncio.create_task(ocr.server.stop())
    await asyncio.sleep(0.2)
    ocr.matcher.gate.set()
    answer = await call.read()
    try:
        await call.read()
        code = await call.code()
    except grpc.aio.AioRpcError as error:
        code = error.code()
    await stopping

    assert [one.read.plate for one in answer.plates] == [plate]
    assert code == grpc.StatusCode.UNAVAILABLE
