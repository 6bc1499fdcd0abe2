"""State and county lines of the United States, so that a map needs no outside server (tools/outlines.py)."""

from __future__ import annotations

import json
import lzma
from functools import cache
from itertools import accumulate
from pathlib import Path
from typing import Any, Final

from services.search.core.map import Label, Line, LineKind, Outlines

_FILE: Final = Path(__file__).with_name("us.json.xz")
_KINDS: Final = (LineKind.COUNTY, LineKind.STATE, LineKind.COAST)


@cache
def united_states() -> Outlines:
    """The lines and names; read at the first use, which takes some 0.2 s."""
    document: dict[str, Any] = json.loads(lzma.decompress(_FILE.read_bytes()))
    (scale_x, scale_y), (left, bottom) = document["scale"], document["translate"]

    def degrees(x: int, y: int) -> tuple[float, float]:
        return left + x * scale_x, bottom + y * scale_y

    def line(kind: int, numbers: list[int]) -> Line:
        # Each point is written as the step from the one before.
        xs, ys = accumulate(numbers[0::2]), accumulate(numbers[1::2])
        return Line(_KINDS[kind], tuple(degrees(x, y) for x, y in zip(xs, ys, strict=True)))

    def labels(layer: str) -> tuple[Label, ...]:
        return tuple(Label(name, *degrees(x, y)) for name, x, y in document[layer])

    return Outlines(
        lines=tuple(line(kind, numbers) for kind, numbers in document["lines"]),
        counties=labels("counties"),
        states=labels("states"),
    )
