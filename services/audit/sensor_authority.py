"""The authority of sensors: it signs what they ask for, and reads what others signed (ENF-051 III.B.3.h).

Its certificate binds it: whoever holds its key can make sensors, and no service or agency (ADR 0038).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Final, TypeAlias
from uuid import UUID

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from services.audit.core.sensor_certificate import SensorCertificate
from services.common.identity import PeerKind, peer_from_uri, sensor_uri

MOST_PEM: Final = 16_384
_CURVES: Final = (ec.SECP256R1, ec.SECP384R1)
_LEAST_RSA: Final = 2048
_MOST_RSA: Final = 4096
_USUAL_EXPONENT: Final = 65537
_ONE_PEM: Final = re.compile(r"\s*-----BEGIN [A-Z ]+-----[A-Za-z0-9+/=\s]+-----END [A-Z ]+-----\s*")

PublicKey: TypeAlias = ec.EllipticCurvePublicKey | rsa.RSAPublicKey


class UnfitPemError(Exception):
    """What was sent is no request or certificate that can be taken; the text says what it must be."""


@dataclass(frozen=True, slots=True)
class Term:
    """What a certificate is to say beside its key."""

    certificate_id: str
    sensor_id: str
    start_time: datetime
    end_time: datetime


class SensorAuthority:
    """Signs certificates of sensors with a key that the service has by its settings."""

    def __init__(self, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
        self._certificate = certificate
        self._key = key

    @property
    def end_time(self) -> datetime:
        """When the authority itself ends; nothing that it signs lasts longer."""
        return self._certificate.not_valid_after_utc

    def sign(self, public_key: PublicKey, term: Term) -> SensorCertificate:
        """A certificate for that key. It says what `term` says, and nothing that the sensor asked for."""
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, term.sensor_id)])
        usage = [ExtendedKeyUsageOID.CLIENT_AUTH]
        uri = x509.UniformResourceIdentifier(sensor_uri(term.sensor_id))
        signer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        made = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(self._certificate.subject)
            .public_key(public_key)
            .serial_number(UUID(term.certificate_id).int)
            .not_valid_before(term.start_time)
            .not_valid_after(term.end_time)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_SIGNING_ONLY, critical=True)
            .add_extension(x509.ExtendedKeyUsage(usage), critical=False)
            .add_extension(x509.SubjectAlternativeName([uri]), critical=False)
            .add_extension(signer, critical=False)
            .sign(self._key, hashes.SHA256())
        )
        return _on_record(made, term.certificate_id, term.sensor_id)


def key_of_request(pem: str) -> PublicKey:
    """The public key of a PKCS #10 request whose signature proves that its sender has the private one.

    Raises:
        UnfitPemError: It is none, its signature does not hold, or its key is of a kind that is not taken.
    """
    try:
        request = x509.load_pem_x509_csr(_one(pem))
        holds, key = request.is_signature_valid, request.public_key()
    except (ValueError, TypeError, UnsupportedAlgorithm, InvalidSignature):
        raise UnfitPemError("must be one certificate request (PKCS #10) in PEM") from None
    if not holds:
        raise UnfitPemError("must be signed with the key that it asks for")
    return _fit(key)


def read_certificate(pem: str, certificate_id: str, sensor_id: str) -> SensorCertificate:
    """A certificate that another authority made for the sensor.

    Raises:
        UnfitPemError: It is none, or it names anything else than the sensor.
    """
    try:
        found = x509.load_pem_x509_certificate(_one(pem))
        key = found.public_key()
        names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        raise UnfitPemError("must have one URI that names the sensor") from None
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise UnfitPemError("must be one certificate in PEM") from None
    uris = names.get_values_for_type(x509.UniformResourceIdentifier)
    peer = peer_from_uri(uris[0]) if len(uris) == 1 else None
    if peer is None or peer.kind is not PeerKind.SENSOR or peer.name != sensor_id:
        raise UnfitPemError("must have one URI that names the sensor")
    _fit(key)
    return _on_record(found, certificate_id, sensor_id)


def key_digest(key: PublicKey) -> bytes:
    """SHA-256 of the public key."""
    encoding, form = serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    return sha256(key.public_bytes(encoding, form)).digest()


def _one(pem: str) -> bytes:
    """The text as bytes. Raises ValueError for more than one block, or anything beside it."""
    if len(pem) > MOST_PEM or not _ONE_PEM.fullmatch(pem):
        raise ValueError("not one PEM block")
    return pem.encode("ascii")


def _fit(key: object) -> PublicKey:
    if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, _CURVES):
        return key
    if (
        isinstance(key, rsa.RSAPublicKey)
        and _LEAST_RSA <= key.key_size <= _MOST_RSA
        and key.public_numbers().e == _USUAL_EXPONENT
    ):
        return key
    raise UnfitPemError("must have a key of P-256, P-384 or RSA of 2048 to 4096 bits")


def _on_record(found: x509.Certificate, certificate_id: str, sensor_id: str) -> SensorCertificate:
    key = found.public_key()
    assert isinstance(key, (ec.EllipticCurvePublicKey, rsa.RSAPublicKey))  # noqa: S101 - _fit said so
    return SensorCertificate(
        certificate_id=certificate_id,
        sensor_id=sensor_id,
        sha256=found.fingerprint(hashes.SHA256()),
        key_sha256=key_digest(key),
        pem=found.public_bytes(serialization.Encoding.PEM).decode("ascii"),
        start_time=found.not_valid_before_utc,
        end_time=found.not_valid_after_utc,
    )


_SIGNING_ONLY: Final = x509.KeyUsage(
    digital_signature=True,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=False,
    crl_sign=False,
    encipher_only=False,
    decipher_only=False,
)
