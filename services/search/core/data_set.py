"""Data sets that reads are compared with: CSV files of plates, or of incidents with time and place."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, TypeVar
from zoneinfo import ZoneInfo

from services.search.core.area import Point

MOST_PLATES: Final = 3_000
MOST_INCIDENTS: Final = 1_000
_MOST_MISTAKES: Final = 20
_LONGEST_LABEL: Final = 60
_LONGEST_LINE: Final = 1_000
_PLATE: Final = re.compile(r"[A-Z0-9]{2,12}")
_EARLIEST: Final = datetime(2000, 1, 1, tzinfo=UTC)
_LATEST: Final = datetime(2100, 1, 1, tzinfo=UTC)


class DataSetError(ValueError):
    """The file is no such data set; `mistakes` say where and why, and repeat nothing of its content."""

    def __init__(self, mistakes: Iterable[str]) -> None:
        self.mistakes = tuple(mistakes)[:_MOST_MISTAKES]
        super().__init__("; ".join(self.mistakes))


@dataclass(frozen=True, slots=True)
class ListedPlate:
    """A plate of the file."""

    plate: str
    label: str


@dataclass(frozen=True, slots=True)
class Incident:
    """An incident of the file; `line` counts from 1, which is the header."""

    line: int
    label: str
    time: datetime
    point: Point

    @property
    def text(self) -> str:
        """Time in UTC, latitude and longitude, as recorded and asked (archive.incident_scenes)."""
        point = self.point
        return f"{self.time.astimezone(UTC).isoformat()} {point.latitude:.6f} {point.longitude:.6f}"


def parse_plates(file: bytes, normalise: Callable[[str], str]) -> tuple[ListedPlate, ...]:
    """The plates of a CSV file with a column "plate", and "label" if wanted; each plate once.

    Args:
        file: UTF-8, with commas, semicolons or tabs between columns.
        normalise: Makes a plate out of what people write.

    Raises:
        DataSetError: It cannot be read as one.
    """

    def plate(row: Mapping[str, str]) -> ListedPlate:
        text = normalise(row["plate"])
        if not _PLATE.fullmatch(text):
            raise _ColumnError("plate", "must be 2 to 12 letters A-Z and digits, without wildcards")
        return ListedPlate(text, _label(row))

    listed = _parse(file, ("plate",), MOST_PLATES, lambda _, row: plate(row))
    return _each_once(listed, lambda one: one.plate)


def parse_incidents(file: bytes, zone: ZoneInfo) -> tuple[Incident, ...]:
    """The incidents of a CSV file with columns "time", "latitude", "longitude", and "label" if wanted.

    Args:
        file: UTF-8, with commas, semicolons or tabs between columns.
        zone: Time zone of times without an offset.

    Raises:
        DataSetError: It cannot be read as one.
    """

    def incident(line: int, row: Mapping[str, str]) -> Incident:
        point = Point(_degrees(row, "latitude", 90), _degrees(row, "longitude", 180))
        return Incident(line, _label(row), _time(row["time"], zone), point)

    found = _parse(file, ("time", "latitude", "longitude"), MOST_INCIDENTS, incident)
    return _each_once(found, lambda one: one.text)


class _ColumnError(ValueError):
    """What is wrong in one column of a row."""

    def __init__(self, column: str, what: str) -> None:
        super().__init__(f"{column} {what}")


_Row = TypeVar("_Row")


def _parse(
    file: bytes, columns: tuple[str, ...], most: int, parse: Callable[[int, Mapping[str, str]], _Row]
) -> list[_Row]:
    rows: list[_Row] = []
    mistakes: list[str] = []
    for line, row in _rows(_text(file), columns):
        try:
            rows.append(parse(line, row))
        except _ColumnError as error:
            mistakes.append(f"line {line}: {error}")
        if len(rows) > most or len(mistakes) >= _MOST_MISTAKES:
            break
    if len(rows) > most:
        mistakes.insert(0, f"at most {most:,} rows may be compared at a time")
    if not rows and not mistakes:
        mistakes.append("there is no row")
    if mistakes:
        raise DataSetError(mistakes)
    return rows


def _each_once(rows: Iterable[_Row], key: Callable[[_Row], str]) -> tuple[_Row, ...]:
    """The rows without those that repeat an earlier one."""
    first: dict[str, _Row] = {}
    for row in rows:
        first.setdefault(key(row), row)
    return tuple(first.values())


def _text(file: bytes) -> str:
    try:
        text = file.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise DataSetError(["it is no UTF-8 text"]) from None
    if "\0" in text:
        raise DataSetError(["it is no text"])
    if any(len(line) > _LONGEST_LINE for line in text.splitlines()):
        raise DataSetError([f"a line is longer than {_LONGEST_LINE:,} characters"])
    return text


def _rows(text: str, columns: tuple[str, ...]) -> Iterator[tuple[int, dict[str, str]]]:
    """The rows that are not empty, each with the line where it ends, as values by column."""
    header = text.partition("\n")[0]
    delimiter = max(",;\t", key=header.count)
    reader = csv.reader(text.splitlines(keepends=True), delimiter=delimiter, strict=True)
    try:
        names = [name.strip().lower() for name in next(reader, [])]
        if missing := [name for name in columns if names.count(name) != 1]:
            raise DataSetError([f"line 1: must have one column {' and one column '.join(missing)}"])
        for values in reader:
            if any(value.strip() for value in values):
                if len(values) != len(names):
                    raise DataSetError([f"line {reader.line_num}: must have {len(names)} columns"])
                yield reader.line_num, dict(zip(names, (value.strip() for value in values), strict=True))
    except csv.Error:
        raise DataSetError([f"line {reader.line_num}: is no CSV; a quotation mark may be missing"]) from None


def _label(row: Mapping[str, str]) -> str:
    label = row.get("label", "")
    if len(label) > _LONGEST_LABEL or not label.isprintable():
        raise _ColumnError("label", f"must be at most {_LONGEST_LABEL} printable characters")
    return label


def _degrees(row: Mapping[str, str], column: str, most: int) -> float:
    try:
        degrees = float(row[column])
    except ValueError:
        degrees = math.nan
    if not -most <= degrees <= most:
        raise _ColumnError(column, f"must be -{most} to {most} degrees, with a full stop")
    return round(degrees, 6)


def _time(text: str, zone: ZoneInfo) -> datetime:
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise _ColumnError("time", "must be as 2026-11-23T14:05:00-06:00") from None
    if time.tzinfo is None:
        time = time.replace(tzinfo=zone)
    try:
        moment = time.astimezone(UTC)
    except OverflowError:
        moment = _LATEST
    if not _EARLIEST <= moment < _LATEST:
        raise _ColumnError("time", "must lie between the years 2000 and 2100")
    return moment.replace(microsecond=0)
