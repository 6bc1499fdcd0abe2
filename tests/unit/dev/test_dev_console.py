from __future__ import annotations

from pathlib import Path

import pytest

from services.common.issuers import DEVELOPMENT_ISSUER
from services.common.tlog import VerifierKey
from services.console.config import ConsoleSettings
from services.dev.console import console_environment, has_provider, inherited
from services.dev.pki import DevelopmentAuthority
from services.dev.places import Places, Ports
from services.dev.specs import LOG_ORIGIN, World


@pytest.fixture(autouse=True)
def no_provider(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PW_OIDC_CLIENT_ID", "PW_OIDC_ISSUER", "PW_OIDC_RESOURCE", "PW_OIDC_DISCOVERY_URL"):
        monkeypatch.delenv(name, raising=False)


def settings(folder: Path, monkeypatch: pytest.MonkeyPatch, *, embedded: bool) -> ConsoleSettings:
    """What a console of a stack in the folder reads from its environment."""
    places = Places(folder)
    places.make()
    world = World(
        places, Ports(7400), DevelopmentAuthority(places.pki), "postgresql://127.0.0.1/db", embedded
    )
    for name, value in {**inherited(), **console_environment(world)}.items():
        monkeypatch.setenv(name, value)
    return ConsoleSettings.from_environment()


def test_the_console_signs_people_in_at_the_issuer_of_its_stack(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    got = settings(tmp_path, monkeypatch, embedded=True)

    assert got.oidc_issuer == DEVELOPMENT_ISSUER
    assert got.discovery_url == "http://127.0.0.1:7406/.well-known/openid-configuration"
    assert (got.oidc_client_id, got.oidc_client_secret_file) == ("platewarden-console", None)
    assert (got.console_url, got.console_listen) == ("https://localhost:7400", "127.0.0.1:7400")
    assert got.audit_target == "127.0.0.1:7411"


def test_the_console_of_a_stack_knows_the_public_key_of_its_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = settings(tmp_path, monkeypatch, embedded=True).log_keys_file

    assert file is not None
    assert VerifierKey.parse(file.read_text(encoding="ascii")).name == LOG_ORIGIN
    assert "PRIVATE" not in file.read_text(encoding="ascii")


def test_with_a_database_of_ones_own_it_signs_people_in_at_ones_own_provider(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert has_provider(embedded=True)
    assert not has_provider(embedded=False)
    monkeypatch.setenv("PW_OIDC_CLIENT_ID", "our-console")
    monkeypatch.setenv("PW_OIDC_ISSUER", "https://provider.example/realm")

    got = settings(tmp_path, monkeypatch, embedded=False)

    assert has_provider(embedded=False)
    assert got.oidc_client_id == "our-console"
    assert got.discovery_url == "https://provider.example/realm/.well-known/openid-configuration"


def test_words_about_another_provider_do_not_reach_a_stack_with_the_development_issuer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PW_OIDC_CLIENT_SECRET_FILE", "/run/secrets/of-another")

    assert "PW_OIDC_CLIENT_SECRET_FILE" not in inherited()
