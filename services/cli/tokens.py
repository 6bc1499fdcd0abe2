"""Where a person's token comes from: `platewarden login`, PW_TOKEN, or a development issuer here."""

import asyncio
import json
import os
import time
import urllib.error
import urllib.request
from pathlib import Path

from services.cli.kept_sign_in import KeptTokens, kept_file
from services.cli.locate import CommandError, read_stack
from services.cli.session import TokenSource

_RENEW_BEFORE_SECONDS = 120.0
_TIMEOUT_SECONDS = 10


def token_source(data_dir: Path, subject: str) -> TokenSource:
    """A function that gives a token that is good for some minutes more.

    With a `subject` one of the development issuer; else PW_TOKEN if set, or those of the kept sign-in.

    Raises:
        CommandError: Neither a token nor a subject was given.
    """
    given = os.environ.get("PW_TOKEN")
    if given and not subject:
        return _constant(given)
    if not subject and kept_file().exists():
        return KeptTokens(kept_file())
    if not subject:
        raise CommandError(
            "say who asks: sign in with `platewarden login`, put an access token into PW_TOKEN, or name a "
            "development subject with --as"
        )
    return DevelopmentTokens(data_dir, subject)


def token_file(path: Path) -> TokenSource:
    """A function that gives what stands in the file, read at each call, so that it can be renewed."""

    async def give() -> str:
        return (await asyncio.to_thread(path.read_text, encoding="ascii")).strip()

    return give


def _constant(token: str) -> TokenSource:
    async def give() -> str:
        return token

    return give


class DevelopmentTokens:
    """Tokens of the development issuer for one subject, renewed before they end."""

    def __init__(self, data_dir: Path, subject: str, *, anew: bool = False) -> None:
        self._data_dir = data_dir
        self._anew = anew
        self._subject = subject
        self._token = ""
        self._renew_at = 0.0

    async def __call__(self) -> str:
        """A token that is good for at least two minutes."""
        if time.monotonic() >= self._renew_at:
            answer = await asyncio.to_thread(self._fetch)
            self._token = str(answer["access_token"])
            self._renew_at = time.monotonic() + max(
                0.0, float(str(answer["expires_in"])) - _RENEW_BEFORE_SECONDS
            )
        return self._token

    def _fetch(self) -> dict[str, object]:
        stack = read_stack(self._data_dir)
        if not stack.issuer_url:
            raise CommandError(
                "this stack has no development issuer; put a token of your provider into PW_TOKEN"
            )
        secret = stack.issuer_secret_file.read_text(encoding="ascii").strip()
        request = urllib.request.Request(  # noqa: S310 - the address is our own stack's, on loopback
            f"{stack.issuer_url}/token",
            data=json.dumps({"subject": self._subject, "anew": self._anew}).encode(),
            headers={"Authorization": f"Bearer {secret}", "Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS) as response:  # noqa: S310
                answer: dict[str, object] = json.load(response)
        except (urllib.error.URLError, OSError, ValueError) as error:
            msg = f"the development issuer of {self._data_dir} gave no token: {error}"
            raise CommandError(msg) from None
        return answer
