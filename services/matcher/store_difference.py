"""What two versions of a list differ by.

An entry's rows say in which versions they began and ended, so it costs what differs, not what there is.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Final

from services.common.pg import Connection, Pool, transaction
from services.matcher.core.entry import Category, ListRow, Vehicle
from services.matcher.core.hot_list import Change, Comparison, Difference

if TYPE_CHECKING:
    import asyncpg

LONGEST_DIFFERENCE_S: Final = 600
"""Of one statement, when two versions of the largest lists have nothing in common."""

CONTENT: Final = (
    "plate_type, vehicle_year, vehicle_make, vehicle_model, vehicle_style, vehicle_color, entry_date,"
    " expires_at"
)
"""What an entry says besides what makes it that entry."""


def content_of(table: str) -> str:
    """The columns of CONTENT as those of `table`."""
    return ", ".join(f"{table}.{name}" for name in CONTENT.split(", "))


_SHOWN: Final = f"category, plate, state, record_number, {CONTENT}"
# $2 is the lower of the two versions, $3 the higher.
_ENTRIES: Final = f"SELECT entry_id, {_SHOWN} FROM matcher.hot_list_entry WHERE hot_list_id = $1"  # noqa: S608
_HIGHER: Final = (
    f"{_ENTRIES} AND first_version > $2 AND first_version <= $3"
    " AND (last_version IS NULL OR last_version >= $3)"
)
_LOWER: Final = f"{_ENTRIES} AND first_version <= $2 AND last_version >= $2 AND last_version < $3"
# An entry may have changed and changed back: then it has another row, and yet no difference.
_DIFFERS: Final = (
    f"(l.entry_id IS NULL OR h.entry_id IS NULL OR ({content_of('l')}) IS DISTINCT FROM ({content_of('h')}))"
)
_JOINED: Final = f"({_LOWER}) AS l FULL JOIN ({_HIGHER}) AS h ON h.entry_id = l.entry_id WHERE {_DIFFERS}"
_COUNT: Final = (
    "SELECT count(*) FILTER (WHERE l.entry_id IS NULL) AS higher,"  # noqa: S608 - constants
    " count(*) FILTER (WHERE h.entry_id IS NULL) AS lower,"
    " count(*) FILTER (WHERE l.entry_id = h.entry_id) AS both"
    f" FROM {_JOINED}"
)
_SIDES: Final = ", ".join(f"{side}.{name} AS {side}_{name}" for side in "lh" for name in _SHOWN.split(", "))
_PAGE: Final = (
    "SELECT coalesce(l.entry_id, h.entry_id) AS entry_id, l.entry_id IS NOT NULL AS in_lower,"  # noqa: S608
    f" h.entry_id IS NOT NULL AS in_higher, {_SIDES} FROM {_JOINED}"
    " AND coalesce(l.entry_id, h.entry_id) > $4 ORDER BY 1 LIMIT $5"
)


async def count_difference(held: Connection, list_id: uuid.UUID, before: int, after: int) -> Difference:
    """How many entries only version `after` (added) and only version `before` (removed) has; 0 has none."""
    lower, higher = sorted((before, after))
    row = (await held.fetch(_COUNT, list_id, lower, higher, timeout=LONGEST_DIFFERENCE_S))[0]
    added, removed = row["higher"], row["lower"]
    if before > after:
        added, removed = removed, added
    return Difference(added, removed, row["both"])


class DifferenceStore:
    """What two versions of a list differ by, entry by entry."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def read(self, asked: Comparison) -> tuple[Difference, tuple[Change, ...]]:
        """The counts, and the entries that differ by their ids; one more than asked for when more follow."""
        lower, higher = sorted((asked.before, asked.after))
        async with transaction(self._pool, readonly=True) as held:
            await held.execute(f"SET LOCAL statement_timeout = '{LONGEST_DIFFERENCE_S}s'")
            difference = await count_difference(held, asked.list_id, asked.before, asked.after)
            page = (asked.list_id, lower, higher, asked.start, asked.size + 1)
            rows = await held.fetch(_PAGE, *page, timeout=LONGEST_DIFFERENCE_S)
        return difference, tuple(_change(row, turned=asked.before > asked.after) for row in rows)


def _change(row: asyncpg.Record, *, turned: bool) -> Change:
    lower = _listed(row, "l_") if row["in_lower"] else None
    higher = _listed(row, "h_") if row["in_higher"] else None
    before, after = (higher, lower) if turned else (lower, higher)
    return Change(row["entry_id"], before, after)


def _listed(row: asyncpg.Record, side: str) -> ListRow:
    vehicle = ("vehicle_year", "vehicle_make", "vehicle_model", "vehicle_style", "vehicle_color")
    return ListRow(
        plate=row[f"{side}plate"],
        state=row[f"{side}state"],
        category=Category(row[f"{side}category"]),
        record_number=row[f"{side}record_number"],
        plate_type=row[f"{side}plate_type"],
        vehicle=Vehicle(*(row[f"{side}{name}"] for name in vehicle)),
        entry_date=row[f"{side}entry_date"],
        expires_at=row[f"{side}expires_at"],
    )
