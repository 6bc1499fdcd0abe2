"""Alerts for tests of pages: raised as the matcher does, for the agency of the system's people."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

from alpr.alerts.v1 import alert_service_pb2 as pb
from alpr.alerts.v1 import alert_service_pb2_grpc as rpc
from alpr.type.v1 import hit_pb2
from services.cli.demo.cast import AGENCY_ORI, COORDINATOR
from services.cli.locate import locate
from services.cli.session import Session
from services.cli.tokens import token_source
from services.common.client import bearer
from services.common.errors import AlreadyExistsError
from tests.support.access_stack import World, person
from tests.support.alerts_rig import entry_message, hit_message

STOLEN = hit_pb2.HOT_LIST_CATEGORY_STOLEN_VEHICLE


def plate() -> str:
    """A plate that no other test has."""
    return "T" + uuid4().hex[:7].upper()


def hit(
    text: str = "",
    *,
    category: hit_pb2.HotListCategory.ValueType = STOLEN,
    listed: str = "",
    seconds_ago: float = 0,
    warnings: tuple[hit_pb2.HitWarning.ValueType, ...] = (),
    **changes: Any,
) -> pb.Hit:
    """A hit of the plate `text` on an entry of a list of the agency; `changes` are of the entry."""
    read = text or plate()
    entry = entry_message(category, AGENCY_ORI)
    entry.plate = listed or read
    for name, value in changes.items():
        setattr(entry, name, value)
    at = datetime.now(UTC) - timedelta(seconds=seconds_ago)
    made = hit_message(entry, plate=read, agency=AGENCY_ORI, at=at)
    made.matches[0].warnings.extend(warnings)
    return made


async def enrolled(folder: Path, people: Sequence[tuple[str, str]]) -> None:
    """Sees to it that the agency has these people, each a subject and a role."""
    async with Session(locate(folder), token_source(folder, COORDINATOR), on_wait=print) as session:
        for subject, role in people:
            with contextlib.suppress(AlreadyExistsError):
                await person(session, subject, role)


async def raised(world: World, *hits: pb.Hit) -> list[str]:
    """Ids of the alerts of `hits`."""
    stub = rpc.AlertServiceStub(_channel(world, "service matcher"))
    answer = await stub.RaiseAlerts(pb.RaiseAlertsRequest(hits=hits), timeout=30)
    return list(answer.alert_ids)


async def acknowledged(world: World, alert_id: str, subject: str) -> None:
    """`subject` has seen it, elsewhere than at the console."""
    stub = rpc.AlertServiceStub(_channel(world, "anybody"))
    request = pb.AcknowledgeAlertRequest(request_id=str(uuid4()), alert_id=alert_id)
    token = world.callers.stack.token(subject)
    await stub.AcknowledgeAlert(request, metadata=(bearer(token),), timeout=30)


def _channel(world: World, name: str) -> Any:
    who = next(one for one in world.principals if one.name == name)
    return world.callers.channel(who, "alerts")
