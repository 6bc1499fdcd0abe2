"""The agency's identity provider, outside of the cluster: oidc-provider in a container, over HTTPS."""

from __future__ import annotations

import ipaddress
import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from deploy.smoke.engine import podman
from deploy.smoke.probes import tcp_within
from services.dev.pki import DevelopmentAuthority
from tests.support.oidc_provider import OidcProvider, configuration, new_key

IMAGE = "localhost/platewarden-smoke/identity"
_PERSON, _PORT = 10001, 443


def write_config(folder: Path, address: str, people: Mapping[str, str], pki: Path) -> OidcProvider:
    """The provider that is to be at https://ADDRESS, its files in `folder`; people with their second factor.

    Its certificate is of the authority in `pki`, which everybody trusts here already.
    """
    folder.mkdir(mode=0o750)
    provider = OidcProvider(
        folder, configuration(people), issuer=f"https://{address}", keys=[new_key("first")]
    )
    provider.ca_file = DevelopmentAuthority(pki).ca_file
    provider.config |= {"issuer": provider.issuer, "port": _PORT}
    provider.config["tls"] = {"key": "/config/key.pem", "cert": "/config/cert.pem"}
    _write_certificate(folder, address, pki)
    keys = [key.as_dict(private=True) for key in provider.keys]
    (folder / "config.json").write_text(json.dumps({**provider.config, "keys": keys}), encoding="utf-8")
    for file in (folder, *folder.iterdir()):
        os.chown(file, _PERSON, _PERSON)
    return provider


async def start_identity(run: str, address: str, provider: OidcProvider) -> None:
    """Returns when the provider listens.

    Raises:
        EngineError: podman refuses, or it does not listen.
    """
    closed = ("--read-only", "--cap-drop=all", "--security-opt=no-new-privileges")
    person = f"--user={_PERSON}:{_PERSON}"
    low_ports = "--sysctl=net.ipv4.ip_unprivileged_port_start=0"
    where = (f"--name={run}-identity", f"--network={run}", f"--ip={address}", low_ports)
    files = f"--volume={provider.folder}:/config:ro"
    await podman("run", "--detach", "--pull=never", *where, *closed, person, files, IMAGE)
    await tcp_within(address, _PORT, 30)


def _write_certificate(folder: Path, address: str, pki: Path) -> None:
    authority = DevelopmentAuthority(pki)
    signer = serialization.load_pem_private_key(authority.ca_key_file.read_bytes(), None)
    issuer = x509.load_pem_x509_certificate(authority.ca_file.read_bytes()).subject
    if not isinstance(signer, ec.EllipticCurvePrivateKey):
        raise TypeError("the authority's key is not of elliptic curves")
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))])
    made = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([]))
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(names, critical=True)
        .sign(signer, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    (folder / "cert.pem").write_bytes(made.public_bytes(pem))
    (folder / "key.pem").write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
