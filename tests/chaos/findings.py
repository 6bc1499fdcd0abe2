"""What a reckoning found."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Final

_MOST: Final = 200


@dataclass
class Findings:
    """How many of each were checked, and what is wrong; of a flood of wrongs the first two hundred."""

    checked: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    def bad(self, text: str) -> None:
        """Notes something that must not be."""
        self.checked["wrong"] += 1
        if len(self.wrong) < _MOST:
            self.wrong.append(text)
