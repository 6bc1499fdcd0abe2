"""The identity provider: authorization code with PKCE, on the server (RFC 6749, 7636, 9207)."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import Any, Final

import httpx2
from authlib.integrations.base_client.errors import OAuthError
from authlib.integrations.httpx_client import AsyncOAuth2Client

from services.console.config import ConsoleSettings
from services.console.sessions import LIFE_SECONDS, Session

_TIMEOUT_SECONDS: Final = 10
_RENEW_BEFORE_SECONDS: Final = 90.0
_FORGET_AFTER_SECONDS: Final = 600.0
_ENDPOINTS: Final = ("authorization_endpoint", "token_endpoint")


class ProviderError(Exception):
    """The provider refuses or does not answer; the text is a sentence for the person."""


@dataclass(frozen=True, slots=True)
class Endpoints:
    """The provider's addresses; `revocation` is empty where it has none."""

    authorization: str
    token: str
    revocation: str


class Provider:
    """Sign-in, renewal and sign-out at the provider that the settings name."""

    def __init__(self, settings: ConsoleSettings) -> None:
        self._settings = settings
        self._endpoints: Endpoints | None = None
        self._renewed: dict[str, tuple[float, Session]] = {}
        self._turns: dict[str, asyncio.Lock] = {}
        self._ended: dict[str, float] = {}

    async def page(self, state: str, verifier: str, *, anew: bool) -> str:
        """The address at which the person signs in; `anew` asks for password and second factor even so."""
        endpoints = await self.endpoints()
        more: dict[str, str] = {"prompt": "login"} if anew else {}
        if self._settings.oidc_required_acr:
            more["acr_values"] = self._settings.oidc_required_acr
        if self._settings.oidc_resource:
            more["resource"] = self._settings.oidc_resource
        async with self._client() as client:
            address, _ = client.create_authorization_url(
                endpoints.authorization, state=state, code_verifier=verifier, **more
            )
        return str(address)

    async def finish(self, code: str, verifier: str, issuer: str) -> Session:
        """The session of a person who has come back with `code`.

        Args:
            code: Of the provider.
            verifier: Of the way that was begun.
            issuer: What came as `iss`, empty where the provider does not say it.

        Raises:
            ProviderError: It refuses, does not answer, or another provider sent the person.
        """
        if issuer and issuer.rstrip("/") != self._settings.oidc_issuer:
            raise ProviderError("The answer came from another identity provider; nothing was done with it.")
        answer = await self._token(grant_type="authorization_code", code=code, code_verifier=verifier)
        return Session.begin(*_tokens(answer))

    async def fresh(self, session: Session) -> Session:
        """The session with an access token that lasts a while; the same if it does already.

        Requests that come at the same time share one renewal: a refresh token is good for one use.

        Raises:
            ProviderError: The sign-in has ended at the provider, or it does not answer.
        """
        if time.time() < session.expires_at - _RENEW_BEFORE_SECONDS:
            return session
        self._forget_old()
        async with self._turns.setdefault(session.sid, asyncio.Lock()):
            known = self._renewed.get(session.sid)
            if known is not None and time.time() < known[1].expires_at - _RENEW_BEFORE_SECONDS:
                return session.renewed_as(known[1])
            source = session if known is None else known[1]
            if not source.refresh_token:
                return self._while_it_lasts(session)
            try:
                answer = await self._token(grant_type="refresh_token", refresh_token=source.refresh_token)
            except ProviderError:
                return self._while_it_lasts(session)
            renewed = source.renewed(*_tokens(answer))
            self._renewed[session.sid] = (time.monotonic(), renewed)
            return session.renewed_as(renewed)

    def _while_it_lasts(self, session: Session) -> Session:
        """The session as it is: another replica may have renewed it, which the browser has next time."""
        if time.time() < session.expires_at:
            return session
        raise ProviderError("Your sign-in has ended; sign in again.")

    def has_ended(self, session: Session) -> bool:
        """Whether the person has signed out of it here: a copy of the cookies is good for nothing then."""
        return session.sid in self._ended

    async def leave(self, session: Session) -> None:
        """Takes the refresh token back where the provider has a way to. Raises ProviderError."""
        self._ended[session.sid] = session.begun_at + LIFE_SECONDS
        known = self._renewed.pop(session.sid, None)
        session = session if known is None else known[1]
        endpoints = await self.endpoints()
        if endpoints.revocation and session.refresh_token:
            try:
                async with self._client() as client:
                    await client.revoke_token(endpoints.revocation, token=session.refresh_token)  # type: ignore[no-untyped-call]
            except (OAuthError, httpx2.HTTPError):
                raise ProviderError(
                    "The identity provider did not answer; you are signed out here."
                ) from None

    async def endpoints(self) -> Endpoints:
        """The provider's addresses, from its discovery document. Raises ProviderError."""
        if self._endpoints is None:
            self._endpoints = await self._discover()
        return self._endpoints

    async def _discover(self) -> Endpoints:
        issuer = self._settings.oidc_issuer
        try:
            async with httpx2.AsyncClient(timeout=_TIMEOUT_SECONDS) as client:
                found = (await client.get(self._settings.discovery_url)).raise_for_status().json()
        except (httpx2.HTTPError, ValueError):
            raise ProviderError("The identity provider does not answer; try again.") from None
        if str(found.get("issuer", "")).rstrip("/") != issuer or not all(
            found.get(one) for one in _ENDPOINTS
        ):
            raise ProviderError("The identity provider says that it is another one.")
        names = (*_ENDPOINTS, "revocation_endpoint")
        return Endpoints(*(str(found.get(name, "")) for name in names))

    async def _token(self, **fields: str) -> dict[str, Any]:
        endpoints = await self.endpoints()
        resource = self._settings.oidc_resource
        more = {"resource": resource} if resource else {}
        try:
            async with self._client() as client:
                answer = await client.fetch_token(endpoints.token, **fields, **more)
        except OAuthError:
            raise ProviderError("The identity provider did not sign you in; begin again.") from None
        except (httpx2.HTTPError, ValueError):
            raise ProviderError("The identity provider does not answer; try again.") from None
        return dict(answer)

    def _client(self) -> AsyncOAuth2Client:
        settings = self._settings
        file = settings.oidc_client_secret_file
        return AsyncOAuth2Client(
            settings.oidc_client_id,
            None if file is None else file.read_text(encoding="ascii").strip(),
            scope=settings.oidc_scope,
            redirect_uri=f"{settings.console_url}/signed-in",
            code_challenge_method="S256",
            token_endpoint_auth_method="none" if file is None else "client_secret_basic",
            timeout=_TIMEOUT_SECONDS,
        )

    def _forget_old(self) -> None:
        long_ago = time.monotonic() - _FORGET_AFTER_SECONDS
        for sid in [sid for sid, (at, _) in self._renewed.items() if at < long_ago]:
            del self._renewed[sid]
        for sid in [
            sid for sid, turn in self._turns.items() if sid not in self._renewed and not turn.locked()
        ]:
            del self._turns[sid]
        for sid in [sid for sid, until in self._ended.items() if until < time.time()]:
            del self._ended[sid]


def _tokens(answer: dict[str, Any]) -> tuple[str, str, float]:
    access = answer.get("access_token")
    if not isinstance(access, str) or not access:
        raise ProviderError("The identity provider gave no access token.")
    return access, str(answer.get("refresh_token") or ""), float(answer.get("expires_in") or 0)
