"""What a person chooses to hear of: made, refused, changed and ended at the console; boards follow."""

import pytest
from playwright.async_api import Locator, Page, expect

from alpr.type.v1 import hit_pb2
from tests.support.access_stack import World
from tests.support.alert_pages import Staff
from tests.support.browser import PHONE, Consoles, barriers, picture
from tests.support.browser_alerts import hit, raised
from tests.support.browser_auditor import press

pytestmark = pytest.mark.asyncio(loop_scope="session")
expect.set_options(timeout=20_000)
_NAME = 'Nights "><script>document.title = 1</script>'


def _card(page: Page) -> Locator:
    return page.locator("section.card", has_text=_NAME)


@pytest.mark.clause("IV.D.1", "IV.D.2")
async def test_what_a_person_hears_of_is_chosen_and_changed_and_the_board_follows(
    world: World, people: Staff, consoles: Consoles
) -> None:
    async with consoles.at(people.officer.subject, "/board") as desk:
        page = desk.page
        await press(page.get_by_role("link", name="What you hear of"))
        assert "everything that your agency gets comes to you" in await page.inner_text("main")

        await _is_refused_at_its_field(page)
        await page.fill("#f-hours", "mon-sun 00:00-00:00")
        await page.get_by_role("button", name="Hear of this").dblclick()
        await expect(_card(page)).to_have_count(1)
        await expect(_card(page)).to_contain_text("about wanted")
        await expect(_card(page)).to_contain_text("only mon,tue,wed,thu,fri,sat,sun 00:00-00:00")
        await expect(_card(page)).to_contain_text("Not of what always comes: what it is about, hours.")
        await picture(page, "subscriptions")
        assert await barriers(page) == []

        await _is_what_the_board_shows(world, page)
        await desk.open("/alerts/subscriptions")
        await _card(page).get_by_role("link", name="Change it").click()
        await expect(page.get_by_label("wanted", exact=True)).to_be_checked()
        await expect(page.locator("#f-hours")).to_have_value("mon,tue,wed,thu,fri,sat,sun 00:00-00:00 UTC")
        await page.set_viewport_size(dict(PHONE))  # type: ignore[arg-type]
        assert await page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
        await picture(page, "subscription-phone")
        assert await barriers(page) == []
        await page.get_by_label("missing", exact=True).check()
        await page.get_by_role("button", name="Change it").click()
        await expect(_card(page)).to_contain_text("about wanted or missing")
        await _card(page).get_by_role("button", name="End it").click()
        await expect(_card(page)).to_have_count(0)
        desk.check_quiet()


async def _is_refused_at_its_field(page: Page) -> None:
    """What cannot be read is told where it stands, and all that was written stays."""
    await page.fill("#f-name", _NAME)
    await page.get_by_label("wanted", exact=True).check()
    await page.get_by_text("When", exact=True).click()
    await page.fill("#f-hours", "noon")
    await page.get_by_role("button", name="Hear of this").click()
    await expect(page.locator("#f-hours")).to_have_attribute("aria-invalid", "true")
    await expect(page.locator("#f-hours")).to_have_value("noon")
    await expect(page.locator("#f-name")).to_have_value(_NAME)
    await expect(page.get_by_label("wanted", exact=True)).to_be_checked()
    assert await barriers(page) == []


async def _is_what_the_board_shows(world: World, page: Page) -> None:
    """What was chosen comes and what always comes; nothing else does."""
    await page.get_by_role("link", name="Alerts").first.click()
    await expect(page.locator("#link")).to_have_text("Live")
    others, wanted, stolen = await raised(
        world,
        hit(category=hit_pb2.HOT_LIST_CATEGORY_SUSPENDED),
        hit(category=hit_pb2.HOT_LIST_CATEGORY_WANTED),
        hit(category=hit_pb2.HOT_LIST_CATEGORY_STOLEN_VEHICLE),
    )
    for one in (wanted, stolen):
        await expect(page.locator(f"#row-{one}")).to_be_visible()
    assert await page.locator(f"#row-{others}").count() == 0
