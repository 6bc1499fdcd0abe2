"""Certificates of replicas that end when a fault wants them to."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from services.common.durable import replace_file
from services.dev.pki import DevelopmentAuthority

_BEFORE = timedelta(minutes=5)


def issue(pki: Path, name: str, file: Path, life: timedelta) -> None:
    """Puts a certificate of service `name` with its usual key into `file`; it ends after `life`."""
    usual = x509.load_pem_x509_certificate(DevelopmentAuthority(pki).service(name).cert_file.read_bytes())
    authority = serialization.load_pem_private_key((pki / "ca-key.pem").read_bytes(), None)
    assert isinstance(authority, ec.EllipticCurvePrivateKey)
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(usual.subject)
        .issuer_name(usual.issuer)
        .public_key(usual.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BEFORE)
        .not_valid_after(now + life)
    )
    for extension in usual.extensions:
        builder = builder.add_extension(extension.value, critical=extension.critical)
    made = builder.sign(authority, hashes.SHA256())
    replace_file(file, made.public_bytes(serialization.Encoding.PEM), 0o644)
