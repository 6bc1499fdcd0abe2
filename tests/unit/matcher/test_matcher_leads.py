"""The LEADS hot file: what is taken, what is refused, and what must never come out of it."""

from __future__ import annotations

import io
import string
import uuid
from dataclasses import astuple
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.matcher.core.entry import (
    Category,
    ListRow,
    NoteKind,
    Parsed,
    ParseOptions,
    RowError,
    RowNote,
    Vehicle,
    entry_id,
)
from services.matcher.core.leads import parse_leads
from services.matcher.core.lines import LONGEST_LINE, bounded_lines

GOLDEN = Path(__file__).parents[2] / "golden" / "matcher" / "leads.txt"
ALNUM = string.ascii_uppercase + string.digits
TODAY = ParseOptions(date(2026, 11, 25))
STOLEN = b"660JEM  WIPCSTOLEN VYR/05 VMA/DODG VMO/MAG VST/4D VCO/RED     DOT/010315 LDS/V16A0661"


def parsed(*lines: bytes) -> list[Parsed]:
    return list(parse_leads(lines, TODAY))


def one(line: bytes) -> ListRow:
    (row,) = parsed(line)
    assert isinstance(row, ListRow)
    return row


def problem(line: bytes) -> RowError:
    (row,) = parsed(line)
    assert isinstance(row, RowError)
    return row


@pytest.mark.clause("II.E")
def test_golden_file_gives_its_entries_and_its_row_errors() -> None:
    with GOLDEN.open("rb") as file:
        rows = list(parse_leads(bounded_lines(file), TODAY))

    accepted = [row for row in rows if isinstance(row, ListRow)]
    refused = [(row.row, row.column) for row in rows if isinstance(row, RowError)]
    assert accepted == [
        ListRow(
            "660JEM",
            "WI",
            Category.STOLEN_VEHICLE,
            "V16A0661",
            "PC",
            Vehicle("2005", "DODG", "MAG", "4D", "RED"),
            date(2015, 1, 3),
        ),
        ListRow("AB12345", "IL", Category.STOLEN_PLATE, "P26B0417", "TK", Vehicle(), date(2026, 11, 2)),
        ListRow(
            "ZO0I1",
            "IL",
            Category.STOLEN_VEHICLE,
            "V99K1200",
            "PC",
            Vehicle("1998", "CHEV", "IMP", "4D", "WHI/BLU"),
            date(1999, 2, 26),
        ),
        ListRow("15386V", "OH", Category.WANTED, "W26C0099", "PC", Vehicle()),
        ListRow("Q777777", "IL", Category.MISSING, "M26D0001", "PC", Vehicle()),
        ListRow("8BAD", "IL", Category.MISSING, "", "PC", Vehicle()),
    ]
    assert refused == [(7, "1"), (8, "9"), (9, "11"), (10, "13"), (11, "24"), (12, "86"), (13, "82")]


@pytest.mark.clause("IV.C.2")
def test_no_name_or_date_of_birth_of_the_golden_file_comes_out_of_the_parser() -> None:
    with GOLDEN.open("rb") as file:
        shown = repr(list(parse_leads(bounded_lines(file), TODAY)))

    for personal in ("DOE", "ROE", "JOHN", "JAN", "1980", "2010"):
        assert personal not in shown


@pytest.mark.clause("IV.C.2")
@given(
    person=st.text(alphabet=string.ascii_lowercase + " ,/é", min_size=58, max_size=58),
    name=st.sampled_from(["MISSING", "WANTED "]),
)
def test_a_persons_columns_never_change_what_a_row_becomes(person: str, name: str) -> None:
    head, tail = b"15386V  ILPC" + name.encode(), b"LDS/W26C0099"

    row = one(head + person.encode("iso-8859-1") + tail)

    assert row == one(head + b" " * 58 + tail)


@pytest.mark.clause("IV.C.2")
@given(st.binary(max_size=120).filter(lambda line: b"\n" not in line))
def test_any_bytes_give_a_row_or_an_error_that_repeats_nothing_of_them(line: bytes) -> None:
    fixed = {text for text in (problem(b"!").problem, problem(b"?" * 90).problem)}

    for row in parsed(line):
        if isinstance(row, RowError):
            assert row.row == 1
            assert row.column.isdigit()
            assert row.problem in fixed or line.decode("iso-8859-1").strip() not in row.problem


@given(
    plate=st.text(alphabet=ALNUM, min_size=1, max_size=8),
    state=st.sampled_from(["IL", "WI", "  ", "0H"]),
    year=st.integers(1970, 2026),
    make=st.text(alphabet=ALNUM, max_size=4),
    number=st.from_regex(r"V[0-9]{2}[A-Z][0-9]{4}", fullmatch=True),
)
def test_a_written_stolen_row_reads_back_as_it_was(
    plate: str, state: str, year: int, make: str, number: str
) -> None:
    line = (
        f"{plate:8}{state}PCSTOLEN VYR/{year % 100:02d} VMA/{make:5}VMO/    VST/   VCO/        "
        f"DOT/0101{26:02d} LDS/{number}"
    )

    row = one(line.encode())

    assert (row.plate, row.state, row.record_number) == (plate, state.strip().replace("0", "O"), number)
    assert row.vehicle == Vehicle(str(year), make) if year > 1926 else row.vehicle.make == make
    assert row.category is Category.STOLEN_VEHICLE


def test_the_letter_o_and_the_digit_0_are_kept_as_the_file_has_them() -> None:
    assert one(STOLEN.replace(b"660JEM  ", b"O0OI1   ")).plate == "O0OI1"


@pytest.mark.clause("II.E")
@pytest.mark.parametrize(
    ("record", "make", "category"),
    [
        ("V16A0661", "DODG", Category.STOLEN_VEHICLE),
        ("P16A0661", "    ", Category.STOLEN_PLATE),
        ("V16A0661", "    ", Category.STOLEN_VEHICLE),
        ("        ", "DODG", Category.STOLEN_VEHICLE),
        ("        ", "    ", Category.STOLEN_PLATE),
    ],
)
def test_a_stolen_row_says_by_its_number_or_its_vehicle_what_is_stolen(
    record: str, make: str, category: Category
) -> None:
    line = f"660JEM  WIPCSTOLEN VYR/   VMA/{make} VMO/    VST/   VCO/        DOT/010315 LDS/{record}"

    assert one(line.encode()).category is category


def test_a_row_that_ends_early_has_empty_fields() -> None:
    row = one(b"660JEM  WIPCSTOLEN VYR/05")

    assert row.vehicle == Vehicle(year="2005")
    assert row.record_number == ""


@pytest.mark.parametrize("written", ["133299", "000000", "010168", "112726"])
def test_a_date_that_cannot_be_right_is_dropped_with_a_note_and_the_plate_is_kept(written: str) -> None:
    note, row = parsed(STOLEN.replace(b"010315", written.encode()))

    assert isinstance(note, RowNote)
    assert (note.row, note.column, note.kind) == (1, "67", NoteKind.DOUBTFUL)
    assert isinstance(row, ListRow)
    assert (row.plate, row.entry_date) == ("660JEM", None)


def test_a_byte_order_mark_does_not_shift_the_columns_of_the_first_row() -> None:
    (row,) = parse_leads(bounded_lines(io.BytesIO(b"\xef\xbb\xbf" + STOLEN + b"\r\n")), TODAY)

    assert row == one(STOLEN)


def test_blank_lines_and_an_end_of_file_character_are_skipped_but_counted() -> None:
    rows = parsed(b"", STOLEN, b"   ", b"\x1a", b"x")

    assert [row.row for row in rows if isinstance(row, RowError)] == [5]
    assert len(rows) == 2


def test_a_file_without_line_ends_is_one_error_and_comes_in_parts() -> None:
    class Counting(io.BytesIO):
        largest = 0

        def readline(self, size: int | None = -1, /) -> bytes:
            line = super().readline(size)
            Counting.largest = max(Counting.largest, len(line))
            return line

    rows = list(parse_leads(bounded_lines(Counting(b"A" * 10_000_000)), TODAY))

    assert [type(row) for row in rows] == [RowError]
    assert Counting.largest == LONGEST_LINE + 1


def test_parsing_is_lazy() -> None:
    def lines() -> object:
        yield STOLEN
        raise AssertionError("the second line was asked for")

    assert isinstance(next(iter(parse_leads(lines(), TODAY))), ListRow)  # type: ignore[arg-type]


@given(st.lists(st.tuples(st.text(ALNUM, min_size=1, max_size=8), st.sampled_from(["IL", ""])), unique=True))
def test_entry_ids_tell_different_rows_apart_and_stay_the_same(rows: list[tuple[str, str]]) -> None:
    list_id = uuid.UUID(int=7)
    made = [ListRow(plate, state, Category.WANTED, "W1", "", Vehicle()) for plate, state in rows]

    ids = {entry_id(list_id, row) for row in made}

    assert len(ids) == len(rows)
    assert ids == {entry_id(list_id, ListRow(*astuple(row)[:5], Vehicle(year="1999"))) for row in made}
