from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import grpc
import pytest

from alpr.ocr.v1 import ocr_service_pb2 as pb
from alpr.type.v1 import read_pb2
from services.common.errors import InternalError, SensorNotApprovedError
from services.dev.pki import DevelopmentAuthority
from tests.support.ocr_kit import MOBILE, World, answers_of, error_of, scene_frame, world

HERE = read_pb2.Place(latitude=41.88, longitude=-87.63)


async def test_frame_is_unavailable_while_the_matcher_is_away_and_sent_again_has_the_same_read_id(
    tls: DevelopmentAuthority, tmp_path: Path
) -> None:
    frame, _ = scene_frame(0)
    async with world(tls, tmp_path, matcher_timeout_seconds=1) as ocr:
        first = await ocr.recognize(frame)
        await ocr.neighbours.close_matcher()

        refused = await error_of(ocr.recognize(frame))
        ocr.matcher.reads.clear()
        await ocr.neighbours.open_matcher()
        again = await _until_answered(ocr, frame)

    assert refused == (grpc.StatusCode.UNAVAILABLE, "DEPENDENCY_UNAVAILABLE")
    assert [one.read.read_id for one in again] == [one.read.read_id for one in first.plates]
    assert list(ocr.matcher.reads) == [one.read.read_id for one in first.plates]


async def test_batch_whose_stream_is_lost_is_sent_again_on_a_new_one(ocr: World) -> None:
    ocr.matcher.hang_up = 2
    frame, plate = scene_frame(1)

    answer = await ocr.recognize(frame)

    assert [one.read.plate for one in answer.plates] == [plate]
    assert answer.plates[0].status == read_pb2.READ_STATUS_STORED
    assert ocr.matcher.streams == 3
    assert len({batch.reads[0].read.read_id for batch in ocr.matcher.batches}) == 1


async def test_matcher_that_restarts_between_frames_costs_no_frame(ocr: World) -> None:
    await ocr.recognize(scene_frame(0)[0])
    await ocr.neighbours.close_matcher()
    await ocr.neighbours.open_matcher()

    answer = await ocr.recognize(scene_frame(1)[0])

    assert answer.plates[0].status == read_pb2.READ_STATUS_STORED


async def test_read_that_the_matcher_refuses_does_not_stop_the_others(ocr: World) -> None:
    def refuse(captured: read_pb2.CapturedRead) -> SensorNotApprovedError | None:
        return SensorNotApprovedError("suspended just now") if captured.read.sensor_id == MOBILE else None

    ocr.matcher.refuse = refuse
    ocr.matcher.gate.clear()
    others = asyncio.create_task(answers_of(ocr.sensor(), [scene_frame(seed)[0] for seed in range(3)]))
    refused = asyncio.create_task(error_of(ocr.recognize(scene_frame(3, place=HERE)[0], sensor_id=MOBILE)))
    await ocr.until_stored(4)
    ocr.matcher.gate.set()

    assert await refused == (grpc.StatusCode.PERMISSION_DENIED, "SENSOR_NOT_APPROVED")
    statuses = [plate.status for answer in await others for plate in answer.plates]
    assert statuses == [read_pb2.READ_STATUS_STORED] * 3


async def test_fault_inside_the_matcher_leaves_the_frame_with_the_sensor(ocr: World) -> None:
    ocr.matcher.refuse = lambda _: InternalError("broken")

    (answer,) = await answers_of(ocr.sensor(), [scene_frame(0)[0]])

    assert answer.error.reason == "ERROR_REASON_DEPENDENCY_UNAVAILABLE"
    assert answer.error.retryable


@pytest.mark.clause("III.B.3.e")
async def test_nothing_is_taken_while_the_registry_of_sensors_was_never_heard(
    tls: DevelopmentAuthority, tmp_path: Path
) -> None:
    async with world(tls, tmp_path, serves=False, audit_target="127.0.0.1:9") as ocr:
        refused = await error_of(ocr.recognize(scene_frame(0)[0]))

    assert refused[0] == grpc.StatusCode.UNAVAILABLE
    assert ocr.stored() == []


async def _until_answered(ocr: World, frame: pb.Frame) -> Sequence[pb.RecognizedPlate]:
    """The plates, once the matcher's new server has been found."""
    for _ in range(150):
        (answer,) = await answers_of(ocr.sensor(), [frame])
        if answer.plates:
            return answer.plates
        await asyncio.sleep(0.2)
    raise AssertionError("the matcher was not found again")
