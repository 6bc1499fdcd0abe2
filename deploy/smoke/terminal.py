"""The command line as people use it from outside of the pods: each with a sign-in of his own."""

from __future__ import annotations

import asyncio
import json
import os
import ssl
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from deploy.smoke.engine import EngineError, run
from deploy.smoke.overlay import COMMAND
from tests.support.oidc_provider import OidcProvider

_TOKEN_S = 300.0
_COMMAND_S = 120.0


class StoryError(Exception):
    """Something did not happen that must, or happened that must not."""


@dataclass
class Terminals:
    """What all terminals have in common: where the services are, and the second factor of each person."""

    provider: OidcProvider
    codes: Mapping[str, str]
    environment: Mapping[str, str]
    folder: Path
    _tokens: dict[str, tuple[str, float]] = field(default_factory=dict)
    _signing_in: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def run(self, person: str, *arguments: str, refused: bool = False) -> list[Any]:
        """The documents that a command prints with --json; it must succeed, or be refused if that is wanted.

        Raises:
            StoryError: It is the other way round.
        """
        environment = await self._environment(person)
        process = await asyncio.create_subprocess_exec(
            str(COMMAND),
            *arguments,
            "--json",
            env=environment,
            cwd=self.folder,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, errors = await asyncio.wait_for(process.communicate(), _COMMAND_S)
        found = [json.loads(line) for line in out.decode().splitlines() if line.strip()]
        if (process.returncode != 0) is not refused:
            said = next((one["error"] for one in found if "error" in one), errors.decode()[-1500:])
            raise StoryError(f"platewarden {' '.join(arguments[:2])} ended with {process.returncode}: {said}")
        return found

    async def one(self, person: str, *arguments: str) -> Any:
        """The only document that a command prints. Raises StoryError."""
        (found,) = await self.run(person, *arguments)
        return found

    async def prove(self, *arguments: str) -> str:
        """What a command says that needs no sign-in and no service. Raises StoryError when it fails."""
        try:
            outside = {name: value for name, value in os.environ.items() if not name.startswith("PW_")}
            return await run(str(COMMAND), *arguments, folder=self.folder, environment=outside)
        except EngineError as error:
            raise StoryError(str(error)) from None

    async def page(self, address: str) -> str:
        """What a page over HTTPS says, for somebody who trusts the system's authority.

        Raises:
            StoryError: There is none.
        """
        trusted = ssl.create_default_context(cafile=self.environment["PW_CA_FILE"])
        try:
            async with aiohttp.ClientSession() as session, session.get(address, ssl=trusted) as answer:
                answer.raise_for_status()
                return await answer.text()
        except aiohttp.ClientError as error:
            raise StoryError(f"{address}: {error}") from None

    @asynccontextmanager
    async def following(self, person: str, *arguments: str) -> AsyncIterator[asyncio.Queue[Any]]:
        """The documents of a command that runs on, as they come, until the block ends."""
        process = await asyncio.create_subprocess_exec(
            str(COMMAND),
            *arguments,
            "--json",
            env=await self._environment(person),
            cwd=self.folder,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        lines: asyncio.Queue[Any] = asyncio.Queue()

        async def read(out: asyncio.StreamReader) -> None:
            async for line in out:
                lines.put_nowait(json.loads(line))

        if process.stdout is None:
            raise StoryError("the command has no output")
        reading = asyncio.create_task(read(process.stdout))
        try:
            yield lines
        finally:
            reading.cancel()
            process.terminate()
            await process.wait()

    async def token(self, person: str) -> str:
        """An access token of the person, who signs in again when the last one is getting old."""
        async with self._signing_in:  # commands at once share one sign-in
            token, since = self._tokens.get(person, ("", 0.0))
            if not token or time.monotonic() - since > _TOKEN_S:
                token = await self.provider.token(person, code=self.codes[person])
                self._tokens[person] = (token, time.monotonic())
        return token

    async def _environment(self, person: str) -> dict[str, str]:
        own = {"PW_TOKEN": await self.token(person)} if person else {}
        outside = {name: value for name, value in os.environ.items() if not name.startswith("PW_")}
        return {**outside, **self.environment, **own}
