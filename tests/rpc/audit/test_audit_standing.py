"""What a person set up to go on without a sign-in lasts while the person is entitled, and not longer."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
import pytest

from alpr.audit.v1 import account_service_pb2 as account_pb
from alpr.audit.v1 import authorization_service_pb2 as pb
from alpr.audit.v1 import health_service_pb2 as health_pb
from alpr.audit.v1.account_service_pb2_grpc import AccountServiceStub
from alpr.audit.v1.health_service_pb2_grpc import HealthServiceStub
from alpr.type.v1.error_reason_pb2 import ErrorReason
from services.common.errors import AlprError, from_rpc_error
from services.common.wire import to_datetime
from tests.support.audit_kit import (
    COORDINATOR,
    ORI,
    Officer,
    RunningAudit,
    authorizations,
    last_entry,
    refused,
    request_id,
)


async def founded(audit: RunningAudit, officer: Officer, action: str = "webhook.create") -> str:
    """Intent of an act of the officer's through alerts."""
    request = pb.RecordIntentRequest(
        request_id=request_id(),
        access_token=officer.token(),
        action=action,
        resource=request_id(),
        resource_agency_ori=ORI,
    )
    return (await authorizations(audit, "alerts").RecordIntent(request)).intent_id


def leases(audit: RunningAudit, founding: str, *, service: str = "alerts", **changes: Any) -> Any:
    usual = {"intent_id": founding, "action": "alerts.subscribe"}
    request = health_pb.WatchEntitlementsRequest(**{**usual, **changes})
    return audit.service(HealthServiceStub, service).WatchEntitlements(request)


async def suspend(audit: RunningAudit, officer: Officer) -> None:
    request = account_pb.SuspendAccountRequest(
        request_id=request_id(), account_id=officer.account_id, reason="left the unit"
    )
    await audit.people(AccountServiceStub).SuspendAccount(request, metadata=audit.bearer(COORDINATOR))


async def end_of(stream: Any) -> AlprError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        async with asyncio.timeout(20):
            while await stream.read() is not grpc.aio.EOF:
                pass
    return from_rpc_error(caught.value)


@pytest.mark.clause("IV.A.4")
async def test_work_that_a_person_founded_has_leases_without_a_sign_in(audit: RunningAudit) -> None:
    officer = await audit.person(pb.ROLE_TELECOM_CENTER)
    intent_id = await founded(audit, officer)

    stream = leases(audit, intent_id)
    lease = await stream.read()
    stream.cancel()

    assert lease.actor.account_id == officer.account_id
    assert list(lease.actor.roles) == [pb.ROLE_TELECOM_CENTER]
    assert timedelta(seconds=50) < to_datetime(lease.lease_until) - datetime.now(UTC) <= timedelta(seconds=60)


@pytest.mark.clause("IV.A.4", "IV.A.2")
async def test_it_ends_when_the_account_is_suspended_and_that_is_on_record(audit: RunningAudit) -> None:
    officer = await audit.person(pb.ROLE_TELECOM_CENTER)
    intent_id = await founded(audit, officer)
    stream = leases(audit, intent_id)
    await stream.read()

    await suspend(audit, officer)
    error = await end_of(stream)
    entry = await last_entry(audit)

    assert ErrorReason.Name(error.reason) == "ERROR_REASON_ENTITLEMENT_ENDED"
    assert (entry["kind"], entry["actor"], entry["subject"]) == ("refusal", officer.account_id, intent_id)


@pytest.mark.clause("IV.A.4")
async def test_it_does_not_begin_again_while_the_account_is_suspended(audit: RunningAudit) -> None:
    officer = await audit.person(pb.ROLE_TELECOM_CENTER)
    intent_id = await founded(audit, officer)
    await suspend(audit, officer)

    error = await end_of(leases(audit, intent_id))

    assert ErrorReason.Name(error.reason) == "ERROR_REASON_NOT_PERMITTED"
    assert "IV.A.2" in error.metadata["clauses"]


@pytest.mark.clause("IV.A.4")
async def test_it_ends_when_a_certification_lapses(audit: RunningAudit) -> None:
    officer = await audit.person(
        pb.ROLE_TELECOM_CENTER,
        certifications=tuple(
            number
            for number in account_pb.CertificationKind.values()
            if number and number != account_pb.CERTIFICATION_KIND_LEADS
        ),
        enable=False,
    )
    await audit.certify(officer.account_id, account_pb.CERTIFICATION_KIND_LEADS, timedelta(seconds=4))
    enable = account_pb.EnableAccountRequest(request_id=request_id(), account_id=officer.account_id)
    await audit.people(AccountServiceStub).EnableAccount(enable, metadata=audit.bearer(COORDINATOR))
    stream = leases(audit, await founded(audit, officer))

    lease = await stream.read()
    error = await end_of(stream)

    assert to_datetime(lease.lease_until) - datetime.now(UTC) < timedelta(seconds=5)
    assert "IV.A.4" in error.metadata["clauses"]


async def test_another_service_cannot_stand_on_it(audit: RunningAudit) -> None:
    officer = await audit.person(pb.ROLE_TELECOM_CENTER)
    intent_id = await founded(audit, officer)

    error = await refused(leases(audit, intent_id, service="search").read())

    assert ErrorReason.Name(error.reason) == "ERROR_REASON_NOT_FOUND"


@pytest.mark.parametrize("changes", [{"action": "alert.get"}, {"access_token": "x"}, {"intent_id": "x"}])
async def test_it_stands_for_nothing_else(audit: RunningAudit, changes: dict[str, str]) -> None:
    officer = await audit.person(pb.ROLE_TELECOM_CENTER)
    intent_id = await founded(audit, officer)

    error = await refused(leases(audit, intent_id, **changes).read())

    assert ErrorReason.Name(error.reason) == "ERROR_REASON_INVALID_FIELD"


async def test_no_other_act_of_a_person_goes_on_by_itself(audit: RunningAudit) -> None:
    officer = await audit.person(pb.ROLE_TELECOM_CENTER)
    intent_id = await founded(audit, officer, "alert.acknowledge")

    error = await refused(leases(audit, intent_id).read())

    assert ErrorReason.Name(error.reason) == "ERROR_REASON_INVALID_FIELD"
