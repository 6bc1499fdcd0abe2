"""The plates of a run: all drawn from its seed, none of them anybody's."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Final

# Without those that are taken for one another, so that no plate is a doubtful form of another.
_LETTERS: Final = "ACEHKMNPRTUVWXY"
_DIGITS: Final = "3479"
_LISTED_ONE_IN: Final = 25
_SEEN: Final = 2_000


@dataclass
class Plates:
    """Passing plates, some of them listed; `watched` go first, once each."""

    chance: random.Random
    listed: list[str] = field(default_factory=list)
    watched: list[str] = field(default_factory=list)

    def new(self) -> str:
        """A plate that most likely has not been drawn before."""
        return "".join(self.chance.choice(_LETTERS) for _ in range(4)) + "".join(
            self.chance.choice(_DIGITS) for _ in range(3)
        )

    def next(self) -> str:
        """The next plate that passes."""
        if self.watched:
            return self.watched.pop(0)
        if self.listed and self.chance.randrange(_LISTED_ONE_IN) == 0:
            return self.chance.choice(self.listed)
        return self.new()
