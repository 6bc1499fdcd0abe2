"""`python -m services.matcher.warm_up`: compiles what runs as machine code and keeps it (`core/compiled.py`).

An image does this when it is made, so that a replica with a read-only file system starts with compiled code.
The service does the same before it is ready; where everything is kept already that takes a second.
"""

from __future__ import annotations

import struct
import uuid
from datetime import UTC, datetime

from services.matcher.core.copied import CopiedEntries
from services.matcher.core.entry import Category, Entry, Source, Vehicle
from services.matcher.core.index import ActiveList, Index, ListHeader, ListIndex, ListIndexBuilder
from services.matcher.core.match import find_matches
from services.matcher.core.settings import MatchSettings
from services.matcher.core.sighting import Lattice, Sighting

_NOBODY = uuid.UUID(int=0)
_MOMENT = datetime(2000, 1, 1, tzinfo=UTC)


def warm_up() -> None:
    """Returns when everything is compiled."""
    copied = CopiedEntries()
    copied.add(_copy_of(b"AB12345"))
    local = ListIndexBuilder()
    local.add([Entry(_NOBODY, "AB?2345", "IL", Category.OTHER, "", Vehicle())])
    header = ListHeader(_NOBODY, "", "", Source.AGENCY, 1, _MOMENT, _MOMENT)
    lists = (ActiveList(header, ListIndex(copied.columns())), ActiveList(header, local.build()))
    sighting = Sighting(Lattice("AB12345"), (("IL", 0.9),), _MOMENT)
    index, settings = Index(1, _MOMENT, lists), MatchSettings()
    found = find_matches(sighting, index, frozenset(range(len(lists))), _MOMENT, settings)
    if len(found) != len(lists):
        raise RuntimeError("the compiled search does not find what is listed")


def _copy_of(plate: bytes) -> bytes:
    """One entry as PostgreSQL copies it out."""
    number = struct.pack(">h", Category.OTHER.value)
    values = (_NOBODY.bytes, plate, b"IL", number, b"PC", None, None, b"\x1f" * 5)
    row = b"".join(
        struct.pack(">i", -1) if one is None else struct.pack(">i", len(one)) + one for one in values
    )
    signature = b"PGCOPY\n\xff\r\n\0"
    return signature + bytes(8) + struct.pack(">h", len(values)) + row + struct.pack(">h", -1)


if __name__ == "__main__":
    warm_up()
