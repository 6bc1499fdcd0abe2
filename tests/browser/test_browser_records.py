"""What auditors check and take along: redactions, what left, requests, reports, exports, conformance."""

from __future__ import annotations

import asyncio
import io
import json
import sys
import zipfile
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import FilePayload

from alpr.type.v1.read_pb2 import Read
from services.audit import verifier
from services.common.transparency_pages import PAGE, RECEIPT, REPORT, TABLE
from tests.support import browser_questions as questions
from tests.support.access_fields import fields_for
from tests.support.access_stack import World
from tests.support.browser import PHONE, Consoles, Desk
from tests.support.browser_auditor import (
    HOSTILE,
    Asked,
    looked_at,
    new_case,
    next_index,
    press,
    run,
    shown_of,
    taken,
)
from tests.support.browser_coordinator import HEAD, asked, fill, form, said, send, sent, wrong
from tests.support.browser_keys import reach, write
from tests.support.browser_people import new_person
from tests.support.browser_photographs import photographed

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(300)]
ORDER: FilePayload = {
    "name": "order.pdf",
    "mimeType": "application/pdf",
    "buffer": b"the circuit court orders",
}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def auditor(folder: Path) -> str:
    """Subject of an auditor whom no other test signs in."""
    return await new_person(folder, "auditor")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def read(world: World) -> Read:
    return await photographed(world)


async def opened(desk: Desk, case: str) -> None:
    """Opens the first question that was asked for the case."""
    await desk.open("/auditor/log")
    await Asked(case).write(desk.page, of_case=case, kind="query")
    await press(desk.page.locator("tbody button").last)


@pytest.mark.clause("IV.B.1", "IV.E.2", "III.B.3.r")
async def test_a_field_that_a_court_orders_out_of_the_log_is_gone_and_every_proof_still_holds(
    consoles: Consoles, auditor: str, tmp_path: Path
) -> None:
    case = new_case()
    async with consoles.at(HEAD, "/auditor/log") as desk:
        page = desk.page
        await Asked(case, f"Look at what John Doe had to do with it {HOSTILE}").write(page, of_case=case)
        await opened(desk, case)
        assert "UNVERIFIED" in await page.inner_text(".notice")
        await page.locator("summary", has_text="Take a field out").click()
        await form(desk, "redact").locator("[name=document]").set_input_files([ORDER])
        await sent(desk, "redact", field="actor", legal_basis=f"Order 26-18 {HOSTILE}")
        assert "who acted, when and how it ended stays" in await wrong(desk, "redact", "field")
        await looked_at(desk, "redact-refused")
        # The order does not have to be chosen again.
        await fill(desk, "redact", field="purpose")
        async with page.expect_request(lambda one: one.method == "POST") as posted:
            await send(desk, "redact")
        assert "is gone for good" in await page.inner_text("main")
        await page.locator("[data-holds=yes]").wait_for()
        act = await page.inner_text(".receipt span")
        await looked_at(desk, "redacted")
        await page.reload()  # the form once more is the same act
        assert await page.inner_text(".receipt span") == act
        assert (await posted.value).url.endswith("/auditor/entry/redact")
    async with consoles.at(auditor, "/auditor/log") as desk:
        page = desk.page
        await opened(desk, case)
        row = page.locator("tr", has_text="purpose")
        assert "taken out of the log" in await row.inner_text()
        await page.locator("[data-holds=yes]").wait_for()
        assert await form(desk, "redact").count() == 0
        receipt = await taken(page, "Proof of entry", tmp_path)
        await desk.open("/auditor/log")
        await Asked(new_case()).write(page, action="log.redact", kind="intent")
        await press(page.locator("tbody button").first)
        done = await page.inner_text("table.entry")
        assert HOSTILE in done
        assert sha256(ORDER["buffer"]).hexdigest() in done
        await looked_at(desk, "entry-redacted")
        key = verifier.read_public_key((await taken_at(desk, "/auditor", "public key", tmp_path)).read_text())
    assert "purpose" not in verifier.verify_receipt(receipt.read_text("utf-8"), key)


async def taken_at(desk: Desk, path: str, button: str, folder: Path) -> Path:
    """A file of another page."""
    await desk.open(path)
    return await taken(desk.page, button, folder)


@pytest.mark.clause("III.B.3.l", "IV.B.1")
async def test_an_auditor_who_sends_the_form_of_a_redaction_all_the_same_is_refused(
    consoles: Consoles, auditor: str
) -> None:
    case = new_case()
    async with consoles.at(auditor, "/auditor/log") as desk:
        page = desk.page
        await Asked(case).write(page)
        await opened(desk, case)
        before = await page.inner_text("table.entry")
        await page.evaluate(
            """() => {
              const form = document.querySelector('form[action="/auditor/entry/disclose"]');
              form.action = "/auditor/entry/redact";
              const order = { field: "purpose", legal_basis: "Order 26-19", document_sha256: "0".repeat(64) };
              for (const [name, value] of Object.entries(order)) {
                form.append(Object.assign(document.createElement("input"), { type: "hidden", name, value }));
              }
            }"""
        )
        await page.fill("[name=recipient]", "nobody")
        async with page.expect_response("**/auditor/entry/redact") as answered:
            await press(page.get_by_role("button", name="Make the receipt"))
        assert (await answered.value).status == 403
        await opened(desk, case)
        assert await page.inner_text("table.entry") == before


@pytest.mark.clause("III.B.3.q")
async def test_how_the_running_system_stands_to_each_clause_is_shown_as_the_command_found_it(
    consoles: Consoles, auditor: str, folder: Path
) -> None:
    left = folder / "conformance.jsonl"
    left.unlink(missing_ok=True)
    async with consoles.at(auditor, "/auditor/conformance") as desk:
        page = desk.page
        assert "No run has been left here yet" in await page.inner_text(".notice")
        await looked_at(desk, "conformance-none")
        left.write_text('{"clause": "I"}\n', encoding="ascii")
        await page.reload()
        assert "cannot be read" in await page.inner_text(".notice")
        lent = ("--as", f"auditor={auditor}", "--as", "user=the-user")
        case = ("--case-kind", "cad", "--case", "2026-004711", "--offence", "OTHER_PUBLIC_SAFETY")
        why = (*case, "--purpose", "yearly test of the controls, ordered by the agency's head")
        asking = await asyncio.create_subprocess_exec(
            *(str(Path(sys.executable).with_name("platewarden")), "conformance", "run", *lent, *why),
            *("--data-dir", str(folder), "--out", str(left), "--json"),
            stdout=asyncio.subprocess.PIPE,
        )
        out, _ = await asking.communicate()  # it ends with 1 where a clause fails
        found = [json.loads(line) for line in out.splitlines()]
        await page.reload()
        rows = page.locator("table").first.locator("tbody tr")
        shown = [
            (await row.locator("td").nth(0).inner_text(), await row.locator("td").nth(1).inner_text())
            for row in await rows.all()
        ]
        assert shown == [(one["clause"], one["verdict"]) for one in found if "clause" in one]
        assert await page.locator("table").nth(1).locator("tbody tr").count() == len(found) - len(shown)
        # What needs a person says what that person looks at.
        assert (
            next(one["look_at"] for one in found if one.get("clause") == "III.B.3")
            in await rows.nth([clause for clause, _ in shown].index("III.B.3")).inner_text()
        )
        await rows.first.locator("summary").first.click()
        assert found[0]["findings"][0]["evidence"][0] in await rows.first.inner_text()
        await looked_at(desk, "conformance-run")
        await press(page.get_by_role("link", name="needs a person"))
        assert {await one.inner_text() for one in await page.locator("td[data-name=Stands]").all()} == {
            "needs a person"
        }


@pytest.mark.clause("IV.B.1", "III.B.3.q", "IV.A.3")
async def test_a_report_leaves_as_the_folder_for_publication_and_is_counted_anew_from_the_page_s_files(
    consoles: Consoles, auditor: str, folder: Path, tmp_path: Path
) -> None:
    end = datetime.now(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    first = (end - timedelta(days=1)).replace(day=1)
    async with consoles.at(HEAD, "/auditor/transparency") as desk:
        for name, at in (("first_month", first), ("end_month", end)):
            await desk.page.fill(f"[name={name}]", f"{at:%Y-%m}")
        await press(desk.page.get_by_role("button", name="Count and keep for ever"))
        report_id = desk.page.url.rpartition("/")[2]
    async with consoles.at(auditor, "/auditor/transparency", PHONE, color_scheme="dark") as desk:
        page = desk.page
        await page.get_by_role("link", name=f"{first:%Y-%m}").first.click()
        await page.locator("[data-holds=yes]").nth(1).wait_for()
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        await looked_at(desk, "report-phone-dark")
        packed = await taken(page, "folder for publication", tmp_path)
        key = await taken(page, "log.pub", tmp_path)
        await desk.open("/auditor/export")
        await page.get_by_label("Open only what a transparency report counts").check()
        log = await taken(page, "Take the log along", tmp_path)
    assert packed.name == f"transparency-{first:%Y-%m}.zip"
    with zipfile.ZipFile(io.BytesIO(packed.read_bytes())) as files:
        assert files.testzip() is None
        files.extractall(tmp_path)
    made, written = tmp_path / packed.stem, tmp_path / "by-command"
    platewarden = Path(sys.executable).with_name("platewarden")
    command = (platewarden, "transparency", "get", report_id, "--out", written, "--as", auditor)
    await run(*command, "--data-dir", folder, folder=tmp_path)
    names = {one.name for one in written.iterdir()}
    assert {one.name for one in made.iterdir()} == names > {REPORT, TABLE, PAGE, RECEIPT}
    for name in names - {RECEIPT}:  # its proof is under the newest checkpoint
        assert (made / name).read_bytes() == (written / name).read_bytes(), name
    # By itself, without anything of ours in reach; beside it are the parts that it takes along.
    program = (sys.executable, "-E", "-s", made / "verify_transparency.py", "--public-key", key, made)
    good = await run(*program, log, folder=tmp_path)
    assert "entries of the log, to the same numbers" in good
    table = made / TABLE
    table.write_bytes(table.read_bytes().replace(b",0\r\n", b",7\r\n", 1))
    with pytest.raises(AssertionError, match=f"{TABLE} says something else"):
        await run(*program, folder=tmp_path)


@pytest.mark.clause("IV.A.3", "IV.E.2", "III.B.3.o")
async def test_the_log_of_a_case_leaves_in_two_files_that_are_proven_to_be_whole_together(
    consoles: Consoles, auditor: str, tmp_path: Path
) -> None:
    case = new_case()
    async with consoles.at(auditor, "/auditor/log") as desk:
        page = desk.page
        await Asked(case).write(page, of_case=case)
        pieces = [await piece(desk, case, 0, tmp_path)]
        size = next_index(pieces[0])
        await desk.open("/auditor/log")
        await Asked(case).write(page, of_case=case)
        pieces.append(await piece(desk, case, size, tmp_path))
        key = await taken(page, "log.pub", tmp_path)
        program = await taken(page, "verifier.py", tmp_path)
    good = await run(
        sys.executable, "-I", program, "--public-key", key, "--case", case, *pieces, folder=tmp_path
    )
    assert f"complete for case {case}" in good
    # Of all others it shows what proves that none is missing, and not what was asked for.
    asked_for = [one for one in shown_of(*pieces) if "purpose" in one]
    assert {one.get("case_number") for one in asked_for} == {case}
    assert pieces[1].name == f"log-from-{size}.jsonl"
    with pytest.raises(AssertionError, match="bad: "):
        await run(sys.executable, "-I", program, "--public-key", key, pieces[1], pieces[0], folder=tmp_path)


async def piece(desk: Desk, case: str, first: int, folder: Path) -> Path:
    """The log from an entry on, with whole entries of the case alone."""
    await desk.open("/auditor/export")
    await desk.page.fill("[name=of_case]", case)
    await desk.page.fill("[name=first_index]", str(first))
    return await taken(desk.page, "Take the log along", folder)


@pytest.mark.clause("III.B.3.m", "III.B.3.n", "IV.B.2", "IV.E.2")
async def test_an_auditor_sees_to_whom_a_file_went_and_that_its_recipient_was_told_of_an_error_in_it(
    consoles: Consoles, folder: Path, auditor: str, read: Read
) -> None:
    officer, system = await new_person(folder, "user"), f"Records {new_case()} {HOSTILE}"
    async with consoles.at(officer, "/search/report") as desk:
        page = desk.page
        await questions.give_reasons(page)
        await page.fill("[name=plate]", read.plate)
        await page.select_option("[name=recipient_kind]", label="Another law enforcement agency")
        await page.get_by_text("Somebody else gets it").click()
        await page.fill("[name=agency_ori]", "IL0160000")
        await page.fill("[name=organisation]", system)
        await page.fill("[name=recipient_person]", "A detective")
        await page.fill("[name=recipient_purpose]", "homicide investigation, the same car")
        await page.fill("[name=email]", "records@county.illinois.gov")
        await page.select_option("[name=format]", label="Table (CSV)")
        await questions.send(page, "Make the file")
        await desk.open("/search/correction")
        await questions.give_reasons(page)
        await page.fill("[name=read_id]", read.read_id)
        await page.fill("#f-statement", "one character was another one")
        await questions.send(page, "Write it down")
        await desk.open("/search/register")
        notice = page.locator("article", has=page.get_by_label("Whom you told")).filter(has_text=system)
        await notice.get_by_label("Another address").fill("records@nowhere")
        await press(notice.get_by_role("button", name="Write to the recipient now"))
        assert await notice.get_by_label("Another address").get_attribute("aria-invalid") == "true"
        await looked_at(desk, "register-refused")
        await notice.get_by_label("Another address").fill("desk@county.illinois.gov")
        await press(notice.get_by_role("button", name="Write to the recipient now"))
        assert "Letter of the system: waiting" in await notice.inner_text()
        await audited(consoles, auditor, read, system, told=False)
        await notice.get_by_label("Whom you told").fill("the detective, by telephone")
        await press(notice.get_by_role("button", name="The recipient was told"))
        assert await notice.count() == 0
    await audited(consoles, auditor, read, system, told=True)


async def audited(consoles: Consoles, auditor: str, read: Read, system: str, *, told: bool) -> None:
    """The register and the letters as an auditor sees them: the file, and whether its recipient was told."""
    size = PHONE if told else {"width": 1280, "height": 900}
    async with consoles.at(auditor, "/auditor/left", size) as desk:
        page = desk.page
        await page.fill("[name=read_id]", read.read_id)
        await questions.send(page, "Show")
        row = page.locator("tbody tr", has_text=system)
        assert "homicide investigation, the same car" in await row.inner_text()
        assert ("1 to be told" in await row.inner_text()) is not told
        assert read.plate not in await page.inner_text("main")
        await looked_at(desk, f"left{'-phone' if told else ''}")
        await press(page.get_by_role("link", name="What recipients were told"))
        region = "Notices that were told" if told else "Notices that wait"
        notice = page.get_by_role("region", name=region).locator("tr", has_text=system)
        while not await notice.count():  # notices that came in before
            await questions.send(page, "Newer ones")
        assert "Corrected" in await notice.inner_text()
        if not told:
            assert "waiting" in await notice.inner_text()
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        await looked_at(desk, f"letters{'-phone' if told else ''}")


@pytest.mark.clause("IV.B.3")
async def test_a_request_of_a_government_entity_is_recorded_decided_once_by_keys_and_seen_by_auditors(
    consoles: Consoles, auditor: str
) -> None:
    entity = f"Highway {new_case()} {HOSTILE}"
    paper = FilePayload(name="request.pdf", mimeType="application/pdf", buffer=entity.encode())
    async with consoles.at("the-work-unit-coordinator", "/auditor/requests") as desk:
        page = desk.page
        await form(desk, "record").evaluate("one => one.closest('details').open = true")
        await form(desk, "record").locator("[name=document]").set_input_files([paper])
        given = {"entity": entity, "entity_type": "county department", "person": "A. Clerk, engineer"}
        await sent(desk, "record", **given, purpose="too short")
        assert "at least 10" in await wrong(desk, "record", "purpose")
        await looked_at(desk, "request-refused")
        await sent(desk, "record", purpose="repair of the bridge after the crash of May")
        assert "waits for the statewide coordinator" in await said(desk)
        assert await page.get_by_text("Decide on it").count() == 0
    async with consoles.at(HEAD, "/auditor/requests") as desk:
        page = desk.page
        one = page.locator("article", has_text=entity)
        place = one.locator("form")
        key = str(await place.get_attribute("id")).removeprefix("form-")
        for name, text in (("decision", "1"), ("valid_until", ""), ("reason", f"public safety {HOSTILE}")):
            if text:
                await reach(desk, place.locator(f"[name={name}]"))
                await write(desk, place.locator(f"[name={name}]"), text)
        await place.locator("[name=valid_until]").evaluate("one => { one.value = '2020-01-01T00:00'; }")
        await reach(desk, place.locator("button"))
        async with page.expect_navigation():
            await page.keyboard.press("Enter")
        assert "366 days at most" in await wrong(desk, key, "valid_until")
        await looked_at(desk, "request-decision-refused")
        ahead = datetime.now(UTC) + timedelta(days=20)
        await sent(desk, key, valid_until=f"{ahead:%Y-%m-%dT%H:%M}")
        assert "on record" in await said(desk)
        assert "granted" in await one.inner_text()
        assert await one.locator("form").count() == 0
    async with consoles.at(auditor, "/auditor/requests", PHONE) as desk:
        one = desk.page.locator("article", has_text=entity)
        assert HOSTILE in await one.inner_text()
        assert "Granted" in await one.inner_text()
        assert sha256(paper["buffer"]).hexdigest() in await one.inner_text()
        assert await desk.page.locator("main form").count() == 0
        await looked_at(desk, "requests-phone")


@pytest.mark.clause("III.B.3.c", "III.B.3.o", "IV.F.1")
async def test_an_auditor_sees_what_coordinators_and_administrators_have_on_record(
    consoles: Consoles, world: World, auditor: str
) -> None:
    mark, coordinator = f"{new_case()} {HOSTILE}", "the-work-unit-coordinator"
    for name, field in (("OpenIncident", "summary"), ("RequestSupport", "details")):
        await asked(world, coordinator, name, **fields_for(name, world.facts) | {field: mark})
    webhook = fields_for("CreateWebhook", world.facts) | {"name": mark[:64], "format": 1}
    await asked(world, "the-telecom-center", "CreateWebhook", **webhook)
    async with consoles.at(auditor, "/auditor/record") as desk:
        page = desk.page
        for region in ("Incidents", "Requests for support", "Systems that are sent alerts"):
            rows = page.get_by_role("region", name=region).locator("tr", has_text=mark[:64])
            assert await rows.count() == 1, region
        setting = page.get_by_role("region", name="Settings").locator("tr", has_text="account_review_days")
        assert "CJIS AC-6(7)" in await setting.inner_text()
        await looked_at(desk, "on-record")
        await page.set_viewport_size({"width": 320, "height": 780})
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
