"""Reports and evidence packages in the browser: made on record, whole, and saved under a safe name."""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Download, Page

from alpr.type.v1.read_pb2 import Read
from tests.support.access_stack import World
from tests.support.browser import PHONE, Consoles, barriers, picture
from tests.support.browser_people import new_person
from tests.support.browser_photographs import photographed
from tests.support.browser_questions import HOSTILE, give_reasons, send, stands_on_record

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(300)]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def read(world: World) -> AsyncIterator[Read]:
    yield await photographed(world)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def officer(world: World, folder: Path) -> str:
    return await new_person(folder, "user")


async def saved(page: Page) -> tuple[str, bytes]:
    """Name and bytes of the file that the page offers, once it has found it whole."""
    async with page.expect_download() as waited:
        await page.click("#save")
    return await content_of(await waited.value)


async def content_of(download: Download) -> tuple[str, bytes]:
    """Name and bytes of a download."""
    path = await download.path()
    return download.suggested_filename, await asyncio.to_thread(path.read_bytes)


async def said(page: Page, name: str) -> str:
    """What the page says of its file."""
    return await page.locator(f"dt:text-is('{name}') + dd").inner_text()


@pytest.mark.clause("III.B.3.m", "IV.C.3", "IV.C.5", "III.B.3.r")
async def test_the_reads_of_an_answer_become_a_report_that_is_the_recorded_one(
    consoles: Consoles, officer: str, read: Read
) -> None:
    async with consoles.at(officer, "/search") as desk:
        page = desk.page
        await give_reasons(page)
        await page.fill("[name=plate]", read.plate)
        await send(page, "Ask")
        await send(page, "Report on these reads")
        assert await page.input_value("#f-case_number") == "26-0001"
        await page.fill("[name=caption]", HOSTILE)
        await picture(page, "report-form")
        assert await barriers(page) == []
        await send(page, "Make the file")

        name, content = await saved(page)
        assert name.startswith("report-") and name.endswith(".pdf")
        assert content.startswith(b"%PDF")
        assert await said(page, "SHA-256") == hashlib.sha256(content).hexdigest()
        assert await stands_on_record(page, "Departure")
        await picture(page, "report")
        assert await barriers(page) == []
        assert page.url == f"{consoles.url}/search/report"
        desk.check_quiet()


@pytest.mark.clause("III.B.3.m", "IV.B.1", "IV.B.2", "IV.B.3")
async def test_what_a_recipient_lacks_is_said_at_its_field_and_what_was_written_stays(
    consoles: Consoles, officer: str, read: Read
) -> None:
    async with consoles.at(officer, "/search/report", PHONE, color_scheme="dark") as desk:
        page = desk.page
        await give_reasons(page)
        await page.fill("[name=plate]", read.plate)
        await page.select_option("[name=recipient_kind]", label="The public")
        await send(page, "Make the file")

        assert await page.get_attribute("[name=legal_basis]", "aria-invalid") == "true"
        assert await page.input_value("#f-plate") == read.plate
        await picture(page, "report-refused-phone-dark")
        assert await barriers(page) == []

        await page.select_option("[name=recipient_kind]", label="A report-writing or evidence system")
        await page.fill("[name=organisation]", HOSTILE)
        await page.fill("[name=recipient_report_number]", "R-26-7")
        await page.get_by_label("Plates and issuing states").fill("personal privacy, section 7(1)(c)")
        await page.select_option("[name=format]", label="Table (CSV)")
        await send(page, "Make the file")
        _name, content = await saved(page)
        assert read.plate.encode() not in content
        desk.check_quiet()


@pytest.mark.clause("III.B.3.m")
async def test_a_browser_that_runs_no_scripts_gets_the_file_by_itself(
    consoles: Consoles, officer: str, read: Read
) -> None:
    async with consoles.at(officer, "/search/report", java_script_enabled=False) as desk:
        page = desk.page
        await give_reasons(page)
        await page.fill("[name=plate]", read.plate)
        await page.select_option("[name=format]", label="Map data (GeoJSON)")
        async with page.expect_download() as waited:
            await page.get_by_role("button", name="Make the file").click()
        name, content = await content_of(await waited.value)
        assert name.endswith(".geojson")
        assert json.loads(content)["type"] == "FeatureCollection"


@pytest.mark.clause("III.D.5", "III.B.3.m", "III.B.3.r")
async def test_an_evidence_package_is_made_listed_and_had_again(
    consoles: Consoles, officer: str, read: Read
) -> None:
    async with consoles.at(officer, "/search/evidence") as desk:
        page = desk.page
        await give_reasons(page)
        await page.fill("[name=read_id]", read.read_id)
        await page.fill("[name=report_number]", f"R-{read.read_id[-8:]}")
        await page.fill("[name=evidence_system]", HOSTILE)
        assert await barriers(page) == []
        await send(page, "Make the file")
        name, content = await saved(page)
        package = await said(page, "Package")
        assert name == f"evidence-{package}.zip"
        assert "manifest.json" in zipfile.ZipFile(io.BytesIO(content)).namelist()
        assert await stands_on_record(page, "Departure")
        await picture(page, "evidence")

        await desk.open("/search/packages")
        await page.fill("[name=report_number]", f"R-{read.read_id[-8:]}")
        await send(page, "Show")
        assert await page.locator("table.rows tbody tr").count() == 1
        assert HOSTILE in await page.inner_text("table.rows")
        await picture(page, "packages")
        assert await barriers(page) == []
        await send(page, f"Package {package} again")
        await give_reasons(page)
        await send(page, "Make the file")
        _name, again = await saved(page)
        assert hashlib.sha256(again).hexdigest() == hashlib.sha256(content).hexdigest()
        desk.check_quiet()


@pytest.mark.clause("III.B.3.m", "III.B.3.n")
async def test_the_register_names_what_left_and_its_deletion_is_written_down(
    consoles: Consoles, officer: str, read: Read
) -> None:
    async with consoles.at(officer, "/search/report", PHONE) as desk:
        page = desk.page
        await give_reasons(page)
        await page.fill("[name=plate]", read.plate)
        await page.select_option("[name=recipient_kind]", label="A report-writing or evidence system")
        await page.get_by_text("Somebody else gets it").click()
        await page.fill("[name=organisation]", HOSTILE)
        await page.fill("[name=recipient_report_number]", "R-26-8")
        await page.select_option("[name=format]", label="Table (CSV)")
        await send(page, "Make the file")
        entry = await said(page, "Registered as")

        await send(page, "What left")
        card = page.locator(f"#e-{entry}")
        assert HOSTILE in await card.inner_text()
        await card.get_by_text("It was deleted", exact=True).click()
        await card.locator("[name=statement]").fill("no")
        async with page.expect_navigation():
            await card.get_by_role("button", name="Write down that it was deleted").click()
        assert await card.locator("[name=statement]").get_attribute("aria-invalid") == "true"
        await picture(page, "register-phone")
        assert await barriers(page) == []
        await card.locator("[name=statement]").fill("the records office, by overwriting it")
        async with page.expect_navigation():
            await card.get_by_role("button", name="Write down that it was deleted").click()
        assert page.url == f"{consoles.url}/search/register#main"
        assert "Deleted" in await card.inner_text()
        desk.check_quiet()


@pytest.mark.clause("III.B.3.m", "IV.B.2")
async def test_a_file_is_handed_on_once_that_is_written_down(
    consoles: Consoles, officer: str, read: Read
) -> None:
    async with consoles.at(officer, "/search/report") as desk:
        page = desk.page
        await give_reasons(page)
        await page.fill("[name=plate]", read.plate)
        await page.select_option("[name=format]", label="Table (CSV)")
        await send(page, "Make the file")
        entry = await said(page, "Registered as")
        await send(page, "What left")
        async with page.expect_navigation():
            await page.locator(f"#e-{entry}").get_by_role("button", name="Hand it on").click()
        await page.fill("[name=agency_ori]", "IL0160000")
        await page.fill("[name=organisation]", HOSTILE)
        await page.fill("[name=recipient_person]", "A detective")
        await page.fill("[name=recipient_purpose]", "homicide investigation, the same car")
        await picture(page, "hand-on")
        assert await barriers(page) == []
        await send(page, "Write it down")
        assert "It may be handed over" in await page.inner_text("main")
        desk.check_quiet()


@pytest.mark.clause("III.B.3.n")
async def test_who_got_a_read_that_was_wrong_is_told(consoles: Consoles, officer: str, read: Read) -> None:
    async with consoles.at(officer, "/search/evidence") as desk:
        page = desk.page
        await give_reasons(page)
        await page.fill("[name=read_id]", read.read_id)
        await page.fill("[name=report_number]", "R-26-9")
        await page.fill("[name=evidence_system]", HOSTILE)
        await send(page, "Make the file")

        await desk.open("/search/correction")
        await give_reasons(page)
        await page.fill("[name=read_id]", read.read_id)
        await page.fill("#f-statement", "one character was another one")
        assert await barriers(page) == []
        await send(page, "Write it down")
        await page.get_by_role("link", name="what left").click()
        notice = page.locator("article", has=page.get_by_label("Whom you told")).filter(has_text=HOSTILE)
        assert "corrected" in await notice.first.inner_text()
        count = await notice.count()
        await notice.first.get_by_label("Whom you told").fill("the detective, by telephone")
        await picture(page, "register")
        assert await barriers(page) == []
        async with page.expect_navigation():
            await notice.first.get_by_role("button", name="The recipient was told").click()
        assert await notice.count() == count - 1
        desk.check_quiet()
