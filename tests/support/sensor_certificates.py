"""Certificates of sensors, as the registry tells of them."""

from __future__ import annotations

from cryptography import x509
from cryptography.hazmat.primitives import hashes

from alpr.type.v1 import sensor_pb2
from services.common.wire import to_timestamp
from services.dev.pki import IssuedCertificate


def digest_of(issued: IssuedCertificate) -> bytes:
    """SHA-256 of the certificate."""
    return x509.load_pem_x509_certificate(issued.cert_file.read_bytes()).fingerprint(hashes.SHA256())


def on_record(issued: IssuedCertificate) -> sensor_pb2.SensorCertificate:
    """The certificate as audit tells of one that is on record."""
    found = x509.load_pem_x509_certificate(issued.cert_file.read_bytes())
    return sensor_pb2.SensorCertificate(
        sha256=found.fingerprint(hashes.SHA256()),
        start_time=to_timestamp(found.not_valid_before_utc),
        end_time=to_timestamp(found.not_valid_after_utc),
    )
