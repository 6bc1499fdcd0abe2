"""What the log has under somebody's own account, and who looked for a plate."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
import pytest

from alpr.audit.v1 import account_service_pb2 as account_pb
from alpr.audit.v1 import authorization_service_pb2 as pb
from alpr.audit.v1 import log_query_service_pb2 as query_pb
from alpr.audit.v1.account_service_pb2_grpc import AccountServiceStub
from alpr.audit.v1.log_query_service_pb2_grpc import LogQueryServiceStub
from services.audit.verifier import read_public_key, verify_receipt
from services.common.receipts import receipt_to_json
from services.common.wire import to_timestamp
from tests.support.audit_kit import (
    ALL_CERTIFICATIONS,
    COORDINATOR,
    Officer,
    RunningAudit,
    archive_question,
    authorizations,
    justification,
    last_entry,
    plate_request,
    refused,
    request_id,
)
from tests.support.databases import fetch


def asked_for(plate: str, form: str = "exact") -> pb.Question:
    """A question for reads of the plate, as search puts it."""
    names = {"plate_form": form, "plate": plate, "state": "", "provenance": "", "area": ""}
    arguments = [pb.QuestionArgument(name=name, value=value) for name, value in names.items()]
    return archive_question(arguments=arguments)


async def ask(audit: RunningAudit, who: Officer, plate: str, form: str = "exact", **changes: Any) -> str:
    request = plate_request(who.token(), question=asked_for(plate, form), **changes)
    return str((await authorizations(audit).Authorize(request)).authorization_id)


async def own(audit: RunningAudit, who: Officer, **changes: Any) -> query_pb.ListOwnEntriesResponse:
    request = query_pb.ListOwnEntriesRequest(**{"request_id": request_id(), **changes})
    stub = audit.people(LogQueryServiceStub)
    answer: query_pb.ListOwnEntriesResponse = await stub.ListOwnEntries(request, metadata=who.metadata)
    return answer


async def who_asked(audit: RunningAudit, auditor: Officer, plate: str, **changes: Any) -> list[str]:
    """Entry ids of the questions for the plate, newest first."""
    request = query_pb.ListEntriesRequest(
        **{
            "request_id": request_id(),
            "justification": justification(),
            "plate": plate,
            "kind": "query",
            **changes,
        }
    )
    answer = await audit.people(LogQueryServiceStub).ListEntries(request, metadata=auditor.metadata)
    found = [values(one) for one in answer.entries]
    return [one["entry_id"] for one in found if one["action"] != "question.log"]


def values(entry: Any) -> dict[str, str]:
    return {one.name: one.value for one in entry.fields}


# --- The own entries ---


@pytest.mark.clause("III.B.3.k", "III.B.3.o")
async def test_everybody_sees_what_was_asked_in_the_own_name_and_why(
    audit: RunningAudit,
) -> None:
    officer, other = await audit.person(pb.ROLE_USER), await audit.person(pb.ROLE_USER)
    mine = [await ask(audit, officer, plate) for plate in ("OWN1", "OWN2")]
    await ask(audit, other, "OTHER1")

    found = await own(audit, officer, kind="query")

    shown = [values(one) for one in found.entries]
    assert [one["entry_id"] for one in shown] == mine[::-1]
    assert "OWN2" in shown[0]["question"]
    assert shown[0]["purpose"] == justification().purpose
    assert {one["actor"] for one in shown} == {officer.account_id}
    assert found.notice.lead_only


@pytest.mark.clause("III.B.3.k")
async def test_refused_attempts_and_acts_are_among_the_own_entries(audit: RunningAudit) -> None:
    officer = await audit.person(pb.ROLE_USER)
    await refused(ask(audit, officer, "OWN3", justification=justification(purpose="test")))

    found = [values(one) for one in (await own(audit, officer)).entries]

    refusal, sign_in = found
    assert (refusal["kind"], refusal["result"]) == ("refusal", "PURPOSE_REQUIRED")
    assert (sign_in["kind"], sign_in["action"]) == ("event", "sign_in.begin")


async def test_a_look_at_the_own_entries_is_an_entry_and_is_listed_only_when_asked_for(
    audit: RunningAudit,
) -> None:
    officer = await audit.person(pb.ROLE_USER)
    await ask(audit, officer, "OWN4")

    first = await own(audit, officer)
    ended = await last_entry(audit)
    second = await own(audit, officer)
    looks = await own(audit, officer, action="log.own", kind="query")

    key = read_public_key(audit.settings.signer().verifier_key())
    look = verify_receipt(json.dumps(receipt_to_json(first.question_receipt)), key)
    assert (look["action"], look["actor"], look["kind"]) == ("log.own", officer.account_id, "query")
    assert (ended["subject"], ended["row_count"]) == (look["entry_id"], "2")  # question and sign-in
    assert [one.log_index for one in second.entries] == [one.log_index for one in first.entries]
    assert len(looks.entries) == 2


async def test_the_own_entries_come_page_by_page(audit: RunningAudit) -> None:
    officer = await audit.person(pb.ROLE_USER)
    asked = [await ask(audit, officer, f"OWN{number}") for number in range(5)]
    seen, token = [], ""

    while True:
        page = await own(audit, officer, kind="query", page_size=2, page_token=token)
        seen += [values(one)["entry_id"] for one in page.entries]
        token = page.next_page_token
        if not token:
            break

    assert seen == asked[::-1]


@pytest.mark.clause("III.D.1")
async def test_who_may_ask_nothing_any_more_still_sees_what_was_asked_before(audit: RunningAudit) -> None:
    officer = await audit.person(pb.ROLE_USER, certifications=(), enable=False)
    for kind in ALL_CERTIFICATIONS:
        life = timedelta(seconds=3 if kind == account_pb.CERTIFICATION_KIND_ALPR_TRAINING else 600)
        await audit.certify(officer.account_id, kind, life)
    enable = account_pb.EnableAccountRequest(request_id=request_id(), account_id=officer.account_id)
    await audit.people(AccountServiceStub).EnableAccount(enable, metadata=audit.bearer(COORDINATOR))
    asked = await ask(audit, officer, "LAPSED1")
    await asyncio.sleep(3.1)

    error = await refused(ask(audit, officer, "LAPSED1"))
    found = [values(one) for one in (await own(audit, officer)).entries]

    assert error.metadata["clauses"] == "III.D.1"
    assert [one["action"] for one in found[-2:]] == ["question.reads", "sign_in.begin"]
    assert found[-2]["entry_id"] == asked
    assert found[0]["clauses"] == "III.D.1"


@pytest.mark.clause("I", "IV.A.2")
async def test_who_is_suspended_sees_no_entries(audit: RunningAudit) -> None:
    officer = await audit.person(pb.ROLE_USER)
    suspend = account_pb.SuspendAccountRequest(
        request_id=request_id(), account_id=officer.account_id, reason="under review"
    )
    await audit.people(AccountServiceStub).SuspendAccount(suspend, metadata=audit.bearer(COORDINATOR))

    error = await refused(own(audit, officer))

    assert (error.code, error.metadata["clauses"]) == (grpc.StatusCode.PERMISSION_DENIED, "IV.A.2")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"request_id": "x"}, "request_id"),
        ({"kind": "nonsense"}, "kind"),
        ({"action": "x"}, "action"),
        ({"page_token": "x"}, "page_token"),
        ({"page_size": 501}, "page_size"),
    ],
)
async def test_a_question_for_the_own_entries_that_is_not_sound_is_an_error_of_its_field(
    audit: RunningAudit, change: dict[str, Any], field: str
) -> None:
    officer = await audit.person(pb.ROLE_USER)

    error = await refused(own(audit, officer, **change))

    assert [one.field for one in error.violations] == [field]


# --- Who looked for this plate? ---


@pytest.mark.clause("III.B.3.o", "IV.E.2")
async def test_an_auditor_finds_who_asked_for_a_plate_however_it_was_named(audit: RunningAudit) -> None:
    auditor, officer = await audit.person(pb.ROLE_AUDITOR), await audit.person(pb.ROLE_USER)
    asked = [
        await ask(audit, officer, *one)
        for one in (
            ("QX10BZ", "exact"),
            ("QX1*", "pattern"),
            ("QX?0BZ", "pattern"),
            ("QXIOB2", "look_alike"),
            ("QX1OBZ", "one_off"),
            ("QX110BZ", "one_off"),
            ("X10BZ", "one_off"),
        )
    ]
    for other in (
        *(("QX10BA", "exact"), ("QX2*", "pattern"), ("QX??0BZ", "pattern"), ("QX1ABZ", "look_alike")),
        *(("QX99BZ", "one_off"), ("QX1O8Z", "one_off"), ("", "any")),
    ):
        await ask(audit, officer, *other)

    assert await who_asked(audit, auditor, "QX10BZ") == asked[::-1]


async def test_who_was_refused_a_plate_is_found_as_well(audit: RunningAudit) -> None:
    auditor, officer = await audit.person(pb.ROLE_AUDITOR), await audit.person(pb.ROLE_USER)
    await refused(ask(audit, officer, "RF1", justification=justification(purpose="test")))
    recorded = await last_entry(audit)

    assert await who_asked(audit, auditor, "RF1", kind="refusal") == [recorded["entry_id"]]


async def test_the_search_for_a_plate_narrows_to_person_and_time(audit: RunningAudit) -> None:
    auditor = await audit.person(pb.ROLE_AUDITOR)
    first, second = await audit.person(pb.ROLE_USER), await audit.person(pb.ROLE_USER)
    by_first, by_second = await ask(audit, first, "NARROW1"), await ask(audit, second, "NARROW1")
    ahead = to_timestamp(datetime.now(UTC) + timedelta(hours=1))

    assert await who_asked(audit, auditor, "NARROW1") == [by_second, by_first]
    assert await who_asked(audit, auditor, "NARROW1", account_id=first.account_id) == [by_first]
    assert await who_asked(audit, auditor, "NARROW1", **{"from": ahead}) == []


async def test_the_auditors_own_search_for_a_plate_stands_in_the_log(audit: RunningAudit) -> None:
    auditor = await audit.person(pb.ROLE_AUDITOR)
    await who_asked(audit, auditor, "SELF1")

    request = query_pb.ListEntriesRequest(
        request_id=request_id(), justification=justification(), plate="SELF1", kind="query"
    )
    answer = await audit.people(LogQueryServiceStub).ListEntries(request, metadata=auditor.metadata)

    assert [values(one)["action"] for one in answer.entries] == ["question.log"]


async def test_a_plate_with_wildcards_is_no_plate(audit: RunningAudit) -> None:
    auditor = await audit.person(pb.ROLE_AUDITOR)

    error = await refused(who_asked(audit, auditor, "AB*"))

    assert [one.field for one in error.violations] == ["plate"]


async def test_questions_are_found_by_an_index_of_their_own(audit: RunningAudit) -> None:
    plan = await fetch(
        audit.database.admin_url,
        """SELECT indexdef FROM pg_indexes WHERE schemaname = 'audit' AND indexname = 'log_field_question'""",
    )

    assert "WHERE (name = 'question'::text)" in plan[0]["indexdef"]
