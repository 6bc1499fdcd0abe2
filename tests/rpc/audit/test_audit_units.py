"""Units: nobody is enabled before a commander has appointed the unit's coordinator, who acts in it alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import asyncpg
import grpc
import pytest

from alpr.audit.v1 import account_service_pb2 as account_pb
from alpr.audit.v1 import authorization_service_pb2 as audit_pb
from alpr.audit.v1 import unit_service_pb2 as pb
from alpr.audit.v1.account_service_pb2_grpc import AccountServiceStub
from alpr.audit.v1.unit_service_pb2_grpc import UnitServiceStub
from alpr.type.v1.error_reason_pb2 import ErrorReason
from services.audit.app_log import Log
from services.audit.checkpoint_copies import CheckpointFolder
from services.audit.deadlines import Deadlines
from services.audit.store_log import LogStore
from services.audit.store_records import ContractStore, IncidentStore
from services.audit.store_rosters import RosterStore
from services.audit.store_units import UnitStore
from services.common.clock import SystemClock
from services.common.pg import open_pool
from tests.support.audit_kit import (
    ADMINISTRATOR,
    COORDINATOR,
    ORI,
    Officer,
    RunningAudit,
    last_entry,
    log_size,
    refused,
    request_id,
)
from tests.support.databases import fetch

DOCUMENT = bytes(range(32))


def units(audit: RunningAudit) -> Any:
    return audit.people(UnitServiceStub)


def accounts(audit: RunningAudit) -> Any:
    return audit.people(AccountServiceStub)


def code() -> str:
    return f"U-{uuid4().hex[:8]}"


async def registered(audit: RunningAudit, **changes: Any) -> pb.Unit:
    """A new unit, which nobody coordinates."""
    usual = {"agency_ori": ORI, "code": code(), "name": "District 15", "kind": pb.UNIT_KIND_DISTRICT}
    request = pb.RegisterUnitRequest(request_id=request_id(), unit=pb.Unit(**{**usual, **changes}))
    made: pb.Unit = (await units(audit).RegisterUnit(request, metadata=audit.bearer(COORDINATOR))).unit
    audit._units.add((ORI, made.code))  # the kit is to leave it as it is
    return made


def appointing(unit: pb.Unit, officer: Officer, **changes: Any) -> pb.AppointCoordinatorRequest:
    usual = {"account_id": officer.account_id, "commander": "Captain A. Hill", "document_sha256": DOCUMENT}
    return pb.AppointCoordinatorRequest(
        request_id=request_id(),
        agency_ori=unit.agency_ori,
        code=unit.code,
        appointment=pb.Appointment(**{**usual, **changes}),
    )


def ending(unit: pb.Unit) -> pb.EndAppointmentRequest:
    return pb.EndAppointmentRequest(
        request_id=request_id(), agency_ori=unit.agency_ori, code=unit.code, reason="has retired"
    )


def enables(audit: RunningAudit, officer: Officer, by: str = COORDINATOR) -> Any:
    request = account_pb.EnableAccountRequest(request_id=request_id(), account_id=officer.account_id)
    return accounts(audit).EnableAccount(request, metadata=audit.bearer(by))


async def served(audit: RunningAudit) -> tuple[pb.Unit, Officer]:
    """A new unit with its coordinator, whose account is enabled."""
    unit = await registered(audit)
    coordinator = await audit.person(audit_pb.ROLE_USER, unit=unit.code, enable=False)
    await units(audit).AppointCoordinator(appointing(unit, coordinator), metadata=audit.bearer(COORDINATOR))
    await enables(audit, coordinator)
    return unit, coordinator


async def listed(audit: RunningAudit, wanted: str) -> pb.Unit:
    answer = await units(audit).ListUnits(
        pb.ListUnitsRequest(page_size=500), metadata=audit.bearer(COORDINATOR)
    )
    found: pb.Unit = next(one for one in answer.units if one.code == wanted)
    return found


@pytest.mark.clause("III.C.1", "III.C.2.b")
async def test_nobody_is_enabled_before_the_units_commander_has_appointed_its_coordinator(
    audit: RunningAudit,
) -> None:
    unit = await registered(audit)
    coordinator = await audit.person(audit_pb.ROLE_USER, unit=unit.code, enable=False)
    officer = await audit.person(audit_pb.ROLE_USER, unit=unit.code, enable=False)

    before = await refused(enables(audit, officer))
    appointed = await units(audit).AppointCoordinator(
        appointing(unit, coordinator), metadata=audit.bearer(COORDINATOR)
    )
    not_yet = await refused(enables(audit, officer))  # the coordinator's own account is not enabled
    enabled = (await enables(audit, coordinator)).account
    await enables(audit, officer, by=coordinator.subject)

    assert before.code is not_yet.code is grpc.StatusCode.FAILED_PRECONDITION
    assert before.metadata["missing"] == not_yet.metadata["missing"] == "unit_coordinator"
    assert appointed.unit.appointment.document_sha256 == DOCUMENT
    assert not appointed.unit.served
    assert audit_pb.ROLE_WORK_UNIT_COORDINATOR in enabled.roles
    after = await listed(audit, unit.code)
    assert (after.served, after.enabled_accounts) == (True, 2)


@pytest.mark.clause("III.C.1")
async def test_whom_a_commander_appoints_is_on_record_with_commander_and_document(
    audit: RunningAudit,
) -> None:
    unit = await registered(audit)
    coordinator = await audit.person(audit_pb.ROLE_USER, unit=unit.code, enable=False)

    await units(audit).AppointCoordinator(appointing(unit, coordinator), metadata=audit.bearer(COORDINATOR))

    intent = (await last_entry(audit))["subject"]
    rows = await fetch(
        audit.database.admin_url,
        "SELECT name, value FROM audit.log_field WHERE log_index ="
        " (SELECT log_index FROM audit.log_field WHERE name = 'entry_id' AND value = $1)",
        intent,
    )
    entry = {row["name"]: row["value"] for row in rows}
    assert (entry["action"], entry["resource"]) == ("unit.appoint", unit.code)
    assert entry["detail.account"] == coordinator.account_id
    assert entry["detail.commander"] == "Captain A. Hill"
    assert entry["detail.document_sha256"] == DOCUMENT.hex()


@pytest.mark.clause("III.C.2.a", "III.B.3.l")
async def test_the_coordinators_power_comes_and_goes_with_the_appointment(audit: RunningAudit) -> None:
    unit, coordinator = await served(audit)
    successor = await audit.person(audit_pb.ROLE_USER, unit=unit.code)
    officer = await audit.person(audit_pb.ROLE_USER, unit=unit.code, enable=False)

    await units(audit).AppointCoordinator(appointing(unit, successor), metadata=audit.bearer(COORDINATOR))
    former = await refused(enables(audit, officer, by=coordinator.subject))
    await enables(audit, officer, by=successor.subject)

    assert former.metadata["clauses"] == "III.B.3.l"
    own = await accounts(audit).GetAccount(account_pb.GetAccountRequest(), metadata=coordinator.metadata)
    assert own.account.roles == [audit_pb.ROLE_USER]


@pytest.mark.clause("III.C.2.a")
async def test_a_coordinator_acts_in_the_own_unit_alone(audit: RunningAudit) -> None:
    _, coordinator = await served(audit)
    other, _ = await served(audit)
    officer = await audit.person(audit_pb.ROLE_USER, unit=other.code, enable=False)

    error = await refused(enables(audit, officer, by=coordinator.subject))

    assert error.metadata["clauses"] == "III.C.2.a"


@pytest.mark.clause("III.C.1")
async def test_when_an_appointment_ends_accounts_go_on_and_nobody_new_is_enabled(audit: RunningAudit) -> None:
    unit, coordinator = await served(audit)
    officer = await audit.person(audit_pb.ROLE_USER, unit=unit.code)
    newcomer = await audit.person(audit_pb.ROLE_USER, unit=unit.code, enable=False)

    ended = (await units(audit).EndAppointment(ending(unit), metadata=audit.bearer(COORDINATOR))).unit
    again = await refused(units(audit).EndAppointment(ending(unit), metadata=audit.bearer(COORDINATOR)))
    error = await refused(enables(audit, newcomer))

    assert ended.appointment.HasField("end_time")
    assert not ended.served
    assert again.reason == ErrorReason.ERROR_REASON_WRONG_STATE
    assert error.metadata["missing"] == "unit_coordinator"
    for one in (officer, coordinator):
        own = await accounts(audit).GetAccount(account_pb.GetAccountRequest(), metadata=one.metadata)
        assert own.account.state == account_pb.ACCOUNT_STATE_ENABLED


@pytest.mark.clause("III.C.1")
async def test_a_vacant_unit_is_in_the_log_once_a_day_and_a_suspended_coordinator_leaves_one(
    audit: RunningAudit,
) -> None:
    unit, coordinator = await served(audit)
    await audit.person(audit_pb.ROLE_USER, unit=unit.code)
    suspend = account_pb.SuspendAccountRequest(
        request_id=request_id(), account_id=coordinator.account_id, reason="under inquiry"
    )
    await look(audit)
    before = await vacancies(audit, unit.code)
    await accounts(audit).SuspendAccount(suspend, metadata=audit.bearer(COORDINATOR))

    await look(audit)
    await look(audit)

    assert not before
    assert await vacancies(audit, unit.code) == ["1"]
    assert not (await listed(audit, unit.code)).served


@pytest.mark.clause("III.C.1", "III.B.3.g")
async def test_who_is_of_another_unit_or_administers_the_system_coordinates_none(audit: RunningAudit) -> None:
    unit = await registered(audit)
    stranger = await audit.person(audit_pb.ROLE_USER)
    administrator = await audit.person(audit_pb.ROLE_SYSTEM_ADMINISTRATOR, unit=unit.code, enable=False)
    coordinator = audit.bearer(COORDINATOR)

    foreign = await refused(units(audit).AppointCoordinator(appointing(unit, stranger), metadata=coordinator))
    both = await refused(
        units(audit).AppointCoordinator(appointing(unit, administrator), metadata=coordinator)
    )
    nobody = await refused(
        units(audit).AppointCoordinator(
            appointing(unit, stranger, account_id=str(uuid4())), metadata=coordinator
        )
    )

    assert foreign.metadata["hindrances"] == "is of another unit"
    assert both.metadata["hindrances"] == "administers the system"
    assert nobody.reason == ErrorReason.ERROR_REASON_NOT_FOUND
    assert not (await listed(audit, unit.code)).HasField("appointment")


@pytest.mark.clause("III.C.1", "III.B.3.g")
async def test_nobody_but_the_statewide_coordinator_records_appointments(audit: RunningAudit) -> None:
    unit, coordinator = await served(audit)
    other = await audit.person(audit_pb.ROLE_USER, unit=unit.code)

    for by in (coordinator.subject, other.subject, ADMINISTRATOR):
        for call in (
            units(audit).AppointCoordinator(appointing(unit, other), metadata=audit.bearer(by)),
            units(audit).EndAppointment(ending(unit), metadata=audit.bearer(by)),
        ):
            assert (await refused(call)).code is grpc.StatusCode.PERMISSION_DENIED
    assert (await listed(audit, unit.code)).appointment.account_id == coordinator.account_id


@pytest.mark.clause("III.C.1", "III.B.3.g")
async def test_the_role_is_neither_granted_nor_taken_but_by_appointment(audit: RunningAudit) -> None:
    _, coordinator = await served(audit)
    officer = await audit.person(audit_pb.ROLE_USER)
    role = audit_pb.ROLE_WORK_UNIT_COORDINATOR
    grant = account_pb.GrantRoleRequest(request_id=request_id(), account_id=officer.account_id, role=role)
    revoke = account_pb.RevokeRoleRequest(
        request_id=request_id(), account_id=coordinator.account_id, role=role
    )

    granted = await refused(accounts(audit).GrantRole(grant, metadata=audit.bearer(COORDINATOR)))
    revoked = await refused(accounts(audit).RevokeRole(revoke, metadata=audit.bearer(COORDINATOR)))

    assert granted.reason == revoked.reason == ErrorReason.ERROR_REASON_WRONG_STATE
    assert granted.metadata["clauses"] == "III.C.1"


@pytest.mark.clause("III.C.1")
async def test_an_account_of_a_unit_that_is_not_registered_is_refused_by_its_field(
    audit: RunningAudit,
) -> None:
    account = account_pb.Account(
        subject=request_id(),
        issuer=audit.issuer.iss,
        full_name="Erika Muster",
        badge_number="4711",
        email="e.muster@isp.illinois.gov",
        agency_ori=ORI,
        unit="district fifteen",
    )
    request = account_pb.CreateAccountRequest(request_id=request_id(), account=account)

    error = await refused(accounts(audit).CreateAccount(request, metadata=audit.bearer(COORDINATOR)))

    assert [one.field for one in error.violations] == ["account.unit"]


async def test_acts_that_come_again_with_their_request_id_are_done_once(audit: RunningAudit) -> None:
    unit, coordinator = await served(audit)
    successor = await audit.person(audit_pb.ROLE_USER, unit=unit.code)
    request = appointing(unit, successor)

    first = await units(audit).AppointCoordinator(request, metadata=audit.bearer(COORDINATOR))
    before = await log_size(audit)
    again = await units(audit).AppointCoordinator(request, metadata=audit.bearer(COORDINATOR))
    request.appointment.account_id = coordinator.account_id
    other = await refused(units(audit).AppointCoordinator(request, metadata=audit.bearer(COORDINATOR)))

    assert again == first
    assert await log_size(audit) == before
    assert other.reason == ErrorReason.ERROR_REASON_REQUEST_ID_REUSED


async def test_a_code_is_one_units(audit: RunningAudit) -> None:
    unit = await registered(audit)

    error = await refused(registered(audit, code=unit.code))

    assert error.reason == ErrorReason.ERROR_REASON_ALREADY_EXISTS


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"code": ""}, "unit.code"),
        ({"code": "x" * 51}, "unit.code"),
        ({"name": ""}, "unit.name"),
        ({"kind": 0}, "unit.kind"),
        ({"kind": 99}, "unit.kind"),
        ({"agency_ori": "ISP"}, "unit.agency_ori"),
        ({"served": True}, "unit"),
    ],
)
async def test_a_unit_that_is_not_complete_is_an_error_of_its_field(
    audit: RunningAudit, changes: dict[str, Any], field: str
) -> None:
    error = await refused(registered(audit, **changes))

    assert [one.field for one in error.violations] == [field]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"document_sha256": b"short"}, "appointment.document_sha256"),
        ({"commander": ""}, "appointment.commander"),
        ({"account_id": "x"}, "appointment.account_id"),
    ],
)
async def test_an_appointment_without_its_paper_is_an_error_of_its_field(
    audit: RunningAudit, changes: dict[str, Any], field: str
) -> None:
    unit, coordinator = await served(audit)
    call = units(audit).AppointCoordinator(
        appointing(unit, coordinator, **changes), metadata=audit.bearer(COORDINATOR)
    )

    assert [one.field for one in (await refused(call)).violations] == [field]


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM audit.unit",
        "DELETE FROM audit.appointment",
        "UPDATE audit.appointment SET end_time = NULL WHERE end_time IS NOT NULL",
        "DELETE FROM audit.account",
        "UPDATE audit.account SET subject = 'somebody else'",
    ],
)
@pytest.mark.clause("III.B.3.k", "III.C.1")
async def test_appointments_stay_and_an_account_is_never_used_again_in_the_database_either(
    audit: RunningAudit, statement: str
) -> None:
    unit, _ = await served(audit)
    await units(audit).EndAppointment(ending(unit), metadata=audit.bearer(COORDINATOR))
    connection = await asyncpg.connect(audit.database.admin_url)

    try:
        for role in ("audit_app", "audit_owner"):
            await connection.execute(f"SET ROLE {role}")
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(statement)
    finally:
        await connection.close()


async def test_pages_hold_every_unit_once(audit: RunningAudit) -> None:
    made = {(await registered(audit)).code for _ in range(3)}
    found, token = [], ""

    while True:
        request = pb.ListUnitsRequest(page_size=2, page_token=token)
        page = await units(audit).ListUnits(request, metadata=audit.bearer(COORDINATOR))
        found += [one.code for one in page.units]
        token = page.next_page_token
        if not token:
            break

    assert found == sorted(found, key=lambda one: one.encode())
    assert len(found) == len(set(found))
    assert made <= set(found)


async def look(audit: RunningAudit) -> None:
    """What the service does every half minute, done now."""
    pool = await open_pool(audit.database.url("audit_app"), application_name="test", max_size=2)
    copies = CheckpointFolder(audit.settings.log_checkpoint_dir, audit.settings.log_origin)
    journal = Log(LogStore(pool), audit.settings.signer(), SystemClock(), copies)
    await journal.open()
    try:
        stores = IncidentStore(pool), ContractStore(pool), (UnitStore(pool), RosterStore(pool))
        await Deadlines(journal, *stores, SystemClock()).look()
    finally:
        await journal.close()
        await pool.close()


async def vacancies(audit: RunningAudit, wanted: str) -> list[str]:
    """The numbers of enabled accounts that today's entries about the unit name."""
    since = datetime.now(UTC) - timedelta(days=1)
    rows = await fetch(
        audit.database.admin_url,
        "SELECT number.value FROM audit.log_field AS act"
        " JOIN audit.log_field AS unit ON unit.log_index = act.log_index AND unit.name = 'resource'"
        " JOIN audit.log_field AS number ON number.log_index = act.log_index"
        "  AND number.name = 'detail.enabled_accounts'"
        " JOIN audit.log_leaf AS leaf ON leaf.log_index = act.log_index"
        " WHERE act.value = 'unit.vacant' AND unit.value = $1 AND leaf.record_time > $2",
        wanted,
        since,
    )
    return [row["value"] for row in rows]
