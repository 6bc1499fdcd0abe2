"""Reasons to doubt a match. They are shown before anything else, and never decide by themselves."""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Final

from services.matcher.core import plate_type
from services.matcher.core.entry import Entry, Source, Vehicle
from services.matcher.core.index import ListHeader
from services.matcher.core.packed import same_state, short_code
from services.matcher.core.sighting import SeenVehicle, Sighting

# How long after its upload a list is what its source says. The federal and state crime files come at least
# daily; for motor carrier data a week is assumed.
UPDATE_PERIOD: Final[Mapping[Source, timedelta]] = {
    Source.NCIC: timedelta(days=1),
    Source.LEADS: timedelta(days=1),
    Source.SOS: timedelta(days=7),
    Source.AGENCY: timedelta(days=30),
    Source.FEDERAL_DOT: timedelta(days=7),
    Source.ICC: timedelta(days=7),
}
LATE: Final = timedelta(minutes=15)
# Sources let an entry stand for years; after one, more has happened to the vehicle than the entry says.
OLD_ENTRY: Final = timedelta(days=365)
# Makes whose NCIC code is not how their name begins.
_MAKES: Final = {
    "TOYOTA": "TOYT",
    "MERCEDES": "MERZ",
    "MERCEDESBENZ": "MERZ",
    "LEXUS": "LEXS",
    "LINCOLN": "LINC",
    "VOLKSWAGEN": "VOLK",
    "HARLEYDAVIDSON": "HD",
    "LANDROVER": "LNDR",
    "MINI": "MNNI",
    "MINICOOPER": "MNNI",
    "SCION": "SCIO",
    "ALFAROMEO": "ALFA",
    "ROLLSROYCE": "ROL",
    "MASERATI": "MASE",
}
_NCIC_MAKE: Final = 4


class Doubt(enum.IntEnum):
    """A reason to doubt a match; the numbers are those of alpr.type.v1.HitWarning."""

    LOOK_ALIKE = 1
    STATE_MISMATCH = 2
    STATE_UNKNOWN = 3
    OLD_LIST = 4
    LATE_CAPTURE = 5
    PLATE_TYPE_MISMATCH = 6
    VEHICLE_MISMATCH = 7
    OLD_ENTRY = 8


DISAGREEMENTS: Final = frozenset({Doubt.STATE_MISMATCH, Doubt.PLATE_TYPE_MISMATCH, Doubt.VEHICLE_MISMATCH})
"""Read and list name different things."""
PLATE_DISAGREES: Final = DISAGREEMENTS - {Doubt.VEHICLE_MISMATCH}
"""They name different plates; another vehicle may well bear a stolen plate."""


def doubts_of(
    sighting: Sighting, header: ListHeader, entry: Entry, now: datetime, *, exact: bool
) -> tuple[Doubt, ...]:
    """The doubts of a match, what disagrees first; `exact` for the listed text letter for letter."""
    return tuple(_doubts(sighting, header, entry, now, exact))


def _doubts(
    sighting: Sighting, header: ListHeader, entry: Entry, now: datetime, exact: bool
) -> Iterator[Doubt]:
    states = sighting.states
    if states and entry.state and _state(states[0][0]) != _state(entry.state):
        yield Doubt.STATE_MISMATCH
    if not _types_agree(sighting, entry):
        yield Doubt.PLATE_TYPE_MISMATCH
    if not _vehicles_agree(sighting.vehicle, entry.vehicle):
        yield Doubt.VEHICLE_MISMATCH
    if not exact:
        yield Doubt.LOOK_ALIKE
    if not states or not entry.state:
        yield Doubt.STATE_UNKNOWN
    # A list that is activated again is as old as its upload.
    if now - header.upload_time > UPDATE_PERIOD[header.source]:
        yield Doubt.OLD_LIST
    if entry.entry_date and now.date() - entry.entry_date > OLD_ENTRY:
        yield Doubt.OLD_ENTRY
    if now - sighting.capture_time > LATE:
        yield Doubt.LATE_CAPTURE


def _state(state: str) -> int:
    return same_state(short_code(state))


def _types_agree(sighting: Sighting, entry: Entry) -> bool:
    if not sighting.plate_types:
        return True
    seen = max(sighting.plate_types, key=lambda pair: pair[1])[0]
    return plate_type.agree(plate_type.class_of(entry.plate_type), seen)


def _vehicles_agree(seen: SeenVehicle, listed: Vehicle) -> bool:
    return _agree(make_code(seen.make), make_code(listed.make)) and _agree(
        _color(seen.color), _color(listed.color)
    )


def _agree(one: str, other: str) -> bool:
    return not one or not other or one == other


def make_code(make: str) -> str:
    """The NCIC code of a make's name or code: four letters, mostly those that the name begins with."""
    letters = "".join(character for character in make.upper() if character.isalnum())
    return _MAKES.get(letters, letters[:_NCIC_MAKE])


def _color(color: str) -> str:
    """The NCIC code of a colour, as far as cameras tell colours apart by day and night."""
    letters = color.upper().partition("/")[0]
    return _COLORS.get(letters, "")


# Codes and names that mean colours which cameras do not mix up; what is not here is no reason to doubt.
_COLORS: Final = {
    **dict.fromkeys(("BLK", "BLACK", "GRY", "GRAY", "GREY", "SIL", "SILVER", "DKB"), "DARK OR GREY"),
    **dict.fromkeys(("WHI", "WHITE"), "WHITE"),
    **dict.fromkeys(("RED", "MAR", "MAROON"), "RED"),
    **dict.fromkeys(("BLU", "BLUE", "LBL"), "BLUE"),
    **dict.fromkeys(("GRN", "GREEN", "DGR", "LGR"), "GREEN"),
    **dict.fromkeys(("YEL", "YELLOW"), "YELLOW"),
}
