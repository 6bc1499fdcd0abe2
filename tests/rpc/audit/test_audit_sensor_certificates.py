"""Certificates of sensors: issued, put on record, revoked (ENF-051 III.B.3.h)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from alpr.audit.v1 import authorization_service_pb2 as audit_pb
from alpr.audit.v1 import sensor_certificate_service_pb2 as pb
from alpr.audit.v1 import sensor_service_pb2 as sensor_pb
from alpr.audit.v1.sensor_certificate_service_pb2_grpc import SensorCertificateServiceStub
from alpr.audit.v1.sensor_service_pb2_grpc import SensorServiceStub
from alpr.type.v1 import read_pb2, sensor_pb2
from services.audit.app_log import Log
from services.audit.app_sensor_certificates import CertificateEnds
from services.audit.checkpoint_copies import CheckpointFolder
from services.audit.store_log import LogStore
from services.audit.store_sensor_certificates import SensorCertificateStore
from services.common.clock import SystemClock
from services.common.identity import sensor_uri
from services.common.pg import open_pool
from services.common.wire import to_datetime
from services.dev.pki import DevelopmentAuthority
from tests.support.audit_kit import (
    COORDINATOR,
    ORI,
    RunningAudit,
    begin,
    last_entry,
    refused,
    request_id,
    running_audit,
    settings_for,
)
from tests.support.databases import MigratedDatabase, fetch
from tests.support.issuer import RunningIssuer
from tests.support.sensor_certificates import digest_of

pytestmark = pytest.mark.asyncio(loop_scope="session")


def stub(audit: RunningAudit) -> Any:
    return audit.people(SensorCertificateServiceStub)


def pem_of(key: Any, **subject: str) -> str:
    """A request (PKCS #10) of that key."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject.get("name", "cam"))])
    made = x509.CertificateSigningRequestBuilder().subject_name(name)
    if uri := subject.get("uri"):
        made = made.add_extension(
            x509.SubjectAlternativeName([x509.UniformResourceIdentifier(uri)]), critical=False
        ).add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    digest = None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    return made.sign(key, digest).public_bytes(serialization.Encoding.PEM).decode()


def new_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def wish(sensor_id: str, key: Any = None, **changes: Any) -> pb.IssueSensorCertificateRequest:
    usual = {
        "request_id": request_id(),
        "sensor_id": sensor_id,
        "certificate_request": pem_of(key or new_key()),
    }
    return pb.IssueSensorCertificateRequest(**{**usual, **changes})


def revocation(
    sensor_id: str, certificate: sensor_pb2.SensorCertificate
) -> pb.RevokeSensorCertificateRequest:
    return pb.RevokeSensorCertificateRequest(
        request_id=request_id(),
        sensor_id=sensor_id,
        sha256=certificate.sha256,
        reason="camera stolen",
    )


async def a_sensor(audit: RunningAudit, by: Any = None, **changes: Any) -> str:
    """Id of a new sensor of the agency."""
    sensor_id = f"cam-{request_id()[:8]}"
    usual = {
        **{"sensor_id": sensor_id, "agency_ori": ORI, "sensor_group": "expressway-north"},
        "deployment_type": sensor_pb2.DEPLOYMENT_TYPE_FIXED,
        "place": read_pb2.Place(latitude=41.9, longitude=-87.8, description="I-90 at mile 12"),
        "provenance": sensor_pb2.PROVENANCE_OWN,
    }
    request = sensor_pb.RegisterSensorRequest(
        request_id=request_id(), sensor=sensor_pb2.Sensor(**{**usual, **changes})
    )
    metadata = by or audit.bearer(COORDINATOR)
    await audit.people(SensorServiceStub).RegisterSensor(request, metadata=metadata)
    return sensor_id


async def shown(audit: RunningAudit, sensor_id: str) -> sensor_pb.GetSensorResponse:
    request = sensor_pb.GetSensorRequest(sensor_id=sensor_id)
    answer: sensor_pb.GetSensorResponse = await audit.people(SensorServiceStub).GetSensor(
        request, metadata=audit.bearer(COORDINATOR)
    )
    return answer


@pytest.mark.clause("III.B.3.h")
async def test_a_certificate_says_what_the_registry_says_and_nothing_that_was_asked_for(
    audit: RunningAudit,
) -> None:
    sensor_id, key = await a_sensor(audit), new_key()
    hostile = pem_of(key, name="audit", uri="spiffe://platewarden/service/audit")

    answer = await stub(audit).IssueSensorCertificate(
        wish(sensor_id, certificate_request=hostile, valid_days=30), metadata=audit.bearer(COORDINATOR)
    )

    made = x509.load_pem_x509_certificate(answer.certificate_pem.encode())
    authority = x509.load_pem_x509_certificate(audit.tls.sensor_ca_file.read_bytes())
    made.verify_directly_issued_by(authority)
    names = made.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    usage = made.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert made.public_key() == key.public_key()
    assert [one.value for one in names] == [sensor_uri(sensor_id)]
    assert not made.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert list(usage) == [ExtendedKeyUsageOID.CLIENT_AUTH]
    assert made.fingerprint(hashes.SHA256()) == answer.certificate.sha256
    left = to_datetime(answer.certificate.end_time) - datetime.now(UTC)
    assert timedelta(days=29) < left <= timedelta(days=30)


@pytest.mark.clause("III.B.3.h")
async def test_what_is_issued_and_revoked_reaches_services_at_once_and_the_log_and_the_history_tell_it(
    audit: RunningAudit,
) -> None:
    sensor_id, coordinator = await a_sensor(audit), audit.bearer(COORDINATOR)
    stream = audit.service(SensorServiceStub, "matcher").WatchSensors(sensor_pb.WatchSensorsRequest())
    assert not _heard(await stream.read(), sensor_id).certificates

    issued = (await stub(audit).IssueSensorCertificate(wish(sensor_id), metadata=coordinator)).certificate
    entry = await last_entry(audit)
    told = await _next_word(stream, sensor_id)
    revoked = await stub(audit).RevokeSensorCertificate(revocation(sensor_id, issued), metadata=coordinator)
    told_again = await _next_word(stream, sensor_id)
    stream.cancel()

    assert list(told.certificates) == [issued]
    assert told_again.certificates[0].HasField("revoke_time")
    assert told_again.certificates[0] == revoked.certificate
    assert (entry["action"], entry["resource"], entry["result"]) == ("sensor.certify", sensor_id, "DONE")
    last = await last_entry(audit)
    assert (last["action"], last["result"]) == ("sensor.revoke", "DONE")
    acts = (await shown(audit, sensor_id)).acts
    assert [one.action for one in acts] == ["sensor.revoke", "sensor.certify", "sensor.register"]
    assert len({one.account_id for one in acts}) == 1


def _heard(message: sensor_pb.WatchSensorsResponse, sensor_id: str) -> sensor_pb2.Sensor:
    (found,) = [one for one in message.sensors if one.sensor_id == sensor_id]
    return found


async def _next_word(stream: Any, sensor_id: str) -> sensor_pb2.Sensor:
    """The sensor as the stream tells of its next change."""
    async with asyncio.timeout(60):
        while True:
            message = await stream.read()
            if any(one.sensor_id == sensor_id for one in message.sensors):
                return _heard(message, sensor_id)


@pytest.mark.clause("III.B.3.h")
async def test_a_request_that_comes_again_gets_the_same_certificate(audit: RunningAudit) -> None:
    sensor_id, coordinator = await a_sensor(audit), audit.bearer(COORDINATOR)
    request = wish(sensor_id)

    first = await stub(audit).IssueSensorCertificate(request, metadata=coordinator)
    again = await stub(audit).IssueSensorCertificate(request, metadata=coordinator)
    changed = await refused(
        stub(audit).IssueSensorCertificate(
            wish(sensor_id, request_id=request.request_id), metadata=coordinator
        )
    )
    revoke = revocation(sensor_id, first.certificate)
    one = await stub(audit).RevokeSensorCertificate(revoke, metadata=coordinator)
    same = await stub(audit).RevokeSensorCertificate(revoke, metadata=coordinator)
    later = await stub(audit).RevokeSensorCertificate(
        revocation(sensor_id, first.certificate), metadata=coordinator
    )

    assert first == again
    assert changed.code is grpc.StatusCode.ALREADY_EXISTS
    assert one == same == later
    assert len((await shown(audit, sensor_id)).sensor.certificates) == 1


@pytest.mark.clause("III.B.3.h")
async def test_two_are_good_at_a_time_and_a_revoked_one_makes_room(audit: RunningAudit) -> None:
    sensor_id, coordinator = await a_sensor(audit), audit.bearer(COORDINATOR)
    issue = stub(audit).IssueSensorCertificate
    first, _ = [(await issue(wish(sensor_id), metadata=coordinator)).certificate for _ in range(2)]

    third = await refused(issue(wish(sensor_id), metadata=coordinator))
    await stub(audit).RevokeSensorCertificate(revocation(sensor_id, first), metadata=coordinator)
    made = await issue(wish(sensor_id), metadata=coordinator)

    assert third.code is grpc.StatusCode.FAILED_PRECONDITION
    assert made.certificate.sha256 != first.sha256


@pytest.mark.clause("III.B.3.h")
async def test_of_replicas_that_issue_at_the_same_time_no_third_certificate_comes(
    audit: RunningAudit,
) -> None:
    sensor_id, coordinator = await a_sensor(audit), audit.bearer(COORDINATOR)
    calls = [stub(audit).IssueSensorCertificate(wish(sensor_id), metadata=coordinator) for _ in range(6)]

    outcomes = await asyncio.gather(*calls, return_exceptions=True)

    assert sum(not isinstance(one, BaseException) for one in outcomes) == 2
    assert len((await shown(audit, sensor_id)).sensor.certificates) == 2


@pytest.mark.clause("III.B.3.h")
async def test_a_key_that_was_revoked_or_is_another_sensors_gets_no_certificate(audit: RunningAudit) -> None:
    one, other = await a_sensor(audit), await a_sensor(audit)
    coordinator, lost, used = audit.bearer(COORDINATOR), new_key(), new_key()
    issue = stub(audit).IssueSensorCertificate
    gone = (await issue(wish(one, lost), metadata=coordinator)).certificate
    await stub(audit).RevokeSensorCertificate(revocation(one, gone), metadata=coordinator)
    await issue(wish(one, used), metadata=coordinator)

    revoked = await refused(issue(wish(one, lost), metadata=coordinator))
    of_another = await refused(issue(wish(other, used), metadata=coordinator))

    assert revoked.code is of_another.code is grpc.StatusCode.FAILED_PRECONDITION
    assert "new key" in revoked.message
    assert "another sensor" in of_another.message


def _tampered() -> str:
    """A request whose signature is of another key."""
    mine = x509.load_pem_x509_csr(pem_of(new_key()).encode())
    other = x509.load_pem_x509_csr(pem_of(new_key()).encode())
    body, foreign = mine.public_bytes(serialization.Encoding.DER), other.signature
    at = body.rindex(mine.signature) if len(mine.signature) == len(foreign) else -1
    if at < 0:
        return _tampered()
    forged = body[:at] + foreign
    return x509.load_der_x509_csr(forged).public_bytes(serialization.Encoding.PEM).decode()


HOSTILE: dict[str, Callable[[], str]] = {
    "words": lambda: "please",
    "der in disguise": lambda: pem_of(new_key())[:60] + "\n-----END CERTIFICATE REQUEST-----\n",
    "two of them": lambda: pem_of(new_key()) * 2,
    "a private key besides": lambda: (
        pem_of(new_key())
        + new_key()
        .private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        .decode()
    ),
    "another's signature": _tampered,
    "a weak key": lambda: pem_of(rsa.generate_private_key(65537, 1024)),  # noqa: S505
    "a rare curve": lambda: pem_of(ec.generate_private_key(ec.SECP521R1())),
    "a key that TLS does not take here": lambda: pem_of(ed25519.Ed25519PrivateKey.generate()),
}


@pytest.mark.parametrize("kind", sorted(HOSTILE))
async def test_a_request_that_proves_nothing_is_refused_with_what_to_change(
    audit: RunningAudit, kind: str
) -> None:
    sensor_id = await a_sensor(audit)
    request = wish(sensor_id, certificate_request=HOSTILE[kind]())

    error = await refused(stub(audit).IssueSensorCertificate(request, metadata=audit.bearer(COORDINATOR)))

    assert error.code is grpc.StatusCode.INVALID_ARGUMENT
    assert [one.field for one in error.violations] == ["certificate_request"]
    assert not (await shown(audit, sensor_id)).sensor.certificates


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"sensor_id": "../etc"}, "sensor_id"),
        ({"valid_days": 399}, "valid_days"),
        ({"valid_days": -1}, "valid_days"),
        ({"certificate_request": ""}, "certificate_request"),
        ({"certificate_request": "A" * 16_385}, "certificate_request"),
        ({"request_id": "1"}, "request_id"),
    ],
)
async def test_each_wrong_field_is_named(audit: RunningAudit, changes: dict[str, Any], field: str) -> None:
    request = wish(**{"sensor_id": "cam-x", **changes})

    error = await refused(stub(audit).IssueSensorCertificate(request, metadata=audit.bearer(COORDINATOR)))

    assert [one.field for one in error.violations] == [field]


@pytest.mark.clause("III.B.3.h")
async def test_a_certificate_of_the_agencys_own_authority_is_put_on_record_for_its_sensor_only(
    audit: RunningAudit,
) -> None:
    sensor_id, other, coordinator = await a_sensor(audit), await a_sensor(audit), audit.bearer(COORDINATOR)
    issued = audit.tls.sensor(sensor_id)
    record = stub(audit).RecordSensorCertificate

    def request(whose: str, pem: str) -> pb.RecordSensorCertificateRequest:
        return pb.RecordSensorCertificateRequest(
            request_id=request_id(), sensor_id=whose, certificate_pem=pem
        )

    pem = issued.cert_file.read_text()
    made = await record(request(sensor_id, pem), metadata=coordinator)
    twice = await refused(record(request(sensor_id, pem), metadata=coordinator))
    foreign = await refused(record(request(other, pem), metadata=coordinator))
    services = audit.tls.service("matcher").cert_file.read_text()
    of_service = await refused(record(request(other, services), metadata=coordinator))

    assert made.certificate.sha256 == digest_of(issued)
    assert twice.code is grpc.StatusCode.ALREADY_EXISTS
    for error in (foreign, of_service):
        assert [one.field for one in error.violations] == ["certificate_pem"]


@pytest.mark.clause("III.B.3.l", "III.C.2.a", "III.E.1")
async def test_certificates_are_the_coordinators_and_those_of_motor_carrier_safety_its_supervisors(
    audit: RunningAudit,
) -> None:
    supervisor, officer = [
        await audit.person(role) for role in (audit_pb.ROLE_CVEO_SUPERVISOR, audit_pb.ROLE_USER)
    ]
    unit_coordinator = await audit.person(audit_pb.ROLE_WORK_UNIT_COORDINATOR, unit="D7")
    general, of_unit = await a_sensor(audit), await a_sensor(audit, unit="D8")
    apart = await a_sensor(audit, supervisor.metadata, partition=sensor_pb2.PARTITION_MOTOR_CARRIER)
    issue = stub(audit).IssueSensorCertificate

    by_officer = await refused(issue(wish(general), metadata=officer.metadata))
    by_supervisor = await refused(issue(wish(general), metadata=supervisor.metadata))
    by_coordinator = await refused(issue(wish(apart), metadata=audit.bearer(COORDINATOR)))
    elsewhere = await refused(issue(wish(of_unit), metadata=unit_coordinator.metadata))
    own = await issue(wish(apart), metadata=supervisor.metadata)
    revoke = revocation(apart, own.certificate)
    not_revoked = await refused(
        stub(audit).RevokeSensorCertificate(revoke, metadata=audit.bearer(COORDINATOR))
    )
    await stub(audit).RevokeSensorCertificate(revoke, metadata=supervisor.metadata)

    refusals = (by_officer, by_supervisor, by_coordinator, not_revoked)
    assert {error.metadata["clauses"] for error in refusals} == {"III.B.3.l"}
    assert elsewhere.metadata["clauses"] == "III.C.2.a"
    assert (await last_entry(audit))["action"] == "mcs_sensor.revoke"


async def test_without_an_authority_of_its_own_the_system_says_what_to_do(
    migrated_database: Any, tls: DevelopmentAuthority, issuer: RunningIssuer, tmp_path: Any
) -> None:
    database: MigratedDatabase = await migrated_database("audit")
    settings = settings_for(database, tls, issuer, tmp_path).model_copy(update={"sensor_ca_key_file": None})
    await begin(settings, database, issuer)
    async with running_audit(settings, database, tls, issuer) as audit:
        sensor_id = await a_sensor(audit)
        error = await refused(
            stub(audit).IssueSensorCertificate(wish(sensor_id), metadata=audit.bearer(COORDINATOR))
        )

    assert error.code is grpc.StatusCode.FAILED_PRECONDITION
    assert "your own authority" in error.message


@pytest.mark.clause("III.B.3.h")
async def test_a_certificate_that_ends_soon_is_told_of_once_and_not_when_its_successor_is_there(
    audit: RunningAudit,
) -> None:
    coordinator, issue = audit.bearer(COORDINATOR), stub(audit).IssueSensorCertificate
    alone, renewed, fresh = [await a_sensor(audit) for _ in range(3)]
    for sensor_id, days in ((alone, 10), (renewed, 10), (renewed, 90), (fresh, 90)):
        await issue(wish(sensor_id, valid_days=days), metadata=coordinator)

    await asyncio.gather(*(_look(audit) for _ in range(2)))
    await _look(audit)

    told = await fetch(
        audit.database.admin_url,
        """SELECT resource.value AS sensor_id FROM audit.log_field AS action
           JOIN audit.log_field AS resource USING (log_index)
           WHERE action.name = 'action' AND action.value = 'sensor_certificate.ending'
             AND resource.name = 'resource'""",
    )
    ids = [row["sensor_id"] for row in told]
    assert ids.count(alone) == 1
    assert renewed not in ids
    assert fresh not in ids


async def _look(audit: RunningAudit) -> None:
    """What a replica does every minute."""
    pool = await open_pool(audit.database.url("audit_app"), application_name="ends", max_size=2)
    copies = CheckpointFolder(audit.settings.log_checkpoint_dir, audit.settings.log_origin)
    journal = Log(LogStore(pool), audit.settings.signer(), SystemClock(), copies)
    await journal.open()
    try:
        kept, period = SensorCertificateStore(pool), timedelta(days=21)
        await CertificateEnds(journal, kept, SystemClock(), lambda: period).look()
    finally:
        await journal.close()
        await pool.close()


@pytest.mark.clause("III.B.3.h")
async def test_the_database_itself_lets_no_revoked_certificate_come_back(audit: RunningAudit) -> None:
    sensor_id, coordinator = await a_sensor(audit), audit.bearer(COORDINATOR)
    issued = (await stub(audit).IssueSensorCertificate(wish(sensor_id), metadata=coordinator)).certificate
    await stub(audit).RevokeSensorCertificate(revocation(sensor_id, issued), metadata=coordinator)
    for statement in (
        "UPDATE audit.sensor_certificate SET revoke_time = NULL, reason = NULL WHERE sha256 = $1",
        "UPDATE audit.sensor_certificate SET revoke_time = revoke_time + interval '1 day' WHERE sha256 = $1",
        "DELETE FROM audit.sensor_certificate WHERE sha256 = $1",
    ):
        for url in (audit.database.url("audit_app"), audit.database.admin_url):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await fetch(url, statement, issued.sha256)
