"""What a coordinator does when something goes wrong: incidents, and requests for support."""

from uuid import uuid4

import pytest

from tests.support.access_stack import World
from tests.support.browser import PHONE, Consoles, picture
from tests.support.browser_coordinator import (
    HOSTILE,
    asked,
    form,
    said,
    sent,
    sent_twice,
    sound,
    wrong,
)

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(300)]

_WHO = "the-work-unit-coordinator"


@pytest.mark.clause("III.B.3.c")
async def test_an_incident_says_whom_to_tell_at_once_and_is_closed_only_when_that_was_done(
    consoles: Consoles, world: World
) -> None:
    summary = f"{HOSTILE} {uuid4().hex}"
    async with consoles.at(_WHO, "/coordinator/incidents") as desk:
        await sent(desk, "open", kind="1", summary="too short")
        assert "10 characters" in await wrong(desk, "open", "summary")
        await sent_twice(desk, "open", summary=summary)
        told = desk.page.get_by_role("region", name="Tell now")
        assert "stops the clock" in await told.inner_text()
        assert await told.get_by_role("link").count() >= 1
        await picture(desk.page, "coordinator-incidents")
        await sound(desk)
        card = desk.page.locator("article", has_text=summary)
        assert await card.count() == 1
        tell, close = [
            str(await card.locator(f"form[action*='/{act}']").get_attribute("id")).removeprefix("form-")
            for act in ("tell", "close")
        ]
        await sent(desk, close, finding="nothing was taken")
        assert "coordinator" in await form(desk, close).locator(".refusal").inner_text()
        await sent_twice(desk, tell, recipient="1", name=HOSTILE, way="by telephone")
        assert "was told after" in await card.inner_text()
        await desk.open("/coordinator")
        assert await desk.page.get_by_role("heading", name="Incidents that are open").count() == 1
        await desk.open("/coordinator/incidents")
        await sent_twice(desk, close, finding="nothing was taken")
        assert await said(desk) == "The incident is closed."
        await sound(desk)
    kept = (await asked(world, _WHO, "ListIncidents", page_size=200)).incidents
    (mine,) = [one for one in kept if one.summary == summary]
    assert (len(mine.notices), mine.overdue, mine.HasField("close_time")) == (1, False, True)


@pytest.mark.clause("IV.F.1", "IV.F.2")
async def test_support_is_asked_for_by_a_coordinator_who_is_told_where(
    consoles: Consoles, world: World
) -> None:
    details = f"{HOSTILE} {uuid4().hex}"
    async with consoles.at(_WHO, "/coordinator/support", PHONE, color_scheme="dark") as desk:
        assert "@" in await desk.page.inner_text("main")
        await sent(desk, "ask", category="1", details="too short")
        assert "10 characters" in await wrong(desk, "ask", "details")
        await sent_twice(desk, "ask", details=details)
        card = desk.page.locator("article", has_text=details)
        assert await card.count() == 1
        await picture(desk.page, "coordinator-support-phone-dark")
        await sound(desk)
        key = str(await card.locator("form").get_attribute("id")).removeprefix("form-")
        await sent_twice(desk, key, resolution=HOSTILE)
        assert await said(desk) == "The request is closed."
        await sound(desk)
    kept = (await asked(world, _WHO, "ListSupport", page_size=200)).support_requests
    assert [one.resolution for one in kept if one.details == details] == [HOSTILE]
