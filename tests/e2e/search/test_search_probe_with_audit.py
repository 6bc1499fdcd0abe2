"""The probe of effective access on the command line: real questions, and a database tampered with."""

from __future__ import annotations

import asyncio
import hashlib
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import pytest_asyncio

from alpr.audit.v1 import account_service_pb2 as account_pb
from alpr.audit.v1 import authorization_service_pb2 as audit_pb
from alpr.audit.v1 import governance_service_pb2 as agency_pb
from alpr.audit.v1.account_service_pb2_grpc import AccountServiceStub
from alpr.audit.v1.governance_service_pb2_grpc import GovernanceServiceStub
from services.common.wire import to_timestamp
from services.dev.pki import DevelopmentAuthority
from tests.support.audit_kit import COORDINATOR, ORI, OTHER_ORI, Officer, request_id
from tests.support.databases import MigratedDatabase, fetch
from tests.support.issuer import RunningIssuer
from tests.support.search_command import PURPOSE, WHY
from tests.support.search_house import House, running_house
from tests.support.search_kit import archived_read

DOCUMENT = hashlib.sha256(b"the agreement").digest()
EVENTS = """
    SELECT value FROM audit.log_field WHERE name = 'action' AND value LIKE 'probe.%' ORDER BY log_index
"""
FORGED_GRANT = """
    INSERT INTO audit.non_agency_access
        (account_id, document_sha256, reference, valid_until, decided_by, intent_id)
    SELECT $1::uuid, document_sha256, reference, valid_until, decided_by, intent_id
    FROM audit.non_agency_access LIMIT 1
"""
FORGED_END = "UPDATE audit.agreement SET state = 'ENDED'"


@dataclass
class Probed:
    """Two agencies of which one shares its reads, and probes of both."""

    house: House
    unvetted: Officer
    vetted: Officer
    partner: Officer
    agreement_id: str
    folder: Path
    environment: dict[str, str]

    async def run(self, *probes: Officer) -> tuple[int, str, str]:
        """Exit code, output and errors of `platewarden probe run` with a token file of each probe."""
        for number, one in enumerate(probes or (self.unvetted, self.vetted, self.partner)):
            (self.folder / f"probe-{number}").write_text(one.token(), encoding="ascii")
        process = await asyncio.create_subprocess_exec(
            str(Path(sys.executable).with_name("platewarden")),
            *("probe", "run", "--tokens", str(self.folder), *WHY, *PURPOSE),
            env=self.environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        output, errors = await process.communicate()
        return process.returncode or 0, output.decode(), errors.decode()

    async def events(self) -> list[str]:
        return [row["value"] for row in await fetch(self.house.database.admin_url, EVENTS)]


async def shared(house: House, partner: Officer) -> str:
    """Id of the agreement by which the other agency gives its reads to ours."""
    now, stub = datetime.now(UTC), house.audit.people(GovernanceServiceStub)
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
    await stub.AcceptAgreement(accept, metadata=house.audit.bearer(COORDINATOR))
    return str(proposed.agreement_id)


async def vetted(house: House) -> Officer:
    officer = await house.audit.person(audit_pb.ROLE_USER)
    decision = account_pb.VettingDecision(
        document_sha256=DOCUMENT,
        reference="memo 26-17",
        valid_until=to_timestamp(datetime.now(UTC) + timedelta(days=100)),
    )
    request = account_pb.GrantNonAgencyAccessRequest(
        request_id=request_id(), account_id=officer.account_id, decision=decision
    )
    stub = house.audit.people(AccountServiceStub)
    await stub.GrantNonAgencyAccess(request, metadata=house.audit.bearer(COORDINATOR))
    return officer


@pytest_asyncio.fixture
async def probed(
    migrated_database: Callable[..., Awaitable[MigratedDatabase]],
    tls: DevelopmentAuthority,
    issuer: RunningIssuer,
    tmp_path: Path,
) -> AsyncIterator[Probed]:
    database = await migrated_database("audit", "search")
    async with running_house(database, tls, issuer, tmp_path) as house:
        await house.store(
            archived_read(plate="OWN1234", seed="own"),
            archived_read(plate="OTH1234", seed="other", agency=OTHER_ORI),
        )
        partner = await house.audit.head_of(OTHER_ORI, audit_pb.ROLE_USER)
        agreement_id = await shared(house, partner)
        environment = {
            **os.environ,
            "PW_SEARCH_TARGET": house.user_target,
            "PW_AUDIT_TARGET": house.audit.user_target,
            "PW_CA_FILE": str(tls.ca_file),
            "COLUMNS": "200",
        }
        tokens = tmp_path / "tokens"
        tokens.mkdir()
        unvetted, other = await house.audit.person(audit_pb.ROLE_USER), await vetted(house)
        yield Probed(house, unvetted, other, partner, agreement_id, tokens, environment)


@pytest.mark.clause("III.B.3.q", "III.B.1", "III.B.3.f")
async def test_access_as_agreed_on_ends_with_0_and_is_an_event_for_each_probe(probed: Probed) -> None:
    code, output, errors = await probed.run()

    assert code == 0, errors
    assert "access is as agreed on" in errors
    assert f"{ORI}, {OTHER_ORI}" in output
    assert await probed.events() == ["probe.agrees"] * 3


@pytest.mark.clause("III.B.3.q", "III.B.1")
async def test_an_agreement_that_was_ended_gives_nothing_and_nothing_is_missing(probed: Probed) -> None:
    end = agency_pb.EndAgreementRequest(
        request_id=request_id(), agreement_id=probed.agreement_id, reason="not renewed"
    )
    stub = probed.house.audit.people(GovernanceServiceStub)
    await stub.EndAgreement(end, metadata=probed.partner.metadata)

    code, output, errors = await probed.run()

    assert code == 0, errors
    assert f"{ORI}, {OTHER_ORI}" not in output


@pytest.mark.clause("III.B.3.q", "III.B.3.f")
async def test_a_grant_that_somebody_wrote_into_the_database_is_found(probed: Probed) -> None:
    await fetch(probed.house.database.admin_url, FORGED_GRANT, probed.unvetted.account_id)

    code, output, errors = await probed.run()

    assert code == 1
    assert f"{OTHER_ORI} unexpected" in output
    assert "NOT as agreed on" in errors
    assert sorted(await probed.events()) == ["probe.agrees", "probe.agrees", "probe.differs"]


@pytest.mark.clause("III.B.3.q", "III.B.1")
async def test_access_that_was_agreed_on_and_is_not_given_is_found(probed: Probed) -> None:
    await fetch(probed.house.database.admin_url, FORGED_END)

    code, output, _ = await probed.run()

    assert code == 1
    assert f"{OTHER_ORI} missing" in output
    assert "probe.differs" in await probed.events()


async def test_an_agency_that_no_probe_asked_for_is_named_and_ends_with_1(probed: Probed) -> None:
    code, _, errors = await probed.run(probed.unvetted, probed.vetted)

    assert code == 1
    assert f"no probe asked for agency {OTHER_ORI}" in errors


async def test_without_a_probe_the_command_says_what_it_needs(probed: Probed) -> None:
    process = await asyncio.create_subprocess_exec(
        str(Path(sys.executable).with_name("platewarden")),
        *("probe", "run", *WHY, *PURPOSE),
        env=probed.environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    _, errors = await process.communicate()

    assert process.returncode == 2
    assert "--tokens" in errors.decode()
