"""Misuse is flagged from the log, opens a review, and is closed by two other people (III.C.2.d, IV.A.2)."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from alpr.audit.v1 import account_service_pb2 as account_pb
from alpr.audit.v1 import authorization_service_pb2 as audit_pb
from alpr.audit.v1 import review_service_pb2 as pb
from alpr.audit.v1.account_service_pb2_grpc import AccountServiceStub
from alpr.audit.v1.review_service_pb2_grpc import ReviewServiceStub
from alpr.type.v1.error_reason_pb2 import ErrorReason
from tests.support.audit_kit import (
    COORDINATOR,
    Officer,
    RunningAudit,
    archive_question,
    authorizations,
    justification,
    plate_request,
    refused,
    request_id,
)
from tests.support.databases import fetch

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def asks(audit: RunningAudit, who: Officer, plate: str, case: str) -> None:
    arguments = [audit_pb.QuestionArgument(name="plate", value=plate)]
    request = plate_request(
        who.token(),
        question=archive_question(arguments=arguments),
        justification=justification(case_number=case),
    )
    await authorizations(audit).Authorize(request)


async def reviews(audit: RunningAudit, by: Any, **fields: Any) -> list[pb.Review]:
    request = pb.ListReviewsRequest(page_size=200, **fields)
    return list((await audit.people(ReviewServiceStub).ListReviews(request, metadata=by)).reviews)


async def review_of(audit: RunningAudit, who: Officer) -> pb.Review:
    """The newest review of the person, once there is one."""
    async with asyncio.timeout(20):
        while True:
            found = await reviews(audit, audit.bearer(COORDINATOR))
            if mine := [one for one in found if one.account_id == who.account_id]:
                return mine[0]
            await asyncio.sleep(0.1)


async def opened(audit: RunningAudit, who: Officer, by: Any = None) -> pb.Review:
    request = pb.OpenReviewRequest(
        request_id=request_id(), account_id=who.account_id, reason="a complaint by telephone"
    )
    stub = audit.people(ReviewServiceStub)
    answer = await stub.OpenReview(request, metadata=by or audit.bearer(COORDINATOR))
    made: pb.Review = answer.review
    return made


def take(audit: RunningAudit, review: pb.Review, by: Any) -> Any:
    request = pb.TakeReviewRequest(request_id=request_id(), review_id=review.review_id)
    return audit.people(ReviewServiceStub).TakeReview(request, metadata=by)


def close(audit: RunningAudit, review: pb.Review, by: Any, **fields: Any) -> Any:
    usual = {"finding": pb.REVIEW_FINDING_EXPLAINED, "explanation": "a list of the task force"}
    request = pb.CloseReviewRequest(
        request_id=request_id(), review_id=review.review_id, **{**usual, **fields}
    )
    return audit.people(ReviewServiceStub).CloseReview(request, metadata=by)


def sign(audit: RunningAudit, review: pb.Review, by: Any) -> Any:
    request = pb.SignReviewRequest(request_id=request_id(), review_id=review.review_id)
    return audit.people(ReviewServiceStub).SignReview(request, metadata=by)


async def own(audit: RunningAudit, who: Officer) -> list[pb.OwnReview]:
    answer = await audit.people(ReviewServiceStub).ListOwnReviews(
        pb.ListOwnReviewsRequest(), metadata=who.metadata
    )
    return list(answer.reviews)


@pytest.mark.clause("III.C.2.d", "III.B.3.o", "IV.A.2")
async def test_many_plates_in_a_day_raise_one_flag_which_opens_a_review_and_is_an_event_of_the_log(
    audit: RunningAudit,
) -> None:
    officer = await audit.person(audit_pb.ROLE_USER)
    for number in range(35):
        await asks(audit, officer, f"SP{number:05d}", "2026-900100")

    review = await review_of(audit, officer)
    events = await fetch(
        audit.database.admin_url,
        "SELECT count(*) AS n FROM audit.log_field AS a JOIN audit.log_field AS w USING (log_index)"
        " WHERE a.name = 'action' AND a.value = 'misuse.flagged'"
        " AND w.name = 'detail.account' AND w.value = $1",
        officer.account_id,
    )

    assert [one.rule for one in review.flags] == [pb.MISUSE_RULE_SPIKE]
    assert "plates=30" in review.flags[0].evidence
    assert len(review.flags[0].log_indexes) == 30
    assert not review.reviewer_account_id
    assert events[0]["n"] == 1


@pytest.mark.clause("IV.A.2")
async def test_who_tries_again_and_again_after_a_suspension_is_flagged(audit: RunningAudit) -> None:
    officer = await audit.person(audit_pb.ROLE_USER)
    suspend = account_pb.SuspendAccountRequest(
        request_id=request_id(), account_id=officer.account_id, reason="left the agency"
    )
    await audit.people(AccountServiceStub).SuspendAccount(suspend, metadata=audit.bearer(COORDINATOR))
    for number in range(3):
        await refused(asks(audit, officer, f"LV{number:05d}", f"2026-90020{number}"))

    review = await review_of(audit, officer)

    assert [one.rule for one in review.flags] == [pb.MISUSE_RULE_LEAVER]


@pytest.mark.clause("III.C.2.d", "IV.A.2")
async def test_a_finding_counts_when_another_person_has_signed_it_and_the_subject_sees_that(
    audit: RunningAudit,
) -> None:
    officer = await audit.person(audit_pb.ROLE_USER)
    unit, auditor = (
        await audit.person(audit_pb.ROLE_WORK_UNIT_COORDINATOR),
        await audit.person(audit_pb.ROLE_AUDITOR),
    )
    review = await opened(audit, officer)

    await take(audit, review, unit.metadata)
    before = await own(audit, officer)
    concluded = (
        await close(
            audit,
            review,
            unit.metadata,
            finding=pb.REVIEW_FINDING_MISUSE,
            explanation="followed a former partner",
            sanction_reference="IA 2026-17",
        )
    ).review
    by_himself = await refused(sign(audit, review, unit.metadata))
    closed = (await sign(audit, review, auditor.metadata)).review
    seen = await own(audit, officer)

    assert not before
    assert not concluded.HasField("close_time")
    assert by_himself.reason == ErrorReason.ERROR_REASON_WRONG_STATE
    assert (closed.reviewer_account_id, closed.signer_account_id) == (unit.account_id, auditor.account_id)
    assert closed.sanction_reference == "IA 2026-17"
    assert [(one.review_id, one.finding) for one in seen] == [(review.review_id, pb.REVIEW_FINDING_MISUSE)]


@pytest.mark.clause("IV.A.2", "III.C.2.a")
async def test_nobody_reviews_himself_nor_another_unit(audit: RunningAudit) -> None:
    subject = await audit.person(audit_pb.ROLE_WORK_UNIT_COORDINATOR)
    stranger = await audit.person(audit_pb.ROLE_WORK_UNIT_COORDINATOR, unit="D2")
    user = await audit.person(audit_pb.ROLE_USER)
    review = await opened(audit, subject)

    himself = await refused(take(audit, review, subject.metadata))
    elsewhere = await refused(take(audit, review, stranger.metadata))
    by_user = await refused(take(audit, review, user.metadata))
    listed = [*await reviews(audit, stranger.metadata), *await reviews(audit, subject.metadata)]

    assert himself.metadata["clauses"] == "IV.A.2/self"
    assert elsewhere.metadata["clauses"] == "III.C.2.a"
    assert by_user.reason == ErrorReason.ERROR_REASON_NOT_PERMITTED
    assert review.review_id not in {one.review_id for one in listed}


async def test_a_review_is_taken_once_and_concluded_by_who_took_it(audit: RunningAudit) -> None:
    officer = await audit.person(audit_pb.ROLE_USER)
    one, other = await audit.person(audit_pb.ROLE_AUDITOR), await audit.person(audit_pb.ROLE_AUDITOR)
    review = await opened(audit, officer)
    again = await opened(audit, officer)

    too_early = await refused(sign(audit, review, other.metadata))
    await take(audit, review, one.metadata)
    taken = await refused(take(audit, review, other.metadata))
    not_his = await refused(close(audit, review, other.metadata))
    unsaid = await refused(close(audit, review, one.metadata, finding=pb.REVIEW_FINDING_MISUSE))
    needless = await refused(close(audit, review, one.metadata, sanction_reference="IA 2026-18"))

    assert again.review_id == review.review_id
    assert {error.reason for error in (too_early, taken, not_his)} == {ErrorReason.ERROR_REASON_WRONG_STATE}
    assert [error.violations[0].field for error in (unsaid, needless)] == ["sanction_reference"] * 2
