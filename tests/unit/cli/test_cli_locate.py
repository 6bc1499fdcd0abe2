"""The stack's log key stands in the environment only while a system is begun with it."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from services.cli import bootstrap

STACK = {
    "targets": {},
    "machine_targets": {},
    "receiver_target": "",
    "ca_file": "ca.pem",
    "admin_url": "postgresql://nowhere/x",
    "bootstrap_environment": {"PW_LOG_ORIGIN": "of the stack", "PW_LOG_SIGNING_KEY_FILE": "key.pem"},
}


@pytest.mark.parametrize("ends", [0, 1, "stops"])
def test_a_system_is_begun_with_its_own_log_key_and_the_environment_is_afterwards_what_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ends: int | str
) -> None:
    (tmp_path / "stack.json").write_text(json.dumps(STACK), encoding="utf-8")
    monkeypatch.setenv("PW_LOG_ORIGIN", "of another")
    monkeypatch.delenv("PW_LOG_SIGNING_KEY_FILE", raising=False)
    before = dict(os.environ)
    seen: list[tuple[str, str, Sequence[str]]] = []

    def main(arguments: Sequence[str]) -> int:
        seen.append((os.environ["PW_LOG_ORIGIN"], os.environ["PW_LOG_SIGNING_KEY_FILE"], arguments))
        if ends == "stops":
            raise SystemExit(2)
        return int(ends)

    monkeypatch.setattr(bootstrap.audit_bootstrap, "main", main)
    if ends == "stops":
        with pytest.raises(SystemExit):
            bootstrap.begin(tmp_path, "", ["--official", "x"])
    else:
        assert bootstrap.begin(tmp_path, "", ["--official", "x"]) == ends

    assert seen == [("of the stack", "key.pem", ["--admin-url", STACK["admin_url"], "--official", "x"])]
    assert dict(os.environ) == before
