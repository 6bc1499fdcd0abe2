"""Migrations that came after the last release: may they run while the last release does?

    python tools/migrations.py

Squawk reads them as PostgreSQL does and knows which statements lock a table for long, or take away what the
release before still uses; a few rules of our own are below. docs/operations/migrations.md says what to write
instead.

What nothing uses any more goes in a later release. Such a statement is let through by two comments right
before it, the first of which names the last release that used it, which must be older than the last one:

    -- unused since 1.2.0: the column that 1.3.0 replaced by sensor_unit
    -- squawk-ignore ban-drop-column
    ALTER TABLE alerts.hit DROP COLUMN unit;
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import sysconfig
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tools.release import ROOT, Release, load

# Taste, not danger; and time limits, which the runner sets for every migration (services/common/migrate.py).
_EXCLUDED = (
    "ban-char-field",
    "identifier-too-long",
    "prefer-bigint-over-int",
    "prefer-bigint-over-smallint",
    "prefer-identity",
    "prefer-robust-stmts",
    "prefer-text-field",
    "prefer-timestamp-tz",
    "require-enum-value-ordering",
    "require-lock-timeout",
    "require-statement-timeout",
    "require-table-schema",
)
# Rules about what the last release still uses; the others have no exception.
CONTRACTING = frozenset(
    {
        "ban-drop-column",
        "ban-drop-function",
        "ban-drop-table",
        "ban-drop-view",
        "require-concurrent-index-deletion",
    }
)
OUTSIDE = "-- outside a transaction"
_IGNORE = re.compile(r"--\s*squawk-ignore(?P<file>-file)?\s*(?P<rules>[a-z-, ]*)")
_UNUSED = re.compile(r"-- unused since (?P<version>\d+\.\d+\.\d+\S*?):? ")
_OWN: Sequence[tuple[re.Pattern[str], str]] = (
    (
        re.compile(r"^\s*(CLUSTER|VACUUM|LOCK)\b", re.IGNORECASE),
        "locks a table that services are at work on",
    ),
    (
        re.compile(r"^\s*REVOKE\b(?!.*\bFROM\s+PUBLIC\b)", re.IGNORECASE | re.DOTALL),
        "takes a right away that the release before may still use; do it in a later release",
    ),
    (
        re.compile(r"^\s*(UPDATE|DELETE\s+FROM)\b(?!.*\bWHERE\b)", re.IGNORECASE | re.DOTALL),
        "touches every row in one transaction; let the service fill in what is missing, some rows at a time",
    ),
    (
        re.compile(r"^\s*REFRESH\s+MATERIALIZED\s+VIEW\s+(?!CONCURRENTLY)", re.IGNORECASE),
        "locks the view; refresh it CONCURRENTLY",
    ),
)
# What is no statement of the migration itself: comments, texts, bodies of functions.
_HIDDEN = re.compile(r"--[^\n]*|'(?:[^']|'')*'|(?P<tag>\$[a-z_]*\$).*?(?P=tag)", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong at a place of a file."""

    file: Path
    line: int
    rule: str
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.rule}: {self.message}"


def unreleased(root: Path, release: Release) -> list[Path]:
    """The migrations that came after `release`."""
    return [
        path
        for path in sorted(root.glob("services/*/sql/*.sql"))
        if path.name not in release.migrations.get(path.parent.parent.name, {})
    ]


def findings(files: Sequence[Path], release: Release) -> list[Finding]:
    """What is wrong in `files`, by file and line."""
    found = [*_squawk(files)]
    for file in files:
        text = file.read_text(encoding="utf-8")
        found += [*_own(file, text), *_exceptions(file, text, release), *_transaction(file, text)]
    return sorted(found, key=lambda one: (one.file, one.line, one.rule))


def _squawk(files: Sequence[Path]) -> Iterator[Finding]:
    for outside in (False, True):
        group = [file for file in files if is_outside(file.read_text(encoding="utf-8")) is outside]
        if not group:
            continue
        squawk = str(Path(sysconfig.get_path("scripts")) / "squawk")
        command = [squawk, "--reporter", "json", "--pg-version", "17"]
        command += [] if outside else ["--assume-in-transaction"]
        command += [f"--exclude={','.join(_EXCLUDED)}", *map(str, group)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
        if done.returncode not in {0, 1}:
            raise SystemExit(f"squawk failed: {done.stderr.strip()}")
        for one in json.loads(done.stdout or "[]"):
            yield Finding(Path(one["file"]), one["line"] + 1, one["rule_name"], one["message"])


def is_outside(text: str) -> bool:
    """Whether a migration asks to be run outside of a transaction."""
    return text.startswith(OUTSIDE)


def _own(file: Path, text: str) -> Iterator[Finding]:
    for line, statement in statements(text):
        for pattern, why in _OWN:
            if pattern.match(statement):
                yield Finding(file, line, "platewarden", f"the statement {why}")


def _exceptions(file: Path, text: str, release: Release) -> Iterator[Finding]:
    lines = text.splitlines()
    for number, line in enumerate(lines):
        ignored = _IGNORE.search(line)
        if not ignored:
            continue
        rules = {rule.strip() for rule in ignored["rules"].split(",") if rule.strip()}
        since = _UNUSED.match(lines[number - 1]) if number else None
        if ignored["file"] or not rules or not rules <= CONTRACTING:
            yield Finding(
                file, number + 1, "platewarden", "only rules about what nothing uses may be ignored, by name"
            )
        elif since is None:
            yield Finding(
                file, number + 1, "platewarden", "the line before must say `-- unused since VERSION: why`"
            )
        elif key_of(since["version"]) >= key_of(release.version):
            message = f"{release.version} may still run beside this; wait for the release after it"
            yield Finding(file, number + 1, "platewarden", message)


def _transaction(file: Path, text: str) -> Iterator[Finding]:
    if is_outside(text) and len(list(statements(text))) != 1:
        yield Finding(
            file, 1, "platewarden", "outside a transaction, a file has one statement, which can be run again"
        )


def statements(text: str) -> Iterator[tuple[int, str]]:
    """Line and text of each statement, without comments, strings and bodies of functions."""
    bare = _HIDDEN.sub(lambda match: re.sub(r"[^\n]", " ", match[0]), text)
    start = 0
    for part in bare.split(";"):
        if part.strip():
            skipped = len(part) - len(part.lstrip())
            yield bare.count("\n", 0, start + skipped) + 1, part.strip()
        start += len(part) + 1


def key_of(version: str) -> tuple[int, int, int, str]:
    """Order of versions; an alpha, beta or candidate comes before its release."""
    match = re.fullmatch(r"(\d+)\.(\d+)\.(\d+)(.*)", version)
    if match is None:
        return (0, 0, 0, "")
    return (int(match[1]), int(match[2]), int(match[3]), match[4] or "~")


def main() -> int:
    """Exit code: 0 when the new migrations may run beside the last release; else 1, with a line a finding."""
    release = load()
    files = unreleased(ROOT, release)
    found = findings(files, release)
    for one in found:
        print(one, file=sys.stderr)
    if not found:
        print(f"{len(files)} migrations since {release.version}, and all may run beside it")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
