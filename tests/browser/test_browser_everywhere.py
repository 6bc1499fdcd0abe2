"""Every page: read on the narrowest screen with wide spaces, worked by keys, printed sheet by sheet."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Page, expect
from pypdfium2 import PdfDocument

from alpr.type.v1.read_pb2 import Read
from services.cli.demo.cast import AGENCY_ORI
from tests.support.access_stack import World
from tests.support.browser import PHONE, Consoles, barriers, picture
from tests.support.browser_everywhere import REFLOWED, faults, pages_of
from tests.support.browser_people import new_person
from tests.support.browser_photographs import photographed
from tests.support.browser_questions import PURPOSE, give_reasons, send
from tests.support.browser_reads import archive_of, new_plate
from tests.support.search_analysis import at, passage, store

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(300)]

QUESTIONS = (
    *("/search", "/search/convoy", "/search/pattern", "/search/stakeout", "/search/compare"),
    *("/search/corridor", "/search/report", "/search/evidence", "/search/hand-on", "/search/correction"),
)
# What has the focus is said to be wrong, by itself or with the fields that it belongs to.
WRONG = """() => document.activeElement.matches("[aria-invalid=true]") ||
  document.activeElement.closest("fieldset").querySelector(".wrong") !== null"""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def officer(folder: Path) -> AsyncIterator[str]:
    yield await new_person(folder, "user")


async def focused(page: Page) -> str:
    """Id of what has the focus, or its class where it has no id."""
    return str(await page.evaluate("document.activeElement.id || document.activeElement.className"))


async def tab_to(page: Page, name: str) -> None:
    """Presses Tab until that element has the focus, as somebody without a mouse does."""
    for _ in range(60):
        await page.keyboard.press("Tab")
        if await focused(page) == name:
            return
    raise AssertionError(f"no key leads to {name}")


@pytest.mark.parametrize(
    ("role", "within", "one_of_them"),
    [
        ("work-unit-coordinator", ("/coordinator", "/alerts"), "/coordinator/people/new"),
        ("auditor", ("/auditor",), "/auditor/purges"),
        ("user", ("/",), "/search/register"),
    ],
    ids=["coordinator", "auditor", "officer"],
)
async def test_every_page_reflows_at_400_percent_with_spaced_text_and_lets_keys_past_its_head(
    consoles: Consoles, folder: Path, role: str, within: tuple[str, ...], one_of_them: str
) -> None:
    # A unit has one coordinator: another one would take the place of this one.
    subject = "the-work-unit-coordinator" if "coordinator" in role else await new_person(folder, role)
    wrong: dict[str, list[str]] = {}
    async with consoles.at(subject, "/", REFLOWED, color_scheme="dark") as desk:
        async for path in pages_of(desk, within):
            wrong[path] = await faults(desk.page) + await barriers(desk.page)
        desk.check_quiet()
    assert {path: found for path, found in wrong.items() if found} == {}
    assert one_of_them in wrong


@pytest.mark.clause("IV.C.5", "IV.C.6")
async def test_a_question_is_asked_and_its_read_opened_without_a_mouse_and_enter_asks(
    consoles: Consoles, officer: str, many: str
) -> None:
    async with consoles.at(officer, "/search") as desk:
        page = desk.page
        await page.keyboard.press("Tab")
        assert await focused(page) == "skip"
        await page.keyboard.press("Enter")
        await tab_to(page, "f-case_number_kind")
        await page.keyboard.type("CAD")
        await tab_to(page, "f-case_number")
        await page.keyboard.type("26-0001")
        await tab_to(page, "f-offence_code")
        await page.keyboard.type("Homicide")
        await tab_to(page, "f-purpose")
        await page.keyboard.type(PURPOSE)
        await tab_to(page, "f-plate")
        await page.keyboard.type(many)
        async with page.expect_navigation():
            await page.keyboard.press("Enter")

        assert "UNVERIFIED" in await page.inner_text(":focus")
        await tab_to(page, "plain plate")
        async with desk.context.expect_page() as opened:
            await page.keyboard.press("Enter")
        read = await opened.value
        await read.wait_for_load_state()
        assert await read.inner_text(".plate.big") == many
        assert "UNVERIFIED" in await read.inner_text(":focus")
        await read.close()

        await desk.open("/search")
        await page.click("summary:has-text('by its id')")
        await page.focus("[name=read_id]")
        async with desk.context.expect_page() as opened:
            await page.keyboard.press("Enter")  # there it is the read that is asked for
        read = await opened.value
        await read.wait_for_load_state()
        assert read.url == f"{consoles.url}/search/read"


async def test_a_refused_question_has_the_focus_on_what_was_refused_and_leads_to_each_field(
    consoles: Consoles, officer: str
) -> None:
    async with consoles.at(officer, "/", PHONE) as desk:
        page = desk.page
        for path in QUESTIONS:
            await desk.open(path)
            async with page.expect_navigation():
                await page.locator("form.question > button[name=ask]").last.click()
            # The browser gives the focus when it draws the page, which may be after it is there.
            await expect(page.locator(".refusal")).to_be_focused()
            links = page.locator(".refusal a[href^='#']")
            for number in range(await links.count()):
                link = links.nth(number)
                place = (await link.get_attribute("href") or "")[1:]
                await link.click()
                assert await focused(page) == place, path
                assert await page.evaluate(WRONG), path
        await desk.open("/hot-lists/local")
        await page.evaluate("document.querySelector('form[action$=local]').noValidate = true")
        await send(page, "Watch for it")
        await expect(page.locator(".refusal")).to_be_focused()


async def test_what_finds_nothing_says_what_to_doubt_before_it_is_taken_for_an_answer(
    consoles: Consoles, officer: str
) -> None:
    async with consoles.at(officer, "/search") as desk:
        page = desk.page
        await give_reasons(page)
        await page.fill("[name=plate]", new_plate())
        await page.click("summary:has-text('Where')")
        await page.fill("[name=around]", "-87.9, 41.97")
        await send(page, "Ask")
        said = await page.inner_text("main")
        for doubt in ("No read was found", "look-alikes", "latitude comes first", "no camera stands"):
            assert doubt in said
        await picture(page, "search-nothing")
        for name in ("Convoy", "Pattern"):
            await send(page, name)
            await page.fill("[name=plate]", new_plate())
            await send(page, "Ask")
            assert "was not read in this time" in await page.inner_text("main")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def many(world: World) -> AsyncIterator[str]:
    """A plate with reads for some sheets of paper."""
    plate = new_plate()
    reads = [passage(plate, at(3 + n % 20, n % 24, n % 60), 88, n % 3, agency=AGENCY_ORI) for n in range(60)]
    await store(archive_of(world), reads)
    yield plate


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def seen_once(world: World) -> AsyncIterator[Read]:
    yield await photographed(world)


async def sheets(page: Page, file: Path) -> list[str]:
    """The text of each sheet of the printed page."""
    await page.pdf(path=file, format="Letter")
    return [" ".join(one.get_textpage().get_text_range().split()) for one in PdfDocument(file)]


@pytest.mark.clause("III.B.3.r", "IV.E.2")
async def test_every_printed_sheet_of_an_answer_has_the_notice_and_the_receipts(
    consoles: Consoles, officer: str, many: str, seen_once: Read, tmp_path: Path
) -> None:
    async with consoles.at(officer, "/search") as desk:
        page = desk.page
        await give_reasons(page)
        await page.fill("[name=plate]", many)
        await send(page, "Ask")
        notice = await page.inner_text(".notice")
        receipts = [
            one.split(", ")[-1].split("\n")[0] for one in await page.locator(".receipt").all_inner_texts()
        ]
        printed = await sheets(page, tmp_path / "reads.pdf")
        assert len(printed) >= 3
        assert len(receipts) == 2
        for sheet in printed:
            assert notice.split(". ")[0] in sheet
            assert all(one in sheet for one in receipts)
        assert "Ask anew" not in " ".join(printed)

        await page.get_by_role("link", name="Ask anew").click()
        await page.fill("[name=plate]", seen_once.plate)
        await send(page, "Ask")
        async with desk.context.expect_page() as opened:
            await page.click("#list button.plate")
        read = await opened.value
        await read.wait_for_selector(".map[data-ready][data-ground]")
        for sheet in await sheets(read, tmp_path / "read.pdf"):
            assert "UNVERIFIED" in sheet
            assert sheet.count("Question: log entry") >= 2  # of the read and of its picture
