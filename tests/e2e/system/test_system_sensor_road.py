"""The whole road of a sensor: registered, approved, certified, heard, revoked, gone (ENF-051 III.B.3.h)."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import io
import json
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import grpc
import pytest
import pytest_asyncio
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from alpr.audit.v1 import sensor_certificate_service_pb2 as certificate_pb
from alpr.audit.v1.log_service_pb2 import GetCheckpointRequest
from alpr.audit.v1.log_service_pb2_grpc import LogServiceStub
from alpr.audit.v1.sensor_certificate_service_pb2_grpc import SensorCertificateServiceStub
from alpr.matcher.v1 import match_service_pb2 as match_pb
from alpr.matcher.v1.match_service_pb2_grpc import MatchServiceStub
from alpr.ocr.v1 import ocr_service_pb2 as ocr_pb
from alpr.ocr.v1.ocr_service_pb2_grpc import OcrServiceStub
from alpr.type.v1 import read_pb2, sensor_pb2
from alpr.type.v1.error_reason_pb2 import ErrorReason
from services.cli.bootstrap import begin
from services.cli.demo import cast
from services.cli.locate import locate
from services.cli.options import new_request_id
from services.cli.sensor import approve_deployment, register_sensor
from services.cli.sensor_certificate import SensorFiles, certified, certified_here, files_of
from services.cli.session import Session
from services.cli.tokens import token_source
from services.common.client import ClientTls, service_channel
from services.common.errors import AlprError, from_rpc_error
from services.common.identity import sensor_uri
from services.dev.pki import DevelopmentAuthority
from services.dev.places import Places
from services.dev.postgres import WITHOUT_SYNC
from services.dev.supervisor import Options, Supervisor
from tests.matcher_kit import a_read, batch, submit
from tests.support.ports import free_base_port

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(400)]
NOT_VALID = ErrorReason.ERROR_REASON_CERTIFICATE_NOT_VALID
NOT_HEARD_YET = {NOT_VALID, ErrorReason.ERROR_REASON_SENSOR_NOT_APPROVED}
STORED = read_pb2.READ_STATUS_STORED


@dataclass
class World:
    """The running system, and its coordinator."""

    stack: Supervisor
    folder: Path
    coordinator: Session

    def files(self, sensor_id: str) -> SensorFiles:
        return files_of(Places(self.folder).sensor_certificates, sensor_id)

    @contextlib.asynccontextmanager
    async def channel(self, service: str, files: SensorFiles) -> AsyncIterator[grpc.aio.Channel]:
        """A channel of a camera that has these files."""
        tls = ClientTls(files.certificate, files.key, self.stack.ca_file)
        target = self.stack.machine_targets[service]
        async with service_channel(target, tls, server_name=service) as channel:
            yield channel

    async def sensor(self, sensor_id: str) -> sensor_pb2.SensorCertificate:
        """Registers and approves the sensor, and gets it a certificate."""
        sensor = sensor_pb2.Sensor(
            sensor_id=sensor_id,
            agency_ori=cast.AGENCY_ORI,
            sensor_group="expressway",
            deployment_type=sensor_pb2.DEPLOYMENT_TYPE_FIXED,
            place=read_pb2.Place(latitude=41.9, longitude=-87.9, description="I-90 at mile 12"),
            provenance=sensor_pb2.PROVENANCE_OWN,
        )
        await register_sensor(self.coordinator, sensor)
        await approve_deployment(self.coordinator, sensor_id)
        return await certified_here(self.coordinator, sensor_id)

    async def revoke(self, sensor_id: str, certificate: sensor_pb2.SensorCertificate) -> None:
        stub = SensorCertificateServiceStub(self.coordinator.channel("audit"))
        request = certificate_pb.RevokeSensorCertificateRequest(
            request_id=new_request_id(),
            sensor_id=sensor_id,
            sha256=certificate.sha256,
            reason="camera stolen",
        )
        await self.coordinator.call(stub.RevokeSensorCertificate, request)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    made = tmp_path_factory.mktemp("sensors")
    yield made
    shutil.rmtree(made, ignore_errors=True)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def world(folder: Path) -> AsyncIterator[World]:
    async with Supervisor(Options(folder, free_base_port(), database_settings=WITHOUT_SYNC)) as stack:
        with contextlib.redirect_stdout(io.StringIO()):
            assert await asyncio.to_thread(begin, folder, "", cast.founding()) == 0
        source = token_source(folder, cast.COORDINATOR)
        async with Session(locate(folder), source, on_wait=print) as coordinator:
            yield World(stack, folder, coordinator)


def read_of(sensor_id: str) -> match_pb.SubmitReadsRequest:
    """A batch of one read, captured now."""
    return batch(1, a_read("AB1234", sensor_id=sensor_id, age=timedelta(0)))


async def heard(call: Any) -> AlprError:
    """The error with which the call ends, whether or not anything was answered before."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        async with asyncio.timeout(20):
            while await call.read() is not grpc.aio.EOF:
                pass
    return from_rpc_error(caught.value)


async def status_of(channel: grpc.aio.Channel, sensor_id: str) -> int:
    """What became of a read that the sensor sends, once the matcher has heard of its certificate."""
    stub = MatchServiceStub(channel)
    async with asyncio.timeout(60):
        while True:
            sent = read_of(sensor_id)
            try:
                (answer,) = await submit(stub, sent)
            except grpc.aio.AioRpcError as error:
                # So says this client of a message that it wrote into a call that had just ended.
                too_late = error.details() == "Internal error from Core"
                if not too_late and from_rpc_error(error).reason not in NOT_HEARD_YET:
                    raise
                await asyncio.sleep(0.2)
            else:
                return answer.results[0].status


@pytest.mark.clause("III.B.3.e", "III.B.3.h")
async def test_a_revoked_sensor_is_cut_off_in_the_middle_of_its_streams_and_comes_back_with_nothing(
    world: World,
) -> None:
    certificate = await world.sensor("cam-road")
    files = world.files("cam-road")
    async with world.channel("matcher", files) as to_matcher, world.channel("ocr", files) as to_ocr:
        assert await status_of(to_matcher, "cam-road") == STORED
        reads, frames = MatchServiceStub(to_matcher).SubmitReads(), OcrServiceStub(to_ocr).RecognizeStream()
        await reads.write(read_of("cam-road"))
        first = await reads.read()
        # Both are open, and nothing is under way on either.
        await asyncio.sleep(1)
        assert not reads.done()
        assert not frames.done()

        await world.revoke("cam-road", certificate)
        ended = await asyncio.gather(heard(reads), heard(frames))

    assert first.results[0].status == STORED
    assert [error.reason for error in ended] == [NOT_VALID, NOT_VALID]
    async with world.channel("matcher", files) as again, world.channel("ocr", files) as to_ocr:
        call = MatchServiceStub(again).SubmitReads()
        assert (await heard(call)).reason == NOT_VALID
        with pytest.raises(grpc.aio.AioRpcError) as status:
            await OcrServiceStub(to_ocr).ReportSensorStatus(ocr_pb.ReportSensorStatusRequest(), timeout=10)
        with pytest.raises(grpc.aio.AioRpcError) as frame:
            await OcrServiceStub(to_ocr).Recognize(ocr_pb.RecognizeRequest(), timeout=10)
    assert {from_rpc_error(one.value).reason for one in (status, frame)} == {NOT_VALID}


@pytest.mark.clause("III.B.3.h")
async def test_a_sensor_is_renewed_without_a_gap_and_the_old_certificate_goes(world: World) -> None:
    old = await world.sensor("cam-renewed")
    files, kept = world.files("cam-renewed"), world.files("cam-renewed-before")
    for now, before in ((files.key, kept.key), (files.certificate, kept.certificate)):
        shutil.copy(now, before)

    await certified(world.coordinator, "cam-renewed", files)
    async with world.channel("matcher", files) as new, world.channel("matcher", kept) as former:
        both = [await status_of(channel, "cam-renewed") for channel in (new, former)]
        stays, goes = [MatchServiceStub(channel).SubmitReads() for channel in (new, former)]
        for call in (stays, goes):
            await call.write(read_of("cam-renewed"))
            await call.read()
        await world.revoke("cam-renewed", old)
        error = await heard(goes)
        await stays.write(read_of("cam-renewed"))
        answer = await stays.read()
        stays.cancel()

    assert both == [STORED, STORED]
    assert error.reason == NOT_VALID
    assert answer.results[0].status == STORED


@pytest.mark.clause("III.B.3.h")
async def test_a_certificate_of_the_trusted_authority_that_is_not_on_record_opens_nothing(
    world: World,
) -> None:
    await world.sensor("cam-known")
    forged = DevelopmentAuthority(world.folder / "pki").sensor("cam-known")
    files = SensorFiles(key=forged.key_file, certificate=forged.cert_file)

    async with world.channel("matcher", world.files("cam-known")) as issued:
        assert await status_of(issued, "cam-known") == STORED
    async with world.channel("matcher", files) as channel:
        error = await heard(MatchServiceStub(channel).SubmitReads())

    assert error.reason == NOT_VALID
    assert error.metadata["clauses"] == "III.B.3.h"


@pytest.mark.clause("III.B.3.h", "III.B.3.l")
async def test_who_has_the_key_of_the_sensor_authority_makes_sensors_and_no_service(
    world: World, tmp_path: Path
) -> None:
    service = _made_with_the_sensor_authority(world, tmp_path, "spiffe://platewarden/service/search")
    sensor = _made_with_the_sensor_authority(world, tmp_path, sensor_uri("cam-made"))

    outcomes = []
    for files in (service, sensor):
        async with world.channel("audit", files) as channel:
            try:
                await LogServiceStub(channel).GetCheckpoint(GetCheckpointRequest(), timeout=5)
                outcomes.append(grpc.StatusCode.OK)
            except grpc.aio.AioRpcError as error:
                outcomes.append(error.code())

    assert outcomes == [grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.OK]


def _made_with_the_sensor_authority(world: World, folder: Path, uri: str) -> SensorFiles:
    authority = DevelopmentAuthority(world.folder / "pki")
    signer = serialization.load_pem_private_key(authority.sensor_ca_key_file.read_bytes(), None)
    issuer = x509.load_pem_x509_certificate(authority.sensor_ca_file.read_bytes()).subject
    assert isinstance(signer, ec.EllipticCurvePrivateKey)
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([]))
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.UniformResourceIdentifier(uri)]), critical=True)
        .sign(signer, hashes.SHA256())
    )
    files = files_of(folder, str(uuid4()))
    files.certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    files.key.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return files


@pytest.mark.clause("II.I", "III.B.3.h")
async def test_a_coordinator_does_all_of_it_at_the_command_line(world: World, tmp_path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    request = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(key, hashes.SHA256())
    (tmp_path / "csr.pem").write_bytes(request.public_bytes(serialization.Encoding.PEM))
    place = ("--latitude", "41.5", "--longitude", "-87.5", "--place", "weigh station")

    async def said(*arguments: str) -> dict[str, Any]:
        more = ("--as", cast.COORDINATOR, "--json", "--data-dir", str(world.folder))
        command = (str(Path(sys.executable).with_name("platewarden")), "sensor", *arguments, *more)
        run = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, check=False)
        answer: dict[str, Any] = json.loads(run.stdout)
        return answer

    registered = ("--agency", cast.AGENCY_ORI, "--group", "trailers", "--deployment", "portable", *place)
    await said("register", "trailer-7", *registered)
    hours = [f"{datetime.now(UTC) + timedelta(hours=n):%Y-%m-%dT%H:%M:%SZ}" for n in (0, 5)]
    placed = await said("place", "trailer-7", *place, "--from", hours[0], "--until", hours[1])
    ended = await said("end-place", "trailer-7", placed["placements"][0]["placement_id"])
    issued = await said("certify", "trailer-7", "--csr", str(tmp_path / "csr.pem"), "--out", str(tmp_path))
    own = DevelopmentAuthority(world.folder / "pki").sensor("trailer-7").cert_file
    recorded = await said("record-certificate", "trailer-7", str(own))
    digest = base64.b64decode(recorded["sha256"]).hex()
    unclear = await said("revoke", "trailer-7", digest[:7], "--reason", "lost on the road")
    revoked = await said("revoke", "trailer-7", digest[:16], "--reason", "lost on the road")
    surveyed = await said(
        *("survey", "trailer-7", *place, "--at", hours[0], "--work-order", "WO 1", "--escort", str(uuid4()))
    )
    shown = await said("show", "trailer-7")

    made = x509.load_pem_x509_certificate((tmp_path / "trailer-7.pem").read_bytes())
    assert made.public_key() == key.public_key()
    assert base64.b64decode(issued["sha256"]) == made.fingerprint(hashes.SHA256())
    assert ended["placements"][0]["end_time"] < placed["placements"][0]["end_time"]
    assert revoked["sha256"] == recorded["sha256"]
    assert "revoke_time" in revoked
    assert (unclear["error"]["reason"], surveyed["error"]["reason"]) == (
        "COMMAND",
        "ERROR_REASON_WRONG_STATE",
    )
    assert [one["action"] for one in shown["acts"]] == [
        *(
            "sensor.revoke",
            "sensor.certify",
            "sensor.certify",
            "sensor.place",
            "sensor.place",
            "sensor.register",
        ),
    ]
