"""Whether the claims of an identity token are good enough (ADR 0007)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

LONGEST_LIFE = timedelta(minutes=10)
# How far the clocks of provider and service may differ.
SKEW = timedelta(seconds=30)
_MOST_CHARACTERS = 255


class ClaimsError(Exception):
    """A claim is missing or wrong; the text says which, never its value."""


@dataclass(frozen=True, slots=True)
class Expected:
    """What every token must say. `acr` is the provider's name for multi-factor sign-in."""

    issuer: str
    audience: str
    acr: str


@dataclass(frozen=True, slots=True)
class Identity:
    """A person as the identity provider knows them, until the token ends."""

    issuer: str
    subject: str
    token_id: str
    issued_at: datetime
    expires_at: datetime


def identity_of(claims: Mapping[str, Any], expected: Expected, now: datetime) -> Identity:
    """The person whom these claims, from a token with a good signature, stand for.

    Raises:
        ClaimsError: A claim is missing or wrong, or the token is not in force at `now`.
    """
    audience = claims.get("aud")
    audiences = audience if isinstance(audience, list) else [audience]
    checks = {
        "iss": claims.get("iss") == expected.issuer,
        "aud": expected.audience in audiences,
        "acr": claims.get("acr") == expected.acr,
    }
    wrong = [name for name, good in checks.items() if not good]
    if wrong:
        raise ClaimsError(f"the token's claim {wrong[0]} is not the one required")
    issued_at, expires_at = _in_force(claims, now)
    return Identity(expected.issuer, _text(claims, "sub"), _text(claims, "jti"), issued_at, expires_at)


def _in_force(claims: Mapping[str, Any], now: datetime) -> tuple[datetime, datetime]:
    """When the token was issued and when it ends; it has begun, and lives no longer than it may."""
    issued_at, expires_at = _time(claims, "iat"), _time(claims, "exp")
    not_before = _time(claims, "nbf") if "nbf" in claims else issued_at
    if now >= expires_at + SKEW:
        raise ClaimsError("the token has expired; sign in again")
    if max(issued_at, not_before) > now + SKEW:
        raise ClaimsError("the token is not in force yet; check the clocks")
    if not timedelta(0) < expires_at - issued_at <= LONGEST_LIFE:
        raise ClaimsError("the token lives longer than ten minutes")
    return issued_at, expires_at


def _time(claims: Mapping[str, Any], name: str) -> datetime:
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ClaimsError(f"the token's claim {name} is missing")
    try:
        return datetime.fromtimestamp(value, UTC)
    except (ValueError, OverflowError, OSError):
        raise ClaimsError(f"the token's claim {name} is not a time") from None


def _text(claims: Mapping[str, Any], name: str) -> str:
    value = claims.get(name)
    if not isinstance(value, str) or not value or len(value) > _MOST_CHARACTERS or not value.isprintable():
        raise ClaimsError(f"the token's claim {name} is missing")
    return value
