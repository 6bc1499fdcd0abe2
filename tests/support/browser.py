"""People at the console in a real browser: Chromium of the package manager, driven by Playwright."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page, ViewportSize, async_playwright

# The one without windows first: it costs a third less of the processors.
_NAMES: Final = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
_UNPACKED: Final = Path(__file__).parents[2] / ".assets" / "chromium"
_FOLDER: Final = Path(__file__).parents[2] / ".browser"
DESK: Final = {"width": 1280, "height": 900}
PHONE: Final = {"width": 360, "height": 780}
WALL: Final = {"width": 2560, "height": 1440}
_RULES: Final = {
    "resultTypes": ["violations"],
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
}


def chromium() -> str:
    """The browser of this machine: PW_TEST_CHROMIUM, else the one in the path, else the one of npm."""
    named = os.environ.get("PW_TEST_CHROMIUM") or next(filter(None, map(shutil.which, _NAMES)), None)
    found = named or shutil.which("chromium", path=_UNPACKED)
    assert found, "there is no Chromium; `make browser-test` installs one, or PW_TEST_CHROMIUM names one"
    return found


@asynccontextmanager
async def running_browser() -> AsyncIterator[Browser]:
    """Chromium, until the end of the block."""
    async with async_playwright() as playwright:
        # As root, which tests may be, Chromium has no sandbox.
        arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
        program = chromium()
        browser = await playwright.chromium.launch(
            executable_path=program, args=arguments, env=_environment(Path(program).parent)
        )
        yield browser
        await browser.close()


def _environment(folder: Path) -> dict[str, str | float | bool]:
    """What the browser of npm needs beside the usual: the libraries and the font that come with it."""
    own = {"LD_LIBRARY_PATH": str(folder / "lib"), "FONTCONFIG_PATH": str(folder)}
    return {**os.environ, **(own if (folder / "fonts.conf").is_file() else {})}


@dataclass
class Desk:
    """A browser window with cookies of its own, in which one person has signed in."""

    context: BrowserContext
    page: Page
    url: str
    problems: list[str]

    async def open(self, path: str) -> None:
        """Goes to a page of the console."""
        await self.page.goto(f"{self.url}{path}")

    async def sign_out(self) -> None:
        """Ends the sign-in, wherever the person is: an account has few at the same time."""
        await self.open("/sign-ins")
        button = self.page.get_by_role("button", name="Sign out")
        if await button.count():
            await button.click()
            await self.page.get_by_role("heading", name="Signed out").wait_for()

    def check_quiet(self) -> None:
        """Fails when the page threw an error, or wanted what the content security policy forbids."""
        assert not self.problems


@dataclass
class Consoles:
    """Windows of people at one console."""

    browser: Browser
    url: str
    secret_file: Path

    @asynccontextmanager
    async def window(self, viewport: Mapping[str, int] = DESK, **options: Any) -> AsyncIterator[Desk]:
        """A window in which nobody has signed in; `options` are of Playwright's `new_context`."""
        # The certificate is of the stack's own authority, which no browser knows.
        context = await self.browser.new_context(
            ignore_https_errors=True, viewport=cast(ViewportSize, viewport), **options
        )
        page = await context.new_page()
        problems: list[str] = []
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("console", lambda message: problems.extend(_violation(message)))
        try:
            yield Desk(context, page, self.url, problems)
        finally:
            await context.close()

    @asynccontextmanager
    async def at(
        self, subject: str, path: str = "/", viewport: Mapping[str, int] = DESK, **options: Any
    ) -> AsyncIterator[Desk]:
        """A window in which `subject` has signed in and sees the page at `path`."""
        async with self.window(viewport, **options) as desk:
            await self.sign_in(desk, subject, path)
            try:
                yield desk
            finally:
                await desk.sign_out()

    async def sign_in(self, desk: Desk, subject: str, path: str = "/") -> None:
        """Goes to a page, and signs in at the development issuer, where it leads."""
        await desk.open(path)
        await desk.page.fill("#subject", subject)
        await desk.page.fill("#secret", self.secret_file.read_text("ascii").strip())
        await desk.page.click("button")
        await desk.page.wait_for_url(f"{self.url}{path}")


def _violation(message: ConsoleMessage) -> list[str]:
    return [message.text] if re.search(r"content security policy|TrustedHTML", message.text, re.I) else []


async def barriers(page: Page) -> list[str]:
    """What keeps people out of the page, by axe-core's rules for WCAG 2.2 AA: rule, and where."""
    results = await Axe().run(page, options=_RULES)
    return [
        f"{one['id']}: {node['target']}" for one in results.response["violations"] for node in one["nodes"]
    ]


async def picture(page: Page, name: str, *, whole: bool = True) -> None:
    """Keeps a screenshot in the folder .browser, or in the one that PW_TEST_PICTURES names."""
    folder = Path(os.environ.get("PW_TEST_PICTURES") or _FOLDER)
    await page.screenshot(path=folder / f"{name}.png", full_page=whole)
