"""People's access tokens, verified here and nowhere else (ADR 0007)."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Sequence
from hashlib import sha256
from typing import Any

import aiohttp
import structlog
from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from services.audit.core.claims import ClaimsError, Expected, Identity, identity_of
from services.common.clock import Clock
from services.common.errors import DependencyUnavailableError, UnauthenticatedError

log = structlog.get_logger()

# Keys older than this are fetched again, so that a key that the provider takes back stops working.
_REFRESH_SECONDS = 300.0
# When the provider does not answer, the last keys serve no longer than this.
_STALE_SECONDS = 3600.0
# Tokens with unknown key ids make the keys be fetched at most this often, whoever sends such tokens.
_REFETCH_SECONDS = 10.0
_FETCH_TIMEOUT = aiohttp.ClientTimeout(total=5)
_MOST_KEY_BYTES = 256 * 1024
_MOST_TOKEN_CHARACTERS = 8192
# A token lives ten minutes; of so many at once the signatures need no second look.
_MOST_HELD = 4096


class ProviderKeys:
    """The identity provider's public keys, fetched when needed and kept for minutes."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._keys = KeySet([])
        self._fetched = self._tried = float("-inf")
        self._lock = asyncio.Lock()

    async def holding(self, key_id: str) -> KeySet:
        """The provider's keys, newly fetched when they are old or do not hold `key_id`.

        Raises:
            DependencyUnavailableError: The provider does not answer, and no keys young enough are at hand.
        """
        if self._must_fetch(key_id):
            async with self._lock:
                if self._must_fetch(key_id):
                    await self._fetch()
        if time.monotonic() - self._fetched > _STALE_SECONDS:
            msg = "the identity provider's keys cannot be fetched; try again"
            raise DependencyUnavailableError(msg, retry_after_ms=5000)
        return self._keys

    def _must_fetch(self, key_id: str) -> bool:
        now = time.monotonic()
        known = any(key.kid == key_id for key in self._keys)
        wanted = not known or now - self._fetched > _REFRESH_SECONDS
        return wanted and now - self._tried > _REFETCH_SECONDS

    async def _fetch(self) -> None:
        self._tried = time.monotonic()
        try:
            async with (
                aiohttp.ClientSession(timeout=_FETCH_TIMEOUT) as session,
                session.get(self._url, allow_redirects=False, raise_for_status=True) as answer,
            ):
                keys = KeySet.import_key_set(json.loads(await answer.content.read(_MOST_KEY_BYTES)))
        except (aiohttp.ClientError, TimeoutError, ValueError, LookupError, TypeError, JoseError) as error:
            log.warning("provider_keys_not_fetched", error=type(error).__name__)
            return
        self._keys, self._fetched = keys, self._tried
        log.info("provider_keys_fetched", keys=len(keys.keys))


class TokenVerifier:
    """Says whom a token stands for."""

    def __init__(
        self, keys: ProviderKeys, expected: Expected, algorithms: Sequence[str], clock: Clock
    ) -> None:
        self._keys = keys
        self._expected = expected
        self._algorithms = list(algorithms)
        self._clock = clock
        # Key id and claims by the hash of their token, of those whose signature held, oldest first; and by
        # which keys.
        self._held: dict[bytes, tuple[str, dict[str, Any]]] = {}
        self._held_by: KeySet | None = None

    def knows(self, token: str) -> bool:
        """True when the signature of the token was good before, by keys that are still those of now."""
        return sha256(token.encode()).digest() in self._held

    async def verify(self, token: str) -> Identity:
        """The person whom the token stands for at this moment.

        Raises:
            UnauthenticatedError: The token is missing, not signed by the provider, of another issuer,
                audience or strength of sign-in, or not in force.
            DependencyUnavailableError: The provider's keys cannot be had.
        """
        if not token or len(token) > _MOST_TOKEN_CHARACTERS or not token.isascii():
            raise UnauthenticatedError("an access token is required; sign in")
        try:
            name = sha256(token.encode()).digest()
            key_id = self._key_id(name, token)
            keys = await self._keys.holding(key_id)
            return identity_of(self._claims(name, token, key_id, keys), self._expected, self._clock.now())
        except ClaimsError as error:
            raise UnauthenticatedError(str(error)) from None
        # Whatever a forged token makes the library raise, the answer is the same.
        except (JoseError, ValueError, TypeError, LookupError):
            raise UnauthenticatedError("the access token was not accepted; sign in again") from None

    def _key_id(self, name: bytes, token: str) -> str:
        """The key that the token, whose hash is `name`, says it is signed with."""
        if held := self._held.get(name):
            return held[0]
        key_id = jws.extract_compact(token.encode()).headers().get("kid")
        if not isinstance(key_id, str) or not key_id:
            raise UnauthenticatedError("the access token names no key; sign in again")
        return key_id

    def _claims(self, name: bytes, token: str, key_id: str, keys: KeySet) -> dict[str, Any]:
        """The claims, whose signature holds. It is looked at once for a token and set of the provider's keys.

        Whether the claims are in force is another question, which is asked every time.
        """
        if self._held_by is not keys:
            self._held, self._held_by = {}, keys
        if held := self._held.get(name):
            return held[1]
        claims = jwt.decode(token, keys.get_by_kid(key_id), algorithms=self._algorithms).claims
        if len(self._held) >= _MOST_HELD:
            del self._held[next(iter(self._held))]
        self._held[name] = key_id, claims
        return claims
