"""Key files are changed step by step, and no step shows or loses a key."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from services.audit.config import read_signer
from services.cli.main import app
from services.common.keyfile import read_key
from services.common.keyring import every
from services.dev.specs import new_signing_key

OLD = bytes(range(32))


def key(*arguments: str) -> list[dict[str, str]]:
    """The keys that the file holds then, as the command shows them."""
    done = CliRunner().invoke(app, ["key", *arguments, "--json"])
    assert done.exit_code == 0, done.output
    shown: list[dict[str, str]] = json.loads(done.stdout)["keys"]
    return shown


@pytest.fixture
def sealing(tmp_path: Path) -> Path:
    file = tmp_path / "token-key"
    file.write_text(OLD.hex(), encoding="ascii")
    file.chmod(0o600)
    return file


@pytest.fixture
def signing(tmp_path: Path) -> Path:
    file = tmp_path / "log-signing-key.pem"
    file.write_bytes(new_signing_key())
    file.chmod(0o600)
    return file


@pytest.mark.clause("III.E.5")
def test_a_key_that_seals_is_replaced_in_three_steps(sealing: Path) -> None:
    (before,) = key("show", str(sealing))

    shown = key("add", str(sealing))
    added, behind = every(read_key(sealing, "x")), [one["use"] for one in shown]
    assert added[0] == OLD
    assert behind == ["in use", "opens what it sealed"]

    key("first", str(sealing))
    assert every(read_key(sealing, "x")) == (added[1], OLD)

    (after,) = key("retire", str(sealing))
    assert every(read_key(sealing, "x")) == (added[1],)
    assert after["fingerprint"] == shown[1]["fingerprint"] != before["fingerprint"]
    assert sealing.stat().st_mode & 0o777 == 0o600


@pytest.mark.clause("III.E.5", "IV.E.2")
def test_the_logs_key_is_replaced_in_three_steps_and_stays_known(signing: Path) -> None:
    old = read_signer("log", signing).public

    key("add", str(signing))
    both = read_signer("log", signing)
    new = both.public.others[0]
    assert (both.public.key, len(both.others)) == (old.key, 1)

    key("first", str(signing))
    assert read_signer("log", signing).public.key == new.key

    shown = key("retire", str(signing))
    last = read_signer("log", signing)
    assert (last.public.key, last.others) == (new.key, ())
    assert [one.key for one in last.public.others] == [old.key]
    assert [one["use"] for one in shown] == ["in use", "signed once"]
    assert signing.read_bytes().count(b"PRIVATE KEY") == 2  # one key: its beginning and its end

    key("add", str(signing))
    assert [one["use"] for one in key("show", str(signing))] == ["in use", "signs, too", "signed once"]
    key("first", str(signing))
    assert [one.key for one in read_signer("log", signing).public.others][-1] == old.key


@pytest.mark.parametrize("step", ["show", "add", "first", "retire"])
def test_no_step_prints_a_key(step: str, sealing: Path, signing: Path) -> None:
    for file in (sealing, signing):
        done = CliRunner().invoke(app, ["key", step, str(file)])

        assert done.exit_code == 0
        secrets = file.read_text(encoding="ascii").split()
        assert not any(one in done.output for one in secrets if len(one) > 16)


@pytest.mark.parametrize("content", ["", "rubbish", "ab" * 31, "-----BEGIN X-----\nAA==\n-----END X-----\n"])
def test_a_file_that_holds_anything_else_is_left_as_it_is(tmp_path: Path, content: str) -> None:
    file = tmp_path / "key"
    file.write_text(content, encoding="ascii")

    done = CliRunner().invoke(app, ["key", "add", str(file)])

    assert done.exit_code != 0
    assert file.read_text(encoding="ascii") == content


def test_a_fifth_key_is_refused(sealing: Path) -> None:
    for _ in range(3):
        key("add", str(sealing))
    before = sealing.read_bytes()

    done = CliRunner().invoke(app, ["key", "add", str(sealing)])

    assert done.exit_code != 0
    assert sealing.read_bytes() == before
