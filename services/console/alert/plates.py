"""The plate as read beside the plate as listed, with what differs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher


@dataclass(frozen=True, slots=True)
class Character:
    """One character of a plate, and whether the other plate has another one there."""

    text: str
    differs: bool


@dataclass(frozen=True, slots=True)
class Compared:
    """Both plates, character by character, and what differs in words."""

    read: tuple[Character, ...]
    listed: tuple[Character, ...]
    differences: tuple[str, ...]


def compared(read: str, listed: str) -> Compared:
    """Where the two plates differ. Plates of the same length are compared place by place, as an eye does."""
    spans = list(_spans(read, listed))
    return Compared(
        tuple(_marked(read, [(begin, end) for begin, end, _, _ in spans])),
        tuple(_marked(listed, [(begin, end) for _, _, begin, end in spans])),
        tuple(_said(read, listed, *span) for span in spans),
    )


def _spans(read: str, listed: str) -> Iterator[tuple[int, int, int, int]]:
    """Stretches that differ: from and to in the plate that was read, and in the listed one."""
    if len(read) == len(listed):
        for place, (one, other) in enumerate(zip(read, listed, strict=True)):
            if one != other:
                yield place, place + 1, place, place + 1
        return
    matcher = SequenceMatcher(a=read, b=listed, autojunk=False)
    for tag, begin, end, listed_begin, listed_end in matcher.get_opcodes():
        if tag != "equal":
            yield begin, end, listed_begin, listed_end


def _marked(plate: str, spans: list[tuple[int, int]]) -> Iterator[Character]:
    for place, text in enumerate(plate):
        yield Character(text, any(begin <= place < end for begin, end in spans))


def _said(read: str, listed: str, begin: int, end: int, listed_begin: int, listed_end: int) -> str:
    one, other = read[begin:end] or "nothing", listed[listed_begin:listed_end] or "nothing"
    return f"character {listed_begin + 1}: read {one}, listed {other}"
