"""The dispatch board: alerts that are seen, heard and worked without a mouse, over whatever link there is."""

import asyncio
import re
from pathlib import Path
from uuid import UUID, uuid4

import pytest
import pytest_asyncio
from playwright.async_api import Locator, Page, expect
from pypdfium2 import PdfDocument

from alpr.type.v1 import hit_pb2
from tests.support.access_stack import World
from tests.support.browser import PHONE, WALL, Consoles, Desk, barriers, picture
from tests.support.browser_alerts import acknowledged, enrolled, hit, plate, raised
from tests.support.browser_console import running_console

pytestmark = pytest.mark.asyncio(loop_scope="session")
expect.set_options(timeout=30_000)

_HOSTILE = '"><script>document.title = "taken"</script>{{ 7 * 7 }}'
# People of these tests alone: an account has few sign-ins at the same time.
_DISPATCHER = "board-dispatcher"
_OFFICER = "board-officer"
_CARRIER = "board-carrier"
# Works elsewhere than at the console, where nobody signs out: one of each run.
_COLLEAGUE = f"board-colleague-{uuid4().hex[:8]}"
# What the page plays, by the pitches of its tones.
_LISTEN = """
const start = OscillatorNode.prototype.start;
OscillatorNode.prototype.start = function (at) {
  const { dataset } = document.documentElement;
  dataset.heard = `${dataset.heard ?? ""} ${this.frequency.value}`;
  start.call(this, at);
};
"""


@pytest_asyncio.fixture(scope="session", loop_scope="session", autouse=True)
async def people(world: World, folder: Path) -> None:
    """A dispatcher, two officers, and one of Motor Carrier Safety."""
    officers = [(_OFFICER, "user"), (_COLLEAGUE, "user"), (_CARRIER, "cveo")]
    await enrolled(folder, [(_DISPATCHER, "telecom-center"), *officers])


def _row(page: Page, alert_id: str) -> Locator:
    return page.locator(f"#row-{alert_id}")


async def _follows(page: Page) -> None:
    """The feed has begun; what is raised from now on comes behind what it tells of before."""
    await expect(page.locator("#link")).to_have_attribute("data-state", re.compile("live|catching-up"))


async def _live(page: Page) -> None:
    await expect(page.locator("#link")).to_have_text("Live")


@pytest.mark.clause("II.A", "IV.D.3")
async def test_an_alert_comes_by_itself_and_says_first_what_is_doubtful_and_that_nobody_has_verified_it(
    world: World, consoles: Consoles
) -> None:
    async with consoles.at(_DISPATCHER, "/board") as desk:
        await _live(desk.page)
        read = plate()
        doubt = hit_pb2.HIT_WARNING_LOOK_ALIKE
        (alert_id,) = await raised(world, hit(read, listed=read[:-1] + "?", warnings=(doubt,)))

        row = _row(desk.page, alert_id)
        await expect(row).to_contain_text("UNVERIFIED", use_inner_text=True)
        await expect(row).to_contain_text("Doubtful: look alike")
        await expect(row.locator("mark")).to_have_text("?")
        await expect(desk.page.locator("#news")).to_contain_text("urgent alert, unverified: stolen vehicle")
        await picture(desk.page, "board", whole=False)
        assert read not in desk.page.url + await desk.page.title()
        assert await desk.page.evaluate("localStorage.length + sessionStorage.length") == 0
        desk.check_quiet()
        assert await barriers(desk.page) == []


async def test_texts_of_an_alert_are_shown_and_never_obeyed(world: World, consoles: Consoles) -> None:
    async with consoles.at(_DISPATCHER, "/board") as desk:
        await _follows(desk.page)
        made = hit(plate(), hot_list_name=_HOSTILE, listed='"><b>', state="<i")
        made.captured_read.read.place.description = _HOSTILE
        made.captured_read.read.sensor_id = _HOSTILE
        (alert_id,) = await raised(world, made)

        row = _row(desk.page, alert_id)
        await expect(row.locator(".r-listed")).to_contain_text(_HOSTILE)
        await expect(row.locator(".r-where")).to_contain_text(_HOSTILE)
        assert await row.locator("script, b, i").count() == 0
        assert "taken" not in await desk.page.title()
        desk.check_quiet()


@pytest.mark.clause("IV.D.3")
async def test_a_dispatcher_works_an_alert_without_a_mouse_and_the_desk_beside_sees_it(
    world: World, consoles: Consoles
) -> None:
    async with (
        consoles.at(_DISPATCHER, "/board") as desk,
        consoles.at(_OFFICER, "/board") as other,
    ):
        await _follows(desk.page)
        await _follows(other.page)
        first, second = await raised(world, hit(), hit())
        await expect(_row(desk.page, first)).to_be_visible()
        await desk.page.keyboard.press("j")
        await desk.page.keyboard.press("j")
        selected = await desk.page.evaluate("document.activeElement.parentElement.dataset.alert")
        await raised(world, hit())
        assert selected in {first, second}
        await desk.page.keyboard.press("a")

        await expect(_row(desk.page, selected)).to_contain_text("unverified ")
        await expect(_row(other.page, selected)).to_contain_text("unverified ")
        await expect(_row(other.page, selected)).not_to_contain_text("unseen")
        await desk.page.keyboard.press("Enter")
        opened = desk.page.locator(f"#pane [data-alert='{UUID(selected)}']")
        await expect(opened).to_be_focused()
        await desk.page.keyboard.press("Escape")
        await expect(_row(desk.page, selected).locator("a")).to_be_focused()
        await desk.page.keyboard.press("?")
        await expect(desk.page.locator("#keys")).to_be_visible()
        assert await barriers(desk.page) == []


@pytest.mark.clause("IV.D.2", "IV.D.3")
async def test_each_category_has_a_sound_that_stops_when_somebody_has_acknowledged(
    world: World, consoles: Consoles
) -> None:
    async with consoles.window() as desk:
        await desk.page.add_init_script(_LISTEN)
        await consoles.sign_in(desk, _DISPATCHER, "/board")
        await _follows(desk.page)
        await desk.page.keyboard.press("Tab")
        await expect(desk.page.locator("#sound")).to_have_text("Sound is on: turn off")
        await desk.page.click("text=Test sounds")
        tones = {name: await _tones(desk, name) for name in ("amber", "felony", "stolen plate", "wanted")}
        await desk.page.keyboard.press("Escape")
        assert len(set(tones.values())) == len(tones)

        # What an earlier run left would go on sounding.
        left = desk.page.locator("#alerts .unseen", has_text="amber")
        for other in await left.evaluate_all("(rows) => rows.map((one) => one.dataset.alert)"):
            await acknowledged(world, other, _COLLEAGUE)
        await expect(left).to_have_count(0)
        await _hush(desk)
        (alert_id,) = await raised(world, hit(category=hit_pb2.HOT_LIST_CATEGORY_AMBER))
        # It sounds again until somebody has seen it.
        again = re.compile(f"{tones['amber']}.*{tones['amber']}")
        await expect(_ear(desk)).to_have_attribute("data-heard", again)
        await acknowledged(world, alert_id, _COLLEAGUE)
        await expect(_row(desk.page, alert_id)).not_to_contain_text("unseen")
        await _hush(desk)
        await asyncio.sleep(6.5)
        assert tones["amber"] not in (await _ear(desk).get_attribute("data-heard") or "")
        await desk.sign_out()


async def _tones(desk: Desk, name: str) -> str:
    """What the button plays; read at once, for the board may ring by itself before and after."""
    played = await desk.page.evaluate(
        """async (name) => {
          const { dataset } = document.documentElement;
          dataset.heard = "";
          document.querySelector(`[data-tone="${name}"]`).click();
          while (!dataset.heard) await new Promise((done) => setTimeout(done));
          return dataset.heard;
        }""",
        name,
    )
    return str(played)


async def _hush(desk: Desk) -> None:
    await desk.page.evaluate("document.documentElement.dataset.heard = ''")


def _ear(desk: Desk) -> Locator:
    return desk.page.locator("html")


@pytest.mark.clause("IV.D.3")
async def test_a_board_on_a_dead_link_says_so_and_misses_nothing(
    world: World, consoles: Consoles, folder: Path
) -> None:
    async with running_console(folder) as console:
        there = Consoles(consoles.browser, console.url, consoles.secret_file)
        async with there.at(_DISPATCHER, "/board") as desk:
            await _follows(desk.page)
            # Cables that are pulled say nothing; whoever comes anew is turned away.
            console.link.silence()
            console.link.is_shut = True
            made = await raised(world, *(hit() for _ in range(5)))
            await expect(desk.page.locator("#link")).to_contain_text("Stale since")
            await picture(desk.page, "board-stale", whole=False)
            assert await barriers(desk.page) == []
            console.link.cut()
            console.link.is_shut = False

            await _live(desk.page)
            for alert_id in made:
                await expect(_row(desk.page, alert_id)).to_have_count(1)


@pytest.mark.clause("IV.D.3")
async def test_a_board_goes_on_at_another_replica_when_its_own_is_gone(
    world: World, consoles: Consoles, folder: Path
) -> None:
    async with running_console(folder) as console:
        other = Consoles(consoles.browser, console.url, consoles.secret_file)
        async with other.at(_DISPATCHER, "/board") as desk:
            await _follows(desk.page)
            made = await raised(world, hit())
            for end in (console.kill, console.stop):
                await end()
                made += await raised(world, hit(), hit())
                await console.start()
                await _follows(desk.page)
            for alert_id in made:
                await expect(_row(desk.page, alert_id)).to_have_count(1)


@pytest.mark.clause("IV.D.2")
async def test_no_choice_on_the_board_takes_away_what_always_comes(world: World, consoles: Consoles) -> None:
    async with consoles.at(_DISPATCHER, "/board") as desk:
        await _follows(desk.page)
        await desk.page.click("summary")
        async with desk.page.expect_request(lambda one: "category=" in one.url, timeout=60_000):
            for box in await desk.page.locator("[name=category]").all():
                await box.uncheck()
        wanted, stolen = await raised(world, hit(category=hit_pb2.HOT_LIST_CATEGORY_WANTED), hit())
        await expect(_row(desk.page, stolen)).to_be_visible()
        assert await _row(desk.page, wanted).count() == 0

        await desk.page.select_option("#show", "unseen")
        await expect(_row(desk.page, stolen)).to_be_visible()
        await acknowledged(world, stolen, _COLLEAGUE)
        await expect(_row(desk.page, stolen)).to_be_hidden()


@pytest.mark.clause("II.H")
async def test_alerts_of_motor_carrier_safety_are_on_the_boards_of_its_officers_and_on_no_other(
    world: World, consoles: Consoles
) -> None:
    async with consoles.at(_CARRIER, "/board") as officer, consoles.at(_OFFICER, "/board") as desk:
        await _follows(officer.page)
        await _follows(desk.page)
        suspended = hit_pb2.HOT_LIST_CATEGORY_SUSPENDED
        theirs, general = await raised(
            world, hit(category=suspended, source=hit_pb2.HOT_LIST_SOURCE_FEDERAL_DOT), hit()
        )
        await expect(_row(officer.page, theirs)).to_be_visible()
        await expect(_row(desk.page, general)).to_be_visible()
        assert await _row(officer.page, general).count() == 0
        assert await _row(desk.page, theirs).count() == 0


async def test_who_may_not_follow_alerts_reads_why(consoles: Consoles) -> None:
    async with consoles.at("the-auditor", "/board") as desk:
        await expect(desk.page.locator("#said")).not_to_be_empty()
        assert await desk.page.locator("#alerts li").count() == 0


async def test_nothing_stays_on_a_board_whose_screen_is_locked_in_another_window(
    world: World, consoles: Consoles
) -> None:
    async with consoles.at(_OFFICER, "/board") as desk:
        await _follows(desk.page)
        window = await desk.context.new_page()
        await window.goto(f"{desk.url}/")
        await window.click("text=Lock")
        await expect(desk.page.locator("h1")).to_have_text("Locked")
        assert await desk.page.locator("#alerts").count() == 0


async def test_nothing_stays_on_a_board_whose_sign_in_was_ended_elsewhere(
    world: World, consoles: Consoles
) -> None:
    async with consoles.at("the-cveo-supervisor", "/board") as desk:
        await _follows(desk.page)
        async with consoles.at("the-cveo-supervisor", "/sign-ins") as other:
            there = other.page.locator("section", has_not_text="this one")
            await there.get_by_role("button", name="End it").first.click()
            await expect(desk.page.locator("#said")).not_to_be_empty()
            assert await desk.page.locator("#alerts li").count() == 0


async def test_the_board_can_be_read_on_a_phone_in_the_dark_and_on_a_wall(
    world: World, consoles: Consoles
) -> None:
    await raised(world, hit(warnings=(hit_pb2.HIT_WARNING_OLD_LIST,)))
    async with consoles.at(_DISPATCHER, "/board", PHONE, color_scheme="dark") as desk:
        await _follows(desk.page)
        await picture(desk.page, "board-phone", whole=False)
        assert await barriers(desk.page) == []
        assert await desk.page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
        await desk.page.set_viewport_size({"width": WALL["width"], "height": WALL["height"]})
        await desk.open("/board?wall=1")
        await _follows(desk.page)
        await picture(desk.page, "board-wall", whole=False)
        assert await barriers(desk.page) == []
        assert await desk.page.locator(".top").is_hidden()


@pytest.mark.clause("II.A")
async def test_every_alert_of_a_long_board_is_read_out_and_printed_wherever_the_screen_is(
    world: World, consoles: Consoles, tmp_path: Path
) -> None:
    plates = [plate() for _ in range(40)]
    async with consoles.at(_DISPATCHER, "/board", PHONE, color_scheme="dark") as desk:
        await _follows(desk.page)
        wanted = hit_pb2.HOT_LIST_CATEGORY_WANTED
        made = await raised(world, *(hit(one, category=wanted) for one in plates))
        for alert_id in made:
            await expect(_row(desk.page, alert_id)).to_have_count(1)

        heard = await _read_out(desk.page)
        assert [one for one in plates if not any(one in link for link in heard)] == []
        # Nothing moves: a thousand marks that did would leave no time for what keys ask.
        assert await desk.page.evaluate("document.getAnimations().length") == 0
        sheets = await _sheets(desk.page, tmp_path / "board.pdf")
        assert [one for one in plates if not any(one in sheet for sheet in sheets)] == []
        assert len(sheets) > 1
        for sheet in sheets:
            assert "UNVERIFIED: confirm with LEADS/NCIC before any action" in sheet
        assert "As of " in sheets[0]


async def _read_out(page: Page) -> list[str]:
    """What a screen reader finds as the names of links: of what is far from the screen, too."""
    wire = await page.context.new_cdp_session(page)
    nodes = (await wire.send("Accessibility.getFullAXTree"))["nodes"]
    await wire.detach()
    return [one["name"]["value"] for one in nodes if one.get("role", {}).get("value") == "link"]


async def _sheets(page: Page, file: Path) -> list[str]:
    await page.pdf(path=file, format="Letter")
    with PdfDocument(file) as paper:
        return [" ".join(one.get_textpage().get_text_range().split()) for one in paper]


async def test_boards_of_one_browser_each_get_every_alert_and_one_too_many_says_so_until_there_is_room(
    world: World, consoles: Consoles
) -> None:
    async with consoles.at(_DISPATCHER, "/board") as desk:
        others = [await desk.context.new_page() for _ in range(4)]
        boards = [desk.page, *others[:3]]
        for page in others:
            await page.goto(f"{desk.url}/board?wall=1")
            if page is not others[3]:
                await _follows(page)
        waiting = others[3]
        await expect(waiting.locator("#said")).to_contain_text(
            "Four pages of this browser follow alerts already"
        )
        await expect(waiting.locator("#link")).to_have_text("Not connected")
        await expect(waiting.locator("#counts, #none")).to_have_count(2)
        await expect(waiting.locator("#counts:visible, #none:visible")).to_have_count(0)
        (alert_id,) = await raised(world, hit())
        for page in boards:
            await expect(_row(page, alert_id)).to_be_visible()
        assert await _row(waiting, alert_id).count() == 0
        await picture(waiting, "board-too-many", whole=False)

        await boards[1].close()
        await expect(_row(waiting, alert_id)).to_be_visible()
        await expect(waiting.locator("#said")).to_be_hidden()


_SHARED = """
Object.defineProperty(PerformanceResourceTiming.prototype, "nextHopProtocol", { get: () => "h2" });
"""


async def test_where_one_connection_carries_every_stream_no_board_waits(consoles: Consoles) -> None:
    async with consoles.at(_OFFICER, "/board") as desk:
        # As behind a gateway that speaks HTTP/2.
        await desk.context.add_init_script(_SHARED)
        boards = [await desk.context.new_page() for _ in range(4)]
        for page in boards:
            await page.goto(f"{desk.url}/board")
            await _follows(page)
