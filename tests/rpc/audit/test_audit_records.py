"""Incidents with their hour, contracts with their warning, requests for support."""

from __future__ import annotations

import asyncio
import os
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

from alpr.audit.v1 import authorization_service_pb2 as audit_pb
from alpr.audit.v1 import contract_service_pb2 as contract_pb
from alpr.audit.v1 import governance_service_pb2 as agency_pb
from alpr.audit.v1 import incident_service_pb2 as incident_pb
from alpr.audit.v1 import support_service_pb2 as support_pb
from alpr.audit.v1.contract_service_pb2_grpc import ContractServiceStub
from alpr.audit.v1.governance_service_pb2_grpc import GovernanceServiceStub
from alpr.audit.v1.incident_service_pb2_grpc import IncidentServiceStub
from alpr.audit.v1.support_service_pb2_grpc import SupportServiceStub
from alpr.type.v1 import sensor_pb2
from alpr.type.v1.error_reason_pb2 import ErrorReason
from services.audit.app_log import Log
from services.audit.deadlines import Deadlines
from services.audit.store_log import LogStore
from services.audit.store_records import ContractStore, IncidentStore
from services.audit.store_rosters import RosterStore
from services.audit.store_units import UnitStore
from services.common.clock import SystemClock
from services.common.pg import open_pool
from services.common.wire import to_timestamp
from services.dev.pki import DevelopmentAuthority
from tests.support.audit_kit import (
    ADMINISTRATOR,
    COORDINATOR,
    ORI,
    Officer,
    RunningAudit,
    authorizations,
    last_entry,
    plate_request,
    refused,
    request_id,
)
from tests.support.databases import fetch

pytestmark = pytest.mark.asyncio(loop_scope="session")
MOTOR_CARRIER = sensor_pb2.PARTITION_MOTOR_CARRIER


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def supervisor(audit: RunningAudit) -> Officer:
    return await audit.person(audit_pb.ROLE_CVEO_SUPERVISOR)


def incident(**changes: Any) -> incident_pb.OpenIncidentRequest:
    usual = {
        "request_id": request_id(),
        "kind": incident_pb.INCIDENT_KIND_BREACH,
        "summary": "a laptop with a session open was stolen",
        "discover_time": to_timestamp(datetime.now(UTC) - timedelta(minutes=5)),
    }
    return incident_pb.OpenIncidentRequest(**{**usual, **changes})


async def opened(audit: RunningAudit, **changes: Any) -> incident_pb.OpenIncidentResponse:
    stub = audit.people(IncidentServiceStub)
    answer: incident_pb.OpenIncidentResponse = await stub.OpenIncident(
        incident(**changes), metadata=audit.bearer(COORDINATOR)
    )
    return answer


async def told(
    audit: RunningAudit,
    incident_id: str,
    recipient: int = incident_pb.INCIDENT_RECIPIENT_CJIS_COORDINATOR,
    who: str = COORDINATOR,
) -> incident_pb.Incident:
    notice = incident_pb.IncidentNotice(
        recipient=incident_pb.IncidentRecipient.ValueType(recipient), name="C. Coordinator", way="telephone"
    )
    request = incident_pb.RecordIncidentNoticeRequest(
        request_id=request_id(), incident_id=incident_id, notice=notice
    )
    stub = audit.people(IncidentServiceStub)
    answer = await stub.RecordIncidentNotice(request, metadata=audit.bearer(who))
    made: incident_pb.Incident = answer.incident
    return made


def closing(audit: RunningAudit, incident_id: str) -> Any:
    request = incident_pb.CloseIncidentRequest(
        request_id=request_id(), incident_id=incident_id, finding="sessions ended, disk was encrypted"
    )
    return audit.people(IncidentServiceStub).CloseIncident(request, metadata=audit.bearer(COORDINATOR))


def contract(**changes: Any) -> contract_pb.RecordContractRequest:
    now = datetime.now(UTC)
    usual = {
        "kind": contract_pb.CONTRACT_KIND_LICENCE,
        "party": "Motorola",
        "subject": "five years of licensing",
        "document_sha256": bytes(32),
        "start_time": to_timestamp(now - timedelta(days=1)),
        "end_time": to_timestamp(now + timedelta(days=365)),
        "warning_days": 90,
    }
    return contract_pb.RecordContractRequest(
        request_id=request_id(), contract=contract_pb.Contract(**{**usual, **changes})
    )


async def recorded(audit: RunningAudit, who: str = COORDINATOR, **changes: Any) -> contract_pb.Contract:
    stub = audit.people(ContractServiceStub)
    answer = await stub.RecordContract(contract(**changes), metadata=audit.bearer(who))
    made: contract_pb.Contract = answer.contract
    return made


@pytest.mark.clause("III.B.3", "III.B.3.c")
async def test_an_incident_says_whom_to_tell_and_its_clock_stops_with_the_cjis_coordinator(
    audit: RunningAudit,
) -> None:
    answer = await opened(audit)
    operator = await told(
        audit, answer.incident.incident_id, incident_pb.INCIDENT_RECIPIENT_PLATFORM_OPERATOR
    )
    coordinator = await told(audit, answer.incident.incident_id)

    due = answer.incident.due_time.ToDatetime() - answer.incident.discover_time.ToDatetime()
    assert due == timedelta(hours=1)
    assert answer.cjis_coordinator.email
    assert answer.platform_operator.email
    assert operator.notified_after_seconds == 0
    assert 300 <= coordinator.notified_after_seconds < 900
    assert not coordinator.overdue
    assert len(coordinator.notices) == 2
    assert all(one.account_id for one in coordinator.notices)


@pytest.mark.clause("III.B.3.c")
async def test_agencies_that_data_are_shared_with_are_named(audit: RunningAudit) -> None:
    other = await audit.head_of("IL0REC001")
    now = datetime.now(UTC)
    agreement = agency_pb.Agreement(
        provider_ori=ORI,
        recipient_ori="IL0REC001",
        data_classes=[agency_pb.DATA_CLASS_HOT_LIST_HITS],
        document_sha256=bytes(32),
        start_time=to_timestamp(now - timedelta(days=1)),
        end_time=to_timestamp(now + timedelta(days=1)),
    )
    stub = audit.people(GovernanceServiceStub)
    propose = agency_pb.ProposeAgreementRequest(request_id=request_id(), agreement=agreement)
    made = (await stub.ProposeAgreement(propose, metadata=audit.bearer(COORDINATOR))).agreement

    before = await opened(audit)
    accept = agency_pb.AcceptAgreementRequest(request_id=request_id(), agreement_id=made.agreement_id)
    await stub.AcceptAgreement(accept, metadata=other.metadata)
    after = await opened(audit)

    assert "IL0REC001" not in before.partner_agencies
    assert "IL0REC001" in after.partner_agencies


@pytest.mark.clause("III.B.3.c")
async def test_an_hour_that_has_run_out_shows_and_is_in_the_log_once(audit: RunningAudit) -> None:
    noticed = to_timestamp(datetime.now(UTC) - timedelta(hours=2))
    made = (await opened(audit, discover_time=noticed)).incident

    await look_twice(audit)
    late = await told(audit, made.incident_id)

    assert made.overdue
    assert late.overdue
    assert late.notified_after_seconds > 3600
    assert await events(audit, "incident.overdue", made.incident_id) == 1


@pytest.mark.clause("III.B.3.c")
async def test_an_incident_is_closed_once_and_not_before_the_cjis_coordinator_was_told(
    audit: RunningAudit,
) -> None:
    incident_id = (await opened(audit)).incident.incident_id

    too_early = await refused(closing(audit, incident_id))
    recorded_as = await last_entry(audit)
    await told(audit, incident_id)
    closed = (await closing(audit, incident_id)).incident
    again = await refused(closing(audit, incident_id))

    assert too_early.reason == again.reason == ErrorReason.ERROR_REASON_WRONG_STATE
    assert (recorded_as["kind"], recorded_as["result"]) == ("refusal", "WRONG_STATE")
    assert closed.finding
    assert closed.HasField("close_time")


@pytest.mark.clause("III.B.3.c")
async def test_incidents_are_their_agencys_and_users_keep_none(audit: RunningAudit) -> None:
    incident_id = (await opened(audit)).incident.incident_id
    stranger, officer = await audit.head_of("IL0REC002"), await audit.person(audit_pb.ROLE_USER)
    stub = audit.people(IncidentServiceStub)

    foreign = await refused(told(audit, incident_id, who=stranger.subject))
    recorded_as = await last_entry(audit)
    by_user = await refused(stub.OpenIncident(incident(), metadata=officer.metadata))
    listed = await stub.ListIncidents(incident_pb.ListIncidentsRequest(), metadata=stranger.metadata)

    assert foreign.reason == ErrorReason.ERROR_REASON_NOT_FOUND
    assert (recorded_as["kind"], recorded_as["action"]) == ("refusal", "incident.tell")
    assert recorded_as["resource"] == incident_id
    assert by_user.reason == ErrorReason.ERROR_REASON_NOT_PERMITTED
    assert not listed.incidents


async def test_incidents_are_listed_page_by_page_newest_first(audit: RunningAudit) -> None:
    made = [(await opened(audit)).incident.incident_id for _ in range(3)]
    stub, seen, token = audit.people(IncidentServiceStub), [], ""

    while True:
        request = incident_pb.ListIncidentsRequest(page_size=2, page_token=token)
        answer = await stub.ListIncidents(request, metadata=audit.bearer(ADMINISTRATOR))
        seen += [one.incident_id for one in answer.incidents]
        token = answer.next_page_token
        if not token:
            break

    assert seen[:3] == made[::-1]
    assert len(set(seen)) == len(seen)


@pytest.mark.clause("III.B.2")
async def test_a_contract_says_how_it_stands_and_its_coming_end_is_in_the_log_once(
    audit: RunningAudit,
) -> None:
    now = datetime.now(UTC)
    running = await recorded(audit)
    ending = await recorded(
        audit, kind=contract_pb.CONTRACT_KIND_WARRANTY, end_time=to_timestamp(now + timedelta(days=30))
    )
    ahead = await recorded(audit, start_time=to_timestamp(now + timedelta(days=3)))
    over = await recorded(
        audit,
        start_time=to_timestamp(now - timedelta(days=9)),
        end_time=to_timestamp(now - timedelta(days=1)),
    )
    stub = audit.people(ContractServiceStub)

    await look_twice(audit)
    answer = await stub.ListContracts(
        contract_pb.ListContractsRequest(), metadata=audit.bearer(ADMINISTRATOR)
    )

    standings = {one.contract_id: one.standing for one in answer.contracts}
    assert [standings[one.contract_id] for one in (running, ending, ahead, over)] == [
        contract_pb.CONTRACT_STANDING_RUNNING,
        contract_pb.CONTRACT_STANDING_ENDING,
        contract_pb.CONTRACT_STANDING_AHEAD,
        contract_pb.CONTRACT_STANDING_OVER,
    ]
    assert await events(audit, "contract.ending", ending.contract_id) == 1
    assert await events(audit, "contract.ending", running.contract_id) == 0


@pytest.mark.clause("III.E.2")
async def test_use_of_the_motor_carrier_safety_system_is_reported_against_its_lease(
    audit: RunningAudit, supervisor: Officer
) -> None:
    lease = await recorded(
        audit, supervisor.subject, kind=contract_pb.CONTRACT_KIND_LEASE, party="IDOT", partition=MOTOR_CARRIER
    )
    officer, untrained = await audit.person(audit_pb.ROLE_CVEO), await audit.person(audit_pb.ROLE_USER)
    before = await use(audit, supervisor, lease)

    await mcs_asks(audit, officer)
    await mcs_asks(audit, officer, "mcsreport")
    await mcs_asks(audit, supervisor)
    await refused(mcs_asks(audit, untrained))
    after = await use(audit, supervisor, lease)

    assert total(after, "questions") - total(before, "questions") == 3
    assert total(after, "refused") - total(before, "refused") == 1
    assert after.people - before.people == 2
    assert after.months[-1].month == f"{datetime.now(UTC):%Y-%m}"


@pytest.mark.clause("III.E.2", "II.H")
async def test_a_lease_of_the_motor_carrier_safety_system_is_its_supervisors_alone(
    audit: RunningAudit, supervisor: Officer
) -> None:
    general = await recorded(audit)
    stub = audit.people(ContractServiceStub)
    apart = contract(partition=MOTOR_CARRIER)

    by_coordinator = await refused(stub.RecordContract(apart, metadata=audit.bearer(COORDINATOR)))
    by_supervisor = await refused(stub.RecordContract(contract(), metadata=supervisor.metadata))
    other_kind = await refused(use(audit, supervisor, general))

    assert by_coordinator.reason == by_supervisor.reason == ErrorReason.ERROR_REASON_NOT_PERMITTED
    assert other_kind.reason == ErrorReason.ERROR_REASON_WRONG_STATE


@pytest.mark.clause("IV.F.1", "IV.F.2", "IV.F.2.a", "IV.F.2.b", "IV.F.2.c")
async def test_coordinators_ask_for_support_and_are_told_where_it_is_reached(audit: RunningAudit) -> None:
    stub, officer = audit.people(SupportServiceStub), await audit.person(audit_pb.ROLE_USER)
    request = support_pb.RequestSupportRequest(
        request_id=request_id(),
        category=support_pb.SUPPORT_CATEGORY_LPR_TECH_SUPPORT,
        details="camera north of the bridge does not focus at night",
    )

    by_user = await refused(stub.RequestSupport(request, metadata=officer.metadata))
    by_administrator = await refused(stub.RequestSupport(request, metadata=audit.bearer(ADMINISTRATOR)))
    made = await stub.RequestSupport(request, metadata=audit.bearer(COORDINATOR))
    again = await stub.RequestSupport(request, metadata=audit.bearer(COORDINATOR))
    request_made = made.support_request.support_request_id
    close = support_pb.CloseSupportRequest(
        request_id=request_id(), support_request_id=request_made, resolution="lens replaced"
    )
    closed = await stub.CloseSupport(close, metadata=audit.bearer(COORDINATOR))
    listed = await stub.ListSupport(support_pb.ListSupportRequest(), metadata=audit.bearer(COORDINATOR))

    assert by_user.reason == by_administrator.reason == ErrorReason.ERROR_REASON_NOT_PERMITTED
    assert again == made
    assert made.first_tier == listed.first_tier
    assert made.first_tier.email
    assert made.first_tier.telephone
    assert closed.support_request.resolution == "lens replaced"
    assert [one.support_request_id for one in listed.support_requests] == [request_made]


async def test_a_request_id_that_comes_again_with_other_words_is_refused(audit: RunningAudit) -> None:
    incidents, contracts = audit.people(IncidentServiceStub), audit.people(ContractServiceStub)
    support, bearer = audit.people(SupportServiceStub), audit.bearer(COORDINATOR)
    first, signed = incident(), contract()
    asked = support_pb.RequestSupportRequest(
        request_id=request_id(),
        category=support_pb.SUPPORT_CATEGORY_OTHER,
        details="the mast by the river leans to the north",
    )

    async def again(call: Any, request: Any) -> ErrorReason.ValueType:
        return (await refused(call(request, metadata=bearer))).reason

    await incidents.OpenIncident(first, metadata=bearer)
    first.summary = "a telephone with a session open was stolen"
    await contracts.RecordContract(signed, metadata=bearer)
    signed.contract.subject = "three years of licensing"
    await support.RequestSupport(asked, metadata=bearer)
    asked.details = "the mast by the river leans to the south"

    reused = ErrorReason.ERROR_REASON_REQUEST_ID_REUSED
    assert await again(incidents.OpenIncident, first) == reused
    assert await again(contracts.RecordContract, signed) == reused
    assert await again(support.RequestSupport, asked) == reused


@pytest.mark.clause("IV.F.2.c")
async def test_a_request_for_support_has_no_room_for_a_read_or_a_picture() -> None:
    fields = support_pb.RequestSupportRequest.DESCRIPTOR.fields

    assert {field.name for field in fields} == {"request_id", "category", "details"}


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"kind": 0}, "kind"),
        ({"summary": "short"}, "summary"),
        ({"discover_time": None}, "discover_time"),
        ({"discover_time": to_timestamp(datetime(2999, 1, 1, tzinfo=UTC))}, "discover_time"),
        ({"discover_time": to_timestamp(datetime(2020, 1, 1, tzinfo=UTC))}, "discover_time"),
    ],
)
async def test_an_incident_that_is_not_complete_is_an_error_of_its_field(
    audit: RunningAudit, changes: dict[str, Any], field: str
) -> None:
    stub = audit.people(IncidentServiceStub)
    error = await refused(stub.OpenIncident(incident(**changes), metadata=audit.bearer(COORDINATOR)))

    assert [one.field for one in error.violations] == [field]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"kind": 0}, "contract.kind"),
        ({"party": ""}, "contract.party"),
        ({"document_sha256": b"x"}, "contract.document_sha256"),
        ({"warning_days": 0}, "contract.warning_days"),
        ({"end_time": to_timestamp(datetime(2020, 1, 1, tzinfo=UTC))}, "contract.end_time"),
        ({"contract_id": "x"}, "contract"),
    ],
)
async def test_a_contract_that_is_not_complete_is_an_error_of_its_field(
    audit: RunningAudit, changes: dict[str, Any], field: str
) -> None:
    stub = audit.people(ContractServiceStub)
    error = await refused(stub.RecordContract(contract(**changes), metadata=audit.bearer(COORDINATOR)))

    assert [one.field for one in error.violations] == [field]


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM audit.incident",
        "DELETE FROM audit.incident_notice",
        "UPDATE audit.incident SET finding = 'something else' WHERE close_time IS NOT NULL",
        "UPDATE audit.contract SET party = 'another'",
        "TRUNCATE audit.contract",
    ],
)
async def test_what_is_on_record_does_not_change_in_the_database_either(
    audit: RunningAudit, statement: str
) -> None:
    incident_id = (await opened(audit)).incident.incident_id
    await told(audit, incident_id)
    await closing(audit, incident_id)
    connection = await asyncpg.connect(audit.database.admin_url)

    try:
        for role in ("audit_app", "audit_owner"):
            await connection.execute(f"SET ROLE {role}")
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(statement)
    finally:
        await connection.close()


@pytest.mark.clause("III.B.3.c")
async def test_whoever_is_told_in_the_second_of_noticing_has_been_told(audit: RunningAudit) -> None:
    answer = await opened(audit, discover_time=to_timestamp(datetime.now(UTC)))

    coordinator = await told(audit, answer.incident.incident_id)

    assert coordinator.notified_after_seconds >= 1


@pytest.mark.clause("III.B.3.c", "IV.F.1")
async def test_the_commands_open_tell_and_list(audit: RunningAudit, tls: DevelopmentAuthority) -> None:
    first = await command(
        audit, tls, "incident", "open", "malware", "--summary", "a mail with a program was opened"
    )
    incident_id = first.split()[1]
    second = await command(
        audit, tls, *("incident", "tell", incident_id, "cjis-coordinator"), *("--name", "C", "--way", "phone")
    )
    third = await command(audit, tls, "incident", "list")
    support = await command(
        audit, tls, "support", "request", "other", "--details", "the clock of a camera is wrong"
    )

    assert "tell CJIS agency coordinator" in first
    assert second.startswith("after 0 min")
    assert incident_id in third
    assert "first tier" in support


async def command(audit: RunningAudit, tls: DevelopmentAuthority, *arguments: str) -> str:
    """Output of `platewarden ...` as the coordinator types it; it must succeed."""
    process = await asyncio.create_subprocess_exec(
        str(Path(sys.executable).with_name("platewarden")),
        *arguments,
        env={
            **os.environ,
            "PW_AUDIT_TARGET": audit.user_target,
            "PW_CA_FILE": str(tls.ca_file),
            "PW_TOKEN": audit.token(COORDINATOR),
            "COLUMNS": "200",
        },
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await process.communicate()
    assert process.returncode == 0
    return output.decode()


async def use(audit: RunningAudit, who: Officer, lease: contract_pb.Contract) -> Any:
    now = datetime.now(UTC)
    request = contract_pb.ReportUseRequest(
        contract_id=lease.contract_id,
        to=to_timestamp(now + timedelta(minutes=1)),
        **{"from": to_timestamp(now - timedelta(days=1))},  # type: ignore[arg-type]
    )
    return await audit.people(ContractServiceStub).ReportUse(request, metadata=who.metadata)


def total(answer: contract_pb.ReportUseResponse, name: str) -> int:
    return sum(getattr(one, name) for one in answer.months)


async def mcs_asks(audit: RunningAudit, who: Officer, kind: str = "mcsreads") -> None:
    request = plate_request(who.token())
    request.question.archive.kind = kind
    await authorizations(audit).Authorize(request)


async def look_twice(audit: RunningAudit) -> None:
    """Two replicas look for what has run out."""
    settings = audit.settings
    pool = await open_pool(settings.database_url.get_secret_value(), application_name="test", max_size=2)
    journal = Log(LogStore(pool), settings.signer(), SystemClock())
    await journal.open()
    try:
        for _ in range(2):
            stores = IncidentStore(pool), ContractStore(pool), (UnitStore(pool), RosterStore(pool))
            await Deadlines(journal, *stores, SystemClock()).look()
    finally:
        await journal.close()
        await pool.close()


async def events(audit: RunningAudit, action: str, resource: str) -> int:
    """How many entries of the log say that of the resource."""
    rows = await fetch(
        audit.database.admin_url,
        """SELECT count(*) AS number FROM audit.log_field AS one JOIN audit.log_field AS two USING (log_index)
           WHERE one.name = 'action' AND one.value = $1 AND two.name = 'resource' AND two.value = $2""",
        action,
        resource,
    )
    return int(rows[0]["number"])
