"""Writes docs/operations/metrics.md from the code's own metrics; --check says whether it is as the code is.

python -m tools.metrics [--check]
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from prometheus_client import REGISTRY

PAGE: Final = Path(__file__).parents[1] / "docs" / "operations" / "metrics.md"
MODULES: Final = (
    "services.common.metrics",
    "services.common.tracing_export",
    *(f"services.{name}.metrics" for name in ("ocr", "matcher", "search", "alerts", "audit")),
    "services.console.metrics",
    "services.witness.app",
)
_ENDINGS: Final = {"counter": ("_total",), "histogram": ("_bucket", "_count", "_sum")}
_HEAD: Final = """# Metrics

Made by `python -m tools.metrics` from the code. Each service and the witness serve them at `/metrics` of
PW_METRICS_LISTEN, over plain HTTP, for a network that only monitoring reaches. Labels are names of code:
nothing of a read, a person, a case or a local list is in any. `job` is the service's name, put there by
whoever scrapes. Beside these there are the usual ones of the process (`process_...`, `python_...`).

| metric | kind | labels | what it is |
|---|---|---|---|
"""


@dataclass(frozen=True, slots=True)
class Family:
    """A metric as the code declares it; `series` are the names that Prometheus has of it."""

    name: str
    kind: str
    labels: tuple[str, ...]
    help: str

    @property
    def series(self) -> tuple[str, ...]:
        """Names of its series."""
        return tuple(self.name + ending for ending in _ENDINGS.get(self.kind, ("",)))


def families() -> dict[str, Family]:
    """All metrics of the services, by name."""
    for module in MODULES:
        importlib.import_module(module)
    return {one.name: one for one in sorted(_found(), key=lambda one: one.name)}


def _found() -> Iterator[Family]:
    collectors: Any = REGISTRY._collector_to_names
    for collector in tuple(collectors):
        for family in collector.collect():
            labels = getattr(collector, "_labelnames", getattr(family, "_labelnames", ()))
            yield Family(family.name, family.type, tuple(labels), family.documentation)


def page() -> str:
    """The page."""
    rows = [
        f"| `{one.name}{_ENDINGS.get(one.kind, ('',))[0] if one.kind == 'counter' else ''}` | {one.kind} "
        f"| {', '.join(f'`{label}`' for label in one.labels)} | {one.help} |"
        for one in families().values()
        if not one.name.startswith(("process_", "python_"))
    ]
    return _HEAD + "\n".join(rows) + "\n"


def main(arguments: list[str]) -> int:
    """Writes the page, or with --check ends with 1 when it is not as the code is."""
    if "--check" not in arguments:
        PAGE.write_text(page(), encoding="utf-8")
        return 0
    if PAGE.read_text(encoding="utf-8") == page():
        return 0
    print("docs/operations/metrics.md is not as the code is: run python -m tools.metrics", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
