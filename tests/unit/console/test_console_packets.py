"""The weekly packet as a table to take along."""

import csv
import io

import pytest

from alpr.audit.v1 import packet_service_pb2 as pb
from alpr.audit.v1 import review_service_pb2 as review_pb
from services.console.coordinator.packets import table

_FLAG = review_pb.MisuseRule.values()[1]


def _read(packet: pb.WeeklyPacket) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(table(packet), newline="")))


@pytest.mark.clause("III.C.2.d")
def test_each_person_is_a_line_with_unit_week_and_every_count() -> None:
    packet = pb.WeeklyPacket(unit="Zone 3", week="2026-11-16")
    packet.lines.add(full_name="A, B", questions=5, cases=4, refused=3, acts=2, files=1, flags=[_FLAG])
    packet.lines.add(full_name='C "D"')

    first, second = _read(packet)

    assert list(first.values())[:8] == ["Zone 3", "2026-11-16", "A, B", "5", "4", "3", "2", "1"]
    assert first["flags"]
    assert (second["person"], second["questions"], second["flags"]) == ('C "D"', "0", "")


@pytest.mark.parametrize("begin", ["=", "+", "-", "@", "\t", "\r"])
def test_a_name_that_begins_as_a_formula_is_text_to_a_spreadsheet(begin: str) -> None:
    packet = pb.WeeklyPacket(unit=f"{begin}1+1", week="2026-11-16")
    packet.lines.add(full_name=f"{begin}HYPERLINK(1)")

    (line,) = _read(packet)

    assert (line["unit"], line["person"]) == (f"'{begin}1+1", f"'{begin}HYPERLINK(1)")
