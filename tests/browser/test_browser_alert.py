"""The page of one alert: doubts first, plates side by side, every act by key and by form, nothing twice."""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Page, Route, expect

from alpr.alerts.v1 import alert_service_pb2 as pb
from alpr.type.v1 import hit_pb2, notice_pb2
from tests.support.access_stack import World
from tests.support.alert_pages import Staff, a_day_passes, asked, car, new_id, pictured
from tests.support.browser import PHONE, WALL, Consoles, Desk, barriers, picture
from tests.support.browser_alerts import hit, plate, raised

pytestmark = pytest.mark.asyncio(loop_scope="session")
expect.set_options(timeout=20_000)
_HOSTILE = '"><script>document.title="x"</script><img src=x onerror=alert(1)>'


@dataclass
class Counter:
    """A dispatcher at the console, and what the test needs besides."""

    world: World
    people: Staff
    desk: Desk

    @property
    def page(self) -> Page:
        return self.desk.page

    async def opened(self, *hits: pb.Hit) -> str:
        """Id of a new alert, whose page is open."""
        (alert_id,) = await raised(self.world, *(hits or (pictured(plate()),)))
        await self.desk.open(f"/alerts/{alert_id}")
        return alert_id

    async def alert(self, alert_id: str, who: Any = None) -> pb.GetAlertResponse:
        """What the service says of it."""
        request = pb.GetAlertRequest(request_id=new_id(), alert_id=alert_id)
        answer: pb.GetAlertResponse = await asked(self.world, who or self.people.officer, "GetAlert", request)
        return answer

    async def verified(self, alert_id: str, state: Any, **more: str) -> None:
        """The officer takes a step elsewhere."""
        step = pb.VerifyAlertRequest(request_id=new_id(), alert_id=alert_id, state=state, **more)
        await asked(self.world, self.people.officer, "VerifyAlert", step)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def counter(world: World, people: Staff, consoles: Consoles) -> AsyncIterator[Counter]:
    async with consoles.at(people.centre.subject) as desk:
        yield Counter(world, people, desk)
        desk.check_quiet()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def officer(people: Staff, consoles: Consoles) -> AsyncIterator[Desk]:
    """Another window, of an officer."""
    async with consoles.at(people.officer.subject) as desk:
        yield desk
        desk.check_quiet()


def _doubtful() -> tuple[pb.Hit, str, str]:
    read = "K3" + plate()[2:]
    listed = read[:1] + "8" + read[2:]
    warnings = (
        hit_pb2.HIT_WARNING_LOOK_ALIKE,
        hit_pb2.HIT_WARNING_STATE_MISMATCH,
        hit_pb2.HIT_WARNING_OLD_LIST,
    )
    made = pictured(read, listed=listed, warnings=warnings, state="WI", plate_type="MC")
    made.matches[0].entry.vehicle.make = "DODG"
    return made, read, listed


@pytest.mark.clause("II.A", "IV.C.2")
async def test_reasons_to_doubt_and_unverified_stand_before_the_plates_with_what_differs_marked(
    counter: Counter,
) -> None:
    hit, read, listed = _doubtful()

    await counter.opened(hit)

    page, text = counter.page, await counter.page.inner_text("article")
    order = [
        text.index(word) for word in ("UNVERIFIED", "LOOK ALIKE", "STATE MISMATCH", "OLD LIST", read, listed)
    ]
    assert order == sorted(order)
    assert await page.locator(".letters mark").all_inner_texts() == ["3", "8"]
    assert await page.locator(".state mark").all_inner_texts() == ["WI"]
    assert "character 2: read 3, listed 8" in text
    assert await page.locator("#leads code").text_content() == f"LIC/{listed}.LIS/WI.LIT/MC"
    assert read not in page.url
    assert await page.title() == "Alert"
    shown = await page.eval_on_selector_all(".pictures img", "all => all.map(one => one.naturalWidth)")
    assert shown == [240, 640]
    await picture(page, "alert")
    assert await barriers(page) == []


@pytest.mark.clause("II.A", "III.D.4", "IV.D.3", "IV.D.4")
async def test_an_alert_is_worked_from_sight_to_disposition_without_a_mouse_at_two_desks(
    counter: Counter, officer: Desk
) -> None:
    hit, _, _ = _doubtful()
    alert_id = await counter.opened(hit)
    keyboard, page = counter.page.keyboard, counter.page

    await keyboard.press("a")
    await expect(page.locator(".fact")).to_have_text("Acknowledged")
    await keyboard.press("v")
    await expect(page.locator(".standing strong")).to_have_text("UNVERIFIED, BEING VERIFIED")
    await keyboard.press("c")
    await keyboard.type("LEADS")
    await keyboard.press("Tab")
    await keyboard.type("R-abcdln")
    await keyboard.press("Enter")
    await expect(page.locator(".standing strong")).to_have_text("CONFIRMED")
    await officer.open(f"/alerts/{alert_id}")
    await officer.page.keyboard.press("d")
    await officer.page.keyboard.type("stop")
    await officer.page.keyboard.press("Tab")
    await officer.page.keyboard.type("26-17")
    await officer.page.keyboard.press("Enter")
    await expect(officer.page.locator(".closed")).to_have_text("Closed: stopped")
    await keyboard.press("r")
    await expect(page.locator(".closed")).to_have_text("Closed: stopped")

    history = (await counter.alert(alert_id)).history
    assert [(one.verification_state, one.disposition, one.response_id) for one in history] == [
        (notice_pb2.VERIFICATION_STATE_NEW, 0, ""),
        (notice_pb2.VERIFICATION_STATE_VERIFYING, 0, ""),
        (notice_pb2.VERIFICATION_STATE_CONFIRMED, 0, "R-abcdln"),
        (notice_pb2.VERIFICATION_STATE_CONFIRMED, pb.DISPOSITION_STOPPED, ""),
    ]
    steps = await page.locator(".alert-history li").all_inner_texts()
    assert [re.search("acknowledged|verifying|confirmed|stopped", one)[0] for one in steps] == [  # type: ignore[index]
        "acknowledged",
        "verifying",
        "confirmed",
        "stopped",
    ]
    assert [one.endswith("you") for one in steps] == [True, True, True, False]
    await picture(page, "alert-closed")


@pytest.mark.clause("III.D.4")
async def test_enforcement_before_a_confirmation_is_refused_in_place_and_what_was_typed_stays(
    counter: Counter, officer: Desk
) -> None:
    (alert_id,) = await raised(counter.world, pictured(plate()))
    await officer.open(f"/alerts/{alert_id}")
    page = officer.page

    await page.keyboard.press("d")
    await page.select_option("#f-dispose-disposition", label="arrest")
    await page.fill("#f-dispose-report_number", "26-18")
    await page.click("text=Record what was done")

    refusal = page.locator("#close .refusal")
    await expect(refusal).to_contain_text(re.compile("confirm", re.I))
    await expect(refusal).to_be_focused()
    await expect(page.locator("#f-dispose-report_number")).to_have_value("26-18")
    assert (await counter.alert(alert_id)).alert.disposition == 0
    await picture(page, "alert-refused")
    assert await barriers(page) == []


@pytest.mark.clause("III.D.4")
async def test_a_confirmation_without_the_answers_id_is_refused_at_its_field(counter: Counter) -> None:
    await counter.opened()
    page = counter.page

    await page.keyboard.press("n")
    await page.keyboard.press("Enter")

    field = page.locator("#f-answer-response_id")
    await expect(field).to_have_attribute("aria-invalid", "true")
    wrong = page.locator(f"#{await field.get_attribute('aria-describedby')}")
    await expect(wrong).to_contain_text(re.compile("required|needed|missing|say", re.I))
    await expect(page.locator("#f-answer-state")).to_have_value("4")


async def test_a_double_click_and_a_lost_answer_record_an_act_once(counter: Counter) -> None:
    alert_id = await counter.opened()
    page = counter.page
    lost = 0

    async def swallowed(route: Route) -> None:
        nonlocal lost
        lost += 1
        await route.fetch()
        await route.abort()

    await page.route("**/acknowledge", swallowed, times=1)
    await page.get_by_role("button", name="Acknowledge").click()
    await expect(page.locator(".said")).to_contain_text("Press again")
    await page.get_by_role("button", name="Acknowledge").dblclick()
    await expect(page.locator(".fact")).to_be_visible()

    assert lost == 1
    assert len((await counter.alert(alert_id)).history) == 1


async def test_what_a_colleague_does_comes_in_and_leaves_what_is_being_typed(counter: Counter) -> None:
    alert_id = await counter.opened()
    page = counter.page
    await page.keyboard.press("c")
    await page.keyboard.type("LEADS, day")

    await counter.verified(alert_id, notice_pb2.VERIFICATION_STATE_VERIFYING)
    await page.evaluate(
        "import('/static/alert.js').then(it => it.work(document.querySelector('main')).again())"
    )

    await expect(page.locator(".standing strong")).to_have_text("UNVERIFIED, BEING VERIFIED")
    await expect(page.locator("#f-answer-system")).to_have_value("LEADS, day")
    await expect(page.locator("#f-answer-system")).to_be_focused()


@pytest.mark.clause("IV.D.3")
async def test_the_centre_tells_the_cars_it_chooses_and_sees_who_has_heard(counter: Counter) -> None:
    world, people, page = counter.world, counter.people, counter.page
    sign = f"T-{new_id()[:6].upper()}"
    async with car(world, people, sign):
        alert_id = await counter.opened()
        await page.keyboard.press("b")
        near = page.locator(".alert-cars fieldset p", has_text=sign)
        await expect(near.locator("input")).to_be_checked()
        await expect(near).to_contain_text("km away")
        await picture(page, "alert-cars")
        assert await barriers(page) == []
        await page.keyboard.press("Enter")
        await expect(page.locator(".said")).to_have_text("The cars are told.")
        await counter.verified(alert_id, notice_pb2.VERIFICATION_STATE_VERIFYING)
        await page.keyboard.press("h")
        rows = page.locator(".alert-cars tbody tr", has_text=sign)
        await expect(rows).to_have_count(2)
        said = [await one.inner_text() for one in await rows.all()]
        assert [one.split("\t")[1] for one in said] == ["alert", "verifying"]
        await page.click("text=Call them off")
        await expect(page.locator(".said")).to_have_text("The cars are told to stand down.")
        await page.keyboard.press("h")
        await expect(rows).to_have_count(3)


async def test_without_script_every_act_is_a_form_with_a_page_for_an_answer(
    counter: Counter, consoles: Consoles, people: Staff
) -> None:
    (alert_id,) = await raised(counter.world, pictured(plate()))
    async with consoles.at(people.officer.subject, f"/alerts/{alert_id}", java_script_enabled=False) as desk:
        await desk.page.get_by_role("button", name="Acknowledge").click()
        assert await desk.page.locator(".fact").inner_text() == "Acknowledged"
        await desk.page.click("#leads summary")
        await desk.page.select_option("#f-answer-state", "5")
        await desk.page.click("text=Record the answer")
        assert await desk.page.locator(".standing strong").inner_text() == "MISREAD"
        assert desk.page.url.endswith(f"/alerts/{alert_id}")
        assert await desk.page.locator(".alert-cars").count() == 0
    assert (await counter.alert(alert_id)).alert.notice.verification_state == 5


@pytest.mark.clause("IV.C.5", "IV.C.6", "IV.E.2")
async def test_an_alert_of_more_than_a_day_ago_opens_after_case_number_and_purpose(counter: Counter) -> None:
    (alert_id,) = await raised(counter.world, pictured(plate()))
    await a_day_passes(counter.world, alert_id)
    page = counter.page

    await counter.desk.open(f"/alerts/{alert_id}")
    assert await page.locator("article img").count() == 0
    assert await barriers(page) == []
    await page.select_option("#f-case_number_kind", label="CAD")
    await page.fill("#f-case_number", "2026-00417")
    await page.select_option("#f-offence_code", index=1)
    await page.fill("#f-purpose", "patrol")
    await page.get_by_role("button", name="Open it").click()
    await expect(page.locator("#f-purpose")).to_have_attribute("aria-invalid", "true")
    await expect(page.locator("#f-case_number")).to_have_value("2026-00417")
    await page.fill("#f-purpose", "homicide investigation, the victim's car was seen leaving")
    await page.get_by_role("button", name="Open it").click()

    await expect(page.locator(".standing strong")).to_have_text("UNVERIFIED")
    await page.keyboard.press("v")
    await expect(page.locator(".standing strong")).to_have_text("UNVERIFIED, BEING VERIFIED")
    await page.keyboard.press("r")
    await expect(page.locator("article")).to_contain_text("2026-00417")
    assert "2026-00417" not in page.url


@pytest.mark.clause("IV.C.5", "IV.C.6", "III.B.3.r")
async def test_alerts_that_there_were_are_listed_and_older_ones_after_case_number_and_purpose(
    counter: Counter,
) -> None:
    old, new = plate(), plate()
    aged, fresh = await raised(counter.world, pictured(old), pictured(new))
    await a_day_passes(counter.world, aged)
    page = counter.page
    await counter.desk.open("/board")
    await page.get_by_role("link", name="Earlier alerts").click()
    await page.fill("#f-plate", new.lower())
    await page.get_by_role("button", name="Ask").click()
    await expect(page.locator("tbody tr")).to_have_count(1)
    await expect(page.locator(f"#a-{fresh}")).to_contain_text("UNVERIFIED")
    await expect(page.locator(".notice")).to_contain_text("Leads only")
    await picture(page, "alerts-before")
    assert await barriers(page) == []

    await counter.desk.open("/alerts")
    await page.fill("#f-plate", old)
    await page.fill("#f-from", f"{datetime.now(UTC) - timedelta(days=2):%Y-%m-%dT%H:%M}")
    await page.get_by_role("button", name="Ask").click()
    await expect(page.locator(".refusal")).to_contain_text(re.compile("case number", re.I))
    await expect(page.locator("#f-case_number")).to_be_visible()
    await expect(page.locator("#f-plate")).to_have_value(old)
    await picture(page, "alerts-before-why")
    assert await barriers(page) == []
    await page.select_option("#f-case_number_kind", label="CAD")
    await page.fill("#f-case_number", "2026-00418")
    await page.select_option("#f-offence_code", index=1)
    await page.fill("#f-purpose", "homicide investigation, which alerts there were of the victim's car")
    await page.get_by_role("button", name="Ask").click()
    await expect(page.locator(f"#a-{aged}")).to_be_visible()
    assert old not in page.url + await page.title()
    await page.locator(f"#a-{aged}").get_by_role("button", name="Open").click()
    await expect(page.locator(".standing strong")).to_have_text("UNVERIFIED")
    await expect(page.locator("article")).to_contain_text("2026-00418")


async def test_a_long_list_of_alerts_goes_on_page_by_page_and_none_is_missing_or_twice(
    counter: Counter,
) -> None:
    made = await raised(counter.world, *(hit(category=hit_pb2.HOT_LIST_CATEGORY_OTHER) for _ in range(55)))
    page = counter.page
    await counter.desk.open("/alerts")
    await page.get_by_label("other", exact=True).check()
    await page.get_by_role("button", name="Ask").click()
    await expect(page.locator("tbody tr")).to_have_count(50)
    rows = await _ids(page)
    await page.get_by_role("button", name="Those before").click()
    await expect(page.locator(f"#a-{rows[0]}")).to_have_count(0)
    rows += await _ids(page)

    assert set(made) <= set(rows)
    assert len(set(rows)) == len(rows)


async def _ids(page: Page) -> list[str]:
    found: list[str] = await page.eval_on_selector_all("tbody tr", "all => all.map(one => one.id.slice(2))")
    return found


async def test_an_alert_that_may_not_be_seen_is_not_there(counter: Counter) -> None:
    await counter.desk.open(f"/alerts/{new_id()}")
    assert "No such alert" in await counter.page.inner_text("main")
    await counter.desk.open("/alerts/no-id")
    assert "no such page" in await counter.page.inner_text("main")


async def test_hostile_words_of_lists_cameras_and_people_are_only_words(counter: Counter) -> None:
    hit = pictured(plate(), hot_list_name=_HOSTILE, record_number=_HOSTILE[:60])
    hit.captured_read.read.place.description = _HOSTILE
    hit.matches[0].entry.vehicle.model = _HOSTILE[:20]
    alert_id = await counter.opened(hit)
    page = counter.page

    await page.keyboard.press("c")
    await page.keyboard.type(_HOSTILE)
    await page.keyboard.press("Tab")
    await page.keyboard.type(_HOSTILE)
    await page.keyboard.press("Enter")
    await expect(page.locator(".standing strong")).to_have_text("CONFIRMED")

    assert await page.title() == "Alert"
    assert (
        await page.locator("article script:not([type='application/json']), article img[onerror]").count() == 0
    )
    text = await page.inner_text("article")
    assert text.count(_HOSTILE) >= 4
    assert (await counter.alert(alert_id)).history[-1].system == _HOSTILE


async def test_pictures_that_did_not_come_are_said_to_be_missing(counter: Counter) -> None:
    hit = pictured(plate(), seconds_ago=1200)
    hit.captured_read.crop_image = hit.captured_read.overview_image = b""
    await counter.opened(hit)

    assert await counter.page.locator(".pictures .none").count() == 2
    assert "LATE CAPTURE" in await counter.page.inner_text(".doubts")


async def test_it_reads_well_on_a_phone_and_on_a_wall_in_the_dark_and_on_paper(counter: Counter) -> None:
    hit, read, _ = _doubtful()
    await counter.opened(hit)
    page = counter.page
    for name, size in (("phone", PHONE), ("wall", WALL)):
        await page.set_viewport_size(dict(size))  # type: ignore[arg-type]
        await page.emulate_media(color_scheme="dark" if name == "wall" else "light")
        wider = await page.evaluate("document.documentElement.scrollWidth > innerWidth")
        assert not wider
        await picture(page, f"alert-{name}")
        assert await barriers(page) == []
    await page.keyboard.press("v")
    await expect(page.locator(".standing strong")).to_have_text("UNVERIFIED, BEING VERIFIED")
    await page.emulate_media(media="print")
    foot = await page.inner_text(".sheet")
    assert "UNVERIFIED" in foot
    assert "log entry" in foot
    assert not await page.locator("text=Record the answer").is_visible()
    assert read in await page.inner_text("article")
    await page.emulate_media(media="screen")
    await page.set_viewport_size({"width": 1280, "height": 900})
