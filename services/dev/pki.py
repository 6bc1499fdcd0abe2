"""A certificate authority for one machine: mTLS between services and sensors without anybody's help.

Certificates made here are for development. In production they come from cert-manager or the agency's own
authority; what they must say is the same: the URI names service or sensor (ADR-0007), the DNS names are those
that callers connect to. The two authorities themselves are also what a deployment may begin with.
"""

import fcntl
import ipaddress
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from services.common.durable import replace_file
from services.common.identity import SENSOR_DOMAIN

TRUST_DOMAIN = "spiffe://platewarden"
_CA_LIFE = timedelta(days=3650)
_LEAF_LIFE = timedelta(days=90)
_RENEW_BEFORE = timedelta(days=30)
_CLOCK_SKEW = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class IssuedCertificate:
    """Files of a certificate: itself, its private key (mode 0600), and the authority to trust; all PEM."""

    cert_file: Path
    key_file: Path
    ca_file: Path


class DevelopmentAuthority:
    """Makes and renews certificates in a folder of mode 0700; what is there and good is used again."""

    def __init__(self, folder: Path, *, holder: str = "Platewarden development") -> None:
        """Makes the folder and, in a new one, the authority, in the name of `holder`.

        Raises:
            OSError: The folder cannot be written.
        """
        self._folder = folder
        self._holder = holder
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)
        with self._alone():
            if not _is_good(self.ca_file):
                self._make_authority()
            if not _is_good(self.sensor_ca_file):
                self._make_sensor_authority()

    @property
    def ca_file(self) -> Path:
        """The authority's own certificate."""
        return self._folder / "ca.pem"

    @property
    def ca_key_file(self) -> Path:
        """Its private key."""
        return self._folder / "ca-key.pem"

    @property
    def sensor_ca_file(self) -> Path:
        """Certificate of the authority of sensors, which audit signs with."""
        return self._folder / "sensor-ca.pem"

    @property
    def sensor_ca_key_file(self) -> Path:
        """Its private key."""
        return self._folder / "sensor-ca-key.pem"

    def service(self, name: str) -> IssuedCertificate:
        """Certificate of a service, for its own calls and as a server under `name` and on this machine."""
        dns = [name, f"{name}.platewarden", "localhost"]
        return self._issued(name, f"{TRUST_DOMAIN}/service/{name}", dns)

    def server(self, name: str) -> IssuedCertificate:
        """The same as `service`: one certificate serves both ways."""
        return self.service(name)

    def sensor(self, sensor_id: str) -> IssuedCertificate:
        """Client certificate of a sensor, as an agency's own authority makes it; it must be put on record."""
        return self._issued(f"sensor-{sensor_id}", f"{TRUST_DOMAIN}/sensor/{sensor_id}", [])

    def agency(self, ori: str) -> IssuedCertificate:
        """Client certificate of another agency's system."""
        return self._issued(f"agency-{ori}", f"{TRUST_DOMAIN}/agency/{ori}", [])

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Keeps other processes out, so that two of them never make the same certificate."""
        with (self._folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _issued(self, file_name: str, uri: str, dns: Sequence[str]) -> IssuedCertificate:
        if not all(part.isascii() and (part.isalnum() or part in "-_.") for part in file_name) or (
            file_name.startswith(".")
        ):
            raise ValueError("a certificate's name has letters, digits, dots, dashes and underscores only")
        files = IssuedCertificate(
            self._folder / f"{file_name}.pem", self._folder / f"{file_name}-key.pem", self.ca_file
        )
        with self._alone():
            if not (_is_good(files.cert_file) and files.key_file.exists() and self._is_ours(files.cert_file)):
                self._make_leaf(files, uri, dns)
        return files

    def _is_ours(self, cert_file: Path) -> bool:
        cert, ca = _load(cert_file), _load(self.ca_file)
        try:
            cert.verify_directly_issued_by(ca)
        except Exception:
            return False
        return True

    def _make_authority(self) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"{self._holder} authority")])
        builder = (
            _builder(name, name, key.public_key(), _CA_LIFE)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_key_usage(authority=True), critical=True)
        )
        replace_file(self.ca_key_file, _pem_key(key), 0o600)
        certificate = builder.sign(key, hashes.SHA256())
        replace_file(self.ca_file, certificate.public_bytes(serialization.Encoding.PEM), 0o644)

    def _make_sensor_authority(self) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"{self._holder} sensors")])
        bound = x509.NameConstraints([x509.UniformResourceIdentifier(SENSOR_DOMAIN)], None)
        builder = (
            _builder(name, name, key.public_key(), _CA_LIFE)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_key_usage(authority=True), critical=True)
            .add_extension(bound, critical=True)
        )
        replace_file(self.sensor_ca_key_file, _pem_key(key), 0o600)
        certificate = builder.sign(key, hashes.SHA256())
        replace_file(self.sensor_ca_file, certificate.public_bytes(serialization.Encoding.PEM), 0o644)

    def _make_leaf(self, files: IssuedCertificate, uri: str, dns: Sequence[str]) -> None:
        ca_key = serialization.load_pem_private_key(self.ca_key_file.read_bytes(), None)
        if not isinstance(ca_key, ec.EllipticCurvePrivateKey):
            raise TypeError("the authority's key is not of elliptic curves")
        ca, key = _load(self.ca_file), ec.generate_private_key(ec.SECP256R1())
        names: list[x509.GeneralName] = [x509.UniformResourceIdentifier(uri), *map(x509.DNSName, dns)]
        usages = [ExtendedKeyUsageOID.CLIENT_AUTH]
        if dns:
            names.append(x509.IPAddress(ipaddress.ip_address("127.0.0.1")))
            usages.append(ExtendedKeyUsageOID.SERVER_AUTH)
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, files.cert_file.stem[:64])])
        builder = (
            _builder(subject, ca.subject, key.public_key(), _LEAF_LIFE)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_key_usage(authority=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage(usages), critical=False)
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False
            )
        )
        certificate = builder.sign(ca_key, hashes.SHA256())
        replace_file(files.key_file, _pem_key(key), 0o600)
        replace_file(files.cert_file, certificate.public_bytes(serialization.Encoding.PEM), 0o644)


def _builder(
    subject: x509.Name, issuer: x509.Name, public_key: ec.EllipticCurvePublicKey, life: timedelta
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _CLOCK_SKEW)
        .not_valid_after(now + life)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
    )


def _key_usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not authority,
        key_cert_sign=authority,
        crl_sign=authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _load(file: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(file.read_bytes())


def _is_good(file: Path) -> bool:
    """Whether there is a certificate that lasts a while."""
    if not file.exists():
        return False
    return _load(file).not_valid_after_utc - datetime.now(UTC) > _RENEW_BEFORE


def _pem_key(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
