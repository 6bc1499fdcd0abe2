"""Legal holds on the statewide coordinator's page."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from alpr.search.v1 import retention_service_pb2 as pb
from tests.support.access_stack import World
from tests.support.browser import Consoles, picture
from tests.support.browser_coordinator import (
    HEAD,
    HOSTILE,
    asked,
    minute,
    paper,
    sent,
    sent_twice,
    sound,
    wrong,
)
from tests.support.browser_reads import travelled

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(300)]


async def _holds(world: World, reason: str) -> list[pb.Hold]:
    found = (await asked(world, HEAD, "ListHolds", page_size=500)).holds
    return [one for one in found if one.reason == reason]


@pytest.mark.clause("IV.E.3")
async def test_a_hold_is_placed_for_a_case_by_an_order_and_released_each_with_its_receipts(
    consoles: Consoles, world: World
) -> None:
    journeys, reason = await travelled(world), f"{HOSTILE} {uuid4().hex}"
    now = datetime.now(UTC)
    case = {"case_number_kind": "1", "case_number": "26-0001", "offence_code": "HOMICIDE"}
    why = {"purpose": "car seen leaving the scene", "reason": reason}
    async with consoles.at(HEAD, "/coordinator/holds", timezone_id="UTC") as desk:
        window = {"from": minute(now - timedelta(days=28)), "to": minute(now + timedelta(days=400))}
        await paper(desk, "place", "document")
        await sent(desk, "place", **case, **window, plates="???", **why)
        assert await wrong(desk, "place", "plates")
        await sent(desk, "place", plates=f"{journeys.plate} {journeys.friend}")
        assert "within a year" in await wrong(desk, "place", "to")
        await sound(desk)
        await sent_twice(desk, "place", to=minute(now))
        done = desk.page.locator(".done")
        assert "It covers 24 reads now." in await done.inner_text()
        assert await done.locator(".receipt").count() == 2
        await picture(desk.page, "coordinator-holds")
        await sound(desk)
        (held,) = await _holds(world, reason)
        assert (held.plate_count, held.matching_reads, held.case_number) == (2, 24, "26-0001")

        card = desk.page.locator("article", has_text=reason)
        key = str(await card.locator("form").get_attribute("id")).removeprefix("form-")
        await sent_twice(desk, key, reason=HOSTILE)
        assert "The hold is released." in await done.inner_text()
        assert "released" in await card.locator(".standing").inner_text()
        assert journeys.plate not in await desk.page.content()
    (released,) = await _holds(world, reason)
    assert released.HasField("release_time")
