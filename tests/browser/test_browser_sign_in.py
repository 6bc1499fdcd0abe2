"""The way in: sign-in, the lock of the screen, the way out, and what a stolen cookie is good for."""

from pathlib import Path
from typing import Any, cast

import pytest

from tests.support.browser import PHONE, Consoles, Desk, barriers, picture
from tests.support.browser_auditor import press
from tests.support.browser_people import new_person
from tests.support.browser_questions import give_reasons, send, stands_on_record

pytestmark = pytest.mark.asyncio(loop_scope="session")
PLATE = "KEPT123"


async def test_who_has_not_signed_in_is_sent_to_the_provider_and_comes_back_to_the_page(
    consoles: Consoles,
) -> None:
    async with consoles.at("the-user", "/") as desk:
        assert await desk.page.title() == "Platewarden"
        assert await desk.page.inner_text("h1") == "the-user"
        await picture(desk.page, "home")
        assert await barriers(desk.page) == []
        desk.check_quiet()


async def test_no_script_of_a_page_can_read_the_sign_in(consoles: Consoles) -> None:
    async with consoles.at("the-user") as desk:
        assert await desk.page.evaluate("document.cookie") == ""
        assert await desk.page.evaluate("localStorage.length + sessionStorage.length") == 0
        kept = [one for one in await desk.context.cookies() if one["name"].startswith("__Host-platewarden-")]
        assert kept
        for one in kept:
            assert (one["httpOnly"], one["secure"], one["sameSite"]) == (True, True, "Strict")


async def test_a_locked_screen_shows_nothing_until_the_person_signs_in_anew(consoles: Consoles) -> None:
    async with consoles.at("the-user", viewport=PHONE) as desk:
        await desk.page.click("text=Lock")
        assert await desk.page.inner_text("h1") == "Locked"
        await picture(desk.page, "locked-phone")
        assert await barriers(desk.page) == []
        await desk.page.go_back()
        await desk.open("/")
        assert await desk.page.inner_text("h1") == "Locked"


async def test_a_form_of_another_page_changes_nothing(consoles: Consoles) -> None:
    async with consoles.at("the-user") as desk:
        word = await desk.page.get_attribute("body", "data-csrf")
        forms = [
            ({"Origin": "https://elsewhere.example"}, {"csrf": word}),
            ({}, {"csrf": word}),
            ({"Origin": desk.url}, {"csrf": "guessed"}),
            ({"Origin": desk.url}, {}),
        ]
        for headers, form in forms:
            answer = await desk.context.request.post(f"{desk.url}/lock", headers=headers, form=form)
            assert answer.status == 403
        await desk.open("/")
        assert await desk.page.inner_text("h1") == "the-user"
        own = {"Origin": desk.url}
        await desk.context.request.post(f"{desk.url}/lock", headers=own, form={"csrf": word})
        await desk.open("/")
        assert await desk.page.inner_text("h1") == "Locked"


async def test_a_copy_of_the_cookies_is_good_for_nothing_once_the_person_has_signed_out(
    consoles: Consoles,
) -> None:
    async with consoles.at("the-user") as desk, consoles.window() as thief:
        await thief.context.add_cookies(cast(Any, await desk.context.cookies()))
        await thief.open("/")
        assert await thief.page.inner_text("h1") == "the-user"
        await desk.page.click("text=Sign out")
        assert await desk.page.inner_text("h1") == "Signed out"
        await thief.open("/")
        assert not thief.page.url.startswith(consoles.url)


async def test_a_person_with_too_many_sign_ins_reads_so_and_ends_one_on_the_page(
    consoles: Consoles, folder: Path
) -> None:
    person = await new_person(folder, "user")
    async with consoles.at(person) as first, consoles.at(person) as second, consoles.at(person) as third:
        async with consoles.at(person) as one_more:
            page = one_more.page
            assert "too many sign-ins" in await page.inner_text(".refusal")
            await press(page.get_by_role("main").get_by_role("link", name="Where you are signed in"))
            assert await page.locator("section", has_text="Open").count() >= 3
            await picture(page, "sign-ins")
            assert await barriers(page) == []
            await page.locator("section", has_text="Open").get_by_role("button", name="End it").nth(1).click()
            await page.wait_for_url("**/sign-ins#main")
            await one_more.open("/")
            assert await page.inner_text("h1") == person
        said = []
        for desk in (first, second, third):
            await desk.open("/")
            said.append("was ended" in await desk.page.inner_text("main"))
        assert sorted(said) == [False, False, True]


async def ask_too_late(desk: Desk, *, locked: bool) -> None:
    """Sends a question from a page whose screen was locked, or whose sign-in has gone, meanwhile."""
    await desk.open("/search")
    await give_reasons(desk.page)
    await desk.page.fill("[name=plate]", PLATE)
    if locked:
        other = await desk.context.new_page()
        await other.goto(desk.url)
        await send(other, "Lock")
        await other.close()
    else:
        await desk.context.clear_cookies()
    await send(desk.page, "Ask")


async def sign_in_beside(consoles: Consoles, desk: Desk, subject: str) -> None:
    """Signs in in the window that the page opens for it."""
    async with desk.context.expect_page() as opened:
        await desk.page.get_by_role("link", name="Sign in again").click()
    beside = await opened.value
    await beside.fill("#subject", subject)
    await beside.fill("#secret", consoles.secret_file.read_text("ascii").strip())
    await beside.click("button")
    await beside.get_by_role("heading", name="Signed in again").wait_for()
    assert await barriers(beside) == []
    await beside.close()


async def test_a_form_that_comes_when_the_sign_in_has_ended_is_kept_sealed_and_sent_after_the_next(
    consoles: Consoles, folder: Path
) -> None:
    officer = await new_person(folder, "user")
    async with consoles.at(officer, "/search") as desk:
        page = desk.page
        for locked in (True, False):
            await ask_too_late(desk, locked=locked)
            assert "was not done" in await page.inner_text(":focus")
            assert await page.inner_text("h1") == ("Locked" if locked else "Your sign-in has ended")
            assert PLATE not in await page.content()
            await send(page, "Send it again")
            assert "was not done" in await page.inner_text(":focus")  # there is still no sign-in
            await picture(page, "kept")
            assert await barriers(page) == []
            await sign_in_beside(consoles, desk, officer)
            await send(page, "Send it again")
            assert PLATE in await page.inner_text("main")
            assert await stands_on_record(page)
        desk.check_quiet()


async def test_a_page_that_hears_of_the_end_of_its_sign_in_stays_with_what_was_written(
    consoles: Consoles, folder: Path
) -> None:
    async with consoles.at(await new_person(folder, "user"), "/") as desk:
        page = desk.page
        await page.clock.install()
        await desk.open("/search")
        await page.fill("[name=plate]", PLATE)
        await desk.context.clear_cookies()
        await page.clock.fast_forward("01:01")
        async with page.expect_response("**/touch") as answered:
            await page.keyboard.press("Shift")
        assert (await answered.value).status == 401
        assert await page.input_value("[name=plate]") == PLATE


async def test_who_signs_in_after_somebody_else_cannot_send_what_that_person_wrote(
    consoles: Consoles, folder: Path
) -> None:
    first, second = await new_person(folder, "user"), await new_person(folder, "user")
    async with consoles.at(first, "/search") as desk:
        await ask_too_late(desk, locked=True)
        await sign_in_beside(consoles, desk, second)
        await send(desk.page, "Send it again")
        assert "made for you" in await desk.page.inner_text("main")
        assert PLATE not in await desk.page.content()


@pytest.mark.clause("III.B.3.k")
async def test_after_a_sign_in_was_ended_elsewhere_the_form_stays_and_is_sent_with_the_next_one(
    consoles: Consoles, folder: Path
) -> None:
    officer = await new_person(folder, "user")
    async with consoles.at(officer, "/search") as desk:
        page = desk.page
        await give_reasons(page)
        await page.fill("[name=plate]", PLATE)
        async with consoles.at(officer, "/sign-ins") as other:
            await other.page.get_by_role("button", name="End it").first.click()
            await other.page.get_by_text("Ended", exact=False).first.wait_for()
        await send(page, "Ask")
        assert "was ended" in await page.inner_text(":focus")
        await sign_in_beside(consoles, desk, officer)
        await send(page, "Ask")
        assert await stands_on_record(page)
