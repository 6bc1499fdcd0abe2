"""A weekly packet as page and table."""

from __future__ import annotations

from alpr.audit.v1 import packet_service_pb2 as pb
from alpr.audit.v1 import review_service_pb2 as review_pb
from services.cli.packet_page import PACKET_COLUMNS, packet_page, packet_rows

PACKET = pb.WeeklyPacket(
    unit="D<1>",
    week="2026-11-23",
    lines=[
        pb.PacketLine(account_id="a", full_name="=cmd()", questions=4, cases=2, refused=1, acts=3, files=1),
        pb.PacketLine(
            account_id="b", full_name="<script>alert(1)</script>", flags=[review_pb.MISUSE_RULE_SPIKE]
        ),
    ],
    sha256=bytes(32),
    open_reviews=1,
)


def test_a_row_has_a_cell_for_each_column_and_no_formula_for_a_spreadsheet() -> None:
    first, second = packet_rows(PACKET)

    assert len(first) == len(second) == len(PACKET_COLUMNS)
    assert first == ("'=cmd()", "4", "2", "1", "3", "1", "")
    assert second[-1] == "spike"


def test_the_page_escapes_every_value_and_fetches_nothing() -> None:
    page = packet_page(PACKET)

    assert "<script" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "D&lt;1&gt;" in page
    assert "http" not in page
    assert page.count('class="flagged"') == 1
    assert "00" * 32 in page
