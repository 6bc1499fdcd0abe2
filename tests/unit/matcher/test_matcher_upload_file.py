"""An uploaded file as a whole: packed or not, huge, broken, in another encoding, a bomb."""

from __future__ import annotations

import gzip
import io
import struct
import tracemalloc
import zipfile
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.matcher.core.entry import ParseOptions
from services.matcher.core.hot_list import FileFormat
from services.matcher.upload_file import MOST_ERRORS, MOST_NOTES, FileReport, UploadedFile

GOLDEN = Path(__file__).parents[2] / "golden" / "matcher"
TODAY = ParseOptions(date(2026, 11, 25))
CSV = b"plate,category\nAB1,WANTED\nAB2,STOLEN_PLATE\n"
ROW = b"V123456789,MN0270000,20261101,ABC1230,MN,2026,PC,2019,F0RD,F15,PK,BLU\n"


def uploaded(content: bytes, layout: FileFormat = FileFormat.CSV) -> UploadedFile:
    return UploadedFile(io.BytesIO(content), layout, TODAY)


def plates(file: UploadedFile) -> list[str]:
    return [row.plate for row in file.rows()]


def gzipped(content: bytes) -> bytes:
    """The same bytes at any time: they name tests, which every worker must know by the same names."""
    return gzip.compress(content, mtime=0)


def zipped(*members: tuple[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, content in members:
            archive.writestr(zipfile.ZipInfo(name), content, method)
    return out.getvalue()


def only_problem(report: FileReport) -> str:
    (error,) = report.errors
    assert (error.row, error.column) == (0, "file")
    return error.problem


@pytest.mark.clause("III.B.3.h")
@pytest.mark.parametrize(
    "content",
    [
        CSV,
        gzipped(CSV),
        gzipped(CSV[:20]) + gzipped(CSV[20:]),
        zipped(("list.csv", CSV)),
        zipped(("list.csv", CSV), method=zipfile.ZIP_STORED),
    ],
    ids=["plain", "gzip", "gzip of two parts", "zip", "stored zip"],
)
def test_a_file_is_the_same_packed_or_not_each_time_it_is_read(content: bytes) -> None:
    file = uploaded(content)

    for _ in range(2):
        report = file.check()
        assert (report.row_count, report.errors) == (2, [])
        assert plates(file) == ["AB1", "AB2"]


@pytest.mark.clause("III.B.3.h")
@pytest.mark.parametrize(
    "content",
    [
        gzipped(CSV)[:-3],
        gzipped(CSV)[:-8] + bytes(8),
        b"\x1f\x8b not gzip at all",
        zipped(("list.csv", CSV))[:-30],
        zipped(("list.csv", CSV), method=zipfile.ZIP_STORED).replace(b"AB2", b"AB3"),
        b"PK\x03\x04 not zip at all",
        zipped(("a.csv", CSV), ("b.csv", CSV)),
        zipped(("folder/", b"")),
        zipped(("list.csv", CSV), method=zipfile.ZIP_LZMA),
    ],
    ids=["cut", "wrong sum", "no gzip", "cut zip", "wrong sum in zip", "no zip", "two", "folder", "lzma"],
)
def test_a_packed_file_that_is_not_whole_or_not_one_is_one_error_of_the_file(content: bytes) -> None:
    assert only_problem(uploaded(content).check())


def test_a_zip_that_needs_a_password_is_one_error_of_the_file() -> None:
    content = bytearray(zipped(("list.csv", CSV)))
    content[6] |= 1
    content[content.index(b"PK\x01\x02") + 8] |= 1

    assert "encrypted" in only_problem(uploaded(bytes(content)).check())


def test_a_zip_that_claims_a_huge_directory_is_refused_before_the_directory_is_read() -> None:
    content = zipped(("list.csv", CSV))
    at = content.index(b"PK\x05\x06")

    for place, claim in ((10, struct.pack("<H", 65_535)), (12, struct.pack("<L", 1 << 30))):
        lying = content[: at + place] + claim + content[at + place + len(claim) :]
        assert "just one file" in only_problem(uploaded(lying).check())


@pytest.mark.clause("III.B.3.h")
@pytest.mark.parametrize("pack", [gzipped, lambda content: zipped(("list.csv", content))])
@pytest.mark.parametrize("filling", [b"A", b"\n"])
def test_a_bomb_ends_with_an_error_and_never_comes_into_memory(pack, filling: bytes) -> None:  # type: ignore[no-untyped-def]
    bomb = pack(CSV + filling * 8_000_000)
    assert len(bomb) < 10_000

    tracemalloc.start()
    try:
        report = uploaded(bomb).check()
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert "100 times its size" in report.errors[-1].problem
    assert most < 2_000_000


class Endless(io.RawIOBase):
    """Two GiB in one line, made as they are read."""

    def __init__(self) -> None:
        self.left = 2 << 30

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        self.left = (2 << 30) - offset
        return 2 << 30

    def read(self, size: int = -1, /) -> bytes:
        return b"A" * size

    def readline(self, size: int | None = -1, /) -> bytes:
        assert size is not None
        assert 0 < size < 10_000
        taken = min(self.left, size)
        self.left -= taken
        return b"A" * taken


@pytest.mark.clause("III.B.3.h")
def test_a_line_of_two_gib_is_one_error() -> None:
    report = UploadedFile(Endless(), FileFormat.IL_SOS, TODAY).check()  # type: ignore[arg-type]

    assert [(error.row, error.column) for error in report.errors] == [(1, "1")]


@pytest.mark.clause("III.B.3.h")
@pytest.mark.parametrize("encoding", ["utf-16", "utf-32-be", "cp037"])
@pytest.mark.parametrize(
    ("name", "layout"),
    [
        ("leads.txt", FileFormat.IL_LEADS),
        ("sos.txt", FileFormat.IL_SOS),
        ("ncic.txt", FileFormat.NCIC),
        ("ncic_wa.txt", FileFormat.NCIC_WA),
        ("ncic_mn.csv", FileFormat.NCIC_MN),
        ("ncic_tx.csv", FileFormat.NCIC_TX),
        ("hotlist.jsonl", FileFormat.JSON_LINES),
    ],
)
def test_a_file_in_another_encoding_has_errors_and_no_entry(
    name: str, layout: FileFormat, encoding: str
) -> None:
    text = (GOLDEN / name).read_text(encoding="iso-8859-1")

    report = uploaded(text.encode(encoding, "replace"), layout).check()

    assert report.errors
    assert report.row_count == 0


@pytest.mark.parametrize("layout", FileFormat)
@pytest.mark.parametrize("content", [b"", b"\n\r\n  \n", gzipped(b"")])
def test_a_file_without_any_entry_is_wrong(content: bytes, layout: FileFormat) -> None:
    assert uploaded(content, layout).check().errors


def test_a_file_of_nothing_but_rows_that_are_left_out_is_wrong() -> None:
    report = uploaded(ROW.replace(b"V1", b"N1"), FileFormat.NCIC_MN).check()

    assert only_problem(report) == "the file has no entry"
    assert report.left_out_count == 1


def test_after_a_thousand_wrong_rows_a_file_is_looked_at_no_further() -> None:
    report = uploaded(b"1\n" * (MOST_ERRORS + 5) + ROW, FileFormat.NCIC_MN).check()

    assert (len(report.errors), report.stopped, report.row_count) == (MOST_ERRORS, True, 0)
    assert (report.errors[0].row, report.errors[0].column) == (1, "line")


def test_notes_are_counted_all_and_the_first_thousand_kept() -> None:
    doubtful, left_out = ROW.replace(b"2026", b"2999", 1), ROW.replace(b"V1", b"N1")

    report = uploaded((doubtful + left_out) * MOST_NOTES, FileFormat.NCIC_MN).check()

    assert (report.row_count, report.left_out_count) == (MOST_NOTES, MOST_NOTES)
    assert report.doubtful_count == MOST_NOTES + 1
    assert len(report.notes) == MOST_NOTES
    assert not report.errors


@pytest.mark.clause("III.B.3.h")
def test_rows_that_repeat_an_entry_are_counted_in_one_note_on_the_file() -> None:
    other_vehicle, other_plate = ROW.replace(b"F0RD", b"GMC"), ROW.replace(b"ABC1230", b"ABC1231")

    report = uploaded(ROW + other_vehicle + ROW + other_plate, FileFormat.NCIC_MN).check()

    assert (report.row_count, report.doubtful_count, report.errors) == (4, 1, [])
    assert [(one.row, one.column) for one in report.notes] == [(0, "file")]
    assert report.notes[0].note.startswith("2 rows repeat")
    assert uploaded(ROW + other_plate, FileFormat.NCIC_MN).check().notes == []


@pytest.mark.clause("IV.C.2")
@given(st.binary(max_size=200), st.sampled_from(FileFormat))
def test_any_bytes_give_a_report_and_what_is_right_is_what_comes_as_rows(
    content: bytes, layout: FileFormat
) -> None:
    file = uploaded(content, layout)

    report = file.check()

    assert report.errors or report.row_count == len(plates(file))


@given(st.binary(max_size=80), st.sampled_from([gzipped(CSV), zipped(("list.csv", CSV))]), st.data())
def test_a_damaged_packed_file_is_never_taken_for_another(
    damage: bytes, packed: bytes, data: st.DataObject
) -> None:
    at = data.draw(st.integers(4, len(packed)))
    file = uploaded(packed[:at] + damage + packed[at + len(damage) :])

    report = file.check()

    assert report.errors or plates(file) == ["AB1", "AB2"]


def test_rows_are_parsed_as_they_are_asked_for() -> None:
    class Counting(io.BytesIO):
        lines = 0

        def readline(self, size: int | None = -1, /) -> bytes:
            Counting.lines += 1
            return super().readline(size)

    rows: Iterator[object] = UploadedFile(Counting(ROW * 1000), FileFormat.NCIC_MN, TODAY).rows()
    next(rows)

    assert Counting.lines == 1
