"""Settings of the console."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from services.common.config import Address, ReadableFile, ServiceSettings, Target

LOOPBACK: Final = ("127.0.0.1", "localhost", "::1")
"""Names of the browser's own machine."""


def _safe(address: str) -> str:
    parts = urlsplit(address)
    safe = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK)
    if not safe or not parts.hostname or parts.query or parts.fragment:
        raise ValueError("must be an https:// address without query; http:// is for this machine alone")
    return address.rstrip("/")


def _safe_if_any(address: str) -> str:
    return _safe(address) if address else ""


SafeUrl = Annotated[str, AfterValidator(_safe)]
"""https, or http to this machine; without a slash at its end."""


class ConsoleSettings(ServiceSettings):
    """What the console is told; it has no database and no rights of its own."""

    listen: Address = ""
    """Nobody calls the console with a certificate."""
    console_listen: Annotated[Address, Field(min_length=1)]
    """Address of the pages, HTTPS with the certificate of PW_TLS_CERT."""
    console_url: SafeUrl
    """How browsers reach it; the identity provider sends people back there."""
    console_key_file: ReadableFile
    """Key that sessions in browsers are sealed with."""
    console_idle_minutes: Annotated[int, Field(ge=1, le=30)] = 30
    """After so long without a touch the screen locks (CJIS AC-11); not for telecommunication centres."""
    oidc_issuer: SafeUrl
    oidc_discovery_url: Annotated[str, AfterValidator(_safe_if_any)] = ""
    """Where its discovery document is; empty: at its name, as OpenID Connect has it."""
    oidc_client_id: Annotated[str, Field(min_length=1)]
    oidc_client_secret_file: ReadableFile | None = None
    """Secret of the client at the provider; without one it is a public client."""
    oidc_scope: str = "openid offline_access"
    oidc_resource: str = ""
    """Resource of the token (RFC 8707), where the provider wants one."""
    oidc_required_acr: str = ""
    """Name of multi-factor sign-in at the provider."""
    audit_target: Target
    alerts_target: Target
    search_target: Target
    matcher_target: Target
    services_ca: ReadableFile | None = None
    """Authority of the services' certificates towards people, PEM; PW_TLS_CA without it."""
    log_keys_file: ReadableFile | None = None
    """The log's public keys, a line origin+id+key each; pages then check their receipts in the browser."""
    conformance_file: Path | None = None
    """Where `platewarden conformance run --out` leaves its result; auditors see it as a table."""
    tile_url: str = ""
    """Template of map tiles, https://host/{z}/{x}/{y}.png; empty: the lines that come with the console.

    That server learns where people look, so it should be the agency's own."""

    @model_validator(mode="after")
    def _tiles_are_safe(self) -> Self:
        if self.tile_url:
            _safe(self.tile_url)
        return self

    @property
    def discovery_url(self) -> str:
        """Where the provider's discovery document is."""
        return self.oidc_discovery_url or f"{self.oidc_issuer}/.well-known/openid-configuration"

    @property
    def people_ca(self) -> Path:
        """The authority that the services' certificates towards people are of."""
        return self.services_ca or self.tls_ca
