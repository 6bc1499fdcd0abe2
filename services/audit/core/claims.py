"""Whether the claims of an access token are good enough (ADR 0007; RFC 9068 names them)."""

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
class ClaimNames:
    """Under which names the provider says it; `device` is "" when it does not."""

    token_id: str = "jti"  # noqa: S105 - a claim's name
    acr: str = "acr"
    session: str = "sid"
    device: str = ""
    password_policy: str = "pwd_policy"  # noqa: S105 - a claim's name


@dataclass(frozen=True, slots=True)
class Expected:
    """What every token must say.

    Args:
        issuer: `iss`, exactly.
        audience: What `aud` must hold.
        acr: The provider's name for multi-factor sign-in.
        amr: Ways of signing in, one of which `amr` must name; empty when the provider does not say.
        password_policy: The password rules in force (ENF-051 III.D.6), which a sign-in with a password names.
        longest: How long after it a sign-in is good (CJIS IA-5: 12 hours at most).
        names: The names of the claims.
    """

    issuer: str
    audience: str
    acr: str
    amr: frozenset[str]
    password_policy: str
    longest: timedelta = timedelta(hours=12)
    names: ClaimNames = ClaimNames()


@dataclass(frozen=True, slots=True)
class Identity:
    """A person as the identity provider knows them, until the token ends.

    `session` is the sign-in that the token comes from, `device` what it was made on, if the provider says.
    """

    issuer: str
    subject: str
    token_id: str
    issued_at: datetime
    expires_at: datetime
    signed_in_at: datetime
    session: str
    device: str
    methods: tuple[str, ...] = ()


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
        expected.names.acr: _is_strong(claims, expected),
        "amr": not expected.amr or bool(expected.amr.intersection(_methods(claims))),
    }
    wrong = [name for name, good in checks.items() if not good]
    if wrong:
        raise ClaimsError(f"the token's claim {wrong[0]} is not the one required")
    issued_at, expires_at = _in_force(claims, now)
    signed_in_at = _signed_in(claims, expected, now)
    _check_password(claims, expected)
    names = expected.names
    return Identity(
        issuer=expected.issuer,
        subject=_text(claims, "sub"),
        token_id=_text(claims, names.token_id),
        issued_at=issued_at,
        expires_at=expires_at,
        signed_in_at=signed_in_at,
        session=_text(claims, names.session)
        if names.session in claims
        else str(int(signed_in_at.timestamp())),
        device=_text(claims, names.device) if names.device in claims else "",
        methods=_methods(claims),
    )


def _is_strong(claims: Mapping[str, Any], expected: Expected) -> bool:
    """The sign-in was a multi-factor one. `acr` is one name; a claim in its place may hold several."""
    said = claims.get(expected.names.acr)
    several = isinstance(said, list) and expected.names.acr != "acr"
    return expected.acr in said if several and said else said == expected.acr


def _methods(claims: Mapping[str, Any]) -> tuple[str, ...]:
    said = claims.get("amr")
    return tuple(one for one in said if isinstance(one, str)) if isinstance(said, list) else ()


def _signed_in(claims: Mapping[str, Any], expected: Expected, now: datetime) -> datetime:
    """When the person signed in. New tokens do not make an old sign-in young."""
    signed_in_at = _time(claims, "auth_time")
    if signed_in_at > now + SKEW:
        raise ClaimsError("the token's claim auth_time is ahead; check the clocks")
    if now >= signed_in_at + expected.longest:
        hours = int(expected.longest.total_seconds()) // 3600
        raise ClaimsError(f"you signed in more than {hours} hours ago; sign in again")
    return signed_in_at


def _check_password(claims: Mapping[str, Any], expected: Expected) -> None:
    """A sign-in with a password names the rules that the password obeys; one without any needs no rules."""
    methods = _methods(claims)
    if methods and "pwd" not in methods:
        return
    if claims.get(expected.names.password_policy) != expected.password_policy:
        raise ClaimsError(
            f"the token's claim {expected.names.password_policy} does not name the password rules in force"
        )


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
