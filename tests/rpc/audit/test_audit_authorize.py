"""Questions are decided and recorded before they run."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import grpc
import pytest
import pytest_asyncio
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey

from alpr.audit.v1 import account_service_pb2 as account_pb
from alpr.audit.v1 import authorization_service_pb2 as pb
from alpr.audit.v1.account_service_pb2_grpc import AccountServiceStub
from alpr.audit.v1.authorization_service_pb2_grpc import AuthorizationServiceStub
from alpr.type.v1 import justification_pb2
from alpr.type.v1.error_reason_pb2 import ErrorReason
from services.audit.verifier import read_public_key, verify_receipt
from services.common.canonical import ArchiveQuestion, question_digest
from services.common.permit import Permit, permit_text
from services.common.receipts import receipt_to_json
from services.common.wire import to_datetime, to_timestamp
from tests.support.audit_kit import (
    COORDINATOR,
    ORI,
    Officer,
    RunningAudit,
    archive_question,
    authorizations,
    justification,
    last_entry,
    log_size,
    plate_request,
    refused,
    request_id,
)
from tests.support.databases import PERMIT_KEY


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def officer(audit: RunningAudit) -> Officer:
    return await audit.person(pb.ROLE_USER)


@pytest.mark.clause("IV.C.5", "IV.C.6", "IV.E.2")
async def test_a_question_with_case_number_and_purpose_is_allowed_and_on_record(
    audit: RunningAudit, officer: Officer
) -> None:
    answer = await authorizations(audit).Authorize(plate_request(officer.token()))

    entry = await last_entry(audit)
    assert answer.actor == pb.Actor(
        account_id=officer.account_id, agency_ori=ORI, roles=[pb.ROLE_USER], unit="D1"
    )
    assert answer.agency_oris == [ORI]
    assert not answer.sensor_groups
    assert entry["entry_id"] == answer.authorization_id
    assert (entry["kind"], entry["decision"], entry["service"]) == ("query", "allowed", "search")
    assert (entry["actor"], entry["actor_agency"]) == (officer.account_id, ORI)
    assert (entry["case_number_kind"], entry["case_number"]) == ("CAD", "2026-004711")
    assert entry["purpose"].startswith("homicide")
    assert entry["question"].startswith("kind:5:reads\nfrom_us:16:")
    assert entry["clauses"] == "III.D.3/user"


@pytest.mark.clause("IV.A.5", "IV.E.1")
async def test_the_permit_is_bound_to_person_question_and_window(
    audit: RunningAudit, officer: Officer
) -> None:
    request = plate_request(officer.token())
    getattr(request.question.archive, "from").CopyFrom(to_timestamp(datetime.now(UTC) - timedelta(days=400)))

    answer = await authorizations(audit).Authorize(request)

    start, end = to_datetime(getattr(answer, "from")), to_datetime(answer.to)
    question = ArchiveQuestion("reads", start, end, 100, (("plate", "AB1234"),))
    permit_id, account_id = (UUID(one) for one in (answer.authorization_id, officer.account_id))
    expires = to_datetime(answer.expires_at)
    permit = Permit(
        permit_id, account_id, "reads", question_digest(question), (ORI,), (), start, end, expires
    )
    assert answer.permit == permit_text(permit, PERMIT_KEY)
    assert timedelta(days=89, hours=23) < end - start <= timedelta(days=90)
    assert timedelta(seconds=50) < expires - datetime.now(UTC) <= timedelta(seconds=60)


async def test_the_same_request_gives_the_same_authorization_and_permit(
    audit: RunningAudit, officer: Officer
) -> None:
    request = plate_request(officer.token())
    stub = authorizations(audit)

    first, again = await stub.Authorize(request), await stub.Authorize(request)
    several = await asyncio.gather(*(stub.Authorize(request) for _ in range(8)))

    assert again == first
    assert all(one == first for one in several)


@pytest.mark.parametrize("change", ["plate", "purpose", "case"])
async def test_a_request_id_with_another_question_is_refused(
    audit: RunningAudit, officer: Officer, change: str
) -> None:
    request = plate_request(officer.token())
    await authorizations(audit).Authorize(request)
    if change == "plate":
        request.question.archive.arguments[0].value = "ZZ9999"
    elif change == "purpose":
        request.justification.purpose = "kidnapping of a child in Peoria"
    else:
        request.justification.case_number = "2026-004712"

    error = await refused(authorizations(audit).Authorize(request))

    assert error.reason == ErrorReason.ERROR_REASON_REQUEST_ID_REUSED


@pytest.mark.clause("IV.C.5")
@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"case_number": ""}, "justification.case_number"),
        ({"case_number": "n/a"}, "justification.case_number"),
        ({"case_number_kind": 0}, "justification.case_number_kind"),
        ({"case_number_kind": 99}, "justification.case_number_kind"),
        (
            {"case_number_kind": justification_pb2.CASE_NUMBER_KIND_OUTSIDE_AGENCY},
            "justification.outside_agency",
        ),
    ],
)
async def test_without_a_case_number_the_question_is_sent_back_and_that_is_on_record(
    audit: RunningAudit, officer: Officer, changes: dict[str, Any], field: str
) -> None:
    request = plate_request(officer.token(), justification=justification(**changes))

    error = await refused(authorizations(audit).Authorize(request))

    entry = await last_entry(audit)
    assert (error.code, error.reason) == (
        grpc.StatusCode.INVALID_ARGUMENT,
        ErrorReason.ERROR_REASON_CASE_NUMBER_REQUIRED,
    )
    assert [one.field for one in error.violations] == [field]
    assert (entry["kind"], entry["result"], entry["actor"]) == (
        "refusal",
        "CASE_NUMBER_REQUIRED",
        officer.account_id,
    )
    assert entry["detail.fields"] == field
    assert "AB1234" in entry["question"]


@pytest.mark.clause("IV.C.6")
@pytest.mark.parametrize(
    "purpose", ["", "investigation", "test", "n/a", "patrol", "police work", "asdfasdf asdf"]
)
async def test_without_a_purpose_the_question_is_sent_back_and_that_is_on_record(
    audit: RunningAudit, officer: Officer, purpose: str
) -> None:
    request = plate_request(officer.token(), justification=justification(purpose=purpose))

    error = await refused(authorizations(audit).Authorize(request))

    entry = await last_entry(audit)
    assert error.code is grpc.StatusCode.INVALID_ARGUMENT
    assert error.reason == ErrorReason.ERROR_REASON_PURPOSE_REQUIRED
    assert [one.field for one in error.violations] == ["justification.purpose"]
    assert (entry["kind"], entry["result"], entry["actor"]) == (
        "refusal",
        "PURPOSE_REQUIRED",
        officer.account_id,
    )


@pytest.mark.clause("IV.A.1")
async def test_a_purpose_that_the_law_forbids_is_refused_to_everybody(
    audit: RunningAudit, officer: Officer
) -> None:
    forbidden = justification(purpose="immigration enforcement, request of ICE")

    error = await refused(
        authorizations(audit).Authorize(plate_request(officer.token(), justification=forbidden))
    )

    assert error.code is grpc.StatusCode.PERMISSION_DENIED
    assert error.metadata["clauses"] == "IV.A.1"
    assert "625 ILCS 5/2-130" in error.message
    assert (await last_entry(audit))["clauses"] == "IV.A.1"


@pytest.mark.clause("III.D.1", "IV.A.4", "III.B.3.a", "III.B.3.b")
@pytest.mark.parametrize(
    ("lacking", "clause"),
    [
        (account_pb.CERTIFICATION_KIND_ALPR_TRAINING, "III.D.1"),
        (account_pb.CERTIFICATION_KIND_LEADS, "IV.A.4"),
        (account_pb.CERTIFICATION_KIND_SECURITY_AWARENESS, "III.B.3.b"),
        (account_pb.CERTIFICATION_KIND_BACKGROUND_CHECK, "III.B.3.a"),
    ],
)
async def test_a_lapsed_certification_refuses_and_names_its_clause(
    audit: RunningAudit, lacking: int, clause: str
) -> None:
    officer = await audit.person(pb.ROLE_USER, certifications=(), enable=False)
    for kind in account_pb.CertificationKind.values():
        if kind:
            await audit.certify(officer.account_id, kind, timedelta(seconds=2 if kind == lacking else 600))
    enable = account_pb.EnableAccountRequest(request_id=request_id(), account_id=officer.account_id)
    await audit.people(AccountServiceStub).EnableAccount(enable, metadata=audit.bearer(COORDINATOR))
    assert (await authorizations(audit).Authorize(plate_request(officer.token()))).permit

    await asyncio.sleep(2.1)
    error = await refused(authorizations(audit).Authorize(plate_request(officer.token())))

    assert error.code is grpc.StatusCode.PERMISSION_DENIED
    assert error.metadata["clauses"] == clause
    entry = await last_entry(audit)
    assert (entry["kind"], entry["clauses"], entry["actor"]) == ("refusal", clause, officer.account_id)


@pytest.mark.clause("III.B.3.l")
async def test_a_coordinator_is_no_user(audit: RunningAudit) -> None:
    error = await refused(authorizations(audit).Authorize(plate_request(audit.token(COORDINATOR))))

    assert error.metadata["clauses"] == "III.B.3.l"


@pytest.mark.clause("I")
async def test_a_person_without_an_account_is_refused_and_on_record(audit: RunningAudit) -> None:
    error = await refused(authorizations(audit).Authorize(plate_request(audit.token("nobody"))))

    assert error.code is grpc.StatusCode.PERMISSION_DENIED
    assert (await last_entry(audit))["resource"] == "nobody"


def forged(audit: RunningAudit, subject: str, key: Any, algorithm: str, kid: str) -> str:
    now = int(datetime.now(UTC).timestamp())
    claims = {
        "iss": audit.issuer.iss,
        "sub": subject,
        "aud": "platewarden",
        "acr": audit.issuer.acr,
        "jti": "x",
    }
    header = {"alg": algorithm, "kid": kid}
    return jwt.encode(header, {**claims, "iat": now, "exp": now + 60}, key, algorithms=[algorithm])


@pytest.mark.clause("I", "III.B.3.k")
@pytest.mark.parametrize(
    "claims",
    [
        {"aud": "another"},
        {"aud": None},
        {"iss": "https://evil.example"},
        {"acr": "pwd"},
        {"acr": None},
        {"jti": None},
        {"exp": 1},
        {"exp": 4102444800},
        {"sub": None},
        {"iat": 4102444800, "exp": 4102444900},
    ],
)
async def test_a_token_that_is_not_good_enough_is_refused(
    audit: RunningAudit, officer: Officer, claims: dict[str, Any]
) -> None:
    error = await refused(authorizations(audit).Authorize(plate_request(officer.token(**claims))))

    assert error.code is grpc.StatusCode.UNAUTHENTICATED
    assert (await last_entry(audit))["result"] == "UNAUTHENTICATED"


@pytest.mark.clause("I", "III.B.3.k")
async def test_a_token_that_the_provider_did_not_sign_is_refused(
    audit: RunningAudit, officer: Officer
) -> None:
    public = audit.issuer.jwks["keys"][0]
    good = officer.token()
    header, payload, signature = good.split(".")
    tokens = [
        "",
        "x",
        "a.b.c",
        f"{header}.{payload}.",
        f"{header}.{payload}.{signature[:-4]}AAAA",
        "eyJhbGciOiJub25lIn0." + payload + ".",
        forged(audit, officer.subject, RSAKey.generate_key(2048), "RS256", public["kid"]),
        forged(audit, officer.subject, RSAKey.generate_key(2048), "RS256", "another"),
        forged(audit, officer.subject, OctKey.import_key(public["n"]), "HS256", public["kid"]),
        "x" * 9000,
    ]

    for token in tokens:
        error = await refused(authorizations(audit).Authorize(plate_request(token)))
        assert error.code is grpc.StatusCode.UNAUTHENTICATED, token[:20]
        assert token not in error.message or not token


def argument(name: str, value: str) -> pb.QuestionArgument:
    return pb.QuestionArgument(name=name, value=value)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"request_id": ""}, "request_id"),
        ({"request_id": "x"}, "request_id"),
        ({"question": pb.Question()}, "question"),
        ({"question": pb.Question(plate=pb.PlateQuestion(plate="AB1", page_size=1))}, "question"),
        ({"question": pb.Question(image=pb.ImageQuestion(read_id=str(uuid4())))}, "question"),
        ({"question": archive_question(kind="")}, "question.archive.kind"),
        ({"question": archive_question(kind="alerts")}, "question.archive.kind"),
        ({"question": archive_question(kind="reads\nkind")}, "question.archive.kind"),
        ({"question": archive_question(page_size=0)}, "question.archive.page_size"),
        ({"question": archive_question(page_size=1001)}, "question.archive.page_size"),
        ({"question": archive_question(kind="read", page_size=2)}, "question.archive.page_size"),
        ({"question": archive_question(arguments=[argument("plate:1", "A")])}, "question.archive.arguments"),
        ({"question": archive_question(arguments=[argument("Plate", "A")])}, "question.archive.arguments"),
        ({"question": archive_question(arguments=[argument("", "A")])}, "question.archive.arguments"),
        (
            {"question": archive_question(arguments=[argument("plate", "A")] * 2)},
            "question.archive.arguments",
        ),
        ({"question": archive_question(arguments=[argument("plate", "A\nB")])}, "question.archive.arguments"),
        (
            {"question": archive_question(arguments=[argument("plate", "A\x00")])},
            "question.archive.arguments",
        ),
        (
            {"question": archive_question(arguments=[argument("plate", "A" * 2001)])},
            "question.archive.arguments",
        ),
        (
            {"question": archive_question(arguments=[argument(f"a{n}", "") for n in range(33)])},
            "question.archive.arguments",
        ),
        ({"case_check": 99}, "case_check"),
        ({"first_authorization_id": "x"}, "first_authorization_id"),
        ({"first_authorization_id": str(uuid4())}, "first_authorization_id"),
    ],
)
async def test_a_request_of_the_wrong_shape_names_the_field_and_is_on_record(
    audit: RunningAudit, officer: Officer, change: dict[str, Any], field: str
) -> None:
    before = await log_size(audit)

    error = await refused(authorizations(audit).Authorize(plate_request(officer.token(), **change)))

    assert error.code is grpc.StatusCode.INVALID_ARGUMENT
    assert field in [one.field for one in error.violations]
    assert await log_size(audit) == before + 1


@pytest.mark.clause("IV.E.1")
async def test_a_window_before_the_retention_period_is_sent_back(
    audit: RunningAudit, officer: Officer
) -> None:
    request = plate_request(officer.token())
    request.question.archive.to.CopyFrom(to_timestamp(datetime.now(UTC) - timedelta(days=91)))

    error = await refused(authorizations(audit).Authorize(request))

    assert "90 days" in error.violations[0].description


async def test_a_window_that_begins_in_time_to_come_is_sent_back_with_its_beginning(
    audit: RunningAudit, officer: Officer
) -> None:
    request = plate_request(officer.token())
    getattr(request.question.archive, "from").CopyFrom(to_timestamp(datetime.now(UTC) + timedelta(days=1)))
    request.question.archive.ClearField("to")

    error = await refused(authorizations(audit).Authorize(request))

    assert [one.field for one in error.violations] == ["from"]
    assert "lies ahead" in error.violations[0].description


async def test_a_further_page_cites_the_first_question_of_the_same_person(
    audit: RunningAudit, officer: Officer
) -> None:
    other = await audit.person(pb.ROLE_USER)
    first = await authorizations(audit).Authorize(plate_request(officer.token()))
    cited = {"first_authorization_id": first.authorization_id}

    assert (await authorizations(audit).Authorize(plate_request(officer.token(), **cited))).permit
    error = await refused(authorizations(audit).Authorize(plate_request(other.token(), **cited)))

    assert error.violations[0].field == "first_authorization_id"


@pytest.mark.clause("IV.A.5")
async def test_images_and_alerts_are_questions_too(audit: RunningAudit, officer: Officer) -> None:
    image = archive_question(kind="image", page_size=1, arguments=[argument("read_id", str(uuid4()))])
    alerts = pb.Question(alerts=pb.AlertQuestion(page_size=10))

    for question, kind in ((image, "image"), (alerts, "alerts")):
        answer = await authorizations(audit).Authorize(plate_request(officer.token(), question=question))
        assert answer.permit.split("|")[3] == kind


@pytest.mark.clause("IV.A.5")
async def test_only_services_may_have_questions_decided(audit: RunningAudit, officer: Officer) -> None:
    direct = audit.people(AuthorizationServiceStub)
    foreign = audit.service(AuthorizationServiceStub, "stranger")
    request = plate_request(officer.token())

    assert (await refused(direct.Authorize(request))).code is grpc.StatusCode.UNAUTHENTICATED
    assert (await refused(foreign.Authorize(request))).code is grpc.StatusCode.PERMISSION_DENIED


@pytest.mark.clause("IV.E.2", "IV.A.3")
async def test_the_outcome_answers_with_receipts_that_anybody_can_check(
    audit: RunningAudit, officer: Officer
) -> None:
    stub = authorizations(audit)
    answer = await stub.Authorize(plate_request(officer.token()))
    request = pb.RecordOutcomeRequest(
        request_id=request_id(),
        subject_id=answer.authorization_id,
        result=pb.OUTCOME_RESULT_DONE,
        row_count=3,
        rows_digest=bytes(32),
    )

    outcome, again = await stub.RecordOutcome(request), await stub.RecordOutcome(request)

    key = read_public_key(audit.settings.signer().verifier_key())
    asked = verify_receipt(json.dumps(receipt_to_json(outcome.subject_receipt)), key)
    ended = verify_receipt(json.dumps(receipt_to_json(outcome.outcome_receipt)), key)
    assert asked["entry_id"] == ended["subject"] == answer.authorization_id
    assert (ended["result"], ended["row_count"], ended["rows_digest"]) == ("DONE", "3", "00" * 32)
    assert again.outcome_receipt.log_index == outcome.outcome_receipt.log_index


async def test_the_log_knows_who_asked_by_the_account_and_the_answer_by_its_digest(
    audit: RunningAudit, officer: Officer
) -> None:
    stub = authorizations(audit)
    answer = await stub.Authorize(plate_request(officer.token()))
    asked = await last_entry(audit)
    await stub.RecordOutcome(
        pb.RecordOutcomeRequest(
            request_id=request_id(),
            subject_id=answer.authorization_id,
            result=pb.OUTCOME_RESULT_DONE,
            row_count=3,
            rows_digest=bytes(32),
        )
    )
    ended = await last_entry(audit)

    assert asked["actor"] == ended["actor"] == officer.account_id
    names = (officer.subject, officer.subject[-8:], f"Officer {officer.subject[-4:]}", "@")
    assert not [name for name in names for entry in (asked, ended) if name in " ".join(entry.values())]
    assert set(ended) - set(asked) == {"result", "row_count", "rows_digest", "subject"}


async def test_an_outcome_needs_a_subject_of_the_same_service(audit: RunningAudit, officer: Officer) -> None:
    answer = await authorizations(audit).Authorize(plate_request(officer.token()))
    request = pb.RecordOutcomeRequest(
        request_id=request_id(), subject_id=answer.authorization_id, result=pb.OUTCOME_RESULT_FAILED
    )

    foreign = await refused(authorizations(audit, "matcher").RecordOutcome(request))
    request.subject_id = str(uuid4())
    unknown = await refused(authorizations(audit).RecordOutcome(request))

    assert foreign.code is unknown.code is grpc.StatusCode.NOT_FOUND


async def test_an_outcome_of_the_wrong_shape_is_refused(audit: RunningAudit) -> None:
    request = pb.RecordOutcomeRequest(request_id="x", subject_id="y", row_count=-1, rows_digest=b"short")

    error = await refused(authorizations(audit).RecordOutcome(request))

    fields = {one.field for one in error.violations}
    assert fields == {"request_id", "subject_id", "result", "row_count", "rows_digest"}


@pytest.mark.clause("IV.C.6")
async def test_the_catalogue_lists_codes_in_order_to_services_and_signed_in_people(
    audit: RunningAudit,
) -> None:
    request = pb.GetPurposeCatalogueRequest()
    people = audit.people(AuthorizationServiceStub)

    answer = await authorizations(audit).GetPurposeCatalogue(request)
    same = await people.GetPurposeCatalogue(request, metadata=audit.bearer(COORDINATOR))
    nobody = await refused(people.GetPurposeCatalogue(request))

    codes = [one.code for one in answer.codes]
    assert codes == sorted(codes)
    assert "HOMICIDE" in codes
    assert same == answer
    assert nobody.code is grpc.StatusCode.UNAUTHENTICATED
