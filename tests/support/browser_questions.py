"""Questions at the console: their reasons, the form that is sent, the record that comes with the answer."""

from __future__ import annotations

from typing import Final

from playwright.async_api import Page

PURPOSE: Final = "homicide investigation, victim's car seen leaving"
HOSTILE: Final = '"><script>alert(1)</script>'


async def give_reasons(page: Page, *, purpose: str = PURPOSE) -> None:
    """Fills in case number and purpose."""
    await page.select_option("#f-case_number_kind", label="CAD")
    await page.fill("#f-case_number", "26-0001")
    await page.select_option("#f-offence_code", "HOMICIDE")
    await page.fill("#f-purpose", purpose)


async def send(page: Page, button: str) -> None:
    """Sends the form by that button, and waits for what it leads to."""
    async with page.expect_navigation():
        await page.get_by_role("button", name=button, exact=True).click()


async def stands_on_record(page: Page, *more: str) -> bool:
    """Whether the page has the notice, and the receipts of question and answer, and of `more` before them."""
    notice = await page.locator(".notice").inner_text()
    entries = await page.locator(".receipt").all_inner_texts()
    receipts = [one.split(":")[0] for one in entries]
    return notice.startswith("UNVERIFIED") and receipts == [*more, "Question", "Answer"]
