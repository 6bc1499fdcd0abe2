"""An alert from sight to its end in two browsers at once, by keys: a board, and a patrol car's phone."""

import re
from dataclasses import dataclass

import pytest
from playwright.async_api import Locator, Page, expect

from alpr.alerts.v1 import alert_service_pb2 as pb
from tests.support.access_stack import World
from tests.support.alert_pages import Staff, asked, car, goes_unanswered, new_id, pictured
from tests.support.browser import PHONE, Consoles, barriers, picture
from tests.support.browser_alerts import acknowledged, plate, raised

pytestmark = pytest.mark.asyncio(loop_scope="session")
expect.set_options(timeout=20_000)
# What the page plays, by the pitches of its tones.
_LISTEN = """() => {
  const start = OscillatorNode.prototype.start;
  OscillatorNode.prototype.start = function (at) {
    const { dataset } = document.documentElement;
    dataset.heard = `${dataset.heard ?? ""} ${this.frequency.value}`;
    start.call(this, at);
  };
}"""
_NEAR = {"latitude": 41.8815, "longitude": -87.6322}


@dataclass
class Story:
    """An alert, the dispatcher's board, the crew's phone, and the car's call sign."""

    alert_id: str
    board: Page
    phone: Page
    sign: str

    @property
    def row(self) -> Locator:
        return self.board.locator(f"#row-{self.alert_id}")

    async def keys(self, *keys: str) -> None:
        """The dispatcher presses keys: names of one, or a text with blanks before and after."""
        for one in keys:
            if one.startswith(" "):
                await self.board.keyboard.type(one.strip())
            else:
                await self.board.keyboard.press(one)

    async def crew_goes_to(self, target: Locator) -> None:
        """The crew presses Tab until `target` has the focus."""
        for _ in range(100):
            await self.phone.keyboard.press("Tab")
            if await target.evaluate("one => one === document.activeElement"):
                return
        raise AssertionError("no number of tabs leads there")


@pytest.mark.clause("II.A", "III.D.4", "IV.D.3", "IV.D.4")
async def test_a_dispatcher_and_a_crew_work_an_alert_to_its_end_by_keys_and_each_sees_what_the_other_does(
    world: World, people: Staff, consoles: Consoles
) -> None:
    sign = f"S-{new_id()[:6].upper()}"
    async with (
        car(world, people, sign),
        consoles.at(people.centre.subject, "/board") as desk,
        consoles.at(
            people.officer.subject, "/patrol", PHONE, geolocation=_NEAR, permissions=["geolocation"]
        ) as crew,
    ):
        await expect(desk.page.locator("#link")).to_have_text("Live")
        await expect(crew.page.locator("#link")).to_contain_text("Live")
        await _is_heard_from_now_on(crew.page)
        (alert_id,) = await raised(world, pictured(plate()))
        story = Story(alert_id, desk.page, crew.page, sign)

        await _is_verified(story)
        await _is_told(story)
        await _is_on_the_way(story)
        await _is_closed(story)
        await _is_read_by_the_crew(story)

        asks = pb.GetAlertRequest(request_id=new_id(), alert_id=alert_id)
        *_, last = (await asked(world, people.officer, "GetAlert", asks)).history
        assert (last.disposition, last.reported_by) == (pb.DISPOSITION_STOPPED, sign)
        assert last.by_telecom_center
        desk.check_quiet()
        crew.check_quiet()


async def _is_heard_from_now_on(phone: Page) -> None:
    """A browser lets no page sound before somebody touched it."""
    await phone.evaluate(_LISTEN)
    await phone.keyboard.press("Tab")
    await expect(phone.locator("#sound")).to_have_text("Sound is on: turn off")


async def _is_verified(story: Story) -> None:
    """Acknowledged and confirmed with the id of the answer of LEADS, from the list."""
    await expect(story.row).to_contain_text("unseen")
    await story.keys("j")
    await expect(story.row.locator("a")).to_be_focused()
    await story.keys("a")
    await expect(story.row).not_to_contain_text("unseen")
    await story.keys("l")
    await expect(story.board.locator("#leads code")).to_be_visible()
    await expect(story.board.locator("#f-answer-state")).to_be_focused()
    await story.keys("Escape", "c", " LEADS ", "Tab", " R-2611 ", "Enter")
    await expect(story.board.locator("#pane .standing strong")).to_have_text("CONFIRMED")
    await expect(story.row).to_contain_text("confirmed")


async def _is_told(story: Story) -> None:
    """The car is near, is proposed, and gets the message."""
    await story.keys("b")
    near = story.board.locator(".alert-cars fieldset p", has_text=story.sign)
    await expect(near.locator("input")).to_be_checked()
    await story.keys("Enter")
    await expect(story.board.locator("#pane .said")).to_have_text("The cars are told.")
    message = story.phone.locator("[data-message]")
    await expect(message.locator(".standing strong")).to_have_text("CONFIRMED")
    await expect(story.phone.locator("html")).to_have_attribute("data-heard", re.compile(r"\d"))


async def _is_on_the_way(story: Story) -> None:
    """The crew goes, and says where it is; the dispatcher reads both."""
    await story.crew_goes_to(story.phone.get_by_role("button", name="We are on the way"))
    await story.phone.keyboard.press("Enter")
    await expect(story.phone.locator("#messages")).to_contain_text("Nothing waits.")
    await story.crew_goes_to(story.phone.get_by_role("button", name="Use this device's position"))
    async with story.phone.expect_response("**/patrol/position"):
        await story.phone.keyboard.press("Enter")
    await expect(story.phone.locator("#link")).to_contain_text("Live")
    await story.keys("h")
    heard = story.board.locator(".alert-cars tbody tr", has_text=story.sign)
    await expect(heard.locator("td").last).to_contain_text("yes")
    await story.keys("b")
    near = story.board.locator(".alert-cars fieldset p", has_text=story.sign)
    await expect(near).to_contain_text("told already")


async def _is_closed(story: Story) -> None:
    """What the crew says by radio is recorded at the board by a key."""
    await story.keys("Escape", "Escape")
    await expect(story.row.locator("a")).to_be_focused()
    await story.keys("d")
    await expect(story.board.locator("#f-dispose-disposition")).to_be_focused()
    await story.keys(" stop ", "Tab", " 26-2611 ", "Tab", f" {story.sign} ", "Enter")
    await expect(story.board.locator("#pane .closed")).to_have_text("Closed: stopped")
    told = (
        f"stopped, report 26-2611, reported by {story.sign}, recorded at the telecommunication centre by you"
    )
    await expect(story.board.locator(".alert-history li").last).to_contain_text(told)
    # An Enter too many tells nobody anything.
    await expect(story.board.locator("#pane article")).to_be_focused()
    await expect(story.row).to_be_hidden()
    await picture(story.board, "dispatch-closed", whole=False)
    assert await barriers(story.board) == []


async def _is_read_by_the_crew(story: Story) -> None:
    """The crew reads what was recorded of it, and who did."""
    await expect(story.phone.locator("[data-message] .closed")).to_have_text("Closed: stopped")
    await picture(story.phone, "dispatch-crew")
    assert await barriers(story.phone) == []
    await story.crew_goes_to(story.phone.get_by_role("link", name="Open the alert"))
    await story.phone.keyboard.press("Enter")
    told = f"reported by {story.sign}, recorded at the telecommunication centre by account"
    await expect(story.phone.locator(".alert-history li").last).to_contain_text(told)


@pytest.mark.clause("IV.D.3")
async def test_what_nobody_answers_in_time_comes_in_by_itself_and_goes_when_the_centre_has_answered(
    world: World, people: Staff, consoles: Consoles
) -> None:
    read = plate()
    (alert_id,) = await raised(world, pictured(read))
    async with (
        consoles.at(people.centre.subject, "/board") as desk,
        consoles.at("the-work-unit-coordinator", "/alerts/late", PHONE) as above,
    ):
        await desk.page.get_by_role("link", name="Not answered").click()
        await expect(desk.page.locator("#link")).to_contain_text("Live")
        await goes_unanswered(world, alert_id)
        for window in (desk, above):
            late = window.page.locator("#late section", has_text=read)
            await expect(late).to_contain_text("UNVERIFIED")
            await expect(late).to_contain_text("not acknowledged")
            assert read not in window.page.url + await window.page.title()
            assert await barriers(window.page) == []
        await picture(desk.page, "late")
        await picture(above.page, "late-phone")
        assert await above.page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
        assert await above.page.get_by_role("link", name="Open the alert").count() == 0

        await acknowledged(world, alert_id, people.centre.subject)
        for window in (desk, above):
            await expect(window.page.locator("#late section", has_text=read)).to_have_count(0)
        desk.check_quiet()
        above.check_quiet()
    async with consoles.at(people.officer.subject, "/alerts/late") as officer:
        await expect(officer.page.locator("main")).to_contain_text("Refused")
