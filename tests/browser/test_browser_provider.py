"""Sign-in at an agency's identity provider: code and PKCE on the server, renewal; what does not get in."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio
import uvicorn
from playwright.async_api import Browser

from services.console.app import application
from services.console.config import ConsoleSettings
from services.dev.pki import DevelopmentAuthority
from tests.support.audit_kit import COORDINATOR, begin, running_audit, settings_for
from tests.support.browser import Consoles, Desk, barriers
from tests.support.databases import MigratedDatabase
from tests.support.oidc_provider import RESOURCE, TWO_FACTORS, OidcProvider, Provided, running_provider

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.clause("III.B.3.k")]
CODE = "271828"
CLIENT = "platewarden-console"
# A token is renewed a minute and a half before it ends: this one some seconds after it came.
SECONDS = 93


@dataclass(frozen=True)
class Signed:
    """A console whose people sign in at a provider."""

    provider: OidcProvider
    consoles: Consoles


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def signed(
    browser: Browser,
    migrated_database: Callable[..., Awaitable[MigratedDatabase]],
    tls: DevelopmentAuthority,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Signed]:
    folder = tmp_path_factory.mktemp("signed")
    async with contextlib.AsyncExitStack() as running:
        provider = await running.enter_async_context(running_provider(folder, {COORDINATOR: CODE}))
        with socket.create_server(("127.0.0.1", 0)) as taken:
            url = f"https://localhost:{taken.getsockname()[1]}"
        await provider.set(clients=[*provider.config["clients"], client(url)], seconds=SECONDS)
        database, issuer = await migrated_database("audit"), Provided(provider.issuer, provider.jwks_url)
        settings = settings_for(database, tls, issuer, folder)  # type: ignore[arg-type]
        await begin(settings, database, issuer)  # type: ignore[arg-type]
        audit = await running.enter_async_context(running_audit(settings, database, tls, issuer))  # type: ignore[arg-type]
        await running.enter_async_context(served(told(url, audit.user_target, provider, tls, folder)))
        yield Signed(provider, Consoles(browser, url, folder))


def client(url: str) -> dict[str, object]:
    """The console as the provider knows it."""
    return {
        "client_id": CLIENT,
        "application_type": "web",
        "token_endpoint_auth_method": "none",
        "redirect_uris": [f"{url}/signed-in"],
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
    }


def told(
    url: str, audit: str, provider: OidcProvider, tls: DevelopmentAuthority, folder: Path
) -> ConsoleSettings:
    """The settings of a console beside audit alone."""
    own, key = tls.service("console"), folder / "session-key"
    key.write_text("ab" * 32, encoding="ascii")
    return ConsoleSettings(
        console_listen=url.removeprefix("https://"),
        console_url=url,
        console_key_file=key,
        tls_cert=own.cert_file,
        tls_key=own.key_file,
        tls_ca=own.ca_file,
        oidc_issuer=provider.issuer,
        oidc_client_id=CLIENT,
        oidc_scope="openid offline_access use",
        oidc_resource=RESOURCE,
        oidc_required_acr=TWO_FACTORS,
        audit_target=audit,
        alerts_target=audit,
        search_target=audit,
        matcher_target=audit,
    )


@contextlib.asynccontextmanager
async def served(settings: ConsoleSettings) -> AsyncIterator[None]:
    """The console with these settings, until the end of the block."""
    host, _, port = settings.console_listen.rpartition(":")
    config = uvicorn.Config(
        application(settings, lambda: False),
        host=host,
        port=int(port),
        ssl_certfile=str(settings.tls_cert),
        ssl_keyfile=str(settings.tls_key),
        log_config=None,
        access_log=False,
    )
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    while not server.started:
        assert not serving.done()
        await asyncio.sleep(0.05)
    yield
    server.should_exit = True
    await serving


async def sign_in(desk: Desk, code: str = CODE) -> None:
    """Goes to the console and signs in on the provider's pages, as many as there are."""
    await desk.open("/sign-ins")
    while not desk.page.url.startswith(desk.url):
        await desk.page.fill("[name=name]", COORDINATOR)
        await desk.page.fill("[name=password]", f"pass-{COORDINATOR}")
        await desk.page.fill("[name=code]", code)
        async with desk.page.expect_navigation():
            await desk.page.evaluate("document.forms[0].submit()")  # it has no button
    await desk.page.wait_for_url(f"{desk.url}/**")


async def test_a_person_signs_in_with_two_factors_and_stays_signed_in_while_tokens_are_renewed(
    signed: Signed,
) -> None:
    async with signed.consoles.window() as desk:
        await sign_in(desk)
        await desk.page.wait_for_url(f"{desk.url}/sign-ins")
        assert await desk.page.inner_text("h1") == "Where you are signed in"
        assert await barriers(desk.page) == []
        before = await cookie(desk)
        await asyncio.sleep(SECONDS - 88)
        # Many at once share one renewal: a refresh token is good for one use.
        codes = await desk.page.evaluate(
            "() => Promise.all([...Array(5)].map(() => fetch('/still').then((answer) => answer.status)))"
        )
        assert codes == [204] * 5
        await desk.open("/sign-ins")
        assert await desk.page.inner_text("h1") == "Where you are signed in"
        assert await cookie(desk) != before
        await desk.page.get_by_role("button", name="Sign out").click()
        assert await desk.page.inner_text("h1") == "Signed out"
        desk.check_quiet()


async def test_who_gives_no_second_factor_gets_in_nowhere(signed: Signed) -> None:
    async with signed.consoles.window() as desk:
        await sign_in(desk, code="")
        assert await desk.page.inner_text("h1") != "Where you are signed in"


async def test_an_answer_that_this_browser_did_not_ask_for_signs_nobody_in(signed: Signed) -> None:
    async with signed.consoles.window() as desk:
        await desk.open("/signed-in?code=stolen&state=guessed")
        assert "not begun here" in await desk.page.inner_text("main")
        assert await cookie(desk) == ""
        await desk.open("/sign-in?page=//elsewhere.example/")
        await desk.page.wait_for_selector("[name=name]")
        way = [one["value"] for one in await desk.context.cookies() if one["name"].endswith("-way")]
        assert way
        await desk.open("/signed-in?code=stolen&state=guessed")
        assert "not begun here" in await desk.page.inner_text("main")


async def cookie(desk: Desk) -> str:
    """What the browser keeps of the sign-in."""
    kept = await desk.context.cookies(desk.url)
    return "".join(one["value"] for one in kept if one["name"].startswith("__Host-platewarden-0"))
