"""From the frame that a camera sends to the alert that an officer gets, through ocr, matcher and alerts.

Drawn scenes with a vehicle each, all of whose plates are on a hot list. Each picture is a call of its
own, one after the other at an even pace; the time counts from the moment before it is sent. A plate that
was read as another one raises nothing and is counted in `unread`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Final

from alpr.ocr.v1 import ocr_service_pb2 as pb
from alpr.ocr.v1.ocr_service_pb2_grpc import OcrServiceStub
from alpr.type.v1 import read_pb2, sensor_pb2
from benchmarks._alerts_crowd import Crowd
from benchmarks._alerts_follow import by_capture_time, follow_alerts
from benchmarks._alerts_house import House, session
from benchmarks._alerts_measures import latency
from services.cli import hotlist
from services.cli.demo import cast
from services.cli.scenes import Scene, draw_scene
from services.cli.sensor import approve_deployment, register_sensor
from services.cli.sensor_certificate import recorded
from services.common.client import ClientTls, service_channel
from services.common.issuers import DEVELOPMENT_ISSUER
from services.common.wire import to_timestamp

_SENSOR: Final = "bench-frames"
_WARM_UP: Final = 5
_CALL_SECONDS: Final = 20.0
_LATEST_SECONDS: Final = 10.0
_ATTESTATION: Final = "Made for a benchmark; no row is of a real plate."


async def frame_to_alert(house: House, frames: int, per_second: float) -> dict[str, Any]:
    """p50_ms and p99_ms from frame to alert."""
    scenes = await asyncio.to_thread(lambda: [draw_scene(seed) for seed in range(_WARM_UP + frames)])
    issued = house.stack.sensor_certificate(_SENSOR)
    await _prepare(house.folder, scenes, issued.cert_file)
    tls = ClientTls(issued.cert_file, issued.key_file, issued.ca_file)
    follow = partial(follow_alerts, number=by_capture_time)
    async with (
        Crowd(follow, house.seats(1)) as crowd,
        service_channel(house.stack.machine_targets["ocr"], tls, server_name="ocr") as channel,
    ):
        stub = OcrServiceStub(channel)
        await _send(stub, scenes[:_WARM_UP], per_second)
        await crowd.take(_WARM_UP, _LATEST_SECONDS)
        sent = await _send(stub, scenes[_WARM_UP:], per_second)
        received = await crowd.take(len(sent), _LATEST_SECONDS)
    return {**latency(received, sent), "unread": len(sent) - sum(len(one.numbers) for one in received)}


async def _send(stub: Any, scenes: Sequence[Scene], per_second: float) -> dict[int, int]:
    """When each frame was sent, by the microsecond of its capture."""
    start = time.monotonic()
    sent: dict[int, int] = {}
    calls = []
    for n, scene in enumerate(scenes):
        await asyncio.sleep(max(0.0, start + n / per_second - time.monotonic()))
        capture_time = to_timestamp(datetime.now(UTC))
        frame = pb.Frame(frame_id=f"frame-{scene.plate}", image=scene.image, capture_time=capture_time)
        sent[capture_time.ToMicroseconds()] = time.monotonic_ns()
        calls.append(stub.Recognize(pb.RecognizeRequest(frame=frame), timeout=_CALL_SECONDS))
    await asyncio.gather(*calls)
    return sent


async def _prepare(folder: Path, scenes: Sequence[Scene], certificate: Path) -> None:
    """Approves the camera, and activates a list of the plates."""
    async with session(folder, cast.COORDINATOR) as coordinator:
        await cast.enrol(coordinator, cast.LIST_MANAGER, DEVELOPMENT_ISSUER)
        sensor = sensor_pb2.Sensor(
            sensor_id=_SENSOR,
            agency_ori=cast.AGENCY_ORI,
            sensor_group="expressway",
            deployment_type=sensor_pb2.DEPLOYMENT_TYPE_FIXED,
            place=read_pb2.Place(latitude=41.98, longitude=-87.87, description="I-90 at mile 79, eastbound"),
            provenance=sensor_pb2.PROVENANCE_OWN,
        )
        await register_sensor(coordinator, sensor)
        await approve_deployment(coordinator, _SENSOR)
        await recorded(coordinator, _SENSOR, certificate)
    file = folder / "frames.csv"
    rows = [f"{scene.plate},IL,STOLEN_VEHICLE,V{row:09d}" for row, scene in enumerate(scenes)]
    file.write_text("\n".join(["plate,state,category,record_number", *rows, ""]), encoding="ascii")
    async with session(folder, cast.LIST_MANAGER.subject) as manager:
        made = await hotlist.create_list(manager, "benchmark", "agency")
        answer = await hotlist.upload_version(manager, made.hot_list_id, file, "csv", _ATTESTATION)
        await hotlist.activate_version(manager, made.hot_list_id, answer.version)
