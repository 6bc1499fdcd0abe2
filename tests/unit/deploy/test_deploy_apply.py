"""deploy/k8s/apply.sh: in which order an overlay comes into a cluster, by what it tells kubectl."""

import subprocess
from pathlib import Path

import pytest

from services.cli.deploy_secrets import make_secrets, make_witness_secrets
from tests.support.manifests_kit import CREDENTIALS, LAYOUTS, carry, copied, kubectl

PROGRAM = """#!/bin/sh
if [ "$1" = kustomize ]; then exec '{kubectl}' "$@"; fi
echo "$*" >>'{log}'
[ "$1" != get ] || echo deployment.apps/ocr statefulset.apps/audit
[ "$1" != '{fails}' ]
"""


def applied(folder: Path, name: str, fails: str = "") -> tuple[int, list[str]]:
    """Exit code of the script, and what it told kubectl, without the words that are everywhere the same."""
    overlay = copied(folder, name)
    if name == "witness":
        carry(overlay)
        make_witness_secrets(overlay)
    else:
        make_secrets(overlay, LAYOUTS[name], CREDENTIALS)
    log, program = folder / "log", folder / "kubectl"
    program.write_text(PROGRAM.format(kubectl=kubectl(), log=log, fails=fails))
    program.chmod(0o755)
    script = folder / "k8s" / "apply.sh"
    done = subprocess.run(  # noqa: S603 - ours
        [script, overlay], env={"KUBECTL": str(program), "PATH": "/usr/bin:/bin"}, check=False
    )
    return done.returncode, log.read_text().splitlines() if log.exists() else []


@pytest.mark.parametrize("name", ["dev", "production"])
def test_migrations_end_before_any_service_is_changed(tmp_path: Path, name: str) -> None:
    code, told = applied(tmp_path, name)

    assert code == 0
    assert [line.split()[0] for line in told] == [
        "delete",
        "apply",
        "wait",
        "apply",
        "get",
        "rollout",
        "rollout",
    ]
    deleted, first, waited, second = told[:4]
    assert "migrate-records migrate-reads" in deleted
    assert first.endswith("--selector app.kubernetes.io/component!=service")
    assert "job/migrate-records job/migrate-reads" in waited
    assert "--for=condition=complete" in waited
    assert "--selector" not in second
    assert all("--namespace platewarden" in line for line in (deleted, waited, *told[4:]))


def test_after_a_migration_that_failed_no_service_is_changed(tmp_path: Path) -> None:
    code, told = applied(tmp_path, "dev", fails="wait")

    assert code != 0
    assert [line.split()[0] for line in told] == ["delete", "apply", "wait"]


def test_the_witness_alone_has_nothing_to_migrate(tmp_path: Path) -> None:
    code, told = applied(tmp_path, "witness")

    assert code == 0
    assert [line.split()[0] for line in told] == ["apply", "get", "rollout", "rollout"]
    assert "--namespace platewarden-witness" in told[1]


def test_an_overlay_that_is_not_whole_changes_nothing(tmp_path: Path) -> None:
    overlay = copied(tmp_path, "dev")
    script = tmp_path / "k8s" / "apply.sh"
    log, program = tmp_path / "log", tmp_path / "kubectl"
    program.write_text(PROGRAM.format(kubectl=kubectl(), log=log, fails=""))
    program.chmod(0o755)

    done = subprocess.run(  # noqa: S603 - ours
        [script, overlay],
        env={"KUBECTL": str(program), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode != 0
    assert "secrets" in done.stderr
    assert not log.exists()
