"""A weekly packet as rows, and as one HTML page that fetches nothing and runs nothing."""

from collections.abc import Iterator
from html import escape
from typing import Final

from alpr.audit.v1 import packet_service_pb2 as pb
from services.cli.words import MISUSE_RULE

PACKET_COLUMNS: Final = ("person", "questions", "cases", "refused", "acts", "files", "flags")
_FORMULA: Final = ("=", "+", "-", "@")
_PAGE: Final = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<style>
body {{ font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; color: #1b2733 }}
table {{ border-collapse: collapse; width: 100% }}
th, td {{ text-align: left; padding: .35rem .6rem; border-bottom: 1px solid #d5dde5 }}
td.number {{ text-align: right; font-variant-numeric: tabular-nums }}
tr.flagged td {{ background: #fff4e0 }}
</style></head><body>
<h1>{title}</h1>
<p>{standing}. Reviews open now: {reviews}. A flag is no verdict: it says what to look at.</p>
<table><thead><tr>{head}</tr></thead><tbody>
{rows}
</tbody></table>
<p>What is signed: SHA-256 {sha256}</p>
</body></html>
"""


def packet_rows(packet: pb.WeeklyPacket) -> Iterator[tuple[str, ...]]:
    """A row for each person, in the order of PACKET_COLUMNS."""
    for one in packet.lines:
        numbers = (one.questions, one.cases, one.refused, one.acts, one.files)
        # A spreadsheet takes a cell that begins so for a formula.
        name = f"'{one.full_name}" if one.full_name.startswith(_FORMULA) else one.full_name
        yield name, *map(str, numbers), " ".join(map(MISUSE_RULE.word, one.flags))


def packet_page(packet: pb.WeeklyPacket) -> str:
    """The page. Every value in it is escaped."""
    title = escape(f"Unit {packet.unit}, week of {packet.week}")
    signed = packet.HasField("sign_time")
    standing = f"Signed {packet.sign_time.ToJsonString()}" if signed else "Not signed yet"
    return _PAGE.format(
        title=title,
        standing=standing,
        reviews=packet.open_reviews,
        head="".join(f"<th>{name}</th>" for name in PACKET_COLUMNS),
        rows="\n".join(map(_row, packet_rows(packet))),
        sha256=packet.sha256.hex(),
    )


def _row(cells: tuple[str, ...]) -> str:
    name, *numbers, flags = map(escape, cells)
    inner = "".join(f'<td class="number">{number}</td>' for number in numbers)
    mark = ' class="flagged"' if flags else ""
    return f"<tr{mark}><td>{name}</td>{inner}<td>{flags}</td></tr>"
