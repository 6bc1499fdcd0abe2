"""How people sign in at the development issuer with a browser: authorization code with PKCE (RFC 6749, 7636).

The page asks who to be and for the secret of the data directory: whoever holds it may be anybody (ADR-0007).
"""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import Awaitable, Callable, Mapping
from html import escape
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

from aiohttp import web

from services.common.issuers import DEVELOPMENT_ISSUER
from services.dev.issuer_grants import TOKEN_SECONDS, Asked, Family, GrantError, Grants, is_challenge
from services.dev.places import CONSOLE_CLIENT

if TYPE_CHECKING:
    from services.dev.issuer import DevelopmentIssuer

_FORM = "application/x-www-form-urlencoded"
# This machine alone. A strict form of it, as browsers and libraries read odd addresses in different ways.
_LOOPBACK = re.compile(r"https?://(127\.0\.0\.1|localhost|\[::1\])(:\d{1,5})?(/[A-Za-z0-9._~/-]*)?")
_MOST_CHARACTERS = 1024
_ASKED = (
    *("client_id", "redirect_uri", "response_type", "code_challenge", "code_challenge_method"),
    *("scope", "state", "nonce", "prompt"),
)
_GUESS_SECONDS = 1.0
_MOST_GUESSES = 4
_NO_STORE = {"Cache-Control": "no-store"}
_STYLE = """
:root { color-scheme: light dark; font: 1.0625rem/1.5 system-ui, sans-serif }
body { max-width: 28rem; margin: 10vh auto; padding: 0 1rem }
label { display: block; margin-top: 1rem; font-weight: 600 }
input, button { font: inherit; box-sizing: border-box; width: 100%; min-height: 2.75rem; padding: 0 .75rem }
button { margin-top: 1.5rem }
label + input + p { margin-top: .25rem }
code { overflow-wrap: anywhere }
.wrong { border-left: .25rem solid; padding-left: .75rem; font-weight: 600 }
"""


class _WrongError(Exception):
    """The request is nonsense and cannot be sent back to its client; the text is for the person."""


class SignInPages:
    """The authorization, token and revocation endpoints for browsers' clients."""

    def __init__(self, issuer: DevelopmentIssuer, grants: Grants | None = None) -> None:
        """Codes and sign-ins are new with it."""
        self._issuer = issuer
        self._grants = grants or Grants()
        self._guesses = 0

    def add_to(self, router: web.UrlDispatcher) -> None:
        """Adds the addresses, all but the one of tokens, which the command line shares."""
        router.add_get("/authorize", _told(self.ask))
        router.add_post("/authorize", _told(self.answer))
        router.add_post("/revoke", self.revoke)

    @staticmethod
    def discovery(here: str) -> dict[str, Any]:
        """What the discovery document says of the sign-in; `here` is the issuer's address."""
        return {
            "authorization_endpoint": f"{here}/authorize",
            "revocation_endpoint": f"{here}/revoke",
            "response_types_supported": ["code"],
            "response_modes_supported": ["query"],
            "grant_types_supported": ["authorization_code", "refresh_token"],
            "code_challenge_methods_supported": ["S256"],
            "scopes_supported": ["openid", "offline_access"],
            "subject_types_supported": ["public"],
            "prompt_values_supported": ["login", "none"],
            "token_endpoint_auth_methods_supported": ["none"],
            "revocation_endpoint_auth_methods_supported": ["none"],
            "authorization_response_iss_parameter_supported": True,
        }

    async def ask(self, request: web.Request) -> web.Response:
        """The page that asks who to be. Nobody stays signed in here, so `prompt=login` is always done."""
        given = _fields(request.query)
        refused = _refused(_known(given))
        return refused or _page(given, given.get("login_hint", ""), "")

    async def answer(self, request: web.Request) -> web.Response:
        """Sends the person back with a code if the secret is right."""
        given = await _form(request)
        asked = _known(given)
        if (refused := _refused(given)) is not None:
            return refused
        subject = given.get("subject", "").strip()
        if self._guesses >= _MOST_GUESSES:
            return _page(given, subject, "Too many wrong secrets just now; try again in a moment.", 429)
        if not self._issuer.is_secret(given.get("secret", "")):
            await self._slow_down()
            return _page(given, subject, "That is not the secret of this data directory.", 403)
        if not is_subject(subject):
            return _page(given, subject, "The subject must have 1 to 255 printable characters.", 400)
        wish = Asked(
            client_id=asked["client_id"],
            redirect_uri=asked["redirect_uri"],
            challenge=asked["code_challenge"],
            scope=asked.get("scope", ""),
            nonce=asked.get("nonce", ""),
        )
        return _back(asked, code=self._grants.code(wish, subject))

    async def token(self, request: web.Request) -> web.Response:
        """Tokens for a code or a refresh token."""
        given = await _form(request)
        client_id = given.get("client_id", "")
        if client_id != CONSOLE_CLIENT:
            return _error("invalid_client", "the client is unknown", 401)
        try:
            match given.get("grant_type"):
                case "authorization_code":
                    names = ("redirect_uri", "code_verifier")
                    family = self._grants.redeem(
                        given.get("code", ""), client_id, *(given.get(name, "") for name in names)
                    )
                    return self._tokens(family, with_id=True)
                case "refresh_token":
                    family = self._grants.renew(given.get("refresh_token", ""), client_id)
                    return self._tokens(family, with_id=False)
        except GrantError as error:
            return _error("invalid_grant", str(error))
        return _error("unsupported_grant_type", "grant_type must be authorization_code or refresh_token")

    async def revoke(self, request: web.Request) -> web.Response:
        """Ends the sign-in of a refresh token; says nothing of whether there was one (RFC 7009)."""
        given = await _form(request)
        if given.get("client_id") != CONSOLE_CLIENT:
            return _error("invalid_client", "the client is unknown", 401)
        self._grants.revoke(given.get("token", ""), CONSOLE_CLIENT)
        return web.Response(headers=_NO_STORE)

    def _tokens(self, family: Family, *, with_id: bool) -> web.Response:
        scopes = family.asked.scopes
        sign_in = {"auth_time": family.signed_in, "sid": family.sid}
        answer: dict[str, Any] = {
            "access_token": self._issuer.token(family.subject, **sign_in),
            "token_type": "Bearer",
            "expires_in": TOKEN_SECONDS,
            "scope": family.asked.scope,
        }
        if "offline_access" in scopes:
            answer["refresh_token"] = family.refresh_token
        if with_id and "openid" in scopes:
            claims = {"aud": family.asked.client_id, "nonce": family.asked.nonce or None}
            answer["id_token"] = self._issuer.token(family.subject, **sign_in, **claims)
        return web.json_response(answer, headers=_NO_STORE)

    async def _slow_down(self) -> None:
        self._guesses += 1
        try:
            await asyncio.sleep(_GUESS_SECONDS)
        finally:
            self._guesses -= 1


def is_form(request: web.Request) -> bool:
    """Whether the request brings a form."""
    return request.content_type == _FORM


def is_subject(text: str) -> bool:
    """Whether somebody can be called so."""
    return 0 < len(text) <= 255 and text.isprintable()  # noqa: PLR2004 - as many as `sub` may have in OIDC


_Handler = Callable[[web.Request], Awaitable[web.Response]]


def _told(handler: _Handler) -> _Handler:
    """The handler, with a plain sentence for the person where the request is nonsense."""

    async def handle(request: web.Request) -> web.Response:
        try:
            return await handler(request)
        except _WrongError as error:
            return web.Response(text=str(error), status=400, headers=_headers("'none'", ""))

    return handle


def _fields(given: Mapping[str, Any]) -> dict[str, str]:
    return {name: value for name, value in given.items() if isinstance(value, str)}


async def _form(request: web.Request) -> dict[str, str]:
    return _fields(await request.post()) if is_form(request) else {}


def _known(given: dict[str, str]) -> dict[str, str]:
    """The request, once it is sure that its client is known and where the person may be sent back to."""
    if given.get("client_id") != CONSOLE_CLIENT:
        raise _WrongError(f"The client is unknown: client_id must be {CONSOLE_CLIENT}.")
    if _LOOPBACK.fullmatch(given.get("redirect_uri", "")) is None:
        raise _WrongError("redirect_uri must be an address of this machine, without query or fragment.")
    if any(len(value) > _MOST_CHARACTERS for value in given.values()):
        raise _WrongError("A parameter is too long.")
    return given


def _refused(given: dict[str, str]) -> web.Response | None:
    """The way back with an error, where the client asks for what there is not."""
    if given.get("response_type") != "code":
        return _back(given, error="unsupported_response_type")
    if given.get("code_challenge_method") != "S256" or not is_challenge(given.get("code_challenge", "")):
        return _back(given, error="invalid_request", error_description="PKCE with S256 is required")
    if "none" in given.get("prompt", "").split():
        return _back(given, error="login_required")
    return None


def _back(given: dict[str, str], **answer: str) -> web.Response:
    state = {"state": given["state"]} if "state" in given else {}
    address = f"{given['redirect_uri']}?{urlencode({**answer, **state, 'iss': DEVELOPMENT_ISSUER})}"
    return web.Response(
        status=303, headers={**_NO_STORE, "Location": address, "Referrer-Policy": "no-referrer"}
    )


def _error(error: str, description: str, status: int = 400) -> web.Response:
    answer = {"error": error, "error_description": description}
    return web.json_response(answer, status=status, headers=_NO_STORE)


def _page(given: dict[str, str], subject: str, wrong: str, status: int = 200) -> web.Response:
    nonce = secrets.token_urlsafe(16)
    hidden = "".join(
        f'<input type="hidden" name="{name}" value="{escape(given[name])}">'
        for name in _ASKED
        if name in given
    )
    error = f'<p id="wrong" class="wrong" role="alert">{escape(wrong)}</p>' if wrong else ""
    here = f" autofocus{' aria-invalid=true' if wrong else ''}"
    at_subject, at_secret = ("", here) if is_subject(subject) else (here, "")
    told = " wrong" if wrong else ""
    text = f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Sign in for development</title>
<style nonce="{nonce}">{_STYLE}</style>
</head>
<body>
<main>
<h1>Sign in for development</h1>
<p>This issuer is for one machine. Whoever holds the secret of the data directory may be anybody.</p>
{error}
<form method="post" action="/authorize">
{hidden}
<label for="subject">Subject</label>
<input id="subject" name="subject" value="{escape(subject)}" required maxlength="255" autocomplete="username"
 autocapitalize="none" spellcheck="false" aria-describedby="who{told}"{at_subject}>
<p id="who">Who to be: the subject of an account.</p>
<label for="secret">Secret of the data directory</label>
<input id="secret" name="secret" type="password" required autocomplete="current-password"
 aria-describedby="where{told}"{at_secret}>
<p id="where">It is in the file <code>issuer/secret</code> of the data directory; <code>platewarden up</code>
says where that is.</p>
<button>Sign in</button>
</form>
</main>
</body>
</html>
"""
    return web.Response(
        text=text,
        status=status,
        content_type="text/html",
        headers=_headers(f"'self' {_source(given['redirect_uri'])}", f"; style-src 'nonce-{nonce}'"),
    )


def _source(address: str) -> str:
    """The address as a source of a Content-Security-Policy, which knows no IPv6 addresses."""
    parts = urlsplit(address)
    return f"{parts.scheme}:" if "[" in parts.netloc else f"{parts.scheme}://{parts.netloc}"


def _headers(form_action: str, more: str) -> dict[str, str]:
    policy = f"default-src 'none'; base-uri 'none'; frame-ancestors 'none'; form-action {form_action}{more}"
    return {
        **_NO_STORE,
        "Content-Security-Policy": policy,
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
    }
