"""The web console as a process of the stack."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import ssl
import time
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio

from services.cli.locate import read_stack
from services.dev.supervisor import Options, Supervisor
from tests.fault.dev.test_dev_supervisor import ROOT, tiny
from tests.support.ports import free_base_port

STAGES = ((tiny("audit", 1),),)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def stack(
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[tuple[Supervisor, Path, list[str]]]:
    said: list[str] = []
    folder = tmp_path_factory.mktemp("stack")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(ROOT))
        # Of another provider's, and no business of a stack with its own issuer.
        patch.setenv("PW_OIDC_CLIENT_SECRET_FILE", str(folder / "missing"))
        async with Supervisor(
            Options(folder, free_base_port(), stages=STAGES, console=True), said.append
        ) as it:
            yield it, folder, said


@pytest_asyncio.fixture(loop_scope="session")
async def browser(stack: tuple[Supervisor, Path, list[str]]) -> AsyncIterator[aiohttp.ClientSession]:
    trusted = ssl.create_default_context(cafile=str(stack[0].ca_file))
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=trusted)) as session:
        yield session


async def test_the_console_starts_last_and_says_where_it_is(
    stack: tuple[Supervisor, Path, list[str]], browser: aiohttp.ClientSession
) -> None:
    running, folder, said = stack

    async with browser.get(f"{running.console_url}/healthz") as answer:
        assert answer.status == 200
    assert said.index("audit serves") < said.index("Starting console")
    assert read_stack(folder).console_url == running.console_url
    assert json.loads((folder / "stack.json").read_text())["pids"]["console"] == running.pids["console"]


async def test_it_sends_people_to_the_issuer_of_the_stack(
    stack: tuple[Supervisor, Path, list[str]], browser: aiohttp.ClientSession
) -> None:
    running, folder, _ = stack

    async with browser.get(f"{running.console_url}/sign-in") as answer:
        page = await answer.text()

    assert str(answer.url).startswith(f"{read_stack(folder).issuer_url}/authorize?")
    assert answer.status == 200
    assert "Sign in for development" in page


async def test_a_killed_console_comes_back(
    stack: tuple[Supervisor, Path, list[str]], browser: aiohttp.ClientSession
) -> None:
    running, _, said = stack
    before = running.pids["console"]

    os.kill(before, signal.SIGKILL)

    give_up = time.monotonic() + 20
    while not (running.pids["console"] not in (0, before) and await answers(browser, running.console_url)):
        assert time.monotonic() < give_up
        await asyncio.sleep(0.1)
    assert "console ended by signal 9 and was started again" in said


async def answers(browser: aiohttp.ClientSession, url: str) -> bool:
    try:
        async with browser.get(f"{url}/healthz") as answer:
            return answer.status == 200
    except aiohttp.ClientError:
        return False


async def test_without_a_client_at_ones_own_provider_there_is_no_console_and_it_is_said(
    tmp_path: Path, postgres_admin_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.delenv("PW_OIDC_CLIENT_ID", raising=False)
    for name in ("ISSUER", "JWKS_URL", "REQUIRED_ACR", "REQUIRED_AMR", "PASSWORD_POLICY"):
        monkeypatch.setenv(f"PW_OIDC_{name}", "https://provider.example")
    url = postgres_admin_url.rpartition("/")[0] + "/pw_supervisor_console"
    said: list[str] = []

    options = Options(tmp_path, free_base_port(), database_url=url, stages=STAGES, console=True)
    async with Supervisor(options, said.append) as running:
        assert set(running.pids) == {"audit"}
        assert running.console_url == ""

    assert any("PW_OIDC_CLIENT_ID" in sentence for sentence in said)
