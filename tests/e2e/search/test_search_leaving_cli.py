"""Reports, evidence, register and export on the command line, against search and the real audit service."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio

from alpr.audit.v1 import authorization_service_pb2 as audit_pb
from services.dev.pki import DevelopmentAuthority
from tests.support.audit_kit import Officer
from tests.support.search_command import PURPOSE, WHY
from tests.support.search_leaving import Leaving

PLATE = "CL1234"
# Every command is a process of its own, which takes a second or two on a busy machine.
pytestmark = pytest.mark.timeout(240)
TO_SHERIFF = (
    *("--for", "law-enforcement", "--ori", "ILCPD0001", "--organisation", "Cook County Sheriff"),
    *("--person", "Det. A. Example", "--their-purpose", "homicide investigation in their county"),
)


@dataclass
class Person:
    """`platewarden ...` as somebody types it, with what is needed to ask."""

    environment: dict[str, str]

    async def run(self, *arguments: str) -> tuple[int, str, str]:
        """Exit code, standard output and standard error."""
        process = await asyncio.create_subprocess_exec(
            str(Path(sys.executable).with_name("platewarden")),
            *arguments,
            env=self.environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        output, errors = await process.communicate()
        return process.returncode or 0, output.decode(), errors.decode()

    async def asks(self, *arguments: str) -> tuple[int, str, str]:
        return await self.run(*arguments, *WHY, *PURPOSE)


def person(leaving: Leaving, tls: DevelopmentAuthority, officer: Officer) -> Person:
    return Person(
        {
            **os.environ,
            "PW_SEARCH_TARGET": leaving.house.user_target,
            "PW_AUDIT_TARGET": leaving.house.audit.user_target,
            # There is neither matcher nor alerts nor ocr in this house; their parts are then not included.
            "PW_MATCHER_TARGET": leaving.house.audit.user_target,
            "PW_ALERTS_TARGET": leaving.house.audit.user_target,
            "PW_OCR_PEOPLE_TARGET": leaving.house.audit.user_target,
            "PW_CA_FILE": str(tls.ca_file),
            "PW_TOKEN": officer.token(),
            "COLUMNS": "240",
        }
    )


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def officer(leaving: Leaving, tls: DevelopmentAuthority) -> AsyncIterator[Person]:
    yield person(leaving, tls, leaving.officer)


@pytest.mark.clause("IV.C.3", "III.B.3.m")
@pytest.mark.parametrize(("ending", "beginning"), [("pdf", b"%PDF-"), ("geojson", b"{")])
async def test_a_report_on_a_plate_is_one_command(
    leaving: Leaving, officer: Person, tmp_path: Path, ending: str, beginning: bytes
) -> None:
    await leaving.store(await leaving.pictured_read(plate=PLATE))
    out, receipts = tmp_path / f"report.{ending}", tmp_path / "receipts"

    code, output, errors = await officer.asks(
        "search", "report", PLATE, "--out", str(out), "--receipts", str(receipts)
    )

    assert code == 0, errors
    assert output.startswith("UNVERIFIED")
    assert out.read_bytes().startswith(beginning)
    assert len(list(receipts.iterdir())) == 2
    assert names(tmp_path) == sorted([out.name, receipts.name])


async def test_a_report_on_nothing_is_refused_and_writes_no_file(officer: Person, tmp_path: Path) -> None:
    code, _, errors = await officer.asks("search", "report", "NOSUCH1", "--out", str(tmp_path / "r.pdf"))

    assert code == 2
    assert "nothing to report" in errors
    assert names(tmp_path) == []


@pytest.mark.parametrize(
    "arguments",
    [("PLATE1", "--out", "r.docx"), ("--out", "r.pdf"), ("PLATE1", "--out", "r.pdf", "--redact", "plate")],
)
async def test_a_command_that_cannot_be_carried_out_says_why(
    officer: Person, arguments: tuple[str, ...]
) -> None:
    code, _, errors = await officer.asks("search", "report", *arguments)

    assert code == 2
    assert errors


@pytest.mark.clause("III.D.5")
async def test_evidence_is_made_listed_fetched_again_and_verified(
    leaving: Leaving, officer: Person, tmp_path: Path
) -> None:
    [read_id] = await leaving.store(await leaving.pictured_read(plate=PLATE))
    key = tmp_path / "key"
    key.write_text(leaving.log_key)

    made, output, errors = await officer.asks(
        *("search", "evidence", read_id, "--report-number", "RPT-9", "--system", "Evidence.com"),
        *("--out", str(tmp_path), "--json"),
    )
    evidence_id = json.loads(output)["evidence_id"]
    _, listed, _ = await officer.run("evidence", "list", "--report-number", "RPT-9")
    fetched, _, more = await officer.asks(
        "evidence", "get", evidence_id, "--out", str(tmp_path / "again.zip")
    )
    verified, good, _ = await officer.run(
        *("evidence", "verify", str(tmp_path / f"evidence-{evidence_id}.zip"), str(tmp_path / "again.zip")),
        *("--public-key", str(key)),
    )
    (tmp_path / "again.zip").write_bytes((tmp_path / "again.zip").read_bytes().replace(b"CL1234", b"XX1234"))
    broken, _, bad = await officer.run(
        "evidence", "verify", str(tmp_path / "again.zip"), "--public-key", str(key)
    )

    assert (made, fetched, verified, broken) == (0, 0, 0, 1), errors + more
    assert evidence_id in listed
    assert good.count("good: evidence of read") == 2
    assert bad.startswith("bad: ")


@pytest.mark.clause("III.B.3.m", "III.B.3.n")
async def test_the_register_is_kept_from_the_command_line(
    leaving: Leaving, officer: Person, tmp_path: Path
) -> None:
    [read_id] = await leaving.store(await leaving.pictured_read(plate=PLATE))
    _, output, _ = await officer.asks(
        *("search", "report", "--read", read_id, "--out", str(tmp_path / "r.csv"), "--json", *TO_SHERIFF)
    )
    export = json.loads(output)["dissemination_id"]

    on = await officer.asks("dissemination", "hand-on", export, *TO_SHERIFF, "--delete-by", "2031-01-01")
    listed = await officer.run("dissemination", "list", "--read", read_id)
    wrong = await officer.asks("dissemination", "correct", read_id, "--statement", "the state was misread")
    notices = await officer.run("dissemination", "notices", "--json")
    mine = [one for one in map(json.loads, notices[1].splitlines()) if one["dissemination_id"] == export]
    told = await officer.run(
        "dissemination", "told", mine[0]["notice_id"], "--statement", "e-mail to the detective"
    )
    deleted = await officer.run("dissemination", "deleted", export, "--statement", "letter of the sheriff")
    again = await officer.run("dissemination", "deleted", export, "--statement", "letter of the sheriff")

    assert [one[0] for one in (on, listed, wrong, notices, told, deleted, again)] == [0, 0, 0, 0, 0, 0, 1]
    assert "delete the file by 2031-01-01" in on[1]
    assert export in listed[1]
    assert "Cook County Sheriff" in listed[1]
    assert "2 recipient(s)" in wrong[1]


@pytest.mark.clause("IV.B.3")
async def test_another_state_gets_nothing_without_its_declaration(
    leaving: Leaving, officer: Person, tmp_path: Path
) -> None:
    [read_id] = await leaving.store(await leaving.pictured_read(plate=PLATE))
    elsewhere = [*TO_SHERIFF]
    elsewhere[elsewhere.index("ILCPD0001")] = "WIMSN0001"
    (tmp_path / "declaration.pdf").write_bytes(b"signed")
    declared = (
        *("--declaration", str(tmp_path / "declaration.pdf"), "--signed-by", "Chief B. Example"),
        *("--signed-on", "2026-01-01", "--declares-no-health-care-use", "--declares-no-immigration-use"),
    )
    ask = ("search", "report", "--read", read_id, "--out", str(tmp_path / "r.csv"), *elsewhere)

    without = await officer.asks(*ask)
    half = await officer.asks(*ask, *declared[:-1])
    whole = await officer.asks(*ask, *declared)

    assert (without[0], half[0], whole[0]) == (1, 1, 0)
    assert "625 ILCS 5/2-130" in without[2]
    assert "not_for_immigration" in half[2]


@pytest.mark.clause("IV.A.3")
async def test_everything_is_exported_and_verified(
    leaving: Leaving, tls: DevelopmentAuthority, tmp_path: Path
) -> None:
    await leaving.store(await leaving.pictured_read(plate=PLATE))
    head = await leaving.house.audit.person(audit_pb.ROLE_STATEWIDE_COORDINATOR, audit_pb.ROLE_AUDITOR)
    owner, out, key = person(leaving, tls, head), tmp_path / "all", tmp_path / "key"
    key.write_text(leaving.log_key)

    made, output, errors = await owner.asks(
        "export", "all", "--out", str(out), "--pictures", "--page-size", "3"
    )
    verified, good, bad = await owner.run("export", "verify", str(out), "--public-key", str(key))
    again, _, twice = await owner.asks("export", "all", "--out", str(out))

    assert (made, verified, again) == (0, 0, 2), errors + bad
    assert "none left out between them" in good
    assert "alerts (" in output
    assert "hot_lists (" in output
    assert (out / "log.jsonl").exists()
    assert (out / "register.jsonl").read_text()
    assert "not empty" in twice
