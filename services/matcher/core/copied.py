"""Entries as PostgreSQL copies them out in its binary form, read by compiled code: a million a second.

The columns are entry_id uuid, plate text, state text, category smallint, plate_type text, entry_date date,
expires_at timestamptz, and as text what `columns.raw_text` makes of record number and vehicle.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from services.matcher.core.columns import NEVER, NO_DATE, Columns, RawColumns, sorted_columns
from services.matcher.core.compiled import compiled
from services.matcher.core.packed import BASE, BYTE_CODES, LONGEST

_SIGNATURE: Final = b"PGCOPY\n\xff\r\n\0"
_HEADER: Final = len(_SIGNATURE) + 8
_FIELDS: Final = 8
_ID, _PLATE, _STATE, _CATEGORY, _TYPE, _DATE, _EXPIRES, _TEXT = range(_FIELDS)
_DAYS_TO_2000: Final = 10_957
_SECONDS_TO_2000: Final = _DAYS_TO_2000 * 86_400
_MICROSECONDS: Final = 1_000_000
_LONGEST_TEXT: Final = 255
_FIRST_ROOM: Final = 4096
_INCOMPLETE: Final = -1
_END: Final = -2
_BROKEN: Final = -3

_Bytes = npt.NDArray[np.uint8]


class _Rows(NamedTuple):
    entry_id: _Bytes
    plate: _Bytes
    state: npt.NDArray[np.uint16]
    category: _Bytes
    plate_type: npt.NDArray[np.uint16]
    entry_date: npt.NDArray[np.int32]
    expires_at: npt.NDArray[np.int64]
    text_size: _Bytes
    text: _Bytes


class CopiedEntries:
    """Takes the parts of a copy as they come."""

    def __init__(self) -> None:
        self._rows = _room(_FIRST_ROOM, _FIRST_ROOM)
        self._count = 0
        self._text_size = 0
        self._rest = b""
        self._is_begun = False
        self._is_over = False

    def add(self, part: bytes) -> None:
        """Reads on. Raises ValueError for what is no such copy."""
        data = self._rest + part
        at = 0
        if not self._is_begun:
            if len(data) < _HEADER:
                self._rest = data
                return
            at = _begin(data)
            self._is_begun = True
        self._grow(len(data))
        view = np.frombuffer(data, np.uint8)
        lengths = np.zeros(_FIELDS, np.int64)
        at, self._count, self._text_size, why = _read_rows(
            view, at, self._rows, self._count, self._text_size, lengths, BYTE_CODES
        )
        if why == _BROKEN:
            raise ValueError("the copied entries are not as expected")
        self._is_over = why == _END
        self._rest = data[at:]

    def columns(self) -> Columns:
        """The columns of all entries. Raises ValueError when the copy has not ended."""
        if not self._is_over:
            raise ValueError("the copied entries have no end")
        rows, count = self._rows, self._count
        return sorted_columns(
            RawColumns(
                plate=rows.plate[:count].view(f"S{LONGEST}").ravel(),
                state=rows.state[:count],
                category=rows.category[:count],
                plate_type=rows.plate_type[:count],
                entry_date=rows.entry_date[:count],
                expires_at=rows.expires_at[:count],
                entry_id=rows.entry_id[:count],
                text_size=rows.text_size[:count],
                text=rows.text[: self._text_size].copy(),
            )
        )

    def _grow(self, size: int) -> None:
        """Makes room for all rows that so many bytes can hold."""
        # A row is longer than its text, and its eight lengths alone are 34 bytes.
        rows, texts = self._count + size // 34 + 1, self._text_size + size
        have_rows, have_text = len(self._rows.state), len(self._rows.text)
        if rows > have_rows or texts > have_text:
            grown = _room(max(rows, 2 * have_rows), max(texts, 2 * have_text))
            for name in _Rows._fields:
                old = getattr(self._rows, name)
                getattr(grown, name)[: len(old)] = old
            self._rows = grown


def _begin(data: bytes) -> int:
    """Where the first row begins. Raises ValueError."""
    if not data.startswith(_SIGNATURE):
        raise ValueError("this is no binary copy")
    return _HEADER + int.from_bytes(data[_HEADER - 4 : _HEADER], "big")


def _room(rows: int, texts: int) -> _Rows:
    return _Rows(
        entry_id=np.zeros((rows, 16), np.uint8),
        plate=np.zeros((rows, LONGEST), np.uint8),
        state=np.zeros(rows, np.uint16),
        category=np.zeros(rows, np.uint8),
        plate_type=np.zeros(rows, np.uint16),
        entry_date=np.full(rows, NO_DATE, np.int32),
        expires_at=np.full(rows, NEVER, np.int64),
        text_size=np.zeros(rows, np.uint8),
        text=np.zeros(texts, np.uint8),
    )


@compiled
def _number(data: _Bytes, at: int, size: int) -> int:
    """The signed big-endian number of `size` bytes at a place."""
    value = np.int64(data[at])
    if value > 127:  # noqa: PLR2004 - the sign
        value -= 256
    for place in range(at + 1, at + size):
        value = value * 256 + np.int64(data[place])
    return int(value)


@compiled
def _short(data: _Bytes, at: int, size: int, codes: _Bytes) -> int:
    """What `packed.short_code` makes of a text."""
    code = 0
    for place in range(at, at + size):
        code = code * BASE + int(codes[data[place]])
    return code


@compiled
def _measure(data: _Bytes, at: int, lengths: npt.NDArray[np.int64]) -> int:
    """Writes the lengths of the fields of the row at a place; returns why not, or 0."""
    if at + 2 > len(data):
        return _INCOMPLETE
    fields = _number(data, at, 2)
    if fields == -1:
        return _END
    if fields != _FIELDS:
        return _BROKEN
    at += 2
    for field in range(_FIELDS):
        if at + 4 > len(data):
            return _INCOMPLETE
        lengths[field] = _number(data, at, 4)
        at += 4 + max(0, lengths[field])
        if at > len(data):
            return _INCOMPLETE
    fit = lengths[_ID] == 16 and lengths[_CATEGORY] == 2  # noqa: PLR2004
    fit = fit and 1 <= lengths[_PLATE] <= LONGEST
    fit = fit and 0 <= lengths[_TEXT] <= _LONGEST_TEXT and lengths[_STATE] >= 0 and lengths[_TYPE] >= 0
    return 0 if fit else _BROKEN


@compiled
def _read_rows(  # noqa: PLR0913, PLR0917 - compiled
    data: _Bytes,
    at: int,
    rows: _Rows,
    count: int,
    text_size: int,
    lengths: npt.NDArray[np.int64],
    codes: _Bytes,
) -> tuple[int, int, int, int]:
    """Reads every whole row; returns where it stopped, the new counts of rows and text, and why."""
    while True:
        why = _measure(data, at, lengths)
        if why != 0:
            return at, count, text_size, why
        place = at + 2
        for field in range(_FIELDS):
            place += 4
            size = lengths[field]
            if field == _ID:
                rows.entry_id[count] = data[place : place + 16]
            elif field == _PLATE:
                rows.plate[count, :size] = data[place : place + size]
            elif field == _STATE and size <= 2:  # noqa: PLR2004
                rows.state[count] = _short(data, place, size, codes)
            elif field == _CATEGORY:
                rows.category[count] = _number(data, place, 2)
            elif field == _TYPE and size <= 2:  # noqa: PLR2004
                rows.plate_type[count] = _short(data, place, size, codes)
            elif field == _DATE and size == 4:  # noqa: PLR2004
                rows.entry_date[count] = _number(data, place, 4) + _DAYS_TO_2000
            elif field == _EXPIRES and size == 8:  # noqa: PLR2004
                rows.expires_at[count] = _number(data, place, 8) // _MICROSECONDS + _SECONDS_TO_2000
            elif field == _TEXT:
                rows.text[text_size : text_size + size] = data[place : place + size]
                rows.text_size[count] = size
                text_size += size
            place += max(0, size)
        at = place
        count += 1
