"""The authority of sensors: only one that can make nothing else is trusted."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from services.common.config import ConfigError, ServiceSettings
from services.common.identity import SENSOR_DOMAIN, Peer, PeerKind, peer_from_uri, sensor_uri
from services.common.sensor_ca import read_sensor_cas
from services.dev.pki import DevelopmentAuthority


def made(
    file: Path, *permitted: x509.GeneralName, ca: bool = True, critical: bool = True, bound: bool = True
) -> Path:
    """A file with a certificate that is bound in that way."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sensors")])
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
    )
    if bound:
        builder = builder.add_extension(x509.NameConstraints(list(permitted), None), critical=critical)
    file.write_bytes(builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    return file


OURS = x509.UniformResourceIdentifier(SENSOR_DOMAIN)


@pytest.mark.clause("III.B.3.h")
def test_an_authority_bound_to_sensors_is_taken(tmp_path: Path, tls: DevelopmentAuthority) -> None:
    assert read_sensor_cas(made(tmp_path / "ca.pem", OURS))
    assert read_sensor_cas(tls.sensor_ca_file)
    both = tmp_path / "both.pem"
    both.write_bytes((tmp_path / "ca.pem").read_bytes() + tls.sensor_ca_file.read_bytes())
    assert len(read_sensor_cas(both)) == 2


@pytest.mark.clause("III.B.3.h")
def test_an_authority_that_could_make_anything_else_stops_the_start(
    tmp_path: Path, tls: DevelopmentAuthority, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = x509.UniformResourceIdentifier("platewarden")
    unfit = [
        made(tmp_path / "1.pem", bound=False),
        made(tmp_path / "2.pem", other),
        made(tmp_path / "3.pem", OURS, other),
        made(tmp_path / "4.pem", OURS, critical=False),
        made(tmp_path / "5.pem", OURS, ca=False),
        made(tmp_path / "6.pem", x509.DNSName(SENSOR_DOMAIN)),
        tls.ca_file,
        tls.sensor_ca_key_file,
    ]
    two = tmp_path / "two.pem"
    two.write_bytes(made(tmp_path / "7.pem", OURS).read_bytes() + tls.ca_file.read_bytes())
    files = tls.server("audit")
    for name, value in (
        *(("LISTEN", "127.0.0.1:1"), ("TLS_CERT", files.cert_file), ("TLS_KEY", files.key_file)),
        ("TLS_CA", files.ca_file),
    ):
        monkeypatch.setenv(f"PW_{name}", str(value))

    for file in (*unfit, two):
        with pytest.raises(ValueError, match="must"):
            read_sensor_cas(file)
        monkeypatch.setenv("PW_SENSOR_CA", str(file))
        with pytest.raises(ConfigError, match="PW_SENSOR_CA"):
            ServiceSettings.from_environment()
    monkeypatch.setenv("PW_SENSOR_CA", str(tls.sensor_ca_file))
    assert ServiceSettings.from_environment().sensor_ca == tls.sensor_ca_file


@pytest.mark.clause("III.B.3.h")
@pytest.mark.parametrize(
    "uri",
    [
        f"spiffe://{SENSOR_DOMAIN}/service/audit",
        f"spiffe://{SENSOR_DOMAIN}/agency/IL0000001",
        f"spiffe://{SENSOR_DOMAIN}/sensor/ab",
        f"spiffe://{SENSOR_DOMAIN}/sensor/cam-1/",
        f"spiffe://{SENSOR_DOMAIN}.evil/sensor/cam-1",
        "spiffe://sensorsxplatewarden/sensor/cam-1",
    ],
)
def test_in_the_domain_of_sensors_there_are_sensors_only(uri: str) -> None:
    assert peer_from_uri(uri).kind is PeerKind.NONE
    assert peer_from_uri(sensor_uri("cam-1")) == Peer(PeerKind.SENSOR, "cam-1")
