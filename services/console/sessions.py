"""A person's sign-in, sealed into cookies of the browser: the console itself keeps nothing.

The tokens never reach a script: cookies are HttpOnly, Secure, of this host alone, and SameSite.
"""

from __future__ import annotations

import base64
import json
import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Final, Literal, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from starlette.responses import Response

from services.common.keyring import Key, opened

_COOKIE: Final = "__Host-platewarden"
_WAY: Final = "__Host-platewarden-way"
_WORD: Final = "word of forms"
_FORM: Final = "form for {}"
# Browsers keep 4,096 bytes with name and attributes; providers' refresh tokens have been seen with 2,000.
_PIECE: Final = 3500
_MOST_PIECES: Final = 3
_NONCE: Final = 12
LIFE_SECONDS: Final = 12 * 3600
"""A sign-in is good for twelve hours at the provider (CJIS IA-5); no cookie outlives it."""
_WAY_SECONDS: Final = 600


class TooLongError(Exception):
    """The provider's tokens do not fit into cookies."""


@dataclass(frozen=True, slots=True)
class Session:
    """A sign-in: tokens, when the access token ends, when it began and was used last (epoch seconds).

    `csrf` is the word in every form (Sealer.word); `exempt` is true at a telecommunication centre, whose
    screens do not lock.
    """

    sid: str
    access_token: str
    refresh_token: str
    expires_at: float
    begun_at: float
    used_at: float
    csrf: str
    exempt: bool = False

    @classmethod
    def begin(cls, access_token: str, refresh_token: str, expires_in: float) -> Self:
        """A new one; its ids are drawn."""
        now = time.time()
        return cls(
            sid=secrets.token_urlsafe(16),
            access_token=access_token,
            refresh_token=refresh_token,
            expires_at=now + expires_in,
            begun_at=now,
            used_at=now,
            csrf=secrets.token_urlsafe(24),
        )

    def renewed(self, access_token: str, refresh_token: str, expires_in: float) -> Self:
        """With newer tokens; the refresh token of before goes on if there is none."""
        return replace(
            self,
            access_token=access_token,
            refresh_token=refresh_token or self.refresh_token,
            expires_at=time.time() + expires_in,
        )

    def renewed_as(self, other: Session) -> Self:
        """With the tokens of another copy of the same session."""
        return replace(
            self,
            access_token=other.access_token,
            refresh_token=other.refresh_token,
            expires_at=other.expires_at,
        )

    def is_over(self) -> bool:
        """True once it is twelve hours old."""
        return time.time() > self.begun_at + LIFE_SECONDS

    def is_locked(self, idle_seconds: float) -> bool:
        """True after that time without a touch; never at a telecommunication centre."""
        return not self.exempt and time.time() > self.used_at + idle_seconds


@dataclass(frozen=True, slots=True)
class Way:
    """A sign-in that is under way at the provider: what comes back must fit, and where to go then."""

    state: str
    verifier: str
    page: str
    begun_at: float


class Sealer:
    """Seals and opens what browsers keep; `key` may have former ones behind it."""

    def __init__(self, key: Key) -> None:
        self._key = key

    def keep(self, response: Response, session: Session) -> None:
        """Puts the session into the answer's cookies. Raises TooLongError."""
        text = self._sealed(asdict(session), _COOKIE)
        pieces = [text[at : at + _PIECE] for at in range(0, len(text), _PIECE)]
        if len(pieces) > _MOST_PIECES:
            raise TooLongError
        for number, piece in enumerate(pieces):
            _set(response, f"{_COOKIE}-{number}", piece, LIFE_SECONDS, "strict")
        for number in range(len(pieces), _MOST_PIECES):
            _forget(response, f"{_COOKIE}-{number}")

    def session(self, cookies: Mapping[str, str]) -> Session | None:
        """The session of the request's cookies; None without one that opens."""
        text = "".join(cookies.get(f"{_COOKIE}-{number}", "") for number in range(_MOST_PIECES))
        found = self._opened(text, _COOKIE)
        return None if found is None else Session(**found)

    def keep_way(self, response: Response, way: Way) -> None:
        """Puts a sign-in that is under way into a cookie of ten minutes."""
        # Lax: it has to come back with the person, whom another site sends here.
        _set(response, _WAY, self._sealed(asdict(way), _WAY), _WAY_SECONDS, "lax")

    def way(self, cookies: Mapping[str, str]) -> Way | None:
        """The sign-in that is under way; None without one, or after ten minutes."""
        found = self._opened(cookies.get(_WAY, ""), _WAY)
        way = None if found is None else Way(**found)
        return way if way is not None and time.time() < way.begun_at + _WAY_SECONDS else None

    def word(self, account_id: str) -> str:
        """A new word for the forms of a sign-in of that account."""
        return self._sealed({"account": account_id, "at": time.time()}, _WORD)

    def is_of_same_account(self, given: str, own: str) -> bool:
        """Whether both words are of one account, and the first one no older than two sign-ins get."""
        one, other = self._opened(given, _WORD), self._opened(own, _WORD)
        if one is None or other is None or time.time() > one["at"] + 2 * LIFE_SECONDS:
            return False
        return bool(one["account"] == other["account"])

    def seal_form(self, path: str, fields: Sequence[tuple[str, str]]) -> str:
        """The fields of a form to that address, as its page may carry them: nobody reads them there."""
        return self._sealed({"fields": list(fields)}, _FORM.format(path))

    def form(self, path: str, text: str) -> list[tuple[str, str]]:
        """The fields of a sealed form; none where it is not one for that address."""
        found = self._opened(text, _FORM.format(path)) or {"fields": []}
        return [(name, value) for name, value in found["fields"]]

    def forget(self, response: Response) -> None:
        """Takes all of it out of the browser."""
        for number in range(_MOST_PIECES):
            _forget(response, f"{_COOKIE}-{number}")
        _forget(response, _WAY)

    def _sealed(self, values: dict[str, object], what: str) -> str:
        nonce = secrets.token_bytes(_NONCE)
        body = AESGCM(bytes(self._key)).encrypt(nonce, json.dumps(values).encode(), what.encode())
        return base64.urlsafe_b64encode(nonce + body).rstrip(b"=").decode()

    def _opened(self, text: str, what: str) -> dict[str, Any] | None:
        try:
            raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
            nonce, body = raw[:_NONCE], raw[_NONCE:]
            clear = opened(self._key, lambda one: AESGCM(one).decrypt(nonce, body, what.encode()), InvalidTag)
            found: dict[str, Any] = json.loads(clear)
        except (ValueError, InvalidTag):
            return None
        return found


def _set(
    response: Response, name: str, value: str, seconds: int, same_site: Literal["lax", "strict"]
) -> None:
    response.set_cookie(
        name, value, max_age=seconds, path="/", secure=True, httponly=True, samesite=same_site
    )


def _forget(response: Response, name: str) -> None:
    response.delete_cookie(name, path="/", secure=True, httponly=True)
