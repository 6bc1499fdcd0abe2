"""Leaves of an installed platewarden, and of packages beside it, what an image runs: `prune.py FOLDER audit`.

The development services are in no image, least of all the issuer that takes anybody's word. `admin` migrates
every schema and founds a system, so it keeps audit and everybody's SQL; `probe` is a command of the CLI.
"""

import shutil
import sys
from pathlib import Path

_SERVICES = {"ocr", "matcher", "search", "audit", "alerts", "witness", "console"}
# Images that run something else than a service, and whose room that is in.
_OTHERS = {"admin": "audit", "probe": "cli"}
# Programs by themselves that people take along; the image does not run them.
_HANDED_OUT = {"console": {"audit/verifier.py", "audit/verify_transparency.py"}}


# Sources, headers and tests of packages: what is compiled stays as the package has it.
_SOURCES = {".a", ".c", ".cpp", ".h", ".hpp", ".pxd", ".pyi", ".pyx"}


def kept(image: str) -> set[str]:
    """Folders of `services` that the image needs whole.

    Raises:
        ValueError: There is no such image.
    """
    if image not in _SERVICES | _OTHERS.keys():
        raise ValueError(f"there is no image {image}")
    return {"common", _OTHERS.get(image, image)}


def prune(folder: Path, image: str) -> None:
    """Removes from `folder` what `image` does not run."""
    keep = kept(image)
    shutil.rmtree(folder / "platewarden_client")
    for one in (folder / "services").iterdir():
        if not one.is_dir() or one.name in keep:
            continue
        for part in one.iterdir():
            if _stays(image, part):
                continue
            shutil.rmtree(part) if part.is_dir() else part.unlink()
        if not any(one.iterdir()):
            one.rmdir()


def _stays(image: str, part: Path) -> bool:
    """Whether a file or folder of another room's is kept."""
    return (image == "admin" and part.name == "sql") or (
        f"{part.parent.name}/{part.name}" in _HANDED_OUT.get(image, ())
    )


def prune_packages(folder: Path) -> None:
    """Removes what runs nothing from packages in a folder: programs, tests, sources of what is compiled."""
    shutil.rmtree(folder / "bin", ignore_errors=True)
    for tests in [one for one in folder.rglob("tests") if one.is_dir()]:
        shutil.rmtree(tests, ignore_errors=True)
    for file in folder.rglob("*"):
        if file.is_file() and file.suffix in _SOURCES:
            file.unlink()


if __name__ == "__main__":
    prune(Path(sys.argv[1]), sys.argv[2])
    prune_packages(Path(sys.argv[1]))
