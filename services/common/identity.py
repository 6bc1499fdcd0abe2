"""Who calls: the mTLS certificate's name, and the access token that came with the call.

Nothing else is believed: no header of a proxy names a caller here. A service passes a person's token on; it
never speaks for a person on its own word (ADR-0007).
"""

from __future__ import annotations

import enum
import re
import ssl
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from typing import Any, Final, TypeAlias

import grpc

from services.common.errors import NotPermittedError, UnauthenticatedError

Context: TypeAlias = grpc.aio.ServicerContext[Any, Any]

_MOST_TOKEN: Final = 8192
# RFC 6750 2.1: the characters of a bearer token.
_BEARER: Final = re.compile(r"bearer +([A-Za-z0-9._~+/-]+=*)", re.IGNORECASE)


class PeerKind(enum.Enum):
    """What a client certificate stands for."""

    SERVICE = "service"
    SENSOR = "sensor"
    AGENCY = "agency"
    NONE = "none"


_NAMES: Final = {
    PeerKind.SERVICE: r"[a-z][a-z0-9-]{0,62}",
    PeerKind.SENSOR: r"[a-z0-9-]{3,63}",
    PeerKind.AGENCY: r"[A-Z0-9]{9}",
}
_SPIFFE: Final = re.compile(
    "spiffe://platewarden/(?:"
    + "|".join(f"{kind.value}/(?P<{kind.value}>{form})" for kind, form in _NAMES.items())
    + ")"
)
SENSOR_DOMAIN: Final = "sensors.platewarden"
"""Trust domain of sensors alone: the certificate of their authority is bound to it (ADR 0038)."""
_SENSOR: Final = re.compile(f"spiffe://{re.escape(SENSOR_DOMAIN)}/sensor/({_NAMES[PeerKind.SENSOR]})")


@dataclass(frozen=True, slots=True)
class Peer:
    """The other end of the connection: a service's name, a sensor's id, an agency's ORI; empty for NONE."""

    kind: PeerKind
    name: str

    def __str__(self) -> str:
        return f"{self.kind.value}/{self.name}" if self.name else self.kind.value


NOBODY: Final = Peer(PeerKind.NONE, "")


class AccessToken:
    """A person's access token. It cannot be printed, pickled or compared by accident; `reveal` gives it."""

    __slots__ = ("__value",)

    def __init__(self, value: str) -> None:
        self.__value = value

    def reveal(self) -> str:
        """The token itself, to be verified or passed on; never to be logged or stored."""
        return self.__value

    def __repr__(self) -> str:
        return "AccessToken(...)"

    def __reduce__(self) -> str:
        raise TypeError("an access token is not written down")


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls. The token is not verified: audit does that."""

    peer: Peer
    access_token: AccessToken | None


@lru_cache(maxsize=4096)
def peer_from_uri(uri: str) -> Peer:
    """The peer that a certificate's URI names; NOBODY for any other text."""
    if sensor := _SENSOR.fullmatch(uri):
        return Peer(PeerKind.SENSOR, sensor[1])
    match = _SPIFFE.fullmatch(uri)
    if match is None or match.lastgroup is None:
        return NOBODY
    return Peer(PeerKind(match.lastgroup), match[match.lastgroup])


def sensor_uri(sensor_id: str) -> str:
    """The URI of a certificate that the authority of sensors issues."""
    return f"spiffe://{SENSOR_DOMAIN}/sensor/{sensor_id}"


def certificate_of(context: Context) -> bytes:
    """SHA-256 of the verified client certificate (DER); empty without one."""
    pems = list(context.auth_context().get("x509_pem_cert", ()))
    if len(pems) != 1:
        return b""
    return _digest_of(pems[0])


@lru_cache(maxsize=4096)
def _digest_of(pem: bytes) -> bytes:
    return sha256(ssl.PEM_cert_to_DER_cert(pem.decode("ascii"))).digest()


def caller_of(context: Context) -> Caller:
    """Certificate and token of a call.

    Raises:
        UnauthenticatedError: The `authorization` metadata is not one bearer token.
    """
    return Caller(peer_of(context), _token_of(context))


def peer_of(context: Context) -> Peer:
    """What the verified client certificate names; NOBODY without one, or when it names several things."""
    # gRPC sets this property only for a certificate with exactly one URI.
    uris = list(context.auth_context().get("peer_spiffe_id", ()))
    return peer_from_uri(uris[0].decode("ascii", "replace")) if len(uris) == 1 else NOBODY


def require_service(context: Context, *names: str) -> Caller:
    """The caller, a service with one of `names`.

    Raises:
        UnauthenticatedError: The call came without a client certificate that names anything.
        NotPermittedError: The certificate is another's.
    """
    caller = caller_of(context)
    if caller.peer == NOBODY:
        raise UnauthenticatedError("this call needs a service's client certificate")
    if caller.peer.kind is not PeerKind.SERVICE or caller.peer.name not in names:
        raise NotPermittedError("this call is for other services only")
    return caller


def require_token(context: Context) -> Caller:
    """The caller, with a token.

    Raises:
        UnauthenticatedError: The call came without one.
    """
    caller = caller_of(context)
    if caller.access_token is None:
        raise UnauthenticatedError("this call needs an access token: authorization: Bearer <token>")
    return caller


def _token_of(context: Context) -> AccessToken | None:
    values = [value for key, value in context.invocation_metadata() or () if key == "authorization"]
    if not values:
        return None
    match = _BEARER.fullmatch(str(values[0]))
    if len(values) > 1 or match is None or len(match[1]) > _MOST_TOKEN:
        raise UnauthenticatedError("the authorization metadata must be one value: Bearer <token>")
    return AccessToken(match[1])
