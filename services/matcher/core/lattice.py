"""What a plate read may say, and how likely each text is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

# What a text is worth about which its sender says no more: a little under the share of simulated reads whose
# best text is right (0.935).
_UNSTATED: Final = 0.9
_FOLD: Final = str.maketrans("OI", "01")
_FOLD_O: Final = str.maketrans("O", "0")


def folded(text: str) -> str:
    """The text with O as 0 and I as 1: what many plate faces and the NCIC encoding do not tell apart."""
    return text.translate(_FOLD)


def folded_o(text: str) -> str:
    """The text with O as 0, as NCIC encodes it."""
    return text.translate(_FOLD_O)


@dataclass(frozen=True, slots=True)
class Lattice:
    """The texts that one plate may bear.

    Attributes:
        best: Most probable text.
        positions: For each character of `best` the characters it may be with their probability, highest
            first, together at most 1. Empty when the sender says nothing about them.
        candidates: Whole texts with their probability, highest first; also of other lengths than `best`.
    """

    best: str
    positions: tuple[tuple[tuple[str, float], ...], ...] = ()
    candidates: tuple[tuple[str, float], ...] = ()

    def probability(self, text: str) -> float:
        """How likely the plate bears exactly `text`, 0 to 1."""
        whole = sum(value for candidate, value in self.candidates if candidate == text)
        if not self.positions and not self.candidates:
            return _UNSTATED if text == self.best else 0.0
        return min(1.0, max(whole, _product(self.positions, text)))

    def folded(self) -> Lattice:
        """The same with O as 0 and I as 1; probabilities of what becomes equal are added."""
        positions = tuple(_merged((folded(char), p) for char, p in position) for position in self.positions)
        candidates = _merged((folded(text), p) for text, p in self.candidates)
        return Lattice(folded(self.best), positions, candidates)

    def likely(self, minimum: float) -> Iterator[str]:
        """`best` first, then every other text whose probability is at least `minimum` (above 0), each once.

        Besides `best` and the candidates these are at most 1 / `minimum`: their probabilities add up to 1.
        """
        seen = {self.best}
        yield self.best
        for text in _whole_then_joined(self, minimum):
            if text not in seen:
                seen.add(text)
                yield text


def _whole_then_joined(lattice: Lattice, minimum: float) -> Iterator[str]:
    yield from (text for text, value in lattice.candidates if value >= minimum)
    if lattice.positions:
        yield from _joined(lattice.positions, minimum)


def _joined(positions: tuple[tuple[tuple[str, float], ...], ...], minimum: float) -> Iterator[str]:
    """Every text of one character from each position whose product is at least `minimum`.

    Depth first; a branch ends as soon as even the best rest cannot bring it above `minimum`.
    """
    rest = [1.0]
    for position in reversed(positions):
        rest.append(rest[-1] * max(value for _, value in position))
    rest.reverse()
    open_texts = [("", 1.0)]
    while open_texts:
        text, probability = open_texts.pop()
        depth = len(text)
        if depth == len(positions):
            yield text
            continue
        for char, value in reversed(positions[depth]):
            if probability * value * rest[depth + 1] >= minimum:
                open_texts.append((text + char, probability * value))


def _product(positions: tuple[tuple[tuple[str, float], ...], ...], text: str) -> float:
    if len(positions) != len(text):
        return 0.0
    product = 1.0
    for position, wanted in zip(positions, text, strict=True):
        product *= next((value for char, value in position if char == wanted), 0.0)
    return product


def _merged(pairs: Iterator[tuple[str, float]]) -> tuple[tuple[str, float], ...]:
    sums: dict[str, float] = {}
    for text, value in pairs:
        sums[text] = sums.get(text, 0.0) + value
    return tuple(sorted(sums.items(), key=lambda pair: -pair[1]))
