"""The audit service running against a real database, founded, with people to call it."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

import grpc
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from alpr.audit.v1 import account_service_pb2 as account_pb
from alpr.audit.v1 import authorization_service_pb2 as pb
from alpr.audit.v1 import governance_service_pb2 as agency_pb
from alpr.audit.v1 import office_service_pb2 as office_pb
from alpr.audit.v1 import settings_service_pb2 as settings_pb
from alpr.audit.v1 import unit_service_pb2 as unit_pb
from alpr.audit.v1.account_service_pb2_grpc import AccountServiceStub
from alpr.audit.v1.authorization_service_pb2_grpc import AuthorizationServiceStub
from alpr.audit.v1.governance_service_pb2_grpc import GovernanceServiceStub
from alpr.audit.v1.office_service_pb2_grpc import OfficeServiceStub
from alpr.audit.v1.settings_service_pb2_grpc import SettingsServiceStub
from alpr.audit.v1.unit_service_pb2_grpc import UnitServiceStub
from alpr.type.v1 import justification_pb2
from services.audit.__main__ import assemble
from services.audit.bootstrap import found
from services.audit.config import AuditSettings, read_signer
from services.audit.core.founding import Appointee, Founding, units_of
from services.audit.core.person import Profile
from services.audit.core.registry import Agency
from services.audit.core.unit import Unit, UnitKind
from services.audit.store_units import insert_appointment, insert_unit
from services.common.client import ClientTls, bearer, service_channel, user_channel
from services.common.clock import Clock, SystemClock
from services.common.database import admin_connection
from services.common.errors import AlprError, from_rpc_error
from services.common.wire import to_timestamp
from services.dev.pki import DevelopmentAuthority
from tests.support.databases import MCS_PERMIT_KEY, PERMIT_KEY, MigratedDatabase, fetch
from tests.support.issuer import RunningIssuer
from tests.support.serving import until_serving

ORI = "IL0000001"
OTHER_ORI = "IL0000002"
ORIGIN = "audit.test/platewarden"
DOMAIN = "isp.illinois.gov"
COORDINATOR = "coordinator"
ADMINISTRATOR = "administrator"
ALL_CERTIFICATIONS = tuple(number for number in account_pb.CertificationKind.values() if number)

_Stub = TypeVar("_Stub")


def request_id() -> str:
    return str(uuid4())


def founding(issuer: str) -> Founding:
    """A coordinator and an administrator, appointed on paper."""

    def person(office: str) -> Appointee:
        profile = Profile(
            office, issuer, f"{office.title()} One", f"B-{office}", f"{office}@{DOMAIN}", ORI, "HQ"
        )
        return Appointee(office, str(uuid4()), profile, datetime.now(UTC) + timedelta(days=365))

    document = hashlib.sha256(b"the appointing document").hexdigest()
    agency = Agency(ORI, "Illinois State Police", (DOMAIN,))
    return Founding(agency, "Deputy Director, DOP", document, (person(COORDINATOR), person(ADMINISTRATOR)))


def write_keys(folder: Path) -> tuple[Path, Path]:
    """Files of a new signing key and of the tests' permit key."""
    signing, permit = folder / "signing.pem", folder / "permit.hex"
    (folder / "mcs-permit.hex").write_text(MCS_PERMIT_KEY.hex(), encoding="ascii")
    (folder / "copy.hex").write_text(bytes(range(64, 96)).hex(), encoding="ascii")
    key = Ed25519PrivateKey.generate()
    signing.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    permit.write_text(PERMIT_KEY.hex(), encoding="ascii")
    return signing, permit


@dataclass
class RunningAudit:
    """A server, and ways to call it."""

    tls: DevelopmentAuthority
    issuer: RunningIssuer
    settings: AuditSettings
    database: MigratedDatabase
    stop: Callable[[], Awaitable[None]]
    target: str = ""
    user_target: str = ""
    _channels: list[grpc.aio.Channel] = field(default_factory=list)
    _services: dict[str, grpc.aio.Channel] = field(default_factory=dict)
    _head: str = COORDINATOR
    _units: set[tuple[str, str]] = field(default_factory=lambda: {(ORI, "HQ"), (ORI, "D1")})

    def service(self, stub: Callable[[grpc.aio.Channel], _Stub], name: str = "search") -> _Stub:
        """A stub that calls with the certificate of service `name`."""
        if name not in self._services:
            made = self.tls.service(name)
            tls = ClientTls(certificate=made.cert_file, key=made.key_file, ca=made.ca_file)
            self._services[name] = self._kept(service_channel(self.target, tls, server_name="audit"))
        return stub(self._services[name])

    def people(self, stub: Callable[[grpc.aio.Channel], _Stub]) -> _Stub:
        """A stub that calls as people do: with server TLS alone."""
        if "" not in self._services:
            self._services[""] = self._kept(user_channel(self.user_target, self.tls.ca_file))
        return stub(self._services[""])

    def token(self, subject: str, **claims: Any) -> str:
        return self.issuer.token(self._head if subject == COORDINATOR else subject, **claims)

    def bearer(self, subject: str) -> tuple[tuple[str, str]]:
        return (bearer(self.token(subject)),)

    def _kept(self, channel: grpc.aio.Channel) -> grpc.aio.Channel:
        self._channels.append(channel)
        return channel

    async def close(self) -> None:
        for channel in self._channels:
            await channel.close()

    async def person(
        self,
        *roles: pb.Role.ValueType,
        unit: str = "D1",
        certifications: tuple[int, ...] = ALL_CERTIFICATIONS,
        enable: bool = True,
        agency_ori: str = ORI,
        email: str = "",
    ) -> Officer:
        """A new person of the agency with these roles, made the way that coordinators do."""
        subject = f"person-{uuid4()}"
        stub, metadata = self.people(AccountServiceStub), self.bearer(COORDINATOR)
        await self.unit(agency_ori, unit)
        account = account_pb.Account(
            subject=subject,
            issuer=self.issuer.iss,
            full_name=f"Officer {subject[-4:]}",
            badge_number=subject[-8:],
            email=email or f"{subject}@{DOMAIN}",
            agency_ori=agency_ori,
            unit=unit,
        )
        request = account_pb.CreateAccountRequest(request_id=request_id(), account=account)
        made = (await stub.CreateAccount(request, metadata=metadata)).account
        for kind in certifications:
            await self.certify(made.account_id, kind, timedelta(days=300))
        heads = pb.ROLE_STATEWIDE_COORDINATOR in roles and agency_ori == ORI
        granted = (
            set(roles)
            - {pb.ROLE_WORK_UNIT_COORDINATOR}
            - ({pb.ROLE_STATEWIDE_COORDINATOR} if heads else set())
        )
        for role in granted or ({pb.ROLE_USER} if heads else set()):
            grant = account_pb.GrantRoleRequest(
                request_id=request_id(), account_id=made.account_id, role=role
            )
            await stub.GrantRole(grant, metadata=metadata)
        if pb.ROLE_WORK_UNIT_COORDINATOR in roles or agency_ori != ORI:
            await self.appoint(made.account_id, unit, agency_ori)
        if enable:
            await self._enable(made)
        officer = Officer(self, subject, made.account_id)
        if heads:
            await self._take_office(officer, only=not granted)
        return officer

    async def _enable(self, made: account_pb.Account) -> None:
        """Enables the account, also where a test has left the unit without a coordinator."""
        stub, metadata = self.people(AccountServiceStub), self.bearer(COORDINATOR)
        request = account_pb.EnableAccountRequest(request_id=request_id(), account_id=made.account_id)
        try:
            await stub.EnableAccount(request, metadata=metadata)
        except grpc.aio.AioRpcError as error:
            if from_rpc_error(error).metadata.get("missing") != "unit_coordinator":
                raise
            self._units.discard((made.agency_ori, made.unit))
            await self.unit(made.agency_ori, made.unit)
            request.request_id = request_id()
            await stub.EnableAccount(request, metadata=metadata)

    async def _take_office(self, officer: Officer, *, only: bool) -> None:
        """The officer takes the office; `only` leaves no role but that."""
        if only:  # whoever is to hold it is enabled, and nobody is enabled without a role
            request = account_pb.RevokeRoleRequest(
                request_id=request_id(), account_id=officer.account_id, role=pb.ROLE_USER
            )
            await self.people(AccountServiceStub).RevokeRole(request, metadata=self.bearer(COORDINATOR))
        await self.hand_over(officer)

    async def head_of(self, ori: str, *roles: pb.Role.ValueType) -> Officer:
        """The statewide coordinator of a new agency, with these roles besides, made by ours."""
        domain, metadata = f"{ori.lower()}.illinois.gov", self.bearer(COORDINATOR)
        agency = agency_pb.Agency(ori=ori, name=f"Agency {ori}", email_domains=[domain])
        register = agency_pb.RegisterAgencyRequest(request_id=request_id(), agency=agency)
        await self.people(GovernanceServiceStub).RegisterAgency(register, metadata=metadata)
        return await self.person(
            pb.ROLE_STATEWIDE_COORDINATOR, *roles, agency_ori=ori, unit="HQ", email=f"head@{domain}"
        )

    async def unit(self, ori: str, code: str) -> None:
        """Sees to it that the unit is registered; of our agency, that somebody coordinates it."""
        if (ori, code) in self._units:
            return
        made = unit_pb.Unit(agency_ori=ori, code=code, name=f"Unit {code}", kind=unit_pb.UNIT_KIND_DISTRICT)
        request = unit_pb.RegisterUnitRequest(request_id=request_id(), unit=made)
        stub, metadata = self.people(UnitServiceStub), self.bearer(COORDINATOR)
        with contextlib.suppress(grpc.aio.AioRpcError):  # it is there already
            await stub.RegisterUnit(request, metadata=metadata)
        units = (await stub.ListUnits(unit_pb.ListUnitsRequest(page_size=500), metadata=metadata)).units
        if ori == ORI and not any(one.served for one in units if one.code == code):
            own = account_pb.GetAccountRequest()
            answer = await self.people(AccountServiceStub).GetAccount(own, metadata=metadata)
            await self.appoint(answer.account.account_id, code)
        self._units.add((ori, code))

    async def hand_over(self, successor: Officer) -> None:
        """The successor takes the office of our statewide coordinator, and is COORDINATOR from now on."""
        offer = office_pb.OfficeOffer(
            successor_account_id=successor.account_id,
            official="Deputy Director, DOP",
            document_sha256=bytes(32),
        )
        request = office_pb.OfferOfficeRequest(request_id=request_id(), offer=offer)
        stub = self.people(OfficeServiceStub)
        offered = (await stub.OfferOffice(request, metadata=self.bearer(COORDINATOR))).offer
        accept = office_pb.AcceptOfficeRequest(request_id=request_id(), offer_id=offered.offer_id)
        await stub.AcceptOffice(accept, metadata=successor.metadata)
        self.is_handed_to(successor)

    def is_handed_to(self, successor: Officer) -> None:
        """The successor holds the office, and is COORDINATOR from now on; units want a new appointment."""
        self._head = successor.subject
        self._units = {one for one in self._units if one[0] != ORI}

    async def appoint(self, account_id: str, code: str, ori: str = ORI) -> None:
        """The unit's commander appoints the account's holder to coordinate it."""
        appointment = unit_pb.Appointment(
            account_id=account_id, commander="Captain C. Commander", document_sha256=bytes(32)
        )
        request = unit_pb.AppointCoordinatorRequest(
            request_id=request_id(), agency_ori=ori, code=code, appointment=appointment
        )
        stub = self.people(UnitServiceStub)
        await stub.AppointCoordinator(request, metadata=self.bearer(COORDINATOR))

    async def set(self, name: str, value: int, *, before: int) -> None:
        """Changes a system-wide setting, as a system administrator does."""
        change = settings_pb.SetSettingRequest(
            request_id=request_id(), name=name, value=value, value_before=before, reason="for a test"
        )
        stub = self.people(SettingsServiceStub)
        await stub.SetSetting(change, metadata=self.bearer(ADMINISTRATOR))

    async def certify(self, account_id: str, kind: int, life: timedelta) -> None:
        now = datetime.now(UTC)
        certification = account_pb.Certification(
            kind=account_pb.CertificationKind.ValueType(kind),
            valid_from=to_timestamp(now - timedelta(days=1)),
            valid_until=to_timestamp(now + life),
            reference="certificate 4711",
        )
        request = account_pb.RecordCertificationRequest(
            request_id=request_id(), account_id=account_id, certification=certification
        )
        await self.people(AccountServiceStub).RecordCertification(request, metadata=self.bearer(COORDINATOR))


@dataclass(frozen=True)
class Officer:
    """A person with an account."""

    audit: RunningAudit
    subject: str
    account_id: str

    def token(self, **claims: Any) -> str:
        return self.audit.token(self.subject, **claims)

    @property
    def metadata(self) -> tuple[tuple[str, str]]:
        return self.audit.bearer(self.subject)


def justification(**changes: Any) -> justification_pb2.Justification:
    """One that is good enough, but for `changes`."""
    usual = {
        "case_number_kind": justification_pb2.CASE_NUMBER_KIND_CAD,
        "case_number": "2026-004711",
        "purpose": "homicide investigation, victim's car seen leaving",
        "offence_code": "HOMICIDE",
    }
    return justification_pb2.Justification(**{**usual, **changes})


def archive_question(**changes: Any) -> pb.Question:
    """The question for the reads of a plate, but for `changes`."""
    arguments = [pb.QuestionArgument(name="plate", value="AB1234")]
    usual = {"kind": "reads", "page_size": 100, "arguments": arguments}
    return pb.Question(archive=pb.ArchiveQuestion(**{**usual, **changes}))


def plate_request(token: str, **changes: Any) -> pb.AuthorizeRequest:
    """A question for a plate, complete but for `changes`."""
    usual = {
        "request_id": request_id(),
        "access_token": token,
        "justification": justification(),
        "question": archive_question(),
    }
    return pb.AuthorizeRequest(**{**usual, **changes})


def authorizations(audit: RunningAudit, name: str = "search") -> Any:
    return audit.service(AuthorizationServiceStub, name)


def settings_for(
    database: MigratedDatabase, tls: DevelopmentAuthority, issuer: RunningIssuer, folder: Path
) -> AuditSettings:
    """Settings on free loopback ports."""
    signing, permit = write_keys(folder)
    (folder / "checkpoints").mkdir(exist_ok=True)
    made = tls.server("audit")
    return AuditSettings(
        listen="127.0.0.1:0",
        user_listen="127.0.0.1:0",
        tls_cert=made.cert_file,
        tls_key=made.key_file,
        tls_ca=made.ca_file,
        sensor_ca=tls.sensor_ca_file,
        sensor_ca_key_file=tls.sensor_ca_key_file,
        shutdown_grace_seconds=2,
        database_url=database.url("audit_app"),
        oidc_issuer=issuer.iss,
        oidc_audience=issuer.audience,
        oidc_jwks_url=issuer.jwks_url,
        oidc_algorithms="RS256,ES256",
        oidc_required_acr=issuer.acr,
        oidc_required_amr=issuer.amr,
        oidc_password_policy=issuer.password_policy,
        oidc_allow_development_issuer=True,
        log_origin=ORIGIN,
        log_signing_key_file=signing,
        permit_key_file=permit,
        mcs_permit_key_file=permit.with_name("mcs-permit.hex"),
        log_checkpoint_dir=folder / "checkpoints",
        log_copy_key_file=permit.with_name("copy.hex"),
    )


async def refused(call: Any) -> AlprError:
    """The error of ours with which the call ended; it must end with one."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return from_rpc_error(caught.value)


async def last_entry(audit: RunningAudit) -> dict[str, str]:
    """The fields of the newest log entry."""
    rows = await fetch(
        audit.database.admin_url,
        "SELECT name, value FROM audit.log_field"
        " WHERE log_index = (SELECT max(log_index) FROM audit.log_leaf)",
    )
    return {row["name"]: row["value"] for row in rows}


async def log_size(audit: RunningAudit) -> int:
    rows = await fetch(audit.database.admin_url, "SELECT size FROM audit.log_head")
    return int(rows[0]["size"])


@asynccontextmanager
async def running_audit(
    settings: AuditSettings,
    database: MigratedDatabase,
    tls: DevelopmentAuthority,
    issuer: RunningIssuer,
    clock: Clock | None = None,
) -> AsyncIterator[RunningAudit]:
    """A replica of the service that serves until the end of the block."""
    server = (await assemble(settings, clock or SystemClock())).build()
    await server.start()
    audit = RunningAudit(tls, issuer, settings, database, stop=server.stop)
    audit.target, audit.user_target = f"127.0.0.1:{server.port}", f"localhost:{server.user_port}"
    try:
        await until_serving(server)
        yield audit
    finally:
        await audit.close()
        await server.stop()


async def begin(settings: AuditSettings, database: MigratedDatabase, issuer: RunningIssuer) -> None:
    """Founds the system, with a unit D1 besides, which the statewide coordinator coordinates."""
    signer = read_signer(settings.log_origin, settings.log_signing_key_file)
    made = founding(issuer.iss)
    entry_id = await found(database.admin_url, made, signer, datetime.now(UTC))
    (_, appointment), district = units_of(made)[0], Unit(ORI, "D1", "District 1", UnitKind.DISTRICT)
    async with admin_connection(database.admin_url) as connection, connection.transaction():
        await insert_unit(connection, entry_id, district)
        await insert_appointment(connection, entry_id, district, appointment)
