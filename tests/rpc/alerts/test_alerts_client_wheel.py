"""The client package as other agencies get it: a wheel in a fresh environment, and its example run there."""

import asyncio
import os
import subprocess
import sys
import zipfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.alerts_rig import AlertsRig, eventually, hit_message

ROOT = Path(__file__).parents[3]
CLIENT = ROOT / "client"
EXAMPLE = CLIENT / "examples" / "follow_alerts.py"

# Packages are fetched the first time.
pytestmark = pytest.mark.timeout(300)


def attempt(*command: str | Path, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """The command, ended."""
    return subprocess.run(  # noqa: S603 - no input from outside
        [str(part) for part in command], cwd=cwd, check=False, capture_output=True, text=True
    )


def run(*command: str | Path, cwd: Path = ROOT) -> None:
    """Fails with the command's own message when it fails."""
    done = attempt(*command, cwd=cwd)
    assert done.returncode == 0, done.stdout + done.stderr


@dataclass(frozen=True)
class Installed:
    """The wheel, and the interpreter of an environment that has it with its types, and nothing else."""

    wheel: Path
    python: Path


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    folder = tmp_path_factory.mktemp("client")
    run(sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", folder, cwd=CLIENT)
    (wheel,) = folder.glob("*.whl")
    environment = folder / "environment"
    # The versions that the project itself is tested with; what the wheel asks for, pip reads from the wheel.
    pins = folder / "pins.txt"
    lock = (ROOT / "requirements.lock").read_text().splitlines()
    pins.write_text("\n".join(line.rstrip(" \\") for line in lock if "==" in line and line[0].isalnum()))
    run(sys.executable, "-m", "venv", "--without-pip", environment)
    python = environment / "bin" / "python"
    run(sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "-c", pins, f"{wheel}[types]")
    return Installed(wheel, python)


@asynccontextmanager
async def example(
    installed: Installed, rig: AlertsRig, ca_file: Path, folder: Path
) -> AsyncIterator[list[str]]:
    """The example at work in `folder`; the list grows by the lines that it prints."""
    settings = {
        "ALERTS_HOST": f"127.0.0.1:{rig.server.user_port}",
        "ALERTS_CA": str(ca_file),
        "ALERTS_TOKEN": "officer",
    }
    process = await asyncio.create_subprocess_exec(
        installed.python,
        "-I",
        EXAMPLE,
        cwd=folder,
        env={"PATH": os.environ["PATH"], **settings},
        stdout=asyncio.subprocess.PIPE,
    )
    lines: list[str] = []

    async def read() -> None:
        assert process.stdout is not None
        async for line in process.stdout:
            lines.append(line.decode().strip())

    reading = asyncio.ensure_future(read())
    try:
        yield lines
    finally:
        process.kill()
        await process.wait()
        await reading


async def test_the_example_of_ten_lines_follows_alerts_and_goes_on_after_it_was_killed(
    installed, rig, tls, tmp_path
) -> None:
    async with example(installed, rig, tls.ca_file, tmp_path) as lines:
        await eventually((tmp_path / "alerts.resume").exists, seconds=30)
        first = await rig.raise_hits(hit_message(), hit_message())
        await eventually(lambda: len(lines) >= 2, seconds=30)
    missed = await rig.raise_hits(hit_message())
    async with example(installed, rig, tls.ca_file, tmp_path) as again:
        await eventually(lambda: any(missed[0] in line for line in again), seconds=30)

    notice = "UNVERIFIED: confirm with LEADS/NCIC before any action"
    assert lines == [f"{alert_id} {notice}" for alert_id in first]
    # What was printed last comes once more when the kill was quicker than the file.
    assert again in ([f"{missed[0]} {notice}"], [lines[1], f"{missed[0]} {notice}"])


def test_the_wheel_has_the_stubs_and_nothing_of_the_services(installed) -> None:
    with zipfile.ZipFile(installed.wheel) as wheel:
        names = wheel.namelist()
    stubs = [name for name in names if name.startswith("alpr/") and name.endswith("_pb2.py")]

    modules = [name.removesuffix(".py").replace("/", ".") for name in stubs]
    run(installed.python, "-I", "-c", "\n".join(f"import {module}" for module in modules))

    assert "alpr/alerts/v1/alert_service_pb2.py" in stubs
    assert {"alpr/py.typed", "platewarden_client/py.typed", "platewarden_client/LICENSE"} <= set(names)
    roots = {name.split("/")[0] for name in names}
    assert roots == {"alpr", "platewarden_client", "platewarden_client-0.1.0.dist-info"}


def test_who_uses_the_client_has_its_types(installed, tmp_path) -> None:
    wrong = tmp_path / "wrong.py"
    wrong.write_text(EXAMPLE.read_text().replace("event.alert.alert_id", "event.alert.no_such_field"))
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file", os.devnull]
    command += ["--cache-dir", str(tmp_path / "cache"), "--python-executable", str(installed.python)]

    run(*command, EXAMPLE, cwd=tmp_path)
    refused = attempt(*command, wrong, cwd=tmp_path)

    assert '"Alert" has no attribute "no_such_field"' in refused.stdout


def test_the_readme_shows_the_example_as_it_is_in_ten_lines() -> None:
    text = EXAMPLE.read_text()

    assert f"```python\n{text}```" in (CLIENT / "README.md").read_text()
    assert len([line for line in text.splitlines() if line.strip()]) == 10
