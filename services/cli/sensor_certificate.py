"""`platewarden sensor certify, record-certificate, revoke`: with what a sensor comes (ENF-051 III.B.3.h)."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from alpr.audit.v1 import sensor_certificate_service_pb2 as pb
from alpr.audit.v1 import sensor_certificate_service_pb2_grpc as rpc
from alpr.audit.v1 import sensor_service_pb2 as sensor_pb
from alpr.audit.v1.sensor_service_pb2_grpc import SensorServiceStub
from alpr.type.v1 import sensor_pb2
from services.cli.locate import CommandError
from services.cli.options import DATA_DIR, As, DataDir, Json, new_request_id, run_signed_in
from services.cli.output import Output
from services.cli.session import Session
from services.common.durable import replace_file
from services.dev.files import write_secret
from services.dev.places import Places

SensorId = Annotated[str, typer.Argument(help="Id of the sensor.")]
_LEAST_DIGITS = 8


@dataclass(frozen=True, slots=True)
class SensorFiles:
    """Where a sensor's key and certificate lie."""

    key: Path
    certificate: Path

    @property
    def next_key(self) -> Path:
        """A key whose certificate has not come yet."""
        return self.key.with_name(self.key.name + ".next")


def files_of(folder: Path, sensor_id: str) -> SensorFiles:
    """The files of the sensor in `folder`."""
    return SensorFiles(folder / f"{sensor_id}-key.pem", folder / f"{sensor_id}.pem")


def certify(
    sensor_id: SensorId,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Folder for key and certificate; else that of this machine's stack."),
    ] = None,
    csr: Annotated[
        Path | None,
        typer.Option("--csr", help="The sensor's own request (PKCS #10, PEM): its key stays in the sensor."),
    ] = None,
    days: Annotated[int, typer.Option("--days", min=0, max=398, help="How long it is good; 0 is 90.")] = 0,
    subject: As = "",
    data_dir: DataDir = DATA_DIR,
    as_json: Json = False,
) -> None:
    """Gets a certificate for the sensor. Without --csr the key is made here, for a camera of this machine."""

    async def work(session: Session, output: Output) -> None:
        files = files_of(out or Places(data_dir).sensor_certificates, sensor_id)
        if csr is None:
            made = await certified(session, sensor_id, files, days=days)
        else:
            answer = await _issued(session, sensor_id, _read(csr), days)
            replace_file(files.certificate, answer.certificate_pem.encode(), 0o644)
            made = answer.certificate
        _print(made, output, f"Certificate of [bold]{sensor_id}[/] in {files.certificate}")

    run_signed_in(work, data_dir=data_dir, subject=subject, as_json=as_json)


def record_certificate(
    sensor_id: SensorId,
    certificate: Annotated[Path, typer.Argument(help="The certificate, PEM, of your own authority.")],
    subject: As = "",
    data_dir: DataDir = DATA_DIR,
    as_json: Json = False,
) -> None:
    """Puts a certificate of another authority on record: without that nothing comes with it."""

    async def work(session: Session, output: Output) -> None:
        made = await recorded(session, sensor_id, certificate)
        _print(made, output, f"Certificate of [bold]{sensor_id}[/] is on record")

    run_signed_in(work, data_dir=data_dir, subject=subject, as_json=as_json)


def revoke(
    sensor_id: SensorId,
    sha256: Annotated[
        str, typer.Argument(help="SHA-256 of the certificate, or how it begins; `sensor show` lists them.")
    ],
    reason: Annotated[str, typer.Option("--reason", help="Why; it is recorded.")],
    subject: As = "",
    data_dir: DataDir = DATA_DIR,
    as_json: Json = False,
) -> None:
    """Ends a certificate at once and for good: open streams of the sensor break off."""

    async def work(session: Session, output: Output) -> None:
        digest = await _meant(session, sensor_id, sha256.replace(":", "").lower())
        answer = await session.call(
            _stub(session).RevokeSensorCertificate,
            pb.RevokeSensorCertificateRequest(
                request_id=new_request_id(), sensor_id=sensor_id, sha256=digest, reason=reason
            ),
        )
        sentence = f"Certificate {digest.hex()} of [bold]{sensor_id}[/] is good for nothing any more"
        output.result(answer.certificate, sentence)

    run_signed_in(work, data_dir=data_dir, subject=subject, as_json=as_json)


async def certified(
    session: Session, sensor_id: str, files: SensorFiles, *, days: int = 0
) -> sensor_pb2.SensorCertificate:
    """The certificate that a new key got; both are in `files`. Raises AlprError when it is refused.

    The key is on disk before its certificate is asked for, so that a try that breaks off is taken up again.
    """
    files.key.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_secret(files.next_key, _new_key)
    request = _request_of(files.next_key, sensor_id)
    answer = await _issued(session, sensor_id, request, days)
    replace_file(files.certificate, answer.certificate_pem.encode(), 0o644)
    files.next_key.replace(files.key)
    return answer.certificate


async def certified_here(session: Session, sensor_id: str) -> sensor_pb2.SensorCertificate:
    """As `certified`, for a sensor of the stack on this machine; `capture` finds it.

    Raises:
        CommandError: There is no such stack.
        AlprError: It was refused.
    """
    data_dir = session.connection.data_dir
    if data_dir is None:
        raise CommandError("no stack runs on this machine; say with --out where the certificate is to lie")
    return await certified(session, sensor_id, files_of(Places(data_dir).sensor_certificates, sensor_id))


async def recorded(session: Session, sensor_id: str, certificate: Path) -> sensor_pb2.SensorCertificate:
    """The certificate as it is on record now. Raises AlprError when it is refused."""
    request = pb.RecordSensorCertificateRequest(
        request_id=new_request_id(), sensor_id=sensor_id, certificate_pem=_read(certificate)
    )
    answer: pb.RecordSensorCertificateResponse = await session.call(
        _stub(session).RecordSensorCertificate, request
    )
    return answer.certificate


async def _issued(
    session: Session, sensor_id: str, request: str, days: int
) -> pb.IssueSensorCertificateResponse:
    answer: pb.IssueSensorCertificateResponse = await session.call(
        _stub(session).IssueSensorCertificate,
        pb.IssueSensorCertificateRequest(
            request_id=new_request_id(), sensor_id=sensor_id, certificate_request=request, valid_days=days
        ),
    )
    return answer


def _stub(session: Session) -> rpc.SensorCertificateServiceStub:
    return rpc.SensorCertificateServiceStub(session.channel("audit"))


def _new_key() -> bytes:
    return ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _request_of(key_file: Path, sensor_id: str) -> str:
    key = serialization.load_pem_private_key(key_file.read_bytes(), password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        msg = f"{key_file} holds no key that this command made"
        raise CommandError(msg)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, sensor_id)])
    made = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, hashes.SHA256())
    return made.public_bytes(serialization.Encoding.PEM).decode("ascii")


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError):
        msg = f"{file} cannot be read as PEM"
        raise CommandError(msg) from None


async def _meant(session: Session, sensor_id: str, begins: str) -> bytes:
    """The SHA-256 of the one certificate of the sensor that begins so."""
    stub = SensorServiceStub(session.channel("audit"))
    answer: sensor_pb.GetSensorResponse = await session.call(
        stub.GetSensor, sensor_pb.GetSensorRequest(sensor_id=sensor_id)
    )
    found = [one.sha256 for one in answer.sensor.certificates if one.sha256.hex().startswith(begins)]
    if len(begins) < _LEAST_DIGITS or len(found) != 1:
        msg = f"say with {_LEAST_DIGITS} digits or more which of the sensor's certificates is meant"
        raise CommandError(msg)
    return found[0]


def _print(made: sensor_pb2.SensorCertificate, output: Output, sentence: str) -> None:
    until = f"{made.end_time.ToDatetime():%Y-%m-%d}"
    output.result(made, f"{sentence}, good until {until}, SHA-256 {made.sha256.hex()}")
