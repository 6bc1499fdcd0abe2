"""How many listed plates are found at how many false alarms, in a made world."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from benchmarks._match_arrays import batch_of, columns_of, with_states
from benchmarks._match_world import (
    CHUNK,
    CLASSES,
    PLACES,
    STATES,
    Bytes,
    Floats,
    Numbers,
    Plates,
    World,
    chunks_of,
    packed,
)
from services.matcher.core.budget import DEFAULT_BUDGET, ratio_for
from services.matcher.core.grammar import Grammar, grammar_of
from services.matcher.core.search import Lists, search
from services.matcher.core.settings import MatchSettings
from services.matcher.core.table import Segment, Table

BUDGETS: Final = (10, 100, 300, 1000)
"""False alarms per million reads."""
LEAST_RATIO: Final = 0.001
"""Entries below it are not looked for: as far below certainty as a thousand per million reaches."""
_MILLION: Final = 1e6
_NOT_FOUND: Final = -1.0
_LISTED_ONE_IN: Final = 2_000
_BLIND: Final = 2_000
"""Background reads whose neighbours by one edit are counted; each has some 500."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much is measured: entries of the list, reads of listed plates, reads of others."""

    entries: int
    hits: int
    background: int


@dataclass(frozen=True, slots=True)
class Scores:
    """What the matcher makes of reads, and what simpler rules do; one element a read.

    Attributes:
        best: Highest ratio of an entry that counts (see MatchSettings), -1 when there is none.
        exact: Whether the best text is the listed one's, whatever the state.
        exact_state: The same, with the most probable state the listed one's.
    """

    best: Floats
    exact: npt.NDArray[np.bool_]
    exact_state: npt.NDArray[np.bool_]


class Stage:
    """A list of a world, as the matcher holds it, and reads of plates that are on it and that are not."""

    def __init__(self, world: World, sizes: Sizes) -> None:
        self.world = world
        self.sizes = sizes
        self.listed = world.hot_list(sizes.entries)
        columns = columns_of(self.listed)
        self.table = Table([Segment(columns, is_encoded=False)])
        self.grammar: Grammar = grammar_of([columns])
        # The row of the list that each row of the table came from (`columns_of` numbers them).
        self._origin = columns.entry_id[:, :8].copy().view(np.int64).ravel()
        self._keys = np.sort(packed(self.listed.classes))
        self._pairs = np.sort(_pairs(self.listed))
        self.knobs = MatchSettings().knobs(LEAST_RATIO)
        self._lists = Lists(np.ones((1, 1), np.uint8), np.full(1, LEAST_RATIO, np.float32))

    def hits(self, accuracies: Sequence[float]) -> Iterator[list[Scores]]:
        """Reads of plates drawn from the list, by accuracy; only the right entry counts."""
        rng = np.random.default_rng([2, self.sizes.entries])
        for chunk in chunks_of(self.sizes.hits):
            rows = rng.integers(0, self.sizes.entries, CHUNK)
            yield self._scores(self.listed[rows], accuracies, chunk, "hit", rows)

    def background(self, accuracies: Sequence[float]) -> Iterator[list[Scores]]:
        """Reads of passing plates that are not on the list, by accuracy; any entry counts."""
        for chunk in chunks_of(self.sizes.background):
            plates = self.world.passing_plates(chunk)
            plates = plates[~_among(_pairs(plates), self._pairs)]
            yield self._scores(plates, accuracies, chunk, "background", None)

    def _scores(
        self, plates: Plates, accuracies: Sequence[float], chunk: int, name: str, rows: Numbers | None
    ) -> list[Scores]:
        reads = self.world.reads(plates, chunk, name)
        batch, scores = None, []
        for accuracy in accuracies:
            states = self.world.states_seen(plates, accuracy, chunk, name)
            batch = batch_of(reads, states) if batch is None else with_states(batch, states)
            found = search(batch, self.table, self._lists, self.grammar, self.knobs)
            best = np.full(len(plates), _NOT_FOUND, np.float32)
            counts = np.ones(len(found.read), np.bool_)
            if rows is not None:
                counts = self._origin[found.row] == rows[found.read]
            np.maximum.at(best, found.read[counts], found.ratio[counts])
            scores.append(Scores(best, *self._simple(plates, reads.characters, states, rows is not None)))
        return scores

    def _simple(
        self, plates: Plates, characters: Floats, states: Floats, listed: bool
    ) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
        text = characters.argmax(axis=2).astype(np.uint8)
        state = states.argmax(axis=1).astype(np.int16)
        if listed:
            exact = (text == plates.classes).all(axis=1)
            return exact, exact & (state == plates.states)
        return _among(packed(text), self._keys), _among(_pairs(Plates(text, state)), self._pairs)

    def bound(self, ratio: float) -> float:
        """Most false alarms per million that such a list can have above a ratio (core/budget.py)."""
        return self.sizes.entries * self.grammar.usual * _MILLION / ratio

    def shown(self, hits: Floats, background: Floats) -> dict[str, float]:
        """Recall and false alarms per million of what the service shows of such a list by default."""
        least = ratio_for(DEFAULT_BUDGET.checked, self.sizes.entries, self.grammar.usual)
        alarms = round(_MILLION * float(np.mean(background >= least)))
        return {"recall": _share(hits >= least), "false_alarms": alarms}

    def within_one_edit(self) -> dict[str, float]:
        """Recall and false alarms of best texts within one edit of a listed one, whatever the state."""
        reads = self.world.passing_plates(0)[slice(0, _BLIND)]
        plates = self.listed[slice(0, CHUNK)]
        seen = self.world.reads(plates, 0, "edit").characters.argmax(axis=2).astype(np.uint8)
        near = [_is_one_edit(a, b) for a, b in zip(seen, plates.classes, strict=True)]
        heard = self.world.reads(reads, 0, "edit").characters.argmax(axis=2).astype(np.uint8)
        alarms = [_among(packed(_neighbours(text)), self._keys).any() for text in heard]
        return {
            "recall": round(float(np.mean(near)), 4),
            "false_alarms": round(_MILLION * float(np.mean(alarms))),
        }


def measured(stage: Stage, accuracies: Sequence[float]) -> dict[str, Any]:
    """The figures by state accuracy, and false alarms per million of the rules that have no threshold."""
    edit = stage.within_one_edit()
    figures: dict[str, Any] = {}
    all_hits, all_background = [*stage.hits(accuracies)], [*stage.background(accuracies)]
    for place, accuracy in enumerate(accuracies):
        hits, background = (_joined([one[place] for one in rows]) for rows in (all_hits, all_background))
        thresholds = {budget: _threshold(background.best, budget) for budget in BUDGETS}
        figures[f"{accuracy:.2f}"] = {
            "exact": _share(hits.exact),
            "exact_state": _share(hits.exact_state),
            "edit1": edit["recall"],
            **{f"lattice_{budget}": _share(hits.best > over) for budget, over in thresholds.items()},
            "false_alarms": {
                "exact": round(_MILLION * float(np.mean(background.exact))),
                "exact_state": round(_MILLION * float(np.mean(background.exact_state))),
                "edit1": edit["false_alarms"],
            },
            "shown": stage.shown(hits.best, background.best),
            "above_half": _above_half(hits.best, background.best),
            "found_at_all": _share(hits.best > _NOT_FOUND),
            "bound_over_measured": {
                str(budget): round(stage.bound(over) / budget, 1)
                for budget, over in thresholds.items()
                if over > 0
            },
        }
        print(f"recall at state accuracy {accuracy}: {figures[f'{accuracy:.2f}']}", file=sys.stderr)
    return figures


def _threshold(background: Floats, budget: int) -> float:
    """The ratio that `budget` of a million background reads pass."""
    ranked = np.sort(background)[::-1]
    return max(float(ranked[int(budget / _MILLION * len(ranked))]), _NOT_FOUND)


def _above_half(hits: Floats, background: Floats) -> dict[str, float]:
    """Of matches that are called likelier than not: what the matcher says, and what is so.

    One read in _LISTED_ONE_IN is of a listed plate, as MatchSettings takes it to be for a list of a million.
    """
    settings = MatchSettings()
    weights = np.repeat([1 / _LISTED_ONE_IN / len(hits), 1 / len(background)], [len(hits), len(background)])
    ratios = np.maximum(np.concatenate([hits, background]).astype(float), 0.0)
    said = ratios * settings.listed / (1 + ratios * settings.listed)
    sure = said > 1 / 2
    right = weights * (np.arange(len(said)) < len(hits))
    total = float(weights[sure].sum())
    return {
        "said": round(float((weights * said)[sure].sum()) / total, 3),
        "right": round(float(right[sure].sum()) / total, 3),
    }


def _joined(parts: Sequence[Scores]) -> Scores:
    return Scores(*(np.concatenate([getattr(one, name) for one in parts]) for name in Scores.__slots__))


def _share(values: npt.NDArray[np.bool_]) -> float:
    return round(float(np.mean(values)), 4)


def _pairs(plates: Plates) -> npt.NDArray[np.uint64]:
    """Text and state as one number."""
    return packed(plates.classes) * np.uint64(len(STATES)) + plates.states.astype(np.uint64)


def _among(values: npt.NDArray[np.uint64], ranked: npt.NDArray[np.uint64]) -> npt.NDArray[np.bool_]:
    place = np.minimum(np.searchsorted(ranked, values), len(ranked) - 1)
    same: npt.NDArray[np.bool_] = ranked[place] == values
    return same


def _is_one_edit(one: Bytes, other: Bytes) -> bool:
    if np.count_nonzero(one != other) <= 1:
        return True
    shorter, longer = sorted(([c for c in text if c] for text in (one, other)), key=len)
    return len(longer) == len(shorter) + 1 and any(
        longer[:place] + longer[place + 1 :] == shorter for place in range(len(longer))
    )


def _neighbours(text: Bytes) -> Bytes:
    """The text and all that one edit makes of it."""
    letters = [int(c) for c in text if c]
    every = range(1, CLASSES)
    texts = {tuple(letters)}
    for place in range(len(letters)):
        texts.add((*letters[:place], *letters[place + 1 :]))
        texts |= {(*letters[:place], new, *letters[place + 1 :]) for new in every}
    if len(letters) < PLACES:
        texts |= {
            (*letters[:place], new, *letters[place:]) for place in range(len(letters) + 1) for new in every
        }
    table = np.zeros((len(texts), PLACES), np.uint8)
    for row, one in enumerate(texts):
        table[row, : len(one)] = one
    return table
