"""A superuser can rewrite the log's rows, even with the log's key in hand. The second place, the witness and
the verifier show it, and the service does not go on.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import pytest
import pytest_asyncio

from alpr.audit.v1 import authorization_service_pb2 as pb
from alpr.audit.v1 import log_service_pb2 as log_pb
from alpr.audit.v1 import log_witness_service_pb2 as witness_pb
from alpr.audit.v1.log_service_pb2_grpc import LogServiceStub
from alpr.audit.v1.log_witness_service_pb2_grpc import LogWitnessServiceStub
from services.audit.checkpoint_copies import CheckpointFolder
from services.audit.config import AuditSettings
from services.audit.verifier import main as verify
from services.common.config import ConfigError
from services.common.receipts import export_header, export_line
from services.common.tlog import Note
from services.dev.pki import DevelopmentAuthority
from services.witness.follow import LogRefusedError
from tests.support.audit_kit import (
    Officer,
    RunningAudit,
    authorizations,
    begin,
    log_size,
    plate_request,
    refused,
    running_audit,
    settings_for,
)
from tests.support.databases import MigratedDatabase, fetch
from tests.support.issuer import RunningIssuer
from tests.support.witness_kit import RunningWitness, cut_log, rewrite_log, running_witness, witness_settings

# An entry of before the crime: the first question that an officer asked.
_FIRST_QUESTION = (
    "SELECT min(log_index) AS place FROM audit.log_field WHERE name = 'kind' AND value = 'query'"
)


@dataclass
class Place:
    """A database with a log in which an officer asked, and a witness of that log."""

    database: MigratedDatabase
    settings: AuditSettings
    tls: DevelopmentAuthority
    issuer: RunningIssuer
    witness: RunningWitness
    folder: Path
    officer: Officer | None = None
    auditor: Officer | None = None

    def audit(self) -> Any:
        return running_audit(self.settings, self.database, self.tls, self.issuer)

    async def rewrite(self) -> str:
        """The superuser gives the officer's first question to somebody else, with the log's own key."""
        place = (await fetch(self.database.admin_url, _FIRST_QUESTION))[0]["place"]
        return await rewrite_log(
            self.database.admin_url, self.settings.signer(), place, "actor", "somebody else"
        )

    def forget_second_place(self, checkpoint: str) -> None:
        """He has reached the folder of checkpoints, too."""
        for file in self.settings.log_checkpoint_dir.glob("*.checkpoint"):
            file.write_text(checkpoint, encoding="utf-8")

    async def export(self, audit: RunningAudit) -> Path:
        assert self.auditor
        metadata = audit.bearer(self.auditor.subject)
        stub = audit.people(LogServiceStub)
        newest = await stub.GetCheckpoint(log_pb.GetCheckpointRequest(), metadata=metadata)
        lines = [export_header(newest.checkpoint, 0)]
        async for message in stub.ExportLog(log_pb.ExportLogRequest(), metadata=metadata):
            lines.append(export_line(message))
        file = self.folder / "log.jsonl"
        file.write_text("".join(lines), encoding="utf-8")
        return file

    async def witnessed(self) -> Path:
        """What the witness gives to whoever asks."""
        found = await self.witness.witness.witnessed(self.settings.log_origin)
        file = self.folder / "kept.jsonl"
        lines = [json.dumps({"checkpoint": one}, ensure_ascii=False) + "\n" for one in found]
        file.write_text("".join(lines), encoding="utf-8")
        return file

    def keys(self) -> tuple[Path, Path]:
        log, witness = self.folder / "log.pub", self.folder / "witness.pub"
        log.write_text(self.settings.signer().verifier_key(), encoding="utf-8")
        witness.write_text(self.witness.witness.public_key.text(), encoding="utf-8")
        return log, witness


@pytest_asyncio.fixture
async def place(
    migrated_database: Callable[..., Awaitable[MigratedDatabase]],
    tls: DevelopmentAuthority,
    issuer: RunningIssuer,
    tmp_path: Path,
) -> AsyncIterator[Place]:
    database = await migrated_database("audit")
    settings = settings_for(database, tls, issuer, tmp_path)
    await begin(settings, database, issuer)
    watched = witness_settings(tmp_path / "witness", tls, settings.signer().public)
    async with running_witness(watched, tls) as witness:
        made = Place(database, settings, tls, issuer, witness, tmp_path)
        async with made.audit() as audit:
            made.officer = await audit.person(pb.ROLE_USER)
            made.auditor = await audit.person(pb.ROLE_AUDITOR)
            for _ in range(5):
                await ask(audit, made.officer)
            assert await witness.turn(audit) == await log_size(audit)
        yield made


async def ask(audit: RunningAudit, officer: Officer | None) -> None:
    assert officer
    await authorizations(audit).Authorize(plate_request(audit.token(officer.subject)))


@pytest.mark.clause("IV.E.2", "III.B.3.q")
async def test_the_service_does_not_start_on_a_log_that_was_rewritten(place: Place) -> None:
    await place.rewrite()

    with pytest.raises(ConfigError, match="has left this log, and the database does not hold it"):
        async with place.audit():
            pass


@pytest.mark.clause("IV.E.2", "III.B.3.q")
async def test_the_witness_refuses_a_rewritten_log_and_has_it_closed(place: Place) -> None:
    place.forget_second_place(await place.rewrite())
    async with place.audit() as audit:
        await ask(audit, place.officer)  # nothing in the database shows it

        with pytest.raises(LogRefusedError, match="no continuation"):
            await place.witness.turn(audit)

        error = await refused(authorizations(audit).Authorize(plate_request(audit.token("coordinator"))))
        evidence = await place.witness.witness.refused(place.settings.log_origin)
    assert error.code is grpc.StatusCode.UNAVAILABLE
    own = place.settings.signer().public
    assert [
        Note.parse(one.note).signature_of(own) for one in evidence
    ]  # signed by the log itself: its own undoing
    assert Note.parse(evidence[0].known).head.size < Note.parse(evidence[0].note).head.size


@pytest.mark.clause("IV.E.2", "III.B.3.q", "IV.A.3")
async def test_the_verifier_shows_a_rewritten_log_by_what_the_witness_signed(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    place.forget_second_place(await place.rewrite())
    async with place.audit() as audit:
        export = await place.export(audit)
    log_key, witness_key = place.keys()
    alone = ["--public-key", str(log_key), "--complete", str(export)]
    witnessed = ["--checkpoint", str(await place.witnessed()), "--witness-key", str(witness_key)]

    assert verify(alone) == 0  # all that is in the database fits together
    assert verify([*alone, *witnessed]) == 1

    assert "the log was rewritten" in capsys.readouterr().err


@pytest.mark.clause("IV.E.2")
async def test_an_honest_log_holds_against_the_witness(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    async with place.audit() as audit:
        await ask(audit, place.officer)
        size = await place.witness.turn(audit)
        export = await place.export(audit)
        newest = await audit.service(LogServiceStub).GetCheckpoint(log_pb.GetCheckpointRequest())
    log_key, witness_key = place.keys()
    witnessed = ["--checkpoint", str(await place.witnessed()), "--witness-key", str(witness_key)]

    assert verify(["--public-key", str(log_key), "--complete", *witnessed, str(export)]) == 0

    assert f"the first {size} entries are those of checkpoints from elsewhere" in capsys.readouterr().out
    (cosigned,) = newest.witnessed
    assert Note.parse(cosigned).head.size == size
    assert Note.parse(cosigned).cosigned_at(place.witness.witness.public_key) > 0


@pytest.mark.clause("IV.E.2")
async def test_a_log_that_was_restored_to_an_older_state_is_not_gone_on_with(place: Place) -> None:
    shorter = await cut_log(place.database.admin_url, place.settings.signer(), 3)

    with pytest.raises(ConfigError, match="its log has 3; restore it"):
        async with place.audit():
            pass

    place.forget_second_place(shorter)
    async with place.audit() as audit:
        with pytest.raises(LogRefusedError):
            await place.witness.turn(audit)
        error = await refused(authorizations(audit).Authorize(plate_request("x")))
    assert error.code is grpc.StatusCode.UNAVAILABLE


@pytest.mark.clause("IV.E.2")
async def test_a_closed_log_stays_closed_for_every_replica_and_after_a_restart(place: Place) -> None:
    place.forget_second_place(await cut_log(place.database.admin_url, place.settings.signer(), 3))
    async with place.audit() as audit, place.audit() as replica:
        with pytest.raises(LogRefusedError):
            await place.witness.turn(audit)
        on_replica = await refused(authorizations(replica).Authorize(plate_request("x")))
    async with place.audit() as again:
        after_restart = await refused(authorizations(again).Authorize(plate_request("x")))

    assert on_replica.code is after_restart.code is grpc.StatusCode.UNAVAILABLE


async def test_the_service_does_not_start_with_a_guard_off(place: Place) -> None:
    await fetch(place.database.admin_url, "ALTER TABLE audit.log_field DISABLE TRIGGER keep")

    with pytest.raises(ConfigError, match=r"guards of the log are off: log_field.keep"):
        async with place.audit():
            pass


@pytest.mark.parametrize("service", ["search", "alerts", "matcher", "ocr"])
async def test_nobody_but_the_witness_closes_the_log_or_copies_it(place: Place, service: str) -> None:
    async with place.audit() as audit:
        stub = audit.service(LogWitnessServiceStub, service)
        add = stub.AddWitnessedCheckpoint(witness_pb.AddWitnessedCheckpointRequest(checkpoint="x"))

        assert (await refused(add)).code is grpc.StatusCode.PERMISSION_DENIED
        copies = await refused(stub.CopyEntries(witness_pb.CopyEntriesRequest()).read())
        assert copies.code is grpc.StatusCode.PERMISSION_DENIED


async def test_a_checkpoint_that_the_log_did_not_sign_closes_nothing(place: Place) -> None:
    newest = CheckpointFolder(place.settings.log_checkpoint_dir, place.settings.log_origin).newest()
    assert newest
    forged = newest.text().replace(f"\n{newest.head.size}\n", f"\n{newest.head.size + 1}\n")
    async with place.audit() as audit:
        stub = audit.service(LogWitnessServiceStub, "witness")
        for text in (forged, "", newest.text()):  # the last one nobody else has signed
            call = stub.AddWitnessedCheckpoint(witness_pb.AddWitnessedCheckpointRequest(checkpoint=text))
            assert (await refused(call)).code is grpc.StatusCode.INVALID_ARGUMENT
        await ask(audit, place.officer)
