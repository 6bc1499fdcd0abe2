"""How fast a stream gives up and tries again."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Final

# 2 ** 20 times any first pause is longer than any longest one; more would only make large numbers.
_MOST_DOUBLINGS: Final = 20


@dataclass(frozen=True, slots=True)
class Pace:
    """Times of a stream, in seconds.

    `quiet_seconds`: a link on which nothing came for so long is dead; the service sends a heartbeat at least
    every 5 seconds. `first_pause_seconds`, `longest_pause_seconds`: between two tries; doubled with each that
    fails. `keep_seconds`: how often the token is written while no alert comes.

    Raises:
        ValueError: A time is not above zero, or the first pause is longer than the longest.
    """

    quiet_seconds: float = 15.0
    first_pause_seconds: float = 0.5
    longest_pause_seconds: float = 15.0
    keep_seconds: float = 30.0

    def __post_init__(self) -> None:
        times = (self.quiet_seconds, self.first_pause_seconds, self.longest_pause_seconds, self.keep_seconds)
        if min(times) <= 0:
            raise ValueError("every time of a pace is above zero")
        if self.first_pause_seconds > self.longest_pause_seconds:
            raise ValueError("the first pause is not longer than the longest")

    def pause_seconds(self, failures: int, asked_for: float = 0.0) -> float:
        """How long to wait after `failures` tries in a row, at least what the service `asked_for`.

        Half of it is chance: a thousand subscribers that lost the same replica do not come back in one
        moment.
        """
        doublings = min(max(failures - 1, 0), _MOST_DOUBLINGS)
        whole = min(self.first_pause_seconds * 2**doublings, self.longest_pause_seconds)
        return max(random.uniform(whole / 2, whole), asked_for)  # noqa: S311 - chance keeps no secret here
