"""Hot lists: uploads with row errors, differences, the second person's approval; plates watched for."""

import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.async_api import Locator

from tests.support.browser import PHONE, Consoles, Desk, barriers, picture

pytestmark = pytest.mark.asyncio(loop_scope="session")
HOSTILE = '"><script>window.stolen = 1</script><img src=x onerror="window.stolen = 1">'


async def test_a_version_is_uploaded_compared_approved_by_somebody_else_and_activated(
    consoles: Consoles, tmp_path: Path
) -> None:
    async with consoles.at("the-hot-list-manager", "/hot-lists") as desk:
        await new_list(desk)
        address = desk.page.url
        await upload(desk, tmp_path, listing(*(f"AB{number}" for number in range(1000, 1040))))
        assert "Version 1: 40 rows accepted" in await desk.page.inner_text(":focus")
        await desk.page.click("text=Activate version 1")
        await desk.page.wait_for_url("**#main")
        assert await desk.page.evaluate("document.activeElement.id") == "main"
        assert "Version 1 is active with 40 entries" in await desk.page.inner_text("main")
        await upload(desk, tmp_path, listing("AB1000", "CD5678"))
        said = await desk.page.inner_text("[role=status]")
        assert "1 new, 39 gone" in said
        assert "somebody else must approve it" in said
        await picture(desk.page, "hot-list")
        assert await barriers(desk.page) == []
        await desk.page.click("text=Approve version 2")
        assert await desk.page.locator("[role=alert]").count() == 1  # not by its uploader
        async with consoles.at("uploader", address.removeprefix(consoles.url)) as second:
            await second.page.click("text=Difference to version 1")
            assert "1 added, 39 removed, 0 changed" in await second.page.inner_text("main")
            assert "lead" in (await second.page.inner_text(".notice")).lower()
            assert "AB" not in second.page.url
            await picture(second.page, "hot-list-difference")
            assert await barriers(second.page) == []
            await second.open(address.removeprefix(consoles.url))
            await second.page.click("text=Approve version 2")
            assert "to take the place of version 1" in await second.page.inner_text("main")
        await desk.open(address.removeprefix(consoles.url))
        await desk.page.click("text=Activate version 2")
        assert "Version 2 is active with 2 entries" in await desk.page.inner_text("main")
        desk.check_quiet()


async def test_a_file_with_wrong_rows_is_refused_whole_and_each_of_them_is_shown(
    consoles: Consoles, tmp_path: Path
) -> None:
    async with consoles.at("the-hot-list-manager", "/hot-lists") as desk:
        await new_list(desk)
        content = f"plate,category\nAB1234,stolen_vehicle\n{HOSTILE.replace(',', ' ')},stolen_vehicle\n"
        await upload(desk, tmp_path, content.encode(), file=f"{HOSTILE.replace('/', '')}.csv")
        assert await desk.page.locator("[role=alert] li").count() >= 1
        assert "There is no version yet" in await desk.page.inner_text("main")
        await desk.page.click("text=1 wrong rows")
        assert await desk.page.locator("tbody tr").count() == 1
        await picture(desk.page, "hot-list-refused")
        assert await barriers(desk.page) == []
        assert await desk.page.evaluate("window.stolen") is None
        desk.check_quiet()


async def test_a_list_with_a_hostile_name_shows_it_as_it_is(consoles: Consoles) -> None:
    async with consoles.at("the-hot-list-manager", "/hot-lists", viewport=PHONE) as desk:
        await new_list(desk, f"{HOSTILE[:60]}{uuid.uuid4()}")
        assert HOSTILE[:20] in await desk.page.inner_text("h1")
        await desk.open("/hot-lists")
        assert await desk.page.get_by_role("link", name=HOSTILE[:20]).count() >= 1
        await picture(desk.page, "hot-lists-phone")
        assert await barriers(desk.page) == []
        assert await desk.page.evaluate("window.stolen") is None
        desk.check_quiet()


@pytest.mark.clause("II.D", "IV.C.5", "IV.C.6")
async def test_a_plate_is_watched_for_with_case_number_and_purpose_until_its_time_or_the_person_ends_it(
    consoles: Consoles,
) -> None:
    pattern = f"LW{uuid.uuid4().int % 10**4:04}"
    async with consoles.at("the-user", "/hot-lists/local") as desk:
        await watch_for(desk, pattern, case_number="1")  # no case number of its kind
        assert await desk.page.locator("[aria-invalid]").count() == 1
        assert await desk.page.input_value("[name=pattern]") == pattern
        await picture(desk.page, "local-refused")
        assert await barriers(desk.page) == []
        await watch_for(desk, pattern)
        entry = entry_of(desk, pattern)
        assert "live" in await entry.inner_text()
        await picture(desk.page, "local")
        assert await barriers(desk.page) == []
        await entry.get_by_role("button", name="Stop watching").click()
        await desk.page.wait_for_url("**/local#main")
        assert await desk.page.evaluate("document.activeElement.id") == "main"
        assert await entry_of(desk, pattern).count() == 0
        await desk.page.click("text=Those that have ended, too")
        assert "removed" in await entry_of(desk, pattern).inner_text()
        assert pattern not in desk.page.url
        desk.check_quiet()


async def new_list(desk: Desk, name: str = "") -> None:
    """Makes a list and goes to its page."""
    await desk.page.fill("[name=name]", name or f"Made {uuid.uuid4()}")
    await desk.page.select_option("[name=source]", label="leads")
    await desk.page.click("text=Make the list")
    await desk.page.wait_for_url("**/hot-lists/*-*")


def listing(*plates: str) -> bytes:
    """A file of these plates, all stolen."""
    return "\n".join(("plate,category", *(f"{plate},stolen_vehicle" for plate in plates), "")).encode()


async def upload(
    desk: Desk, folder: Path, content: bytes, layout: str = "csv", file: str = "list.csv"
) -> None:
    """Uploads a version of the list whose page is open."""
    (folder / file).write_bytes(content)
    await desk.page.set_input_files("[name=file]", folder / file)
    await desk.page.select_option("[name=format]", label=layout)
    await desk.page.fill("[name=attestation]", "lawful and current, for the occasion")
    await desk.page.click("button:text-is('Upload')")


async def watch_for(desk: Desk, pattern: str, case_number: str = "26-012345") -> None:
    """Fills in the form of a local entry and sends it."""
    await desk.page.select_option("[name=case_number_kind]", label="CAD")
    await desk.page.fill("[name=case_number]", case_number)
    await desk.page.select_option("[name=offence_code]", index=1)
    await desk.page.fill("[name=purpose]", "robbery of a bank, the getaway car is sought")
    await desk.page.fill("[name=pattern]", pattern)
    await desk.page.fill("[name=state]", "IL")
    await desk.page.select_option("[name=category]", label="felony")
    until = datetime.now(UTC).astimezone() + timedelta(days=2)
    await desk.page.fill("[name=expire_time]", f"{until:%Y-%m-%dT%H:%M}")
    await desk.page.click("text=Watch for it")


def entry_of(desk: Desk, pattern: str) -> Locator:
    """The entries of the page with that pattern."""
    return desk.page.locator("section", has_text=pattern)
