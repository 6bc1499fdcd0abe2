"""`platewarden deploy secrets`: what it makes, what it never makes anew, and what it refuses."""

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from services.cli.main import app
from services.common.tlog import VerifierKey
from tests.support.manifests_kit import CREDENTIALS, carry

runner = CliRunner()


@pytest.fixture
def dev(tmp_path: Path) -> Path:
    """The folder of an overlay that names its log and has no secrets."""
    folder = tmp_path / "dev"
    folder.mkdir()
    (folder / "audit.env").write_text("# Ours\nPW_LOG_ORIGIN=log.example.gov/x\nPW_OIDC_ISSUER=https://idp\n")
    return folder


def made(overlay: Path, *options: str, env: dict[str, str | None] | None = None) -> list[str]:
    """Names of the Secrets that the command says it made."""
    done = runner.invoke(app, ["deploy", "secrets", str(overlay), *options, "--json"], env=env or nothing())
    assert done.exit_code == 0, done.output
    names: list[str] = json.loads(done.stdout)["secrets"]
    return names


def nothing() -> dict[str, str | None]:
    """An environment in which nobody gives credentials."""
    return dict.fromkeys(CREDENTIALS)


def contents(overlay: Path) -> dict[str, bytes]:
    """Every file below the folder of secrets."""
    files = (overlay / "secrets").rglob("*")
    return {str(file.relative_to(overlay)): file.read_bytes() for file in files if file.is_file()}


def test_a_second_run_changes_nothing_and_makes_what_is_missing(dev: Path) -> None:
    names = made(dev)
    first = contents(dev)
    (dev / "secrets" / "ocr-keys" / "image-kek").unlink()

    assert made(dev) == names

    second = contents(dev)
    assert second.keys() == first.keys()
    assert {name for name in first if first[name] != second[name]} == {"secrets/ocr-keys/image-kek"}


def test_nobody_else_may_read_what_was_made_and_no_two_keys_are_the_same(dev: Path) -> None:
    made(dev)
    keys = [data for name, data in contents(dev).items() if len(data) == 64]

    public = {"lock", *(f.name for f in (dev / "secrets" / "pki").glob("*.pem") if "-key" not in f.name)}
    for file in (dev / "secrets").rglob("*"):
        assert file.stat().st_mode & 0o077 == 0 or file.name in public, file
    assert (dev / "secrets").stat().st_mode & 0o777 == 0o700
    assert len(keys) == len(set(keys)) == 13


def test_it_says_the_key_by_which_the_log_is_verified(dev: Path) -> None:
    made(dev)

    assert VerifierKey.parse((dev / "secrets" / "log-keys").read_text().strip()).name == "log.example.gov/x"


@pytest.mark.parametrize("text", ["", "PW_LOG_ORIGIN=\n", "PW_LOG_ORIGIN=has space\n"])
def test_an_overlay_that_names_no_log_gets_nothing(dev: Path, text: str) -> None:
    (dev / "audit.env").write_text(text)

    done = runner.invoke(app, ["deploy", "secrets", str(dev)])

    assert done.exit_code == 2
    assert "PW_LOG_ORIGIN" in done.output
    assert not (dev / "secrets").exists()


def test_without_the_file_that_names_the_log_it_says_so(dev: Path) -> None:
    (dev / "audit.env").unlink()

    assert "audit.env" in runner.invoke(app, ["deploy", "secrets", str(dev)]).output


def test_a_folder_of_another_name_says_its_kind(dev: Path) -> None:
    ours = dev.rename(dev.with_name("ours"))

    done = runner.invoke(app, ["deploy", "secrets", str(ours)])

    assert done.exit_code == 2
    assert "--kind production" in done.output
    assert "audit-tls" in made(ours, "--kind", "dev")


def test_production_needs_the_credentials_of_its_stores_once(dev: Path) -> None:
    refused = runner.invoke(app, ["deploy", "secrets", str(dev), "--kind", "production"], env=nothing())

    assert refused.exit_code == 2
    assert all(variable in refused.output.replace("\n", " ") for variable in CREDENTIALS)
    assert not (dev / "secrets").exists()
    names = made(dev, "--kind", "production", env=dict(CREDENTIALS))
    assert made(dev, "--kind", "production") == names
    assert "audit-tls" not in names  # cert-manager makes it
    assert not {name for name in names if name.startswith("witness")}


def test_no_secret_of_another_is_put_where_one_is_used(dev: Path) -> None:
    made(dev)
    urls = {name: data for name, data in contents(dev).items() if name.startswith("secrets/database/")}

    for name, url in urls.items():
        login = name.rpartition("/")[2]
        assert url.startswith(f"postgresql://{login}:".encode())
    passwords = [url.split(b"@")[0] for url in urls.values()]
    assert len(set(passwords)) == len(urls)


def test_the_witness_needs_what_comes_from_the_system_and_makes_its_key_itself(dev: Path) -> None:
    witness = dev.with_name("witness")
    witness.mkdir()

    refused = runner.invoke(app, ["deploy", "secrets", str(witness)])
    carry(witness)
    shutil.rmtree(dev / "secrets")

    assert refused.exit_code == 2
    assert made(witness) == ["witness-keys", "witness-tls"]
    assert (witness / "secrets" / "witness-keys" / "witness-key.pem").exists()
