"""The live board on a terminal."""

import asyncio
import contextlib
import signal
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import ClassVar, Final

from rich.text import Text
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Footer, Static

from alpr.alerts.v1 import alert_service_pb2 as pb
from alpr.alerts.v1 import alert_service_pb2_grpc as rpc
from alpr.type.v1.hit_pb2 import HotListCategory
from platewarden_client import AlertEvent, Gap, LinkState
from services.cli.locate import CommandError
from services.cli.options import new_request_id
from services.cli.session import Session
from services.cli.watch import acts, questions
from services.cli.watch.board import Board
from services.cli.watch.feed import alert_stream, refusals
from services.cli.watch.forms import Answer, ChoiceForm, Page
from services.cli.watch.lines import plain
from services.cli.watch.looks import look_text
from services.cli.watch.sound import Bell
from services.cli.watch.table import AlertTable
from services.cli.watch.view import details, head, link_text
from services.cli.words import CATEGORY
from services.common.errors import AlprError

_TICK_SECONDS: Final = 0.25
_STROKE_SECONDS: Final = 0.18
# Without a token or a resume the feed tries again after so long; the person may do so at once.
_AGAIN_SECONDS: Final = 5.0
_QUIT_AGAIN_SECONDS: Final = 5.0


async def show_board(
    session: Session,
    categories: Iterable[HotListCategory.ValueType],
    silent: Iterable[HotListCategory.ValueType],
    hours: float,
    motor_carrier: bool,
) -> None:
    """Shows the board until the person leaves it; nothing of it stays on the terminal.

    Raises:
        CommandError: The board failed.
    """
    board = WatchApp(session, tuple(categories), Bell(silent), hours, motor_carrier)
    for ending in (signal.SIGTERM, signal.SIGHUP):
        # As if the person left, so that the terminal is what it was before.
        asyncio.get_running_loop().add_signal_handler(ending, board.exit)
    try:
        await board.run_async()
    finally:
        await board.acts.close()
    if board.return_code:
        raise CommandError(f"the board failed ({board.failure}); --lines shows alerts without it")


class WatchApp(App[None]):
    """The board, its keys and its bell."""

    ENABLE_COMMAND_PALETTE = False  # it would offer to save a picture of the screen
    CSS_PATH = "app.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("a", "acknowledge", "ack"),
        Binding("v", "verify", "verify"),
        Binding("d", "dispose", "dispose"),
        Binding("enter", "look", "look"),
        Binding("n", "next", "next"),
        Binding("s", "sound", "sound"),
        Binding("c", "categories", "categories"),
        Binding("t", "toggle_done", "done"),
        Binding("r", "again", "retry", show=False),
        Binding("escape", "clear", "clear", show=False),
        Binding("up,k", "move(-1)", "up", show=False),
        Binding("down,j", "move(1)", "down", show=False),
        Binding("pageup", "page(-1)", "page up", show=False),
        Binding("pagedown", "page(1)", "page down", show=False),
        Binding("home,g", "end(-1)", "first", show=False),
        Binding("end,G", "end(1)", "last", show=False),
        Binding("q,ctrl+c", "leave", "quit"),
    ]

    def __init__(
        self,
        session: Session,
        categories: tuple[HotListCategory.ValueType, ...],
        bell: Bell,
        hours: float,
        motor_carrier: bool = False,
    ) -> None:
        super().__init__()
        self.acts = acts.Acts(session, self._told)
        self.failure = ""
        self._session = session
        self._categories = categories
        self._hours = hours
        self._motor_carrier = motor_carrier
        self._board = Board()
        self._bell = bell
        self._link = LinkState.CONNECTING
        self._heard_at = time.monotonic()
        self._with_done = False
        # Rows came or went, or something else is to be seen at once.
        self._is_stale = True
        self._needs_drawing = True
        self._drawn_at = 0
        self._again = asyncio.Event()
        self._said = Text()
        self._leave_until = 0.0
        self._striking: asyncio.Task[None] | None = None

    def compose(self) -> ComposeResult:
        """Head, what was said last, rows, details of the selected one, keys."""
        yield Static(id="head")
        yield Static(id="said")
        yield AlertTable(self.acts.words, _now)
        yield Static(id="details")
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        """Begins to follow the feed."""
        self.query_one(AlertTable).focus()
        self.run_worker(self._follow(), name="feed")
        self.set_interval(_TICK_SECONDS, self._tick)

    # --- the feed

    async def _follow(self) -> None:
        while True:
            self._again.clear()
            try:
                with refusals():
                    await self._take_all()
            except (AlprError, CommandError) as error:
                self._link = LinkState.BROKEN
                self._say(f"THE FEED ENDED: {_words(error)}. Sign in again, or press r to retry", "bold red")
            # A token may be given again, and an account restored, while nobody is at the keys.
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._again.wait(), _AGAIN_SECONDS)

    async def _take_all(self) -> None:
        stream = alert_stream(
            self._session,
            categories=self._categories,
            motor_carrier=self._motor_carrier,
            hours=self._hours,
            on_link=self._on_link,
        )
        async with stream:
            async for event in stream:
                self._take(event)

    def _take(self, event: AlertEvent | Gap) -> None:
        if isinstance(event, Gap):
            since = event.since.astimezone(UTC)
            self._say(
                f"ALERTS MAY BE MISSING from before {since:%H:%M:%S} UTC (the feed was restored)", "bold red"
            )
            return
        self._board.take(event.alert)
        self._bell.note(event.alert, quiet=event.quiet)
        self._is_stale = True

    def _on_link(self, state: LinkState) -> None:
        self._needs_drawing |= state is not self._link
        self._link = state
        if state is LinkState.LIVE:
            self._heard_at = time.monotonic()

    # --- the screen

    def _tick(self) -> None:
        """Draws what is new, and once a second how long everything waits."""
        second = int(time.monotonic())
        if self._is_stale or self._needs_drawing or second != self._drawn_at:
            self._draw()
            self._drawn_at = second
            self._needs_drawing = False
        self._ring()

    def _draw(self) -> None:
        if self._is_stale:
            self._is_stale = False
            self._board.forget(_now())
            self._table.show(self._board.rows(with_done=self._with_done))
        else:
            self._table.refresh()
        link = link_text(self._link, time.monotonic() - self._heard_at)
        silent = sorted(CATEGORY.word(one) for one in self._bell.silent)
        counts, on_way = self._board.counts(), self.acts.count
        line = head(link, counts, _now(), sound_on=self._bell.on, silent=silent, on_way=on_way)
        self._static("head").update(line)
        said = self._static("said")
        said.update(self._said)
        said.display = bool(self._said)
        alert = self._selected
        self._static("details").update(details(alert, _now()) if alert else Text())

    # Of the board's own screen, also while a form lies over it.
    @property
    def _table(self) -> AlertTable:
        return self.screen_stack[0].query_one(AlertTable)

    def _static(self, name: str) -> Static:
        return self.screen_stack[0].query_one(f"#{name}", Static)

    @property
    def _selected(self) -> pb.Alert | None:
        return self._board.get(self._table.selected_id)

    def _say(self, sentence: str, style: str = "") -> None:
        self._said = Text(sentence, style)
        self._needs_drawing = True

    # --- the bell

    def _ring(self) -> None:
        unanswered = [one for one in self._board.open_alerts() if not self.acts.has_seen(one.alert_id)]
        strokes = self._bell.strokes(unanswered, time.monotonic())
        if strokes and (self._striking is None or self._striking.done()):
            self._striking = asyncio.create_task(self._strike(strokes))

    async def _strike(self, strokes: int) -> None:
        for _ in range(strokes):
            self.bell()
            await asyncio.sleep(_STROKE_SECONDS)

    # --- the keys

    def action_move(self, steps: int) -> None:
        """Selects another row."""
        self._table.move(steps)
        self._needs_drawing = True

    def action_page(self, pages: int) -> None:
        """Selects a row a screen away."""
        self.action_move(pages * self._table.page)

    def action_end(self, direction: int) -> None:
        """Selects the last row, or the first when `direction` is negative."""
        self.action_move(direction * len(self._board))

    def action_next(self) -> None:
        """Selects the most urgent alert that nobody has seen, nor acknowledged here a moment ago."""
        unseen = (one for one in self._table.rows if not one.acknowledged)
        wanted = next((one for one in unseen if not self.acts.has_seen(one.alert_id)), None)
        if wanted is not None:
            self._table.select(wanted.alert_id)
            self._needs_drawing = True

    def action_acknowledge(self) -> None:
        """Says that the selected alert was seen."""
        alert = self._selected
        if (
            alert is not None
            and not alert.acknowledged
            and "acknowledge" not in self.acts.words(alert.alert_id)
        ):
            self._record([acts.acknowledging(alert.alert_id)])

    def action_verify(self) -> None:
        """Asks for a step of the verification of the selected alert."""
        alert = self._selected
        if alert is not None:
            form = questions.verify_form(alert)
            self._ask(form, lambda answer: self._record(self._verify_acts(alert, answer)))

    def action_dispose(self) -> None:
        """Asks what was done about the selected alert."""
        alert = self._selected
        if alert is not None:
            form = questions.dispose_form(alert)
            self._ask(form, lambda answer: self._record(questions.dispose_acts(alert.alert_id, answer)))

    def action_look(self) -> None:
        """Shows the selected alert with its picture and history."""
        alert = self._selected
        if alert is not None:
            self.run_worker(self._look(alert), name="look", exclusive=True, group="look")

    def action_sound(self) -> None:
        """Switches all sound."""
        self._bell.on = not self._bell.on
        self._needs_drawing = True

    def action_categories(self) -> None:
        """Asks which category to switch the sound of."""
        self._ask(questions.sound_form(self._bell), self._switch)

    def action_toggle_done(self) -> None:
        """Shows what is done, too, or hides it."""
        self._with_done = not self._with_done
        self._is_stale = True

    def action_again(self) -> None:
        """Follows the feed anew, where it ended."""
        self._again.set()

    def action_clear(self) -> None:
        """Takes away what was said last."""
        self._say("")

    def action_leave(self) -> None:
        """Leaves the board; with acts on their way only when pressed twice."""
        if self.acts.count and time.monotonic() > self._leave_until:
            self._leave_until = time.monotonic() + _QUIT_AGAIN_SECONDS
            self._say(f"{self.acts.count} not recorded yet; press q again to leave without", "bold red")
            return
        self.exit()

    def _ask(self, form: ChoiceForm, then: Callable[[Answer | None], None]) -> None:
        self.push_screen(form, then)

    def _record(self, new: list[acts.Act]) -> None:
        self.acts.put(*new)
        self._needs_drawing = True

    def _verify_acts(self, alert: pb.Alert, answer: Answer | None) -> list[acts.Act]:
        # As it stands now: a colleague may have begun to ask while the form was open.
        return questions.verify_acts(self._board.get(alert.alert_id) or alert, answer)

    def _switch(self, answer: Answer | None) -> None:
        if answer is not None:
            self._bell.switch(HotListCategory.ValueType(answer.value))
            self._needs_drawing = True

    async def _look(self, alert: pb.Alert) -> None:
        self._say("Fetching picture and history; the look is recorded", "dim")
        stub = rpc.AlertServiceStub(self._session.channel("alerts"))
        request = pb.GetAlertRequest(request_id=new_request_id(), alert_id=alert.alert_id)
        try:
            answer = await self._session.call(stub.GetAlert, request)
        except (AlprError, CommandError) as error:
            self._say(f"look: {_words(error)}", "bold red")
            return
        self._say("")
        self.push_screen(Page(look_text(answer, details(answer.alert, _now()))))

    def _told(self, act: acts.Act, error: AlprError | None) -> None:
        self._needs_drawing = True
        if error is not None:
            alert = self._board.get(act.alert_id)
            plate = f" of {plain(alert.plate)}" if alert else ""
            self._say(f"{act.word}{plate} REFUSED: {_words(error)}", "bold red")

    # --- failure

    def _fatal_error(self) -> None:
        """Leaves the board. The library would print a traceback with the values of variables: plates."""
        self.failure = type(self._exception).__name__
        self._close_messages_no_wait()


def _words(error: AlprError | CommandError) -> str:
    if isinstance(error, CommandError):
        return str(error)
    wrong = "".join(f"; {one.field} {one.description}" for one in error.violations)
    return plain(error.message + wrong)


def _now() -> datetime:
    return datetime.now(UTC)
