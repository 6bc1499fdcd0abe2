"""Signing in with a browser at the development issuer, over HTTP."""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import aiohttp
import pytest
import pytest_asyncio
from joserfc import jwt
from joserfc.jwk import KeySet

from services.common.issuers import DEVELOPMENT_ISSUER
from services.dev.issuer_grants import Asked, GrantError, Grants
from tests.support.issuer import RunningIssuer

BACK = "https://localhost:7400/signed-in"
VERIFIER = secrets.token_urlsafe(48)
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
WISH = {
    "client_id": "platewarden-console",
    "redirect_uri": BACK,
    "response_type": "code",
    "code_challenge": CHALLENGE,
    "code_challenge_method": "S256",
    "scope": "openid offline_access",
    "state": "st/at&e=1",
    "nonce": "n-1",
}


class Browser:
    """A browser and the client that sent it, at one issuer."""

    def __init__(self, issuer: RunningIssuer, session: aiohttp.ClientSession) -> None:
        self.url = issuer.url
        self.secret = issuer.issuer.secret_file.read_text()
        self._session = session

    async def page(self, **changes: str) -> tuple[int, Any, str]:
        wish = {**WISH, **changes}
        async with self._session.get(f"{self.url}/authorize", params=wish, allow_redirects=False) as answer:
            return answer.status, answer.headers, await answer.text()

    async def sign_in(self, **changes: str) -> tuple[int, Any, str]:
        form = {**WISH, "subject": "officer-1", "secret": self.secret, **changes}
        async with self._session.post(f"{self.url}/authorize", data=form, allow_redirects=False) as answer:
            return answer.status, answer.headers, await answer.text()

    async def code(self) -> str:
        _, headers, _ = await self.sign_in()
        code: str = parse_qs(urlsplit(headers["Location"]).query)["code"][0]
        return code

    async def token(self, **fields: str) -> tuple[int, dict[str, Any]]:
        form = {"client_id": "platewarden-console", **fields}
        async with self._session.post(f"{self.url}/token", data=form) as answer:
            assert answer.headers["Cache-Control"] == "no-store"
            return answer.status, await answer.json()

    async def redeem(self, code: str, **changes: str) -> tuple[int, dict[str, Any]]:
        fields = {"redirect_uri": BACK, "code_verifier": VERIFIER, "code": code, **changes}
        return await self.token(grant_type="authorization_code", **fields)

    async def renew(self, refresh_token: str, **changes: str) -> tuple[int, dict[str, Any]]:
        return await self.token(grant_type="refresh_token", refresh_token=refresh_token, **changes)

    async def revoke(self, token: str) -> int:
        form = {"client_id": "platewarden-console", "token": token}
        async with self._session.post(f"{self.url}/revoke", data=form) as answer:
            return answer.status


@pytest_asyncio.fixture(loop_scope="session")
async def browser(issuer: RunningIssuer) -> AsyncIterator[Browser]:
    async with aiohttp.ClientSession() as session:
        yield Browser(issuer, session)


def claims(token: str, issuer: RunningIssuer) -> dict[str, Any]:
    return dict(jwt.decode(token, KeySet.import_key_set(issuer.jwks), algorithms=["RS256"]).claims)  # type: ignore[arg-type]


async def test_a_person_with_the_secret_signs_in_as_whoever_he_likes(
    browser: Browser, issuer: RunningIssuer
) -> None:
    status, headers, page = await browser.page()
    assert status == 200
    assert 'type="password"' in page
    assert headers["Cache-Control"] == "no-store"

    status, headers, _ = await browser.sign_in(subject="officer-7")
    back = urlsplit(headers["Location"])
    given = {name: values[0] for name, values in parse_qs(back.query).items()}
    assert (status, back._replace(query="").geturl()) == (303, BACK)
    assert (given["state"], given["iss"]) == (WISH["state"], DEVELOPMENT_ISSUER)

    status, answer = await browser.redeem(given["code"])
    access, identity = claims(answer["access_token"], issuer), claims(answer["id_token"], issuer)
    assert (status, answer["token_type"], answer["expires_in"]) == (200, "Bearer", 600)
    assert (access["sub"], access["aud"]) == ("officer-7", "platewarden")
    # Audit does not take what says who somebody is for what lets him in.
    assert (identity["aud"], identity["nonce"]) == ("platewarden-console", "n-1")


async def test_a_sign_in_goes_on_with_new_refresh_tokens(browser: Browser, issuer: RunningIssuer) -> None:
    _, first = await browser.redeem(await browser.code())

    status, second = await browser.renew(first["refresh_token"])
    _, third = await browser.renew(second["refresh_token"])

    assert status == 200
    assert len({one["refresh_token"] for one in (first, second, third)}) == 3
    sign_ins = {
        (got["sid"], got["auth_time"])
        for got in (claims(one["access_token"], issuer) for one in (first, second, third))
    }
    assert len(sign_ins) == 1


async def test_every_sign_in_is_a_new_one(browser: Browser, issuer: RunningIssuer) -> None:
    answers = [(await browser.redeem(await browser.code()))[1] for _ in range(2)]

    assert len({claims(one["access_token"], issuer)["sid"] for one in answers}) == 2
    assert (await browser.page(prompt="login"))[0] == 200


async def test_a_refresh_token_that_comes_twice_ends_its_sign_in(browser: Browser) -> None:
    _, first = await browser.redeem(await browser.code())
    _, second = await browser.renew(first["refresh_token"])

    again = await browser.renew(first["refresh_token"])
    newest = await browser.renew(second["refresh_token"])

    assert (again[0], again[1]["error"]) == (400, "invalid_grant")
    assert (newest[0], newest[1]["error"]) == (400, "invalid_grant")


async def test_a_code_that_comes_twice_ends_what_it_gave(browser: Browser) -> None:
    code = await browser.code()
    _, first = await browser.redeem(code)

    again = await browser.redeem(code)

    assert (again[0], again[1]["error"]) == (400, "invalid_grant")
    assert (await browser.renew(first["refresh_token"]))[0] == 400


@pytest.mark.parametrize(
    "changes",
    [
        {"code_verifier": "x" * 43},
        {"code_verifier": ""},
        {"code_verifier": CHALLENGE},
        {"redirect_uri": "https://localhost:7400/other"},
        {"code": "unknown"},
    ],
)
async def test_a_code_is_of_no_use_to_others(browser: Browser, changes: dict[str, str]) -> None:
    status, answer = await browser.redeem(**{"code": await browser.code(), **changes})

    assert (status, answer["error"]) == (400, "invalid_grant")
    assert "access_token" not in answer


async def test_other_clients_get_nothing(browser: Browser) -> None:
    _, first = await browser.redeem(await browser.code())

    assert (await browser.redeem(await browser.code(), client_id="other"))[0] == 401
    assert (await browser.renew(first["refresh_token"], client_id="other"))[0] == 401
    assert (await browser.token(grant_type="password"))[1]["error"] == "unsupported_grant_type"
    assert (await browser.page(client_id="other"))[0] == 400


async def test_whoever_leaves_has_left(browser: Browser) -> None:
    _, first = await browser.redeem(await browser.code())

    assert await browser.revoke(first["refresh_token"]) == 200
    assert await browser.revoke("unknown") == 200

    assert (await browser.renew(first["refresh_token"]))[0] == 400


@pytest.mark.parametrize(
    "address",
    [
        *("", "/signed-in", "https://console.example/", "javascript:alert(1)", "https://localhost.example/"),
        *(
            "https://localhost@console.example/",
            r"https://console.example\@localhost/",
            "https://127.0.0.10/",
        ),
        *("https://localhost/?to=x", "https://localhost/#x", "https://localhost/\n", "ftp://localhost/"),
    ],
)
async def test_nobody_is_sent_to_another_machine(browser: Browser, address: str) -> None:
    status, headers, _ = await browser.page(redirect_uri=address)
    assert (status, "Location" in headers) == (400, False)

    status, headers, _ = await browser.sign_in(redirect_uri=address)
    assert (status, "Location" in headers) == (400, False)


@pytest.mark.parametrize(
    "address", ["http://127.0.0.1:9/in", "http://localhost/in", "https://[::1]:7400/signed-in"]
)
async def test_any_port_of_this_machine_will_do(browser: Browser, address: str) -> None:
    status, headers, _ = await browser.sign_in(redirect_uri=address)

    assert status == 303
    assert headers["Location"].startswith(f"{address}?code=")


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge": ""}, "invalid_request"),
        ({"prompt": "none"}, "login_required"),
    ],
)
async def test_what_there_is_not_is_told_to_the_client(
    browser: Browser, changes: dict[str, str], error: str
) -> None:
    for status, headers, _ in (await browser.page(**changes), await browser.sign_in(**changes)):
        given = parse_qs(urlsplit(headers["Location"]).query)
        assert status == 303
        assert (given["error"], given["state"]) == ([error], [WISH["state"]])
        assert "code" not in given


@pytest.mark.parametrize("secret", ["", "wrong", "ü"])
async def test_a_wrong_secret_signs_nobody_in(
    browser: Browser, secret: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.dev.issuer_pages._GUESS_SECONDS", 0.0)

    status, headers, page = await browser.sign_in(secret=secret)

    assert (status, "Location" in headers) == (403, False)
    assert "not the secret" in page
    assert 'value="officer-1"' in page
    assert not secret or f'value="{secret}"' not in page


async def test_guesses_wait_for_one_another(browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.dev.issuer_pages._MOST_GUESSES", 0)

    status, headers, _ = await browser.sign_in()

    assert (status, "Location" in headers) == (429, False)


async def test_hostile_texts_stay_texts(browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.dev.issuer_pages._GUESS_SECONDS", 0.0)
    hostile = "\"'><script>alert(1)</script>"

    _, _, asked = await browser.page(state=hostile, nonce=hostile, scope=hostile, login_hint=hostile)
    _, _, refused = await browser.sign_in(subject=hostile, state=hostile, secret="wrong")  # noqa: S106

    for page in (asked, refused):
        assert "<script" not in page
        assert "&quot;&#x27;&gt;&lt;script&gt;" in page


async def test_the_page_runs_nothing_and_leads_to_its_client_alone(browser: Browser) -> None:
    _, headers, page = await browser.page()

    policy = headers["Content-Security-Policy"]
    nonce = re.search(r"style-src 'nonce-([^']+)'", policy)
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "form-action 'self' https://localhost:7400;" in policy
    assert nonce is not None
    assert f'<style nonce="{nonce[1]}">' in page
    assert nonce[1] not in (await browser.page())[2]


async def test_a_subject_that_nobody_can_have_is_refused(browser: Browser) -> None:
    for subject in ("", " ", "a\nb", "a" * 256):
        status, headers, _ = await browser.sign_in(subject=subject)
        assert (status, "Location" in headers) == (400, False)


async def test_the_discovery_document_says_how_people_sign_in(browser: Browser) -> None:
    async with aiohttp.ClientSession() as session:
        document = await (await session.get(f"{browser.url}/.well-known/openid-configuration")).json()

    assert document["authorization_endpoint"] == f"{browser.url}/authorize"
    assert document["token_endpoint"] == f"{browser.url}/token"
    assert document["revocation_endpoint"] == f"{browser.url}/revoke"
    assert document["code_challenge_methods_supported"] == ["S256"]


def test_codes_last_a_minute_and_sign_ins_a_working_day() -> None:
    now = [1_000_000.0]
    grants = Grants(clock=lambda: now[0])
    wish = Asked("client", BACK, CHALLENGE)
    late, early = grants.code(wish, "officer-1"), grants.code(wish, "officer-1")
    now[0] += 59
    token = grants.redeem(early, "client", BACK, VERIFIER).refresh_token
    now[0] += 1
    with pytest.raises(GrantError):
        grants.redeem(late, "client", BACK, VERIFIER)

    now[0] = 1_000_000.0 + 8 * 3600 - 1
    token = grants.renew(token, "client").refresh_token
    now[0] += 1
    with pytest.raises(GrantError):
        grants.renew(token, "client")
