"""The Secretary of State's file and the NCIC extract with its variants: what is taken, what is refused."""

from __future__ import annotations

import string
from collections.abc import Callable, Iterable, Iterator
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.matcher.core.category_map import NCIC_FILES, SOS_LISTS
from services.matcher.core.entry import (
    Category,
    ListRow,
    NoteKind,
    Parsed,
    ParseOptions,
    RowError,
    RowNote,
    Vehicle,
)
from services.matcher.core.lines import bounded_lines
from services.matcher.core.ncic import (
    parse_ncic,
    parse_ncic_minnesota,
    parse_ncic_texas,
    parse_ncic_washington,
)
from services.matcher.core.sos import parse_sos

GOLDEN = Path(__file__).parents[2] / "golden" / "matcher"
TODAY = ParseOptions(date(2026, 11, 25))
WITH_FILE_N = ParseOptions(date(2026, 11, 25), immigration_file=True)
TRUCK = Vehicle("2019", "FORD", "F15", "PK", "BLU")
Parse = Callable[[Iterable[bytes], ParseOptions], Iterator[Parsed]]


def golden(name: str, parse: Parse, options: ParseOptions = TODAY) -> list[Parsed]:
    with (GOLDEN / name).open("rb") as file:
        return list(parse(bounded_lines(file), options))


def taken(rows: list[Parsed]) -> list[ListRow]:
    return [row for row in rows if isinstance(row, ListRow)]


def refused(rows: list[Parsed]) -> list[tuple[int, str]]:
    return [(row.row, row.column) for row in rows if isinstance(row, RowError)]


def notes(rows: list[Parsed]) -> list[tuple[int, str, NoteKind]]:
    return [(row.row, row.column, row.kind) for row in rows if isinstance(row, RowNote)]


@pytest.mark.clause("II.E")
def test_the_secretary_of_states_file_gives_its_entries_and_its_row_errors() -> None:
    rows = golden("sos.txt", parse_sos)

    assert taken(rows) == [
        ListRow("15386VDE", "IL", Category.REVOKED, "", "FM", Vehicle(), date(2010, 3, 29)),
        ListRow("AB123", "IL", Category.SUSPENDED, "", "PC", Vehicle(), date(2026, 11, 1)),
        ListRow("QO0I1", "OH", Category.EXPIRED_REGISTRATION, "", "CO", Vehicle(), None),
        ListRow("N0DATE", "", Category.REVOKED, "", "", Vehicle(), None),
        ListRow("ZZ1", "IL", Category.SUSPENDED, "", "PC", Vehicle(), None),
    ]
    assert refused(rows) == [(2, "1"), (7, "10"), (8, "12"), (9, "14"), (10, "22")]
    assert notes(rows) == [(6, "22", NoteKind.DOUBTFUL)]


@pytest.mark.clause("II.E")
def test_the_ncic_extract_gives_its_entries_with_the_letter_o_put_back_in_codes_only() -> None:
    rows = golden("ncic.txt", parse_ncic)

    assert [(row.plate, row.state, row.category, row.entry_date) for row in taken(rows)] == [
        ("ABC1230", "IL", Category.STOLEN_VEHICLE, date(2026, 11, 1)),
        ("0HI0", "OH", Category.STOLEN_PLATE, date(2026, 10, 20)),
        ("AMB3R", "MO", Category.AMBER, date(2026, 11, 25)),
        ("FEL0N", "WI", Category.FELONY, date(2026, 1, 1)),
        ("M1SS", "IN", Category.MISSING, date(2026, 1, 2)),
        ("WANT3D", "IL", Category.WANTED, date(2026, 1, 3)),
        ("V10LENT", "IL", Category.OTHER, date(2026, 1, 4)),
        ("0LD1", "IL", Category.STOLEN_VEHICLE, None),
        ("NEW1", "IL", Category.STOLEN_VEHICLE, None),
    ]
    assert [row.vehicle for row in taken(rows)[:3]] == [
        TRUCK,
        Vehicle(),
        Vehicle("2020", "HOND", "CIV", "4D", "WHI/BRO"),
    ]
    assert [row.plate_type for row in taken(rows)[:6]] == ["PC", "PC", "PC", "CO", "PC", "MC"]
    assert refused(rows) == [(12, "1"), (13, "1"), (14, "20"), (15, "28"), (16, "59")]


@pytest.mark.clause("II.E")
def test_dates_of_1900_and_2999_are_noted_and_dropped_while_their_plates_are_kept() -> None:
    assert [note for note in notes(golden("ncic.txt", parse_ncic)) if note[2] is NoteKind.DOUBTFUL] == [
        (10, "20", NoteKind.DOUBTFUL),
        (11, "20", NoteKind.DOUBTFUL),
    ]


@pytest.mark.clause("II.E")
@pytest.mark.parametrize(
    ("name", "parse", "row"),
    [
        ("ncic.txt", parse_ncic, (9, "1")),
        ("ncic_wa.txt", parse_ncic_washington, (5, "3")),
        ("ncic_mn.csv", parse_ncic_minnesota, (2, "record_number")),
        ("ncic_tx.csv", parse_ncic_texas, (2, "record_number")),
    ],
)
def test_file_n_is_left_out_with_a_note_unless_it_was_switched_on(
    name: str, parse: Parse, row: tuple[int, str]
) -> None:
    off, on = golden(name, parse), golden(name, parse, WITH_FILE_N)

    assert (*row, NoteKind.LEFT_OUT) in notes(off)
    assert not [entry for entry in taken(off) if entry.record_number.startswith("N")]
    assert [(x.plate, x.category) for x in taken(on) if x.record_number.startswith("N")] == [
        ("1MM1GR", Category.OTHER)
    ]
    assert not [note for note in notes(on) if note[2] is NoteKind.LEFT_OUT]


def test_washingtons_rows_begin_two_characters_later() -> None:
    rows = golden("ncic_wa.txt", parse_ncic_washington)

    assert taken(rows) == taken(golden("ncic.txt", parse_ncic))[:3]
    assert refused(rows) == [(6, "30")]


def test_minnesotas_rows_have_twelve_fields() -> None:
    rows = golden("ncic_mn.csv", parse_ncic_minnesota)

    vehicle = Vehicle("2013", "CHEV", "AVA", "PK", "CRM")
    entered = date(2021, 11, 22)
    assert taken(rows) == [ListRow("JFJ4764", "OH", Category.OTHER, "C845996328", "TK", vehicle, entered)]
    assert refused(rows) == [(3, "line"), (4, "state")]


def test_texass_rows_have_eleven_fields_and_no_plate_type() -> None:
    rows = golden("ncic_tx.csv", parse_ncic_texas)

    assert taken(rows)[0] == ListRow(
        "ABC1230", "TX", Category.STOLEN_VEHICLE, "V123456789", "", TRUCK, date(2026, 11, 1)
    )
    assert [row.category for row in taken(rows)] == [Category.STOLEN_VEHICLE, Category.OTHER]
    assert refused(rows) == [(4, "record_number")]


@pytest.mark.parametrize(
    ("name", "parse"), [("ncic.txt", parse_ncic), ("ncic_wa.txt", parse_ncic_washington)]
)
def test_a_first_line_that_is_a_row_is_no_header(name: str, parse: Parse) -> None:
    rows = (GOLDEN / name).read_bytes().splitlines()[1:]

    assert taken(list(parse(rows, TODAY))) == taken(golden(name, parse))


@pytest.mark.clause("II.E")
@pytest.mark.parametrize("code", string.ascii_uppercase)
def test_every_file_code_is_in_the_category_map_or_an_error_of_its_row(code: str) -> None:
    line = f"{code}123456789,MN0270000,20261101,ABC1230,MN,2026,PC,2019,F0RD,F15,PK,BLU"

    (row,) = parse_ncic_minnesota([line.encode()], WITH_FILE_N)

    assert isinstance(row, ListRow) == (code in NCIC_FILES)
    assert not isinstance(row, ListRow) or row.category is NCIC_FILES[code]


@pytest.mark.clause("IV.C.2")
@pytest.mark.parametrize(
    "parse", [parse_sos, parse_ncic, parse_ncic_washington, parse_ncic_minnesota, parse_ncic_texas]
)
@given(lines=st.lists(st.binary(max_size=120), max_size=4))
def test_any_bytes_give_rows_and_errors_that_repeat_nothing_of_them(parse: Parse, lines: list[bytes]) -> None:
    fixed = "the row has not fields neither blank nor letters digits flush left one of " + ", ".join(
        SOS_LISTS
    )

    for row in parse(lines, TODAY):
        if isinstance(row, RowError):
            text = lines[row.row - 1].decode("iso-8859-1").strip()
            assert len(text) < 4 or text not in row.problem or text in fixed
