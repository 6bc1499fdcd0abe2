"""`platewarden login` as a person types it, at a real provider, against the real service."""

from __future__ import annotations

import asyncio
import json
import os
import re
import stat
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio

from services.dev.pki import DevelopmentAuthority
from tests.support.audit_kit import COORDINATOR, RunningAudit, begin, running_audit, settings_for
from tests.support.databases import MigratedDatabase, fetch
from tests.support.oidc_provider import (
    CLIENT,
    RESOURCE,
    TWO_FACTORS,
    Browser,
    OidcProvider,
    Provided,
    running_provider,
)

CODE = "271828"
COMMAND = str(Path(sys.executable).with_name("platewarden"))
pytestmark = [pytest.mark.clause("III.B.3.k"), pytest.mark.timeout(180)]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def provider(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[OidcProvider]:
    async with running_provider(tmp_path_factory.mktemp("provider"), {COORDINATOR: CODE}) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def audit(
    provider: OidcProvider,
    migrated_database: Callable[..., Awaitable[MigratedDatabase]],
    tls: DevelopmentAuthority,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[RunningAudit]:
    database, issuer = await migrated_database("audit"), Provided(provider.issuer, provider.jwks_url)
    settings = settings_for(database, tls, issuer, tmp_path_factory.mktemp("audit"))  # type: ignore[arg-type]
    await begin(settings, database, issuer)  # type: ignore[arg-type]
    async with running_audit(settings, database, tls, issuer) as running:  # type: ignore[arg-type]
        yield running


class Terminal:
    """A person's terminal and browser."""

    def __init__(self, audit: RunningAudit, provider: OidcProvider, folder: Path) -> None:
        self.file = folder / "kept" / "sign-in.json"
        self._provider = provider
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("PW_")},
            "PW_AUDIT_TARGET": audit.user_target,
            "PW_CA_FILE": str(audit.tls.ca_file),
            "PW_SIGN_IN_FILE": str(self.file),
            "PW_OIDC_ISSUER": provider.issuer,
            "PW_OIDC_CLIENT_ID": CLIENT,
            "PW_OIDC_RESOURCE": RESOURCE,
            "PW_OIDC_SCOPE": "openid use",
            "PW_OIDC_REQUIRED_ACR": TWO_FACTORS,
        }

    async def start(self, *arguments: str) -> asyncio.subprocess.Process:
        pipe = asyncio.subprocess.PIPE
        return await asyncio.create_subprocess_exec(
            COMMAND, *arguments, env=self._environment, stdout=pipe, stderr=pipe
        )

    async def run(self, *arguments: str) -> tuple[int, str]:
        """Exit code and all that was printed."""
        process = await self.start(*arguments)
        output, errors = await process.communicate()
        return process.returncode or 0, (output + errors).decode()

    async def log_in(self, *arguments: str, stranger: bool = False) -> tuple[int, str, str]:
        """Exit code, what was printed, and the page in the browser at the end."""
        process = await self.start("login", "--no-browser", *arguments)
        address = await self._address(process)
        if stranger:
            await self._call_without_state(address)
        async with Browser(self._provider, COORDINATOR, CODE) as browser:
            if "--device" in arguments:
                page = ""
                await browser.confirm(address)
            else:
                page = await browser.come_back(address)
        output, errors = await process.communicate()
        return process.returncode or 0, (output + errors).decode(), page

    async def _address(self, process: asyncio.subprocess.Process) -> str:
        assert process.stderr is not None
        said = b""
        while b"Sign in here:" not in said or not said.endswith(b"\n"):
            piece = await process.stderr.read(4096)
            assert piece, said
            said += piece
        # A terminal of 80 columns may fold the address.
        found = re.search(r"Sign in here: (http\S+)", said.decode().replace("\n", ""))
        assert found is not None
        return found[1].partition("(code")[0]

    async def _call_without_state(self, address: str) -> None:
        own = re.search(r"127\.0\.0\.1%3A(\d+)%2Fsigned-in", address)
        assert own is not None
        place = f"http://127.0.0.1:{own[1]}"
        async with aiohttp.ClientSession() as session:
            for path in ("/signed-in?code=stolen&state=guessed", "/signed-in?code=stolen", "/", "/%00"):
                async with session.get(place + path) as answer:
                    assert answer.status == 404


@pytest.fixture
def terminal(audit: RunningAudit, provider: OidcProvider, tmp_path: Path) -> Terminal:
    return Terminal(audit, provider, tmp_path)


@pytest_asyncio.fixture(autouse=True, loop_scope="session")
async def leaves_nobody_signed_in(terminal: Terminal) -> AsyncIterator[None]:
    yield
    if terminal.file.exists():
        await terminal.run("sign-in", "end", "--reason", "the test is over")


async def test_who_has_signed_in_by_browser_is_known_to_the_next_command(terminal: Terminal) -> None:
    code, said, page = await terminal.log_in()
    shown = await terminal.run("account", "show", "--json")

    assert code == 0, said
    assert "You are signed in" in page
    assert shown[0] == 0, shown[1]
    assert json.loads(shown[1])["subject"] == COORDINATOR


async def test_the_kept_sign_in_is_for_its_owner_alone_and_never_printed(terminal: Terminal) -> None:
    _, said, _ = await terminal.log_in("--json")
    kept = json.loads(terminal.file.read_text())

    assert stat.S_IMODE(terminal.file.stat().st_mode) == 0o600
    assert stat.S_IMODE(terminal.file.parent.stat().st_mode) == 0o700
    assert kept["access_token"] not in said
    assert kept["refresh_token"] not in said


async def test_a_page_that_was_not_told_the_state_signs_nobody_in(terminal: Terminal) -> None:
    code, said, page = await terminal.log_in(stranger=True)

    assert code == 0, said
    assert "You are signed in" in page


async def test_who_has_no_browser_here_signs_in_by_a_code(terminal: Terminal) -> None:
    code, said, _ = await terminal.log_in("--device")

    assert code == 0, said
    assert (await terminal.run("account", "show"))[0] == 0


async def test_a_sign_in_is_renewed_while_it_is_used_and_stays_one_entry(
    terminal: Terminal, audit: RunningAudit, provider: OidcProvider
) -> None:
    count = "SELECT count(*) AS n FROM audit.log_field WHERE name = 'action' AND value = 'sign_in.begin'"
    before = (await fetch(audit.database.admin_url, count))[0]["n"]
    await provider.set(seconds=100)  # less than what a command wants to have left
    try:
        await terminal.log_in()
        tokens = set()
        for _ in range(3):
            code, said = await terminal.run("account", "show")
            assert code == 0, said
            tokens.add(json.loads(terminal.file.read_text())["access_token"])
        both = await asyncio.gather(*(terminal.run("account", "show") for _ in range(2)))
    finally:
        await provider.set(seconds=600)

    assert len(tokens) == 3
    assert [code for code, _ in both] == [0, 0]
    assert (await fetch(audit.database.admin_url, count))[0]["n"] == before + 1


async def test_who_has_signed_out_is_nobody_to_the_next_command(terminal: Terminal) -> None:
    await terminal.log_in()
    kept = json.loads(terminal.file.read_text())

    assert (await terminal.run("logout"))[0] == 0
    code, said = await terminal.run("account", "show")

    assert code == 2
    assert "platewarden login" in said
    terminal.file.write_text(json.dumps({**kept, "expires_at": 0}))
    code, said = await terminal.run("account", "show")
    assert code == 2
    assert "your sign-in has ended" in said


async def test_a_sign_in_that_was_ended_is_over_though_the_provider_would_renew_it(
    terminal: Terminal,
) -> None:
    await terminal.log_in()
    listed = await terminal.run("sign-in", "list", "--json")
    ended = await terminal.run("sign-in", "end", "--reason", "my laptop was stolen")
    refused = await terminal.run("account", "show")
    await terminal.log_in("--anew")

    own = [one for one in map(json.loads, listed[1].splitlines()) if one.get("own")]
    assert [(one["open"], one["methods"]) for one in own] == [(True, ["pwd", "otp"])]
    assert ended[0] == 0
    assert refused[0] == 1
    assert "was ended" in refused[1]
    assert (await terminal.run("account", "show"))[0] == 0


async def test_a_provider_that_does_not_answer_or_is_another_is_told(
    terminal: Terminal, provider: OidcProvider
) -> None:
    away = await terminal.run("login", "--no-browser", "--issuer", "http://127.0.0.1:9")
    other = await terminal.run("login", "--no-browser", "--issuer", f"{provider.issuer}/")
    plain = await terminal.run("login", "--no-browser", "--issuer", "http://idp.example.gov")

    assert [one[0] for one in (away, other, plain)] == [2, 2, 2]
    assert "does not answer" in away[1]
    assert "another issuer" in other[1]
    assert "https" in plain[1]
