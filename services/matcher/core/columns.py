"""The entries of one list as arrays, one a column: some 90 bytes an entry, and nothing for the collector.

Rows are sorted by key, so that entries of the same plate are neighbours; rows with "?" come first, with key
0.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime, timedelta
from typing import Final

import numpy as np
import numpy.typing as npt

from services.matcher.core.entry import Category, Entry, Vehicle
from services.matcher.core.packed import (
    ALPHABET,
    ANY,
    LONGEST,
    codes_of,
    pack,
    short_code,
    short_text,
    unpacked,
)

_FIELD: Final = "\x1f"
_EPOCH: Final = date(1970, 1, 1)
NO_DATE: Final = np.iinfo(np.int32).min
NEVER: Final = np.iinfo(np.int64).max


@dataclass(frozen=True, slots=True)
class Columns:
    """Entries of one list.

    Attributes:
        key: Plate, packed (`core/packed.py`); 0 where the plate has a "?".
        o_mask: Where the plate has the letter O.
        pattern: Where it has letters.
        state: Code of the state as listed (`short_code`), 0 when unknown.
        category: Number of the category.
        plate_type: Code of the NCIC plate type, made like a state's.
        entry_date: Days since 1970, or NO_DATE.
        expires_at: Seconds since 1970, or NEVER.
        entry_id: 16 bytes a row.
        text_start: Where the row's text begins in `text`.
        text_size: Its size in bytes.
        text: Record number, vehicle year, make, model, style and colour of every row, in ASCII.
        wild: Codes of the first rows, those with "?", (w, 12).
    """

    key: npt.NDArray[np.uint64]
    o_mask: npt.NDArray[np.uint16]
    pattern: npt.NDArray[np.int32]
    state: npt.NDArray[np.uint16]
    category: npt.NDArray[np.uint8]
    plate_type: npt.NDArray[np.uint16]
    entry_date: npt.NDArray[np.int32]
    expires_at: npt.NDArray[np.int64]
    entry_id: npt.NDArray[np.uint8]
    text_start: npt.NDArray[np.int64]
    text_size: npt.NDArray[np.uint8]
    text: npt.NDArray[np.uint8]
    wild: npt.NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.key)

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """The names of the columns, in their order."""
        return tuple(field.name for field in fields(cls))

    @property
    def size_bytes(self) -> int:
        """Memory of all columns."""
        return sum(getattr(self, name).nbytes for name in self.names())

    @property
    def plate_count(self) -> int:
        """Distinct plates; O and 0 are one, and every plate with "?" counts."""
        keys = self.key[len(self.wild) :]
        return len(self.wild) + int(np.count_nonzero(keys[1:] != keys[:-1])) + bool(len(keys))

    def rows_of(self, key: int) -> range:
        """The rows of a plate, by its key."""
        first, last = (int(np.searchsorted(self.key, np.uint64(key), side)) for side in ("left", "right"))
        return range(first, last)

    def plate(self, row: int) -> str:
        """The plate as listed."""
        if row < len(self.wild):
            return "".join("?" if code == ANY else ALPHABET[code - 1] for code in self.wild[row] if code)
        return unpacked(int(self.key[row]), int(self.o_mask[row]))

    def entry(self, row: int) -> Entry:
        """The entry in that row."""
        start = int(self.text_start[row])
        text = self.text[start : start + int(self.text_size[row])].tobytes().decode("ascii")
        record_number, *vehicle = text.split(_FIELD)
        days, expires_at = int(self.entry_date[row]), int(self.expires_at[row])
        return Entry(
            entry_id=uuid.UUID(bytes=self.entry_id[row].tobytes()),
            plate=self.plate(row),
            state=short_text(int(self.state[row])),
            category=Category(int(self.category[row])),
            record_number=record_number,
            vehicle=Vehicle(*vehicle),
            plate_type=short_text(int(self.plate_type[row])),
            entry_date=None if days == NO_DATE else _EPOCH + timedelta(days=days),
            expires_at=None if expires_at == NEVER else datetime.fromtimestamp(expires_at, UTC),
        )


@dataclass(slots=True)
class RawColumns:
    """Entries in any order, as they come from a store or a test; all arrays are equally long.

    Attributes:
        plate: 1 to 12 of A-Z, 0-9 and "?" each, as numpy's S12.
        text: See Columns; the rows' texts one behind the other, `text_size` bytes each.
    """

    plate: npt.NDArray[np.bytes_]
    state: npt.NDArray[np.uint16]
    category: npt.NDArray[np.uint8]
    plate_type: npt.NDArray[np.uint16]
    entry_date: npt.NDArray[np.int32]
    expires_at: npt.NDArray[np.int64]
    entry_id: npt.NDArray[np.uint8]
    text_size: npt.NDArray[np.uint8]
    text: npt.NDArray[np.uint8]


def raw_text(record_number: str, vehicle: Vehicle) -> bytes:
    """What `Columns.text` holds of one entry."""
    parts = (record_number, vehicle.year, vehicle.make, vehicle.model, vehicle.style, vehicle.color)
    return _FIELD.join(parts).encode("ascii")


def sorted_columns(raw: RawColumns) -> Columns:
    """The columns of one list, sorted by key. Raises ValueError for a plate that is none."""
    count = len(raw.plate)
    codes = codes_of(raw.plate)
    # Every byte of a plate is a character, and none stands behind an end.
    size = np.char.str_len(raw.plate)
    if not np.array_equal(np.count_nonzero(codes, axis=1), size):
        raise ValueError("a plate is not 1 to 12 of A-Z, 0-9 and '?'")
    keys, o_masks = np.zeros(count, np.uint64), np.zeros(count, np.uint16)
    patterns = np.ones(count, np.int32)
    pack(codes, keys, o_masks, patterns)
    order = np.argsort(keys, kind="stable")
    wild = codes[order[: int(np.count_nonzero(keys == 0))]]
    if not np.all((wild == ANY).any(axis=1)):
        raise ValueError("a plate is not 1 to 12 of A-Z, 0-9 and '?'")
    ends = np.cumsum(raw.text_size, dtype=np.int64)
    return Columns(
        key=keys[order],
        o_mask=o_masks[order],
        pattern=patterns[order],
        state=raw.state[order],
        category=raw.category[order],
        plate_type=raw.plate_type[order],
        entry_date=raw.entry_date[order],
        expires_at=raw.expires_at[order],
        entry_id=raw.entry_id[order],
        text_start=(ends - raw.text_size)[order],
        text_size=raw.text_size[order],
        text=raw.text,
        wild=wild,
    )


def columns_of(entries: Iterable[Entry]) -> Columns:
    """The columns of a list whose entries are at hand; for local lists and tests."""
    rows = list(entries)
    texts = [raw_text(one.record_number, one.vehicle) for one in rows]
    ids = b"".join(one.entry_id.bytes for one in rows)
    return sorted_columns(
        RawColumns(
            plate=np.array([one.plate for one in rows], dtype=f"S{LONGEST}"),
            state=np.array([short_code(one.state) for one in rows], dtype=np.uint16),
            category=np.array([one.category.value for one in rows], dtype=np.uint8),
            plate_type=np.array([short_code(one.plate_type) for one in rows], dtype=np.uint16),
            entry_date=np.array([_days(one.entry_date) for one in rows], dtype=np.int32),
            expires_at=np.array([_seconds(one.expires_at) for one in rows], dtype=np.int64),
            entry_id=np.frombuffer(ids, np.uint8).reshape(len(rows), 16),
            text_size=np.array([len(text) for text in texts], dtype=np.uint8),
            text=np.frombuffer(b"".join(texts), np.uint8),
        )
    )


def _days(day: date | None) -> int:
    return NO_DATE if day is None else (day - _EPOCH).days


def _seconds(moment: datetime | None) -> int:
    # Rounded down: at its second an entry is no longer good.
    return NEVER if moment is None else int(moment.timestamp())
