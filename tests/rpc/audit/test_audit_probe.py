"""Reports of probes: whose question it is, what is compared, and the event that says so."""

from __future__ import annotations

from typing import Any

import grpc
import pytest
import pytest_asyncio

from alpr.audit.v1 import authorization_service_pb2 as pb
from alpr.audit.v1 import probe_service_pb2 as probe_pb
from alpr.audit.v1.probe_service_pb2_grpc import ProbeServiceStub
from alpr.type.v1.error_reason_pb2 import ErrorReason
from tests.support.audit_kit import (
    COORDINATOR,
    ORI,
    OTHER_ORI,
    Officer,
    RunningAudit,
    archive_question,
    authorizations,
    last_entry,
    log_size,
    plate_request,
    refused,
    request_id,
)

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def officer(audit: RunningAudit) -> Officer:
    return await audit.person(pb.ROLE_USER)


async def asked(audit: RunningAudit, person: Officer, kind: str = "summary") -> str:
    """Log entry of a question of the person."""
    question = archive_question(kind=kind, arguments=[])
    if kind != "summary":
        question = archive_question()
    answer = await authorizations(audit).Authorize(plate_request(person.token(), question=question))
    return str(answer.authorization_id)


def report(entry_id: str, **changes: Any) -> probe_pb.ReportProbeRequest:
    usual = {"request_id": request_id(), "question_entry_id": entry_id, "seen_agency_oris": [ORI]}
    return probe_pb.ReportProbeRequest(**{**usual, "agency_oris_with_reads": [ORI], **changes})


async def send(audit: RunningAudit, request: probe_pb.ReportProbeRequest, person: Officer) -> Any:
    return await audit.people(ProbeServiceStub).ReportProbe(request, metadata=person.metadata)


@pytest.mark.clause("III.B.3.q", "III.B.3.f")
async def test_what_is_as_agreed_on_is_an_event_that_says_so(audit: RunningAudit, officer: Officer) -> None:
    entry_id = await asked(audit, officer)

    answer = await send(audit, report(entry_id), officer)

    entry = await last_entry(audit)
    assert list(answer.expected_agency_oris) == [ORI]
    assert not answer.differences
    assert (entry["kind"], entry["action"], entry["subject"]) == ("event", "probe.agrees", entry_id)
    assert (entry["actor"], entry["detail.seen"]) == (officer.account_id, ORI)


@pytest.mark.clause("III.B.3.q", "III.B.3.f")
async def test_more_or_less_than_agreed_on_is_an_event_that_names_it(
    audit: RunningAudit, officer: Officer
) -> None:
    request = report(await asked(audit, officer), seen_agency_oris=[OTHER_ORI])

    answer = await send(audit, request, officer)

    entry = await last_entry(audit)
    kinds = {one.agency_ori: one.kind for one in answer.differences}
    assert kinds == {
        ORI: probe_pb.ACCESS_DIFFERENCE_KIND_MISSING,
        OTHER_ORI: probe_pb.ACCESS_DIFFERENCE_KIND_UNEXPECTED,
    }
    assert entry["action"] == "probe.differs"
    assert entry["detail.differences"] == f"{ORI}/MISSING,{OTHER_ORI}/UNEXPECTED"


async def test_the_same_report_again_is_the_same_event_and_another_one_is_refused(
    audit: RunningAudit, officer: Officer
) -> None:
    request = report(await asked(audit, officer))
    first = await send(audit, request, officer)
    size = await log_size(audit)

    again = await send(audit, request, officer)
    request.seen_agency_oris.append(OTHER_ORI)
    error = await refused(send(audit, request, officer))

    assert again == first
    assert await log_size(audit) == size
    assert error.reason == ErrorReason.ERROR_REASON_REQUEST_ID_REUSED


async def test_another_s_question_and_another_kind_are_not_found(
    audit: RunningAudit, officer: Officer
) -> None:
    other = await audit.person(pb.ROLE_USER)
    for entry_id in (await asked(audit, other), await asked(audit, officer, "reads"), request_id()):
        error = await refused(send(audit, report(entry_id), officer))
        assert error.code is grpc.StatusCode.NOT_FOUND


async def test_who_may_not_ask_reports_nothing(audit: RunningAudit, officer: Officer) -> None:
    request = report(await asked(audit, officer))

    error = await refused(
        audit.people(ProbeServiceStub).ReportProbe(request, metadata=audit.bearer(COORDINATOR))
    )

    assert error.code is grpc.StatusCode.PERMISSION_DENIED


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"request_id": "1"}, "request_id"),
        ({"question_entry_id": "x"}, "question_entry_id"),
        ({"seen_agency_oris": ["no ori"]}, "seen_agency_oris[0]"),
        ({"seen_agency_oris": [ORI] * 1001}, "seen_agency_oris"),
        ({"agency_oris_with_reads": [ORI, "IL0000001,IL0000002"]}, "agency_oris_with_reads[1]"),
        ({"limited_agency_oris": [""]}, "limited_agency_oris[0]"),
    ],
)
async def test_a_report_that_is_none_is_sent_back(
    audit: RunningAudit, officer: Officer, changes: dict[str, Any], field: str
) -> None:
    error = await refused(send(audit, report(request_id(), **changes), officer))

    assert error.code is grpc.StatusCode.INVALID_ARGUMENT
    assert [violation.field for violation in error.violations] == [field]
