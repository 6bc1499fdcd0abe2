"""Search against a real database, with an audit service of the test's own behind gRPC and mTLS."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import grpc
from grpc_status import rpc_status

from alpr.audit.v1 import authorization_service_pb2 as audit_pb
from alpr.audit.v1.authorization_service_pb2_grpc import (
    AuthorizationServiceServicer,
    add_AuthorizationServiceServicer_to_server,
)
from alpr.audit.v1.settings_service_pb2_grpc import add_SettingsServiceServicer_to_server
from alpr.search.v1 import search_service_pb2 as search_pb
from alpr.search.v1.archive_service_pb2_grpc import ArchiveServiceStub
from alpr.search.v1.search_service_pb2_grpc import SearchServiceStub
from alpr.type.v1 import justification_pb2, receipt_pb2, sensor_pb2
from services.common.client import ClientTls, bearer, service_channel
from services.common.errors import AlprError, to_status
from services.common.server import ServerBuilder
from services.common.wire import to_datetime, to_timestamp
from services.dev.pki import DevelopmentAuthority
from services.search.__main__ import assemble
from services.search.config import SearchSettings
from tests.support.databases import MCS_PERMIT_KEY, PERMIT_KEY, MigratedDatabase
from tests.support.search_kit import ORI, General, Permit, canonical, now, us
from tests.support.serving import until_serving
from tests.support.settings import SystemSettings

ACCOUNT = "0f0e0d0c-0b0a-4908-8706-050403020100"
OFFICER = "officer-token"


async def _nothing() -> None:
    pass


class TestAudit(AuthorizationServiceServicer):
    """Authorizes as audit does, and misbehaves as the test says."""

    __test__ = False

    def __init__(self) -> None:
        self.begin_anew()

    def begin_anew(self) -> None:
        """Forgets what was asked and behaves as audit does: between the tests of a module."""
        self.asked: list[audit_pb.AuthorizeRequest] = []
        self.outcomes: list[audit_pb.RecordOutcomeRequest] = []
        self.intents: list[audit_pb.RecordIntentRequest] = []
        self.intent_error: AlprError | None = None
        self.refusal: AlprError | None = None
        self.outcome_error: AlprError | None = None
        self.silent = False
        self.system = SystemSettings()
        self.account = ACCOUNT
        self.change_permit: Callable[[Permit], str] = Permit.text
        self.change_response: Callable[[audit_pb.AuthorizeResponse], None] = lambda _: None
        self.before_outcome: Callable[[], Awaitable[None]] = _nothing
        self._authorized: dict[str, audit_pb.AuthorizeResponse] = {}
        self._intended: dict[str, audit_pb.RecordIntentResponse] = {}

    async def Authorize(self, request: audit_pb.AuthorizeRequest, context: Any) -> audit_pb.AuthorizeResponse:  # noqa: N802
        self.asked.append(request)
        await self._misbehave(self.refusal, context)
        if request.request_id not in self._authorized:
            self._authorized[request.request_id] = self._authorize(request)
        return self._authorized[request.request_id]

    async def RecordIntent(  # noqa: N802
        self, request: audit_pb.RecordIntentRequest, context: Any
    ) -> audit_pb.RecordIntentResponse:
        self.intents.append(request)
        await self._misbehave(self.intent_error, context)
        if request.request_id not in self._intended:
            actor = audit_pb.Actor(account_id=self.account, agency_ori=ORI)
            self._intended[request.request_id] = audit_pb.RecordIntentResponse(
                intent_id=str(uuid4()), actor=actor
            )
        return self._intended[request.request_id]

    async def RecordOutcome(  # noqa: N802
        self, request: audit_pb.RecordOutcomeRequest, context: Any
    ) -> audit_pb.RecordOutcomeResponse:
        await self.before_outcome()
        await self._misbehave(self.outcome_error, context)
        self.outcomes.append(request)
        return audit_pb.RecordOutcomeResponse(
            subject_receipt=receipt_pb2.AuditReceipt(entry_id=request.subject_id, log_index=1, leaf=b"q"),
            outcome_receipt=receipt_pb2.AuditReceipt(entry_id=str(uuid4()), log_index=2, leaf=b"o"),
        )

    async def _misbehave(self, error: AlprError | None, context: Any) -> None:
        if self.silent:
            await asyncio.sleep(3600)
        if error:
            await context.abort_with_status(rpc_status.to_status(to_status(error)))

    def _authorize(self, request: audit_pb.AuthorizeRequest) -> audit_pb.AuthorizeResponse:
        if request.question.HasField("look_back"):
            return self._authorize_look_back(request.question.look_back)
        if request.question.HasField("look_back_pictures"):
            return self._authorize_pictures(request.question.look_back_pictures)
        asked = request.question.archive
        start = now() - timedelta(days=90)
        if asked.HasField("from"):
            start = max(start, to_datetime(getattr(asked, "from")))
        end = min(now(), to_datetime(asked.to)) if asked.HasField("to") else now()
        named = tuple((one.name, one.value) for one in asked.arguments)
        question = General(asked.kind, named, (), us(start), us(end), asked.page_size)
        return self._allow(Permit(question.canonical(), asked.kind, us(start), us(end)), start, end)

    def _authorize_look_back(self, asked: audit_pb.LookBackQuestion) -> audit_pb.AuthorizeResponse:
        start, end = to_datetime(getattr(asked, "from")), to_datetime(asked.to)
        apart = asked.partition == sensor_pb2.PARTITION_MOTOR_CARRIER
        kind = "mcslookback" if apart else "lookback"
        question = canonical(
            ("kind", kind),
            ("intent_id", asked.intent_id),
            ("changed_id", asked.changed_id),
            ("match_revision", str(asked.match_revision)),
            ("from_us", str(us(start))),
            ("to_us", str(us(end))),
            ("plate_count", str(asked.plate_count)),
            ("plates_sha256", asked.plates_sha256.hex()),
            ("page_size", str(asked.page_size)),
            ("after_read_id", asked.after_read_id),
        )
        return self._allow(Permit(question, kind, us(start), us(end)), start, end)

    def _authorize_pictures(self, asked: audit_pb.LookBackPictureQuestion) -> audit_pb.AuthorizeResponse:
        start, end = to_datetime(getattr(asked, "from")), to_datetime(asked.to)
        named = (
            ("intent_id", asked.intent_id),
            ("changed_id", asked.changed_id),
            ("read_ids", ",".join(asked.read_ids)),
        )
        kind = (
            "mcslookbackimage" if asked.partition == sensor_pb2.PARTITION_MOTOR_CARRIER else "lookbackimage"
        )
        question = General(kind, named, (), us(start), us(end), len(asked.read_ids))
        return self._allow(Permit(question.canonical(), kind, us(start), us(end)), start, end)

    def _allow(self, permit: Permit, start: datetime, end: datetime) -> audit_pb.AuthorizeResponse:
        key = MCS_PERMIT_KEY if permit.kind.startswith("mcs") else PERMIT_KEY
        permit = replace(permit, account_id=self.account, key=key)
        response = audit_pb.AuthorizeResponse(
            authorization_id=str(permit.permit_id),
            permit=self.change_permit(permit),
            actor=audit_pb.Actor(account_id=self.account, agency_ori=ORI),
            agency_oris=[ORI],
            to=to_timestamp(end),
        )
        getattr(response, "from").CopyFrom(to_timestamp(start))
        self.change_response(response)
        return response


@dataclass
class World:
    """Everything that a test of search needs."""

    audit: TestAudit
    audit_server: grpc.aio.Server
    database: MigratedDatabase
    settings: SearchSettings
    archive: Any
    search: Any
    people: grpc.aio.Channel
    tls: DevelopmentAuthority
    port: int
    metadata: tuple[tuple[str, str], ...] = field(default_factory=lambda: (bearer(OFFICER),))

    async def ask(self, plate: str, **changes: Any) -> search_pb.SearchReadsResponse:
        """SearchReads as an officer sends it."""
        answer: search_pb.SearchReadsResponse = await self.search.SearchReads(
            question(plate, **changes), metadata=self.metadata, timeout=20
        )
        return answer

    async def admin(self, statement: str, *arguments: object) -> list[asyncpg.Record]:
        """Rows of a statement of the database's administrator."""
        connection = await asyncpg.connect(self.database.admin_url)
        try:
            return await connection.fetch(statement, *arguments)
        finally:
            await connection.close()

    def channel(self, service: str) -> grpc.aio.Channel:
        """A channel to search with another service's certificate."""
        return service_channel(f"127.0.0.1:{self.port}", client_tls(self.tls, service), server_name="search")


def question(plate: str, **changes: Any) -> search_pb.SearchReadsRequest:
    """A complete request."""
    return search_pb.SearchReadsRequest(
        **{
            "request_id": str(uuid4()),
            "plate": plate,
            "justification": justification_pb2.Justification(
                case_number_kind=justification_pb2.CASE_NUMBER_KIND_CAD,
                case_number="26-0001",
                purpose="homicide investigation, victim's car seen leaving",
                offence_code="HOMICIDE",
            ),
            **changes,
        }
    )


def client_tls(tls: DevelopmentAuthority, service: str) -> ClientTls:
    """Certificate files of a service."""
    files = tls.service(service)
    return ClientTls(certificate=files.cert_file, key=files.key_file, ca=files.ca_file)


async def serve_audit(tls: DevelopmentAuthority, audit: TestAudit) -> tuple[grpc.aio.Server, int]:
    """The audit service of the test, listening."""
    files = tls.server("audit")
    credentials = grpc.ssl_server_credentials(
        [(files.key_file.read_bytes(), files.cert_file.read_bytes())],
        files.ca_file.read_bytes(),
        require_client_auth=True,
    )
    server = grpc.aio.server()
    add_AuthorizationServiceServicer_to_server(audit, server)
    add_SettingsServiceServicer_to_server(audit.system, server)
    port = server.add_secure_port("127.0.0.1:0", credentials)
    await server.start()
    return server, port


def environment(
    tls: DevelopmentAuthority, database: MigratedDatabase, folder: Path, audit_port: int
) -> dict[str, str]:
    """Environment of a search process."""
    files, key_file = tls.server("search"), folder / "token.key"
    evidence_file, hold_file = folder / "evidence.key", folder / "hold.key"
    mcs_hold_file, mcs_evidence_file = folder / "mcs-hold.key", folder / "mcs-evidence.key"
    for file in (key_file, evidence_file, hold_file, mcs_hold_file, mcs_evidence_file):
        if not file.exists():
            file.write_text(secrets.token_hex(32))
    return {
        "PW_LISTEN": "127.0.0.1:0",
        "PW_USER_LISTEN": "127.0.0.1:0",
        "PW_TLS_CERT": str(files.cert_file),
        "PW_TLS_KEY": str(files.key_file),
        "PW_TLS_CA": str(files.ca_file),
        "PW_APPEND_DATABASE_URL": database.url("search_append"),
        "PW_QUESTION_DATABASE_URL": database.url("search_question"),
        "PW_PURGE_DATABASE_URL": database.url("search_purge"),
        "PW_HEALTH_DATABASE_URL": database.url("search_health"),
        "PW_MCS_APPEND_DATABASE_URL": database.url("search_mcs_append"),
        "PW_MCS_QUESTION_DATABASE_URL": database.url("search_mcs_question"),
        "PW_MCS_PURGE_DATABASE_URL": database.url("search_mcs_purge"),
        "PW_REGISTER_DATABASE_URL": database.url("search_register"),
        "PW_MCS_REGISTER_DATABASE_URL": database.url("search_mcs_register"),
        "PW_EVIDENCE_KEK_FILE": str(evidence_file),
        "PW_MCS_EVIDENCE_KEK_FILE": str(mcs_evidence_file),
        "PW_HOLD_KEK_FILE": str(hold_file),
        "PW_MCS_HOLD_KEK_FILE": str(mcs_hold_file),
        "PW_BACKUP_DAYS": "7",
        "PW_AUDIT_TARGET": f"127.0.0.1:{audit_port}",
        "PW_AUDIT_TIMEOUT_SECONDS": "1.5",
        "PW_TOKEN_KEY_FILE": str(key_file),
        "PW_IMAGE_STORE_DIR": str(folder / "images"),
        "PW_QUESTION_CONNECTIONS": "2",
        "PW_SHUTDOWN_GRACE_SECONDS": "2",
    }


@asynccontextmanager
async def running_world(
    tls: DevelopmentAuthority, database: MigratedDatabase, folder: Path
) -> AsyncIterator[World]:
    """Audit and search, running in this process; stopped at the end."""
    async with AsyncExitStack() as stack:
        audit = TestAudit()
        audit_server, audit_port = await serve_audit(tls, audit)
        stack.push_async_callback(audit_server.stop, None)
        values = environment(tls, database, folder, audit_port)
        settings = SearchSettings.model_validate(
            {name.removeprefix("PW_").lower(): value for name, value in values.items()}
        )
        builder: ServerBuilder = await assemble(settings)
        server = builder.build()
        await server.start()
        stack.push_async_callback(server.stop)
        await until_serving(server)
        matcher = service_channel(
            f"127.0.0.1:{server.port}", client_tls(tls, "matcher"), server_name="search"
        )
        # One try only, so that a test sees what each call gets.
        people = grpc.aio.secure_channel(
            f"127.0.0.1:{server.user_port}",
            grpc.ssl_channel_credentials(tls.ca_file.read_bytes()),
            options=(("grpc.enable_retries", 0),),
        )
        stack.push_async_callback(matcher.close)
        stack.push_async_callback(people.close)
        yield World(
            audit=audit,
            audit_server=audit_server,
            database=database,
            settings=settings,
            archive=ArchiveServiceStub(matcher),
            search=SearchServiceStub(people),
            people=people,
            tls=tls,
            port=server.port,
        )
