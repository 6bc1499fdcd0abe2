"""Convoy, pattern, stakeout and comparison in the browser: reasons first, then the answer with its record."""

from __future__ import annotations

import hashlib
import re
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Page

from tests.support.access_stack import World
from tests.support.browser import PHONE, Consoles, barriers, picture
from tests.support.browser_people import new_person
from tests.support.browser_questions import HOSTILE, PURPOSE, give_reasons, send, stands_on_record
from tests.support.browser_reads import Journeys, travelled

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(300)]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def journeys(world: World) -> AsyncIterator[Journeys]:
    yield await travelled(world)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def officer(world: World, folder: Path) -> str:
    return await new_person(folder, "user")


@pytest.mark.clause("IV.C.3", "IV.C.5", "IV.C.6", "III.B.3.r")
async def test_a_convoy_shows_the_companion_with_notice_and_receipts(
    consoles: Consoles, officer: str, journeys: Journeys
) -> None:
    async with consoles.at(officer, "/search/convoy") as desk:
        page = desk.page
        await picture(page, "convoy-form")
        assert await barriers(page) == []
        await give_reasons(page)
        await page.fill("[name=plate]", journeys.plate.lower())
        await send(page, "Ask")

        row = page.locator("table.rows tbody tr")
        assert await row.count() == 1
        assert journeys.friend in await row.inner_text()
        assert await stands_on_record(page)
        await picture(page, "convoy")
        assert await barriers(page) == []
        assert page.url == f"{consoles.url}/search/convoy"
        assert await page.title() == "Convoy"
        desk.check_quiet()


@pytest.mark.clause("IV.C.3", "III.B.3.r")
async def test_a_pattern_shows_places_and_a_week_of_hours_in_the_readers_zone_also_on_a_phone(
    consoles: Consoles, officer: str, journeys: Journeys
) -> None:
    zone = {"timezone_id": "America/Chicago", "color_scheme": "dark"}
    async with consoles.at(officer, "/search/pattern", PHONE, **zone) as desk:
        page = desk.page
        await give_reasons(page)
        await page.fill("[name=plate]", journeys.plate)
        await send(page, "Ask")

        assert await page.locator("table.rows:has(caption) tbody tr").count() == 4
        assert "America/Chicago" in await page.inner_text("#week + p")
        counts = await page.locator("table.week td").all_inner_texts()
        assert sum(int(one) for one in counts if re.fullmatch(r"\d+", one)) == 12
        assert await stands_on_record(page)
        await picture(page, "pattern-phone-dark")
        assert await barriers(page) == []
        desk.check_quiet()


async def write_scene(page: Page, number: int, journeys: Journeys, start: datetime, label: str = "") -> None:
    """Writes a scene at the road's first camera, some minutes around `start`."""
    prefix = f"scene-{number}-"
    await page.fill(f"[name={prefix}label]", label)
    await page.fill(f"[name={prefix}from]", f"{start - timedelta(minutes=15):%Y-%m-%dT%H:%M}")
    await page.fill(f"[name={prefix}to]", f"{start + timedelta(minutes=15):%Y-%m-%dT%H:%M}")
    await page.fill(f"[name={prefix}around]", journeys.at_camera(0))


@pytest.mark.clause("IV.C.3", "IV.C.5", "III.B.3.r")
async def test_a_stakeout_names_who_was_at_the_scenes_by_the_names_that_the_officer_gave_them(
    consoles: Consoles, officer: str, journeys: Journeys
) -> None:
    async with consoles.at(officer, "/search/stakeout", timezone_id="UTC") as desk:
        page = desk.page
        await give_reasons(page)
        await page.click("text=One more scene")
        assert await page.locator("legend", has_text="Scene 4").count() == 1
        assert await page.input_value("#f-purpose") == PURPOSE
        for number, start in enumerate(journeys.starts()):
            await write_scene(page, number, journeys, start, HOSTILE if number == 0 else f"bank {number}")
        await page.fill("[name=min_scenes]", "3")
        await picture(page, "stakeout-form")
        assert await barriers(page) == []
        await send(page, "Ask")

        found = await page.locator("table.rows tbody th").all_inner_texts()
        assert sorted(found) == sorted([journeys.plate, journeys.friend])
        assert await page.locator("table.rows strong", has_text=HOSTILE).count() == 2
        assert await stands_on_record(page)
        await picture(page, "stakeout")
        assert await barriers(page) == []
        desk.check_quiet()


@pytest.mark.clause("IV.C.3", "IV.C.5", "III.B.3.r")
async def test_an_uploaded_list_of_plates_is_compared_and_hostile_text_in_it_stays_text(
    consoles: Consoles, officer: str, journeys: Journeys
) -> None:
    async with consoles.at(officer, "/search/compare") as desk:
        page = desk.page
        await give_reasons(page)
        await page.select_option("[name=kind]", label="plates")
        quoted = HOSTILE.replace('"', '""')
        content = f'plate;label\n{journeys.plate};"{quoted}"\nNOBODY1;nobody\n'.encode()
        await page.set_input_files("#f-file", {"name": HOSTILE, "mimeType": "text/csv", "buffer": content})
        assert await barriers(page) == []
        await send(page, "Ask")

        assert await page.locator("table.rows tbody tr").count() == 1
        assert HOSTILE in await page.inner_text("table.rows tbody tr")
        assert hashlib.sha256(content).hexdigest() in await page.inner_text("main")
        assert await stands_on_record(page)
        await picture(page, "compare")
        assert await barriers(page) == []
        desk.check_quiet()


@pytest.mark.clause("IV.C.3")
async def test_incidents_of_a_file_are_compared_with_the_reads_around_them(
    consoles: Consoles, officer: str, journeys: Journeys
) -> None:
    async with consoles.at(officer, "/search/compare", PHONE) as desk:
        page = desk.page
        await give_reasons(page)
        await page.select_option("[name=kind]", label="incidents")
        place = journeys.at_camera(0).replace(" ", "")
        rows = [f"{start:%Y-%m-%dT%H:%M:%SZ},{place}" for start in journeys.starts()]
        content = "\n".join(["time,latitude,longitude", *rows]).encode()
        await page.set_input_files("#f-file", {"name": "a.csv", "mimeType": "text/csv", "buffer": content})
        await send(page, "Ask")

        found = await page.locator("table.rows tbody th").all_inner_texts()
        assert sorted(found) == sorted([journeys.plate, journeys.friend])
        assert await page.locator("summary", has_text="3").count() == 2
        await picture(page, "compare-incidents-phone")
        assert await barriers(page) == []


async def test_what_is_wrong_in_a_file_is_said_by_line_at_its_field(consoles: Consoles, officer: str) -> None:
    async with consoles.at(officer, "/search/compare") as desk:
        page = desk.page
        await give_reasons(page)
        await page.select_option("[name=kind]", label="plates")
        content = b"plate\nAB1234\n???\n"
        await page.set_input_files("#f-file", {"name": "a.csv", "mimeType": "text/csv", "buffer": content})
        await send(page, "Ask")

        assert "line 3: plate" in (await page.inner_text("#d-file")).lower()
        assert await page.get_attribute("#f-file", "aria-invalid") == "true"
        assert await page.input_value("#f-case_number") == "26-0001"
        await picture(page, "compare-refused")
        assert await barriers(page) == []


async def test_a_file_that_is_too_long_is_refused_in_words(consoles: Consoles, officer: str) -> None:
    async with consoles.at(officer, "/search/compare") as desk:
        page = desk.page
        await give_reasons(page)
        await page.select_option("[name=kind]", label="plates")
        content = b"plate\n" + b"AB1234\n" * 400_000
        await page.set_input_files("#f-file", {"name": "a.csv", "mimeType": "text/csv", "buffer": content})
        await send(page, "Ask")

        assert "more than can be sent here" in await page.inner_text("main")


@pytest.mark.clause("IV.C.6")
async def test_a_purpose_that_says_nothing_is_refused_at_its_field_and_what_was_asked_stays(
    consoles: Consoles, officer: str, journeys: Journeys
) -> None:
    async with consoles.at(officer, "/search/convoy") as desk:
        page = desk.page
        await give_reasons(page, purpose="investigation")
        await page.fill("[name=plate]", journeys.plate)
        await send(page, "Ask")

        assert await page.get_attribute("#f-purpose", "aria-invalid") == "true"
        assert await page.locator("table.rows").count() == 0
        assert await page.input_value("[name=plate]") == journeys.plate
        await picture(page, "convoy-refused")
        assert await barriers(page) == []


async def test_the_reasons_go_along_from_one_kind_of_question_to_the_next(
    consoles: Consoles, officer: str, journeys: Journeys
) -> None:
    async with consoles.at(officer, "/search/convoy") as desk:
        page = desk.page
        await give_reasons(page)
        await page.fill("[name=plate]", journeys.plate)
        await send(page, "Ask")
        await page.get_by_role("navigation", name="Kinds of questions").get_by_text("Pattern").click()

        assert await page.inner_text("h1") == "Pattern"
        assert await page.input_value("#f-case_number") == "26-0001"
        assert page.url == f"{consoles.url}/search/pattern"


@pytest.mark.clause("IV.C.3", "III.B.3.r")
async def test_a_corridor_shows_who_travelled_along_the_line_and_counts_show_no_plate(
    consoles: Consoles, officer: str, journeys: Journeys
) -> None:
    start, line = journeys.starts()[0], " ".join(journeys.at_camera(one).replace(" ", "") for one in (0, 3))
    async with consoles.at(officer, "/search/corridor", timezone_id="UTC") as desk:
        page = desk.page
        await give_reasons(page)
        await page.fill("[name=line]", line)
        await page.fill("[name=from]", f"{start - timedelta(hours=1):%Y-%m-%dT%H:%M}")
        await page.fill("[name=to]", f"{start + timedelta(hours=2):%Y-%m-%dT%H:%M}")
        assert await barriers(page) == []
        await send(page, "Ask")
        found = await page.locator("table.rows tbody th").all_inner_texts()
        assert sorted(found) == sorted([journeys.plate, journeys.friend])
        assert await stands_on_record(page)
        await picture(page, "corridor")
        assert await barriers(page) == []

        await page.get_by_role("navigation", name="Kinds of questions").get_by_text("Counts").click()
        await page.select_option("[name=first_by]", label="day")
        await page.fill("[name=around]", journeys.at_camera(0))
        await page.check("[name=count_plates]")
        await send(page, "Ask")
        rows = await page.locator("main table tbody tr").all_inner_texts()
        assert [row.split()[1:] for row in rows] == [["2", "2"]] * 3
        assert journeys.plate not in await page.inner_text("main")
        assert await stands_on_record(page)
        await picture(page, "counts")
        assert await barriers(page) == []
        desk.check_quiet()
