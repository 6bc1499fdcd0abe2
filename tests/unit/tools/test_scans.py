"""The scans find what they look for, and say so when nobody could be asked."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tools import scan_dependencies, scan_secrets
from tools.scan_dependencies import NotAskedError, of_npm, of_pip_audit

ROOT = Path(__file__).parents[3]
# In pieces, so that the scan does not find them here.
PLANTED = {
    "private key": "-----BEGIN EC " + "PRIVATE KEY-----\nMHcCAQEEIBvQ" + "x" * 20,
    "JSON web token": "ey" + "JhbGciOiJub25l.ey" + "JzdWIiOiJvZmZpY2Vy.c2lnbmF0dXJl",
    "key of a cloud": "AKIA" + "IOSFODNN7EXAMPLE",
    "token of a forge": "ghp" + "_" + "a1" * 18,
    "token of a registry": "pypi" + "-" + "Ab1" * 20,
    "token of a messenger": "xoxb" + "-1234567890-abc",
    "secret of a webhook": "whsec" + "_" + "Ab1+" * 8,
    "password in a URL": "postgresql://audit:" + "hunter2@db.example.gov/audit",
    "password in a setting": 'api_key = "' + "a1b2c3d4e5" * 3 + '"',
    "key in hexadecimal": "permit_key: " + "0a1b2c3d" * 8,
}
INNOCENT = (
    "postgresql://admin@host/postgres",
    "postgresql://audit:${PASSWORD}@db/audit",
    'token = source.token("officer")',
    "sha256: " + "0a1b2c3d" * 8,
    "-----BEGIN CERTIFICATE-----",
    'secret_file = "/etc/platewarden/secret"',
)


@pytest.mark.parametrize(("rule", "text"), PLANTED.items(), ids=PLANTED.keys())
def test_every_rule_finds_what_it_is_for(rule: str, text: str) -> None:
    assert (2, rule) in set(scan_secrets.found_in(f"first line\n{text}\n"))


def test_every_rule_has_something_planted_for_it() -> None:
    assert set(PLANTED) == set(scan_secrets.RULES)


@pytest.mark.parametrize("text", INNOCENT)
def test_what_is_no_secret_is_none(text: str) -> None:
    assert list(scan_secrets.found_in(text)) == []


def test_a_secret_in_a_tracked_file_is_named_by_its_place_and_not_repeated(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = PLANTED["password in a URL"]
    (tmp_path / "settings.env").write_text(f"# the database\nURL={secret}\n", "utf-8")
    (tmp_path / "not-tracked.env").write_text(secret, "utf-8")
    for command in (["init", "-q"], ["add", "settings.env"]):
        subprocess.run(["git", "-C", str(tmp_path), *command], check=True)  # noqa: S603, S607
    monkeypatch.setattr("sys.argv", ["scan_secrets.py", str(tmp_path)])

    code = scan_secrets.main()

    said = capsys.readouterr().err
    assert code == 1
    assert said.splitlines() == ["settings.env:2: password in a URL"]


def test_this_repository_holds_no_secret() -> None:
    assert scan_secrets.findings(ROOT) == []


def test_advisories_are_named_with_their_package() -> None:
    pip = {"dependencies": [{"name": "a", "version": "1", "vulns": [{"id": "PYSEC-1"}]}]}
    via = [{"url": "https://example.invalid/GHSA-1"}, "another"]
    npm = {"vulnerabilities": {"b": {"via": via}}, "metadata": {"dependencies": {"total": 3}}}

    assert [str(one) for one in of_pip_audit("x.lock", json.dumps(pip))] == ["x.lock: a 1: PYSEC-1"]
    assert [str(one) for one in of_npm("node", json.dumps(npm))] == [
        "node: b: https://example.invalid/GHSA-1"
    ]


@pytest.mark.parametrize(
    "said",
    [
        "",
        "not json",
        "[]",
        "{}",
        '{"dependencies": []}',
        '{"dependencies": [{"name": "a", "skip_reason": "?"}]}',
    ],
)
def test_who_was_not_answered_about_everything_does_not_say_that_all_is_well(said: str) -> None:
    with pytest.raises(NotAskedError):
        of_pip_audit("x.lock", said)


@pytest.mark.parametrize("said", ["", '{"statusCode": 405}', '{"vulnerabilities": {}, "metadata": {}}'])
def test_a_registry_without_a_report_is_no_good_news(said: str) -> None:
    with pytest.raises(NotAskedError):
        of_npm("node", said)


@pytest.mark.parametrize("lock", scan_dependencies.PYTHON_LOCKS)
def test_every_python_package_is_locked_by_version_and_hash(lock: str) -> None:
    entries = (ROOT / lock).read_text("utf-8").replace("\\\n", " ").splitlines()
    packages = [line for line in entries if line.strip() and not line.lstrip().startswith("#")]

    assert packages
    assert [line.split()[0] for line in packages if "==" not in line or "--hash=sha256:" not in line] == []
    assert [line for line in packages if "://" in line or " @ " in line] == []


@pytest.mark.parametrize("folder", scan_dependencies.npm_locks(ROOT))
def test_every_npm_package_is_locked_by_version_and_hash(folder: str) -> None:
    packages = json.loads((ROOT / folder / "package-lock.json").read_text("utf-8"))["packages"]
    used = {name: one for name, one in packages.items() if name and not one.get("link")}

    assert used
    assert [name for name, one in used.items() if not one.get("integrity", "").startswith("sha512-")] == []
