"""The log: asked by agency, and what it holds of who looks at it."""

from pathlib import Path

import pytest
from playwright.async_api import Page

from services.audit import verifier
from services.cli.demo import cast
from tests.support.access_stack import OTHER_ORI
from tests.support.browser import PHONE, Consoles, Desk, barriers, picture
from tests.support.browser_auditor import HOSTILE, Asked, new_case, press, stolen, taken
from tests.support.browser_people import new_person

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def looked_at(desk: Desk, name: str) -> None:
    """The page as a picture, without barriers and without what the policy of content forbids."""
    await picture(desk.page, name)
    assert await barriers(desk.page) == []
    desk.check_quiet()


async def column(page: Page, name: str) -> list[str]:
    """What the rows of the page have in the column."""
    return await page.locator(f"tbody td[data-name='{name}']").all_inner_texts()


@pytest.mark.clause("III.B.3.o", "III.B.3.f")
async def test_the_log_is_asked_by_the_agency_whose_people_acted(consoles: Consoles) -> None:
    asked = Asked(new_case())
    async with consoles.at("other-head", "/auditor/log") as desk:
        page = desk.page
        known = await page.locator("#agencies option").evaluate_all("all => all.map((one) => one.value)")
        assert {OTHER_ORI, cast.AGENCY_ORI} <= set(known)
        await asked.write(page, agency_ori="IL016")
        assert "ORI" in await page.inner_text("#d-agency_ori .wrong")
        assert await page.locator("#f-agency_ori[aria-invalid=true]").input_value() == "IL016"
        await looked_at(desk, "auditor-agency-refused")
        await page.fill("[name=agency_ori]", cast.AGENCY_ORI.lower())
        await press(page.get_by_role("button", name="Ask the log"))
        assert f"people of agency {cast.AGENCY_ORI}" in await page.inner_text("main")
        by, actions = await column(page, "By"), await column(page, "Action")
        assert by
        assert all(f"of {cast.AGENCY_ORI}" in one for one in by)
        assert "account.create" in actions  # who made the agency's first account
        await looked_at(desk, "auditor-agency")
        found = await column(page, "Place")
        await press(page.locator("tbody button").first)
        await press(page.get_by_role("button", name=f"All of {cast.AGENCY_ORI}"))
        assert found[0] in await column(page, "Place")
        # Each sheet of paper says what it is good for, and where its record is.
        await page.emulate_media(media="print")
        assert "UNVERIFIED" in await page.inner_text(".sheet")
        await page.emulate_media(media="screen")
        await desk.open("/auditor/log")
        await asked.write(page, agency_ori=OTHER_ORI, of_case=asked.case_number, kind="query")
        assert await column(page, "Action") == ["question.log"] * 2  # those before
        assert not [one for one in await column(page, "By") if " of " in one]


@pytest.mark.clause("III.B.3.k", "III.B.3.o")
async def test_everybody_reads_what_the_log_holds_of_the_own_account(
    consoles: Consoles, folder: Path, tmp_path: Path
) -> None:
    subject, case = await new_person(folder, "user"), new_case()
    async with consoles.at(subject) as desk:
        page = desk.page
        await desk.open("/auditor/log")
        await Asked(case, f"Look at what others asked {HOSTILE}").write(page)  # is refused: not for officers
        await desk.open("/")
        await page.get_by_role("link", name="What the log holds of you").click()
        await page.fill("[name=action]", "nothing like an action")
        await press(page.get_by_role("button", name="Show what the log holds of me"))
        assert "question.reads" in await page.inner_text("#d-action .wrong")
        await looked_at(desk, "own-log-refused")
        await page.fill("[name=action]", "")
        await press(page.get_by_role("button", name="Show what the log holds of me"))
        assert "UNVERIFIED" in await page.inner_text(".notice")
        assert await column(page, "What") == ["refused, question.log", "event, sign_in.begin"]
        refused = page.locator("tbody tr.marked")
        assert case in await refused.inner_text()
        assert HOSTILE in await refused.inner_text()
        assert case not in page.url + await page.title()
        await page.locator("[data-holds=yes]").nth(1).wait_for()
        await looked_at(desk, "own-log")
        await press(refused.locator("button"))
        assert "III.B.3.l" in await page.inner_text("table")
        assert "UNVERIFIED" in await page.inner_text(".notice")
        await page.locator("[data-holds=yes]").wait_for()
        assert not await stolen(page)
        await looked_at(desk, "own-entry")
        receipt = await taken(page, "Proof of entry", tmp_path)
        await desk.open("/own-log")
        # A look is an entry as well, and shown where it is asked for.
        await page.fill("[name=action]", "log.own")
        await page.select_option("[name=kind]", "query")
        await press(page.get_by_role("button", name="Show what the log holds of me"))
        assert await column(page, "What") == ["question, log.own"]
        await desk.open("/auditor/receipts")
        key = await taken(page, "log.pub", tmp_path)
    opened = verifier.verify_receipt(
        receipt.read_text("utf-8"), verifier.read_public_key(key.read_text("ascii"))
    )
    assert (opened["kind"], opened["case_number"]) == ("refusal", case)


@pytest.mark.clause("III.B.3.k")
async def test_the_own_entries_come_in_pages_on_a_phone(consoles: Consoles) -> None:
    async with consoles.at("demo-coordinator", "/own-log", viewport=PHONE, color_scheme="dark") as desk:
        page = desk.page
        await page.select_option("[name=page_size]", "25")
        await press(page.get_by_role("button", name="Show what the log holds of me"))
        newer = await column(page, "Place")
        await press(page.get_by_role("button", name="Older entries"))
        older = await column(page, "Place")
        assert len(newer) == len(older) == 25
        assert not set(newer) & set(older)
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        await looked_at(desk, "own-log-phone")
