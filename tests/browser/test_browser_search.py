"""The search in the browser: why first, then the question; the answer in its shapes; one read."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import pytest_asyncio
from playwright.async_api import Page

from alpr.type.v1.read_pb2 import Read
from services.audit import verifier
from services.cli.audit import verifier_key
from services.cli.demo.cast import AGENCY_ORI
from tests.support.access_stack import World
from tests.support.browser import PHONE, Consoles, barriers, picture
from tests.support.browser_people import new_person
from tests.support.browser_photographs import photographed
from tests.support.browser_questions import HOSTILE, PURPOSE, give_reasons, send, stands_on_record
from tests.support.browser_reads import archive_of, new_plate
from tests.support.search_analysis import at, passage, store
from tests.support.search_motor_carrier import scale_read

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(300)]

CHICAGO = ZoneInfo("America/Chicago")
PICKED = """(id) => document.querySelector(".map").dispatchEvent(
    new CustomEvent("map:pick", { bubbles: true, detail: { id } }))"""
ZONE: dict[str, Any] = {"timezone_id": CHICAGO.key}


@dataclass(frozen=True)
class Material:
    """Who asks, a read with pictures, and a plate with seven reads by three cameras of a road."""

    officer: str
    photographed: Read
    plate: str


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def material(world: World, folder: Path) -> AsyncIterator[Material]:
    plate, road = new_plate(), 500
    # Seven days ago and before, at 02:30 UTC: the evening before in Chicago, in summer and in winter.
    reads = [passage(plate, at(7 + n, 2, 30), road, n % 3, agency=AGENCY_ORI) for n in range(7)]
    reads[0].read.place.description = HOSTILE
    await store(archive_of(world), reads)
    made = Material(await new_person(folder, "user"), await photographed(world), plate)
    yield made


async def reads_of(page: Page) -> list[str]:
    """The plates of the list."""
    return await page.locator("#list tbody button.plate").all_inner_texts()


async def fits(page: Page) -> bool:
    """Whether the page is no wider than the screen."""
    return bool(await page.evaluate("document.documentElement.scrollWidth <= innerWidth"))


@pytest.mark.clause("IV.C.5", "IV.C.6", "IV.C.3", "III.B.3.r")
async def test_an_officer_reads_what_is_missing_says_it_and_gets_the_read_with_its_pictures(
    consoles: Consoles, material: Material
) -> None:
    async with consoles.at(material.officer, "/search", **ZONE) as desk:
        page, plate = desk.page, material.photographed.plate
        await page.fill("[name=plate]", plate)
        await send(page, "Ask")
        refusal = page.locator(".refusal")
        assert "case number is required" in await refusal.inner_text()
        await refusal.get_by_role("link", name="Kind of case number").click()
        assert await page.get_attribute(":focus", "id") == "f-case_number_kind"
        assert await page.get_attribute(":focus", "aria-invalid") == "true"
        assert "Choose the kind of case number" in await page.inner_text("#d-case_number_kind")
        assert await page.input_value("[name=plate]") == plate
        await picture(page, "search-refused")
        assert await barriers(page) == []

        await give_reasons(page)
        await send(page, "Ask")
        assert await reads_of(page) == [plate]
        assert await stands_on_record(page)
        assert PURPOSE in await page.inner_text(".why")
        assert (page.url, await page.title()) == (f"{consoles.url}/search", "Search")
        assert await page.evaluate("localStorage.length + sessionStorage.length") == 0
        await picture(page, "search-one")

        async with desk.context.expect_page() as opened:
            await page.click("#list button.plate")
        read = await opened.value
        await read.wait_for_load_state()
        assert await read.inner_text(".plate.big") == plate
        widths = await read.evaluate("[...document.images].map((one) => one.naturalWidth)")
        assert len(widths) == 2
        assert all(widths)
        assert await stands_on_record(read, "Question", "Answer")
        assert (read.url, await read.title()) == (f"{consoles.url}/search/read", "Read")
        await picture(read, "search-read")
        assert await barriers(read) == []
        desk.check_quiet()


@pytest.mark.clause("IV.C.3", "III.B.3.r")
async def test_reads_of_a_place_come_page_by_page_with_timeline_week_and_map_also_on_a_phone(
    consoles: Consoles, material: Material
) -> None:
    async with consoles.at(material.officer, "/search", PHONE, color_scheme="dark", **ZONE) as desk:
        page = desk.page
        await give_reasons(page, purpose=f"{PURPOSE} {HOSTILE}")
        # Later than the fifth read, as Chicago's clocks say it; as UTC's it would be earlier.
        await page.fill("[name=from]", f"{at(11, 4).astimezone(CHICAGO):%Y-%m-%dT%H:%M}")
        await page.click("summary:has-text('Where')")
        await page.fill("[name=around]", "41.0, 162.0")
        await page.fill("[name=radius]", "20000")
        await page.fill("[name=plate]", f"{material.plate[:3]}*{material.plate[-2:]}")
        await page.click("summary:has-text('Whose reads')")
        await page.fill("[name=page_size]", "3")
        await picture(page, "search-form-phone-dark")
        assert await barriers(page) == []
        assert await fits(page)
        await send(page, "Ask")

        assert await reads_of(page) == 3 * [material.plate]
        assert HOSTILE in await page.inner_text(".why")
        assert HOSTILE in await page.locator("#list tbody tr").first.inner_text()
        assert await stands_on_record(page)
        days = await page.locator(".days tbody th").all_inner_texts()
        assert len(days) == 3
        week = page.locator("table.week tbody tr")
        counts = [
            await week.locator("td").nth(24 * n + hour).inner_text() for n in range(7) for hour in (20, 21)
        ]
        assert sum(int(one or 0) for one in counts) == 3  # half past two in UTC, in Chicago
        assert "America/Chicago" in await page.inner_text("table.week caption")
        points = json.loads(await page.inner_text("#places"))
        assert len(points) == 3
        assert material.plate not in str(points)
        read_id = points[1]["id"]
        await page.evaluate(PICKED, read_id)
        assert await page.evaluate("document.activeElement.value") == read_id
        await picture(page, "search-answer-phone-dark")
        assert await barriers(page) == []
        assert await fits(page)

        await send(page, "Earlier reads")
        assert await reads_of(page) == [material.plate]
        assert await page.get_by_role("button", name="Earlier reads").count() == 0
        assert await stands_on_record(page)
        desk.check_quiet()


@pytest.mark.clause("IV.E.2")
async def test_a_receipt_of_the_page_holds_before_the_offline_verifier_and_a_repeated_form_is_one_act(
    consoles: Consoles, material: Material, folder: Path, tmp_path: Path
) -> None:
    async with consoles.at(material.officer, "/search") as desk:
        page = desk.page
        await give_reasons(page)
        await page.fill("[name=plate]", material.plate)
        await send(page, "Ask")
        question = await page.locator(".receipt").first.inner_text()
        await page.reload()
        assert await page.locator(".receipt").first.inner_text() == question
        async with page.expect_download() as begun:
            await page.locator(".receipt button").first.click()
        download = await begun.value
        assert download.suggested_filename.startswith("receipt-")
        receipt, key = tmp_path / "receipt.json", tmp_path / "key"
        await download.save_as(receipt)
        key.write_text(verifier_key(folder), encoding="ascii")
        opened = {one["name"]: one["value"] for one in json.loads(receipt.read_text("utf-8"))["fields"]}
        assert opened["case_number"] == "26-0001"
        assert verifier.main(["--public-key", str(key), "--receipt", str(receipt)]) == 0


@pytest.mark.clause("IV.C.3")
async def test_the_search_works_without_a_script_with_an_area_that_is_typed(
    consoles: Consoles, material: Material
) -> None:
    async with consoles.at(material.officer, "/search", java_script_enabled=False) as desk:
        page = desk.page
        await give_reasons(page)
        for summary in ("Where", "Or an area"):
            await page.click(f"summary:has-text('{summary}')")
        await page.fill("[name=area]", "40.9,161.9 41.2,161.9 41.2,162.1 40.9,162.1")
        await page.fill("[name=plate]", material.plate)
        await page.fill("[name=to]", f"{at(9, 12):%Y-%m-%dT%H:%M}")
        await send(page, "Ask")
        assert await reads_of(page) == 5 * [material.plate]
        assert await page.locator(".days tbody tr").count() == 5
        assert "UTC" in await page.inner_text("table.week caption")
        for number in range(2):
            async with desk.context.expect_page() as opened:
                await page.locator("#list button.plate").nth(number).click()
            read = await opened.value
            await read.wait_for_load_state()
            assert f"road-500-camera-{(2 + number) % 3}" in await read.inner_text(".facts")
            assert "picture is not shown" in await read.inner_text("main")  # there is none in the store
            assert await read.get_by_role("button", name="Ask again").count() == 1


async def test_what_cannot_be_asked_is_said_at_the_fields_of_the_form(
    consoles: Consoles, material: Material
) -> None:
    async with consoles.at(material.officer, "/search") as desk:
        page = desk.page
        await give_reasons(page)
        await page.fill("[name=plate]", HOSTILE[:20])
        await page.click("summary:has-text('Where')")
        await page.fill("[name=around]", HOSTILE)
        await page.click("summary:has-text('Whose reads')")
        await page.fill("[name=state]", "1!")
        await send(page, "Ask")
        assert await page.get_attribute("[name=around]", "aria-invalid") == "true"
        await page.fill("[name=around]", "")
        await send(page, "Ask")
        for name in ("plate", "state"):
            assert await page.get_attribute(f"[name={name}]", "aria-invalid") == "true"
        assert await page.input_value("[name=plate]") == HOSTILE[:20]
        assert await barriers(page) == []
        desk.check_quiet()


@pytest.mark.clause("II.H", "III.E.4")
async def test_motor_carrier_reads_are_asked_for_apart_and_by_their_officers_alone(
    consoles: Consoles, material: Material, world: World, folder: Path
) -> None:
    plate = new_plate()
    await store(archive_of(world), [scale_read(plate, agency=AGENCY_ORI)])
    async with consoles.at(material.officer, "/search") as desk:
        assert await desk.page.locator("[name=data_set]").count() == 0
    async with consoles.at(await new_person(folder, "cveo"), "/search") as desk:
        page = desk.page
        await give_reasons(page)
        await page.select_option("[name=data_set]", label="Motor Carrier Safety")
        await page.fill("[name=plate]", plate)
        await page.click("summary:has-text('Whose reads')")
        await page.fill("[name=state]", "IL")
        await send(page, "Ask")
        assert "found by plate, sensor and time alone" in await page.inner_text("#d-state")
        await page.fill("[name=state]", "")
        await send(page, "Ask")
        assert await reads_of(page) == [plate]
        assert await stands_on_record(page)
        await page.get_by_role("link", name="Ask anew").click()
        await page.select_option("select[name=data_set]", "")
        await send(page, "Ask")
        assert await page.locator(".refusal").count() == 1  # no user of the general system
        assert await page.locator("#list").count() == 0


async def test_nothing_of_a_read_has_an_address(consoles: Consoles, material: Material) -> None:
    async with consoles.at(material.officer, "/search") as desk:
        await desk.open("/search/read")
        assert desk.page.url == f"{consoles.url}/search"


@pytest.mark.clause("IV.C.5")
async def test_a_read_is_found_by_its_id_and_needs_its_case_number_too(
    consoles: Consoles, material: Material
) -> None:
    async with consoles.at(material.officer, "/search") as desk:
        page = desk.page
        await page.click("summary:has-text('by its id')")
        await page.fill("[name=read_id]", material.photographed.read_id)
        for reasons in (False, True):
            if reasons:
                await give_reasons(page)
            async with desk.context.expect_page() as opened:
                await page.get_by_role("button", name="Show this read").click()
            read = await opened.value
            await read.wait_for_load_state()
            assert await read.locator("img").count() == 2 * reasons
            assert await read.locator(".refusal").count() == 1 - reasons
        await picture(read, "search-read-by-id")
