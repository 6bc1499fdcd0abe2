"""The auditor's pages: the log, proofs checked in the browser and offline, purges, reviews, reports."""

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import pytest
from playwright.async_api import Page

from services.audit import verifier
from tests.support.access_stack import World
from tests.support.browser import PHONE, Consoles, Desk, picture
from tests.support.browser_auditor import (
    HOSTILE,
    WITNESS,
    Asked,
    looked_at,
    new_case,
    press,
    purged,
    taken,
    witnessed,
)
from tests.support.browser_people import new_person

pytestmark = pytest.mark.asyncio(loop_scope="session")
HOLDS, DOES_NOT = "[data-holds=yes]", "[data-holds=no]"


async def key_of(desk: Desk, folder: Path) -> Path:
    """File with the log's public key, as auditors take it along."""
    await desk.open("/auditor")
    return await taken(desk.page, "public key", folder)


async def proven(page: Page, count: int = 1) -> None:
    """Returns when so many receipts or checkpoints of the page hold, and none does not."""
    await page.locator(HOLDS).nth(count - 1).wait_for()
    assert await page.locator(DOES_NOT).count() == 0


@pytest.mark.clause("IV.E.2", "III.B.3.o")
async def test_the_state_of_the_log_is_checked_in_the_page_and_kept_and_held_against_later(
    consoles: Consoles, world: World, tmp_path: Path
) -> None:
    witness = tmp_path / "witness.pub"
    witness.write_text(await witnessed(world), encoding="ascii")
    async with consoles.at("the-auditor", "/auditor") as desk:
        page = desk.page
        await proven(page, 2)
        assert WITNESS in await page.inner_text("tbody")
        await looked_at(desk, "state")
        key = verifier.read_public_key((await key_of(desk, tmp_path)).read_text("ascii"))
        kept = await taken(page, "Keep this checkpoint", tmp_path)
        signed = await taken(page, "Keep it", tmp_path)
        await desk.open("/auditor/purges")  # a look that is on record: the log has grown since
        await desk.open("/auditor")
        assert verifier.open_checkpoint(kept.read_text("utf-8"), key).size
        await press(page.get_by_role("button", name="Prove that the log begins with what").first)
        await proven(page)
        await desk.open("/auditor")
        await page.set_input_files("[name=checkpoint]", kept)
        await press(page.get_by_role("button", name="Prove that the log begins with it"))
        await proven(page)
        await looked_at(desk, "consistency")
        proof = await taken(page, "Keep the proof", tmp_path)
        first, second = verifier.check_consistency(proof.read_text("utf-8"), key)
        assert first.size < second.size
        await desk.open("/auditor/receipts")
        await chosen(page, "checkpoint", signed, witness=witness)
        assert "signed by the witness" in await page.inner_text(HOLDS)
        await chosen(page, "consistency", proof)
        await proven(page, 2)
        forged = tmp_path / "forged.json"
        forged.write_text(json.dumps(json.loads(proof.read_text("utf-8")) | {"hashes": []}), encoding="utf-8")
        await chosen(page, "consistency", forged)
        assert "does not begin with" in await page.inner_text(DOES_NOT)


async def chosen(page: Page, what: str, file: Path, **more: Path) -> None:
    """Chooses files in the form of the page of checks, and waits for what it says."""
    form = page.locator(f"form[data-check={what}]")
    for name, path in {"file": file, **more}.items():
        await form.locator(f"[name={name}]").set_input_files(path)
    await form.locator("button").click()
    await page.locator(f"section:has(form[data-check={what}]) [data-holds]").wait_for()


@pytest.mark.clause("III.B.3.o", "IV.C.5", "IV.C.6", "III.B.3.r")
async def test_the_log_is_asked_by_case_and_an_entry_leaves_with_the_chosen_fields_alone(
    consoles: Consoles, tmp_path: Path
) -> None:
    case = new_case()
    async with consoles.at("the-auditor", "/auditor/log") as desk:
        page = desk.page
        await Asked(case, f"Yearly audit of searches for stolen cars {HOSTILE}").write(page, of_case=case)
        assert "Nothing in the log is as you asked for" in await page.inner_text("main")
        await desk.open("/auditor/log")
        await Asked(case).write(page, of_case=case)
        assert "UNVERIFIED" in await page.inner_text(".notice")
        assert await page.locator("tbody tr").count() >= 1
        assert case in await page.inner_text("tbody")
        assert case not in page.url + await page.title()
        await proven(page, 2)
        await looked_at(desk, "entries")
        await press(page.locator("tbody tr", has_text="query").locator("button").first)
        await proven(page)
        assert HOSTILE in await page.inner_text("table")
        await looked_at(desk, "entry")
        await page.get_by_label("case_number_kind").check()
        await page.fill("[name=recipient]", f"Circuit court {HOSTILE}")
        await press(page.get_by_role("button", name="Make the receipt"))
        await proven(page, 3)
        assert HOSTILE in await page.inner_text("main")
        await looked_at(desk, "disclosed")
        receipt = await taken(page, "Proof of entry", tmp_path)
        key = await key_of(desk, tmp_path)
    opened = verifier.verify_receipt(
        receipt.read_text("utf-8"), verifier.read_public_key(key.read_text("ascii"))
    )
    assert set(opened) == {"case_number_kind", "entry_id", "kind", "record_time"}


@pytest.mark.clause("III.B.3.o")
async def test_the_log_is_asked_by_person_in_pages_and_each_look_is_an_entry(consoles: Consoles) -> None:
    asked = Asked(new_case())
    async with consoles.at("the-auditor", "/auditor/log", color_scheme="dark") as desk:
        page = desk.page
        await asked.write(page, who="nobody of that name")
        assert "Nobody of the agency" in await page.inner_text("#d-who")
        await looked_at(desk, "log-refused")
        await page.fill("[name=who]", "the-")
        await press(page.get_by_role("button", name="Ask the log"))
        await press(page.get_by_role("button", name="the-auditor, badge"))
        assert "of the-auditor" in await page.inner_text("main")
        people = await page.locator("tbody td[data-name=By]").all_inner_texts()
        assert set(people) == {"the-auditor"}
        await desk.open("/auditor/log")
        await asked.write(page, page_size="25")
        newer = await page.locator("tbody button").all_inner_texts()
        await press(page.get_by_role("button", name="Older entries"))
        older = await page.locator("tbody button").all_inner_texts()
        assert len(newer) == len(older) == 25
        assert not set(newer) & set(older)
        # Older entries of the same question are a question of their own.
        await desk.open("/auditor/log")
        await asked.write(page, of_case=asked.case_number, kind="query")
        assert await page.locator("tbody tr").count() == 3


@pytest.mark.clause("IV.E.2")
async def test_the_page_of_receipts_asks_no_server_and_says_what_the_offline_verifier_says(
    consoles: Consoles, tmp_path: Path
) -> None:
    async with consoles.at("the-auditor", "/auditor/log", viewport=PHONE) as desk:
        page = desk.page
        await Asked(new_case()).write(page)
        await picture(page, "auditor-entries-phone")
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        receipt = await taken(page, "Proof of entry", tmp_path)
        key_text = (await key_of(desk, tmp_path)).read_text("ascii")
        await desk.open("/auditor/receipts")
        await page.wait_for_load_state("networkidle")
        sent: list[str] = []
        page.on("request", lambda request: sent.append(request.url))
        await chosen(page, "receipt", receipt)
        assert "entry_id" in await page.inner_text("[data-result]")
        await looked_at(desk, "receipts-phone")
        wrong = tmp_path / f"{HOSTILE.replace('/', '')}.json"
        wrong.write_text(
            receipt.read_text("utf-8").replace('"value": "CAD"', f'"value": {json.dumps(HOSTILE)}')
        )
        await chosen(page, "receipt", wrong)
        assert "another value than it commits to" in await page.inner_text(DOES_NOT)
        assert sent == []
        texts = mutations(receipt.read_text("utf-8"))
        said = await page.evaluate(CHECK_ALL, {"texts": texts, "key": key_text})
        assert said == [holds(text, key_text) for text in texts]
        assert said[0]
        assert sum(said) < len(said) / 10
        desk.check_quiet()


CHECK_ALL = """async ({texts, key}) => {
  const { checkReceipt, logKeys } = await import("/static/log_proof.js");
  const keys = await logKeys(key);
  return Promise.all(texts.map((text) => checkReceipt(text, keys).then(() => true, () => false)));
}"""


def holds(text: str, key: str) -> bool:
    """What the offline verifier says of a receipt."""
    try:
        verifier.verify_receipt(text, verifier.read_public_key(key))
    except (verifier.VerificationError, UnicodeEncodeError):
        return False
    return True


def mutations(text: str) -> list[str]:
    """The receipt, and what somebody might make of it."""
    item = json.loads(text)
    first, *fields = item["fields"]
    proof = item["proof"]
    changed = [
        {"fields": fields},
        {"fields": item["fields"][::-1]},
        {"fields": [*item["fields"], first]},
        {"fields": [first | {"value": first["value"] + " "}, *fields]},
        {"fields": [first | {"more": ""}, *fields]},
        {"fields": [first | {"salt": first["salt"].rstrip("=")}, *fields]},
        {"fields": [first | {"value": "\ud800"}, *fields]},
        {"fields": [one for one in item["fields"] if one["name"] != "kind"]},
        {"fields": {}},
        {"log_index": item["log_index"] + 1},
        {"log_index": str(item["log_index"])},
        {"log_index": True},
        {"entry_id": item["entry_id"].upper()},
        {"format": "platewarden.receipt/v2"},
        {"leaf": item["leaf"] + "\n"},
        {"leaf": item["leaf"][:-4]},
        {"more": 1},
        {"proof": proof.replace("index ", "index 0", 1)},
        {"proof": proof.replace("\n\n", "\n", 1)},
        {"proof": proof.replace("\n\n", "\nAAAA\n\n", 1)},
        {"proof": proof[:-1]},
        {"proof": proof + "\n"},
        {"proof": proof.replace("\N{EM DASH}", "-")},
        {"proof": proof.replace("@v1\n", "@v1\nextra AAAA\n")},
    ]
    spelled = [
        text,
        json.dumps(item),
        *(json.dumps(item | one) for one in changed),
        text.replace('"log_index": ', '"log_index": 0, "log_index": '),
        text.replace(f'"log_index": {item["log_index"]}', f'"log_index": {item["log_index"]}.0'),
        text.replace("{", "[", 1),
        "",
    ]
    marks = range(0, len(text), 97)
    return [*spelled, *(f"{text[:at]}{'x' if text[at] != 'x' else 'y'}{text[at + 1 :]}" for at in marks)]


@pytest.mark.clause("IV.E.1", "IV.E.3", "III.B.3.n")
async def test_a_purged_day_is_shown_with_its_certificate_and_its_proof(
    consoles: Consoles, world: World
) -> None:
    day = await purged(world)
    async with consoles.at("the-auditor", "/auditor/purges") as desk:
        page = desk.page
        one = page.locator("details", has_text=day).first
        while not await one.count():  # days that were purged since
            async with page.expect_navigation():
                await page.click("text=Older purges")
        await one.locator("summary").click()
        assert "records series" in await one.inner_text()
        await one.locator(HOLDS).nth(1).wait_for()
        await looked_at(desk, "purges")
        await press(page.get_by_role("button", name="Look for anything older"))
        assert "Reads are kept 90 days" in await page.inner_text("main")
        await looked_at(desk, "older")


@pytest.mark.clause("IV.A.2", "III.C.2.d")
async def test_a_review_is_taken_concluded_and_signed_by_somebody_else(
    consoles: Consoles, folder: Path
) -> None:
    subject = await new_person(folder, "partner-agency")
    reason = f"a complaint at the counter {new_case()} {HOSTILE}"
    async with consoles.at("the-auditor", "/auditor/reviews") as desk:
        page = desk.page
        await page.fill("[name=who]", subject)
        await page.fill("[name=reason]", "short")
        await press(page.get_by_role("button", name="Open the review"))
        assert await page.inner_text("#d-reason strong")
        await page.fill("[name=reason]", reason)
        await press(page.get_by_role("button", name="Open the review"))
        review = page.locator("article", has_text=subject).filter(has_not_text="Closed")
        await press(review.get_by_role("button", name="Take it"))
        await review.locator("summary").click()
        await review.locator("[name=explanation]").fill(f"It was the yearly training {HOSTILE}")
        await review.locator("select").select_option(label="explained")
        await press(review.get_by_role("button", name="State it"))
        assert "To be signed: explained" in await review.inner_text()
        assert await review.get_by_role("button", name="Sign").count() == 0
        await looked_at(desk, "reviews")
    async with consoles.at("demo-coordinator", "/auditor/reviews") as desk:
        review = desk.page.locator("article", has_text=subject)
        await press(review.get_by_role("button", name="Sign the finding"))
        closed = desk.page.locator("article", has_text=subject).first
        assert "Closed" in await closed.inner_text()
        assert f"It was the yearly training {HOSTILE}" in await closed.inner_text()


@pytest.mark.clause("IV.B.1")
async def test_an_auditor_sees_what_a_transparency_report_would_say_and_publishes_none(
    consoles: Consoles,
) -> None:
    now = datetime.now(UTC)
    async with consoles.at("the-auditor", "/auditor/transparency") as desk:
        page = desk.page
        assert await page.get_by_role("button", name="Count and keep for ever").count() == 0
        await page.fill("[name=first_day]", f"{now - timedelta(days=1):%Y-%m-%d}")
        await page.fill("[name=end_day]", f"{now + timedelta(days=1):%Y-%m-%d}")
        await press(page.get_by_role("button", name="Count"))
        assert "not to be published" in await page.inner_text(".notice")
        await proven(page)
        await looked_at(desk, "report-preview")


@pytest.mark.clause("IV.B.1")
async def test_a_published_transparency_report_is_the_one_that_the_log_has(
    consoles: Consoles, tmp_path: Path
) -> None:
    now = datetime.now(UTC)
    last = now.replace(day=1) - timedelta(days=1)
    async with consoles.at("demo-coordinator", "/auditor/transparency") as desk:
        page = desk.page
        await page.fill("[name=first_month]", f"{now:%Y-%m}")
        await page.fill("[name=end_month]", f"{now:%Y-%m}")
        await press(page.get_by_role("button", name="Count and keep for ever"))
        assert await page.locator("[role=alert]").count() == 1
        await page.fill("[name=first_month]", f"{last:%Y-%m}")
        await press(page.get_by_role("button", name="Count and keep for ever"))
        await proven(page, 2)
        report = await taken(page, "report.json", tmp_path)
        receipt = await taken(page, "Proof of entry", tmp_path)
        await looked_at(desk, "report")
        key = verifier.read_public_key((await key_of(desk, tmp_path)).read_text("ascii"))
    opened = verifier.verify_receipt(receipt.read_text("utf-8"), key)
    assert opened["detail.sha256"] == sha256(report.read_bytes()).hexdigest()


@pytest.mark.clause("IV.A.3", "IV.E.2")
async def test_the_log_leaves_as_a_file_that_the_program_of_the_page_proves_without_the_console(
    consoles: Consoles, tmp_path: Path
) -> None:
    async with consoles.at("the-auditor", "/auditor/export") as desk:
        page = desk.page
        await page.fill("[name=who]", "the-")
        await press(page.get_by_role("button", name="Take the log along"))
        assert "people are meant" in await page.inner_text("#d-who")
        await looked_at(desk, "export-refused")
        await page.fill("[name=who]", "the-auditor")
        log = await taken(page, "Take the log along", tmp_path)
        await desk.open("/auditor/receipts")
        program = await taken(page, "verifier.py", tmp_path)
        key = await taken(page, "log.pub", tmp_path)
        await looked_at(desk, "receipts")
    actor = next(
        one["value"]
        for line in reversed(log.read_text("utf-8").splitlines()[1:-1])
        for one in json.loads(line)["fields"]
        if one["name"] == "actor" and '"log.export"' in line
    )
    said = await run(program, "--public-key", key, "--account", actor, log)
    assert said.startswith("good: ")
    assert f"complete for account {actor}" in said


async def run(program: Path, *arguments: object) -> str:
    """What the program says when all holds; by itself, without anything of ours."""
    command = [sys.executable, "-I", str(program), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=program.parent)  # noqa: ASYNC221, S603
    return done.stdout


@pytest.mark.clause("III.B.3.l", "III.B.3.q")
async def test_who_is_no_auditor_reads_so_on_every_page_of_theirs(consoles: Consoles) -> None:
    async with consoles.at("the-user") as desk:
        for path in ("/auditor", "/auditor/purges", "/auditor/reviews", "/auditor/conformance"):
            response = await desk.page.goto(f"{desk.url}{path}")
            assert response is not None
            assert response.status == 403, path
        await desk.open("/auditor/log")
        await Asked(new_case()).write(desk.page)
        assert await desk.page.locator("[role=alert]").count() == 1
        assert await desk.page.locator("tbody").count() == 0


@pytest.mark.clause("III.B.3.o")
async def test_questions_and_acts_without_outcome_are_listed_for_a_window_that_is_read(
    consoles: Consoles,
) -> None:
    async with consoles.at("the-auditor", "/auditor/unfinished") as desk:
        page = desk.page
        await looked_at(desk, "unfinished")
        await page.fill("[name=from]", "2026-01-01T00:00")
        await page.fill("[name=to]", "2026-06-01T00:00")
        await press(page.get_by_role("button", name="Show"))
        assert "31 days" in await page.inner_text("#d-from strong")
        await looked_at(desk, "unfinished-refused")
