"""What matching needs of a read: no place, no picture."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


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


@dataclass(frozen=True, slots=True)
class SeenVehicle:
    """The vehicle as the camera sees it; any part may be empty. Corroboration only (ENF-051 IV.C.2)."""

    make: str = ""
    color: str = ""


@dataclass(frozen=True, slots=True)
class Sighting:
    """What matching needs of a read: no place, no picture.

    Attributes:
        states: Issuing states with their probability, highest first; empty when nothing is known.
        plate_types: Types of plate (alpr.type.v1.PlateType) with their probability; empty likewise.
        vehicle: As far as the camera is more sure of it than not.
    """

    lattice: Lattice
    states: tuple[tuple[str, float], ...]
    capture_time: datetime
    plate_types: tuple[tuple[int, float], ...] = ()
    vehicle: SeenVehicle = SeenVehicle()
