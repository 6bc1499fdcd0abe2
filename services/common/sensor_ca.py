"""The certificate of the authority of sensors: one that can make sensors, and nothing else (ADR 0038)."""

from __future__ import annotations

from pathlib import Path

from cryptography import x509

from services.common.identity import SENSOR_DOMAIN

_UNFIT = "must hold certificates of authorities that are bound to sensors"


def read_sensor_cas(file: Path) -> list[x509.Certificate]:
    """The certificates in `file`, PEM: one, and while an authority takes another's place both.

    Their critical name constraints permit URIs of the trust domain of sensors only. TLS holds every
    certificate below them to that, so that whoever has a key of theirs cannot make a service, an agency or a
    person.

    Raises:
        OSError: It cannot be read.
        ValueError: It holds anything else.
    """
    try:
        found = x509.load_pem_x509_certificates(file.read_bytes())
    except ValueError:
        raise ValueError(_UNFIT) from None
    for certificate in found:
        _require_bound(certificate)
    return found


def _require_bound(certificate: x509.Certificate) -> None:
    try:
        basic = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
        names = certificate.extensions.get_extension_for_class(x509.NameConstraints)
    except (ValueError, x509.ExtensionNotFound):
        raise ValueError(_UNFIT) from None
    permitted = list(names.value.permitted_subtrees or ())
    if not (basic.ca and names.critical and permitted == [x509.UniformResourceIdentifier(SENSOR_DOMAIN)]):
        text = f"must be of an authority whose critical name constraints permit URIs of {SENSOR_DOMAIN} only"
        raise ValueError(text)
