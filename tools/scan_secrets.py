"""Looks for secrets in every file that git tracks.

    python tools/scan_secrets.py [FOLDER]

It knows the forms of keys and tokens, and of passwords in settings and URLs. It names file, line and rule,
never the secret, and ends with 1 when there is one. What only looks like one is in `LOOKS_LIKE_ONE`, with the
reason.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

RULES: Final = MappingProxyType(
    {
        "private key": re.compile(
            r"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----\s*(?:\\n)?\s*[A-Za-z0-9+/=]{16}"
        ),
        "JSON web token": re.compile(r"\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}"),
        "key of a cloud": re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b|\bAIza[A-Za-z0-9_-]{35}\b"),
        "token of a forge": re.compile(
            r"\b(?:gh[pousr]_[A-Za-z0-9]{36}|github_pat_[A-Za-z0-9_]{40,}|glpat-[A-Za-z0-9_-]{20})"
        ),
        "token of a registry": re.compile(
            r"\bpypi-[A-Za-z0-9_-]{50,}|\bnpm_[A-Za-z0-9]{36}\b|_authToken\s*="
        ),
        "token of a messenger": re.compile(r"\bxox[abprs]-[A-Za-z0-9-]{10,}|hooks\.slack\.com/services/T"),
        "secret of a webhook": re.compile(r"\bwhsec_[A-Za-z0-9+/]{24,}"),
        "password in a URL": re.compile(r"\b[a-z][a-z0-9+]{2,}://[^\s/:@'\"{}$<>]+:[^\s/@'\"{}$<>*]{3,}@"),
        "password in a setting": re.compile(
            r"(?i)\b[a-z_]*(?:password|passwd|secret|api_?key|token)\b[\"']?\s*[:=]\s*[\"'](?=[^\"']*\d)(?=[^\"']*[a-z])"
            r"[A-Za-z0-9+/_=-]{20,}[\"']"
        ),
        "key in hexadecimal": re.compile(
            r"(?i)\b[a-z_]*(?:key|secret|kek)[a-z_]*[\"']?\s*[:=]\s*[\"']?[0-9a-f]{64}\b"
        ),
    }
)
# How a path begins, the rule, and why it is none.
LOOKS_LIKE_ONE: Final = (
    ("tests/", "password in a URL", "of databases and cameras that tests make and throw away"),
    ("tests/golden/", "key in hexadecimal", "vectors: keys of nothing but themselves"),
)
_LARGEST_BYTES: Final = 5 << 20


@dataclass(frozen=True, slots=True)
class Finding:
    """A place that looks like a secret."""

    path: str
    line: int
    rule: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.rule}"


def found_in(text: str) -> Iterator[tuple[int, str]]:
    """Line, from 1, and rule of whatever in `text` looks like a secret."""
    for rule, form in RULES.items():
        for match in form.finditer(text):
            yield text.count("\n", 0, match.start()) + 1, rule


def tracked(folder: Path) -> list[str]:
    """Paths of the files that git tracks in `folder`.

    Raises:
        OSError: git cannot list them.
    """
    command = ["git", "-C", str(folder), "ls-files", "-z"]
    done = subprocess.run(command, capture_output=True, check=False)  # noqa: S603 - our own arguments
    if done.returncode:
        raise OSError(f"git does not list the files of {folder}")
    return [name for name in done.stdout.decode().split("\0") if name]


def findings(folder: Path) -> list[Finding]:
    """What looks like a secret and is not known to be none, by path and line."""
    found = []
    for name in tracked(folder):
        path = folder / name
        if path.is_symlink() or not path.is_file() or path.stat().st_size > _LARGEST_BYTES:
            continue
        data = path.read_bytes()
        if b"\0" in data:
            continue  # no text
        lines = found_in(data.decode("utf-8", "replace"))
        found += [Finding(name, line, rule) for line, rule in lines if not _is_known(name, rule)]
    return sorted(found, key=lambda one: (one.path, one.line, one.rule))


def _is_known(name: str, rule: str) -> bool:
    return any(name.startswith(start) and rule == known for start, known, _ in LOOKS_LIKE_ONE)


def main() -> int:
    """0 when there is no secret, 2 when git could not be asked."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parents[1]
    try:
        found = findings(folder)
    except OSError as error:
        print(f"scan: {error}", file=sys.stderr)
        return 2
    for one in found:
        print(one, file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
