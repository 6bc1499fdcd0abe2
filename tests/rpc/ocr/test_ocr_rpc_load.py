"""A service with more work than it can do in time says so at once."""

from __future__ import annotations

import asyncio
from pathlib import Path

import grpc
import pytest
from prometheus_client import generate_latest

from alpr.ocr.v1 import ocr_service_pb2 as pb
from services.common.errors import from_rpc_error
from services.dev.pki import DevelopmentAuthority
from tests.support.ocr_kit import answers_of, scene_frame, world


@pytest.mark.timeout(240)
async def test_call_whose_time_is_too_short_for_the_queue_is_refused_at_once_with_a_time_to_come_again(
    tls: DevelopmentAuthority, tmp_path: Path
) -> None:
    async with world(tls, tmp_path, frames_in_flight=64) as ocr:
        stub = ocr.sensor()
        await ocr.recognize(scene_frame(0)[0])
        frames = [scene_frame(seed % 8)[0] for seed in range(60)]
        queue = [
            asyncio.ensure_future(stub.Recognize(pb.RecognizeRequest(frame=one), timeout=150))
            for one in frames
        ]
        await asyncio.sleep(0.1)

        for seconds in (0.3, 0.6, 1.2):  # on a busy machine the refusal itself may take longer than the first
            try:
                await stub.Recognize(pb.RecognizeRequest(frame=scene_frame(0)[0]), timeout=seconds)
                raise AssertionError("it was not refused")
            except grpc.aio.AioRpcError as refused:
                error, code = from_rpc_error(refused), refused.code()
            if code is not grpc.StatusCode.DEADLINE_EXCEEDED:
                break
        answers = await asyncio.gather(*queue)

    assert code is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert error.retry_after_ms >= 100
    assert len(answers) == 60
    assert 'platewarden_ocr_frames_refused_total{why="late"}' in generate_latest().decode()


async def test_images_under_way_are_bounded_and_frames_beyond_are_told_to_come_again(
    tls: DevelopmentAuthority, tmp_path: Path
) -> None:
    frame, plate = scene_frame(1)
    large, _ = scene_frame(2)
    # Bytes after the end of a JPEG are no part of the picture, but they take room.
    large.image += bytes(900 << 10)
    async with world(tls, tmp_path, waiting_megabytes=1, stream_frames_in_flight=2) as ocr:
        ocr.matcher.gate.clear()
        waiting = asyncio.ensure_future(answers_of(ocr.sensor(), [large]))
        await ocr.until_stored(1)

        (refused,) = await answers_of(ocr.sensor(), [large])
        ocr.matcher.gate.set()
        await waiting
        (taken,) = await answers_of(ocr.sensor(), [frame])

    assert refused.error.reason == "ERROR_REASON_OVERLOADED"
    assert refused.error.retryable
    assert refused.error.retry_after.ToMilliseconds() >= 100
    assert [one.read.plate for one in taken.plates] == [plate]
