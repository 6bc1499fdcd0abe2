"""Alerts for tests of pages: raised as the matcher does, for the agency of the system's people."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from alpr.alerts.v1 import alert_service_pb2 as pb
from alpr.alerts.v1 import alert_service_pb2_grpc as rpc
from alpr.type.v1 import hit_pb2
from services.cli.demo.cast import AGENCY_ORI
from services.common.client import bearer
from tests.support.access_stack import World
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


async def raised(world: World, *hits: pb.Hit) -> list[str]:
    """Ids of the alerts of `hits`."""
    stub = rpc.AlertServiceStub(_channel(world, "service matcher"))
    answer = await stub.RaiseAlerts(pb.RaiseAlertsRequest(hits=hits), timeout=30)
    return list(answer.alert_ids)


async def acknowledged(world: World, alert_id: str, role: str = "telecom-center") -> None:
    """Somebody of that role has seen it, elsewhere than at the console."""
    stub = rpc.AlertServiceStub(_channel(world, role))
    request = pb.AcknowledgeAlertRequest(request_id=str(uuid4()), alert_id=alert_id)
    subject = next(one.subject for one in world.principals if one.name == role)
    token = world.callers.stack.token(subject)
    await stub.AcknowledgeAlert(request, metadata=(bearer(token),), timeout=30)


def _channel(world: World, name: str) -> Any:
    who = next(one for one in world.principals if one.name == name)
    return world.callers.channel(who, "alerts")
