"""Search, audit and a case directory: whose reads are found, what is left out, which cases there are."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
import pytest_asyncio

from alpr.audit.v1 import account_service_pb2 as account_pb
from alpr.audit.v1 import authorization_service_pb2 as audit_pb
from alpr.audit.v1 import governance_service_pb2 as agency_pb
from alpr.audit.v1.account_service_pb2_grpc import AccountServiceStub
from alpr.audit.v1.governance_service_pb2_grpc import GovernanceServiceStub
from alpr.cad.v1 import case_directory_service_pb2 as cad_pb
from alpr.cad.v1.case_directory_service_pb2_grpc import (
    CaseDirectoryServiceServicer,
    add_CaseDirectoryServiceServicer_to_server,
)
from alpr.search.v1.archive_service_pb2 import AppendReadsRequest
from alpr.search.v1.archive_service_pb2_grpc import ArchiveServiceStub
from alpr.search.v1.search_service_pb2 import SearchReadsResponse
from alpr.search.v1.search_service_pb2_grpc import SearchServiceStub
from alpr.type.v1 import justification_pb2, left_out_pb2, sensor_pb2
from alpr.type.v1.error_reason_pb2 import ErrorReason
from services.common.client import bearer, service_channel, user_channel
from services.common.wire import to_timestamp
from services.dev.pki import DevelopmentAuthority
from services.search.__main__ import assemble
from services.search.config import SearchSettings
from tests.rpc.audit.test_audit_scope import DOCUMENT, register
from tests.support.audit_kit import (
    COORDINATOR,
    ORI,
    OTHER_ORI,
    Officer,
    RunningAudit,
    begin,
    last_entry,
    refused,
    request_id,
    running_audit,
    settings_for,
)
from tests.support.databases import MigratedDatabase
from tests.support.issuer import RunningIssuer
from tests.support.search_kit import archived_read, now
from tests.support.search_world import client_tls, environment, question

PLATE = "GOV4711"
KNOWN, CLOSED, UNKNOWN, ELSEWHERE = "26-0001", "26-0002", "26-0404", "26-0999"


class CaseDirectory(CaseDirectoryServiceServicer):
    """A dispatch system's case numbers behind the contract."""

    def __init__(self) -> None:
        self.asked: list[cad_pb.CheckCaseRequest] = []
        self.peers: list[str] = []
        self.seconds = 0.0
        self.senseless = False

    async def CheckCase(self, request: cad_pb.CheckCaseRequest, context: Any) -> cad_pb.CheckCaseResponse:  # noqa: N802
        self.asked.append(request)
        self.peers += [name.decode() for name in context.auth_context()["x509_common_name"]]
        await asyncio.sleep(self.seconds)
        if self.senseless:
            return cad_pb.CheckCaseResponse()
        cases = {
            KNOWN: cad_pb.CASE_STATUS_OPEN,
            CLOSED: cad_pb.CASE_STATUS_CLOSED,
            ELSEWHERE: cad_pb.CASE_STATUS_NOT_COVERED,
        }
        return cad_pb.CheckCaseResponse(status=cases.get(request.case_number, cad_pb.CASE_STATUS_UNKNOWN))


@dataclass
class Road:
    """Audit, search and the case directory."""

    audit: RunningAudit
    stub: Any
    officer: Officer
    directory: CaseDirectory
    directory_server: grpc.aio.Server

    async def ask(self, case_number: str = KNOWN, **changes: Any) -> SearchReadsResponse:
        request = question(PLATE, **changes)
        request.justification.case_number = case_number
        token = bearer(self.officer.token())
        answer: SearchReadsResponse = await self.stub.SearchReads(request, metadata=(token,), timeout=60)
        return answer


async def serve_directory(tls: DevelopmentAuthority, directory: CaseDirectory) -> tuple[grpc.aio.Server, int]:
    files = tls.server("cad")
    credentials = grpc.ssl_server_credentials(
        [(files.key_file.read_bytes(), files.cert_file.read_bytes())],
        files.ca_file.read_bytes(),
        require_client_auth=True,
    )
    server = grpc.aio.server()
    add_CaseDirectoryServiceServicer_to_server(directory, server)
    port = server.add_secure_port("127.0.0.1:0", credentials)
    await server.start()
    return server, port


@pytest.fixture
def away() -> tuple[str, str]:
    """What happens while the directory does not answer, and the seconds it may take: all it ever needs."""
    return "refuse", "10"


@pytest_asyncio.fixture
async def road(
    migrated_database: Callable[..., Awaitable[MigratedDatabase]],
    tls: DevelopmentAuthority,
    issuer: RunningIssuer,
    tmp_path: Path,
    away: tuple[str, str],
) -> AsyncIterator[Road]:
    database = await migrated_database("audit", "search")
    audit_settings = settings_for(database, tls, issuer, tmp_path)
    await begin(audit_settings, database, issuer)
    async with AsyncExitStack() as stack:
        audit = await stack.enter_async_context(running_audit(audit_settings, database, tls, issuer))
        directory = CaseDirectory()
        directory_server, directory_port = await serve_directory(tls, directory)
        stack.push_async_callback(directory_server.stop, None)
        when_away, patience = away
        values = environment(tls, database, tmp_path, int(audit.target.rpartition(":")[2])) | {
            "PW_CASE_DIRECTORY_TARGET": f"127.0.0.1:{directory_port}",
            "PW_CASE_DIRECTORY_NAME": "cad",
            "PW_CASE_DIRECTORY_TIMEOUT_SECONDS": patience,
            "PW_CASE_DIRECTORY_WHEN_AWAY": when_away,
        }
        named = {name.removeprefix("PW_").lower(): value for name, value in values.items()}
        server = (await assemble(SearchSettings.model_validate(named))).build()
        await server.start()
        stack.push_async_callback(server.stop)
        matcher = service_channel(
            f"127.0.0.1:{server.port}", client_tls(tls, "matcher"), server_name="search"
        )
        people = user_channel(f"127.0.0.1:{server.user_port}", tls.ca_file)
        stack.push_async_callback(matcher.close)
        stack.push_async_callback(people.close)
        await ArchiveServiceStub(matcher).AppendReads(AppendReadsRequest(reads=reads()))
        officer = await audit.person(audit_pb.ROLE_USER)
        yield Road(audit, SearchServiceStub(people), officer, directory, directory_server)


def reads() -> list[Any]:
    """An own, a commercial and a partner's read of the plate, newest first."""
    made = []
    for hours, (ori, group, provenance) in enumerate(
        (
            (ORI, "north", sensor_pb2.PROVENANCE_OWN),
            (ORI, "vendor", sensor_pb2.PROVENANCE_COMMERCIAL),
            (OTHER_ORI, "south", sensor_pb2.PROVENANCE_PARTNER),
        ),
        1,
    ):
        read = archived_read(now() - timedelta(hours=hours), plate=PLATE, agency=ori)
        read.sensor_group, read.provenance = group, provenance
        made.append(read)
    return made


async def share_reads(audit: RunningAudit) -> None:
    """Sensors of both agencies, and the agreement by which the other gives its reads to ours."""
    partner, stub = await audit.head_of(OTHER_ORI), audit.people(GovernanceServiceStub)
    await register(audit, COORDINATOR, ORI, "north", sensor_pb2.PROVENANCE_OWN)
    await register(audit, COORDINATOR, ORI, "vendor", sensor_pb2.PROVENANCE_COMMERCIAL)
    await register(audit, partner.subject, OTHER_ORI, "south", sensor_pb2.PROVENANCE_PARTNER)
    agreement = agency_pb.Agreement(
        provider_ori=OTHER_ORI,
        recipient_ori=ORI,
        data_classes=[agency_pb.DATA_CLASS_READS],
        document_sha256=DOCUMENT,
        start_time=to_timestamp(datetime.now(UTC) - timedelta(days=1)),
        end_time=to_timestamp(datetime.now(UTC) + timedelta(days=300)),
    )
    proposal = agency_pb.ProposeAgreementRequest(request_id=request_id(), agreement=agreement)
    proposed = (await stub.ProposeAgreement(proposal, metadata=partner.metadata)).agreement
    accept = agency_pb.AcceptAgreementRequest(request_id=request_id(), agreement_id=proposed.agreement_id)
    await stub.AcceptAgreement(accept, metadata=audit.bearer(COORDINATOR))


async def vet(road: Road) -> None:
    decision = account_pb.VettingDecision(
        document_sha256=DOCUMENT,
        reference="memo 26-17",
        valid_until=to_timestamp(datetime.now(UTC) + timedelta(days=365)),
    )
    request = account_pb.GrantNonAgencyAccessRequest(
        request_id=request_id(), account_id=road.officer.account_id, decision=decision
    )
    stub = road.audit.people(AccountServiceStub)
    await stub.GrantNonAgencyAccess(request, metadata=road.audit.bearer(COORDINATOR))


def provenances(answer: SearchReadsResponse) -> list[str]:
    return [sensor_pb2.Provenance.Name(one.provenance).removeprefix("PROVENANCE_") for one in answer.reads]


@pytest.mark.clause("II.F", "III.B.3.f", "III.B.1")
async def test_own_partner_and_commercial_reads_are_one_list_for_who_was_vetted_and_own_ones_for_others(
    road: Road,
) -> None:
    await share_reads(road.audit)

    before = await road.ask()
    await vet(road)
    after, own_only = await road.ask(), await road.ask(own_agency_only=True)
    filtered = await road.ask(provenances=[sensor_pb2.PROVENANCE_COMMERCIAL])

    assert provenances(before) == provenances(own_only) == ["OWN"]
    left_out = {(one.reason, one.agency_ori, one.sensor_group) for one in before.left_out}
    reason = left_out_pb2.LEFT_OUT_REASON_NO_NON_AGENCY_ACCESS
    assert left_out == {(reason, ORI, "vendor"), (reason, OTHER_ORI, "")}
    assert provenances(after) == ["OWN", "COMMERCIAL", "PARTNER"]
    assert not after.left_out
    assert provenances(filtered) == ["COMMERCIAL"]


@pytest.mark.clause("III.B.1")
async def test_reads_of_an_agency_without_an_agreement_are_not_found_by_who_was_vetted_either(
    road: Road,
) -> None:
    await vet(road)

    assert "PARTNER" not in provenances(await road.ask())


@pytest.mark.clause("IV.A.1")
async def test_what_a_group_limit_leaves_out_is_said_in_the_results(road: Road) -> None:
    await share_reads(road.audit)
    await vet(road)
    limit = agency_pb.GroupLimit(agency_ori=ORI, sensor_group="vendor", offence_codes=["AMBER_ALERT"])
    request = agency_pb.SetGroupLimitRequest(request_id=request_id(), limit=limit, reason="contract")
    stub = road.audit.people(GovernanceServiceStub)
    await stub.SetGroupLimit(request, metadata=road.audit.bearer(COORDINATOR))

    answer = await road.ask()

    assert provenances(answer) == ["OWN", "PARTNER"]
    assert [(one.reason, one.sensor_group) for one in answer.left_out] == [
        (left_out_pb2.LEFT_OUT_REASON_PURPOSE_LIMIT, "vendor")
    ]


@pytest.mark.clause("IV.C.5")
@pytest.mark.parametrize(
    ("case_number", "noted"), [(KNOWN, "OPEN"), (CLOSED, "CLOSED"), (ELSEWHERE, "NOT_COVERED")]
)
async def test_what_the_directory_said_of_a_case_is_in_the_log_and_the_question_is_answered(
    road: Road, case_number: str, noted: str
) -> None:
    answer = await road.ask(case_number)

    fields = {field.name: field.value for field in answer.question_receipt.fields}
    assert fields["detail.case_check"] == noted
    (asked,) = road.directory.asked
    assert asked == cad_pb.CheckCaseRequest(
        case_number_kind=justification_pb2.CASE_NUMBER_KIND_CAD, case_number=case_number
    )
    assert road.directory.peers == ["search"]


@pytest.mark.clause("IV.C.5")
async def test_a_question_of_an_unknown_case_is_refused_by_field_and_on_record(road: Road) -> None:
    error = await refused(road.ask(UNKNOWN))

    assert error.reason == ErrorReason.ERROR_REASON_CASE_NUMBER_REQUIRED
    assert [one.field for one in error.violations] == ["justification.case_number"]
    entry = await last_entry(road.audit)
    assert (entry["kind"], entry["decision"], entry["detail.case_check"]) == ("refusal", "refused", "UNKNOWN")


@pytest.mark.parametrize("away", [("refuse", "1")])
async def test_while_the_directory_does_not_answer_questions_are_refused_and_on_record(road: Road) -> None:
    for how in ("slow", "senseless", "stopped"):
        await silence(road, how)

        error = await refused(road.ask())

        assert error.code is grpc.StatusCode.FAILED_PRECONDITION, how
        assert error.metadata["state"] == "CASE_DIRECTORY_AWAY"
        assert (await last_entry(road.audit))["kind"] == "refusal"


@pytest.mark.parametrize("away", [("mark", "1")])
async def test_or_they_are_asked_with_a_mark_where_the_agency_wants_that(road: Road) -> None:
    for how in ("slow", "senseless", "stopped"):
        await silence(road, how)

        answer = await road.ask()

        fields = {field.name: field.value for field in answer.question_receipt.fields}
        assert fields["detail.case_check"] == "AWAY", how
        assert provenances(answer)


async def silence(road: Road, how: str) -> None:
    if how == "stopped":
        await road.directory_server.stop(None)
    elif how == "slow":
        road.directory.seconds = 5
    else:
        road.directory.seconds, road.directory.senseless = 0, True


@pytest.mark.clause("III.B.2.a")
async def test_however_many_lawful_questions_one_officer_asks_each_is_answered(road: Road) -> None:
    questions = 300
    at_once = asyncio.Semaphore(16)

    async def one() -> int:
        async with at_once:
            return len((await road.ask()).reads)

    found = await asyncio.gather(*(one() for _ in range(questions)))

    assert found == [found[0]] * questions
    assert found[0]
