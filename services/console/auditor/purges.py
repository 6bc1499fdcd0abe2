"""How reads ended: a certificate a day, and whether anything older is left (ENF-051 IV.E.1, IV.E.3)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from alpr.audit.v1 import settings_service_pb2 as settings_pb
from alpr.audit.v1 import settings_service_pb2_grpc as settings_rpc
from alpr.search.v1 import retention_service_pb2 as pb
from alpr.search.v1 import retention_service_pb2_grpc as rpc
from services.console.door import Door, Person

_COUNTS = ("reads", "images", "held_reads", "evidence_packages")
_ROWS = 31


def routes(door: Door) -> Sequence[Route]:
    """The certificates, and the look for what is older."""
    return (
        Route("/auditor/purges", door.page(_show), methods=["GET"]),
        Route("/auditor/purges/check", door.page(_check), methods=["POST"]),
    )


async def _show(request: Request, person: Person) -> Response:
    wanted = pb.ListPurgesRequest(page_size=_ROWS, page_token=request.query_params.get("page", ""))
    listed, retention = await asyncio.gather(
        person.call(rpc.RetentionServiceStub, "ListPurges", wanted), _retention(person)
    )
    return await person.show(
        "auditor/purges.html",
        title="Purges",
        section="/auditor",
        purges=listed.purges,
        counts=_COUNTS,
        next_page=listed.next_page_token,
        retention=retention,
    )


async def _check(_request: Request, person: Person) -> Response:
    """Looks in every table and store for what is older than the retention period."""
    wanted = pb.CheckRetentionRequest(request_id=person.field("request_id"))
    found = await person.call(rpc.RetentionServiceStub, "CheckRetention", wanted)
    return await person.show("auditor/older.html", title="What is older", section="/auditor", answer=found)


async def _retention(person: Person) -> settings_pb.Retention:
    answer = await person.call(
        settings_rpc.SettingsServiceStub, "GetRetention", settings_pb.GetRetentionRequest()
    )
    retention: settings_pb.Retention = answer.retention
    return retention
