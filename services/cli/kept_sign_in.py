"""The sign-in that `platewarden login` keeps: a file that nobody else can read, renewed while it is used."""

import asyncio
import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Self

from services.cli.locate import CommandError
from services.cli.oidc import Application, ProviderRefusedError, discover

_RENEW_BEFORE_SECONDS = 120.0


def kept_file() -> Path:
    """Where the sign-in is kept: PW_SIGN_IN_FILE, else in the home directory."""
    named = os.environ.get("PW_SIGN_IN_FILE")
    return Path(named) if named else Path.home() / ".local" / "state" / "platewarden" / "sign-in.json"


@dataclass(frozen=True, slots=True)
class Kept:
    """A sign-in: tokens, and until when the access token is good (seconds of the epoch)."""

    application: Application
    access_token: str
    expires_at: float
    refresh_token: str

    @classmethod
    def of(cls, application: Application, answer: dict[str, Any], refresh_token: str = "") -> Self:
        """The sign-in that a token endpoint's answer says; the old refresh token goes on if it names none.

        Raises:
            CommandError: The answer has no access token.
        """
        token = answer.get("access_token")
        if not isinstance(token, str) or not token:
            raise CommandError("the identity provider gave no access token")
        ends = time.time() + float(answer.get("expires_in", 0))
        return cls(application, token, ends, str(answer.get("refresh_token") or refresh_token))

    @property
    def is_good(self) -> bool:
        """True while the access token lasts for some minutes more."""
        return time.time() < self.expires_at - _RENEW_BEFORE_SECONDS


def read(file: Path) -> Kept | None:
    """The sign-in in the file, None when there is none. Raises CommandError when it cannot be read."""
    try:
        said = json.loads(file.read_text(encoding="utf-8"))
        return Kept(**{**said, "application": Application(**said["application"])})
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError):
        raise CommandError("the kept sign-in cannot be read; sign in anew: platewarden login") from None


def write(file: Path, kept: Kept) -> None:
    """Keeps the sign-in, readable by its owner alone; it is there whole or not at all."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    aside = file.with_name(f"{file.name}.{os.getpid()}")
    with open(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as out:  # noqa: PTH123
        out.write(json.dumps(asdict(kept)))
    aside.replace(file)


@contextmanager
def alone(file: Path) -> Iterator[None]:
    """For this process alone: a refresh token may be used once, and two would sign each other out."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with file.with_name(f"{file.name}.lock").open("w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


class KeptTokens:
    """Access tokens of the kept sign-in, renewed before they end."""

    def __init__(self, file: Path) -> None:
        self._file = file

    async def __call__(self) -> str:
        """A token that is good for some minutes. Raises CommandError when the sign-in has ended."""
        return await asyncio.to_thread(self._token)

    def _token(self) -> str:
        kept = read(self._file)
        if kept is not None and kept.is_good:
            return kept.access_token
        with alone(self._file):
            kept = read(self._file)
            if kept is None:
                raise CommandError("you are not signed in; sign in: platewarden login")
            if not kept.is_good:
                kept = _renewed(kept)
                write(self._file, kept)
            return kept.access_token


def _renewed(kept: Kept) -> Kept:
    if not kept.refresh_token:
        raise CommandError("your sign-in has ended; sign in anew: platewarden login")
    try:
        answer = discover(kept.application).exchange(
            grant_type="refresh_token", refresh_token=kept.refresh_token
        )
    except ProviderRefusedError:
        raise CommandError("your sign-in has ended; sign in anew: platewarden login") from None
    return Kept.of(replace(kept.application), answer, kept.refresh_token)
