"""Codes and refresh tokens of the development issuer, in memory: when it ends, browsers sign in again."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field

TOKEN_SECONDS = 600
# A working day: tokens of one person come from one sign-in for so long.
SIGN_IN_SECONDS = 8 * 3600
CODE_SECONDS = 60
_MOST = 10_000
_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")
_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}")


class GrantError(Exception):
    """A code or refresh token is not good (`invalid_grant` of RFC 6749); the text says what is wrong."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a client asks for when it sends a person here; `challenge` is of PKCE, S256."""

    client_id: str
    redirect_uri: str
    challenge: str
    scope: str = ""
    nonce: str = ""

    @property
    def scopes(self) -> frozenset[str]:
        """The words of `scope`."""
        return frozenset(self.scope.split())


@dataclass(slots=True)
class Family:
    """One sign-in of a person at a client, with the one refresh token that is good just now."""

    asked: Asked
    subject: str
    signed_in: int
    sid: str = field(default_factory=lambda: str(uuid.uuid4()))
    refresh_token: str = ""


@dataclass(slots=True)
class _Code:
    family: Family
    ends: float
    is_spent: bool = False


class Grants:
    """What browsers were given."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        """`clock` says the seconds of the epoch."""
        self._clock = clock
        self._codes: dict[str, _Code] = {}
        self._families: dict[str, Family] = {}

    def code(self, asked: Asked, subject: str) -> str:
        """A code for a person who has just signed in, good once and for a minute; a sign-in of its own."""
        self._forget_old()
        code, now = secrets.token_urlsafe(32), self._clock()
        self._codes[code] = _Code(Family(asked, subject, int(now)), now + CODE_SECONDS)
        return code

    def redeem(self, code: str, client_id: str, redirect_uri: str, verifier: str) -> Family:
        """The sign-in that the code stands for, with its first refresh token.

        Raises:
            GrantError: It is unknown, over, or another's. One that comes twice ends what it gave before.
        """
        found = self._codes.get(code)
        if found is None or self._clock() >= found.ends:
            raise GrantError("the code is unknown or too old")
        family, was_spent, found.is_spent = found.family, found.is_spent, True
        if was_spent:
            self._families.pop(family.sid, None)
            raise GrantError("the code was used before; what it gave is over")
        if (client_id, redirect_uri) != (family.asked.client_id, family.asked.redirect_uri):
            raise GrantError("the code is of another client or address")
        if not fits(verifier, family.asked.challenge):
            raise GrantError("code_verifier does not fit")
        self._families[family.sid] = family
        return _turned(family)

    def renew(self, refresh_token: str, client_id: str) -> Family:
        """The sign-in of the refresh token, which is used up by this, with the next one.

        Raises:
            GrantError: It is unknown or over. One that comes twice ends its sign-in: somebody else has it.
        """
        family = self._family_of(refresh_token, client_id)
        if family is None or self._clock() >= family.signed_in + SIGN_IN_SECONDS:
            raise GrantError("the sign-in is over")
        if not hmac.compare_digest(refresh_token.encode(), family.refresh_token.encode()):
            del self._families[family.sid]
            raise GrantError("the refresh token was used before; the sign-in is over")
        return _turned(family)

    def revoke(self, refresh_token: str, client_id: str) -> None:
        """Ends the sign-in of the refresh token, if there is one (RFC 7009)."""
        family = self._family_of(refresh_token, client_id)
        if family is not None:
            del self._families[family.sid]

    def _family_of(self, refresh_token: str, client_id: str) -> Family | None:
        family = self._families.get(refresh_token.partition(".")[0])
        return family if family is not None and family.asked.client_id == client_id else None

    def _forget_old(self) -> None:
        now = self._clock()
        self._codes = {code: one for code, one in self._codes.items() if now < one.ends}
        self._families = {
            sid: one for sid, one in self._families.items() if now < one.signed_in + SIGN_IN_SECONDS
        }
        for kept in (self._codes, self._families):
            if len(kept) >= _MOST:
                kept.clear()


def is_challenge(text: str) -> bool:
    """Whether the text can be a code_challenge of method S256."""
    return _CHALLENGE.fullmatch(text) is not None


def fits(verifier: str, challenge: str) -> bool:
    """Whether the code_verifier is the one that the challenge was made of (RFC 7636)."""
    if _VERIFIER.fullmatch(verifier) is None:
        return False
    made = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=")
    return hmac.compare_digest(made, challenge.encode())


def _turned(family: Family) -> Family:
    # The family's id in front finds it again when an old token comes back.
    family.refresh_token = f"{family.sid}.{secrets.token_urlsafe(32)}"
    return family
