"""Acts, their outcomes and events of other services."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import grpc
import pytest

from alpr.audit.v1 import authorization_service_pb2 as pb
from alpr.type.v1 import justification_pb2
from alpr.type.v1.error_reason_pb2 import ErrorReason
from services.common.wire import to_timestamp
from tests.support.audit_kit import (
    COORDINATOR,
    ORI,
    OTHER_ORI,
    RunningAudit,
    authorizations,
    last_entry,
    log_size,
    refused,
    request_id,
)


def intent(token: str, **changes: Any) -> pb.RecordIntentRequest:
    usual = {
        "request_id": request_id(),
        "access_token": token,
        "action": "hot_list.activate",
        "resource": "list 7",
        "resource_agency_ori": ORI,
        "details": {"version": "3"},
    }
    return pb.RecordIntentRequest(**{**usual, **changes})


def event(**changes: Any) -> pb.Event:
    usual = {
        "event_id": str(uuid4()),
        "action": "hit.raised",
        "resource": str(uuid4()),
        "agency_ori": ORI,
        "event_time": to_timestamp(datetime.now(UTC)),
        "details": {"list": "stolen"},
    }
    return pb.Event(**{**usual, **changes})


@pytest.mark.clause("III.B.3.h", "III.B.3.d")
async def test_an_act_that_is_allowed_is_on_record_before_it_is_done(audit: RunningAudit) -> None:
    manager = await audit.person(pb.ROLE_HOT_LIST_MANAGER)

    answer = await authorizations(audit, "matcher").RecordIntent(intent(manager.token()))

    entry = await last_entry(audit)
    assert entry["entry_id"] == answer.intent_id
    assert answer.actor.account_id == manager.account_id
    assert (entry["kind"], entry["action"], entry["service"]) == ("intent", "hot_list.activate", "matcher")
    assert (entry["agency"], entry["detail.version"]) == (ORI, "3")


async def test_an_intent_that_comes_again_is_the_same_and_with_other_content_refused(
    audit: RunningAudit,
) -> None:
    manager = await audit.person(pb.ROLE_HOT_LIST_MANAGER)
    stub, request = authorizations(audit, "matcher"), intent(manager.token())

    first, again = await stub.RecordIntent(request), await stub.RecordIntent(request)
    request.details["version"] = "4"
    error = await refused(stub.RecordIntent(request))

    assert first.intent_id == again.intent_id
    assert error.reason == ErrorReason.ERROR_REASON_REQUEST_ID_REUSED


@pytest.mark.clause("III.B.3.f")
async def test_an_act_on_another_agencys_list_is_refused_and_on_record(audit: RunningAudit) -> None:
    manager = await audit.person(pb.ROLE_HOT_LIST_MANAGER)

    request = intent(manager.token(), resource_agency_ori=OTHER_ORI)
    error = await refused(authorizations(audit, "matcher").RecordIntent(request))

    entry = await last_entry(audit)
    assert error.metadata["clauses"] == "III.B.3.f"
    assert (entry["kind"], entry["clauses"], entry["agency"]) == ("refusal", "III.B.3.f", OTHER_ORI)


def watching(token: str, **changes: Any) -> pb.RecordIntentRequest:
    """An intent to put a plate on a local list."""
    usual = {
        "action": "local_list.add",
        "resource": str(uuid4()),
        "justification": justification_pb2.Justification(
            case_number_kind=justification_pb2.CASE_NUMBER_KIND_CAD,
            case_number="2026-004711",
            purpose="homicide investigation, victim's car seen leaving",
            offence_code="HOMICIDE",
        ),
    }
    return intent(token, **{**usual, **changes})


@pytest.mark.clause("II.D", "IV.C.5", "IV.C.6", "IV.A.1")
async def test_watching_for_a_plate_needs_case_number_and_purpose_as_any_question(
    audit: RunningAudit,
) -> None:
    officer = await audit.person(pb.ROLE_USER)
    stub, good = authorizations(audit, "matcher"), watching(officer.token())
    prohibited = watching(officer.token())
    prohibited.justification.purpose = "immigration enforcement, locate the registered driver"

    unnumbered = await refused(stub.RecordIntent(watching(officer.token(), justification=None)))
    forbidden = await refused(stub.RecordIntent(prohibited))
    good.resource_account_id = officer.account_id
    answer = await stub.RecordIntent(good)

    entry = await last_entry(audit)
    assert unnumbered.reason == ErrorReason.ERROR_REASON_CASE_NUMBER_REQUIRED
    assert forbidden.metadata["clauses"] == "IV.A.1"
    assert answer.actor.unit
    assert (entry["kind"], entry["case_number"], entry["offence_code"]) == (
        "intent",
        "2026-004711",
        "HOMICIDE",
    )


@pytest.mark.clause("II.D")
async def test_nobody_puts_a_plate_on_anothers_own_list(audit: RunningAudit) -> None:
    officer = await audit.person(pb.ROLE_USER)
    stub = authorizations(audit, "matcher")

    anothers = await refused(stub.RecordIntent(watching(officer.token(), resource_account_id=str(uuid4()))))
    foreign = await refused(stub.RecordIntent(watching(officer.token(), resource_unit="another unit")))

    assert (anothers.metadata["clauses"], foreign.metadata["clauses"]) == ("II.D", "II.D")


@pytest.mark.parametrize(
    ("service", "action"),
    [("search", "hot_list.activate"), ("matcher", "account.grant"), ("alerts", "hot_list.create")],
)
async def test_a_service_records_only_acts_of_its_own(audit: RunningAudit, service: str, action: str) -> None:
    request = intent(audit.token(COORDINATOR), action=action)

    error = await refused(authorizations(audit, service).RecordIntent(request))

    assert error.violations[0].field == "action"


@pytest.mark.clause("IV.E.1.a")
async def test_a_service_may_purge_by_itself_but_do_nothing_that_needs_a_person(audit: RunningAudit) -> None:
    purge = intent("", action="reads.purge", resource="2026-08-01", resource_agency_ori="")

    answer = await authorizations(audit).RecordIntent(purge)
    entry = await last_entry(audit)
    error = await refused(authorizations(audit, "matcher").RecordIntent(intent("")))

    assert (answer.actor.account_id, entry["actor"]) == ("search", "search")
    assert error.code is grpc.StatusCode.UNAUTHENTICATED


async def test_an_act_ends_with_an_outcome(audit: RunningAudit) -> None:
    purge = intent("", action="reads.purge", resource="2026-08-01", resource_agency_ori="")
    started = await authorizations(audit).RecordIntent(purge)
    ended = pb.RecordOutcomeRequest(
        request_id=request_id(),
        subject_id=started.intent_id,
        result=pb.OUTCOME_RESULT_DONE,
        details={"reads": "1000"},
    )

    answer = await authorizations(audit).RecordOutcome(ended)

    entry = await last_entry(audit)
    assert (entry["kind"], entry["subject"], entry["detail.reads"]) == ("outcome", started.intent_id, "1000")
    assert answer.subject_receipt.entry_id == started.intent_id


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"request_id": ""}, "request_id"),
        ({"action": "Activate!"}, "action"),
        ({"resource": "x" * 201}, "resource"),
        ({"resource_agency_ori": "short"}, "resource_agency_ori"),
        ({"details": {str(n): "x" for n in range(49)}}, "details"),
        ({"details": {"x": "y" * 2001}}, "details"),
        ({"details": {"no spaces": "y"}}, "details"),
        ({"details": {"x": "a\x00b"}}, "details"),
    ],
)
async def test_an_intent_of_the_wrong_shape_names_the_field(
    audit: RunningAudit, changes: dict[str, Any], field: str
) -> None:
    error = await refused(authorizations(audit, "matcher").RecordIntent(intent("x", **changes)))

    assert field in [one.field for one in error.violations]


@pytest.mark.clause("IV.E.2")
async def test_events_are_on_record_once_in_their_order(audit: RunningAudit) -> None:
    stub, events = authorizations(audit, "alerts"), [event(resource=str(n)) for n in range(300)]
    before = await log_size(audit)

    first = await stub.RecordEvents(pb.RecordEventsRequest(events=events))
    again = await asyncio.gather(
        *(stub.RecordEvents(pb.RecordEventsRequest(events=events)) for _ in range(3))
    )

    assert first.log_size == before + 300
    assert {one.log_size for one in again} == {first.log_size}
    entry = await last_entry(audit)
    assert (entry["kind"], entry["resource"], entry["actor"]) == ("event", "299", "alerts")


async def test_an_event_id_with_other_content_is_refused(audit: RunningAudit) -> None:
    stub, one = authorizations(audit, "alerts"), event()
    await stub.RecordEvents(pb.RecordEventsRequest(events=[one]))
    one.action = "hit.withdrawn"

    error = await refused(stub.RecordEvents(pb.RecordEventsRequest(events=[one])))

    assert error.reason == ErrorReason.ERROR_REASON_REQUEST_ID_REUSED


@pytest.mark.parametrize("events", [[], [event() for _ in range(501)], [event(event_id="x")], [pb.Event()]])
async def test_events_of_the_wrong_shape_are_refused(audit: RunningAudit, events: list[pb.Event]) -> None:
    error = await refused(authorizations(audit, "alerts").RecordEvents(pb.RecordEventsRequest(events=events)))

    assert error.code is grpc.StatusCode.INVALID_ARGUMENT
