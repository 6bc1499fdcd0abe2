"""Every page that a person comes to by links, and what is true of each of them."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Any, Final
from urllib.parse import urlsplit

from playwright.async_api import Error, Page, Response

from tests.support.browser import Desk

REFLOWED: Final = {"width": 320, "height": 780}
"""1,280 pixels at 400 % (WCAG 2.2, 1.4.10)."""
_IDS: Final = re.compile(r"/(?:[0-9a-f-]{36}|[^/]*\d[^/]*)(?=/|$)")
# The least that text may be spaced by whoever needs it so (WCAG 2.2, 1.4.12).
_SPACE: Final = """() => {
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(`* { line-height: 1.5 !important; letter-spacing: .12em !important;
    word-spacing: .16em !important; } p { margin-bottom: 2em !important; }`);
  document.adoptedStyleSheets = [sheet];
}"""
# What is wider may be scrolled by itself where its layout says something: tables and maps.
_FAULTS: Final = """() => {
  const all = (selector) => [...document.querySelectorAll(selector)];
  const { clientWidth, scrollWidth } = document.documentElement;
  const shown = (one) => one.checkVisibility() && !one.closest("[aria-hidden]");
  const box = (one) => one.getBoundingClientRect();
  const faults = [];
  const say = (fault, ones) => faults.push(...ones.map((one) => `${fault}: ${one.outerHTML.slice(0, 120)}`));
  if (scrollWidth > clientWidth) {
    faults.push(`${scrollWidth} pixels wide`);
    const beyond = all("main *, header *").filter((one) => box(one).right > clientWidth + 1);
    say("too far right", beyond.filter((one) => !one.closest(".scroll, .map")).slice(-2));
  }
  const pressed = all("main :is(button, summary, select, input:not([type=hidden]))").filter(shown);
  say("too small", pressed.filter((one) => Math.min(box(one).width, box(one).height) < 24).slice(0, 3));
  say("leads nowhere", all('a[href^="#"]').filter((one) => !document.getElementById(one.hash.slice(1))));
  const [first] = all("a, button, input, select, [tabindex]");
  if (!first.matches(".skip")) say("first for keys", [first]);
  if (all("h1").length !== 1) faults.push("not one heading");
  return faults;
}"""
_LINKS: Final = (
    """() => [...document.querySelectorAll('a[href^="/"]')].map((one) => one.getAttribute("href"))"""
)


async def pages_of(desk: Desk, within: tuple[str, ...]) -> AsyncIterator[str]:
    """Opens each page once that links lead to from the first one, and whose path begins so; says the path.

    Of pages that differ by an id alone it opens one. Files that links lead to are no pages.
    """
    waiting, seen = ["/"], set[str]()
    while waiting:
        path = urlsplit(waiting.pop(0)).path
        shape = _IDS.sub("/ID", path)
        if shape in seen or not (path == "/" or path.startswith(within)):
            continue
        seen.add(shape)
        if await _opened(desk, path):
            yield path
            waiting += await desk.page.evaluate(_LINKS)


async def faults(page: Page) -> list[str]:
    """What keeps the page from being read narrow and with wide spaces, and from being worked by keys."""
    await page.evaluate(_SPACE)
    found: list[Any] = await page.evaluate(_FAULTS)
    await page.locator(".skip").focus()
    await page.keyboard.press("Enter")
    if await page.evaluate("document.activeElement.id") != "main":
        found.append("there is no way past its head")
    return [str(one) for one in found]


async def _opened(desk: Desk, path: str) -> bool:
    try:
        answer: Response | None = await desk.page.goto(f"{desk.url}{path}")
    except Error as error:
        if "Download is starting" not in str(error):
            raise
        return False
    assert answer is not None and answer.status < 500, path
    return answer.headers["content-type"].startswith("text/html")
