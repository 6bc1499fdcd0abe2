"""Signing in at the agency's identity provider: OpenID Connect as a native program does it (RFC 8252).

By a browser on this machine (authorization code with PKCE, RFC 7636), or on another one by a code (RFC 8628).
"""

import asyncio
import base64
import hashlib
import hmac
import json
import secrets
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from services.cli.locate import CommandError

_TIMEOUT_SECONDS = 10
_MOST_BYTES = 64 * 1024
_MOST_REQUEST = 8192
_PATIENCE_SECONDS = 300
_PATH = "/signed-in"
_DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_MOST_WORDS = 200
_DONE = "You are signed in. You can close this window."
_FAILED = "This did not come from the sign-in that was begun. Begin it again at the terminal."

Show = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Application:
    """How the provider knows this program, and what is asked for; `acr` names multi-factor sign-in."""

    issuer: str
    client_id: str
    scope: str = "openid"
    resource: str = ""
    acr: str = ""


@dataclass(frozen=True, slots=True)
class Provider:
    """The provider's addresses, from its discovery document."""

    application: Application
    authorization: str
    token: str
    device: str
    revocation: str

    def exchange(self, **fields: str) -> dict[str, Any]:
        """The token endpoint's answer.

        Raises:
            CommandError: It refuses, or does not answer.
        """
        return _post(self.token, self._asked(fields))

    def revoke(self, refresh_token: str) -> None:
        """Takes the refresh token back, where the provider has a way to. Raises CommandError."""
        if self.revocation:
            _post(self.revocation, {"client_id": self.application.client_id, "token": refresh_token})

    def begin_device(self) -> dict[str, Any]:
        """The device authorization endpoint's answer. Raises CommandError."""
        if not self.device:
            raise CommandError("this provider has no sign-in by code; leave --device out")
        return _post(self.device, self._asked({"scope": self.application.scope, **self._strength()}))

    def page(self, redirect: str, state: str, verifier: str, *, anew: bool) -> str:
        """The address at which the person signs in."""
        digest = hashlib.sha256(verifier.encode()).digest()
        fields = {
            "response_type": "code",
            "redirect_uri": redirect,
            "scope": self.application.scope,
            "state": state,
            "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
            "code_challenge_method": "S256",
            **self._strength(),
            **({"prompt": "login"} if anew else {}),
        }
        return f"{self.authorization}?{urlencode(self._asked(fields))}"

    def _asked(self, fields: Mapping[str, str]) -> dict[str, str]:
        resource = {"resource": self.application.resource} if self.application.resource else {}
        return {"client_id": self.application.client_id, **resource, **fields}

    def _strength(self) -> dict[str, str]:
        return {"acr_values": self.application.acr} if self.application.acr else {}


def discover(application: Application) -> Provider:
    """The provider, by its discovery document.

    Raises:
        CommandError: It does not answer, or says that it is another one.
    """
    _check_address(application.issuer)
    found = _get(f"{application.issuer.rstrip('/')}/.well-known/openid-configuration")
    if found.get("issuer") != application.issuer:
        raise CommandError("the provider at this address says that it is another issuer; check --issuer")
    names = (
        "authorization_endpoint",
        "token_endpoint",
        "device_authorization_endpoint",
        "revocation_endpoint",
    )
    addresses = [str(found.get(name, "")) for name in names]
    for address in filter(None, addresses):
        _check_address(address)
    if not all(addresses[:2]):
        raise CommandError("the provider names no address to sign in at")
    return Provider(application, *addresses)


async def by_browser(provider: Provider, show: Show, *, anew: bool, port: int = 0) -> dict[str, Any]:
    """The token endpoint's answer after the person signed in, in a browser on this machine.

    Args:
        provider: Where.
        show: Is given the address to open.
        anew: Asks the provider for password and second factor though the browser may be signed in still.
        port: Of the loopback address that the browser comes back to; 0 for any.

    Raises:
        CommandError: Nobody signed in within five minutes, or the provider refused.
    """
    state, verifier = secrets.token_urlsafe(24), secrets.token_urlsafe(48)
    came: asyncio.Future[Mapping[str, str]] = asyncio.get_running_loop().create_future()
    server = await asyncio.start_server(_answering(state, came), "127.0.0.1", port, limit=_MOST_REQUEST)
    async with server:
        redirect = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}{_PATH}"
        show(provider.page(redirect, state, verifier, anew=anew))
        try:
            answer = await asyncio.wait_for(came, _PATIENCE_SECONDS)
        except TimeoutError:
            raise CommandError("nobody signed in within five minutes; try again") from None
    if answer.get("iss", provider.application.issuer) != provider.application.issuer:
        raise CommandError("the answer came from another provider; nothing was done with it")  # RFC 9207
    if "code" not in answer:
        raise CommandError(f"the provider did not sign you in: {_words(answer)}")
    return await asyncio.to_thread(
        provider.exchange,
        grant_type="authorization_code",
        code=answer["code"],
        redirect_uri=redirect,
        code_verifier=verifier,
    )


def _answering(state: str, came: asyncio.Future[Mapping[str, str]]) -> Any:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            line = (await asyncio.wait_for(reader.readline(), _TIMEOUT_SECONDS)).decode("ascii", "replace")
        except (TimeoutError, ValueError, ConnectionError):
            line = ""
        parts = line.split(" ")
        target = urlsplit(parts[1]) if len(parts) > 1 and parts[0] == "GET" else urlsplit("")
        fields = {name: values[0] for name, values in parse_qs(target.query).items()}
        # Any page in the browser can call this address; only the provider was told the state.
        good = target.path == _PATH and hmac.compare_digest(fields.get("state", "").encode(), state.encode())
        text = _DONE if good and "code" in fields else _FAILED
        head = f"HTTP/1.1 {'200 OK' if good else '404 Not Found'}\r\nContent-Type: text/plain\r\n"
        writer.write(f"{head}Content-Length: {len(text)}\r\nConnection: close\r\n\r\n{text}".encode())
        await writer.drain()
        writer.close()
        if good and not came.done():
            came.set_result(fields)

    return answer


async def by_device(provider: Provider, show: Show) -> dict[str, Any]:
    """The token endpoint's answer after the person typed the code that is shown, on any machine.

    Raises:
        CommandError: Nobody signed in before the code ran out, or the provider refused.
    """
    began = await asyncio.to_thread(provider.begin_device)
    show(
        f"{began.get('verification_uri_complete') or began['verification_uri']}  (code {began['user_code']})"
    )
    pause = float(began.get("interval", 5))
    give_up = time.monotonic() + float(began["expires_in"])
    while time.monotonic() < give_up:
        await asyncio.sleep(pause)
        answer = await asyncio.to_thread(_ask_once, provider, str(began["device_code"]))
        if answer is not None:
            return answer
    raise CommandError("nobody signed in before the code ran out; try again")


def _ask_once(provider: Provider, device_code: str) -> dict[str, Any] | None:
    try:
        return provider.exchange(grant_type=_DEVICE_GRANT, device_code=device_code)
    except ProviderRefusedError as refusal:
        if refusal.error in ("authorization_pending", "slow_down"):
            return None
        raise


class ProviderRefusedError(CommandError):
    """The provider refuses; `error` is its word for why (RFC 6749, 5.2)."""

    def __init__(self, error: str, text: str) -> None:
        super().__init__(text)
        self.error = error


def _check_address(address: str) -> None:
    parts = urlsplit(address)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOOPBACK):
        raise CommandError("the provider's addresses must begin with https://")


def _get(address: str) -> dict[str, Any]:
    return _call(urllib.request.Request(address))  # noqa: S310 - its scheme was checked


def _post(address: str, fields: Mapping[str, str]) -> dict[str, Any]:
    return _call(urllib.request.Request(address, data=urlencode(fields).encode()))  # noqa: S310 - checked


def _call(request: urllib.request.Request) -> dict[str, Any]:
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS) as response:  # noqa: S310 - checked
            text = response.read(_MOST_BYTES)
    except urllib.error.HTTPError as error:
        said = _json(error.read(_MOST_BYTES))
        raise ProviderRefusedError(
            str(said.get("error", "")), f"the identity provider refused: {_words(said)}"
        ) from None
    except (urllib.error.URLError, OSError):
        raise CommandError("the identity provider does not answer; try again") from None
    return _json(text)


def _json(text: bytes) -> dict[str, Any]:
    try:
        found = json.loads(text or b"{}")
    except ValueError:
        found = {}
    return found if isinstance(found, dict) else {}


def _words(said: Mapping[str, Any]) -> str:
    words = str(said.get("error_description") or said.get("error") or "it does not say why")
    return "".join(one for one in words if one.isprintable())[:_MOST_WORDS]
