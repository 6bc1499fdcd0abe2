"""The web console of a stack on one machine: what it is told, and where browsers find it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from services.audit.config import read_signer
from services.common.durable import replace_file
from services.common.issuers import DEVELOPMENT_ACR, DEVELOPMENT_ISSUER
from services.dev.places import CONSOLE_CLIENT, CONSOLE_NUMBER, HOST, NUMBERS, Ports
from services.dev.specs import World, log_key_file

_PROVIDER = "PW_OIDC_"
_CLIENT_ID = "PW_OIDC_CLIENT_ID"


def console_url(ports: Ports) -> str:
    """How browsers reach it; its certificate holds the name."""
    return f"https://localhost:{ports.console}"


def has_provider(*, embedded: bool) -> bool:
    """Whether people can sign in: with a database of one's own only where the environment names the console's
    client at one's own identity provider.
    """
    return embedded or bool(os.environ.get(_CLIENT_ID))


def console_environment(world: World) -> dict[str, str]:
    """The PW_... variables of the console."""
    certificate = world.authority.service("console")
    targets = {
        f"PW_{name.upper()}_TARGET": f"{HOST}:{world.ports.people(number)}"
        for name, number in NUMBERS.items()
    }
    return {
        "PW_CONSOLE_LISTEN": f"{HOST}:{world.ports.console}",
        "PW_CONSOLE_URL": console_url(world.ports),
        "PW_CONSOLE_KEY_FILE": str(world.key_file("console-key")),
        "PW_METRICS_LISTEN": f"{HOST}:{world.ports.metrics(CONSOLE_NUMBER)}",
        "PW_TLS_CERT": str(certificate.cert_file),
        "PW_TLS_KEY": str(certificate.key_file),
        "PW_TLS_CA": str(certificate.ca_file),
        "PW_SERVICES_CA": str(certificate.ca_file),
        "PW_LOG_KEYS_FILE": str(_log_keys_file(world)),
        "PW_CONFORMANCE_FILE": str(world.places.conformance),
        **targets,
        **_provider(world),
    }


def _log_keys_file(world: World) -> Path:
    """The public keys of the stack's log, with which pages check receipts."""
    signer = read_signer(world.log_origin, log_key_file(world))
    file = world.places.secrets / "log.pub"
    replace_file(file, f"{signer.verifier_key()}\n".encode(), 0o644)
    return file


def _provider(world: World) -> Mapping[str, str]:
    """The development issuer, whose name is not its address; else the provider that the environment names."""
    if world.embedded:
        return {
            "PW_OIDC_ISSUER": DEVELOPMENT_ISSUER,
            "PW_OIDC_DISCOVERY_URL": f"http://{HOST}:{world.ports.issuer}/.well-known/openid-configuration",
            "PW_OIDC_CLIENT_ID": CONSOLE_CLIENT,
            "PW_OIDC_REQUIRED_ACR": DEVELOPMENT_ACR,
            "PW_OIDC_SCOPE": "openid offline_access",
            "PW_OIDC_RESOURCE": "",
        }
    return {name: value for name, value in os.environ.items() if name.startswith(_PROVIDER) and value}


def inherited() -> dict[str, str]:
    """The environment without words about a provider: those in `console_environment` are all there are."""
    return {name: value for name, value in os.environ.items() if not name.startswith(_PROVIDER)}
