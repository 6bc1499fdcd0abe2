"""What people must have read: nobody is let in who has not acknowledged it, and the log says who has."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import asyncpg
import grpc
import pytest
import pytest_asyncio

from alpr.audit.v1 import account_service_pb2 as account_pb
from alpr.audit.v1 import authorization_service_pb2 as audit_pb
from alpr.audit.v1 import document_service_pb2 as pb
from alpr.audit.v1 import health_service_pb2 as health_pb
from alpr.audit.v1.account_service_pb2_grpc import AccountServiceStub
from alpr.audit.v1.document_service_pb2_grpc import DocumentServiceStub
from alpr.audit.v1.health_service_pb2_grpc import HealthServiceStub
from alpr.type.v1.error_reason_pb2 import ErrorReason
from services.common.wire import to_timestamp
from tests.support.audit_kit import (
    ALL_CERTIFICATIONS,
    COORDINATOR,
    Officer,
    RunningAudit,
    authorizations,
    last_entry,
    plate_request,
    refused,
    request_id,
)
from tests.support.databases import fetch

pytestmark = pytest.mark.asyncio(loop_scope="session")
HEAD_ORI = "IL0DOC001"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def head(audit: RunningAudit) -> Officer:
    """The head of an agency of its own: what it publishes is asked of nobody else."""
    return await audit.head_of(HEAD_ORI, audit_pb.ROLE_USER)


@pytest_asyncio.fixture(autouse=True, loop_scope="session")
async def nothing_published(audit: RunningAudit) -> AsyncIterator[None]:
    """Each test ends as the first began; only a superuser can do that."""
    yield
    for table in ("acknowledgement", "document"):
        await fetch(audit.database.admin_url, f"ALTER TABLE audit.{table} DISABLE TRIGGER ALL")
        await fetch(audit.database.admin_url, f"DELETE FROM audit.{table}")  # noqa: S608
        await fetch(audit.database.admin_url, f"ALTER TABLE audit.{table} ENABLE TRIGGER ALL")
    await told(audit)


async def told(audit: RunningAudit) -> None:
    """The service looks at accounts anew: with triggers off nothing has told it to."""
    bump = "UPDATE audit.registry_head SET account_revision = account_revision + 1, revision = revision + 1"
    await fetch(audit.database.admin_url, bump)


def documents(audit: RunningAudit) -> Any:
    return audit.people(DocumentServiceStub)


def version(**changes: Any) -> pb.Document:
    usual = {
        "kind": pb.DOCUMENT_KIND_DIRECTIVE,
        "version": "2026-05",
        "title": "ENF-051",
        "text": "Plates are looked up for an authorized purpose only.\nII. Definitions",
        "sha256": bytes(32),
        "effective_time": to_timestamp(datetime.now(UTC) - timedelta(minutes=1)),
    }
    return pb.Document(**{**usual, **changes})


async def published(audit: RunningAudit, who: Officer, **changes: Any) -> pb.Document:
    request = pb.PublishDocumentRequest(request_id=request_id(), document=version(**changes))
    answer = await documents(audit).PublishDocument(request, metadata=who.metadata)
    made: pb.Document = answer.document
    return made


async def acknowledged(audit: RunningAudit, who: Officer, document: pb.Document) -> pb.ListedDocument:
    request = pb.AcknowledgeDocumentRequest(request_id=request_id(), document_id=document.document_id)
    answer = await documents(audit).AcknowledgeDocument(request, metadata=who.metadata)
    done: pb.ListedDocument = answer.document
    return done


async def refusals_of(audit: RunningAudit, document: pb.Document) -> int:
    rows = await fetch(
        audit.database.admin_url,
        """SELECT count(*) AS refusals
           FROM audit.log_field AS thing JOIN audit.log_field AS kind USING (log_index)
           WHERE thing.name = 'resource' AND thing.value = $1
             AND kind.name = 'kind' AND kind.value = 'refusal'""",
        document.document_id,
    )
    return int(rows[0]["refusals"])


def asks(audit: RunningAudit, who: Officer) -> Any:
    return authorizations(audit).Authorize(plate_request(who.token()))


@pytest.mark.clause("III.D.2")
@pytest.mark.parametrize(
    "kind", [pb.DOCUMENT_KIND_DIRECTIVE, pb.DOCUMENT_KIND_SECURITY_ADDENDUM, pb.DOCUMENT_KIND_USE_BANNER]
)
async def test_who_has_not_acknowledged_the_directive_in_force_is_let_into_nothing_until_he_has(
    audit: RunningAudit, head: Officer, kind: int
) -> None:
    await asks(audit, head)
    made = await published(audit, head, kind=kind)

    error = await refused(asks(audit, head))
    done = await acknowledged(audit, head, made)
    entry = await last_entry(audit)
    allowed = await asks(audit, head)

    assert error.metadata["clauses"] == "III.D.2"
    assert "acknowledge it" in error.message
    assert done.in_force
    assert done.required
    assert done.HasField("acknowledge_time")
    assert allowed.authorization_id
    assert (entry["kind"], entry["action"], entry["result"]) == ("outcome", "document.acknowledge", "DONE")


@pytest.mark.clause("III.D.2")
async def test_a_version_is_read_before_it_takes_effect_and_asked_for_from_that_moment_on(
    audit: RunningAudit, head: Officer
) -> None:
    ahead = to_timestamp(datetime.now(UTC) + timedelta(days=1))
    made = await published(audit, head, effective_time=ahead)

    allowed = await asks(audit, head)
    before = await documents(audit).ListDocuments(pb.ListDocumentsRequest(), metadata=head.metadata)
    await acknowledged(audit, head, made)

    assert allowed.authorization_id
    assert [one.in_force for one in before.documents] == [False]
    assert not before.documents[0].HasField("acknowledge_time")


@pytest.mark.clause("III.D.2")
async def test_a_newer_version_is_to_be_acknowledged_anew(audit: RunningAudit, head: Officer) -> None:
    first = await published(audit, head, effective_time=to_timestamp(datetime.now(UTC) - timedelta(days=2)))
    await acknowledged(audit, head, first)
    await asks(audit, head)

    second = await published(audit, head, version="2026-06")
    error = await refused(asks(audit, head))
    await acknowledged(audit, head, second)
    listed = await documents(audit).ListDocuments(pb.ListDocumentsRequest(), metadata=head.metadata)

    assert error.metadata["clauses"] == "III.D.2"
    assert [(one.document.version, one.in_force) for one in listed.documents] == [
        ("2026-06", True),
        ("2026-05", False),
    ]
    await asks(audit, head)


@pytest.mark.clause("III.D.2", "III.B.3.b")
async def test_an_acknowledgement_that_has_expired_counts_no_more_and_may_be_renewed(
    audit: RunningAudit, head: Officer
) -> None:
    made = await published(audit, head, kind=pb.DOCUMENT_KIND_SECURITY_ADDENDUM, acknowledged_days=1)
    done = await acknowledged(audit, head, made)
    await aged(audit, timedelta(days=2))

    error = await refused(asks(audit, head))
    await acknowledged(audit, head, made)

    assert done.HasField("acknowledged_until")
    assert error.metadata["clauses"] == "III.D.2"
    await asks(audit, head)


@pytest.mark.clause("III.B.3.b", "III.C.2.b")
async def test_a_new_account_is_enabled_only_when_its_holder_has_acknowledged_the_addendum(
    audit: RunningAudit, head: Officer
) -> None:
    made = await published(audit, head, kind=pb.DOCUMENT_KIND_SECURITY_ADDENDUM)
    await acknowledged(audit, head, made)
    newcomer = await pending(audit, head)
    enable = account_pb.EnableAccountRequest(request_id=request_id(), account_id=newcomer.account_id)
    stub = audit.people(AccountServiceStub)

    error = await refused(stub.EnableAccount(enable, metadata=head.metadata))
    await acknowledged(audit, newcomer, made)
    enable.request_id = request_id()
    answer = await stub.EnableAccount(enable, metadata=head.metadata)

    assert error.metadata["missing"] == "security_addendum"
    assert answer.account.state == account_pb.ACCOUNT_STATE_ENABLED


@pytest.mark.clause("III.E.3")
async def test_motor_carrier_guidelines_are_published_by_their_supervisor_and_asked_of_their_people_only(
    audit: RunningAudit, head: Officer
) -> None:
    supervisor = await colleague(audit, head, audit_pb.ROLE_CVEO_SUPERVISOR)
    officer = await colleague(audit, head, audit_pb.ROLE_CVEO)
    guidelines = {"kind": pb.DOCUMENT_KIND_MOTOR_CARRIER_GUIDELINES, "version": "1"}

    by_head = await refused(documents(audit).PublishDocument(publish(**guidelines), metadata=head.metadata))
    made = await published(audit, supervisor, **guidelines)
    held_up = await refused(mcs_asks(audit, officer))
    await acknowledged(audit, officer, made)
    await acknowledged(audit, supervisor, made)
    await mcs_asks(audit, officer)
    others = await documents(audit).ListDocuments(pb.ListDocumentsRequest(), metadata=head.metadata)

    readers = pb.ListAcknowledgementsRequest(document_id=made.document_id)
    seen = await documents(audit).ListAcknowledgements(readers, metadata=supervisor.metadata)
    by_other = await refused(documents(audit).ListAcknowledgements(readers, metadata=head.metadata))

    assert by_head.reason == by_other.reason == ErrorReason.ERROR_REASON_NOT_PERMITTED
    assert officer.account_id in [one.account_id for one in seen.acknowledgements]
    assert held_up.metadata["clauses"] == "III.E.3"
    assert [one.required for one in others.documents] == [False]
    await asks(audit, head)


@pytest.mark.clause("III.D.2")
async def test_another_agencys_document_is_asked_of_nobody_here_and_found_by_nobody(
    audit: RunningAudit, head: Officer
) -> None:
    made = await published(audit, head)
    officer = await audit.person(audit_pb.ROLE_USER)

    await asks(audit, officer)
    error = await refused(acknowledge_call(audit, officer, made))
    listed = await documents(audit).ListDocuments(pb.ListDocumentsRequest(), metadata=officer.metadata)

    assert error.reason == ErrorReason.ERROR_REASON_NOT_FOUND
    assert await refusals_of(audit, made) == 1
    assert not listed.documents


async def test_an_acknowledgement_that_is_refused_is_on_record_once(
    audit: RunningAudit, head: Officer
) -> None:
    made, officer = await published(audit, head), await audit.person(audit_pb.ROLE_USER)
    suspend = account_pb.SuspendAccountRequest(
        request_id=request_id(), account_id=officer.account_id, reason="left the agency"
    )
    await audit.people(AccountServiceStub).SuspendAccount(suspend, metadata=audit.bearer(COORDINATOR))

    error = await refused(acknowledge_call(audit, officer, made))

    assert error.metadata["clauses"] == "IV.A.2"
    assert await refusals_of(audit, made) == 1


@pytest.mark.clause("III.D.2", "IV.A.4")
async def test_an_open_stream_ends_when_a_document_takes_effect_that_its_person_has_not_read(
    audit: RunningAudit, head: Officer
) -> None:
    watch = health_pb.WatchEntitlementsRequest(access_token=head.token(), action="alerts.subscribe")
    stream = audit.service(HealthServiceStub, "alerts").WatchEntitlements(watch)
    await stream.read()

    await published(audit, head)

    with pytest.raises(grpc.aio.AioRpcError) as ended:
        async with asyncio.timeout(20):
            while await stream.read() is not grpc.aio.EOF:
                pass
    assert ended.value.code() is grpc.StatusCode.PERMISSION_DENIED


@pytest.mark.clause("III.D.2")
async def test_coordinators_see_who_has_read_it_and_who_has_not_page_by_page(
    audit: RunningAudit, head: Officer
) -> None:
    made = await published(audit, head)
    await acknowledged(audit, head, made)
    await pending(audit, head)
    stub, seen, token = documents(audit), [], ""

    while True:
        request = pb.ListAcknowledgementsRequest(document_id=made.document_id, page_size=1, page_token=token)
        answer = await stub.ListAcknowledgements(request, metadata=head.metadata)
        seen += answer.acknowledgements
        token = answer.next_page_token
        if not token:
            break

    have = [one.account_id for one in seen if one.HasField("acknowledge_time")]
    assert have == [head.account_id]
    assert len(seen) >= 2
    assert len({one.account_id for one in seen}) == len(seen)


async def test_a_repeated_request_publishes_and_acknowledges_once(audit: RunningAudit, head: Officer) -> None:
    ahead = to_timestamp(datetime.now(UTC) + timedelta(hours=1))
    request, stub = publish(effective_time=ahead), documents(audit)
    first = await stub.PublishDocument(request, metadata=head.metadata)
    again = await stub.PublishDocument(request, metadata=head.metadata)
    acknowledge = pb.AcknowledgeDocumentRequest(
        request_id=request_id(), document_id=first.document.document_id
    )

    await stub.AcknowledgeDocument(acknowledge, metadata=head.metadata)
    await stub.AcknowledgeDocument(acknowledge, metadata=head.metadata)
    error = await refused(stub.PublishDocument(publish(), metadata=head.metadata))
    rows = await fetch(audit.database.admin_url, "SELECT count(*) AS number FROM audit.acknowledgement")

    assert again == first
    assert rows[0]["number"] == 1
    assert error.reason == ErrorReason.ERROR_REASON_ALREADY_EXISTS


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"kind": 0}, "document.kind"),
        ({"version": ""}, "document.version"),
        ({"title": "x" * 201}, "document.title"),
        ({"text": " \n "}, "document.text"),
        ({"text": "a\x1b[2Jb"}, "document.text"),
        ({"sha256": b"short"}, "document.sha256"),
        ({"effective_time": None}, "document.effective_time"),
        ({"acknowledged_days": -1}, "document.acknowledged_days"),
        ({"document_id": "x"}, "document"),
    ],
)
async def test_a_version_that_is_not_complete_is_an_error_of_its_field(
    audit: RunningAudit, head: Officer, changes: dict[str, Any], field: str
) -> None:
    error = await refused(documents(audit).PublishDocument(publish(**changes), metadata=head.metadata))

    assert [one.field for one in error.violations] == [field]


@pytest.mark.clause("III.D.2")
@pytest.mark.parametrize("table", ["document", "acknowledgement"])
@pytest.mark.parametrize(
    "statement", ["DELETE FROM audit.{}", "UPDATE audit.{} SET intent_id = gen_random_uuid()"]
)
async def test_what_was_published_and_acknowledged_does_not_change_in_the_database_either(
    audit: RunningAudit, head: Officer, table: str, statement: str
) -> None:
    await acknowledged(audit, head, await published(audit, head))

    connection = await asyncpg.connect(audit.database.admin_url)
    try:
        for role in ("audit_app", "audit_owner"):
            await connection.execute(f"SET ROLE {role}")
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(statement.format(table))
    finally:
        await connection.close()


def publish(**changes: Any) -> pb.PublishDocumentRequest:
    return pb.PublishDocumentRequest(request_id=request_id(), document=version(**changes))


def acknowledge_call(audit: RunningAudit, who: Officer, document: pb.Document) -> Any:
    request = pb.AcknowledgeDocumentRequest(request_id=request_id(), document_id=document.document_id)
    return documents(audit).AcknowledgeDocument(request, metadata=who.metadata)


def mcs_asks(audit: RunningAudit, who: Officer) -> Any:
    request = plate_request(who.token())
    request.question.archive.kind = "mcsreads"
    return authorizations(audit).Authorize(request)


async def aged(audit: RunningAudit, by: timedelta) -> None:
    """Puts all acknowledgements into the past; only a superuser can do that."""
    url = audit.database.admin_url
    await fetch(url, "ALTER TABLE audit.acknowledgement DISABLE TRIGGER ALL")
    await fetch(
        url, "UPDATE audit.acknowledgement SET acknowledge_time = acknowledge_time - $1::interval", by
    )
    await fetch(url, "ALTER TABLE audit.acknowledgement ENABLE TRIGGER ALL")
    await told(audit)


async def pending(audit: RunningAudit, head: Officer) -> Officer:
    """Somebody new of the head's agency, complete but for what is published there."""
    return await colleague(audit, head, audit_pb.ROLE_USER, enable=False)


async def colleague(
    audit: RunningAudit, head: Officer, role: audit_pb.Role.ValueType, *, enable: bool = True
) -> Officer:
    subject, stub = f"person-{uuid4()}", audit.people(AccountServiceStub)
    account = account_pb.Account(
        subject=subject,
        issuer=audit.issuer.iss,
        full_name=f"Newcomer {subject[-4:]}",
        badge_number=subject[-8:],
        email=f"{subject}@{HEAD_ORI.lower()}.illinois.gov",
        agency_ori=HEAD_ORI,
        unit="HQ",
    )
    create = account_pb.CreateAccountRequest(request_id=request_id(), account=account)
    account_id = (await stub.CreateAccount(create, metadata=head.metadata)).account.account_id
    now = datetime.now(UTC)
    for kind in ALL_CERTIFICATIONS:
        certification = account_pb.Certification(
            kind=account_pb.CertificationKind.ValueType(kind),
            valid_from=to_timestamp(now - timedelta(days=1)),
            valid_until=to_timestamp(now + timedelta(days=300)),
            reference="certificate 1",
        )
        certify = account_pb.RecordCertificationRequest(
            request_id=request_id(), account_id=account_id, certification=certification
        )
        await stub.RecordCertification(certify, metadata=head.metadata)
    grant = account_pb.GrantRoleRequest(request_id=request_id(), account_id=account_id, role=role)
    await stub.GrantRole(grant, metadata=head.metadata)
    if enable:
        change = account_pb.EnableAccountRequest(request_id=request_id(), account_id=account_id)
        await stub.EnableAccount(change, metadata=head.metadata)
    return Officer(audit, subject, account_id)
