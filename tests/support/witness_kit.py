"""A witness at work, and a database administrator who rewrites the log."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from alpr.audit.v1 import log_service_pb2 as log_pb
from alpr.audit.v1.log_service_pb2_grpc import LogServiceStub
from services.audit.config import AuditSettings
from services.audit.core.checkpoint import Signer
from services.audit.core.entry import Field, leaf_of
from services.common.client import ClientTls, service_channel
from services.common.clock import Clock, SystemClock
from services.common.merkle import Frontier, leaf_hash
from services.common.receipts import export_header, export_line
from services.common.tlog import VerifierKey
from services.dev.pki import DevelopmentAuthority
from services.witness.__main__ import running
from services.witness.app import Witness
from services.witness.config import WitnessSettings
from services.witness.core.add_checkpoint import Request
from services.witness.follow import Follower
from tests.support.audit_kit import Officer, RunningAudit, authorizations, plate_request, running_audit
from tests.support.databases import MigratedDatabase, fetch
from tests.support.issuer import RunningIssuer

NAME = "witness.test/w1"
_TRIGGERS = {
    "log_leaf": ("keep", "keep_all"),
    "log_field": ("keep", "keep_all"),
    "log_head": ("grow", "keep", "keep_all"),
}


@dataclass
class RunningWitness:
    """A witness that serves, and follows when it is told to take a turn."""

    witness: Witness
    port: int
    key: VerifierKey
    tls: DevelopmentAuthority

    async def turn(self, audit: RunningAudit) -> int:
        """One turn of following: the size that is witnessed then."""
        made = self.tls.service("witness")
        tls = ClientTls(certificate=made.cert_file, key=made.key_file, ca=made.ca_file)
        async with service_channel(audit.target, tls, server_name="audit") as channel:
            return await Follower(channel, self.witness, self.key, with_copy=True).turn()


def format_request(request: Request) -> bytes:
    """The body of `POST /add-checkpoint` (c2sp.org/tlog-witness)."""
    lines = "".join(f"{b64encode(one).decode()}\n" for one in request.proof)
    return f"old {request.old}\n{lines}\n{request.note.text()}".encode()


def witness_settings(folder: Path, tls: DevelopmentAuthority, *keys: VerifierKey) -> WitnessSettings:
    """Settings of a witness of these logs; its key is made at the first use."""
    folder.mkdir(exist_ok=True)
    made, key_file = tls.service("witness"), folder / "key.pem"
    if not key_file.exists():
        key = Ed25519PrivateKey.generate()
        key_file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    (folder / "logs.pub").write_text("".join(f"{key.text()}\n" for key in keys), encoding="utf-8")
    return WitnessSettings(
        listen="127.0.0.1:0",
        tls_cert=made.cert_file,
        tls_key=made.key_file,
        tls_ca=made.ca_file,
        witness_name=NAME,
        witness_key_file=key_file,
        witness_dir=folder / "store",
        witness_log_keys_file=folder / "logs.pub",
    )


@asynccontextmanager
async def running_witness(
    settings: WitnessSettings, tls: DevelopmentAuthority, clock: Clock | None = None
) -> AsyncIterator[RunningWitness]:
    """A witness until the end of the block."""
    async with running(settings, clock or SystemClock()) as (witness, port):
        yield RunningWitness(witness, port, next(iter(settings.logs().values())), tls)


async def rewrite_log(admin_url: str, signer: Signer, log_index: int, name: str, value: str) -> str:
    """What a superuser with the log's key can do: another value in an old entry, and all else made to fit.

    The checkpoint that the log then has.
    """
    async with _without_guards(admin_url) as superuser:
        rows = await superuser.fetch(
            'SELECT name, salt, value FROM audit.log_field WHERE log_index = $1 ORDER BY name COLLATE "C"',
            log_index,
        )
        fields = tuple(
            Field(row["name"], row["salt"], value if row["name"] == name else row["value"]) for row in rows
        )
        await superuser.execute(
            "UPDATE audit.log_field SET value = $3 WHERE log_index = $1 AND name = $2", log_index, name, value
        )
        await superuser.execute(
            "UPDATE audit.log_leaf SET leaf = $2, leaf_hash = $3 WHERE log_index = $1",
            log_index,
            leaf_of(fields),
            leaf_hash(leaf_of(fields)),
        )
        return await _sign_again(superuser, signer)


async def cut_log(admin_url: str, signer: Signer, size: int) -> str:
    """What a restore of an older backup does: the log's end is gone. The checkpoint that the log then has."""
    async with _without_guards(admin_url) as superuser:
        await superuser.execute("DELETE FROM audit.log_field WHERE log_index >= $1", size)
        await superuser.execute("DELETE FROM audit.log_leaf WHERE log_index >= $1", size)
        return await _sign_again(superuser, signer)


@asynccontextmanager
async def _without_guards(admin_url: str) -> AsyncIterator[asyncpg.Connection]:
    """A transaction of a superuser who switches the guards off, and on again when he is done."""
    superuser = await asyncpg.connect(admin_url)
    try:
        async with superuser.transaction():
            for table in _TRIGGERS:
                await superuser.execute(f"ALTER TABLE audit.{table} DISABLE TRIGGER ALL")
            yield superuser
            for table, triggers in _TRIGGERS.items():
                await superuser.execute(f"ALTER TABLE audit.{table} ENABLE TRIGGER ALL")
                for trigger in triggers:
                    await superuser.execute(f"ALTER TABLE audit.{table} ENABLE ALWAYS TRIGGER {trigger}")
    finally:
        await superuser.close()


async def _sign_again(superuser: asyncpg.Connection, signer: Signer) -> str:
    hashes = [
        row["leaf_hash"]
        for row in await superuser.fetch("SELECT leaf_hash FROM audit.log_leaf ORDER BY log_index")
    ]
    frontier = Frontier().extended(hashes)
    checkpoint = signer.checkpoint(frontier.size, frontier.root()).text
    await superuser.execute(
        "UPDATE audit.log_head SET size = $1, frontier = $2, checkpoint = $3",
        frontier.size,
        frontier.to_bytes(),
        checkpoint,
    )
    return checkpoint


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


async def ask(audit: RunningAudit, officer: Officer | None) -> None:
    assert officer
    await authorizations(audit).Authorize(plate_request(audit.token(officer.subject)))
