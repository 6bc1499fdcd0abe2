"""Forms worked by keys alone: the field is reached with Tab, and what stands in it is typed."""

from __future__ import annotations

from typing import Final

from playwright.async_api import Locator

from tests.support.browser import Desk

_MOST_TABS: Final = 400
# Before, behind or at the place where the keys go now.
_WAY: Final = """one => {
  const now = document.activeElement;
  if (now === one) return "";
  return now.compareDocumentPosition(one) & Node.DOCUMENT_POSITION_PRECEDING ? "Shift+Tab" : "Tab";
}"""
_STEPS: Final = """(one, value) =>
  [...one.options].findIndex((each) => each.value === value) - one.selectedIndex"""


async def reach(desk: Desk, target: Locator) -> None:
    """Goes there with Tab; what it is folded away in is opened with Enter on the way."""
    folded = target.locator("xpath=ancestor::details[not(@open)]")
    for _ in range(await folded.count()):  # the outermost first
        await _tab_to(desk, folded.first.locator("> summary"))
        await desk.page.keyboard.press("Enter")
    await _tab_to(desk, target)


async def write(desk: Desk, field: Locator, text: str) -> None:
    """Types the text into the field where the keys go, or chooses what has that value."""
    kind = await field.evaluate("one => one.tagName === 'SELECT' ? 'select' : one.type")
    keys = desk.page.keyboard
    if kind == "select":
        steps = int(await field.evaluate(_STEPS, text))
        for _ in range(abs(steps)):
            await keys.press("ArrowDown" if steps > 0 else "ArrowUp")
    elif kind in ("date", "datetime-local"):
        await _write_moment(desk, field, text)
    elif kind == "checkbox":
        await keys.press("Space")
        return
    else:
        await keys.press("Control+A")
        await keys.insert_text(text)
    assert await field.input_value() == text


async def _write_moment(desk: Desk, field: Locator, text: str) -> None:
    """Types 2026-12-01T06:30 as Chromium's field wants it in English: month, day, year, hour, minute."""
    keys = desk.page.keyboard
    # Its parts are stops of Tab themselves: out at the front, and in again at the first.
    while not await field.evaluate(_WAY):
        await keys.press("Shift+Tab")
    await keys.press("Tab")
    day, _, clock = text.partition("T")
    year, month, date = day.split("-")
    await keys.type(f"{month}{date}{year}")
    if clock:
        hour, *rest = clock.split(":")
        await keys.press("ArrowRight")  # a year may have six digits
        await keys.type(f"{int(hour) % 12 or 12:02}{''.join(rest)}{'P' if int(hour) > 11 else 'A'}")


async def _tab_to(desk: Desk, target: Locator) -> None:
    for _ in range(_MOST_TABS):
        way = await target.evaluate(_WAY)
        if not way:
            return
        await desk.page.keyboard.press(way)
    raise AssertionError("no key leads there")
