"""Alerts with the real audit service: subscribe, work an alert, and find all of it in the log."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio

from alpr.alerts.v1 import alert_service_pb2 as pb
from alpr.audit.v1 import account_service_pb2 as account_pb
from alpr.audit.v1 import authorization_service_pb2 as audit_pb
from alpr.audit.v1.account_service_pb2_grpc import AccountServiceStub
from alpr.type.v1 import notice_pb2
from alpr.type.v1.error_reason_pb2 import ErrorReason
from services.common.client import bearer
from tests.support import audit_kit
from tests.support.alerts_rig import AlertsRig, entry_message, hit_message, refused, settings_for, start_rig
from tests.support.audit_kit import ORI, RunningAudit
from tests.support.databases import MigratedDatabase, fetch

ACTIONS = """
SELECT f.value AS action FROM audit.log_field f WHERE f.name = 'action' ORDER BY f.log_index
"""


class MovingClock:
    """The machine's clock, ahead by what the test says."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead


@dataclass
class House:
    audit: RunningAudit
    alerts: AlertsRig
    database: MigratedDatabase
    clock: MovingClock

    def call(self, officer: audit_kit.Officer) -> dict[str, Any]:
        return {"metadata": (bearer(officer.token()),), "timeout": 20}


@pytest_asyncio.fixture
async def house(migrated_database, tls, issuer, tmp_path) -> AsyncIterator[House]:
    database = await migrated_database("audit", "alerts")
    settings = audit_kit.settings_for(database, tls, issuer, tmp_path)
    await audit_kit.begin(settings, database, issuer)
    async with AsyncExitStack() as stack:
        audit = await stack.enter_async_context(audit_kit.running_audit(settings, database, tls, issuer))
        clock = MovingClock()
        port = int(audit.target.rpartition(":")[2])
        rig = await start_rig(settings_for(tmp_path, tls, database, port), tls, clock)
        stack.push_async_callback(rig.stop)
        yield House(audit, rig, database, clock)


def own_hit() -> pb.Hit:
    return hit_message(entry_message(agency=ORI), agency=ORI, pictures=(b"crop", b"overview"))


@pytest.mark.clause("III.D.4", "IV.D.4", "IV.D.3", "II.A")
async def test_from_the_camera_to_the_arrest_everything_is_in_the_log(house: House) -> None:
    officer = await house.audit.person(audit_pb.ROLE_USER)
    stream = await house.alerts.subscribe(officer.token()).live()
    (alert_id,) = await house.alerts.raise_hits(own_hit())
    await stream.until(lambda s: bool(s.alerts))
    person, call = house.alerts.person, house.call(officer)

    def ids() -> dict[str, str]:
        return {"request_id": str(uuid4()), "alert_id": alert_id}

    await person.AcknowledgeAlert(pb.AcknowledgeAlertRequest(**ids()), **call)
    verifying = pb.VerifyAlertRequest(**ids(), state=notice_pb2.VERIFICATION_STATE_VERIFYING)
    await person.VerifyAlert(verifying, **call)
    confirmed = pb.VerifyAlertRequest(
        **ids(), state=notice_pb2.VERIFICATION_STATE_CONFIRMED, system="LEADS", response_id="R-1"
    )
    await person.VerifyAlert(confirmed, **call)
    await person.DisposeAlert(pb.DisposeAlertRequest(**ids(), disposition=pb.DISPOSITION_ARREST), **call)
    found = await person.GetAlert(pb.GetAlertRequest(**ids()), **call)

    assert found.crop_image == b"crop"
    assert [step.account_id for step in found.history] == [officer.account_id] * 4
    assert {field.name: field.value for field in found.receipt.fields}["action"] == "alert.get"
    depth = "SELECT count(*) AS n FROM alerts.outbox, alerts.outbox_head WHERE outbox_id > recorded_through"
    await drained(house, depth)
    logged = {row["action"] for row in await fetch(house.database.admin_url, ACTIONS)}
    assert logged >= {"hit.raised", "alert.acknowledge", "alert.verify", "alert.dispose", "alert.get"}
    await stream.close()


async def drained(house: House, depth: str) -> None:
    for _ in range(1200):
        (row,) = await fetch(house.database.admin_url, depth)
        if row["n"] == 0:
            return
        await asyncio.sleep(0.05)
    raise AssertionError("the outbox was not drained")


@pytest.mark.clause("IV.A.4")
async def test_a_stream_ends_when_the_account_is_suspended(house: House) -> None:
    officer = await house.audit.person(audit_pb.ROLE_USER)
    stream = await house.alerts.subscribe(officer.token()).live()

    request = account_pb.SuspendAccountRequest(
        request_id=str(uuid4()), account_id=officer.account_id, reason="left the unit"
    )
    stub = house.audit.people(AccountServiceStub)
    await stub.SuspendAccount(request, metadata=house.audit.bearer(audit_kit.COORDINATOR))

    error = await stream.ended()
    assert ErrorReason.Name(error.reason) == "ERROR_REASON_ENTITLEMENT_ENDED"


@pytest.mark.clause("IV.C.5", "IV.C.6")
async def test_an_old_alert_is_a_question_with_case_number_and_purpose(house: House) -> None:
    officer = await house.audit.person(audit_pb.ROLE_USER)
    (alert_id,) = await house.alerts.raise_hits(own_hit())
    house.clock.ahead = timedelta(hours=25)
    call = house.call(officer)

    async with refused() as caught:
        request = pb.GetAlertRequest(request_id=str(uuid4()), alert_id=alert_id)
        await house.alerts.person.GetAlert(request, **call)
    request = pb.GetAlertRequest(
        request_id=str(uuid4()), alert_id=alert_id, justification=audit_kit.justification()
    )
    found = await house.alerts.person.GetAlert(request, **call)

    assert ErrorReason.Name(caught[0].reason) == "ERROR_REASON_CASE_NUMBER_REQUIRED"
    assert found.alert.alert_id == alert_id
    fields = {field.name: field.value for field in found.receipt.fields}
    assert fields["case_number"] == "2026-004711"


async def test_another_agencys_alert_is_not_found_and_the_attempt_is_refused_in_the_log(house: House) -> None:
    officer = await house.audit.person(audit_pb.ROLE_USER)
    other = audit_kit.OTHER_ORI
    (alert_id,) = await house.alerts.raise_hits(hit_message(entry_message(agency=other), agency=other))

    async with refused() as caught:
        request = pb.AcknowledgeAlertRequest(request_id=str(uuid4()), alert_id=alert_id)
        await house.alerts.person.AcknowledgeAlert(request, **house.call(officer))

    assert ErrorReason.Name(caught[0].reason) == "ERROR_REASON_NOT_FOUND"
    kinds = await fetch(
        house.database.admin_url,
        "SELECT k.value FROM audit.log_field k JOIN audit.log_field r USING (log_index) "
        "WHERE k.name = 'kind' AND r.name = 'resource' AND r.value = $1 ORDER BY log_index",
        alert_id,
    )
    assert "refusal" in {row["value"] for row in kinds}
