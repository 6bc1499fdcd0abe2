"""Alerts with pictures, and patrol cars, for tests of the page of one alert."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from uuid import UUID, uuid4

import asyncpg
import cv2
import numpy as np

from alpr.alerts.v1 import alert_service_pb2 as pb
from alpr.alerts.v1 import asset_service_pb2 as asset_pb
from services.cli.demo import cast
from services.cli.locate import locate
from services.cli.session import Session
from services.cli.tokens import token_source
from tests.support.access_stack import UNIT, World, methods, person
from tests.support.access_world import Principal
from tests.support.browser_alerts import hit

_METHODS: Final = {method.name: method for method in methods()}


def jpeg(text: str, width: int, height: int) -> bytes:
    """A picture that shows `text`, to be told from others by people who look at screenshots."""
    image = np.full((height, width, 3), (90, 70, 50), dtype=np.uint8)
    cv2.rectangle(image, (width // 8, height // 3), (7 * width // 8, 7 * height // 8), (235, 235, 235), -1)
    at = (width // 6, 3 * height // 4)
    cv2.putText(image, text, at, cv2.FONT_HERSHEY_SIMPLEX, width / 260, (20, 20, 20), 3)
    return bytes(cv2.imencode(".jpg", image)[1].tobytes())


def pictured(text: str, **changes: Any) -> pb.Hit:
    """A hit as of `browser_alerts.hit`, with both pictures."""
    made = hit(text, **changes)
    made.captured_read.crop_image = jpeg(text, 240, 90)
    made.captured_read.overview_image = jpeg(text, 640, 400)
    return made


@dataclass(frozen=True, slots=True)
class Staff:
    """A telecommunication centre's dispatcher and an officer, who are in no other test."""

    centre: Principal
    officer: Principal


async def staff(folder: Path) -> Staff:
    """Both, with accounts of their own: each account has few sign-ins at the same time."""
    mark = uuid4().hex[:8]
    made = Staff(
        Principal("centre", subject=f"centre-{mark}"), Principal("officer", subject=f"officer-{mark}")
    )
    async with Session(locate(folder), token_source(folder, cast.COORDINATOR), on_wait=print) as session:
        await person(session, made.centre.subject, "telecom-center")
        await person(session, made.officer.subject, "user")
    return made


@asynccontextmanager
async def car(world: World, people: Staff, call_sign: str) -> AsyncIterator[str]:
    """Id of a patrol car near where alerts are raised, until the end of the block; the officer is aboard."""
    registered = asset_pb.RegisterAssetRequest(request_id=new_id(), unit=UNIT, call_sign=call_sign)
    made = await asked(world, people.centre, "RegisterAsset", registered)
    aboard = asset_pb.BoardAssetRequest(request_id=new_id(), call_sign=call_sign)
    await asked(world, people.officer, "BoardAsset", aboard)
    position = asset_pb.AssetPosition(latitude=41.881, longitude=-87.632)
    position.position_time.GetCurrentTime()
    reported = asset_pb.ReportAssetPositionRequest(position=position)
    await asked(world, people.officer, "ReportAssetPosition", reported)
    yield str(made.asset.asset_id)
    # Nobody proposes more than some of the nearest cars: those of former tests are not among them.
    gone = asset_pb.RetireAssetRequest(request_id=new_id(), asset_id=made.asset.asset_id)
    await asked(world, people.centre, "RetireAsset", gone)


async def asked(world: World, who: Principal, name: str, request: Any) -> Any:
    """The answer to somebody who asks elsewhere than at the console."""
    return await world.callers.answer(who, _METHODS[name], request)


async def a_day_passes(world: World, alert_id: str) -> None:
    """The alert is of more than a day ago. No service can do that: the database's owner can."""
    connection = await asyncpg.connect(world.callers.stack.admin_url)
    try:
        await connection.execute("SET session_replication_role = replica")
        aged = "UPDATE alerts.alert SET raise_time = raise_time - interval '25 hours' WHERE alert_id = $1"
        assert await connection.execute(aged, UUID(alert_id)) == "UPDATE 1"
    finally:
        await connection.close()


async def goes_unanswered(world: World, alert_id: str) -> None:
    """The centre has not acknowledged the alert in time; services let minutes pass before that."""
    connection = await asyncpg.connect(world.callers.stack.admin_url)
    over = "UPDATE alerts.timer SET state = 3 WHERE alert_id = $1 AND kind = 1 AND state = 1"
    late = (
        "INSERT INTO alerts.escalation (escalation_id, alert_id, kind, round, due_time, escalate_time)"
        " VALUES (gen_random_uuid(), $1, 1, 0, now(), now())"
    )
    try:
        async with connection.transaction():
            assert await connection.execute(over, UUID(alert_id)) == "UPDATE 1"
            await connection.execute(late, UUID(alert_id))
    finally:
        await connection.close()


def new_id() -> str:
    """The id of one act."""
    return str(uuid4())
