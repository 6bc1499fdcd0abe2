"""Settings of search: what is missing or unsafe stops the start."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.common.config import ConfigError
from services.dev.pki import DevelopmentAuthority
from services.search.config import SearchSettings


@pytest.fixture
def environment(
    tls: DevelopmentAuthority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> pytest.MonkeyPatch:
    file, certificate = tmp_path / "file", tls.server("search")
    file.write_text("00" * 32)
    for name, value in {
        "PW_LISTEN": "127.0.0.1:0",
        "PW_TLS_CERT": str(certificate.cert_file),
        "PW_TLS_KEY": str(certificate.key_file),
        "PW_TLS_CA": str(certificate.ca_file),
        "PW_APPEND_DATABASE_URL": "postgresql://search_append:secret@db/platewarden",
        "PW_QUESTION_DATABASE_URL": "postgresql://search_question:secret@db/platewarden",
        "PW_PURGE_DATABASE_URL": "postgresql://search_purge:secret@db/platewarden",
        "PW_HEALTH_DATABASE_URL": "postgresql://search_health:secret@db/platewarden",
        "PW_MCS_APPEND_DATABASE_URL": "postgresql://search_mcs_append:secret@db/platewarden",
        "PW_MCS_QUESTION_DATABASE_URL": "postgresql://search_mcs_question:secret@db/platewarden",
        "PW_MCS_PURGE_DATABASE_URL": "postgresql://search_mcs_purge:secret@db/platewarden",
        "PW_REGISTER_DATABASE_URL": "postgresql://search_register:secret@db/platewarden",
        "PW_EVIDENCE_KEK_FILE": str(file),
        "PW_MCS_EVIDENCE_KEK_FILE": str(file),
        "PW_MCS_REGISTER_DATABASE_URL": "postgresql://search_mcs_register@localhost/alpr",
        "PW_HOLD_KEK_FILE": str(file),
        "PW_MCS_HOLD_KEK_FILE": str(file),
        "PW_BACKUP_DAYS": "7",
        "PW_AUDIT_TARGET": "audit:7401",
        "PW_TOKEN_KEY_FILE": str(file),
        "PW_IMAGE_STORE_DIR": str(tmp_path),
    }.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


def test_complete_settings_are_taken_and_do_not_show_their_passwords(environment) -> None:
    settings = SearchSettings.from_environment()

    assert "secret" not in repr(settings)


@pytest.mark.parametrize(
    "name",
    [
        "PW_APPEND_DATABASE_URL",
        "PW_QUESTION_DATABASE_URL",
        "PW_PURGE_DATABASE_URL",
        "PW_HEALTH_DATABASE_URL",
        "PW_MCS_APPEND_DATABASE_URL",
        "PW_MCS_QUESTION_DATABASE_URL",
        "PW_MCS_PURGE_DATABASE_URL",
        "PW_REGISTER_DATABASE_URL",
        "PW_EVIDENCE_KEK_FILE",
        "PW_HOLD_KEK_FILE",
        "PW_MCS_HOLD_KEK_FILE",
        "PW_BACKUP_DAYS",
        "PW_AUDIT_TARGET",
        "PW_TOKEN_KEY_FILE",
        "PW_IMAGE_STORE_DIR",
    ],
)
def test_a_missing_setting_is_named(environment, name: str) -> None:
    environment.delenv(name)

    with pytest.raises(ConfigError, match=name):
        SearchSettings.from_environment()


@pytest.mark.clause("III.B.3.l")
@pytest.mark.parametrize(
    "name", ["APPEND", "QUESTION", "PURGE", "HEALTH", "MCS_APPEND", "MCS_QUESTION", "MCS_PURGE", "REGISTER"]
)
@pytest.mark.parametrize("user", ["postgres", "archive_owner", "search_other", ""])
def test_a_login_that_may_do_more_or_less_than_its_task_is_refused(environment, name: str, user: str) -> None:
    environment.setenv(f"PW_{name}_DATABASE_URL", f"postgresql://{user}:secret@db/platewarden")

    with pytest.raises(ConfigError) as error:
        SearchSettings.from_environment()

    assert f"PW_{name}_DATABASE_URL must log in as search_{name.lower()}" in str(error.value)
    assert "secret" not in str(error.value)
