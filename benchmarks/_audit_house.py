"""What the log is measured on: a durable database, an agency with an officer, and replicas of audit."""

from __future__ import annotations

import asyncio
import hashlib
import json
import multiprocessing
import secrets
import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import asyncpg
import grpc
import uvloop
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from alpr.audit.v1 import authorization_service_pb2 as pb
from alpr.type.v1 import justification_pb2
from benchmarks.echo import SERVICE, Echo, add_echo
from services.audit.__main__ import assemble
from services.audit.bootstrap import found
from services.audit.config import AuditSettings
from services.audit.core.founding import Appointee, Founding
from services.audit.core.person import Account, AccountState, Certification, CertificationKind, Profile, Role
from services.audit.core.registry import Agency
from services.audit.store_accounts import insert_account
from services.common import logs
from services.common.client import ClientTls, service_channel
from services.common.clock import SystemClock
from services.common.database import with_database, with_login
from services.common.issuers import (
    DEVELOPMENT_ACR,
    DEVELOPMENT_AMR,
    DEVELOPMENT_ISSUER,
    DEVELOPMENT_PASSWORD_POLICY,
)
from services.common.migrate import migrate
from services.dev.issuer import AUDIENCE, DevelopmentIssuer, application
from services.dev.pki import DevelopmentAuthority
from services.dev.postgres import EmbeddedPostgres

ORI: Final = "IL0000001"
# A department asks, not one person: what is worked out once for a person is so once for each of them.
OFFICERS: Final = tuple(f"officer-{number}" for number in range(200))
_PASSWORD: Final = secrets.token_urlsafe(16)
_START_SECONDS: Final = 60


@dataclass(frozen=True)
class House:
    """A founded system in `folder`, whose database keeps what it says it has."""

    folder: Path
    admin_url: str
    jwks_url: str
    issuer: DevelopmentIssuer

    @property
    def app_url(self) -> str:
        """The database as the service's login sees it."""
        return with_login(self.admin_url, "audit_app", _PASSWORD)

    def settings(self) -> AuditSettings:
        """Settings of a replica on a free port."""
        tls = DevelopmentAuthority(self.folder / "pki").service("audit")
        return AuditSettings(
            listen="127.0.0.1:0",
            tls_cert=tls.cert_file,
            tls_key=tls.key_file,
            tls_ca=tls.ca_file,
            log_level="warning",
            database_url=self.app_url,
            oidc_issuer=DEVELOPMENT_ISSUER,
            oidc_audience=AUDIENCE,
            oidc_jwks_url=self.jwks_url,
            oidc_algorithms="RS256,ES256",
            oidc_required_acr=DEVELOPMENT_ACR,
            oidc_required_amr=DEVELOPMENT_AMR,
            oidc_password_policy=DEVELOPMENT_PASSWORD_POLICY,
            oidc_allow_development_issuer=True,
            log_origin="benchmark.invalid/log",
            log_signing_key_file=self.folder / "signing.pem",
            permit_key_file=self.folder / "permit.hex",
            mcs_permit_key_file=self.folder / "mcs-permit.hex",
            log_checkpoint_dir=self.folder / "checkpoints",
            log_copy_key_file=self.folder / "copy.hex",
        )

    def channel(self, port: int) -> grpc.aio.Channel:
        """A channel with the certificate of search."""
        made = DevelopmentAuthority(self.folder / "pki").service("search")
        tls = ClientTls(certificate=made.cert_file, key=made.key_file, ca=made.ca_file)
        return service_channel(f"127.0.0.1:{port}", tls, server_name="audit")


@asynccontextmanager
async def open_house(folder: Path) -> AsyncIterator[House]:
    """A new system, until the block ends. fsync is on: what is measured is durable."""
    _write_keys(folder)
    issuer = DevelopmentIssuer(folder / "issuer")
    runner = web.AppRunner(application(issuer), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    postgres = EmbeddedPostgres(folder / "postgres")
    postgres.start()
    try:
        url = with_database(postgres.admin_url, "postgres")
        await migrate(url, "audit", logins={"audit_app": _PASSWORD})
        house = House(folder, url, f"http://127.0.0.1:{runner.addresses[0][1]}/jwks", issuer)
        await _begin(house)
        yield house
    finally:
        postgres.stop()
        await runner.cleanup()


def _write_keys(folder: Path) -> None:
    (folder / "checkpoints").mkdir()
    key = Ed25519PrivateKey.generate()
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / "signing.pem").write_bytes(pem)
    for name in ("permit", "mcs-permit", "copy"):
        (folder / f"{name}.hex").write_text(secrets.token_hex(32), encoding="ascii")
    DevelopmentAuthority(folder / "pki")


async def _begin(house: House) -> None:
    """An agency with its coordinator, and an officer who may ask."""
    now = datetime.now(UTC)
    until = now + timedelta(days=300)
    head = Profile("head", DEVELOPMENT_ISSUER, "C. Head", "1", "head@isp.illinois.gov", ORI, "HQ")
    agency = Agency(ORI, "Illinois State Police", ("isp.illinois.gov",))
    document = hashlib.sha256(b"benchmark").hexdigest()
    appointee = Appointee("coordinator", str(uuid4()), head, until)
    signer = house.settings().signer()
    founding = Founding(agency, "Deputy Director", document, (appointee,))
    entry_id = await found(house.admin_url, founding, signer, now)
    held = tuple(Certification(kind, now, until, "benchmark") for kind in CertificationKind)
    connection = await asyncpg.connect(house.admin_url)
    try:
        for name in OFFICERS:
            profile = Profile(name, DEVELOPMENT_ISSUER, name, name, f"{name}@isp.illinois.gov", ORI, "D1")
            officer = Account(str(uuid4()), profile, AccountState.ENABLED, frozenset({Role.USER}), held)
            await insert_account(connection, entry_id, officer)
        await connection.execute(
            "INSERT INTO audit.sensor (sensor_id, agency_ori, sensor_group, deployment_type, latitude,"
            " longitude, description, provenance, status, approved_from, revision, intent_id)"
            " SELECT 'camera-' || n, $1, 'group-' || n % 8, 'FIXED', 41, -87, '', 'OWN',"
            " 'APPROVED', now(), n, gen_random_uuid() FROM generate_series(1, 400) AS n",
            ORI,
        )
    finally:
        await connection.close()


@contextmanager
def replicas(house: House, number: int) -> Iterator[list[int]]:
    """Ports of so many replicas, each a process of its own, until the block ends."""
    spawn = multiprocessing.get_context("spawn")
    started = []
    try:
        for _ in range(number):
            here, there = spawn.Pipe()
            settings = house.settings().model_dump()
            settings["database_url"] = house.app_url
            process = spawn.Process(target=_serve, args=(settings, there), daemon=True)
            process.start()
            started.append((process, here))
        ports = []
        for _, pipe in started:
            if not pipe.poll(_START_SECONDS):
                raise SystemExit("audit did not start within a minute")
            ports.append(pipe.recv())
        yield ports
    finally:
        for process, _ in started:
            process.terminate()
            process.join()


def _serve(settings: dict[str, Any], pipe: Connection) -> None:
    async def main() -> None:
        logs.configure("audit", level="warning")
        builder = await assemble(AuditSettings(**settings), SystemClock())
        server = builder.add(SERVICE, add_echo, Echo()).build()
        await server.start()
        pipe.send(server.port)
        await asyncio.Event().wait()

    uvloop.run(main())


def question(token: str) -> pb.AuthorizeRequest:
    """A question as search asks it for an officer; each is a new one."""
    arguments = [
        pb.QuestionArgument(name="plate", value=f"AB{secrets.randbelow(100_000):05}"),
        pb.QuestionArgument(name="state", value="IL"),
        pb.QuestionArgument(name="look_alike", value="true"),
    ]
    return pb.AuthorizeRequest(
        request_id=str(uuid4()),
        access_token=token,
        justification=justification_pb2.Justification(
            case_number_kind=justification_pb2.CASE_NUMBER_KIND_CAD,
            case_number="2026-004711",
            purpose="homicide investigation, victim's car seen leaving",
            offence_code="HOMICIDE",
        ),
        question=pb.Question(archive=pb.ArchiveQuestion(kind="reads", page_size=100, arguments=arguments)),
    )


async def measure(call: Callable[[int], Awaitable[Any]], callers: int, seconds: float) -> dict[str, float]:
    """Calls a second of all callers together, and how long half and ninety-nine in a hundred took at most."""
    took: list[float] = []
    end = time.perf_counter() + seconds

    async def caller(number: int) -> None:
        while (start := time.perf_counter()) < end:
            await call(number)
            took.append(time.perf_counter() - start)

    start = time.perf_counter()
    await asyncio.gather(*(caller(number) for number in range(callers)))
    per_s = len(took) / (time.perf_counter() - start)
    cuts = statistics.quantiles(took, n=100) if len(took) > 1 else [0.0] * 99
    return {"per_s": per_s, "p50_ms": cuts[49] * 1e3, "p99_ms": cuts[98] * 1e3}


def rounded(found: dict[str, float]) -> dict[str, float]:
    """The same with as many digits as mean anything."""
    return {name: float(f"{value:.4g}") for name, value in found.items()}


def line(found: dict[str, Any]) -> str:
    """The benchmark's one line."""
    return json.dumps(found)
