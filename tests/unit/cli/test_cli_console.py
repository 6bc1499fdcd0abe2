from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from services.cli.main import app

STACK: dict[str, Any] = {
    "targets": {},
    "machine_targets": {},
    "receiver_target": "127.0.0.1:7407",
    "ca_file": "/data/pki/ca.pem",
    "admin_url": "",
    "bootstrap_environment": {},
    "issuer_url": "http://127.0.0.1:7406",
    "console_url": "https://localhost:7400",
}


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Addresses that were opened in a browser; there is one here."""
    addresses: list[str] = []

    def show(address: str) -> bool:
        addresses.append(address)
        return True

    monkeypatch.setattr("webbrowser.open", show)
    return addresses


def console(folder: Path, stack: dict[str, Any], *more: str) -> tuple[int, str]:
    """Exit code and words of the command for a stack that says this of itself; its secret is `hush`."""
    secret = folder / "secret"
    secret.write_text("hush")
    told = {**stack, "issuer_secret_file": str(secret)} if "issuer_url" in stack else stack
    (folder / "stack.json").write_text(json.dumps(told))
    done = CliRunner().invoke(app, ["console", "--data-dir", str(folder), *more])
    return done.exit_code, done.output


def test_it_says_where_the_console_is_and_which_file_holds_the_secret(
    tmp_path: Path, opened: list[str]
) -> None:
    code, said = console(tmp_path, STACK, "--json")

    assert code == 0
    assert json.loads(said) == {
        "console_url": "https://localhost:7400",
        "issuer_secret_file": str(tmp_path / "secret"),
    }
    assert opened == []


def test_the_secret_is_in_no_address_and_in_no_line(tmp_path: Path, opened: list[str]) -> None:
    code, said = console(tmp_path, STACK, "--open")

    assert code == 0
    assert opened == ["https://localhost:7400"]
    assert "hush" not in said


def test_a_stack_without_a_console_says_so(tmp_path: Path, opened: list[str]) -> None:
    code, said = console(tmp_path, {**STACK, "console_url": ""}, "--open")

    assert code != 0
    assert "no console" in said
    assert opened == []


def test_with_ones_own_provider_there_is_no_secret_to_give(tmp_path: Path, opened: list[str]) -> None:
    stack = {name: value for name, value in STACK.items() if name != "issuer_url"}

    code, said = console(tmp_path, stack)

    assert (code, "secret" in said) == (0, False)
    assert opened == []
