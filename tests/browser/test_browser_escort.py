"""Vendor sessions: begun, seen call by call, stopped; and over when whoever escorts has left (III.B.3.p)."""

import asyncio
from urllib.parse import urlsplit

import grpc
import pytest

from alpr.audit.v1 import escort_service_pb2 as pb
from alpr.audit.v1 import governance_service_pb2 as agency_pb
from tests.support.access_stack import World, methods
from tests.support.access_world import Principal
from tests.support.browser import PHONE, Consoles, Desk, barriers, picture
from tests.support.browser_coordinator import HOSTILE, asked, said, send, sent
from tests.support.cutting_proxy import cutting_proxy

pytestmark = [
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.clause("III.B.3.p"),
]

_ESCORT = "the-work-unit-coordinator"
_VENDOR = Principal("escorted", subject="escorted")
# A session ends 20 seconds after its escort was seen last.
_LEFT_SECONDS = 40


async def _vendor_calls(world: World) -> str:
    """How a call of the vendor's ends."""
    method = next(one for one in methods() if one.name == "ListAgencies")
    return await world.callers.outcome(_VENDOR, method, agency_pb.ListAgenciesRequest())


async def _until(world: World, outcome: grpc.StatusCode) -> None:
    """Returns when a call of the vendor's ends so: audit looks anew at an account some seconds later."""
    async with asyncio.timeout(_LEFT_SECONDS):
        while await _vendor_calls(world) != outcome.name:  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.2)


async def _begun(desk: Desk, world: World) -> str:
    """Begins a session on the page; its id."""
    given = {"vendor_account_id": world.facts["vendor_id"], "scope": "1", "minutes": "20"}
    await sent(desk, "begin", **given, reason=HOSTILE)
    await desk.page.locator("#link[data-state=live]").wait_for()
    return urlsplit(desk.page.url).path.rpartition("/")[2]


async def test_every_call_of_the_vendor_is_shown_once_until_the_stop_button_ends_it(
    consoles: Consoles, world: World
) -> None:
    port = urlsplit(consoles.url).port or 443
    async with (
        cutting_proxy(port) as link,
        consoles.at(_ESCORT, "/coordinator/escorts", viewport=PHONE) as desk,
    ):
        through = link.target.rpartition(":")[2]
        await desk.page.route(
            "**/events", lambda one: one.continue_(url=one.request.url.replace(f":{port}/", f":{through}/"))
        )
        await _until(world, grpc.StatusCode.PERMISSION_DENIED)
        await _begun(desk, world)
        await _until(world, grpc.StatusCode.OK)
        calls = desk.page.locator("#calls tr")
        await calls.first.wait_for()
        # Who comes back after a broken link is told all of it again.
        link.shut()
        await desk.page.locator("#link[data-state=lost]").wait_for()
        link.is_shut = False
        await desk.page.locator("#link[data-state=live]").wait_for()
        await _until(world, grpc.StatusCode.OK)
        await calls.nth(1).wait_for()
        assert await calls.count() == 2
        await picture(desk.page, "coordinator-escort-phone")
        assert await barriers(desk.page) == []
        await send(desk, "cut")
        assert "stopped" in await said(desk)
        await _until(world, grpc.StatusCode.PERMISSION_DENIED)
        assert await desk.page.title() != "robbed"
        desk.check_quiet()


async def test_a_session_is_over_when_whoever_escorts_has_left_its_page(
    consoles: Consoles, world: World
) -> None:
    async with consoles.at(_ESCORT, "/coordinator/escorts") as desk:
        escort_id = await _begun(desk, world)
        await desk.open("/coordinator/escorts")
        await picture(desk.page, "coordinator-escorts")
        assert await barriers(desk.page) == []
        async with asyncio.timeout(_LEFT_SECONDS):
            while not (found := await _escort(world, escort_id)).HasField("ended_time"):  # noqa: ASYNC110
                await asyncio.sleep(0.5)
        assert not found.cut_by
        await _until(world, grpc.StatusCode.PERMISSION_DENIED)


async def _escort(world: World, escort_id: str) -> pb.Escort:
    listed: list[pb.Escort] = (await asked(world, _ESCORT, "ListEscorts", page_size=200)).escorts
    return next(one for one in listed if one.escort_id == escort_id)
