"""The nightly probe of access, as production runs it."""

import re
import subprocess
import sys
from pathlib import Path

from services.audit.config import POLICY_FOLDER
from services.audit.core.justification import (
    Justification,
    case_number_problems,
    prohibition,
    purpose_problems,
)
from services.audit.policies import load
from tests.support.manifests_kit import ROOT, rendered


def test_what_the_probe_asks_for_is_a_reason_that_audit_takes() -> None:
    told = rendered("production").environment("probe")
    rules = load(POLICY_FOLDER).rules
    given = Justification(
        told["CASE_KIND"].replace("-", "_").upper(), told["CASE_NUMBER"], "", told["PURPOSE"], told["OFFENCE"]
    )

    assert case_number_problems(given, rules) == ()
    assert purpose_problems(given, rules) == ()
    assert prohibition(given, rules) == ""


def test_the_program_takes_its_arguments_and_wants_tokens_of_accounts(tmp_path: Path) -> None:
    whole = rendered("production")
    told = whole.environment("probe")
    (container,) = whole.template("probe")["spec"]["containers"]
    (tmp_path / "tokens").mkdir()
    arguments = [
        re.sub(r"\$\((\w+)\)", lambda found: told[found[1]], one).replace("=/", f"={tmp_path}/")
        for one in container["args"]
    ]

    done = subprocess.run(  # noqa: S603 - ours
        [sys.executable, "-m", "services.cli.probe", *arguments],
        env={"HOME": str(tmp_path)},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 2, done.stderr
    assert "say whose accounts to ask with" in done.stderr
    assert {mount["mountPath"] for mount in container["volumeMounts"]} == {"/tokens", "/authority", "/tmp"}  # noqa: S108
    assert whole.data("ConfigMap", "authority").keys() == {Path(told["PW_CA_FILE"]).name}


def test_a_probe_that_found_something_is_not_run_again_by_itself() -> None:
    spec = rendered("production").workloads["probe"]["spec"]

    assert spec["jobTemplate"]["spec"]["backoffLimit"] == 0
    assert spec["concurrencyPolicy"] == "Forbid"
    assert rendered("production").template("probe")["spec"]["restartPolicy"] == "Never"
