"""Snapshot files of lists: the same entries come back, or nothing does."""

from __future__ import annotations

import stat
import uuid
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from services.matcher import snapshots as module
from services.matcher.core.columns import Columns, columns_of
from services.matcher.core.entry import Category, Entry, Vehicle
from services.matcher.core.snapshot import SnapshotError, read_snapshot, write_snapshot
from services.matcher.snapshots import Snapshots

LIST = uuid.UUID(int=7)
ENTRIES = [
    Entry(
        uuid.UUID(int=1), "OO0I1", "NE", Category.AMBER, "W/1-2", Vehicle("2019", "FORD", "F15", "PK", "RED")
    ),
    Entry(
        uuid.UUID(int=2),
        "ABCDEFGHIJKL",
        "",
        Category.OTHER,
        "",
        Vehicle(),
        "MC",
        date(1901, 2, 3),
        datetime(2026, 12, 1, 2, 3, 4, tzinfo=UTC),
    ),
    Entry(uuid.UUID(int=3), "A?C", "IL", Category.WANTED, "X9", Vehicle(color="BLU")),
    Entry(uuid.UUID(int=4), "OO0I1", "IL", Category.SILVER, "X1", Vehicle()),
]


def columns() -> Columns:
    return columns_of(ENTRIES)


def file_of(columns: Columns, version: int = 3) -> bytearray:
    return bytearray().join(write_snapshot(LIST, version, columns))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(module, "SMALL_LIST", 2)
    return tmp_path


def test_every_entry_comes_back_from_its_columns_and_from_a_snapshot() -> None:
    back = read_snapshot(file_of(columns()), LIST, 3)

    entries = [back.entry(row) for row in range(len(back))]

    assert sorted(entries, key=lambda one: one.entry_id) == ENTRIES


def test_an_empty_list_comes_back() -> None:
    assert len(read_snapshot(file_of(columns_of([])), LIST, 3)) == 0


@pytest.mark.parametrize(
    "broken",
    [
        bytearray(),
        bytearray(b"{}\n"),
        bytearray(b"\xff" * 100),
        file_of(columns())[:-1],
        file_of(columns()) + b"x",
        file_of(columns()).replace(b"FORD", b"FIRD"),
        file_of(columns(), version=2),
    ],
)
def test_what_is_not_a_whole_snapshot_of_that_version_is_refused(broken: bytearray) -> None:
    with pytest.raises(SnapshotError):
        read_snapshot(broken, LIST, 3)


def test_a_large_list_is_kept_for_its_owner_only(folder: Path) -> None:
    kept = Snapshots(folder)
    assert not kept.has(LIST, 3)

    kept.save(LIST, 3, columns())

    (file,) = folder.iterdir()
    loaded = kept.load(LIST, 3)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert loaded is not None
    assert loaded.plate_count == 3
    assert kept.has(LIST, 3)
    assert kept.load(LIST, 2) is None


def test_a_small_list_is_not_kept(tmp_path: Path) -> None:
    Snapshots(tmp_path).save(LIST, 3, columns())

    assert list(tmp_path.iterdir()) == []


def test_a_broken_file_is_as_good_as_none(folder: Path) -> None:
    kept = Snapshots(folder)
    kept.save(LIST, 3, columns())
    (file,) = folder.iterdir()
    file.write_bytes(file.read_bytes()[:-1])

    assert kept.load(LIST, 3) is None


def test_without_a_folder_or_in_one_that_is_away_everything_goes_on(tmp_path: Path) -> None:
    for kept in (Snapshots(None), Snapshots(tmp_path / "away")):
        kept.save(LIST, 3, columns())
        kept.keep_only({})

        assert kept.load(LIST, 3) is None


def test_files_of_lists_and_versions_that_are_not_wanted_any_more_are_removed(folder: Path) -> None:
    kept = Snapshots(folder)
    other = uuid.UUID(int=8)
    for hot_list_id, version in ((LIST, 3), (other, 1), (other, 2), (other, 3)):
        kept.save(hot_list_id, version, columns())

    kept.keep_only({other: (1, 3)})

    assert [kept.has(LIST, 3), *(kept.has(other, one) for one in (1, 2, 3))] == [False, True, False, True]
