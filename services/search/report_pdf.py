"""A report as PDF: the same parts as the HTML page, the mark across every sheet, its number below."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final
from xml.sax.saxutils import escape

import reportlab
from reportlab.lib import colors
from reportlab.lib.pagesizes import letter as us_letter
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import (
    Flowable,
    Image,
    KeepTogether,
    LongTable,
    Paragraph,
    SimpleDocTemplate,
    Spacer,
    Table,
    TableStyle,
)

from services.search.core.map import Outlines, draw_map
from services.search.core.report import Report, ReportedRead, Site, moment, site_letters, sites_of
from services.search.core.report_facts import facts_of
from services.search.core.timeline import timeline_of
from services.search.report_drawings import BOLD, FONT, RULE, SOFT, MapSheet, TimelineSheet, known
from services.search.report_html import percent

_PAGE: Final = us_letter
_SIDE: Final = 16 * mm
_WIDTH: Final = _PAGE[0] - 2 * _SIDE
_WARNING: Final = colors.HexColor("#7a2e00")
_WARNING_GROUND: Final = colors.HexColor("#fff3e6")
_PICTURES_ABREAST: Final = 2
_MARKS: Final = (0.12, 0.31, 0.50, 0.69, 0.88)


def to_pdf(report: Report, outlines: Outlines) -> bytes:
    """The document; the same report gives the same bytes.

    A character that the font lacks is shown as "?": plates and ids never have one, and the other forms of the
    report show every character.
    """
    _fonts()
    file = io.BytesIO()
    document = SimpleDocTemplate(
        file,
        pagesize=_PAGE,
        leftMargin=_SIDE,
        rightMargin=_SIDE,
        topMargin=14 * mm,
        bottomMargin=20 * mm,
        title=report.title,
        author=report.mark.line(),
        subject=report.notice,
        invariant=1,
    )
    document.build(list(_story(report, outlines)), canvasmaker=_canvas_of(report))
    return file.getvalue()


def _story(report: Report, outlines: Outlines) -> Iterable[Flowable]:
    older = ", the newest; there are older ones" if report.has_more else ""
    yield _words(report.title, "title")
    yield _words(f"{len(report.reads)} read(s){older}. All times are UTC.", "soft")
    yield Spacer(1, 6)
    yield _notice(report)
    yield Spacer(1, 6)
    yield _facts(report)
    if not report.reads:
        yield Spacer(1, 10)
        yield _words("No read was found.", "plain")
        return
    sites = sites_of(report.reads)
    letters = site_letters(report.reads, sites)
    if sites:
        drawn = draw_map(sites, outlines, _WIDTH, _WIDTH * 0.52)
        yield KeepTogether([_words("Map", "head"), MapSheet(drawn), Spacer(1, 4)])
        yield _sites(sites)
    lanes = timeline_of(report.reads, sites, letters)
    yield KeepTogether([_words("Timeline", "head"), TimelineSheet(lanes, _WIDTH)])
    yield _words("Reads", "head")
    yield _reads(report.reads, letters)
    pictured = [one for one in report.reads if one.pictures.crop or one.pictures.overview]
    if pictured:
        yield _words("Pictures", "head")
        yield _cards(pictured, letters)


@cache
def _fonts() -> None:
    """Fonts that go into the file, so that it looks the same everywhere; they come with the library."""
    folder = Path(reportlab.__file__).parent / "fonts"
    for name, file in ((FONT, "Vera.ttf"), (BOLD, "VeraBd.ttf")):
        pdfmetrics.registerFont(TTFont(name, str(folder / file)))


def _style(kind: str) -> ParagraphStyle:
    size, font, colour, before, after = {
        "title": (15, BOLD, colors.black, 0, 2),
        "head": (11, BOLD, colors.black, 12, 4),
        "plain": (8.5, FONT, colors.black, 0, 0),
        "bold": (8.5, BOLD, colors.black, 0, 0),
        "soft": (8.5, FONT, SOFT, 0, 0),
        "small": (6.5, FONT, SOFT, 0, 0),
        "warn": (8.5, BOLD, _WARNING, 0, 0),
    }[kind]
    return ParagraphStyle(
        kind,
        fontName=font,
        fontSize=size,
        leading=size * 1.3,
        textColor=colour,
        spaceBefore=before,
        spaceAfter=after,
        keepWithNext=kind == "head",
        splitLongWords=True,
    )


def _words(text: str, kind: str) -> Paragraph:
    """The text as it is. A paragraph reads markup, by which words could fetch files: none is left in it."""
    return Paragraph(escape(known(text)), _style(kind))


def _notice(report: Report) -> Table:
    words = _words(f"{report.notice} Verification: {report.verification_state}.", "warn")
    box = Table([[words]], colWidths=[_WIDTH])
    box.setStyle(
        TableStyle(
            [
                ("BACKGROUND", (0, 0), (-1, -1), _WARNING_GROUND),
                ("BOX", (0, 0), (-1, -1), 0.6, colors.HexColor("#e2a25c")),
                ("LINEBEFORE", (0, 0), (0, -1), 3, _WARNING),
                *_padding(6),
            ]
        )
    )
    return box


def _facts(report: Report) -> Table:
    rows = [[_words(name, "soft"), _words(value, "plain")] for name, value in facts_of(report)]
    table = Table(rows, colWidths=[28 * mm, _WIDTH - 28 * mm])
    table.setStyle(TableStyle([("VALIGN", (0, 0), (-1, -1), "TOP"), *_padding(1.5)]))
    return table


def _sites(sites: Sequence[Site]) -> Table:
    rows = [
        (
            site.letter,
            site.description,
            site.sensor_id,
            site.agency_ori,
            f"{site.latitude:.5f}, {site.longitude:.5f}",
            str(site.count),
        )
        for site in sites
    ]
    columns = (
        *(("", 8), ("Place", 62), ("Sensor", 38)),
        *(("Agency", 24), ("Latitude, longitude", 36), ("Reads", 16)),
    )
    return _listing(columns, rows)


def _reads(reads: Sequence[ReportedRead], letters: dict[Any, str]) -> Table:
    rows = [
        (
            moment(read.capture_time),
            read.plate,
            read.state,
            percent(read.confidence),
            letters[read.read_id],
            read.place,
            f"{read.agency_ori} {read.provenance.lower()}",
            str(read.read_id),
        )
        for read in reads
    ]
    columns = (
        *(("Captured (UTC)", 30), ("Plate", 22), ("State", 11), ("Sure", 11)),
        *(("", 8), ("Place", 46), ("Whose", 24), ("Read", 32)),
    )
    return _listing(columns, rows, bold=1, small=7, short=(2, 3, 4))


def _listing(
    columns: Sequence[tuple[str, float]],
    rows: Sequence[Sequence[str]],
    *,
    bold: int = 0,
    small: int | None = None,
    short: Sequence[int] = (),
) -> Table:
    """A table with columns of these names and shares of the width.

    Texts of `short` columns are never wrapped, which makes a long table in two thirds of the time.
    """
    kinds = {bold: "bold", small: "small"}

    def cell(text: str, place: int) -> Any:
        return known(text) if place in short else _words(text, kinds.get(place, "plain"))

    cells: list[list[Any]] = [[_words(name, "soft") for name, _ in columns]]
    cells += [[cell(text, place) for place, text in enumerate(row)] for row in rows]
    total = sum(width for _, width in columns)
    table = LongTable(cells, colWidths=[_WIDTH * width / total for _, width in columns], repeatRows=1)
    style: list[Any] = [
        ("LINEBELOW", (0, 0), (-1, -1), 0.4, RULE),
        ("VALIGN", (0, 0), (-1, -1), "TOP"),
        ("FONT", (0, 1), (-1, -1), FONT, 8.5, 11),
        ("FONT", (bold, 1), (bold, -1), BOLD, 8.5, 11),
        *_padding(2.5),
    ]
    table.setStyle(TableStyle(style))
    return table


def _cards(reads: Sequence[ReportedRead], letters: dict[Any, str]) -> Table:
    width = _WIDTH / _PICTURES_ABREAST
    cells: list[Any] = [_card(read, letters[read.read_id], width - 8 * mm) for read in reads]
    cells += [""] * (-len(cells) % _PICTURES_ABREAST)
    rows = [cells[start : start + _PICTURES_ABREAST] for start in range(0, len(cells), _PICTURES_ABREAST)]
    table = Table(rows, colWidths=[width] * _PICTURES_ABREAST)
    table.setStyle(TableStyle([("VALIGN", (0, 0), (-1, -1), "TOP"), *_padding(4)]))
    return table


def _card(read: ReportedRead, letter: str, width: float) -> list[Flowable]:
    parts: list[Flowable] = []
    if read.pictures.crop:
        parts += [_picture(read.pictures.crop, width, 20 * mm), Spacer(1, 2)]
    if read.pictures.overview:
        parts += [_picture(read.pictures.overview, width, 62 * mm), Spacer(1, 2)]
    heading = f"{letter}  {read.plate}  {moment(read.capture_time)}"
    return [*parts, _words(heading, "bold"), _words(read.place, "soft")]


def _picture(jpeg: bytes, width: float, height: float) -> Image:
    return Image(io.BytesIO(jpeg), width=width, height=height, kind="proportional", hAlign="LEFT")


def _padding(points: float) -> list[tuple[Any, ...]]:
    sides = ("TOPPADDING", "BOTTOMPADDING", "LEFTPADDING", "RIGHTPADDING")
    return [(side, (0, 0), (-1, -1), points) for side in sides]


def _canvas_of(report: Report) -> type[Canvas]:
    """A canvas that writes mark and number on each sheet once it knows how many there are."""

    class Marked(Canvas):
        def __init__(self, *arguments: Any, **named: Any) -> None:
            super().__init__(*arguments, **named)
            self._sheets: list[dict[str, Any]] = []

        def showPage(self) -> None:  # noqa: N802 -- the library's name
            self._sheets.append(dict(self.__dict__))
            # The library's own way to put a page off; its types do not know it.
            self._startPage()  # type: ignore[attr-defined]

        def save(self) -> None:
            for sheet in self._sheets:
                self.__dict__.update(sheet)
                _mark_sheet(self, report, len(self._sheets))
                super().showPage()
            super().save()

    return Marked


def _mark_sheet(canvas: Canvas, report: Report, sheets: int) -> None:
    width, height = _PAGE
    mark = report.mark.line()
    canvas.saveState()
    canvas.setFont(BOLD, 12)
    canvas.setFillColor(colors.black, alpha=0.07)
    for share in _MARKS:
        canvas.saveState()
        canvas.translate(width / 2, height * share)
        canvas.rotate(24)
        canvas.drawCentredString(0, 0, mark)
        canvas.restoreState()
    canvas.setFillColor(SOFT, alpha=1)
    canvas.setFont(FONT, 6.5)
    canvas.drawString(_SIDE, 12 * mm, mark)
    canvas.drawString(
        _SIDE, 9 * mm, f"Question {report.mark.question.entry_id}, answer {report.mark.outcome.entry_id}"
    )
    canvas.drawRightString(width - _SIDE, 12 * mm, f"Page {canvas.getPageNumber()} of {sheets}")
    canvas.drawRightString(width - _SIDE, 9 * mm, "UNVERIFIED: a lead only")
    canvas.restoreState()
