"""A made state: sensors, vehicles and their reads, written by the database itself from a seed.

Sensors. 400 in a square of 55 km, most of one agency, and of eight groups; each fourth one is a patrol car's
and reads within 4 km of where it is at home, the others stay where they are.

Vehicles. Two million (less for smaller archives: one for five reads), of four American formats. How often one
passes falls with its number: the busiest has a thousand reads in ten million, most have a few. Seven of ten
reads of a vehicle are by six cameras round its home, the others by any. Six of ten reads are in the rush
hours.

Reads. Evenly over ninety days, in the order of their capture, with lattices as the matcher's benchmark makes
them. Each is a whole row of `archive.read`: hashes, image key and digest have their sizes, and mean nothing.

The plates are of nobody; a seed gives the same archive on every machine, but for the date.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import asyncpg
import numpy as np

from alpr.type.v1 import read_pb2
from benchmarks._match_world import ALPHABET, LEAST, STATES, Floats, World

DAYS: Final = 90
SENSORS: Final = 400
READS_A_VEHICLE: Final = 5
_LATTICES: Final = 1_000
_STATE_ACCURACY: Final = 0.94

_SCHEMA: Final = Path(__file__).with_suffix(".sql")


async def make_schema(connection: asyncpg.Connection[asyncpg.Record]) -> None:
    """Makes schema `made`, with `made.fill(day, reads, vehicles)`, which writes a day."""
    await connection.execute(_SCHEMA.read_text(encoding="utf-8"))
    await connection.copy_records_to_table(
        "lattice", schema_name="made", records=list(enumerate(lattices(_LATTICES)))
    )
    await connection.execute("ANALYZE made.sensor, made.lattice")


def lattices(count: int) -> list[bytes]:
    """So many different values of the column `recognition`, of the size that real ones have."""
    world = World()
    plates = world.passing_plates(0)[slice(0, count)]
    characters = np.exp(world.reads(plates, 0, "archive").characters)
    states = np.exp(world.states_seen(plates, _STATE_ACCURACY, 0, "archive"))
    return [_recognition(one, issuer) for one, issuer in zip(characters, states, strict=True)]


def _recognition(characters: Floats, states: Floats) -> bytes:
    positions = [
        read_pb2.Position(
            characters=[
                read_pb2.CharacterProbability(character=ALPHABET[n], probability=float(place[n + 1]))
                for n in np.argsort(-place[1:])
                if place[n + 1] >= LEAST
            ]
        )
        for place in characters
        if place.argmax() > 0
    ]
    issuers = [
        read_pb2.StateProbability(state=STATES[n], probability=float(states[n]))
        for n in np.argsort(-states)
        if states[n] >= LEAST
    ]
    return read_pb2.Read(
        lattice=read_pb2.Lattice(positions=positions),
        states=issuers,
        plate_box=read_pb2.Box(x=310, y=240, width=128, height=64),
    ).SerializeToString()
