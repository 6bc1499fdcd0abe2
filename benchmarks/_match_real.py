"""Lattices of our own reader, from labelled photographs, against a made list that their plates are put on.

With the thresholds that the service takes for such a list: `shown` is the share of read plates whose
entry is found within the budget of what is shown; `exact` that of best texts which are right,
`exact_state` with a best state that is right or not known from the label. `others` counts reads that
another entry of the list is found for.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np

from benchmarks._match_arrays import columns_of
from benchmarks._match_scale import header
from benchmarks._match_world import World
from services.matcher.core.index import ActiveList, Index, ListIndex
from services.matcher.core.match import Label, find_all
from services.matcher.core.settings import MatchSettings
from services.matcher.core.sighting import Lattice, Sighting
from services.ocr.engine import Engine
from services.ocr.models import PACKAGED, known_versions

_US: Final = "US-"
_UNKNOWN: Final = "ZZ"

Seen = tuple[str, str, Sighting | None]
"""The label, its state (empty when it names none), and the read; None when the plate was not read."""


def measured(data: Path, entries: int) -> dict[str, Any]:
    """The figures of the photographs in `data` against a list of `entries`."""
    seen = [*_seen(data)]
    read = [(text, state, sighting) for text, state, sighting in seen if sighting is not None]
    columns = columns_of(World().hot_list(entries), [(text, state) for text, state, _ in read])
    index = Index(1, datetime.now(UTC), (ActiveList(header(), ListIndex(columns)),))
    sightings = [sighting for _, _, sighting in read]
    allowed = [frozenset({0})] * len(read)
    found = find_all(sightings, index, allowed, datetime.now(UTC), MatchSettings())
    right = [
        [m.entry.plate == text for m in matches] for (text, _, _), matches in zip(read, found, strict=True)
    ]
    exact = [text == one.lattice.best for text, _, one in read]
    state_right = [not state or (bool(one.states) and state == one.states[0][0]) for _, state, one in read]
    return {
        "data": data.name,
        "entries": entries,
        "plates": len(seen),
        "read": len(read),
        "exact": round(float(np.mean(exact)), 4),
        "exact_state": round(float(np.mean(np.array(exact) & np.array(state_right))), 4),
        "shown": round(float(np.mean([any(one) for one in right])), 4),
        "others": sum(not all(one) for one in right),
        "labels": {label.name: sum(m.label is label for row in found for m in row) for label in Label},
    }


def _seen(data: Path) -> Iterator[Seen]:
    ocr = importlib.import_module("benchmarks.ocr")
    cv2.setNumThreads(1)
    engine = Engine([*known_versions(PACKAGED).values()][-1], threads=1)
    for path, rows in ocr.labelled(data).items():
        plates = engine.look(np.asarray(cv2.imread(str(path)), dtype=np.uint8)).plates
        for row in rows:
            label = ocr.box_of(row)
            near = [plate for plate in plates if ocr.near(plate.box, label)]
            best = max(near, key=lambda plate: plate.box.overlap(label), default=None)
            country = row.get("country", "").upper()
            state = country.removeprefix(_US) if country.startswith(_US) else ""
            yield ocr.plain(row["plate_text"]), state, None if best is None else _sighting(best)


def _sighting(plate: Any) -> Sighting:
    reading = plate.reading
    lattice = Lattice(
        best=plate.text,
        positions=reading.positions,
        candidates=tuple((one.text, one.probability) for one in reading.candidates),
    )
    states = tuple(
        (issuer.removeprefix(_US) if issuer.startswith(_US) else "", probability)
        for issuer, probability in plate.issuers
        if issuer != _UNKNOWN
    )
    return Sighting(lattice, states, datetime.now(UTC))
