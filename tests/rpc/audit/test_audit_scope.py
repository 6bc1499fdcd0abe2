"""Access to data of other agencies, agreements that give reads, and groups that serve some offences only."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
import pytest
import pytest_asyncio

from alpr.audit.v1 import account_service_pb2 as account_pb
from alpr.audit.v1 import authorization_service_pb2 as pb
from alpr.audit.v1 import governance_service_pb2 as agency_pb
from alpr.audit.v1 import sensor_service_pb2 as sensor_service_pb
from alpr.audit.v1.account_service_pb2_grpc import AccountServiceStub
from alpr.audit.v1.governance_service_pb2_grpc import GovernanceServiceStub
from alpr.audit.v1.sensor_service_pb2_grpc import SensorServiceStub
from alpr.type.v1 import left_out_pb2, read_pb2, sensor_pb2
from services.common.wire import to_timestamp
from tests.support.audit_kit import (
    ADMINISTRATOR,
    COORDINATOR,
    ORI,
    OTHER_ORI,
    Officer,
    RunningAudit,
    authorizations,
    justification,
    last_entry,
    log_size,
    refused,
    request_id,
)

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.usefixtures("shared")]

DOCUMENT = hashlib.sha256(b"the vetting decision").digest()
NO_ACCESS = left_out_pb2.LEFT_OUT_REASON_NO_NON_AGENCY_ACCESS
PURPOSE = left_out_pb2.LEFT_OUT_REASON_PURPOSE_LIMIT


async def register(audit: RunningAudit, subject: str, ori: str, group: str, provenance: int) -> None:
    sensor = sensor_pb2.Sensor(
        sensor_id=f"{group}-{ori.lower()}",
        agency_ori=ori,
        sensor_group=group,
        deployment_type=sensor_pb2.DEPLOYMENT_TYPE_FIXED,
        place=read_pb2.Place(latitude=41.9, longitude=-87.6),
        provenance=sensor_pb2.Provenance.ValueType(provenance),
    )
    request = sensor_service_pb.RegisterSensorRequest(request_id=request_id(), sensor=sensor)
    await audit.people(SensorServiceStub).RegisterSensor(request, metadata=audit.bearer(subject))


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def partner(audit: RunningAudit) -> Officer:
    """The head of another agency."""
    return await audit.head_of(OTHER_ORI)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def shared(audit: RunningAudit, partner: Officer) -> str:
    """An agreement by which the other agency gives its reads to ours; both have sensors."""
    stub, now = audit.people(GovernanceServiceStub), datetime.now(UTC)
    agreement = agency_pb.Agreement(
        provider_ori=OTHER_ORI,
        recipient_ori=ORI,
        data_classes=[agency_pb.DATA_CLASS_READS],
        document_sha256=DOCUMENT,
        start_time=to_timestamp(now - timedelta(days=1)),
        end_time=to_timestamp(now + timedelta(days=300)),
    )
    proposal = agency_pb.ProposeAgreementRequest(request_id=request_id(), agreement=agreement)
    proposed = (await stub.ProposeAgreement(proposal, metadata=partner.metadata)).agreement
    accept = agency_pb.AcceptAgreementRequest(request_id=request_id(), agreement_id=proposed.agreement_id)
    await stub.AcceptAgreement(accept, metadata=audit.bearer(COORDINATOR))
    await register(audit, COORDINATOR, ORI, "north", sensor_pb2.PROVENANCE_OWN)
    await register(audit, COORDINATOR, ORI, "vendor", sensor_pb2.PROVENANCE_COMMERCIAL)
    await register(audit, partner.subject, OTHER_ORI, "south", sensor_pb2.PROVENANCE_PARTNER)
    return proposed.agreement_id


@pytest_asyncio.fixture
async def officer(audit: RunningAudit) -> AsyncIterator[Officer]:
    yield await audit.person(pb.ROLE_USER)


def decision(**changes: Any) -> account_pb.VettingDecision:
    usual = {
        "document_sha256": DOCUMENT,
        "reference": "memo 26-17, need to know: expressway shootings",
        "valid_until": to_timestamp(datetime.now(UTC) + timedelta(days=365)),
    }
    return account_pb.VettingDecision(**{**usual, **changes})


def granted(officer: Officer, **changes: Any) -> account_pb.GrantNonAgencyAccessRequest:
    return account_pb.GrantNonAgencyAccessRequest(
        request_id=request_id(), account_id=officer.account_id, decision=decision(**changes)
    )


async def vet(audit: RunningAudit, officer: Officer, by: str = COORDINATOR) -> account_pb.Account:
    stub = audit.people(AccountServiceStub)
    return (await stub.GrantNonAgencyAccess(granted(officer), metadata=audit.bearer(by))).account


async def ask(audit: RunningAudit, officer: Officer, **changes: Any) -> pb.AuthorizeResponse:
    """A question for the reads of a plate."""
    fields: dict[str, Any] = {"kind": "reads", "page_size": 10, **changes}
    code = fields.pop("offence_code", "HOMICIDE")
    arguments = [pb.QuestionArgument(name="plate", value="AB1234")]
    request = pb.AuthorizeRequest(
        request_id=request_id(),
        access_token=officer.token(),
        justification=justification(offence_code=code),
        question=pb.Question(archive=pb.ArchiveQuestion(arguments=arguments, **fields)),
    )
    answer: pb.AuthorizeResponse = await authorizations(audit).Authorize(request)
    return answer


def left_out(answer: pb.AuthorizeResponse) -> set[tuple[int, str, str]]:
    return {(one.reason, one.agency_ori, one.sensor_group) for one in answer.left_out}


@pytest.mark.clause("III.B.3.f", "II.F")
async def test_without_a_vetting_decision_a_person_sees_the_own_agencys_reads_only_and_is_told(
    audit: RunningAudit, officer: Officer
) -> None:
    answer = await ask(audit, officer)

    assert (list(answer.agency_oris), list(answer.sensor_groups)) == ([ORI], ["north"])
    assert left_out(answer) == {(NO_ACCESS, ORI, "vendor"), (NO_ACCESS, OTHER_ORI, "")}
    fields = answer.permit.split("|")
    assert (fields[5], fields[6]) == (ORI, "north")


@pytest.mark.clause("III.B.3.f", "III.B.1", "II.F")
async def test_a_vetting_decision_opens_what_others_share_and_is_on_record_with_who_when_and_document(
    audit: RunningAudit, officer: Officer
) -> None:
    account = await vet(audit, officer)
    entry = await last_entry(audit)

    answer = await ask(audit, officer)

    assert list(answer.agency_oris) == [ORI, OTHER_ORI]
    assert not answer.sensor_groups
    assert not answer.left_out
    held = account.non_agency_access
    assert (held.document_sha256, held.reference) == (DOCUMENT, decision().reference)
    assert held.HasField("decide_time")
    assert held.decided_by
    assert (entry["action"], entry["resource"]) == ("account.vet", officer.account_id)
    assert entry["actor"] == held.decided_by
    assert (await last_entry(audit))["agency"] == f"{ORI},{OTHER_ORI}"


@pytest.mark.clause("III.B.3.f")
async def test_a_vetted_person_may_ask_for_the_own_agencys_reads_only(
    audit: RunningAudit, officer: Officer
) -> None:
    await vet(audit, officer)

    answer = await ask(audit, officer, own_agency_only=True)

    assert (list(answer.agency_oris), list(answer.sensor_groups)) == ([ORI], ["north"])
    assert not answer.left_out


@pytest.mark.clause("III.B.3.f")
async def test_the_grant_ends_with_its_decision_or_when_it_is_taken_back(
    audit: RunningAudit, officer: Officer
) -> None:
    stub, head = audit.people(AccountServiceStub), audit.bearer(COORDINATOR)
    soon = to_timestamp(datetime.now(UTC) + timedelta(seconds=1))
    await stub.GrantNonAgencyAccess(granted(officer, valid_until=soon), metadata=head)
    while datetime.now(UTC) <= soon.ToDatetime(UTC):  # noqa: ASYNC110 -- it is the clock that is waited for
        await asyncio.sleep(0.05)
    assert list((await ask(audit, officer)).agency_oris) == [ORI]

    await vet(audit, officer)
    assert list((await ask(audit, officer)).agency_oris) == [ORI, OTHER_ORI]
    revoke = account_pb.RevokeNonAgencyAccessRequest(
        request_id=request_id(), account_id=officer.account_id, reason="moved to another unit"
    )
    account = (await stub.RevokeNonAgencyAccess(revoke, metadata=head)).account

    assert not account.HasField("non_agency_access")
    assert list((await ask(audit, officer)).agency_oris) == [ORI]


@pytest.mark.clause("III.B.3.f", "III.B.3.g")
async def test_nobody_vets_himself_and_nobody_but_the_statewide_coordinator_vets(
    audit: RunningAudit, officer: Officer
) -> None:
    head = await audit.person(pb.ROLE_STATEWIDE_COORDINATOR, unit="HQ")
    unit_head = await audit.person(pb.ROLE_WORK_UNIT_COORDINATOR)
    stub = audit.people(AccountServiceStub)

    async def clauses(of: Officer, by: str) -> str:
        error = await refused(stub.GrantNonAgencyAccess(granted(of), metadata=audit.bearer(by)))
        assert error.code is grpc.StatusCode.PERMISSION_DENIED
        return error.metadata["clauses"]

    assert await clauses(head, head.subject) == "III.B.3.g"
    assert await clauses(officer, unit_head.subject) == "III.B.3.l"
    assert await clauses(officer, officer.subject) == "III.B.3.g"
    assert "III.B.3.g" in await clauses(officer, ADMINISTRATOR)
    assert list((await ask(audit, officer)).agency_oris) == [ORI]


@pytest.mark.clause("III.B.3.f")
async def test_the_head_of_another_agency_vets_no_people_of_ours(
    audit: RunningAudit, officer: Officer, partner: Officer
) -> None:
    call = audit.people(AccountServiceStub).GrantNonAgencyAccess(granted(officer), metadata=partner.metadata)

    assert "III.B.3.f" in (await refused(call)).metadata["clauses"]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"document_sha256": b"short"}, "decision.document_sha256"),
        ({"reference": ""}, "decision.reference"),
        ({"reference": "x" * 501}, "decision.reference"),
        ({"valid_until": to_timestamp(datetime(2020, 1, 1, tzinfo=UTC))}, "decision.valid_until"),
        ({"decided_by": "somebody"}, "decision"),
    ],
)
async def test_an_incomplete_decision_is_sent_back_by_field(
    audit: RunningAudit, officer: Officer, changes: dict[str, Any], field: str
) -> None:
    call = audit.people(AccountServiceStub).GrantNonAgencyAccess(
        granted(officer, **changes), metadata=audit.bearer(COORDINATOR)
    )

    assert field in {one.field for one in (await refused(call)).violations}


async def test_a_grant_that_is_sent_again_is_made_once(audit: RunningAudit, officer: Officer) -> None:
    request, head = granted(officer), audit.bearer(COORDINATOR)
    stub = audit.people(AccountServiceStub)
    first = await stub.GrantNonAgencyAccess(request, metadata=head)
    size = await log_size(audit)

    again = await stub.GrantNonAgencyAccess(request, metadata=head)

    assert again == first
    assert await log_size(audit) == size


async def set_limit(audit: RunningAudit, group: str, *codes: str, by: str = COORDINATOR) -> Any:
    limit = agency_pb.GroupLimit(agency_ori=ORI, sensor_group=group, offence_codes=codes)
    request = agency_pb.SetGroupLimitRequest(request_id=request_id(), limit=limit, reason="agreed with it")
    return await audit.people(GovernanceServiceStub).SetGroupLimit(request, metadata=audit.bearer(by))


@pytest.mark.clause("IV.A.1")
async def test_a_group_that_serves_some_offences_only_is_left_out_of_questions_about_others_and_said(
    audit: RunningAudit, officer: Officer
) -> None:
    await vet(audit, officer)
    await set_limit(audit, "north", "AMBER_ALERT", "ARSON")
    stub = audit.people(GovernanceServiceStub)
    limits = (
        await stub.ListGroupLimits(agency_pb.ListGroupLimitsRequest(), metadata=officer.metadata)
    ).limits
    try:
        other, allowed = await ask(audit, officer), await ask(audit, officer, offence_code="ARSON")
    finally:
        await set_limit(audit, "north")

    assert [(one.sensor_group, list(one.offence_codes)) for one in limits] == [
        ("north", ["AMBER_ALERT", "ARSON"])
    ]
    assert list(other.sensor_groups) == ["south", "vendor"]
    assert left_out(other) == {(PURPOSE, ORI, "north")}
    assert not allowed.sensor_groups
    assert not (await ask(audit, officer)).left_out


async def test_a_limit_is_the_heads_to_set_for_groups_and_codes_that_there_are(
    audit: RunningAudit, officer: Officer, partner: Officer
) -> None:
    denied = await refused(set_limit(audit, "north", "ARSON", by=officer.subject))
    foreign = await refused(set_limit(audit, "north", "ARSON", by=partner.subject))
    unknown_code = await refused(set_limit(audit, "north", "JAYWALKING"))
    unknown_group = await refused(set_limit(audit, "west", "ARSON"))

    assert denied.metadata["clauses"] == "III.B.3.l"
    assert "III.B.3.f" in foreign.metadata["clauses"]
    assert [one.field for one in unknown_code.violations] == ["limit.offence_codes"]
    assert unknown_group.code is grpc.StatusCode.NOT_FOUND


@pytest.mark.clause("III.B.1")
async def test_what_an_agreement_gave_ends_with_the_agreement(
    audit: RunningAudit, officer: Officer, shared: str
) -> None:
    await vet(audit, officer)
    assert list((await ask(audit, officer)).agency_oris) == [ORI, OTHER_ORI]

    end = agency_pb.EndAgreementRequest(request_id=request_id(), agreement_id=shared, reason="over")
    await audit.people(GovernanceServiceStub).EndAgreement(end, metadata=audit.bearer(COORDINATOR))

    assert list((await ask(audit, officer)).agency_oris) == [ORI]
