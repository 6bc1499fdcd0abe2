"""Map and timeline on a sheet of PDF."""

from __future__ import annotations

from typing import Final

from reportlab.lib import colors
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import Flowable

from services.search.core.map import LineKind, Map
from services.search.core.timeline import Timeline
from services.search.report_html import length_text, short

FONT: Final = "Vera"
BOLD: Final = "VeraBd"
SOFT: Final = colors.HexColor("#5b6875")
RULE: Final = colors.HexColor("#d5dbe1")
ACCENT: Final = colors.HexColor("#0b5394")
_GROUND: Final = colors.HexColor("#f7f9fa")
_NAME: Final = colors.HexColor("#8895a1")
_STROKES: Final = {
    LineKind.COUNTY: (colors.HexColor("#d9e0e6"), 0.5),
    LineKind.STATE: (colors.HexColor("#9aa7b3"), 0.9),
    LineKind.COAST: (colors.HexColor("#9db8cc"), 0.9),
}
_LANE: Final = 13.0
_LEFT: Final = 118.0
_SCALE: Final = 16.0


class MapSheet(Flowable):
    """A map as large as it was drawn."""

    def __init__(self, drawn: Map) -> None:
        super().__init__()
        self.width, self.height = drawn.width, drawn.height
        self._map = drawn
        self.canv: Canvas

    def draw(self) -> None:
        """Draws it; the map counts downwards, the sheet upwards."""
        canvas, drawn = self.canv, self._map
        canvas.saveState()
        box = canvas.beginPath()
        box.rect(0, 0, drawn.width, drawn.height)
        canvas.clipPath(box, stroke=0)
        canvas.setFillColor(_GROUND)
        canvas.rect(0, 0, drawn.width, drawn.height, stroke=0, fill=1)
        self._lines()
        canvas.setFont(FONT, 6.5)
        canvas.setFillColor(_NAME)
        for name in drawn.names:
            canvas.drawCentredString(name.x, drawn.height - name.y, known(name.name))
        self._dots()
        self._legend()
        canvas.restoreState()
        canvas.setStrokeColor(RULE)
        canvas.setLineWidth(0.6)
        canvas.rect(0, 0, drawn.width, drawn.height, stroke=1, fill=0)

    def _lines(self) -> None:
        for line in self._map.lines:
            colour, width = _STROKES[line.kind]
            self.canv.setStrokeColor(colour)
            self.canv.setLineWidth(width)
            path = self.canv.beginPath()
            path.moveTo(line.points[0][0], self._map.height - line.points[0][1])
            for x, y in line.points[1:]:
                path.lineTo(x, self._map.height - y)
            self.canv.drawPath(path, stroke=1, fill=0)

    def _dots(self) -> None:
        canvas = self.canv
        for dot in self._map.dots:
            y = self._map.height - dot.y
            canvas.setFillColor(ACCENT, alpha=0.8)
            canvas.setStrokeColor(colors.white)
            canvas.setLineWidth(0.8)
            canvas.circle(dot.x, y, dot.radius * 0.75, stroke=1, fill=1)
            canvas.setFillColor(colors.white, alpha=1)
            canvas.setFont(BOLD, 6.5)
            canvas.drawCentredString(dot.x, y - 2.3, dot.letter)

    def _legend(self) -> None:
        canvas, drawn = self.canv, self._map
        canvas.setStrokeColor(colors.black)
        canvas.setFillColor(colors.black, alpha=1)
        canvas.setLineWidth(0.8)
        canvas.lines(
            [(10, 10, 10, 14), (10, 10, 10 + drawn.bar, 10), (10 + drawn.bar, 10, 10 + drawn.bar, 14)]
        )
        canvas.setFont(FONT, 7)
        canvas.drawCentredString(10 + drawn.bar / 2, 16, length_text(drawn.bar_km))
        canvas.setFont(FONT, 5.5)
        canvas.setFillColor(_NAME)
        canvas.drawRightString(drawn.width - 5, 5, "Outlines: U.S. Census Bureau 2017. North is up.")


class TimelineSheet(Flowable):
    """A timeline of that width, as high as its lanes need."""

    def __init__(self, timeline: Timeline, width: float) -> None:
        super().__init__()
        self.width = width
        self.height = _LANE * len(timeline.lanes) + _SCALE
        self._timeline = timeline
        self.canv: Canvas

    def draw(self) -> None:
        """Draws it, the first lane on top."""
        canvas, length = self.canv, self.width - _LEFT - 12
        canvas.setLineWidth(0.5)
        canvas.setFont(FONT, 6)
        for tick in self._timeline.ticks:
            canvas.setStrokeColor(RULE)
            canvas.line(_LEFT + length * tick.at, _SCALE - 4, _LEFT + length * tick.at, self.height)
            canvas.setFillColor(SOFT)
            canvas.drawCentredString(_LEFT + length * tick.at, 3, tick.text)
        for number, lane in enumerate(self._timeline.lanes):
            y = self.height - _LANE * (number + 0.5)
            canvas.setStrokeColor(RULE)
            canvas.line(_LEFT, y, _LEFT + length, y)
            canvas.setFillColor(colors.black)
            canvas.setFont(FONT, 6.5)
            canvas.drawString(0, y - 2, known(f"{lane.letter}  {short(lane.name)}"))
            canvas.setFillColor(ACCENT, alpha=0.75)
            for at in lane.moments:
                canvas.circle(_LEFT + length * at, y, 2.6, stroke=0, fill=1)
            canvas.setFillColor(colors.black, alpha=1)


def known(text: str) -> str:
    """`text` with "?" for every character that the font lacks."""
    glyphs = pdfmetrics.getFont(FONT).face.charToGlyph  # type: ignore[attr-defined]
    return "".join(one if ord(one) in glyphs else "?" for one in text)
