"""Questions to the Motor Carrier Safety data set: their own roles, training and permit key."""

from __future__ import annotations

import hmac

import pytest

from alpr.audit.v1 import account_service_pb2 as account_pb
from alpr.audit.v1 import authorization_service_pb2 as pb
from tests.support.audit_kit import (
    ALL_CERTIFICATIONS,
    ORI,
    Officer,
    RunningAudit,
    authorizations,
    justification,
    last_entry,
    refused,
    request_id,
)
from tests.support.databases import MCS_PERMIT_KEY, PERMIT_KEY

GENERAL, APART = ("reads", "read", "stakeout", "pattern", "export"), ("mcsreads", "mcsimage")


def request(officer: Officer, kind: str, **changes: object) -> pb.AuthorizeRequest:
    """A question of that kind, complete but for `changes`."""
    arguments = [pb.QuestionArgument(name="plate", value="TRK4711")]
    question = pb.ArchiveQuestion(kind=kind, arguments=arguments, page_size=1)
    usual = {
        "request_id": request_id(),
        "access_token": officer.token(),
        "justification": justification(),
        "question": pb.Question(archive=question),
    }
    return pb.AuthorizeRequest(**{**usual, **changes})  # type: ignore[arg-type]


@pytest.mark.clause("II.H", "III.E.5")
@pytest.mark.parametrize("role", [pb.ROLE_CVEO, pb.ROLE_CVEO_SUPERVISOR])
async def test_officers_of_motor_carrier_safety_ask_their_data_set_and_nothing_else(
    audit: RunningAudit, role: pb.Role.ValueType
) -> None:
    officer = await audit.person(role)

    for kind in APART:
        answer = await authorizations(audit).Authorize(request(officer, kind))
        assert list(answer.agency_oris) == [ORI]
        assert (await last_entry(audit))["clauses"] == "II.H/cveo"
    for kind in GENERAL:
        error = await refused(authorizations(audit).Authorize(request(officer, kind)))
        assert error.metadata["clauses"] == "III.B.3.l"


@pytest.mark.clause("II.H", "III.E.5")
async def test_no_other_role_asks_the_motor_carrier_safety_data_set(audit: RunningAudit) -> None:
    officer = await audit.person(
        pb.ROLE_USER, pb.ROLE_TELECOM_CENTER, pb.ROLE_AUDITOR, pb.ROLE_HOT_LIST_MANAGER
    )

    for kind in APART:
        error = await refused(authorizations(audit).Authorize(request(officer, kind)))
        assert error.metadata["clauses"] == "III.B.3.l"
        assert (await last_entry(audit))["decision"] == "refused"


@pytest.mark.clause("III.E.4")
async def test_an_officer_whose_training_has_lapsed_gets_no_answer_at_once(audit: RunningAudit) -> None:
    course = account_pb.CERTIFICATION_KIND_MOTOR_CARRIER_TRAINING
    officer = await audit.person(
        pb.ROLE_CVEO,
        certifications=tuple(kind for kind in ALL_CERTIFICATIONS if kind != course),
        enable=False,
    )

    error = await refused(authorizations(audit).Authorize(request(officer, "mcsreads")))

    assert "III.E.4" in error.metadata["clauses"]


@pytest.mark.clause("III.E.5")
async def test_a_permit_of_each_data_set_is_signed_with_that_sets_own_key(audit: RunningAudit) -> None:
    officer = await audit.person(pb.ROLE_USER, pb.ROLE_CVEO)

    for kind, key in (("reads", PERMIT_KEY), ("mcsreads", MCS_PERMIT_KEY)):
        answer = await authorizations(audit).Authorize(request(officer, kind))
        body, _, mac = answer.permit.rpartition("|")
        assert body.split("|")[3] == kind
        assert mac == hmac.digest(key, body.encode(), "sha256").hex()


@pytest.mark.clause("IV.C.5", "IV.C.6")
async def test_it_needs_case_number_and_purpose_as_every_question(audit: RunningAudit) -> None:
    officer = await audit.person(pb.ROLE_CVEO)

    for changes, reason in (({"case_number": ""}, "IV.C.5"), ({"purpose": ""}, "IV.C.6")):
        asked = request(officer, "mcsreads", justification=justification(**changes))
        error = await refused(authorizations(audit).Authorize(asked))
        assert reason in error.message
