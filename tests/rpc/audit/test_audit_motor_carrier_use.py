"""The report on the use of the Motor Carrier Safety system: what left it, and that the report is recorded."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio

from alpr.audit.v1 import authorization_service_pb2 as pb
from alpr.audit.v1 import contract_service_pb2 as contract_pb
from alpr.audit.v1.contract_service_pb2_grpc import ContractServiceStub
from alpr.type.v1 import sensor_pb2
from services.common.wire import to_timestamp
from services.dev.pki import DevelopmentAuthority
from tests.rpc.audit.test_audit_transparency_cli import command
from tests.support.audit_kit import (
    ORI,
    Officer,
    RunningAudit,
    authorizations,
    justification,
    last_entry,
    request_id,
)

DOCUMENT = bytes(range(32))


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def supervisor(audit: RunningAudit) -> Officer:
    return await audit.person(pb.ROLE_CVEO_SUPERVISOR)


async def leased(audit: RunningAudit, supervisor: Officer) -> str:
    """Id of a lease of the system."""
    now = datetime.now(UTC)
    contract = contract_pb.Contract(
        kind=contract_pb.CONTRACT_KIND_LEASE,
        party="IDOT",
        subject="lease of the system",
        document_sha256=DOCUMENT,
        start_time=to_timestamp(now - timedelta(days=1)),
        end_time=to_timestamp(now + timedelta(days=365)),
        warning_days=90,
        partition=sensor_pb2.PARTITION_MOTOR_CARRIER,
    )
    request = contract_pb.RecordContractRequest(request_id=request_id(), contract=contract)
    stub = audit.people(ContractServiceStub)
    return str((await stub.RecordContract(request, metadata=supervisor.metadata)).contract.contract_id)


async def left(audit: RunningAudit, who: Officer, action: str, result: Any) -> None:
    """A file leaves the data set, as search records it."""
    intent = pb.RecordIntentRequest(
        request_id=request_id(),
        access_token=who.token(),
        action=action,
        resource=str(uuid4()),
        resource_agency_ori=ORI,
        justification=justification(),
    )
    begun = await authorizations(audit).RecordIntent(intent)
    ended = pb.RecordOutcomeRequest(request_id=request_id(), subject_id=begun.intent_id, result=result)
    await authorizations(audit).RecordOutcome(ended)


async def used(audit: RunningAudit, who: Officer, lease: str) -> contract_pb.ReportUseResponse:
    now = datetime.now(UTC)
    period = {"from": to_timestamp(now - timedelta(days=1)), "to": to_timestamp(now + timedelta(minutes=1))}
    request = contract_pb.ReportUseRequest(contract_id=lease, **period)  # type: ignore[arg-type]
    stub = audit.people(ContractServiceStub)
    answer: contract_pb.ReportUseResponse = await stub.ReportUse(request, metadata=who.metadata)
    return answer


@pytest.mark.clause("III.E.1", "III.E.2")
async def test_what_left_the_system_is_in_the_report_once_it_was_done(
    audit: RunningAudit, supervisor: Officer
) -> None:
    lease = await leased(audit, supervisor)

    await left(audit, supervisor, "mcs_dissemination.export", pb.OUTCOME_RESULT_DONE)
    await left(audit, supervisor, "mcs_dissemination.share", pb.OUTCOME_RESULT_DONE)
    await left(audit, supervisor, "mcs_dissemination.share", pb.OUTCOME_RESULT_FAILED)
    answer = await used(audit, supervisor, lease)

    assert sum(one.disclosures for one in answer.months) == 2


@pytest.mark.clause("III.E.2", "III.B.3.o")
async def test_that_the_report_was_made_is_on_record(audit: RunningAudit, supervisor: Officer) -> None:
    lease = await leased(audit, supervisor)

    await used(audit, supervisor, lease)
    entry = await last_entry(audit)

    assert (entry["kind"], entry["action"], entry["result"]) == ("outcome", "mcs_contract.use", "DONE")
    assert (entry["actor"], entry["resource"]) == (supervisor.account_id, lease)


@pytest.mark.clause("III.E.2")
async def test_the_report_is_written_as_a_table_with_the_agreement_it_is_held_against(
    audit: RunningAudit, supervisor: Officer, tls: DevelopmentAuthority, tmp_path: Path
) -> None:
    lease, today = await leased(audit, supervisor), datetime.now(UTC)
    file = tmp_path / "use.csv"
    period = ("--from", f"{today - timedelta(days=9):%Y-%m-%dT00:00Z}", "--until", f"{today:%Y-%m-%dT23:59Z}")

    code, _ = await command(
        audit, tls, supervisor.subject, "contract", "use", lease, *period, "--out", str(file)
    )

    rows = list(csv.reader(io.StringIO(file.read_text("utf-8"))))
    assert code == 0
    assert rows[0] == ["agreement with", "IDOT"]
    assert rows[1] == ["SHA-256 of the agreement", DOCUMENT.hex()]
    assert ["month", "questions", "refused", "disclosures"] in rows
