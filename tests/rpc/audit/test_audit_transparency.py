"""Transparency reports: counted from the log, published once, counted anew by whoever has an export."""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import grpc
import pytest
import pytest_asyncio

from alpr.audit.v1 import authorization_service_pb2 as pb
from alpr.audit.v1 import log_service_pb2 as log_pb
from alpr.audit.v1 import transparency_service_pb2 as report_pb
from alpr.audit.v1.log_service_pb2_grpc import LogServiceStub
from alpr.audit.v1.transparency_service_pb2_grpc import TransparencyServiceStub
from alpr.type.v1.error_reason_pb2 import ErrorReason
from services.audit import verifier, verify_transparency
from services.audit.app_log import Log
from services.audit.app_transparency import ReportsDue
from services.audit.store_log import LogStore
from services.audit.store_transparency import TransparencyStore
from services.common.pg import open_pool
from services.common.receipts import export_header, export_line, receipt_to_json
from services.common.transparency_pages import csv_of, html_of
from services.common.wire import to_timestamp
from services.dev.pki import DevelopmentAuthority
from tests.support.audit_kit import (
    COORDINATOR,
    ORI,
    Officer,
    RunningAudit,
    authorizations,
    begin,
    justification,
    last_entry,
    plate_request,
    refused,
    request_id,
    running_audit,
    settings_for,
)
from tests.support.clock import ManualClock
from tests.support.databases import MigratedDatabase, fetch
from tests.support.issuer import RunningIssuer

NAMES = ("report.json", "report.csv", "report.html", "receipt.json")


@dataclass
class Later:
    """A replica whose clock is past the period, with what was asked and done within it."""

    audit: RunningAudit
    clock: ManualClock
    start: datetime
    end: datetime
    officer: Officer
    auditor: Officer

    def metadata(self, subject: str) -> tuple[tuple[str, str]]:
        """A token of the replica's own time."""
        now = int(self.clock.now().timestamp())
        token = self.audit.token(subject, iat=now - 10, nbf=now - 10, auth_time=now - 10, exp=now + 300)
        return (("authorization", f"Bearer {token}"),)


def month(moment: datetime, ahead: int) -> datetime:
    """First moment of the UTC month so many months on."""
    number = moment.year * 12 + moment.month - 1 + ahead
    return datetime(number // 12, number % 12 + 1, 1, tzinfo=UTC)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def later(
    migrated_database: Callable[..., Awaitable[MigratedDatabase]],
    tls: DevelopmentAuthority,
    issuer: RunningIssuer,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Later]:
    database = await migrated_database("audit")
    settings = settings_for(database, tls, issuer, tmp_path_factory.mktemp("audit"))
    await begin(settings, database, issuer)
    async with running_audit(settings, database, tls, issuer) as now:
        officer, auditor = await now.person(pb.ROLE_USER), await now.person(pb.ROLE_AUDITOR)
        head = await now.head_of("IL0000055")
        await lived(now, officer)
    start, end = month(datetime.now(UTC), 0), month(datetime.now(UTC), 2)
    clock = ManualClock(end + timedelta(minutes=10))
    async with running_audit(settings, database, tls, issuer, clock) as running:
        yield Later(running, clock, start, end, officer, auditor)
    assert head.account_id


async def lived(audit: RunningAudit, officer: Officer) -> None:
    """Questions, refusals, hits and verifications of a month."""
    for offence, times in (("HOMICIDE", 12), ("ROBBERY", 7), ("ARSON", 2)):
        for _ in range(times):
            why = justification(offence_code=offence)
            await authorizations(audit).Authorize(plate_request(officer.token(), justification=why))
    for number in range(6):
        why = justification(purpose="test", offence_code=f"AB12{number}")
        await refused(authorizations(audit).Authorize(plate_request(officer.token(), justification=why)))
    for state, times in (("CONFIRMED", 6), ("MISREAD", 5)):
        for _ in range(times):
            await verified(audit, officer, state)
    stub, now = authorizations(audit, "alerts"), to_timestamp(datetime.now(UTC))
    await stub.RecordEvents(
        pb.RecordEventsRequest(
            events=[
                pb.Event(
                    event_id=str(uuid4()),
                    action="hit.raised",
                    resource=str(uuid4()),
                    agency_ori=ORI,
                    event_time=now,
                )
                for _ in range(9)
            ]
        )
    )


async def verified(audit: RunningAudit, officer: Officer, state: str) -> None:
    """An act of verification that was done, as alerts records it."""
    stub = authorizations(audit, "alerts")
    intent = pb.RecordIntentRequest(
        request_id=request_id(),
        access_token=officer.token(),
        action="alert.verify",
        resource=str(uuid4()),
        resource_agency_ori=ORI,
        details={"state": state},
    )
    begun = await stub.RecordIntent(intent)
    done = pb.RecordOutcomeRequest(
        request_id=request_id(), subject_id=begun.intent_id, result=pb.OUTCOME_RESULT_DONE
    )
    await stub.RecordOutcome(done)


def stub_of(later: Later) -> Any:
    return later.audit.people(TransparencyServiceStub)


def publishing(later: Later, **changes: Any) -> report_pb.PublishReportRequest:
    usual = {"request_id": request_id(), "from": to_timestamp(later.start), "to": to_timestamp(later.end)}
    return report_pb.PublishReportRequest(**{**usual, **changes})


async def published(later: Later, **changes: Any) -> report_pb.PublishReportResponse:
    metadata = later.metadata(COORDINATOR)
    answer: report_pb.PublishReportResponse = await stub_of(later).PublishReport(
        publishing(later, **changes), metadata=metadata
    )
    return answer


def rows(report: Mapping[str, Any], measure: str, by: str) -> dict[str, int | None]:
    """Rows that are not zero."""
    found = next(one for one in report["measures"] if one["name"] == measure)
    part = next(one for one in found["breakdowns"] if one["by"] == by)
    return {row["name"]: row["count"] for row in part["rows"] if row["count"] != 0}


def totals(report: Mapping[str, Any]) -> dict[str, int | None]:
    return {one["name"]: one["total"] for one in report["measures"]}


async def exported(later: Later, path: Path, **selection: Any) -> Path:
    """The log as an auditor is given it."""
    stub, metadata = later.audit.people(LogServiceStub), later.metadata(later.auditor.subject)
    newest = await stub.GetCheckpoint(log_pb.GetCheckpointRequest(), metadata=metadata)
    lines = [export_header(newest.checkpoint, 0)]
    async for message in stub.ExportLog(log_pb.ExportLogRequest(**selection), metadata=metadata):
        lines.append(export_line(message))
    path.write_text("".join(lines), encoding="utf-8")  # noqa: ASYNC240 - a small file of this test
    return path


def written(answer: report_pb.PublishReportResponse, folder: Path) -> Path:
    """The report's folder, as it is published."""
    report = json.loads(answer.report.report)
    receipt = json.dumps(receipt_to_json(answer.receipt)).encode()
    folder.mkdir()
    for name, content in zip(
        NAMES, (answer.report.report, csv_of(report), html_of(report), receipt), strict=True
    ):
        (folder / name).write_bytes(content)
    return folder


def checked(later: Later, tmp_path: Path, *arguments: Path) -> int:
    key = tmp_path / "log.pub"
    key.write_text(later.audit.settings.signer().verifier_key(), encoding="utf-8")
    return verify_transparency.main(["--public-key", str(key), *map(str, arguments)])


# --- What a report says ---


@pytest.mark.clause("IV.B.1", "III.B.3.q")
async def test_a_report_has_the_numbers_of_the_period_and_withholds_the_small_ones(later: Later) -> None:
    report = json.loads((await published(later)).report.report)

    assert totals(report) | {"dispositions": 0, "shares": 0} == {
        **{"questions": 21, "refusals": 6, "questions_of_other_agencies": 0, "hits": 9},
        **{"verifications": 11, "dispositions": 0, "shares": 0},
    }
    assert rows(report, "questions", "offence") == {"HOMICIDE": 12, "ROBBERY": None, "ARSON": None}
    assert rows(report, "questions", "question") == {"question.reads": 21}
    assert rows(report, "refusals", "reason") == {"PURPOSE_REQUIRED": 6}
    assert rows(report, "refusals", "offence") == {"OTHER": 6}
    assert rows(report, "verifications", "state") == {"CONFIRMED": 6, "MISREAD": 5}


@pytest.mark.clause("IV.B.1")
async def test_a_report_holds_no_person_plate_or_case_and_nothing_that_was_typed(later: Later) -> None:
    text = (await published(later)).report.report.decode()

    for secret in (later.officer.account_id, "AB1234", "AB12", "2026-004711", "homicide investigation"):
        assert secret not in text


# --- Who counts anew ---


@pytest.mark.clause("IV.B.1", "IV.A.3")
async def test_whoever_has_an_export_of_the_log_counts_the_same(
    later: Later, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = written(await published(later), tmp_path / "report")
    whole = await exported(later, tmp_path / "whole.jsonl")
    counted = await exported(later, tmp_path / "counted.jsonl", counted_only=True)

    assert checked(later, tmp_path, folder) == 0
    assert checked(later, tmp_path, folder, whole) == 0
    assert checked(later, tmp_path, folder, counted) == 0
    assert "counted anew" in capsys.readouterr().out


@pytest.mark.clause("IV.B.1")
async def test_an_export_for_counting_shows_no_person_plate_or_case(later: Later, tmp_path: Path) -> None:
    text = (await exported(later, tmp_path / "counted.jsonl", counted_only=True)).read_text("utf-8")

    for secret in (later.officer.account_id, "AB1234", "AB120", "2026-004711", "homicide investigation"):
        assert secret not in text
    assert "HOMICIDE" in text


@pytest.mark.parametrize("change", ["report.json", "report.csv", "report.html", "receipt.json", "counts"])
async def test_a_report_that_says_something_else_than_the_log_is_found_out(
    later: Later, tmp_path: Path, change: str, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = written(await published(later), tmp_path / "report")
    export = await exported(later, tmp_path / "counted.jsonl", counted_only=True)
    file = folder / ("report.json" if change == "counts" else change)
    file.write_bytes(file.read_bytes().replace(b"6", b"7"))
    if change == "counts":
        key = verifier.read_public_key(later.audit.settings.signer().verifier_key())
        report = json.loads(file.read_bytes())
        checkpoint = verifier.open_checkpoint(
            json.loads((await published(later)).report.report)["checkpoint"], key
        )
        with pytest.raises(verifier.VerificationError, match="other measures"):
            verify_transparency.check_counts(report, checkpoint, [export], key)
        return

    assert checked(later, tmp_path, folder, export) == 1
    assert capsys.readouterr().err.startswith("bad: ")


async def test_a_counted_field_that_is_withheld_is_named(
    later: Later, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = written(await published(later), tmp_path / "report")
    export = await exported(later, tmp_path / "whole.jsonl")
    lines = export.read_text("utf-8").splitlines(keepends=True)
    hidden = [hide(line, "actor_agency") for line in lines]
    export.write_text("".join(hidden), encoding="utf-8")

    assert checked(later, tmp_path, folder, export) == 1
    assert "does not show its field 'actor_agency'" in capsys.readouterr().err


def hide(line: str, name: str) -> str:
    item = json.loads(line)
    if item["type"] == "entry":
        item["fields"] = [one for one in item["fields"] if one["name"] != name]
    return verifier.canonical_line(item)


# --- Publishing ---


async def test_a_period_is_reported_once_and_its_hash_stands_in_the_log(later: Later) -> None:
    first, again = await published(later), await published(later)

    opened = verifier.verify_receipt(
        json.dumps(receipt_to_json(first.receipt)),
        verifier.read_public_key(later.audit.settings.signer().verifier_key()),
    )
    assert again.report == first.report
    assert opened["detail.sha256"] == hashlib.sha256(first.report.report).hexdigest()
    assert opened["action"] == "transparency.published"


@pytest.mark.clause("IV.B.1")
@pytest.mark.parametrize(("first", "last"), [(0, 1), (1, 2), (-1, 2), (-1, 1)])
async def test_no_month_is_in_two_reports(later: Later, first: int, last: int) -> None:
    await published(later)
    period = {
        "from": to_timestamp(month(later.start, first)),
        "to": to_timestamp(month(later.start, last)),
    }

    error = await refused(
        stub_of(later).PublishReport(publishing(later, **period), metadata=later.metadata(COORDINATOR))
    )
    ended = await last_entry(later.audit)

    assert error.reason == ErrorReason.ERROR_REASON_WRONG_STATE
    assert (ended["kind"], ended["action"], ended["result"]) == ("outcome", "transparency.publish", "FAILED")


@pytest.mark.parametrize(
    ("first", "last"),
    [
        (timedelta(days=1), timedelta(0)),
        (timedelta(0), timedelta(hours=-1)),
        (timedelta(0), timedelta(days=31)),
        (timedelta(days=-800), timedelta(0)),
    ],
)
async def test_a_period_of_other_than_whole_months_that_are_over_is_refused(
    later: Later, first: timedelta, last: timedelta
) -> None:
    period = {"from": to_timestamp(later.start + first), "to": to_timestamp(later.end + last)}

    error = await refused(
        stub_of(later).PublishReport(publishing(later, **period), metadata=later.metadata(COORDINATOR))
    )

    assert (error.code, error.violations[0].field) == (grpc.StatusCode.INVALID_ARGUMENT, "from")


@pytest.mark.clause("III.B.3.l", "IV.B.1")
async def test_only_the_head_of_the_agency_publishes_and_everybody_reads(later: Later) -> None:
    stub, made = stub_of(later), await published(later)
    officer = later.metadata(later.officer.subject)
    get = report_pb.GetReportRequest(report_id=made.report.report_id)

    by_officer = await refused(stub.PublishReport(publishing(later), metadata=officer))
    by_auditor = await refused(
        stub.PublishReport(publishing(later), metadata=later.metadata(later.auditor.subject))
    )
    read = await stub.GetReport(get, metadata=officer)
    listed = await stub.ListReports(report_pb.ListReportsRequest(), metadata=officer)

    assert by_officer.reason == by_auditor.reason == ErrorReason.ERROR_REASON_NOT_PERMITTED
    assert read.report == made.report
    assert [one.report_id for one in listed.reports] == [made.report.report_id]
    assert not listed.reports[0].report


async def test_a_preview_is_on_record_and_not_kept(later: Later) -> None:
    stub, auditor = stub_of(later), later.metadata(later.auditor.subject)
    period = {"from": to_timestamp(later.start), "to": to_timestamp(later.start + timedelta(days=20))}
    request = report_pb.PreviewReportRequest(request_id=request_id(), **period)

    before = len((await stub.ListReports(report_pb.ListReportsRequest(), metadata=auditor)).reports)
    answer = await stub.PreviewReport(request, metadata=auditor)
    recorded = await last_entry(later.audit)
    by_officer = await refused(stub.PreviewReport(request, metadata=later.metadata(later.officer.subject)))

    assert json.loads(answer.report)["to"] == f"{later.start + timedelta(days=20):%Y-%m-%dT00:00:00.000000Z}"
    assert (recorded["action"], recorded["actor"]) == ("transparency.preview", later.auditor.account_id)
    assert by_officer.reason == ErrorReason.ERROR_REASON_NOT_PERMITTED
    assert len((await stub.ListReports(report_pb.ListReportsRequest(), metadata=auditor)).reports) == before


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit.transparency_report SET report = report || ' '",
        "DELETE FROM audit.transparency_report",
        "DELETE FROM audit.transparency_month",
        "TRUNCATE audit.transparency_report CASCADE",
    ],
)
async def test_a_published_report_does_not_change_in_the_database_either(
    later: Later, statement: str
) -> None:
    await published(later)
    connection = await asyncpg.connect(later.audit.database.admin_url)

    try:
        for role in ("audit_app", "audit_owner"):
            await connection.execute(f"SET ROLE {role}")
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(statement)
    finally:
        await connection.close()


@pytest.mark.clause("III.B.3.q")
async def test_a_report_that_does_not_come_is_in_the_log_once(later: Later) -> None:
    made = (await published(later)).report
    settings = later.audit.settings
    pool = await open_pool(settings.database_url.get_secret_value(), application_name="test", max_size=2)
    journal = Log(LogStore(pool), settings.signer(), later.clock)
    await journal.open()
    try:
        for days, expected in ((60, 0), (100, 1), (101, 1)):
            due = ReportsDue(journal, TransparencyStore(pool), ManualClock(later.end + timedelta(days=days)))
            await due.look()
            assert await events(later.audit, "transparency.due", ORI) == expected, days
    finally:
        await journal.close()
        await pool.close()
    assert made.report_id


async def events(audit: RunningAudit, action: str, agency: str) -> int:
    """How many entries of the log say that of the agency."""
    rows_of = await fetch(
        audit.database.admin_url,
        """SELECT count(*) AS number FROM audit.log_field AS one JOIN audit.log_field AS two USING (log_index)
           WHERE one.name = 'action' AND one.value = $1 AND two.name = 'agency' AND two.value = $2""",
        action,
        agency,
    )
    return int(rows_of[0]["number"])


async def test_another_agencys_reports_are_its_own(later: Later) -> None:
    made = await published(later)
    rows_of = await fetch(
        later.audit.database.admin_url,
        "SELECT subject FROM audit.account WHERE agency_ori = 'IL0000055'",
    )
    stranger = later.metadata(rows_of[0]["subject"])

    error = await refused(
        stub_of(later).GetReport(
            report_pb.GetReportRequest(report_id=made.report.report_id), metadata=stranger
        )
    )
    listed = await stub_of(later).ListReports(report_pb.ListReportsRequest(), metadata=stranger)

    assert error.reason == ErrorReason.ERROR_REASON_NOT_FOUND
    assert not listed.reports
