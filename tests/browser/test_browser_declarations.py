"""Agencies of other states on the statewide coordinator's pages: registered, declared for, and no more."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from tests.support.access_stack import World
from tests.support.browser import Consoles, picture
from tests.support.browser_coordinator import (
    HEAD,
    HOSTILE,
    asked,
    fill,
    form,
    minute,
    paper,
    said,
    sent,
    sent_twice,
    sound,
    wrong,
)
from tests.support.browser_keys import reach

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(300)]


@pytest.mark.clause("IV.B.3")
async def test_an_agency_of_another_state_is_registered_declares_and_is_ended(
    consoles: Consoles, world: World
) -> None:
    ori, name = f"IN{uuid4().hex[:7].upper()}", f"{HOSTILE} {uuid4().hex[:6]}"
    now = datetime.now(UTC)
    async with consoles.at(HEAD, "/coordinator/agreements", timezone_id="UTC") as desk:
        await sent(desk, "register", ori="IN1", name=name, email_domains=f"{ori.lower()}.in.gov")
        assert await wrong(desk, "register", "ori")
        await sent_twice(desk, "register", ori=ori)
        assert await said(desk) == "The agency is registered."

        await desk.open("/coordinator/declarations")
        await fill(desk, "record", agency_ori=ori, signed_by=HOSTILE, office="x", sign_time="2026-01-02")
        await paper(desk, "record", "document")
        await sent(desk, "record", end_time=minute(now + timedelta(days=99)))
        asks = form(desk, "record").get_by_role("group", name="The document affirms that reads are not used")
        said_of_uses = str(await asks.get_attribute("aria-describedby"))
        assert await desk.page.locator(f"[id='{said_of_uses}']").inner_text()
        for use in await asks.get_by_role("checkbox").all():
            await reach(desk, use)
            await desk.page.keyboard.press("Space")
        await sound(desk)
        uses = await asks.get_by_role("checkbox").evaluate_all("all => all.map((one) => one.value)")
        await sent_twice(desk, "record")
        assert "is on record" in await said(desk)
        card = desk.page.locator("article", has_text=name)
        assert "in force" in await card.inner_text()
        await picture(desk.page, "coordinator-declarations")
        await sound(desk)

        key = str(await card.locator("form").get_attribute("id")).removeprefix("form-")
        await sent_twice(desk, key, reason=HOSTILE)
        assert "ended" in await card.locator(".standing").inner_text()
    listed = (await asked(world, HEAD, "ListDeclarations", page_size=500)).declarations
    (declared,) = [one for one in listed if one.agency_ori == ori]
    assert (sorted(declared.excluded_uses), declared.in_force) == (sorted(uses), False)
