"""Makes the Python stubs of the contracts: protos/alpr/** in, gen/alpr/** out.

A hatchling hook (editable installs and wheels), and a program: `python hatch_build.py` does the same.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

PROTOS = "protos"
OUTPUT = "gen"


def generate(root: Path) -> list[Path]:
    """The stub files below `root`/gen that belong to the protos of now, written where they differ.

    Everything is made aside first, so a proto that does not compile leaves the last good stubs in place.

    Raises:
        SystemExit: protoc refused a file; its own message is on stderr.
    """
    protos = root / PROTOS
    sources = sorted(path.relative_to(protos).as_posix() for path in protos.rglob("*.proto"))
    with tempfile.TemporaryDirectory() as scratch:
        made = Path(scratch)
        _protoc(protos, made, sources)
        return _mirror(made, root / OUTPUT)


def _protoc(protos: Path, made: Path, sources: list[str]) -> None:
    import grpc_tools  # noqa: PLC0415 - a build dependency: absent when only the sdist is made

    well_known = Path(grpc_tools.__file__).parent / "_proto"
    plugins = ("python_out=", "grpc_python_out=", "mypy_out=quiet:", "mypy_grpc_out=quiet:")
    outputs = [f"--{plugin}{made}" for plugin in plugins]
    command = [
        sys.executable,
        "-m",
        "grpc_tools.protoc",
        f"-I{protos}",
        f"-I{well_known}",
        *outputs,
        *sources,
    ]
    run = subprocess.run(command, check=False, env=_environment())  # noqa: S603 - no input from outside
    if run.returncode:
        raise SystemExit("The stubs were not made: protoc refused a file (its message is above).")


def _environment() -> dict[str, str]:
    """The environment with the folders on PATH where protoc finds the mypy plug-ins.

    pip's isolated builds keep console scripts beside their own site-packages, not beside the interpreter.
    """
    isolated = [str(Path(path).parents[2] / "bin") for path in sys.path if path.endswith("site-packages")]
    folders = [sysconfig.get_path("scripts"), *isolated, os.environ.get("PATH", "")]
    return {**os.environ, "PATH": os.pathsep.join(folders)}


def _mirror(made: Path, output: Path) -> list[Path]:
    """Makes `output` equal to `made`; untouched files keep their time, so that caches stay warm."""
    wanted = {path.relative_to(made) for path in made.rglob("*") if path.is_file()}
    for old in [*output.rglob("*.py"), *output.rglob("*.pyi")]:
        if old.relative_to(output) not in wanted:
            old.unlink()
    for name in sorted(wanted):
        content, target = (made / name).read_bytes(), output / name
        if target.is_file() and target.read_bytes() == content:
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        aside = target.with_name(target.name + ".new")
        aside.write_bytes(content)
        aside.replace(target)
    return [output / name for name in sorted(wanted)]


class ProtoHook(BuildHookInterface):  # type: ignore[type-arg]  # hatchling finds hooks by their plain base
    """Runs `generate` before an editable install or a wheel."""

    def clean(self, versions: list[str]) -> None:
        """Removes the generated tree."""
        shutil.rmtree(Path(self.root) / OUTPUT, ignore_errors=True)

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Makes the stubs and names them as artifacts: hatchling drops git-ignored files otherwise."""
        if self.target_name == "sdist":
            return
        root = Path(self.root)
        stubs = generate(root)
        build_data["artifacts"].extend(f"/{path.relative_to(root).as_posix()}" for path in stubs)
        self.app.display_info(f"made {len(stubs)} stub files in {OUTPUT}/")


if __name__ == "__main__":
    here = Path(__file__).resolve().parent
    print(f"made {len(generate(here))} stub files in {OUTPUT}/")
