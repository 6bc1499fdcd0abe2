"""Makes services/search/outlines/us.json.xz, the state and county lines that maps of reports are drawn on.

    python tools/outlines.py FOLDER

FOLDER holds the unpacked npm package us-atlas 3.0.1 (`npm pack us-atlas@3.0.1`). Its TopoJSON is derived from
the cartographic boundary files of the U.S. Census Bureau, edition 2017, which are in the public domain; the
conversion is under the ISC licence, whose notice goes into the file. The same package gives the same bytes.
"""

from __future__ import annotations

import hashlib
import json
import lzma
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

SOURCE_SHA256 = "145aaf5d1433352a6a1d8e86b5f149c7c653f9171baf14aaf75ee66575def1b0"
TARGET = Path(__file__).resolve().parent.parent / "services" / "search" / "outlines" / "us.json.xz"
_COUNTY, _STATE, _COAST = 0, 1, 2


def arcs_of(geometry: dict[str, Any]) -> Iterator[int]:
    """Numbers of the arcs round `geometry`, those that are walked backwards by their own number too."""
    rings = geometry.get("arcs", [])
    polygons = [rings] if geometry["type"] == "Polygon" else rings
    for polygon in polygons:
        for ring in polygon:
            yield from (arc if arc >= 0 else ~arc for arc in ring)


def kinds(topology: dict[str, Any]) -> list[int]:
    """For each arc whether it parts counties of a state, states, or land and water."""
    sides: dict[int, list[str]] = defaultdict(list)
    for county in topology["objects"]["counties"]["geometries"]:
        for arc in arcs_of(county):
            sides[arc].append(county["id"][:2])
    return [
        _COAST if len(sides[arc]) < 2 else _COUNTY if len(set(sides[arc])) == 1 else _STATE  # noqa: PLR2004
        for arc in range(len(topology["arcs"]))
    ]


def absolute(arc: list[list[int]]) -> list[tuple[int, int]]:
    """The points of a delta-coded arc."""
    x = y = 0
    points = []
    for dx, dy in arc:
        x, y = x + dx, y + dy
        points.append((x, y))
    return points


def middle(topology: dict[str, Any], geometry: dict[str, Any]) -> tuple[int, int]:
    """The middle of the box round `geometry`, where its name goes."""
    points = [point for arc in arcs_of(geometry) for point in absolute(topology["arcs"][arc])]
    xs, ys = [x for x, _ in points], [y for _, y in points]
    return (min(xs) + max(xs)) // 2, (min(ys) + max(ys)) // 2


def labels(topology: dict[str, Any], layer: str) -> list[list[object]]:
    """Name and place of each geometry of a layer, by name and place."""
    found = [
        [geometry["properties"]["name"], *middle(topology, geometry)]
        for geometry in topology["objects"][layer]["geometries"]
        if geometry.get("arcs")
    ]
    return sorted(found, key=str)


def main(folder: Path) -> int:
    """Writes the file; 1 when the package is another one than this program was written for."""
    source = (folder / "counties-10m.json").read_bytes()
    if hashlib.sha256(source).hexdigest() != SOURCE_SHA256:
        print("this is not counties-10m.json of us-atlas 3.0.1", file=sys.stderr)
        return 1
    topology = json.loads(source)
    document = {
        "notice": (folder / "LICENSE").read_text(encoding="utf-8"),
        "source": "U.S. Census Bureau, cartographic boundaries 2017, by way of us-atlas 3.0.1",
        "scale": topology["transform"]["scale"],
        "translate": topology["transform"]["translate"],
        "lines": [
            [kind, [number for point in arc for number in point]]
            for kind, arc in zip(kinds(topology), topology["arcs"], strict=True)
        ],
        "counties": labels(topology, "counties"),
        "states": labels(topology, "states"),
    }
    text = json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()
    TARGET.parent.mkdir(exist_ok=True)
    TARGET.write_bytes(lzma.compress(text, preset=9 | lzma.PRESET_EXTREME))
    print(f"{TARGET.stat().st_size:,} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
