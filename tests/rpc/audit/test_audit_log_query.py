"""Questions to the log, disclosure and redaction of single fields, exports for one person or case."""

from __future__ import annotations

import asyncio
import hashlib
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import grpc
import pytest

from alpr.audit.v1 import authorization_service_pb2 as pb
from alpr.audit.v1 import log_query_service_pb2 as query_pb
from alpr.audit.v1 import log_service_pb2 as log_pb
from alpr.audit.v1.log_query_service_pb2_grpc import LogQueryServiceStub
from alpr.audit.v1.log_service_pb2_grpc import LogServiceStub
from alpr.type.v1.receipt_pb2 import AuditReceipt
from services.audit.app_log import Log
from services.audit.app_log_query import Unfinishing
from services.audit.core.log_question import NEVER_REDACTED
from services.audit.store_log import LogStore
from services.audit.store_log_query import LogQueryStore
from services.audit.verifier import (
    VerificationError,
    Wanted,
    read_public_key,
    verify_exports,
    verify_receipt,
)
from services.common.errors import AlprError
from services.common.pg import open_pool
from services.common.receipts import export_header, export_line, receipt_to_json
from services.common.wire import to_timestamp
from tests.support.audit_kit import (
    COORDINATOR,
    ORI,
    Officer,
    RunningAudit,
    authorizations,
    justification,
    last_entry,
    plate_request,
    refused,
    request_id,
)
from tests.support.databases import fetch

ORDER = hashlib.sha256(b"the order of the court").hexdigest()


def log_of(audit: RunningAudit) -> Any:
    return audit.people(LogQueryServiceStub)


def fields_of(entry: Any) -> dict[str, str]:
    return {one.name: one.value for one in entry.fields}


def key_of(audit: RunningAudit) -> Any:
    return read_public_key(audit.settings.signer().verifier_key())


async def ask(audit: RunningAudit, officer: Officer, case_number: str = "2026-004711") -> str:
    """The id of a question that the officer asked and that was answered."""
    request = plate_request(officer.token(), justification=justification(case_number=case_number))
    answer = await authorizations(audit).Authorize(request)
    ended = pb.RecordOutcomeRequest(
        request_id=request_id(),
        subject_id=answer.authorization_id,
        result=pb.OUTCOME_RESULT_DONE,
        row_count=1,
        rows_digest=bytes(32),
    )
    await authorizations(audit).RecordOutcome(ended)
    return str(answer.authorization_id)


async def entries(audit: RunningAudit, who: Officer, **changes: Any) -> Any:
    usual = {"request_id": request_id(), "justification": justification()}
    request = query_pb.ListEntriesRequest(**{**usual, **changes})
    return await log_of(audit).ListEntries(request, metadata=who.metadata)


def redaction(entry: str, field: str, **changes: Any) -> Any:
    usual = {
        "request_id": request_id(),
        "entry_id": entry,
        "field": field,
        "legal_basis": "Order of the Circuit Court of Cook County, 20 ILCS 2630/5.2",
        "document_sha256": ORDER,
    }
    return query_pb.RedactFieldRequest(**{**usual, **changes})


async def redact(audit: RunningAudit, entry_id: str, field: str, **changes: Any) -> AuditReceipt:
    request = redaction(entry_id, field, **changes)
    answer = await log_of(audit).RedactField(request, metadata=audit.bearer(COORDINATOR))
    return answer.receipt


async def exported(audit: RunningAudit, auditor: Officer, **changes: Any) -> list[bytes]:
    stub = audit.people(LogServiceStub)
    newest = await stub.GetCheckpoint(log_pb.GetCheckpointRequest(), metadata=auditor.metadata)
    lines = [export_header(newest.checkpoint, 0)]
    async for message in stub.ExportLog(log_pb.ExportLogRequest(**changes), metadata=auditor.metadata):
        lines.append(export_line(message))
    return "".join(lines).encode().splitlines(keepends=True)


# --- ListEntries ---


@pytest.mark.clause("IV.E.2", "III.B.3.o")
async def test_an_auditor_finds_what_a_person_asked_and_the_search_is_an_entry_itself(
    audit: RunningAudit,
) -> None:
    auditor, officer = await audit.person(pb.ROLE_AUDITOR), await audit.person(pb.ROLE_USER)
    asked = [await ask(audit, officer) for _ in range(3)]

    found = await entries(audit, auditor, account_id=officer.account_id, kind="query")

    assert [fields_of(one)["entry_id"] for one in found.entries] == asked[::-1]
    assert {fields_of(one)["case_number"] for one in found.entries} == {"2026-004711"}
    question = verify_receipt(json.dumps(receipt_to_json(found.question_receipt)), key_of(audit))
    outcome = verify_receipt(json.dumps(receipt_to_json(found.outcome_receipt)), key_of(audit))
    assert (question["action"], question["actor"]) == ("question.log", auditor.account_id)
    assert (outcome["subject"], outcome["row_count"]) == (question["entry_id"], "3")
    assert found.notice.lead_only
    assert found.HasField("searched_from")


@pytest.mark.clause("IV.C.5", "IV.C.6")
@pytest.mark.parametrize(
    ("change", "field"),
    [({"case_number": ""}, "justification.case_number"), ({"purpose": "test"}, "justification.purpose")],
)
async def test_the_log_answers_nobody_without_case_number_and_purpose(
    audit: RunningAudit, change: dict[str, str], field: str
) -> None:
    auditor = await audit.person(pb.ROLE_AUDITOR)

    error = await refused(entries(audit, auditor, justification=justification(**change)))

    assert (error.code, error.violations[0].field) == (grpc.StatusCode.INVALID_ARGUMENT, field)
    entry = await last_entry(audit)
    assert (entry["kind"], entry["action"], entry["actor"]) == ("refusal", "question.log", auditor.account_id)


@pytest.mark.clause("III.B.3.l")
async def test_an_officer_does_not_look_into_the_log(audit: RunningAudit) -> None:
    officer = await audit.person(pb.ROLE_USER)

    assert (await refused(entries(audit, officer))).code is grpc.StatusCode.PERMISSION_DENIED


@pytest.mark.clause("III.B.3.f")
async def test_an_auditor_sees_entries_of_the_own_agency_only(audit: RunningAudit) -> None:
    head = await audit.head_of("IL0000077", pb.ROLE_USER)
    theirs = await ask(audit, head)
    auditor = await audit.person(pb.ROLE_AUDITOR)

    by_person = await entries(audit, auditor, account_id=head.account_id)
    own = await entries(audit, head, account_id=head.account_id, kind="query", action="question.reads")

    assert not by_person.entries
    assert [fields_of(one)["entry_id"] for one in own.entries] == [theirs]
    request = query_pb.DiscloseFieldsRequest(
        request_id=request_id(),
        justification=justification(),
        entry_id=theirs,
        fields=["purpose"],
        recipient="Defence counsel",
    )
    error = await refused(log_of(audit).DiscloseFields(request, metadata=auditor.metadata))
    assert (error.code, error.metadata["clauses"]) == (grpc.StatusCode.PERMISSION_DENIED, "III.B.3.f")


@pytest.mark.clause("III.B.3.f", "III.B.3.o")
async def test_the_log_is_asked_by_the_agency_whose_people_acted(audit: RunningAudit) -> None:
    head = await audit.head_of("IL0000078", pb.ROLE_USER)  # our coordinator made that account
    own = await ask(audit, head)

    everything = await entries(audit, head)
    by_theirs = await entries(audit, head, agency_ori="IL0000078", action="question.reads", kind="query")
    by_ours = await entries(audit, head, agency_ori=ORI)

    agencies = {fields_of(one)["actor_agency"] for one in everything.entries}
    assert agencies == {"IL0000078", ORI}
    assert [fields_of(one)["entry_id"] for one in by_theirs.entries] == [own]
    ours = [fields_of(one) for one in by_ours.entries]
    assert {one["actor_agency"] for one in ours} == {ORI}
    assert {one["agency"] for one in ours} == {"IL0000078"}
    assert "account.create" in {one["action"] for one in ours}
    asked = fields_of(by_ours.question_receipt)
    assert f"agency:{ORI}" in asked["question"].splitlines()


@pytest.mark.clause("III.B.3.o")
async def test_what_a_service_did_for_the_agency_is_found_by_it(audit: RunningAudit) -> None:
    auditor, action = await audit.person(pb.ROLE_AUDITOR), "hit.disposed"
    now = to_timestamp(datetime.now(UTC))
    event = pb.Event(event_id=request_id(), action=action, resource="1", agency_ori=ORI, event_time=now)
    await authorizations(audit, "alerts").RecordEvents(pb.RecordEventsRequest(events=[event]))

    found = await entries(audit, auditor, agency_ori=ORI, action=action)
    elsewhere = await entries(audit, auditor, agency_ori="IL0000079", action=action)

    assert [fields_of(one)["actor"] for one in found.entries] == ["alerts"]
    assert not elsewhere.entries


async def test_pages_go_through_all_entries_of_a_case_once(audit: RunningAudit) -> None:
    auditor, officer = await audit.person(pb.ROLE_AUDITOR), await audit.person(pb.ROLE_USER)
    asked = [await ask(audit, officer, "2026-777001") for _ in range(5)]
    found, token = [], ""
    while True:
        page = await entries(audit, auditor, case_number="2026-777001", page_size=2, page_token=token)
        found += [fields_of(one)["entry_id"] for one in page.entries]
        token = page.next_page_token
        if not token:
            break

    assert found == asked[::-1]


async def test_the_same_request_gets_the_same_answer(audit: RunningAudit) -> None:
    auditor, officer = await audit.person(pb.ROLE_AUDITOR), await audit.person(pb.ROLE_USER)
    await ask(audit, officer)
    same = {"request_id": request_id(), "account_id": officer.account_id}

    first = await entries(audit, auditor, **same)
    await ask(audit, officer)
    again = await entries(audit, auditor, **same)

    assert [one.log_index for one in again.entries] == [one.log_index for one in first.entries]
    assert again.question_receipt.entry_id == first.question_receipt.entry_id
    other = await refused(entries(audit, auditor, request_id=same["request_id"], kind="query"))
    assert other.code is grpc.StatusCode.ALREADY_EXISTS


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"account_id": "x"}, "account_id"),
        ({"kind": "x"}, "kind"),
        ({"agency_ori": "il0000077"}, "agency_ori"),
        ({"action": "x; DROP TABLE"}, "action"),
        ({"page_token": "x"}, "page_token"),
        ({"page_size": 501}, "page_size"),
        ({"request_id": "x"}, "request_id"),
        ({"case_number": "a\x00"}, "case_number"),
    ],
)
async def test_a_question_to_the_log_that_is_none_is_refused(
    audit: RunningAudit, change: dict[str, Any], field: str
) -> None:
    auditor = await audit.person(pb.ROLE_AUDITOR)

    assert (await refused(entries(audit, auditor, **change))).violations[0].field == field


# --- DiscloseFields ---


@pytest.mark.clause("IV.E.2", "IV.B.2")
async def test_one_field_is_disclosed_with_its_proof_and_the_others_stay_closed(audit: RunningAudit) -> None:
    auditor, officer = await audit.person(pb.ROLE_AUDITOR), await audit.person(pb.ROLE_USER)
    entry_id = await ask(audit, officer)
    request = query_pb.DiscloseFieldsRequest(
        request_id=request_id(),
        justification=justification(),
        entry_id=entry_id,
        fields=["purpose"],
        recipient="Defence counsel, 26 CR 1",
    )

    answer = await log_of(audit).DiscloseFields(request, metadata=auditor.metadata)

    opened = verify_receipt(json.dumps(receipt_to_json(answer.receipt)), key_of(audit))
    assert set(opened) == {"entry_id", "kind", "record_time", "purpose"}
    assert opened["purpose"] == justification().purpose
    asked = fields_of(answer.question_receipt)
    assert (asked["action"], asked["resource"]) == ("log.disclose", entry_id)
    assert (asked["detail.recipient"], asked["detail.fields"]) == ("Defence counsel, 26 CR 1", "purpose")


async def test_a_field_that_the_entry_does_not_have_is_not_disclosed(audit: RunningAudit) -> None:
    auditor, officer = await audit.person(pb.ROLE_AUDITOR), await audit.person(pb.ROLE_USER)
    usual = {
        "request_id": request_id(),
        "justification": justification(),
        "fields": ["subject"],
        "recipient": "Defence counsel",
    }
    there = query_pb.DiscloseFieldsRequest(**usual, entry_id=await ask(audit, officer))
    nowhere = query_pb.DiscloseFieldsRequest(**usual, entry_id=request_id())

    missing = await refused(log_of(audit).DiscloseFields(there, metadata=auditor.metadata))
    unknown = await refused(log_of(audit).DiscloseFields(nowhere, metadata=auditor.metadata))

    assert missing.violations[0].field == "fields"
    assert unknown.code is grpc.StatusCode.NOT_FOUND


# --- RedactField ---


@pytest.mark.clause("IV.E.2", "IV.A.3")
async def test_a_redacted_field_is_gone_and_every_proof_holds(audit: RunningAudit) -> None:
    auditor, officer = await audit.person(pb.ROLE_AUDITOR), await audit.person(pb.ROLE_USER)
    entry_id = await ask(audit, officer)

    receipt = await redact(audit, entry_id, "question")

    rows = await fetch(
        audit.database.admin_url,
        "SELECT f.name, f.value FROM audit.log_field AS f JOIN audit.log_leaf AS l USING (log_index)"
        " WHERE l.entry_id = $1::uuid",
        entry_id,
    )
    left = {row["name"] for row in rows}
    act = verify_receipt(json.dumps(receipt_to_json(receipt)), key_of(audit))
    report = verify_exports([await exported(audit, auditor)], key_of(audit), complete=True)
    assert {"question", "request_digest"}.isdisjoint(left)
    assert {"actor", "case_number", "purpose"} <= left
    assert (act["action"], act["resource"], act["detail.field"]) == ("log.redact", entry_id, "question")
    assert act["detail.document_sha256"] == ORDER
    assert report.redacted["question"] >= 1
    assert not report.withheld


async def test_a_redaction_that_comes_again_is_the_same_act(audit: RunningAudit) -> None:
    officer = await audit.person(pb.ROLE_USER)
    entry_id, same = await ask(audit, officer), request_id()

    first = await redact(audit, entry_id, "purpose", request_id=same)
    again = await redact(audit, entry_id, "purpose", request_id=same)

    assert first.entry_id == again.entry_id


@pytest.mark.clause("IV.E.2")
@pytest.mark.parametrize("field", [*sorted(NEVER_REDACTED), "no_such_field"])
async def test_who_acted_when_and_how_it_ended_is_never_redacted(audit: RunningAudit, field: str) -> None:
    officer = await audit.person(pb.ROLE_USER)
    request = redaction(await ask(audit, officer), field)

    error = await refused(log_of(audit).RedactField(request, metadata=audit.bearer(COORDINATOR)))

    assert error.violations[0].field == "field"


@pytest.mark.clause("III.B.3.l")
@pytest.mark.parametrize("role", [pb.ROLE_AUDITOR, pb.ROLE_USER, pb.ROLE_SYSTEM_ADMINISTRATOR])
async def test_nobody_but_the_head_of_the_agency_redacts(
    audit: RunningAudit, role: pb.Role.ValueType
) -> None:
    officer, other = await audit.person(pb.ROLE_USER), await audit.person(role)
    request = redaction(await ask(audit, officer), "purpose")

    error = await refused(log_of(audit).RedactField(request, metadata=other.metadata))

    assert error.code is grpc.StatusCode.PERMISSION_DENIED


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"legal_basis": "law"}, "legal_basis"),
        ({"legal_basis": ""}, "legal_basis"),
        ({"document_sha256": "ab"}, "document_sha256"),
        ({"entry_id": "x"}, "entry_id"),
    ],
)
async def test_a_redaction_without_its_ground_is_refused(
    audit: RunningAudit, change: dict[str, str], field: str
) -> None:
    request = redaction(request_id(), "purpose", **change)

    error = await refused(log_of(audit).RedactField(request, metadata=audit.bearer(COORDINATOR)))

    assert error.violations[0].field == field


@pytest.mark.clause("IV.E.2")
async def test_the_database_takes_nothing_out_without_the_act_on_record(audit: RunningAudit) -> None:
    officer = await audit.person(pb.ROLE_USER)
    entry_id = await ask(audit, officer)
    await redact(audit, await ask(audit, officer), "purpose")
    unfounded = (
        "INSERT INTO audit.redaction (number, log_index, name, intent_id)"
        " VALUES (9999, 0, 'detail.agency_name', gen_random_uuid())"
    )
    by_login = ["SELECT audit.redact(gen_random_uuid())", f"SELECT audit.redact('{entry_id}')", unfounded]
    by_administrator = [unfounded, "DELETE FROM audit.log_field", "DELETE FROM audit.redaction"]
    login = await asyncpg.connect(audit.database.url("audit_app"))
    administrator = await asyncpg.connect(audit.database.admin_url)
    try:
        for connection, statements in ((login, by_login), (administrator, by_administrator)):
            for statement in statements:
                with pytest.raises(asyncpg.InsufficientPrivilegeError):
                    await connection.execute(statement)
    finally:
        await login.close()
        await administrator.close()


async def test_the_database_keeps_to_the_same_list_of_fields_that_stay() -> None:
    sql = (Path(__file__).parents[3] / "services/audit/sql/0010_log_proof.sql").read_text(encoding="utf-8")
    listed = sql.partition("IF NEW.name IN (")[2].partition(")")[0]

    assert {one.strip().strip("'") for one in listed.split(",")} == NEVER_REDACTED


# --- exports for one person or case ---


@pytest.mark.clause("IV.A.3", "III.B.3.o")
async def test_an_export_for_one_person_is_complete_and_shows_nothing_of_what_others_asked(
    audit: RunningAudit,
) -> None:
    auditor = await audit.person(pb.ROLE_AUDITOR)
    one, other = await audit.person(pb.ROLE_USER), await audit.person(pb.ROLE_USER)
    for officer in (one, other, one):
        await ask(audit, officer, "2026-888001")
    await redact(audit, await ask(audit, one), "purpose")

    lines = await exported(audit, auditor, account_id=one.account_id)

    report = verify_exports([lines], key_of(audit), wanted=Wanted(account=one.account_id))
    assert report.selected >= 6  # three questions and their outcomes, at least
    theirs = [json.loads(line) for line in lines if other.account_id.encode() in line]
    shown = {
        field["name"]
        for item in theirs
        for field in item["fields"]
        if {"name": "actor", "value": other.account_id}.items() <= _actor(item).items()
    }
    assert shown <= {"actor", "case_number", "entry_id", "kind", "record_time", "subject"}
    with pytest.raises(VerificationError, match="does not show its field"):
        verify_exports([lines], key_of(audit), wanted=Wanted(account=other.account_id))


def _actor(item: dict[str, Any]) -> dict[str, str]:
    return next(one for one in item["fields"] if one["name"] == "actor")


@pytest.mark.clause("IV.A.3", "IV.C.5")
async def test_an_export_for_one_case_is_complete_for_it(audit: RunningAudit) -> None:
    auditor, officer = await audit.person(pb.ROLE_AUDITOR), await audit.person(pb.ROLE_USER)
    for case_number in ("2026-999001", "2026-999002", "2026-999001"):
        await ask(audit, officer, case_number)

    lines = await exported(audit, auditor, case_number="2026-999001")

    report = verify_exports([lines], key_of(audit), wanted=Wanted(case="2026-999001"))
    assert report.selected == 4  # two questions and their outcomes
    entry = await last_entry(audit)
    assert entry["action"] == "log.export"


async def test_an_export_is_for_a_person_or_a_case(audit: RunningAudit) -> None:
    auditor = await audit.person(pb.ROLE_AUDITOR)

    for change, field in (
        ({"account_id": request_id(), "case_number": "1"}, "case_number"),
        ({"account_id": "x"}, "account_id"),
    ):
        error = await refused(exported(audit, auditor, **change))
        assert error.violations[0].field == field


# --- what has no outcome ---


@pytest.mark.clause("IV.E.2")
async def test_a_question_without_outcome_is_listed_and_noted_once(audit: RunningAudit) -> None:
    auditor, officer = await audit.person(pb.ROLE_AUDITOR), await audit.person(pb.ROLE_USER)
    ended = await ask(audit, officer)
    begun = (await authorizations(audit).Authorize(plate_request(officer.token()))).authorization_id
    window = query_pb.ListUnfinishedRequest(to=to_timestamp(datetime.now(UTC) + timedelta(minutes=1)))

    found = await log_of(audit).ListUnfinished(window, metadata=auditor.metadata)

    ids = {one.entry_id: one for one in found.acts}
    assert begun in ids
    assert ended not in ids
    assert (ids[begun].kind, ids[begun].action, ids[begun].actor) == (
        "query",
        "question.reads",
        officer.account_id,
    )
    assert begun not in {
        one.entry_id
        for one in (
            await log_of(audit).ListUnfinished(query_pb.ListUnfinishedRequest(), metadata=auditor.metadata)
        ).acts
    }  # it may still end: it counts after five minutes


class InTenMinutes:
    """A clock that is ahead."""

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(minutes=10)


@pytest.mark.clause("IV.E.2")
async def test_two_replicas_note_what_has_no_outcome_in_the_log_once(audit: RunningAudit) -> None:
    officer = await audit.person(pb.ROLE_USER)
    begun = (await authorizations(audit).Authorize(plate_request(officer.token()))).authorization_id
    pool = await open_pool(audit.database.url("audit_app"), application_name="test", max_size=4)
    try:
        lookers = []
        for _ in range(2):
            journal = Log(LogStore(pool), audit.settings.signer(), InTenMinutes())
            await journal.open()
            lookers.append(Unfinishing(journal, LogQueryStore(pool), InTenMinutes()))
        await asyncio.gather(*(one.look() for one in lookers))
        assert await lookers[0].look() == 0  # what was noted is not looked at again
    finally:
        await pool.close()

    noted = await fetch(
        audit.database.admin_url,
        "SELECT count(*) AS n FROM audit.log_leaf WHERE request_key = $1",
        f"unfinished/{begun}",
    )
    assert noted[0]["n"] == 1


async def test_what_has_no_outcome_is_not_for_everybody(audit: RunningAudit) -> None:
    officer = await audit.person(pb.ROLE_USER)
    call = log_of(audit).ListUnfinished(query_pb.ListUnfinishedRequest(), metadata=officer.metadata)

    error: AlprError = await refused(call)

    assert error.code is grpc.StatusCode.PERMISSION_DENIED
