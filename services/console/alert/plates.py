"""The plate as read beside the plate as listed, with what differs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
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
        tuple(_marked(read, [one.read for one in spans])),
        tuple(_marked(listed, [one.listed for one in spans])),
        tuple(_said(read[one.read], listed[one.listed], one.listed.start) for one in spans),
    )


@dataclass(frozen=True, slots=True)
class _Span:
    """A stretch that differs: where in the plate that was read, and where in the listed one."""

    read: slice
    listed: slice


def _spans(read: str, listed: str) -> Iterator[_Span]:
    if len(read) == len(listed):
        for place, (one, other) in enumerate(zip(read, listed, strict=True)):
            if one != other:
                yield _Span(slice(place, place + 1), slice(place, place + 1))
        return
    matcher = SequenceMatcher(a=read, b=listed, autojunk=False)
    for tag, begin, end, listed_begin, listed_end in matcher.get_opcodes():
        if tag != "equal":
            yield _Span(slice(begin, end), slice(listed_begin, listed_end))


def _marked(plate: str, spans: Iterable[slice]) -> Iterator[Character]:
    marked = {place for one in spans for place in range(one.start, one.stop)}
    for place, text in enumerate(plate):
        yield Character(text, place in marked)


def _said(read: str, listed: str, place: int) -> str:
    return f"character {place + 1}: read {read or 'nothing'}, listed {listed or 'nothing'}"
