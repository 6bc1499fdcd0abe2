"""A connector to LEADS with the real audit service: who may ask, and that asking is in the log before."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio

from alpr.alerts.v1 import alert_service_pb2 as pb
from alpr.alerts.v1 import verification_service_pb2 as check_pb
from alpr.alerts.v1.verification_service_pb2_grpc import VerificationServiceStub
from alpr.audit.v1 import account_service_pb2 as account_pb
from alpr.audit.v1 import authorization_service_pb2 as audit_pb
from alpr.connector.v1 import record_check_service_pb2 as connector_pb
from alpr.type.v1 import notice_pb2
from services.common.client import bearer
from services.common.errors import NotFoundError, NotPermittedError
from tests.support import audit_kit
from tests.support.alerts_rig import (
    AlertsRig,
    entry_message,
    hit_message,
    kind,
    reason,
    refused,
    settings_for,
    start_rig,
)
from tests.support.audit_kit import ORI, OTHER_ORI, Officer, RunningAudit
from tests.support.connector_server import NAME, LeadsRecords, connecting
from tests.support.databases import MigratedDatabase, fetch

FIELDS = """
SELECT f.log_index, f.name, f.value FROM audit.log_field f JOIN audit.log_field a
ON a.log_index = f.log_index AND a.name = 'action' AND a.value IN ('alert.ask', 'alert.verify')
WHERE f.name IN ('kind', 'action', 'detail.check_id') ORDER BY f.log_index, f.name
"""


@dataclass
class House:
    audit: RunningAudit
    alerts: AlertsRig
    leads: LeadsRecords
    database: MigratedDatabase

    async def ask(self, officer: Officer, alert_id: str) -> check_pb.RecordCheck:
        request = check_pb.AskRecordRequest(request_id=str(uuid4()), alert_id=alert_id)
        stub = VerificationServiceStub(self.alerts.channels[1])
        return (await stub.AskRecord(request, **self.call(officer))).check

    async def verify(self, officer: Officer, alert_id: str, state: int, **fields: Any) -> pb.Alert:
        request = pb.VerifyAlertRequest(request_id=str(uuid4()), alert_id=alert_id, state=state, **fields)
        return (await self.alerts.person.VerifyAlert(request, **self.call(officer))).alert

    def call(self, officer: Officer) -> dict[str, Any]:
        return {"metadata": (bearer(officer.token()),), "timeout": 20}


@pytest_asyncio.fixture
async def house(migrated_database, tls, issuer, tmp_path) -> AsyncIterator[House]:
    database = await migrated_database("audit", "alerts")
    settings = audit_kit.settings_for(database, tls, issuer, tmp_path)
    await audit_kit.begin(settings, database, issuer)
    async with AsyncExitStack() as stack:
        audit = await stack.enter_async_context(audit_kit.running_audit(settings, database, tls, issuer))
        leads = await stack.enter_async_context(connecting(tls))
        leads.records["AB12345", "IL"] = connector_pb.RECORD_ANSWER_IN_FORCE
        connector = {"connector_target": f"127.0.0.1:{leads.port}", "connector_name": NAME}
        port = int(audit.target.rpartition(":")[2])
        rig = await start_rig(settings_for(tmp_path, tls, database, port, **connector), tls)
        stack.push_async_callback(rig.stop)
        yield House(audit, rig, leads, database)


@pytest.mark.clause("III.D.4", "IV.D.4")
async def test_an_officer_asks_and_confirms_and_the_log_has_both_with_the_answer_cited(house: House) -> None:
    officer = await house.audit.person(audit_pb.ROLE_USER)
    hit = hit_message(entry_message(agency=ORI), agency=ORI)
    (alert_id,) = await house.alerts.raise_hits(hit)

    await house.verify(officer, alert_id, notice_pb2.VERIFICATION_STATE_VERIFYING)
    check = await house.ask(officer, alert_id)
    alert = await house.verify(officer, alert_id, check.bears_out, check_id=check.check_id)
    rows = await fetch(house.database.admin_url, FIELDS)

    assert alert.notice.verification_state == notice_pb2.VERIFICATION_STATE_CONFIRMED
    intents = [row["log_index"] for row in rows if (row["name"], row["value"]) == ("kind", "intent")]
    acts = [row["value"] for row in rows if row["name"] == "action" and row["log_index"] in intents]
    assert acts == ["alert.verify", "alert.ask", "alert.verify"]
    assert [row["value"] for row in rows if row["name"] == "detail.check_id"] == [check.check_id]
    assert [one.requester_account_id for one in house.leads.asked] == [officer.account_id]


@pytest.mark.clause("IV.A.4", "III.B.3.l")
async def test_who_may_not_verify_asks_nobody(house: House) -> None:
    keeper = await house.audit.person(audit_pb.ROLE_HOT_LIST_MANAGER)
    uncertified = await house.audit.person(
        audit_pb.ROLE_USER,
        certifications=tuple(
            one for one in audit_kit.ALL_CERTIFICATIONS if one != account_pb.CERTIFICATION_KIND_ALPR_TRAINING
        ),
        enable=False,
    )
    officer = await house.audit.person(audit_pb.ROLE_USER)
    hit = hit_message(entry_message(agency=OTHER_ORI), agency=OTHER_ORI)
    (theirs,) = await house.alerts.raise_hits(hit)
    (ours,) = await house.alerts.raise_hits(hit_message(entry_message(agency=ORI), agency=ORI))

    for person, alert_id, error in (
        (keeper, ours, NotPermittedError),
        (uncertified, ours, NotPermittedError),
        (officer, theirs, NotFoundError),
    ):
        async with refused() as caught:
            await house.ask(person, alert_id)
        assert reason(caught[0]) == kind(error)

    assert house.leads.asked == []
