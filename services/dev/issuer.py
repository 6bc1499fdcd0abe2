"""An identity provider for one machine: `python -m services.dev.issuer`.

It says of whoever holds the secret file of the data directory that they are any person they like to be, so it
runs on the loopback interface alone, beside an embedded database alone, and audit takes its tokens only when
told to (ADR-0007). Production has an identity provider of the agency's.
"""

import argparse
import asyncio
import hmac
import ipaddress
import secrets
import signal
import sys
import time
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from aiohttp import web
from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey

from services.common.issuers import (
    DEVELOPMENT_ACR,
    DEVELOPMENT_AMR,
    DEVELOPMENT_ISSUER,
    DEVELOPMENT_PASSWORD_POLICY,
)
from services.dev.files import write_secret
from services.dev.issuer_grants import SIGN_IN_SECONDS, TOKEN_SECONDS
from services.dev.issuer_pages import SignInPages, is_form, is_subject
from services.dev.places import AUDIENCE, DATABASE_FOLDER
from services.dev.postgres import MARKER

_KEY_BITS = 2048
_MOST_BODY_BYTES = 8192
_MOST_SIGN_INS = 10_000


class IssuerError(Exception):
    """The issuer may not or cannot run; its text is one sentence for the operator."""


class DevelopmentIssuer:
    """Signs tokens with a key that lies in a folder, made at first use."""

    def __init__(self, folder: Path) -> None:
        """Makes key and secret (mode 0600) where they are missing.

        Raises:
            OSError: The folder cannot be written.
        """
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.secret_file = folder / "secret"
        write_secret(self.secret_file, lambda: secrets.token_urlsafe(32).encode())
        key_file = folder / "signing-key.pem"
        write_secret(key_file, lambda: RSAKey.generate_key(_KEY_BITS).as_pem(private=True))
        key = RSAKey.import_key(key_file.read_bytes())
        # From the key that is read: to read it once more is to check it once more, which takes long.
        self._key = RSAKey(key.raw_value, key.original_value, {"kid": key.thumbprint(), "use": "sig"})
        self._sign_ins: dict[str, tuple[int, str]] = {}

    @property
    def jwks(self) -> dict[str, Any]:
        """The public key as a JSON Web Key Set."""
        return dict(KeySet([self._key]).as_dict(private=False))

    def token(self, subject: str, **claims: Any) -> str:
        """A token for `subject`, good for ten minutes from now.

        Args:
            subject: Claim `sub`.
            claims: Go over the usual ones; a value of None takes the claim away.
        """
        now = int(time.time())
        signed_in, session = self._sign_in(subject, now)
        usual = {
            "iss": DEVELOPMENT_ISSUER,
            "sub": subject,
            "aud": AUDIENCE,
            "iat": now,
            "auth_time": signed_in,
            "sid": session,
            "exp": now + TOKEN_SECONDS,
            "jti": str(uuid.uuid4()),
            "acr": DEVELOPMENT_ACR,
            "amr": ["pwd", DEVELOPMENT_AMR],
            "pwd_policy": DEVELOPMENT_PASSWORD_POLICY,
        }
        wanted = {name: value for name, value in {**usual, **claims}.items() if value is not None}
        header = {"alg": "RS256", "kid": self._key.kid, "typ": "JWT"}
        return jwt.encode(header, wanted, self._key, algorithms=["RS256"])

    def _sign_in(self, subject: str, now: int) -> tuple[int, str]:
        """When the person signed in, and the sign-in's id: the one of before while it lasts."""
        found = self._sign_ins.get(subject)
        if found is None or now >= found[0] + SIGN_IN_SECONDS:
            if len(self._sign_ins) >= _MOST_SIGN_INS:
                self._sign_ins.clear()
            found = self._sign_ins[subject] = now, str(uuid.uuid4())
        return found

    def sign_in_anew(self, subject: str) -> None:
        """The next token of `subject` is of a new sign-in."""
        self._sign_ins.pop(subject, None)

    def accepts(self, authorization: str) -> bool:
        """Whether an Authorization header holds the secret."""
        scheme, _, secret = authorization.partition(" ")
        return scheme == "Bearer" and self.is_secret(secret)

    def is_secret(self, text: str) -> bool:
        """Whether the text is the secret."""
        wanted = self.secret_file.read_text(encoding="ascii").strip()
        return hmac.compare_digest(text.strip().encode(), wanted.encode())


def application(issuer: DevelopmentIssuer) -> web.Application:
    """The issuer's pages: discovery document, key set, sign-in with a browser, and `POST /token`, which takes
    `{"subject": ...}` from the command line and the forms of OAuth from the console.
    """
    pages = SignInPages(issuer)

    async def discovery(request: web.Request) -> web.Response:
        here = f"http://{request.host}"
        document = {
            "issuer": DEVELOPMENT_ISSUER,
            "jwks_uri": f"{here}/jwks",
            "token_endpoint": f"{here}/token",
            "id_token_signing_alg_values_supported": ["RS256"],
            "acr_values_supported": [DEVELOPMENT_ACR],
            **pages.discovery(here),
        }
        return web.json_response(document)

    async def jwks(_: web.Request) -> web.Response:
        return web.json_response(issuer.jwks)

    async def token(request: web.Request) -> web.Response:
        if is_form(request):
            return await pages.token(request)
        if not issuer.accepts(request.headers.get("Authorization", "")):
            return web.json_response({"error": "the secret of the data directory is required"}, status=401)
        try:
            body = await request.json()
        except ValueError:
            body = None
        subject = body.get("subject") if isinstance(body, dict) else None
        if not isinstance(subject, str) or not is_subject(subject):
            return web.json_response({"error": "subject must have 1 to 255 printable characters"}, status=400)
        if body.get("anew") is True:
            issuer.sign_in_anew(subject)
        answer = {"access_token": issuer.token(subject), "token_type": "Bearer", "expires_in": TOKEN_SECONDS}
        return web.json_response(answer, headers={"Cache-Control": "no-store"})

    made = web.Application(client_max_size=_MOST_BODY_BYTES)
    made.router.add_get("/.well-known/openid-configuration", discovery)
    made.router.add_get("/jwks", jwks)
    made.router.add_post("/token", token)
    pages.add_to(made.router)
    return made


def check_place(data_dir: Path, host: str) -> None:
    """Returns when the issuer may run for `data_dir` and listen on `host`.

    Raises:
        IssuerError: `host` is not a loopback address, or the data directory has no embedded database.
    """
    try:
        loopback = ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = False
    if not loopback:
        raise IssuerError("the development issuer listens on a loopback address only, for example 127.0.0.1")
    if not (data_dir / DATABASE_FOLDER / MARKER).is_file():
        msg = f"the development issuer runs beside an embedded database only, and {data_dir} has none"
        raise IssuerError(msg)


async def _serve(issuer: DevelopmentIssuer, host: str, port: int) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    runner = web.AppRunner(application(issuer), access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        await stop.wait()
    except OSError as error:
        msg = f"the development issuer cannot listen on {host}:{port}: {error.strerror}"
        raise IssuerError(msg) from None
    finally:
        await runner.cleanup()


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code: 0 stopped by a signal, 1 could not run, with one sentence on standard error."""
    parser = argparse.ArgumentParser(
        prog="python -m services.dev.issuer", description="Identity provider for development on one machine."
    )
    parser.add_argument("--data-dir", type=Path, required=True, help="data directory of `platewarden up`")
    parser.add_argument("--host", default="127.0.0.1", help="loopback address")
    parser.add_argument("--port", type=int, required=True)
    parsed = parser.parse_args(arguments)
    try:
        check_place(parsed.data_dir, parsed.host)
        issuer = DevelopmentIssuer(parsed.data_dir / "issuer")
        asyncio.run(_serve(issuer, parsed.host, parsed.port))
    except (IssuerError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
