"""The log as anybody may check it, and as auditors take it with them."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import asyncpg
import grpc
import pytest

from alpr.audit.v1 import authorization_service_pb2 as pb
from alpr.audit.v1 import log_service_pb2 as log_pb
from alpr.audit.v1.log_service_pb2_grpc import LogServiceStub
from services.audit.verifier import VerificationError, open_checkpoint, read_public_key, verify_exports
from services.audit.verifier import main as verify
from services.common.receipts import export_header, export_line
from services.dev.pki import DevelopmentAuthority
from tests.support.audit_kit import (
    COORDINATOR,
    RunningAudit,
    authorizations,
    begin,
    last_entry,
    log_size,
    plate_request,
    refused,
    running_audit,
    settings_for,
)
from tests.support.databases import MigratedDatabase
from tests.support.issuer import RunningIssuer


def log_of(audit: RunningAudit) -> Any:
    return audit.people(LogServiceStub)


async def exported(audit: RunningAudit, token: tuple[tuple[str, str]], first: int = 0) -> str:
    """The file that an auditor gets."""
    newest = await log_of(audit).GetCheckpoint(log_pb.GetCheckpointRequest(), metadata=token)
    lines = [export_header(newest.checkpoint, first)]
    async for message in log_of(audit).ExportLog(log_pb.ExportLogRequest(first_index=first), metadata=token):
        lines.append(export_line(message))
    return "".join(lines)


def key_of(audit: RunningAudit) -> Any:
    return read_public_key(audit.settings.signer().verifier_key())


def lines_of(text: str) -> list[bytes]:
    return text.encode().splitlines(keepends=True)


@pytest.mark.clause("IV.A.3", "IV.E.2", "III.B.3.o")
async def test_an_auditor_exports_a_log_that_holds_and_that_tells_of_the_export(audit: RunningAudit) -> None:
    auditor, officer = await audit.person(pb.ROLE_AUDITOR), await audit.person(pb.ROLE_USER)
    for _ in range(300):
        await authorizations(audit).Authorize(plate_request(officer.token()))

    text = await exported(audit, auditor.metadata)

    report = verify_exports([lines_of(text)], key_of(audit), complete=True)
    last = {one["name"]: one["value"] for one in json.loads(text.splitlines()[-2])["fields"]}
    first = {one["name"]: one["value"] for one in json.loads(text.splitlines()[1])["fields"]}
    assert report.kinds["query"] == 300
    assert (last["action"], last["actor"], last["kind"]) == ("log.export", auditor.account_id, "intent")
    assert (first["kind"], first["clauses"]) == ("genesis", "III.A")
    assert (await last_entry(audit))["result"] == "DONE"


@pytest.mark.clause("IV.E.2")
async def test_an_export_goes_on_where_another_ended(audit: RunningAudit) -> None:
    auditor = await audit.person(pb.ROLE_AUDITOR)
    first = await exported(audit, auditor.metadata)
    size = len(first.splitlines()) - 2

    second = await exported(audit, auditor.metadata, size)

    report = verify_exports([lines_of(first), lines_of(second)], key_of(audit), complete=True)
    assert report.entries == await log_size(audit) - 1  # all but the outcome of the second export


@pytest.mark.clause("III.B.3.l")
async def test_nobody_but_an_auditor_exports(audit: RunningAudit) -> None:
    officer = await audit.person(pb.ROLE_USER)
    request = log_pb.ExportLogRequest()

    for metadata in (officer.metadata, audit.bearer(COORDINATOR)):
        error = await refused(log_of(audit).ExportLog(request, metadata=metadata).read())
        assert error.code is grpc.StatusCode.PERMISSION_DENIED
        assert (await last_entry(audit))["action"] == "log.export"
    nobody = await refused(log_of(audit).ExportLog(request).read())

    assert nobody.code is grpc.StatusCode.UNAUTHENTICATED


@pytest.mark.parametrize("first", [-1, 10**9])
async def test_an_export_from_outside_the_log_is_refused(audit: RunningAudit, first: int) -> None:
    auditor = await audit.person(pb.ROLE_AUDITOR)
    call = log_of(audit).ExportLog(log_pb.ExportLogRequest(first_index=first), metadata=auditor.metadata)

    assert (await refused(call.read())).violations[0].field == "first_index"


@pytest.mark.clause("IV.E.2")
async def test_checkpoint_and_proofs_hold_for_whoever_asks(audit: RunningAudit) -> None:
    service = audit.service(LogServiceStub, "search")

    checkpoint = open_checkpoint(
        (await service.GetCheckpoint(log_pb.GetCheckpointRequest())).checkpoint, key_of(audit)
    )
    proof = await service.GetInclusionProof(log_pb.GetInclusionProofRequest(log_index=0))
    consistency = await service.GetConsistencyProof(
        log_pb.GetConsistencyProofRequest(first_size=1, second_size=checkpoint.size - 1)
    )
    newest = await service.GetConsistencyProof(log_pb.GetConsistencyProofRequest(first_size=1))

    assert checkpoint.size == await log_size(audit)
    assert proof.proof.startswith("c2sp.org/tlog-proof@v1\nindex 0\n")
    assert len(proof.leaf_hash) == 32
    assert open_checkpoint(consistency.checkpoint, key_of(audit)).size == checkpoint.size - 1
    assert open_checkpoint(newest.checkpoint, key_of(audit)) == checkpoint
    assert newest.hashes


async def test_proofs_outside_the_log_are_refused(audit: RunningAudit) -> None:
    service = audit.service(LogServiceStub, "search")

    for index in (-1, 10**9):
        call = service.GetInclusionProof(log_pb.GetInclusionProofRequest(log_index=index))
        assert (await refused(call)).code is grpc.StatusCode.NOT_FOUND
    for first, second in ((0, 0), (2, 1), (1, 10**9), (-1, 1), (1, -1)):
        request = log_pb.GetConsistencyProofRequest(first_size=first, second_size=second)
        assert (await refused(service.GetConsistencyProof(request))).code is grpc.StatusCode.INVALID_ARGUMENT


@pytest.mark.clause("I")
async def test_a_checkpoint_is_not_for_strangers(audit: RunningAudit) -> None:
    request = log_pb.GetCheckpointRequest()
    forged = (("authorization", "Bearer a.b.c"),)

    nobody = await refused(log_of(audit).GetCheckpoint(request))
    stranger = await refused(log_of(audit).GetCheckpoint(request, metadata=forged))

    assert stranger.code is grpc.StatusCode.UNAUTHENTICATED
    assert nobody.code is grpc.StatusCode.UNAUTHENTICATED


@pytest.mark.clause("IV.E.2", "III.B.3.q")
async def test_what_a_superuser_rewrites_in_the_database_is_found_outside_of_it(
    migrated_database: Callable[..., Awaitable[MigratedDatabase]],
    tls: DevelopmentAuthority,
    issuer: RunningIssuer,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    database = await migrated_database("audit")
    settings = settings_for(database, tls, issuer, tmp_path)
    await begin(settings, database, issuer)
    (tmp_path / "key").write_text(settings.signer().verifier_key(), encoding="utf-8")
    async with running_audit(settings, database, tls, issuer) as audit:
        officer, auditor = await audit.person(pb.ROLE_USER), await audit.person(pb.ROLE_AUDITOR)
        await authorizations(audit).Authorize(plate_request(officer.token()))
        superuser = await asyncpg.connect(database.admin_url)
        await superuser.execute(
            "ALTER TABLE audit.log_field DISABLE TRIGGER ALL;"
            "UPDATE audit.log_field SET value = 'another officer' WHERE name = 'actor'"
            " AND log_index = (SELECT max(log_index) FROM audit.log_leaf)"
        )
        await superuser.close()
        text = await exported(audit, auditor.metadata)
    (tmp_path / "log.jsonl").write_text(text, encoding="utf-8")

    code = verify(["--public-key", str(tmp_path / "key"), str(tmp_path / "log.jsonl")])

    assert code == 1
    assert "shows a field 'actor' with another value than it commits to" in capsys.readouterr().err
    with pytest.raises(VerificationError):
        verify_exports([lines_of(text)], key_of(audit))
