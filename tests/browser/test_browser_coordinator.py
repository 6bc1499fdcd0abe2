"""The coordinator's pages: people and their training, units, sensors, packets, agreements, documents."""

import hashlib
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from playwright.async_api import FilePayload

from alpr.audit.v1 import account_service_pb2 as account_pb
from alpr.audit.v1 import governance_service_pb2 as agency_pb
from services.common.wire import to_timestamp
from tests.support.access_stack import World
from tests.support.browser import PHONE, Consoles, picture
from tests.support.browser_auditor import press
from tests.support.browser_coordinator import (
    HEAD,
    HOSTILE,
    PAPER,
    account,
    asked,
    enabled,
    fill,
    form,
    paper,
    said,
    send,
    sent,
    sent_twice,
    sound,
    wrong,
)
from tests.support.browser_keys import reach

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(300)]


@pytest.mark.clause("III.B.3.j", "III.C.2.b", "III.C.2.c", "III.D.1")
async def test_a_person_is_made_corrected_trained_and_enabled_and_not_before(
    consoles: Consoles, world: World
) -> None:
    name = f"{HOSTILE} {uuid4().hex[:6]}"
    async with consoles.at("the-work-unit-coordinator", "/coordinator/people/new") as desk:
        await sound(desk)
        given = {"full_name": name, "badge_number": uuid4().hex, "subject": uuid4().hex}
        await sent(desk, "create", **given, email="somebody@gmail.com", unit=world.facts["unit"])
        assert "domain" in await wrong(desk, "create", "email")
        await sent(desk, "create", email=f"{uuid4().hex[:8]}@{world.facts['email_domain']}")
        assert await desk.page.inner_text("h1") == name
        await send(desk, "enable")
        assert "training" in await desk.page.inner_text(".refusal")
        kinds = await form(desk, "certify").locator("[name='kind'] option").all()
        for kind in [await one.get_attribute("value") for one in kinds][1:]:
            await sent(desk, "certify", kind=str(kind), reference=HOSTILE)
        await sent(desk, "grant", role="3")
        await send(desk, "enable")
        assert await said(desk) == "The account is enabled."
        await picture(desk.page, "coordinator-person")
        await sound(desk)
        account_id = urlsplit(desk.page.url).path.rpartition("/")[2]
        held = (await asked(world, HEAD, "GetAccount", account_id=account_id)).account
        assert held.state == account_pb.ACCOUNT_STATE_ENABLED
        # In a year, by the reader's own calendar.
        ends = max(one.valid_until.ToDatetime(UTC) for one in held.certifications)
        assert timedelta(days=364) <= ends - datetime.now(UTC) <= timedelta(days=366)


@pytest.mark.clause("IV.A.2", "III.B.3.k")
async def test_an_account_is_moved_suspended_and_enabled_again(consoles: Consoles, world: World) -> None:
    account_id = await enabled(world, f"moved-{uuid4().hex[:6]}", 300)
    async with consoles.at("the-work-unit-coordinator", f"/coordinator/people/{account_id}") as desk:
        await sent(desk, "update", badge_number=f"new-{account_id}", reason="a new badge")
        assert f"new-{account_id}" in await desk.page.inner_text(".facts")
        await sent(desk, "suspend", reason="the badge was lost")
        assert "suspended" in await desk.page.inner_text(".standing")
        await send(desk, "enable")
        assert "enabled" in await desk.page.inner_text(".standing")
        await sent(desk, "end", end_time="2020-01-01T00:00", reason="leaves")
        assert await wrong(desk, "end", "end_time")
        assert await form(desk, "end").locator("[name='reason']").input_value() == "leaves"


@pytest.mark.clause("III.D.1", "IV.A.4")
async def test_whose_certification_ends_first_stands_first_and_is_due_today(
    consoles: Consoles, world: World
) -> None:
    name = f"ends-{uuid4().hex[:6]}"
    await enabled(world, name, 4)
    async with consoles.at("the-work-unit-coordinator", "/coordinator", viewport=PHONE) as desk:
        due = desk.page.get_by_role("listitem").filter(has=desk.page.get_by_role("link", name=name))
        assert "LEADS certification" in await due.first.inner_text()
        await picture(desk.page, "coordinator-today-phone")
        await sound(desk)
        await desk.open("/coordinator/people")
        rows = desk.page.locator("tbody tr")
        ends = await rows.locator("td:nth-child(2) time").evaluate_all("all => all.map(one => one.dateTime)")
        used = await rows.locator("td:nth-child(3)").all_inner_texts()
        first = [at for at, state in zip(ends, used, strict=False) if state.startswith("enabled")]
        assert first == sorted(first)
        await desk.page.get_by_label("Name, badge").fill(name.upper())
        await desk.page.get_by_label("Only those").select_option("ending")
        async with desk.page.expect_navigation():
            await desk.page.get_by_role("button", name="Show").click()
        assert await rows.count() == 1
        assert "ends soon" in await rows.first.inner_text()
        assert name not in desk.page.url
        await picture(desk.page, "coordinator-people-phone")
        await sound(desk)


@pytest.mark.clause("III.C.1", "III.C.2.d")
async def test_a_unit_gets_its_coordinator_and_its_week_is_signed_once(
    consoles: Consoles, world: World
) -> None:
    code = f"U-{uuid4().hex[:6]}"
    async with consoles.at(HEAD, "/coordinator/units") as desk:
        await sent(desk, "register", code=code, name=f"{HOSTILE} unit", kind="1")
        unit = desk.page.locator("article", has=desk.page.get_by_role("heading", name=code))
        assert "vacant" in await unit.inner_text()
        key = str(await unit.locator("form").first.get_attribute("id")).removeprefix("form-")
        head = (await asked(world, HEAD, "GetAccount")).account.account_id
        await paper(desk, key, "document")
        await sent_twice(desk, key, account_id=head, commander=HOSTILE)
        assert "coordinated" in await unit.inner_text()
        await picture(desk.page, "coordinator-units")
        await sound(desk)
        units = (await asked(world, HEAD, "ListUnits", page_size=500)).units
        made = next(one for one in units if one.code == code)
        assert made.appointment.document_sha256 == hashlib.sha256(PAPER).digest()

        await desk.open("/coordinator/packets")
        await desk.page.get_by_label("Unit").select_option(code)
        async with desk.page.expect_navigation():
            await desk.page.get_by_role("button", name="Show").click()
        assert await desk.page.inner_text(".refusal p") == "Your agency has no such unit"
        await account(world, f"first-of-{code}", unit=code)
        async with desk.page.expect_navigation():
            await desk.page.get_by_role("button", name="Show").click()
        await picture(desk.page, "coordinator-packet")
        await sound(desk)
        before = await form(desk, "sign").evaluate("form => Object.fromEntries(new FormData(form))")
        await send(desk, "sign")
        assert await said(desk) == "The packet is signed."
        again = await desk.page.request.post(
            f"{desk.url}/coordinator/packets/sign",
            form={**before, "request_id": str(uuid4())},
            headers={"Origin": desk.url},
        )
        assert again.status == 409
        async with desk.page.expect_download() as download:
            await desk.page.get_by_role("button", name="Take it as a table").press("Enter")
        table = (await (await download.value).path()).read_text("utf-8")
        assert table.startswith("unit,week,person,")

        await desk.open("/coordinator/units")
        await sent(desk, "register", code=code, name="another", kind="1")
        assert "already" in await form(desk, "register").locator(".refusal").inner_text()
        ending = unit.locator("form[action*='/end']")
        key = str(await ending.get_attribute("id")).removeprefix("form-")
        await sent_twice(desk, key, reason=HOSTILE)
        assert "vacant" in await unit.inner_text()


@pytest.mark.clause("III.B.3.e", "III.B.2.c")
async def test_a_deployment_waits_for_approval_is_approved_and_suspended(
    consoles: Consoles, world: World
) -> None:
    sensor = f"cam-{uuid4().hex[:8]}"
    async with consoles.at("the-work-unit-coordinator", "/coordinator/sensors") as desk:
        given = {"sensor_id": sensor, "sensor_group": "bridge", "deployment_type": "1", "longitude": "-88.1"}
        await sent(desk, "register", **given, latitude="north", description=HOSTILE)
        assert "number" in await wrong(desk, "register", "latitude")
        await sent(desk, "register", latitude="41.5")
        await desk.page.locator(".map").scroll_into_view_if_needed()
        await desk.page.locator(".map[data-ready]").wait_for()
        await picture(desk.page, "coordinator-sensors")
        await sound(desk)
        points = await desk.page.locator("#places").text_content()
        assert sensor in str(points)
        await desk.open("/coordinator")
        await desk.page.get_by_role("link", name="Deployments that wait for approval").click()
        await desk.page.get_by_role("heading", name=sensor).get_by_role("link").click()
        assert "registered" in await desk.page.inner_text(".standing")
        await send(desk, "approve")
        assert "approved" in await desk.page.inner_text(".standing")
        await picture(desk.page, "coordinator-sensor")
        await sound(desk)
        await sent(desk, "suspend")
        assert "suspended" in await desk.page.inner_text(".standing")
        kept = (await asked(world, HEAD, "GetSensor", sensor_id=sensor)).acts
        assert [one.action for one in kept[:2]] == ["sensor.suspend", "sensor.approve"]


@pytest.mark.clause("III.B.1")
async def test_an_agreement_of_another_agency_is_accepted_and_ended_here(
    consoles: Consoles, world: World
) -> None:
    signed = hashlib.sha256(uuid4().bytes).digest()
    now = datetime.now(UTC)
    proposed = agency_pb.Agreement(
        provider_ori=world.facts["other_ori"],
        recipient_ori=world.facts["agency_ori"],
        data_classes=[agency_pb.DATA_CLASS_READS],
        document_sha256=signed,
        start_time=to_timestamp(now),
        end_time=to_timestamp(now + timedelta(days=30)),
    )
    await asked(world, "other-head", "ProposeAgreement", agreement=proposed)
    async with consoles.at(HEAD, "/coordinator/agreements") as desk:
        card = desk.page.locator("article", has_text=signed.hex())
        assert "waits for you" in await card.inner_text()
        await sound(desk)
        async with desk.page.expect_navigation():
            await card.get_by_role("button", name="Accept it").click()
        assert "accepted" in await card.inner_text()
        key = str(await card.locator("form").last.get_attribute("id")).removeprefix("form-")
        await sent(desk, key, reason=HOSTILE)
        assert "ended" in await card.inner_text()

        await fill(desk, "propose", recipient_ori=world.facts["other_ori"])
        await fill(desk, "propose", end_time="2026-11-01T00:00")
        reads = form(desk, "propose").get_by_label("Reads")
        await reach(desk, reads)
        await desk.page.keyboard.press("Space")
        proposal = uuid4().bytes
        await paper(desk, "propose", "document", proposal)
        await send(desk, "propose")
        assert await wrong(desk, "propose", "end_time")
        assert await form(desk, "propose").get_by_label("Reads").is_checked()
        await sound(desk)
        await sent_twice(desk, "propose", end_time=f"{now + timedelta(days=900):%Y-%m-%dT%H:%M}")
        assert "nothing is shared" in (await said(desk)).lower()
        own = desk.page.locator("article", has_text=hashlib.sha256(proposal).hexdigest())
        assert "waits for the other party" in await own.inner_text()
        key = str(await own.locator("form").last.get_attribute("id")).removeprefix("form-")
        await sent_twice(desk, key, reason="a mistake")
        assert "ended" in await own.inner_text()
        await picture(desk.page, "coordinator-agreements")
        await sound(desk)


@pytest.mark.clause("III.D.2")
async def test_a_version_is_published_and_says_who_has_not_read_it(consoles: Consoles, world: World) -> None:
    version = uuid4().hex[:8]
    # Ahead, and at a minute of its own: nobody is locked out by it.
    ahead = datetime.now(UTC) + timedelta(days=300, minutes=int(version, 16) % 100_000)
    async with consoles.at(HEAD, "/coordinator/documents") as desk:
        await fill(desk, "publish", kind="1", version=version, title=HOSTILE, text=HOSTILE)
        await fill(desk, "publish", effective_time=f"{ahead:%Y-%m-%dT%H:%M}")
        await paper(desk, "publish", "document")
        await send(desk, "publish")
        await sound(desk)
        row = desk.page.get_by_role("row").filter(has_text=version)
        await press(row.get_by_role("link"))
        assert await desk.page.get_by_role("row").filter(has_text="the-user").count() >= 1
        assert "not acknowledged" in await desk.page.inner_text("tbody tr:first-child")
        await sound(desk)
        listed = (await asked(world, HEAD, "ListDocuments")).documents
        made = next(one.document for one in listed if one.document.version == version)
        assert made.sha256 == hashlib.sha256(PAPER).digest()


@pytest.mark.clause("III.B.3.g")
async def test_who_is_not_on_the_roster_is_shown_and_out(consoles: Consoles, world: World) -> None:
    left = await enabled(world, f"left-{uuid4().hex[:6]}", 300)
    everybody = []
    page = await asked(world, HEAD, "ListAccounts", page_size=200)
    everybody += [one.badge_number for one in page.accounts if one.account_id != left]
    assert not page.next_page_token
    roster = "name,badge_number\n" + "".join(f'"{HOSTILE[2:]}","{one}"\n' for one in everybody)
    async with consoles.at(HEAD, "/coordinator/roster") as desk:
        file = desk.page.locator("#f-compareroster")
        await file.set_input_files(FilePayload(name="r.csv", mimeType="text/csv", buffer=b"who\n1\n"))
        await send(desk, "compare")
        assert "badge_number" in await wrong(desk, "compare", "roster")
        await file.set_input_files(FilePayload(name="r.csv", mimeType="text/csv", buffer=roster.encode()))
        await send(desk, "compare")
        assert await desk.page.locator("tbody tr").count() == 1
        await sound(desk)
        await sent(desk, "end")
        assert await said(desk) == "The accounts are ended."
        kept = (await asked(world, HEAD, "GetAccount", account_id=left)).account
        assert kept.HasField("end_time")


@pytest.mark.clause("III.B.3.l")
async def test_pages_show_each_role_what_it_may_see_and_say_why_not_the_rest(consoles: Consoles) -> None:
    async with consoles.at("the-user", "/coordinator/people") as desk:
        assert "None of your roles allows this." in await desk.page.inner_text(".refusal")
    async with consoles.at("the-system-administrator", "/coordinator") as desk:
        places = await desk.page.get_by_role("navigation", name="Coordinator").inner_text()
        assert "Sensors" in places
        assert "People" not in places
        await desk.open("/coordinator/sensors")
        assert "cam-1" in await desk.page.inner_text("table")
        await sound(desk)
        await desk.open("/coordinator/office")
        assert "Demo Coordinator" in await desk.page.inner_text("main")
        await sound(desk)


@pytest.mark.clause("III.B.3.g")
async def test_a_double_click_is_one_act_and_nobody_grants_to_himself(
    consoles: Consoles, world: World
) -> None:
    name = f"twice-{uuid4().hex[:6]}"
    account_id = await account(world, name)
    async with consoles.at("the-work-unit-coordinator", f"/coordinator/people/{account_id}") as desk:
        await fill(desk, "certify", kind="1", reference="once")
        fields = await form(desk, "certify").evaluate("form => Object.fromEntries(new FormData(form))")
        for _ in range(2):
            place = f"{desk.url}/coordinator/people/{account_id}/certify"
            answer = await desk.page.request.post(place, form=fields, headers={"Origin": desk.url})
            assert answer.ok
        held = (await asked(world, HEAD, "GetAccount", account_id=account_id)).account.certifications
        assert len(held) == 1
        own = (await asked(world, "the-work-unit-coordinator", "GetAccount")).account.account_id
        await desk.open(f"/coordinator/people/{own}")
        await sent(desk, "grant", role="3")
        assert await form(desk, "grant").locator(".refusal").count() == 1
        assert "III.B.3.g" in await form(desk, "grant").locator(".refusal").inner_text()
