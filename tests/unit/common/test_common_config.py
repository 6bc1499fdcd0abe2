"""Settings from the environment."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.common.config import ConfigError, ServiceSettings, Target
from services.dev.pki import DevelopmentAuthority


class OwnSettings(ServiceSettings):
    """Settings of some service."""

    database_url: str
    audit_target: Target = "audit:7401"


@pytest.fixture
def environment(tls: DevelopmentAuthority, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A complete environment, to be spoilt."""
    certificate = tls.server("audit")
    monkeypatch.setenv("PW_LISTEN", "127.0.0.1:7401")
    monkeypatch.setenv("PW_TLS_CERT", str(certificate.cert_file))
    monkeypatch.setenv("PW_TLS_KEY", str(certificate.key_file))
    monkeypatch.setenv("PW_TLS_CA", str(certificate.ca_file))
    monkeypatch.setenv("PW_DATABASE_URL", "postgresql://audit_app:s3cret@db/platewarden")
    return monkeypatch


def test_a_complete_environment_gives_the_settings(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("PW_LOG_LEVEL", "debug")
    environment.setenv("PW_SHUTDOWN_GRACE_SECONDS", "3.5")
    environment.setenv("PW_MAX_MESSAGE_BYTES", str(1 << 20))
    environment.setenv("PW_USER_LISTEN", "[::1]:7411")

    settings = OwnSettings.from_environment()

    assert (settings.listen, settings.user_listen, settings.metrics_listen) == (
        "127.0.0.1:7401",
        "[::1]:7411",
        "",
    )
    assert (settings.log_level, settings.shutdown_grace_seconds, settings.max_message_bytes) == (
        "debug",
        3.5,
        1 << 20,
    )
    assert settings.client_tls.ca == settings.tls_ca
    assert (settings.client_tls.certificate, settings.client_tls.key) == (settings.tls_cert, settings.tls_key)


def test_a_neighbour_is_a_name_or_the_addresses_of_its_replicas(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("PW_AUDIT_TARGET", "10.0.0.1:7401,10.0.0.2:7401")

    assert OwnSettings.from_environment().audit_target == "10.0.0.1:7401,10.0.0.2:7401"


def test_every_missing_variable_is_named_in_one_sentence(environment: pytest.MonkeyPatch) -> None:
    for name in ("PW_LISTEN", "PW_TLS_CA", "PW_DATABASE_URL"):
        environment.delenv(name)

    with pytest.raises(ConfigError) as caught:
        OwnSettings.from_environment()

    assert str(caught.value) == "PW_LISTEN and PW_TLS_CA and PW_DATABASE_URL must be set"


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("PW_LISTEN", "7401", "PW_LISTEN: must be host:port"),
        ("PW_LISTEN", "10.0.0.1:1,10.0.0.2:1", "PW_LISTEN: must be host:port"),
        ("PW_AUDIT_TARGET", "10.0.0.1:1,", "PW_AUDIT_TARGET: must be host:port"),
        ("PW_AUDIT_TARGET", "10.0.0.1:1,10.0.0.2", "PW_AUDIT_TARGET: must be host:port"),
        ("PW_LISTEN", "localhost:99999", "PW_LISTEN: must be host:port"),
        ("PW_USER_LISTEN", "a b:1", "PW_USER_LISTEN: must be host:port"),
        (
            "PW_TLS_KEY",
            "/nowhere/key.pem",
            "PW_TLS_KEY: /nowhere/key.pem cannot be read: no such file or directory",
        ),
        ("PW_TLS_CA", "/", "PW_TLS_CA: / cannot be read: is a directory"),
        (
            "PW_SHUTDOWN_GRACE_SECONDS",
            "-1",
            "PW_SHUTDOWN_GRACE_SECONDS: Input should be greater than or equal to 0",
        ),
    ],
)
def test_an_unsafe_value_stops_the_start_with_the_name_of_its_variable(
    environment: pytest.MonkeyPatch, name: str, value: str, sentence: str
) -> None:
    environment.setenv(name, value)

    with pytest.raises(ConfigError) as caught:
        OwnSettings.from_environment()

    assert str(caught.value) == sentence


def test_a_key_of_another_certificate_stops_the_start(
    environment: pytest.MonkeyPatch, tls: DevelopmentAuthority
) -> None:
    environment.setenv("PW_TLS_KEY", str(tls.server("search").key_file))

    with pytest.raises(
        ConfigError, match="PW_TLS_CERT and PW_TLS_KEY must be a PEM certificate and its own key"
    ):
        OwnSettings.from_environment()


def test_an_authority_that_is_none_stops_the_start(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    empty = tmp_path / "ca.pem"
    empty.write_text("nothing")
    environment.setenv("PW_TLS_CA", str(empty))

    with pytest.raises(ConfigError, match="PW_TLS_CA must hold PEM certificates"):
        OwnSettings.from_environment()


@given(st.text(min_size=1).filter(lambda text: "\x00" not in text and text.isprintable()))
def test_the_sentence_never_repeats_a_value(secret: str) -> None:
    class Numbers(ServiceSettings):
        retention_days: int

    try:
        Numbers(
            listen="127.0.0.1:1", tls_cert=Path("/"), tls_key=Path("/"), tls_ca=Path("/"),
            retention_days=f"<{secret}>",
        )  # fmt: skip
    except ValueError as error:
        assert f"<{secret}>" not in str(error)
