"""The certificate of the authority of sensors: one that can make sensors, and nothing else (ADR 0038)."""

from __future__ import annotations

from pathlib import Path

from cryptography import x509

from services.common.identity import SENSOR_DOMAIN


def read_sensor_ca(file: Path) -> x509.Certificate:
    """The certificate in `file`, PEM.

    Its critical name constraints permit URIs of the trust domain of sensors only. TLS holds every certificate
    below it to that, so that whoever has its key cannot make a service, an agency or a person.

    Raises:
        ValueError: It holds anything else.
    """
    try:
        found = x509.load_pem_x509_certificates(file.read_bytes())
        (certificate,) = found
        basic = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
        names = certificate.extensions.get_extension_for_class(x509.NameConstraints)
    except (ValueError, x509.ExtensionNotFound):
        raise ValueError("must hold one certificate of an authority that is bound to sensors") from None
    permitted = list(names.value.permitted_subtrees or ())
    if not (basic.ca and names.critical and permitted == [x509.UniformResourceIdentifier(SENSOR_DOMAIN)]):
        text = f"must be of an authority whose critical name constraints permit URIs of {SENSOR_DOMAIN} only"
        raise ValueError(text)
    return certificate
