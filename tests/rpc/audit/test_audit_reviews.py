"""Misuse is flagged from the log, opens a review, and is closed by two other people (III.C.2.d, IV.A.2)."""

from __future__ import annotations

import asyncio
import os
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from alpr.audit.v1 import account_service_pb2 as account_pb
from alpr.audit.v1 import authorization_service_pb2 as audit_pb
from alpr.audit.v1 import review_service_pb2 as pb
from alpr.audit.v1 import settings_service_pb2 as settings_pb
from alpr.audit.v1.account_service_pb2_grpc import AccountServiceStub
from alpr.audit.v1.review_service_pb2_grpc import ReviewServiceStub
from alpr.audit.v1.settings_service_pb2_grpc import SettingsServiceStub
from alpr.type.v1.error_reason_pb2 import ErrorReason
from services.audit.app_log import Log
from services.audit.app_reviews import ReviewsDue
from services.audit.config import read_signer
from services.audit.store_log import LogStore
from services.audit.store_reviews import ReviewStore
from services.common.clock import SystemClock
from services.common.pg import open_pool
from services.dev.pki import DevelopmentAuthority
from tests.support.audit_kit import (
    ADMINISTRATOR,
    COORDINATOR,
    Officer,
    RunningAudit,
    archive_question,
    authorizations,
    justification,
    plate_request,
    refused,
    request_id,
    running_audit,
)
from tests.support.databases import fetch
from tests.support.serving import patient

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def asks(audit: RunningAudit, who: Officer, plate: str, case: str) -> None:
    arguments = [audit_pb.QuestionArgument(name="plate", value=plate)]
    request = plate_request(
        who.token(),
        question=archive_question(arguments=arguments),
        justification=justification(case_number=case),
    )
    await patient(lambda: authorizations(audit).Authorize(request))


async def reviews(audit: RunningAudit, by: Any, **fields: Any) -> list[pb.Review]:
    request = pb.ListReviewsRequest(page_size=200, **fields)
    stub = audit.people(ReviewServiceStub)
    return list((await patient(lambda: stub.ListReviews(request, metadata=by))).reviews)


async def review_of(audit: RunningAudit, who: Officer) -> pb.Review:
    """The newest review of the person, once there is one."""
    async with asyncio.timeout(60):
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


async def aged(audit: RunningAudit, review: pb.Review, days: int) -> None:
    """Opens the review so many days earlier; only a superuser can do that."""
    await fetch(
        audit.database.admin_url,
        "UPDATE audit.review SET open_time = open_time - make_interval(days => $2)"
        " WHERE review_id = $1::uuid",
        review.review_id,
        days,
    )


async def another_replica_looks(audit: RunningAudit) -> None:
    pool = await open_pool(audit.settings.database_url.get_secret_value(), application_name="test")
    signer = read_signer(audit.settings.log_origin, audit.settings.log_signing_key_file)
    journal = Log(LogStore(pool), signer, SystemClock())
    try:
        await journal.open()
        due = ReviewsDue(journal, ReviewStore(pool), SystemClock(), lambda: timedelta(days=14))
        await due.look()
    finally:
        await journal.close()
        await pool.close()


async def events_of(audit: RunningAudit, review: pb.Review) -> list[dict[str, str]]:
    """The entries of the log that say of this review that it is overdue."""
    rows = await fetch(
        audit.database.admin_url,
        "SELECT log_index, said.name, said.value FROM audit.log_field AS said"
        " JOIN audit.log_field AS act USING (log_index) JOIN audit.log_field AS what USING (log_index)"
        " WHERE act.name = 'action' AND act.value = 'review.overdue'"
        " AND what.name = 'resource' AND what.value = $1",
        review.review_id,
    )
    found: dict[int, dict[str, str]] = {}
    for row in rows:
        found.setdefault(row["log_index"], {})[row["name"]] = row["value"]
    return list(found.values())


async def lets_it_take(audit: RunningAudit, days: int, before: int) -> None:
    request = settings_pb.SetSettingRequest(
        request_id=request_id(),
        name="misuse_review_days",
        value=days,
        value_before=before,
        reason="order of the coordinator",
    )
    await audit.people(SettingsServiceStub).SetSetting(request, metadata=audit.bearer(ADMINISTRATOR))


async def state_as_listed(audit: RunningAudit, tls: DevelopmentAuthority, review: pb.Review) -> str:
    """The line of `platewarden review list` about this review, as the statewide coordinator sees it."""
    process = await asyncio.create_subprocess_exec(
        str(Path(sys.executable).with_name("platewarden")),
        *("review", "list", "--open"),
        env={
            **os.environ,
            "PW_AUDIT_TARGET": audit.user_target,
            "PW_CA_FILE": str(tls.ca_file),
            "PW_TOKEN": audit.token(COORDINATOR),
            "COLUMNS": "300",
        },
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await process.communicate()
    return next(line for line in output.decode().splitlines() if review.review_id in line)


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


@pytest.mark.clause("III.C.2.d")
async def test_a_review_in_which_nothing_is_found_in_time_is_overdue_and_an_event_once_whoever_looks(
    audit: RunningAudit,
) -> None:
    auditor = await audit.person(audit_pb.ROLE_AUDITOR)
    untaken, taken, found, recent = [
        await opened(audit, await audit.person(audit_pb.ROLE_USER)) for _ in range(4)
    ]
    for one, days in ((untaken, 15), (taken, 15), (found, 15), (recent, 13)):
        await aged(audit, one, days)
    for one in (taken, found):
        assert (await take(audit, one, auditor.metadata)).review.overdue
    concluded = (await close(audit, found, auditor.metadata)).review

    await asyncio.gather(*(another_replica_looks(audit) for _ in range(3)))
    await another_replica_looks(audit)
    listed = {one.review_id: one.overdue for one in await reviews(audit, auditor.metadata)}
    events = [await events_of(audit, one) for one in (untaken, taken, found, recent)]

    assert [listed[one.review_id] for one in (untaken, taken, found, recent)] == [True, True, False, False]
    assert not concluded.overdue
    assert [len(each) for each in events] == [1, 1, 0, 0]
    assert (events[0][0]["kind"], events[0][0]["clauses"]) == ("event", "III.C.2.d")
    assert datetime.fromisoformat(events[0][0]["detail.open_time"]) < datetime.now(UTC) - timedelta(days=14)
    assert [each[0].get("detail.reviewer") for each in events[:2]] == [None, auditor.account_id]


@pytest.mark.clause("III.C.2.d", "IV.E.1.b")
async def test_how_long_a_review_may_take_is_a_setting_that_list_and_log_go_by(
    audit: RunningAudit, tls: DevelopmentAuthority
) -> None:
    review = await opened(audit, await audit.person(audit_pb.ROLE_USER))
    await aged(audit, review, 10)

    usual = await state_as_listed(audit, tls, review)
    await lets_it_take(audit, 9, 14)
    try:
        shorter = await state_as_listed(audit, tls, review)
        # One that starts looks at once.
        async with (
            running_audit(audit.settings, audit.database, audit.tls, audit.issuer),
            asyncio.timeout(60),
        ):
            while True:
                if events := await events_of(audit, review):
                    break
                await asyncio.sleep(0.1)
    finally:
        await lets_it_take(audit, 14, 9)

    assert "overdue" not in usual
    assert "open, overdue" in shorter
    assert len(events) == 1
