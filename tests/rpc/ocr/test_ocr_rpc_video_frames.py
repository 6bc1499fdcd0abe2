"""Videos as cameras send them: real pictures, through the real networks, over the real service."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

import cv2
import grpc
import numpy as np
import pytest

from alpr.ocr.v1 import ocr_service_pb2 as pb
from alpr.type.v1 import read_pb2
from services.cli.camera import Camera
from services.cli.feed import Feed
from services.cli.frames import Picture, pictures
from services.cli.scenes import draw_scene
from services.common.clock import SystemClock
from services.ocr.__main__ import build
from tests.support.ocr_kit import FIXED, World, engine, error_of, frame_of, pixels, without_plate
from tests.support.rtsp import rtsp_camera

_EVERY = timedelta(milliseconds=200)


def drive(seed: int, frames: int = 6, begins: datetime | None = None) -> tuple[list[pb.Frame], str]:
    """A vehicle that comes nearer, and its plate."""
    scene = draw_scene(seed)
    image, start = pixels(scene.image), begins or datetime.now(UTC) - timedelta(minutes=1)
    height, width = image.shape[:2]
    made = []
    for n in range(frames):
        move = cv2.getRotationMatrix2D((width / 2, height / 2), 0, 0.8 + 0.05 * n)
        shown = cv2.warpAffine(image, move, (width, height), borderMode=cv2.BORDER_REPLICATE)
        encoded = cv2.imencode(".jpg", shown, (cv2.IMWRITE_JPEG_QUALITY, 92))[1].tobytes()
        made.append(frame_of(encoded, frame_id=f"drive-{seed}-{n}", at=start + n * _EVERY))
    return made, scene.plate


async def video_answers(
    stub: Any, frames: Sequence[pb.Frame], options: pb.StreamOptions | None = None
) -> list[pb.RecognizeStreamResponse]:
    async def requests() -> AsyncIterator[pb.RecognizeStreamRequest]:
        yield pb.RecognizeStreamRequest(options=options or pb.StreamOptions(video=True))
        for frame in frames:
            yield pb.RecognizeStreamRequest(frame=frame)

    return [answer async for answer in stub.RecognizeStream(requests(), timeout=60)]


@pytest.mark.clause("II.B", "II.J", "IV.C.1")
async def test_vehicle_that_comes_nearer_is_one_read_with_a_picture_of_its_plate(ocr: World) -> None:
    frames, plate = drive(0)

    answers = await video_answers(ocr.sensor(), frames)

    (captured,) = ocr.matcher.reads.values()
    read = captured.read
    assert [answer.frame_id for answer in answers] == [frame.frame_id for frame in frames]
    assert [len(answer.plates) for answer in answers] == [1, 0, 0, 0, 0, 0]
    assert read.plate == plate
    assert read.capture_time == frames[0].capture_time
    assert read.passage.passage_id == read.read_id
    assert answers[-1].sightings[0].direction == read_pb2.TRAVEL_DIRECTION_APPROACHING
    assert answers[-1].sightings[0].frame_count == 6
    assert len(ocr.stored()) == 1


@pytest.mark.clause("II.J", "IV.C.2")
async def test_crop_of_a_read_shows_its_plate_and_hardly_more(ocr: World) -> None:
    frames, plate = drive(1)

    await video_answers(ocr.sensor(), frames)

    (captured,) = ocr.matcher.reads.values()
    crop, box = pixels(captured.crop_image), captured.read.plate_box
    assert crop.shape[1] <= 1.4 * box.width + 2
    assert crop.shape[0] <= 2.0 * box.height + 2
    # On grey ground, because a detector looks for plates in scenes.
    scene = np.full((480, 640, 3), 90, dtype=np.uint8)
    scene[200 : 200 + crop.shape[0], 240 : 240 + crop.shape[1]] = crop[:280, :400]
    assert [found.text for found in engine().plates(scene)] == [plate]


async def test_same_video_again_is_the_same_read(ocr: World) -> None:
    frames, _ = drive(2)

    first = await video_answers(ocr.sensor(), frames)
    again = await video_answers(ocr.sensor(), frames)

    assert first[0].plates[0].read.read_id == again[0].plates[0].read.read_id
    assert again[0].plates[0].status == read_pb2.READ_STATUS_DUPLICATE
    assert len(ocr.matcher.reads) == 1


async def test_frames_of_one_video_without_options_stand_for_themselves(ocr: World) -> None:
    frames, plate = drive(0, frames=3)

    async def requests() -> AsyncIterator[pb.RecognizeStreamRequest]:
        for frame in frames:
            yield pb.RecognizeStreamRequest(frame=frame)

    answers = [answer async for answer in ocr.sensor().RecognizeStream(requests(), timeout=60)]

    assert [[one.read.plate for one in answer.plates] for answer in answers] == [[plate]] * 3
    assert [answer.sightings[0].plate for answer in answers] == [plate] * 3
    assert len(ocr.matcher.reads) == 3


async def test_frame_without_a_plate_and_a_bad_one_are_answered_in_their_turn(ocr: World) -> None:
    frames, plate = drive(0)
    frames[2].image = without_plate()
    frames[4].image = b"no image"

    answers = await video_answers(ocr.sensor(), frames)

    assert [answer.frame_id for answer in answers] == [frame.frame_id for frame in frames]
    assert not answers[2].sightings
    assert answers[4].error.reason == "ERROR_REASON_BAD_IMAGE"
    assert [captured.read.plate for captured in ocr.matcher.reads.values()] == [plate]


@pytest.mark.parametrize(
    "options", [pb.StreamOptions(video=True, frames_kept=1), pb.StreamOptions(frames_kept=8)]
)
async def test_wrong_options_end_the_stream_with_what_to_change(
    ocr: World, options: pb.StreamOptions
) -> None:
    refused = await error_of(_drained(video_answers(ocr.sensor(), [], options)))

    assert refused == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD")


async def test_options_after_the_first_message_end_the_stream(ocr: World) -> None:
    async def requests() -> AsyncIterator[pb.RecognizeStreamRequest]:
        for _ in range(2):
            yield pb.RecognizeStreamRequest(options=pb.StreamOptions(video=True))

    async def answers() -> None:
        async for _ in ocr.sensor().RecognizeStream(requests(), timeout=60):
            pass

    assert await error_of(answers()) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD")


@pytest.mark.parametrize("taken", [0, 2, 4])
async def test_service_that_restarts_in_the_middle_of_a_passage_costs_no_read_and_makes_none_twice(
    ocr: World, taken: int
) -> None:
    frames, plate = drive(3)
    taken_pictures = [
        Picture(one.frame_id, one.image, one.capture_time.ToDatetime(UTC), "drive") for one in frames
    ]
    may_go_on = asyncio.Event()

    async def source() -> AsyncIterator[Picture]:
        for n, picture in enumerate(taken_pictures):
            if n == taken:
                await may_go_on.wait()
            yield picture

    async def restart() -> None:
        await asyncio.sleep(0.5 if taken else 0)
        address = f"127.0.0.1:{ocr.server.port}"
        await ocr.server.stop()
        ocr.server = (await build(ocr.settings.model_copy(update={"listen": address}), SystemClock())).build()
        await ocr.server.start()
        may_go_on.set()

    camera = Camera(ocr.channel(ocr.tls.sensor(FIXED)), None, on_wait=lambda _: None, video=True)
    restarting = asyncio.create_task(restart())
    sent = [frame.frame_id async for frame, _ in camera.send(source())]
    await restarting

    assert sent == [frame.frame_id for frame in frames]
    assert [captured.read.plate for captured in ocr.matcher.reads.values()] == [plate]


async def _drained(answers: Any) -> None:
    await answers


async def test_live_camera_is_read_over_rtsp_and_its_passage_is_one_read(ocr: World) -> None:
    frames, plate = drive(0)
    shown = [pixels(frame.image) for frame in frames]
    async with rtsp_camera(shown, rate=5) as live:
        feed = Feed(islice(pictures(live.address, 0.2), 8), most=8, live=True)
        camera = Camera(ocr.channel(ocr.tls.sensor(FIXED)), None, on_wait=lambda _: None, video=True)
        answers = [answer async for _, answer in camera.send(feed.items())]

    assert len(answers) + feed.dropped == 8
    assert [captured.read.plate for captured in ocr.matcher.reads.values()] == [plate]
