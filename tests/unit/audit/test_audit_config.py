"""The service does not start without its settings, nor with ones that would let anybody in."""

from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from services.audit.config import AuditSettings
from services.common.config import ConfigError
from services.common.issuers import DEVELOPMENT_ISSUER
from services.common.sensor_ca import read_sensor_cas
from services.dev.pki import DevelopmentAuthority
from tests.support.audit_kit import write_keys


@pytest.fixture
def environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tls: DevelopmentAuthority
) -> pytest.MonkeyPatch:
    signing, permit = write_keys(tmp_path)
    made = tls.server("audit")
    usual = {
        "LISTEN": "0.0.0.0:7401",
        "TLS_CERT": made.cert_file,
        "TLS_KEY": made.key_file,
        "TLS_CA": made.ca_file,
        "DATABASE_URL": "postgresql://audit_app:secret@db/platewarden",
        "OIDC_ISSUER": "https://idp.example.gov",
        "OIDC_AUDIENCE": "platewarden",
        "OIDC_JWKS_URL": "https://idp.example.gov/jwks",
        "OIDC_ALGORITHMS": "RS256,ES256",
        "OIDC_REQUIRED_ACR": "mfa",
        "OIDC_REQUIRED_AMR": "otp,hwk",
        "OIDC_PASSWORD_POLICY": "SRV-218",
        "LOG_ORIGIN": "audit.example.gov/log",
        "LOG_SIGNING_KEY_FILE": signing,
        "PERMIT_KEY_FILE": permit,
        "MCS_PERMIT_KEY_FILE": permit.with_name("mcs-permit.hex"),
        "LOG_CHECKPOINT_DIR": tmp_path,
        "LOG_COPY_KEY_FILE": permit.with_name("copy.hex"),
    }
    for name, value in usual.items():
        monkeypatch.setenv(f"PW_{name}", str(value))
    return monkeypatch


def test_complete_settings_are_taken(environment: pytest.MonkeyPatch) -> None:
    settings = AuditSettings.from_environment()

    assert settings.algorithms == ("RS256", "ES256")
    assert settings.signer().origin == "audit.example.gov/log"
    assert len(settings.permit_key()) == 32


@pytest.mark.clause("III.B.3.k")
@pytest.mark.parametrize(
    "name",
    [
        "OIDC_ISSUER",
        "OIDC_AUDIENCE",
        "OIDC_JWKS_URL",
        "OIDC_ALGORITHMS",
        "OIDC_REQUIRED_ACR",
        "OIDC_REQUIRED_AMR",
        "OIDC_PASSWORD_POLICY",
        "LOG_ORIGIN",
        "LOG_SIGNING_KEY_FILE",
        "PERMIT_KEY_FILE",
        "MCS_PERMIT_KEY_FILE",
        "LOG_CHECKPOINT_DIR",
        "LOG_COPY_KEY_FILE",
        "DATABASE_URL",
    ],
)
@pytest.mark.parametrize("empty", [True, False])
def test_a_setting_that_is_missing_stops_the_start(
    environment: pytest.MonkeyPatch, name: str, empty: bool
) -> None:
    if empty:
        environment.setenv(f"PW_{name}", "")
    else:
        environment.delenv(f"PW_{name}")

    with pytest.raises(ConfigError, match=f"PW_{name}"):
        AuditSettings.from_environment()


@pytest.mark.parametrize(
    "changes",
    [
        {"OIDC_ALGORITHMS": "HS256"},
        {"OIDC_ALGORITHMS": "RS256,none"},
        {"OIDC_REQUIRED_AMR": "otp,"},
        {"OIDC_REQUIRED_AMR": "otp,unstated"},
        {"OIDC_SIGN_IN_HOURS": "13"},
        {"OIDC_ISSUER": DEVELOPMENT_ISSUER},
        {"OIDC_ISSUER": f"{DEVELOPMENT_ISSUER}/"},
        {"OIDC_ISSUER": "http://idp.example.gov"},
        {"OIDC_ISSUER": "https://localhost:7406"},
        {"OIDC_JWKS_URL": "http://idp.example.gov/jwks"},
        {"OIDC_ISSUER": DEVELOPMENT_ISSUER, "OIDC_ALLOW_DEVELOPMENT_ISSUER": "true"},
        {
            "OIDC_ISSUER": DEVELOPMENT_ISSUER,
            "OIDC_ALLOW_DEVELOPMENT_ISSUER": "true",
            "LISTEN": "127.0.0.1:7401",
            "USER_LISTEN": "0.0.0.0:7411",
        },
        {
            "OIDC_ISSUER": DEVELOPMENT_ISSUER,
            "OIDC_ALLOW_DEVELOPMENT_ISSUER": "true",
            "LISTEN": "127.0.0.1:7401",
            "OIDC_JWKS_URL": "http://idp.example.gov/jwks",
        },
        {"LOG_ORIGIN": "a b"},
        {"DATABASE_URL": "mysql://x"},
    ],
)
def test_an_unsafe_setting_stops_the_start(environment: pytest.MonkeyPatch, changes: dict[str, Any]) -> None:
    for name, value in changes.items():
        environment.setenv(f"PW_{name}", value)

    with pytest.raises(ConfigError, match=r"PW_(OIDC|LOG|DATABASE)") as refused:
        AuditSettings.from_environment()

    assert "secret" not in str(refused.value)


def test_the_development_issuer_is_taken_on_loopback_when_told_so(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("PW_OIDC_ISSUER", DEVELOPMENT_ISSUER)
    environment.setenv("PW_OIDC_JWKS_URL", "http://127.0.0.1:7406/jwks")
    environment.setenv("PW_OIDC_ALLOW_DEVELOPMENT_ISSUER", "true")
    environment.setenv("PW_LISTEN", "127.0.0.1:7401")

    assert AuditSettings.from_environment().oidc_issuer == DEVELOPMENT_ISSUER


def test_a_key_of_another_kind_stops_the_start(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pem = generate_private_key(SECP256R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (tmp_path / "ec.pem").write_bytes(pem)
    environment.setenv("PW_LOG_SIGNING_KEY_FILE", str(tmp_path / "ec.pem"))
    environment.setenv("PW_PERMIT_KEY_FILE", str(tmp_path / "ec.pem"))
    settings = AuditSettings.from_environment()

    with pytest.raises(ConfigError, match="PW_LOG_SIGNING_KEY_FILE"):
        settings.signer()
    with pytest.raises(ConfigError, match="PW_PERMIT_KEY_FILE"):
        settings.permit_key()


@pytest.mark.clause("III.E.5")
def test_the_motor_carrier_safety_permits_need_a_key_of_their_own(
    environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    settings = AuditSettings.from_environment()
    environment.setenv("PW_MCS_PERMIT_KEY_FILE", str(settings.permit_key_file))

    assert settings.mcs_permit_key() != settings.permit_key()
    with pytest.raises(ConfigError, match="PW_MCS_PERMIT_KEY_FILE must hold another key"):
        AuditSettings.from_environment().mcs_permit_key()


@pytest.mark.clause("III.B.3.h")
def test_the_key_of_the_sensor_authority_is_its_own_or_the_service_does_not_start(
    environment: pytest.MonkeyPatch, tls: DevelopmentAuthority
) -> None:
    assert AuditSettings.from_environment().sensor_authority() is None
    for ca, key in (
        (None, tls.sensor_ca_key_file),
        (tls.sensor_ca_file, tls.service("audit").key_file),
        (tls.sensor_ca_file, tls.ca_file),
    ):
        environment.delenv("PW_SENSOR_CA", raising=False)
        if ca is not None:
            environment.setenv("PW_SENSOR_CA", str(ca))
        environment.setenv("PW_SENSOR_CA_KEY_FILE", str(key))
        with pytest.raises(ConfigError, match="PW_SENSOR_CA_KEY_FILE"):
            AuditSettings.from_environment().sensor_authority()
    environment.setenv("PW_SENSOR_CA_KEY_FILE", str(tls.sensor_ca_key_file))

    assert AuditSettings.from_environment().sensor_authority() is not None


@pytest.mark.clause("III.B.3.h")
def test_of_two_authorities_of_sensors_the_one_signs_whose_key_is_given(
    environment: pytest.MonkeyPatch, tls: DevelopmentAuthority, tmp_path: Path
) -> None:
    other = DevelopmentAuthority(tmp_path / "other")
    both = tmp_path / "both.pem"
    both.write_bytes(tls.sensor_ca_file.read_bytes() + other.sensor_ca_file.read_bytes())
    environment.setenv("PW_SENSOR_CA", str(both))

    for authority in (tls, other):
        environment.setenv("PW_SENSOR_CA_KEY_FILE", str(authority.sensor_ca_key_file))
        made = AuditSettings.from_environment().sensor_authority()
        (certificate,) = read_sensor_cas(authority.sensor_ca_file)
        assert made
        assert made.end_time == certificate.not_valid_after_utc
