"""`platewarden transparency` and `audit mine` as people type them."""

from __future__ import annotations

import asyncio
import os
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from alpr.audit.v1 import authorization_service_pb2 as pb
from services.dev.pki import DevelopmentAuthority
from tests.support.audit_kit import ORI, RunningAudit, authorizations, justification, plate_request


async def command(
    audit: RunningAudit, tls: DevelopmentAuthority, subject: str, *arguments: str
) -> tuple[int, str]:
    """Exit code and output of `platewarden ...` as that person types it."""
    process = await asyncio.create_subprocess_exec(
        str(Path(sys.executable).with_name("platewarden")),
        *arguments,
        env={
            **os.environ,
            "PW_AUDIT_TARGET": audit.user_target,
            "PW_CA_FILE": str(tls.ca_file),
            "PW_TOKEN": audit.token(subject),
            "COLUMNS": "300",
        },
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    return process.returncode or 0, output.decode()


@pytest.mark.clause("III.B.3.k")
async def test_an_officer_lists_what_stands_under_the_own_account(
    audit: RunningAudit, tls: DevelopmentAuthority
) -> None:
    officer = await audit.person(pb.ROLE_USER)
    await authorizations(audit).Authorize(plate_request(officer.token()))

    code, text = await command(audit, tls, officer.subject, "audit", "mine", "--entry-kind", "query")

    assert code == 0
    assert "UNVERIFIED" in text
    assert "question.reads" in text
    assert "AB1234" in text


@pytest.mark.clause("III.B.3.o", "III.B.3.f")
async def test_the_log_is_listed_by_the_agency_whose_people_acted(
    audit: RunningAudit, tls: DevelopmentAuthority
) -> None:
    head = await audit.head_of("IL0000091")  # whose account ours made
    why = justification()
    case = ("--case-kind", "cad", "--case", why.case_number, "--offence", why.offence_code)
    asked = ("audit", "list", *case, "--purpose", why.purpose)

    code, ours = await command(audit, tls, head.subject, *asked, "--agency", ORI)
    _, theirs = await command(audit, tls, head.subject, *asked, "--agency", "IL0000091")
    refusal, said = await command(audit, tls, head.subject, *asked, "--agency", "Springfield")

    assert (code, refusal) == (0, 1)
    assert "account.create" in ours
    assert "account.create" not in theirs
    assert "sign_in.begin" in theirs
    assert "must be an ORI" in said


@pytest.mark.clause("IV.B.1")
async def test_a_preview_is_written_in_three_forms_and_has_no_receipt(
    audit: RunningAudit, tls: DevelopmentAuthority, tmp_path: Path
) -> None:
    auditor, today = await audit.person(pb.ROLE_AUDITOR), datetime.now(UTC)
    period = ("--from", f"{today - timedelta(days=9):%Y-%m-%d}", "--to", f"{today:%Y-%m-%d}")

    code, text = await command(
        audit, tls, auditor.subject, "transparency", "preview", *period, "--out", str(tmp_path / "look")
    )

    assert code == 0
    assert "not to be published" in text
    assert {one.name for one in (tmp_path / "look").iterdir()} == {"report.json", "report.csv", "report.html"}


@pytest.mark.parametrize("period", [("2026", "2026-05"), ("2026-05", "May")])
async def test_a_period_that_is_none_is_said_before_anything_is_asked(
    audit: RunningAudit, tls: DevelopmentAuthority, tmp_path: Path, period: tuple[str, str]
) -> None:
    start, end = period

    code, text = await command(
        audit, tls, "nobody", "transparency", "publish", "--from", start, "--to", end, "--out", str(tmp_path)
    )

    assert code == 2
    assert "is no month" in text
