"""A page with a map and nothing else, of the console's own templates, files and content security policy."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Mapping, Sequence
from io import BytesIO
from typing import Any, Final
from urllib.parse import urlsplit

from jinja2 import ChoiceLoader, DictLoader
from PIL import Image, ImageChops, ImageColor
from playwright.async_api import Page, Route
from starlette.responses import PlainTextResponse
from starlette.testclient import TestClient

from services.console.headers import Headers
from services.console.pages import Pages
from tests.support.browser import Desk

NEAR: Final = 12
"""Colours that differ by so little are the same, blurred."""
PATH: Final = "/a-page-with-a-map"
_LOOKS: Final = (
    ("plain", "not known"),
    ("good", "works"),
    ("warning", "waits"),
    ("danger", "fails"),
    ("off", "taken down"),
)
_PAGE: Final = """{% extends "layout.html" %}
{% import "map.html" as maps %}
{% import "question.html" as question %}
{% block head %}{{ maps.head() }}{% endblock %}
{% block main %}
<h1>Map</h1>
{% if places is not none %}
{{ maps.points(places, "Where the cameras are") }}
{{ maps.legend(looks) }}
{% else %}
<form method="post" action="/nowhere">{{ maps.area("Draw where") }}{{ question.place(written) }}</form>
{% endif %}
{% endblock %}"""


def page_text(places: Sequence[Mapping[str, Any]] | None, tiles: str = "", **written: str) -> str:
    """The page as the console would send it: with points, or with an area in a form (`written`)."""
    pages = Pages(tile_url=tiles, log_keys="")
    templates = pages._templates
    assert templates.loader
    templates.loader = ChoiceLoader([templates.loader, DictLoader({"map-page": _PAGE})])
    answer = pages.make(
        "map-page", title="Map", places=places, looks=_LOOKS, written=lambda name: written.get(name, "")
    )
    return bytes(answer.body).decode()


def policy(tiles: str = "") -> str:
    """The content security policy of a console with that tile server."""
    parts = urlsplit(tiles)
    origin = f"{parts.scheme}://{parts.netloc}" if tiles else ""
    headers = Headers(PlainTextResponse("a page"), tiles=origin, provider="")
    return str(TestClient(headers).get("/").headers["content-security-policy"])


async def open_map(
    desk: Desk,
    places: Sequence[Mapping[str, Any]] | None = None,
    tiles: str = "",
    *,
    allowed: str | None = None,
    **written: str,
) -> Page:
    """The page, with its map drawn."""
    text, rules = page_text(places, tiles, **written), policy(tiles if allowed is None else allowed)

    async def answer(route: Route) -> None:
        await route.fulfill(
            body=text, headers={"content-type": "text/html", "content-security-policy": rules}
        )

    await desk.page.route(f"**{PATH}", answer)
    await desk.open(PATH)
    await drawn(desk.page)
    return desk.page


async def drawn(page: Page) -> None:
    """Waits for the map and its outlines."""
    await page.wait_for_selector(".map[data-ready][data-ground]")
    await page.wait_for_load_state("networkidle")


async def at(page: Page, right: float, down: float) -> tuple[float, float]:
    """The place on the screen so far from the middle of the map, in pixels."""
    box = await page.locator(".map-view").bounding_box()
    assert box
    return box["x"] + box["width"] / 2 + right, box["y"] + box["height"] / 2 + down


async def click(page: Page, right: float, down: float) -> None:
    """Clicks there, and not so soon after the click before that both would be a double click."""
    await page.mouse.click(*await at(page, right, down))
    await page.wait_for_timeout(300)


async def share(page: Page, colour: str) -> float:
    """The part of the map's pixels that have nearly the colour of the style sheet's --map-`colour`."""
    return float(
        await page.evaluate(
            """async name => {
              await new Promise(drawn => requestAnimationFrame(() => requestAnimationFrame(drawn)));
              const map = document.querySelector(".map");
              const hex = getComputedStyle(map).getPropertyValue(`--map-${name}`).trim().slice(1);
              const wanted = [0, 2, 4].map(at => parseInt(hex.slice(at, at + 2), 16));
              let good = 0, all = 0;
              for (const canvas of map.querySelectorAll("canvas")) {
                const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
                const near = at => wanted.every((one, by) => Math.abs(one - data[at + by]) < 6);
                all = Math.max(all, data.length / 4);
                for (let at = 0; at < data.length; at += 4) if (data[at + 3] > 128 && near(at)) good += 1;
              }
              return good / all;
            }""",
            colour,
        )
    )


async def outline(page: Page, colour: str) -> tuple[bool, bool, bool]:
    """Whether the one shape of a colour fills its box at a corner, in the middle of its foot, at its side."""
    image = Image.open(BytesIO(await page.locator(".map-view").screenshot())).convert("RGB")
    text = await page.evaluate(
        "name => getComputedStyle(document.querySelector('.map')).getPropertyValue(`--map-${name}`)", colour
    )
    wanted = ImageColor.getrgb(text.strip())[:3]
    red, green, blue = ImageChops.difference(image, Image.new("RGB", image.size, wanted)).split()
    apart = ImageChops.lighter(ImageChops.lighter(red, green), blue)
    mask = apart.point(lambda value: 255 if value < NEAR else 0)
    box = mask.getbbox()
    assert box
    left, top, right, bottom = box
    corner, foot = (left, top), ((left + right) // 2, bottom - 2)
    side = (left + 2, (top + bottom) // 2)
    found = [bool(mask.getpixel(one)) for one in (corner, foot, side)]
    return found[0], found[1], found[2]


async def until_shared(page: Page, colour: str, least: float = 1e-6) -> None:
    """Waits until at least that part of the map has the colour."""
    await _until(page, colour, lambda part: part >= least)


async def until_gone(page: Page, colour: str) -> None:
    """Waits until nothing of the map has the colour."""
    await _until(page, colour, lambda part: part == 0)


async def _until(page: Page, colour: str, wanted: Callable[[float], bool]) -> None:
    for _ in range(200):
        part = await share(page, colour)
        if wanted(part):
            return
        await asyncio.sleep(0.05)
    raise AssertionError(f"{part:.4f} of the map stayed {colour}")


async def middle(page: Page) -> tuple[int, ...]:
    """The colour that is seen in the middle of the map, of whatever origin."""
    image = Image.open(BytesIO(await page.locator(".map-view").screenshot())).convert("RGB")
    found = image.getpixel((image.width // 2, image.height // 2))
    assert isinstance(found, tuple)
    return found


def corners(text: str) -> list[tuple[float, float]]:
    """Degrees north and east of each corner in the form's field."""
    return [(float(north), float(east)) for north, east in (one.split(",") for one in text.split())]


def metres(one: tuple[float, float], other: tuple[float, float]) -> float:
    """Distance of two places on a sphere (haversine)."""
    (north, east), (north2, east2) = (tuple(map(math.radians, place)) for place in (one, other))
    half = math.sin((north2 - north) / 2) ** 2
    half += math.cos(north) * math.cos(north2) * math.sin((east2 - east) / 2) ** 2
    return 2 * 6_371_008.8 * math.asin(math.sqrt(half))
