"""What a camera that reads plates itself pushes, whatever its maker calls it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

_PLATE: Final = re.compile(r"[A-Z0-9]{1,12}")
_MOST_CANDIDATES: Final = 16
_MORE_SURE_THAN_NOT: Final = 0.5
_LONGEST_NAME: Final = 40
_STATE_REGION: Final = re.compile(r"us-([a-z]{2})")
UNSTATED_ISSUER: Final = 0.7
"""Probability of an issuer that a maker names without one: the lower of the accuracies that are simulated."""
_COUNTRY_REGION: Final = re.compile(r"([a-z]{2})(?:-.*)?")


class PushError(Exception):
    """The pushed message is not of its layout.

    Attributes:
        field: Path of what is wrong, in the sender's own names.
        problem: What is wrong with it; it repeats no value.
    """

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field} {problem}")
        self.field = field
        self.problem = problem


@dataclass(frozen=True, slots=True)
class Issuer:
    """Who may have issued the plate: a state of the United States, or a country by ISO 3166-1 alpha-2."""

    state: str
    country: str
    probability: float


@dataclass(frozen=True, slots=True)
class PushedRead:
    """One plate that a camera read. It has no field that could hold a person's data (ENF-051 IV.C.2).

    Attributes:
        sender_read_id: The sender's own id, the same when it sends the read again; at most 128 characters.
        capture_time: With a zone.
        plate: A-Z and 0-9, 1 to 12 characters.
        candidates: `plate` and other texts with their probability, most probable first; together at most 1.
            Empty when the sender says nothing of them.
        issuer: None when the sender does not know.
        place: Degrees north and east; None when the sender does not say.
        plate_box: x, y, width and height in the picture, in pixels; None when it is not known there.
        crop: Picture of the plate; empty when none came.
        picture: Picture of the vehicle or the scene; empty when none came.
        picture_url: Where the picture is to be fetched; empty when it came, or there is none.
        vehicle: Make and colour in the maker's words where the camera is more sure than not; else empty.
        reader: What read it, for instance "rekor-4.1".
    """

    sender_read_id: str
    capture_time: datetime
    plate: str
    candidates: tuple[tuple[str, float], ...]
    issuer: Issuer | None
    place: tuple[float, float] | None
    plate_box: tuple[float, float, float, float] | None
    crop: bytes
    picture: bytes
    picture_url: str
    vehicle: tuple[str, str]
    reader: str


def plate_text(text: str) -> str:
    """`text` as a plate is written here: capital letters and digits; empty when nothing readable is left."""
    plate = "".join(char for char in text if char.isascii() and char.isalnum()).upper()
    return plate if _PLATE.fullmatch(plate) else ""


def with_shares(best: str, confidences: Iterable[tuple[str, float]]) -> tuple[tuple[str, float], ...]:
    """Texts with probabilities that add up to at most 1, made of confidences that each stand for themselves.

    Makers give every candidate a confidence of its own, 0 to 1, and they add up to more than 1. The best text
    keeps its own; the others share what is left of 1 in proportion to theirs, and none gets more than it had.
    Assumed, not measured: it keeps their order, and calls no second candidate likelier than its maker did.
    """
    found: dict[str, float] = {}
    for text, confidence in confidences:
        plate = plate_text(text)
        if plate:
            found[plate] = max(found.get(plate, 0.0), min(1.0, max(0.0, confidence)))
    if not found.get(best):
        return ()
    first = found.pop(best)
    others = sorted(found.items(), key=lambda pair: -pair[1])[: _MOST_CANDIDATES - 1]
    total = sum(value for _, value in others)
    left = 1.0 - first
    shared = [(text, min(value, left * value / total)) for text, value in others if value > 0]
    return ((best, first), *shared)


def likely_name(names: Iterable[tuple[str, float]]) -> str:
    """The first name with a confidence above one half, 0 to 1; empty when there is none, or it is no name."""
    likely = next((name for name, confidence in names if confidence > _MORE_SURE_THAN_NOT), "")
    return likely if len(likely) <= _LONGEST_NAME else ""


def issuer_of(region: str, probability: float) -> Issuer | None:
    """The issuer that a region such as "us-il" or "br" names; None for what names none."""
    known = min(1.0, max(0.0, probability))
    if state := _STATE_REGION.fullmatch(region.lower()):
        return Issuer(state[1].upper(), "US", known)
    country = _COUNTRY_REGION.fullmatch(region.lower())
    if country and country[1] != "us":
        return Issuer("", country[1].upper(), known)
    return None
