"""Patterns of plates on local lists: `ABC?23` stands for every plate with any one character in the gap."""

from __future__ import annotations

from typing import Final

ANY: Final = "?"
_LENGTH: Final = range(2, 11)
_FEWEST_FIXED: Final = 4
_FEWEST_FIXED_WITHOUT_STATE: Final = 5
_MOST_GAPS: Final = 3
_CHARACTERS: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")


def is_wildcard(pattern: str) -> bool:
    """True for a pattern with a gap."""
    return ANY in pattern


def pattern_problem(pattern: str, *, state_known: bool) -> str:
    """What is wrong with `pattern`, in words that say what to change; empty when nothing is.

    The limits keep a pattern from matching everybody: of seven characters four fixed ones leave, among plates
    as they are issued, some one in 100,000. Without a state every state's plates are compared, so one more is
    asked for. What still matches too much suspends itself (`local.matches_too_much`).
    """
    gaps = pattern.count(ANY)
    if len(pattern) not in _LENGTH or not _CHARACTERS.issuperset(pattern.replace(ANY, "")):
        return "must be 2 to 10 of A-Z, 0-9 and ? for any one character"
    if gaps == 0:
        return ""
    if gaps > _MOST_GAPS:
        return f"must have at most {_MOST_GAPS} wildcards"
    fewest = _FEWEST_FIXED if state_known else _FEWEST_FIXED_WITHOUT_STATE
    if len(pattern) - gaps < fewest:
        return f"must have at least {fewest} characters besides wildcards" + (
            "" if state_known else ", for the state is not known"
        )
    return ""


def fits(pattern: str, plate: str) -> bool:
    """True when `plate` is one of the plates that `pattern` stands for."""
    return len(pattern) == len(plate) and all(
        wanted in (ANY, given) for wanted, given in zip(pattern, plate, strict=True)
    )
