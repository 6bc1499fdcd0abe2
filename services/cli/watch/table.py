"""The rows of the board, with one that is selected."""

from collections.abc import Callable, Sequence
from datetime import datetime

from rich.text import Text
from textual.events import Resize
from textual.widget import Widget

from alpr.alerts.v1 import alert_service_pb2 as pb
from services.cli.watch.board import nearest
from services.cli.watch.view import ROW_LINES, Row, row_lines


class AlertTable(Widget, can_focus=True):
    """Draws the rows that fit, so a feed of thousands costs no more than one of ten.

    Args:
        sending: The words of what is on its way for an alert.
        clock: The time, UTC.
    """

    def __init__(self, sending: Callable[[str], Sequence[str]], clock: Callable[[], datetime]) -> None:
        super().__init__()
        self._sending = sending
        self._clock = clock
        self._rows: list[pb.Alert] = []
        self._index = 0
        self._top = 0
        self.selected_id = ""

    @property
    def rows(self) -> Sequence[pb.Alert]:
        """What is drawn, from the top."""
        return self._rows

    def show(self, rows: list[pb.Alert]) -> None:
        """Draws `rows`. The selected alert stays selected, wherever it stands now."""
        self._rows = rows
        self.select(nearest(rows, self.selected_id, self._index))

    def select(self, alert_id: str) -> None:
        """Selects the alert, one of the rows."""
        self.selected_id = alert_id
        self._index = next((n for n, one in enumerate(self._rows) if one.alert_id == alert_id), 0)
        self._scroll()

    def move(self, steps: int) -> None:
        """Selects the row so many below; above, when negative."""
        if self._rows:
            self._index = min(max(self._index + steps, 0), len(self._rows) - 1)
            self.selected_id = self._rows[self._index].alert_id
            self._scroll()

    @property
    def page(self) -> int:
        """How many rows are seen at once, at least one."""
        return max(1, self.size.height // ROW_LINES)

    def on_resize(self, _: Resize) -> None:
        """The selected row stays in sight."""
        self._scroll()

    def _scroll(self) -> None:
        highest = max(0, len(self._rows) - self.page)
        self._top = min(max(self._top, self._index - self.page + 1), self._index, highest)
        self.refresh()

    def render(self) -> Text:
        """The rows in sight."""
        if not self._rows:
            return Text("No alerts wait.", "dim", justify="center")
        now, lines = self._clock(), []
        for alert in self._rows[self._top : self._top + self.page]:
            selected = alert.alert_id == self.selected_id
            row = Row(alert, selected, self._sending(alert.alert_id))
            lines += row_lines(row, now, self.size.width)
        return Text("\n", no_wrap=True, end="").join(lines)
