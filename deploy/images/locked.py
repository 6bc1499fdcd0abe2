"""Requirements of one image, out of the one lock of the project: `locked.py audit migrate`.

Prints what the extras of pyproject.toml named need, and all that this needs in turn, with the hashes of
requirements.lock. An image carries only what its service needs, in the versions that were tested together.
"""

import re
import sys
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

_NAME = re.compile(r"[A-Za-z0-9._-]+")


@dataclass(frozen=True)
class Locked:
    """A requirement with its hashes, and the names of what needs it."""

    text: str
    wanted_by: frozenset[str]


def locked(lock: str) -> dict[str, Locked]:
    """The requirements of a lock file by name."""
    found = {}
    for block in re.split(r"\n(?=[a-z0-9])", "\n" + lock):
        if "==" not in block:
            continue
        needed, _, why = block.partition("# via")
        text = "\n".join(line for line in needed.splitlines() if line.strip(" #"))
        found[name_of(block)] = Locked(text, frozenset(_parents(why)))
    return found


def closure(roots: Iterable[str], lock: dict[str, Locked]) -> list[str]:
    """Names of `roots` and of all that they need, in order.

    Raises:
        KeyError: The lock does not have one of `roots`.
    """
    found = {lock[name] and name for name in roots}
    while more := {name for name, one in lock.items() if name not in found and one.wanted_by & found}:
        found |= more
    return sorted(found)


def name_of(requirement: str) -> str:
    """The normalised name that a requirement begins with (PEP 503)."""
    match = _NAME.match(requirement.strip())
    return re.sub(r"[-_.]+", "-", match[0]).lower() if match else ""


def _parents(why: str) -> Iterator[str]:
    for line in why.splitlines():
        yield name_of(line.strip(" #"))


def main(extras: list[str]) -> None:
    """Prints the requirements of `extras`; `build` is the group that the project is built with."""
    root = Path(__file__).parents[2]
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    wanted = [] if extras == ["build"] else list(project["project"]["dependencies"])
    for extra in extras:
        options = project["project"]["optional-dependencies"]
        wanted += project["dependency-groups"][extra] if extra == "build" else options[extra]
    lock = locked((root / "requirements.lock").read_text(encoding="utf-8"))
    for name in closure(map(name_of, wanted), lock):
        print(lock[name].text)


if __name__ == "__main__":
    main(sys.argv[1:])
