"""The map that pages show points on and draw areas with: by mouse, by touch, by keys, on paper."""

from collections.abc import AsyncIterator, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any, Final

import pytest
import pytest_asyncio
from PIL import Image
from playwright.async_api import Route, expect
from pypdfium2 import PdfDocument

from tests.support.browser import PHONE, WALL, Consoles, Desk, barriers, picture
from tests.support.browser_map import (
    at,
    click,
    corners,
    metres,
    middle,
    open_map,
    outline,
    until_gone,
    until_shared,
)

pytestmark = pytest.mark.asyncio(loop_scope="session")

HOSTILE: Final = '"><img src=x onerror=alert(1)><script>alert(1)</script>'
LOOKS: Final = ("good", "plain", "warning", "danger", "off")
TILES: Final = "https://tiles.example.test/{z}/{x}/{y}.png"
PLAIN: Final = (11, 92, 173)  # --map-plain of map.css, in light
COLOUR: Final = (48, 160, 176)


def _png() -> bytes:
    made = BytesIO()
    Image.new("RGB", (256, 256), COLOUR).save(made, "PNG")
    return made.getvalue()


TILE: Final = _png()


def place(number: int, **more: Any) -> Mapping[str, Any]:
    """A point near Springfield, each some miles from the others."""
    lat, lon = 39.4 + 0.2 * (number % 7), -90.2 + 0.25 * (number // 7)
    return {"id": f"p{number}", "lat": lat, "lon": lon, "label": f"cam-{number}", **more}


PLACES: Final = [
    place(0, look="good", detail=HOSTILE, time="2026-11-26T12:00:00Z", href="/healthz"),
    *(place(number, look=LOOKS[number % 5]) for number in range(1, 20)),
    {"id": "p20", "lat": 40.6, "lon": -88.4, "label": HOSTILE, "href": "javascript:alert(1)"},
]


@pytest_asyncio.fixture(loop_scope="session")
async def desk(consoles: Consoles) -> AsyncIterator[Desk]:
    """A window in which nobody has signed in: the page with the map needs nobody."""
    async with consoles.window() as opened:
        yield opened
        opened.check_quiet()


async def test_a_map_shows_points_on_outlines_of_its_own_and_every_person_can_use_it(desk: Desk) -> None:
    asked: list[str] = []
    desk.page.on("request", lambda request: asked.append(request.url))
    page = await open_map(desk, PLACES)

    assert await barriers(page) == []
    assert [one for one in asked if not one.startswith(desk.url)] == []
    for colour in ("land", "good", "warning", "danger", "off"):
        await until_shared(page, colour)
    await until_shared(page, "land", 0.3)
    await picture(page, "map-points")


async def test_how_a_point_does_is_said_by_its_shape_and_not_by_colour_alone(desk: Desk) -> None:
    # Far out on the lake, where no name is near.
    on_the_lake = [
        {"id": look, "lat": 43.0, "lon": -87.3 + 0.1 * number, "label": look, "look": look}
        for number, look in enumerate(LOOKS)
    ]
    page = await open_map(desk, on_the_lake)
    await page.evaluate("document.querySelector('.ol-scale-line').remove()")

    shapes = {look: await outline(page, look) for look in LOOKS}

    assert shapes == {
        "good": (False, True, True),  # round
        "plain": (False, True, True),
        "warning": (False, True, False),  # a triangle
        "danger": (True, True, True),  # a square
        "off": (True, False, False),  # a cross
    }


async def test_a_point_is_chosen_by_keys_and_says_what_it_is_as_plain_text(desk: Desk) -> None:
    page = await open_map(desk, PLACES)
    await page.evaluate(
        "() => { window.picked = []; addEventListener('map:pick', ({ detail }) => picked.push(detail.id)); }"
    )
    card = page.locator(".map-card")

    await page.locator(".map-view").focus()
    await page.keyboard.press("p")
    await expect(card.locator("strong")).to_have_text(HOSTILE)
    assert await card.locator("a, img, script").count() == 0

    await page.keyboard.press("n")
    await expect(card.locator("a")).to_have_text("cam-0")
    await expect(card.locator("time")).to_have_attribute("title", "2026-11-26 12:00:00 UTC")
    assert HOSTILE in await card.inner_text()
    await picture(page, "map-chosen")
    assert await barriers(page) == []

    await page.keyboard.press("Escape")
    await expect(card).to_be_hidden()
    await page.keyboard.press("n")
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/healthz")


async def test_a_point_is_chosen_by_a_click_or_by_a_button_of_the_page(desk: Desk) -> None:
    page = await open_map(desk, [place(3, look="danger")])
    card = page.locator(".map-card")

    await click(page, 0, 0)
    await expect(card.locator("strong")).to_have_text("cam-3")
    await card.get_by_role("button", name="Close").click()
    await expect(card).to_be_hidden()

    await page.evaluate(
        """() => {
          const button = document.querySelector("main").appendChild(document.createElement("button"));
          button.dataset.mapShow = "p3";
        }"""
    )
    await page.click("[data-map-show]")
    await expect(card.locator("strong")).to_have_text("cam-3")


async def test_many_points_at_one_place_are_one_with_their_number_and_are_listed(desk: Desk) -> None:
    same = [
        {"id": str(one), "lat": 41.88, "lon": -87.63, "label": f"read {one}", "look": "plain"}
        for one in range(10_000)
    ]
    nowhere = [{"id": "x", "lat": 0, "lon": 0, "label": "no place"}]
    page = await open_map(desk, [*same, *nowhere])

    await click(page, 0, 0)

    card = page.locator(".map-card")
    await expect(card).to_contain_text("10000 at this place")
    await expect(card).to_contain_text("and 9950 more")
    assert await card.locator("strong").count() == 50
    await expect(page.locator(".map-lost")).to_have_text("1 of 10001 have no place.")


async def test_an_area_is_drawn_by_mouse_into_the_form_and_its_corners_can_be_changed(desk: Desk) -> None:
    page = await open_map(desk)
    await page.get_by_role("button", name="Draw area").click()
    for right, down in ((-80, 60), (80, 60), (80, -60)):
        await click(page, right, down)
    await picture(page, "map-drawing")
    assert await barriers(page) == []
    await page.get_by_role("button", name="Done").click()

    drawn_area = corners(await page.input_value("[name=area]"))
    (south, west), (south2, east), (north, east2) = drawn_area
    assert abs(south - south2) < 1e-4
    assert abs(east - east2) < 1e-4
    assert south < north
    assert west < east
    await until_shared(page, "area", 0.001)

    await page.mouse.move(*await at(page, 80, -60))
    await page.mouse.down()
    await page.mouse.move(*await at(page, 40, -90), steps=5)
    await page.mouse.up()
    changed = corners(await page.input_value("[name=area]"))
    assert changed[:2] == drawn_area[:2]
    assert changed[2][0] > north
    assert changed[2][1] < east

    await page.get_by_role("button", name="Take area away").click()
    assert await page.input_value("[name=area]") == ""
    await until_gone(page, "area")


async def test_a_double_click_is_the_last_corner(desk: Desk) -> None:
    page = await open_map(desk)
    await page.get_by_role("button", name="Draw area").click()
    await click(page, -80, 60)
    await click(page, 80, 60)
    await page.mouse.dblclick(*await at(page, 0, -60))

    assert len(corners(await page.input_value("[name=area]"))) == 3


async def test_a_circle_reaches_as_far_as_was_drawn(desk: Desk) -> None:
    page = await open_map(desk)
    await page.get_by_role("button", name="Draw area").click()
    for right, down in ((0, 0), (120, 0), (0, 90)):
        await click(page, right, down)
    await page.get_by_role("button", name="Done").click()
    center, edge, _ = corners(await page.input_value("[name=area]"))

    await page.get_by_role("button", name="Draw circle").click()
    await click(page, 0, 0)
    await click(page, 120, 0)

    assert await page.input_value("[name=area]") == ""
    (found,) = corners(await page.input_value("[name=around]"))
    assert metres(found, center) < 1000
    assert float(await page.input_value("[name=radius]")) == pytest.approx(metres(center, edge), rel=0.01)
    await until_shared(page, "area", 0.001)


async def test_an_area_is_drawn_with_keys_alone(desk: Desk) -> None:
    page = await open_map(desk)
    await page.get_by_role("button", name="Draw area").focus()
    await page.keyboard.press("Enter")
    for key in ("ArrowRight", "ArrowUp", "ArrowLeft", "ArrowDown"):
        await page.keyboard.press(" ")
        await page.keyboard.press(key)
    await page.keyboard.press("Backspace")
    await expect(page.locator(".map-state")).to_have_text("3 corners.")
    await page.keyboard.press("Enter")

    (south, west), (south2, east), (north, east2) = corners(await page.input_value("[name=area]"))
    assert south == south2 < north
    assert west < east == east2
    assert page.url.endswith("map")  # Enter was the map's, not the form's

    await page.get_by_role("button", name="Draw circle").press("Enter")
    await page.keyboard.press(" ")
    await page.keyboard.press("Escape")
    assert await page.input_value("[name=around]") == ""


async def test_an_area_is_drawn_by_touch_on_a_phone(consoles: Consoles) -> None:
    async with consoles.window(PHONE, has_touch=True) as desk:
        page = await open_map(desk)
        await page.get_by_role("button", name="Draw area").tap()
        for right, down in ((-60, 60), (60, 60), (0, -60)):
            await page.touchscreen.tap(*await at(page, right, down))
            await page.wait_for_timeout(300)
        await picture(page, "map-phone")
        assert await barriers(page) == []
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        await page.get_by_role("button", name="Done").tap()
        assert len(corners(await page.input_value("[name=area]"))) == 3
        desk.check_quiet()


async def test_what_stands_in_the_form_is_drawn_and_can_be_changed_as_numbers(desk: Desk) -> None:
    page = await open_map(desk, area="41.9,-87.8 41.9,-87.6 41.7, -87.6 41.7,-87.8")
    await until_shared(page, "area", 0.001)
    assert await barriers(page) == []
    await page.get_by_text("4 corners as numbers").click()
    await picture(page, "map-corners")

    await page.get_by_label("Degrees north of corner 1").fill("42")
    await page.get_by_label("Degrees east of corner 2").fill("")
    assert await page.input_value("[name=area]") == (
        "42.00000,-87.80000 41.90000,-87.60000 41.70000,-87.60000 41.70000,-87.80000"
    )
    await page.get_by_label("Degrees east of corner 2").fill("-87.5")
    await page.get_by_role("button", name="Remove corner 4").click()
    assert await page.input_value("[name=area]") == "42.00000,-87.80000 41.90000,-87.50000 41.70000,-87.60000"
    await expect(page.get_by_text("3 corners as numbers")).to_be_focused()

    await page.fill("[name=area]", "nonsense")
    await until_gone(page, "area")
    await page.fill("[name=area]", "")
    await page.fill("[name=around]", "41.8, -87.7")
    await page.fill("[name=radius]", "3000")
    await until_shared(page, "area")


async def test_a_map_is_dark_where_the_person_wants_it_dark_and_follows_a_change(consoles: Consoles) -> None:
    async with consoles.window(WALL, color_scheme="dark") as desk:
        page = await open_map(desk, PLACES)
        await until_shared(page, "land", 0.3)
        await picture(page, "map-dark")
        assert await barriers(page) == []
        await page.emulate_media(color_scheme="light")
        await until_shared(page, "land", 0.3)
        desk.check_quiet()


async def test_a_map_on_paper_is_light_and_whole(consoles: Consoles, tmp_path: Path) -> None:
    async with consoles.window(color_scheme="dark") as desk:
        page = await open_map(desk, PLACES)
        await page.pdf(path=tmp_path / "map.pdf", print_background=True)
        with PdfDocument(tmp_path / "map.pdf") as paper:
            image = paper[0].render(scale=1).to_pil().convert("RGB")
            text = paper[0].get_textpage().get_text_range()
        image.save(tmp_path / "map.png")

        middle = [image.getpixel((image.width // 2, down)) for down in range(0, image.height, 4)]
        land = [
            one for one in middle if isinstance(one, tuple) and min(one) > 0xE8 and one != (255, 255, 255)
        ]
        assert len(land) > 30
        # The point farthest to the east, too.
        right = image.crop((image.width // 2, 0, image.width, image.height))
        colours = right.getcolors(right.width * right.height) or []
        assert sum(many for many, colour in colours if colour == PLAIN) > 20
        assert "Zoom" not in text
        assert "Keys on the map" not in text
        await until_shared(page, "land", 0.3)  # dark again
        desk.check_quiet()


async def test_tiles_come_from_the_server_that_was_set_and_from_no_other(consoles: Consoles) -> None:
    async with consoles.window() as desk:
        asked: list[str] = []

        async def tile(route: Route) -> None:
            asked.append(route.request.url)
            await route.fulfill(body=TILE, content_type="image/png")

        await desk.context.route("https://tiles.example.test/**", tile)
        page = await open_map(desk, PLACES, TILES)
        assert asked
        assert all(one.startswith("https://tiles.example.test/") and one.endswith(".png") for one in asked)
        assert await middle(page) == COLOUR
        desk.check_quiet()

        asked.clear()
        await open_map(desk, PLACES, TILES, allowed="")
        assert asked == []
        assert await middle(page) != COLOUR
        await until_shared(page, "land", 0.3)
        assert any("tiles.example.test" in one for one in desk.problems)
