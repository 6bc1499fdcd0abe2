"""Convoy, pattern, stakeout and comparison in the browser: reasons first, then the answer with its record."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Page

from tests.support.access_stack import World
from tests.support.browser import PHONE, Consoles, barriers, picture
from tests.support.browser_reads import Journeys, travelled

pytestmark = pytest.mark.asyncio(loop_scope="session")

PURPOSE = "homicide investigation, victim's car seen leaving"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def journeys(world: World) -> AsyncIterator[Journeys]:
    yield await travelled(world)


async def give_reasons(page: Page, *, purpose: str = PURPOSE) -> None:
    """Fills in case number and purpose."""
    await page.select_option("[name=case_number_kind]", label="CAD")
    await page.fill("[name=case_number]", "26-0001")
    await page.select_option("[name=offence_code]", "HOMICIDE")
    await page.fill("[name=purpose]", purpose)


async def ask(page: Page) -> None:
    """Sends the form, and waits for its answer."""
    async with page.expect_navigation():
        await page.get_by_role("button", name="Ask", exact=True).click()


async def stands_on_record(page: Page) -> bool:
    """Whether the page has the notice and both receipts."""
    notice = await page.locator(".notice").inner_text()
    entries = await page.locator(".receipt").all_inner_texts()
    return notice.startswith("UNVERIFIED") and [one.split(":")[0] for one in entries] == [
        "Question",
        "Answer",
    ]


@pytest.mark.clause("IV.C.3", "IV.C.5", "IV.C.6", "III.B.3.r")
async def test_a_convoy_shows_the_companion_with_notice_and_receipts(
    consoles: Consoles, journeys: Journeys
) -> None:
    async with consoles.at("the-user", "/search/convoy") as desk:
        page = desk.page
        await picture(page, "convoy-form")
        assert await barriers(page) == []
        await give_reasons(page)
        await page.fill("[name=plate]", journeys.plate.lower())
        await ask(page)

        row = page.locator("table.rows tbody tr")
        assert await row.count() == 1
        assert journeys.friend in await row.inner_text()
        assert await stands_on_record(page)
        await picture(page, "convoy")
        assert await barriers(page) == []
        assert page.url == f"{consoles.url}/search/convoy"
        assert await page.title() == "Convoy"
        desk.check_quiet()


@pytest.mark.clause("IV.C.3", "III.B.3.r")
async def test_a_pattern_shows_places_and_a_week_of_hours_in_the_readers_zone_also_on_a_phone(
    consoles: Consoles, journeys: Journeys
) -> None:
    zone = {"timezone_id": "America/Chicago", "color_scheme": "dark"}
    async with consoles.at("the-user", "/search/pattern", PHONE, **zone) as desk:
        page = desk.page
        await give_reasons(page)
        await page.fill("[name=plate]", journeys.plate)
        await ask(page)

        assert await page.locator("table.rows tbody tr").count() == 4
        assert "America/Chicago" in await page.locator("table.week caption").inner_text()
        counts = await page.locator("table.week td").all_inner_texts()
        assert sum(int(one) for one in counts if re.fullmatch(r"\d+", one)) == 12
        assert await stands_on_record(page)
        await picture(page, "pattern-phone-dark")
        assert await barriers(page) == []
        desk.check_quiet()
