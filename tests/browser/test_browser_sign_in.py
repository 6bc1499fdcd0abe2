"""The way in: sign-in, the lock of the screen, the way out, and what a stolen cookie is good for."""

from typing import Any, cast

import pytest

from tests.support.browser import PHONE, Consoles, barriers, picture

pytestmark = pytest.mark.asyncio(loop_scope="session")


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


async def test_a_person_with_too_many_sign_ins_reads_so_and_ends_one_on_the_page(consoles: Consoles) -> None:
    async with consoles.at("the-cveo") as one, consoles.at("the-cveo") as two:
        async with consoles.at("the-cveo", "/sign-ins") as three:
            await picture(three.page, "sign-ins")
            assert await barriers(three.page) == []
            assert await three.page.locator("section", has_text="Open").count() >= 3
            await (
                three.page.locator("section", has_not_text="this one")
                .get_by_role("button", name="End it")
                .first.click()
            )
            assert await three.page.locator("section", has_text="Ended").count() >= 1
        assert one.url == two.url
