"""Patrol cars at the console: a crew hears of alerts by itself, and its centre sees what it saw."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import expect

from alpr.alerts.v1 import dispatch_service_pb2 as pb
from tests.support.access_stack import UNIT, World
from tests.support.alert_pages import Staff, asked, car, new_id, pictured
from tests.support.browser import PHONE, Consoles, Desk, barriers, picture
from tests.support.browser_alerts import plate, raised
from tests.support.browser_auditor import press
from tests.support.browser_questions import send

pytestmark = pytest.mark.asyncio(loop_scope="session")
expect.set_options(timeout=20_000)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def crew(people: Staff, consoles: Consoles) -> AsyncIterator[Desk]:
    """The officer's phone."""
    place = {"latitude": 41.8815, "longitude": -87.6322}
    async with consoles.at(
        people.officer.subject, "/patrol", PHONE, geolocation=place, permissions=["geolocation"]
    ) as desk:
        yield desk
        desk.check_quiet()


async def _broadcast(world: World, people: Staff, alert_id: str, asset_id: str) -> None:
    request = pb.BroadcastRequest(request_id=new_id(), alert_id=alert_id, asset_ids=[asset_id])
    await asked(world, people.centre, "Broadcast", request)


async def _records(world: World, people: Staff, alert_id: str) -> Any:
    request = pb.ListDeliveriesRequest(request_id=new_id(), alert_id=alert_id)
    return (await asked(world, people.centre, "ListDeliveries", request)).deliveries


async def _until_received(world: World, people: Staff, alert_id: str) -> None:
    async with asyncio.timeout(20):
        while not (await _records(world, people, alert_id))[0].HasField("receive_time"):  # noqa: ASYNC110
            await asyncio.sleep(0.2)


@pytest.mark.clause("IV.D.3")
async def test_a_crew_hears_of_an_alert_by_itself_and_its_centre_sees_that_it_was_received_and_seen(
    world: World, people: Staff, crew: Desk
) -> None:
    page, sign = crew.page, f"P-{new_id()[:6].upper()}"
    assert "aboard of no patrol car" in await page.inner_text("main")
    async with car(world, people, sign) as asset_id:
        await page.fill("#f-aboard-call_sign", sign)
        await page.get_by_role("button", name="Go aboard").click()
        await expect(page.locator("#link")).to_contain_text("Live")
        (alert_id,) = await raised(world, pictured(plate()))

        await _broadcast(world, people, alert_id, asset_id)

        message = page.locator("[data-message]")
        await expect(message).to_have_count(1)
        await expect(message.locator(".standing")).to_contain_text("UNVERIFIED")
        await picture(page, "patrol-phone")
        assert await barriers(page) == []
        await _until_received(world, people, alert_id)
        await message.get_by_role("button", name="I have seen it").click()
        await expect(page.locator("#messages")).to_contain_text("Nothing waits.")
        assert (await _records(world, people, alert_id))[0].HasField("seen_time")

        cancel = pb.CancelBroadcastRequest(request_id=new_id(), alert_id=alert_id)
        await asked(world, people.centre, "CancelBroadcast", cancel)
        await expect(page.locator("[data-message] h3")).to_contain_text("STAND DOWN")
        await press(page.get_by_role("link", name="Open the alert"))
        assert page.url.endswith(f"/alerts/{alert_id}")


@pytest.mark.clause("IV.D.3")
async def test_a_crew_says_where_it_is_and_leaves_its_car(world: World, people: Staff, crew: Desk) -> None:
    page = crew.page
    async with car(world, people, f"Q-{new_id()[:6].upper()}"):
        await crew.open("/patrol")
        await send(page, "Use this device's position")
        await expect(page.locator(".refusal")).to_have_count(0)
        await page.fill("#f-latitude", "141")
        await page.fill("#f-longitude", "-87.6")
        await page.get_by_role("button", name="Say where you are").click()
        await expect(page.locator("#f-latitude")).to_have_attribute("aria-invalid", "true")
        await expect(page.locator("#f-latitude")).to_have_value("141")
        await page.get_by_role("button", name="Leave the car").click()
        await expect(page.locator("#messages")).to_contain_text("aboard of no patrol car")


async def test_a_centre_registers_a_car_and_takes_it_out_of_use(people: Staff, consoles: Consoles) -> None:
    sign = f"R-{new_id()[:6].upper()}"
    async with consoles.at(people.centre.subject, "/patrol") as desk:
        page = desk.page
        await page.fill("#f-new-unit", UNIT)
        await page.fill("#f-new-call_sign", '"><script>alert(1)</script>')
        await page.get_by_role("button", name="Register it").click()
        await expect(page.locator("#f-new-call_sign")).to_have_attribute("aria-invalid", "true")
        await page.fill("#f-new-call_sign", sign)
        await page.get_by_role("button", name="Register it").click()
        row = page.locator("tbody tr", has_text=sign)
        await expect(row).to_be_visible()
        await picture(page, "patrol-centre")
        assert await barriers(page) == []
        await row.get_by_role("button").click()
        await expect(row).to_have_count(0)
        desk.check_quiet()
