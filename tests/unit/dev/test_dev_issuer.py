from __future__ import annotations

import json
import stat
import time
from pathlib import Path

import aiohttp
import pytest
from joserfc import jwt
from joserfc.jwk import KeySet

from services.common.issuers import DEVELOPMENT_ISSUER
from services.dev.issuer import DevelopmentIssuer, IssuerError, check_place, main
from tests.support.issuer import RunningIssuer


def claims(token: str, jwks: dict[str, object]) -> dict[str, object]:
    return dict(jwt.decode(token, KeySet.import_key_set(jwks), algorithms=["RS256"]).claims)  # type: ignore[arg-type]


async def ask(issuer: RunningIssuer, secret: str, body: bytes) -> tuple[int, dict[str, str]]:
    headers = {"Authorization": f"Bearer {secret}"}
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{issuer.url}/token", data=body, headers=headers) as answer,
    ):
        return answer.status, await answer.json()


async def test_the_holder_of_the_secret_gets_a_short_lived_token(issuer: RunningIssuer) -> None:
    secret = issuer.issuer.secret_file.read_text()

    status, answer = await ask(issuer, secret, json.dumps({"subject": "officer-1"}).encode())

    got = claims(answer["access_token"], issuer.jwks)
    assert status == 200
    assert (got["iss"], got["sub"], got["aud"]) == (DEVELOPMENT_ISSUER, "officer-1", "platewarden")
    assert got["acr"] == "urn:platewarden:dev:mfa"
    assert 0 < int(str(got["exp"])) - time.time() <= 600


@pytest.mark.parametrize("secret", ["", "wrong", "ü"])
async def test_nobody_else_gets_one(issuer: RunningIssuer, secret: str) -> None:
    status, answer = await ask(issuer, secret, b'{"subject": "officer-1"}')

    assert status == 401
    assert "access_token" not in answer


@pytest.mark.parametrize("body", [b"", b"[]", b'{"subject": ""}', b'{"subject": 1}', b'{"subject": "a\\nb"}'])
async def test_a_request_without_a_subject_is_refused(issuer: RunningIssuer, body: bytes) -> None:
    status, _ = await ask(issuer, issuer.issuer.secret_file.read_text(), body)

    assert status == 400


async def test_the_discovery_document_leads_to_the_keys(issuer: RunningIssuer) -> None:
    async with aiohttp.ClientSession() as session:
        document = await (await session.get(f"{issuer.url}/.well-known/openid-configuration")).json()
        keys = await (await session.get(document["jwks_uri"])).json()

    assert document["issuer"] == DEVELOPMENT_ISSUER
    assert keys == issuer.jwks
    assert "d" not in keys["keys"][0]


def test_key_and_secret_outlive_the_process_and_are_closed_to_others(tmp_path: Path) -> None:
    first, again = DevelopmentIssuer(tmp_path), DevelopmentIssuer(tmp_path)

    assert first.jwks == again.jwks
    assert {stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()} == {0o600}


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "::", "localhost.example", ""])  # noqa: S104
def test_it_refuses_to_listen_beyond_this_machine(tmp_path: Path, host: str) -> None:
    (tmp_path / "postgres").mkdir()
    (tmp_path / "postgres" / "embedded-postgres").touch()

    with pytest.raises(IssuerError, match="loopback"):
        check_place(tmp_path, host)


def test_it_refuses_to_run_without_an_embedded_database(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = main(["--data-dir", str(tmp_path), "--port", "7406"])

    assert code == 1
    assert "embedded database only" in capsys.readouterr().err


async def test_tokens_of_one_person_are_of_one_sign_in_until_he_signs_in_anew(issuer: RunningIssuer) -> None:
    secret = issuer.issuer.secret_file.read_text()
    bodies = [{"subject": "officer-9"}, {"subject": "officer-9"}, {"subject": "officer-9", "anew": True}]

    tokens = [(await ask(issuer, secret, json.dumps(one).encode()))[1]["access_token"] for one in bodies]
    first, second, third = (claims(token, issuer.jwks) for token in tokens)

    assert (first["sid"], first["auth_time"]) == (second["sid"], second["auth_time"])
    assert first["jti"] != second["jti"]
    assert third["sid"] != first["sid"]
