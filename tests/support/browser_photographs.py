"""Photographs that the camera of the world sends, through the ocr service: reads with pictures."""

from __future__ import annotations

import secrets

from alpr.type.v1.read_pb2 import Read
from services.cli.camera import Camera
from services.cli.frames import Picture
from services.cli.scenes import draw_scene
from tests.support.access_stack import World


async def photographed(world: World) -> Read:
    """What the camera read on a photograph of a vehicle that nobody has seen before."""
    sensor = next(one for one in world.principals if one.name == "sensor")
    camera = Camera(world.callers.channel(sensor, "ocr"), None, on_wait=print)
    scene = draw_scene(secrets.randbelow(1_000_000))
    async for _frame, answer in camera.send([Picture("scene", scene.image, None)]):
        (plate,) = answer.plates
        return plate.read
    raise AssertionError("the camera had no answer")
