"""Agreements between agencies, as their coordinators make them and services follow them."""

from __future__ import annotations

import asyncio
import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import grpc
import pytest
import pytest_asyncio

from alpr.audit.v1 import authorization_service_pb2 as pb
from alpr.audit.v1 import governance_service_pb2 as agency_pb
from alpr.audit.v1.governance_service_pb2_grpc import GovernanceServiceStub
from alpr.type.v1.error_reason_pb2 import ErrorReason
from services.audit.wire import page_token
from services.common.wire import to_timestamp
from tests.support.audit_kit import (
    COORDINATOR,
    ORI,
    OTHER_ORI,
    RunningAudit,
    last_entry,
    log_size,
    refused,
    request_id,
)

THIRD_ORI = "IL0000003"
NOW = datetime.now(UTC)
DOCUMENT = hashlib.sha256(b"the signed declaration").digest()

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.usefixtures("partners")]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def partners(audit: RunningAudit) -> dict[str, str]:
    """Subjects of the statewide coordinators of the agencies besides the founding one."""
    return {ori: (await audit.head_of(ori)).subject for ori in (OTHER_ORI, THIRD_ORI)}


def governance(audit: RunningAudit) -> Any:
    return audit.people(GovernanceServiceStub)


def proposal(**changes: Any) -> agency_pb.ProposeAgreementRequest:
    usual = {
        "provider_ori": ORI,
        "recipient_ori": OTHER_ORI,
        "data_classes": [agency_pb.DATA_CLASS_HOT_LIST_HITS],
        "document_sha256": DOCUMENT,
        "start_time": to_timestamp(NOW),
        "end_time": to_timestamp(NOW + timedelta(days=365)),
    }
    agreement = agency_pb.Agreement(**{**usual, **changes})
    return agency_pb.ProposeAgreementRequest(request_id=request_id(), agreement=agreement)


async def proposed(audit: RunningAudit, **changes: Any) -> agency_pb.Agreement:
    answer = await governance(audit).ProposeAgreement(proposal(**changes), metadata=audit.bearer(COORDINATOR))
    return answer.agreement


def accept(agreement_id: str) -> agency_pb.AcceptAgreementRequest:
    return agency_pb.AcceptAgreementRequest(request_id=request_id(), agreement_id=agreement_id)


def end(agreement_id: str) -> agency_pb.EndAgreementRequest:
    return agency_pb.EndAgreementRequest(
        request_id=request_id(), agreement_id=agreement_id, reason="the detail is over"
    )


@pytest.mark.clause("III.B.1")
async def test_what_one_party_proposes_the_other_accepts_and_each_step_is_on_record(
    audit: RunningAudit, partners: dict[str, str]
) -> None:
    request, mine = proposal(), audit.bearer(COORDINATOR)

    first = (await governance(audit).ProposeAgreement(request, metadata=mine)).agreement
    again = (await governance(audit).ProposeAgreement(request, metadata=mine)).agreement
    theirs = audit.bearer(partners[OTHER_ORI])
    accepted = (
        await governance(audit).AcceptAgreement(accept(first.agreement_id), metadata=theirs)
    ).agreement

    assert first == again
    assert (first.state, first.proposed_by_ori) == (agency_pb.AGREEMENT_STATE_PROPOSED, ORI)
    assert accepted.state == agency_pb.AGREEMENT_STATE_ACCEPTED
    entry = await last_entry(audit)
    assert (entry["action"], entry["resource"], entry["actor_agency"], entry["result"]) == (
        "agreement.accept",
        first.agreement_id,
        OTHER_ORI,
        "DONE",
    )


@pytest.mark.clause("III.B.1", "III.B.3.f")
async def test_nobody_accepts_what_the_own_agency_proposed(audit: RunningAudit) -> None:
    made = await proposed(audit)

    error = await refused(
        governance(audit).AcceptAgreement(accept(made.agreement_id), metadata=audit.bearer(COORDINATOR))
    )

    assert error.metadata["clauses"] == "III.B.3.f"
    assert (await last_entry(audit))["decision"] == "refused"


@pytest.mark.clause("III.B.3.f")
async def test_who_is_no_party_neither_makes_nor_accepts_nor_ends_nor_sees_an_agreement(
    audit: RunningAudit, partners: dict[str, str]
) -> None:
    made, stranger = await proposed(audit), audit.bearer(partners[THIRD_ORI])

    for call in (
        governance(audit).ProposeAgreement(proposal(), metadata=stranger),
        governance(audit).AcceptAgreement(accept(made.agreement_id), metadata=stranger),
        governance(audit).EndAgreement(end(made.agreement_id), metadata=stranger),
    ):
        assert (await refused(call)).metadata["clauses"] == "III.B.3.f"

    listed = await governance(audit).ListAgreements(agency_pb.ListAgreementsRequest(), metadata=stranger)
    assert not listed.agreements


@pytest.mark.clause("III.B.1", "III.B.3.l")
async def test_only_the_head_of_an_agency_shares(audit: RunningAudit) -> None:
    manager = await audit.person(pb.ROLE_HOT_LIST_MANAGER, pb.ROLE_WORK_UNIT_COORDINATOR)

    error = await refused(governance(audit).ProposeAgreement(proposal(), metadata=manager.metadata))

    assert error.metadata["clauses"] == "III.B.3.l"


@pytest.mark.clause("III.B.1")
async def test_either_party_ends_an_agreement_and_it_does_not_come_back(
    audit: RunningAudit, partners: dict[str, str]
) -> None:
    theirs, mine = audit.bearer(partners[OTHER_ORI]), audit.bearer(COORDINATOR)
    by_provider, by_recipient = await proposed(audit), await proposed(audit)
    await governance(audit).AcceptAgreement(accept(by_provider.agreement_id), metadata=theirs)

    request = end(by_provider.agreement_id)
    first = (await governance(audit).EndAgreement(request, metadata=mine)).agreement
    again = (await governance(audit).EndAgreement(request, metadata=mine)).agreement
    second = (await governance(audit).EndAgreement(end(by_recipient.agreement_id), metadata=theirs)).agreement

    assert first == again
    assert {first.state, second.state} == {agency_pb.AGREEMENT_STATE_ENDED}
    for call in (
        governance(audit).AcceptAgreement(accept(by_provider.agreement_id), metadata=theirs),
        governance(audit).EndAgreement(end(by_provider.agreement_id), metadata=mine),
    ):
        error = await refused(call)
        assert (error.reason, error.metadata["state"]) == (ErrorReason.ERROR_REASON_WRONG_STATE, "ENDED")


@pytest.mark.clause("III.B.1")
@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"recipient_ori": ORI}, "agreement.recipient_ori"),
        ({"recipient_ori": "nowhere"}, "agreement.recipient_ori"),
        ({"data_classes": []}, "agreement.data_classes"),
        ({"data_classes": [99]}, "agreement.data_classes"),
        ({"data_classes": [1, 1]}, "agreement.data_classes"),
        ({"document_sha256": b""}, "agreement.document_sha256"),
        ({"end_time": to_timestamp(NOW)}, "agreement.end_time"),
        ({"end_time": to_timestamp(NOW + timedelta(days=6 * 365))}, "agreement.end_time"),
        ({"start_time": None}, "agreement.start_time"),
        ({"state": 2}, "agreement"),
    ],
)
async def test_an_agreement_without_parties_scope_period_or_document_is_none(
    audit: RunningAudit, changes: dict[str, Any], field: str
) -> None:
    size = await log_size(audit)

    error = await refused(
        governance(audit).ProposeAgreement(proposal(**changes), metadata=audit.bearer(COORDINATOR))
    )

    assert field in {violation.field for violation in error.violations}
    assert await log_size(audit) == size


async def test_an_agreement_with_an_agency_that_nobody_registered_is_refused(audit: RunningAudit) -> None:
    request = proposal(recipient_ori="MO0000001")

    error = await refused(governance(audit).ProposeAgreement(request, metadata=audit.bearer(COORDINATOR)))

    assert error.code is grpc.StatusCode.NOT_FOUND
    assert (await last_entry(audit))["result"] == "FAILED"


async def test_an_agreement_that_does_not_exist_is_not_found(audit: RunningAudit) -> None:
    metadata = audit.bearer(COORDINATOR)

    for call in (
        governance(audit).AcceptAgreement(accept(str(uuid4())), metadata=metadata),
        governance(audit).EndAgreement(end(str(uuid4())), metadata=metadata),
    ):
        assert (await refused(call)).code is grpc.StatusCode.NOT_FOUND


async def test_agreements_are_listed_page_by_page_to_both_parties(
    audit: RunningAudit, partners: dict[str, str]
) -> None:
    made = {(await proposed(audit)).agreement_id for _ in range(3)}

    for metadata in (audit.bearer(COORDINATOR), audit.bearer(partners[OTHER_ORI])):
        seen: list[str] = []
        request = agency_pb.ListAgreementsRequest(page_size=2)
        while True:
            page = await governance(audit).ListAgreements(request, metadata=metadata)
            seen += [one.agreement_id for one in page.agreements]
            if not page.next_page_token:
                break
            request.page_token = page.next_page_token
        assert made <= set(seen)
        assert len(set(seen)) == len(seen)

    foreign = agency_pb.ListAgreementsRequest(page_token=page_token("no id"))
    error = await refused(governance(audit).ListAgreements(foreign, metadata=audit.bearer(COORDINATOR)))
    assert error.reason == ErrorReason.ERROR_REASON_INVALID_FIELD


@pytest.mark.clause("III.B.1")
async def test_a_service_hears_all_agreements_and_then_every_change(
    audit: RunningAudit, partners: dict[str, str]
) -> None:
    before = await proposed(audit)
    stub = audit.service(GovernanceServiceStub, "matcher")
    call: Any = stub.WatchAgreements(agency_pb.WatchAgreementsRequest())

    async with asyncio.timeout(20):
        snapshot = await call.read()
        await governance(audit).AcceptAgreement(
            accept(before.agreement_id), metadata=audit.bearer(partners[OTHER_ORI])
        )
        while not (change := await call.read()).agreements:
            pass
    call.cancel()

    assert snapshot.snapshot
    assert before in snapshot.agreements
    assert [(one.agreement_id, one.state) for one in change.agreements] == [
        (before.agreement_id, agency_pb.AGREEMENT_STATE_ACCEPTED)
    ]
    assert change.revision == snapshot.revision + 1


async def test_nobody_but_a_service_follows_agreements(audit: RunningAudit) -> None:
    call: Any = governance(audit).WatchAgreements(
        agency_pb.WatchAgreementsRequest(), metadata=audit.bearer(COORDINATOR)
    )

    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call.read()

    assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED
