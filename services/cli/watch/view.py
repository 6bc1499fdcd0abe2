"""What the board writes: a row, the details of an alert, the state of the link. No clock, no screen."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Final

from rich.text import Text

from alpr.alerts.v1 import alert_service_pb2 as pb
from platewarden_client import LinkState
from services.cli.watch.board import Counts, Stage, due_at, is_confirmed, raised_at, stage_of, standing
from services.cli.watch.lines import about, doubts, listing, place_of, plain, seconds_since_capture
from services.cli.words import DISPOSITION, ESCALATION_KIND

ROW_LINES: Final = 2

_SEVERITY: Final = MappingProxyType(
    {
        pb.SEVERITY_URGENT: (" URGENT ", "bold white on red"),
        pb.SEVERITY_HIGH: (" HIGH   ", "bold black on yellow"),
        pb.SEVERITY_NOTICE: (" NOTICE ", "white on grey37"),
    }
)
# A loudness that this program does not know is not taken for a quiet one.
_UNKNOWN_SEVERITY: Final = (" ALERT  ", "bold white on red")
_DOUBT: Final = "bold yellow"
_STAGES: Final = MappingProxyType(
    {Stage.UNSEEN: "unseen", Stage.UNVERIFIED: "unverified", Stage.UNDISPOSED: "undisposed"}
)
# A link that said nothing for so long is not called live any more; a heartbeat comes every four seconds.
_FRESH_SECONDS: Final = 10.0


@dataclass(frozen=True, slots=True)
class Row:
    """An alert as it is to be shown: `sending` are the words of what the person did and is on its way."""

    alert: pb.Alert
    selected: bool = False
    sending: Sequence[str] = ()


def row_lines(row: Row, now: datetime, width: int) -> list[Text]:
    """The row's `ROW_LINES` lines, each of `width` cells: loudness, doubts and verification stand first."""
    alert = row.alert
    label, style = _SEVERITY.get(alert.severity, _UNKNOWN_SEVERITY)
    first = Text("▶" if row.selected else " ", "bold")
    first.append(label, style)
    first.append(" ")
    tail = _tail(row, now)
    state = Text(standing(alert), _standing_style(alert))
    room = width - first.cell_len - state.cell_len - tail.cell_len - 4
    warned = Text(", ".join(doubts(alert)), _DOUBT)
    warned.truncate(max(0, room), overflow="ellipsis")
    if warned.plain:
        first.append_text(warned).append("  ")
    first.append_text(state)
    first.append(" " * max(1, width - first.cell_len - tail.cell_len - 1)).append_text(tail)
    second = _what(alert, now)
    lines = [first, second]
    for line in lines:
        if stage_of(alert) is Stage.DONE:
            line.stylize("dim")
        if row.selected:
            line.stylize("on grey23", 1 if line is second else 1 + len(label))
        line.truncate(width, overflow="ellipsis", pad=True)
    return lines


def _tail(row: Row, now: datetime) -> Text:
    if row.sending:
        return Text(f"{row.sending[0]}: sending", "bold cyan")
    stage = stage_of(row.alert)
    if stage is Stage.DONE:
        return Text(DISPOSITION.word(row.alert.disposition))
    urgent = stage is Stage.UNSEEN and row.alert.severity == pb.SEVERITY_URGENT
    waits = f"{_STAGES[stage]} {duration(now - raised_at(row.alert))}"
    return Text(waits, "bold red" if urgent else "").append_text(_due(row.alert, now))


def _due(alert: pb.Alert, now: datetime) -> Text:
    """How long there is left, or since when it is overdue."""
    due = due_at(alert)
    if due is None:
        return Text("  ESCALATED", "bold red") if alert.escalations else Text()
    if now < due:
        return Text(f"  due in {duration(due - now)}", "dim not bold")
    return Text("  ").append(f" OVERDUE {duration(now - due)} ", "bold white on red")


def _what(alert: pb.Alert, now: datetime) -> Text:
    text = Text("          ")
    text.append(plain(alert.plate), "bold").append(f" {plain(alert.state)}" if alert.state else "")
    text.append(f"  {about(alert.entries[0])}", "bold")
    more = len(alert.entries) - 1
    text.append(f" +{more}" if more else "")
    text.append(f"  {alert.match_probability:.0%}  {place_of(alert)}")
    return text.append(f"  {duration(timedelta(seconds=seconds_since_capture(alert, now)))} ago", "dim")


def _standing_style(alert: pb.Alert) -> str:
    if is_confirmed(alert):
        return "bold green"
    return _DOUBT if standing(alert).startswith(("UNVERIFIED", "WITHDRAWN")) else "bold magenta"


def duration(time: timedelta) -> str:
    """`time` in few letters: 0:42, 12:05, 1 h 20; 0:00 for what lies ahead by this machine's clock."""
    seconds = max(0, int(time.total_seconds()))
    if seconds < 3600:  # noqa: PLR2004 - an hour
        return f"{seconds // 60}:{seconds % 60:02}"
    return f"{seconds // 3600} h {seconds % 3600 // 60:02}"


def details(alert: pb.Alert, now: datetime) -> Text:
    """Everything the alert says, doubts and what it is good for first."""
    text = Text()
    if alert.warnings:
        text.append(f"{', '.join(doubts(alert))}\n", _DOUBT)
    text.append(f"{plain(alert.notice.text)}\n", _standing_style(alert))
    for late in alert.escalations:
        what = ESCALATION_KIND.word(late.kind).replace("-", " ")
        text.append(f"ESCALATED {late.escalate_time.ToDatetime(UTC):%H:%M:%S} UTC: ", "bold red")
        text.append(f"{what} by {late.due_time.ToDatetime(UTC):%H:%M:%S}\n")
    text.append(f"read   {plain(alert.plate)} {plain(alert.state)}", "bold")
    text.append(f"  match {alert.match_probability:.0%}, {place_of(alert)}, {plain(alert.sensor_id)}")
    text.append(f", {duration(timedelta(seconds=seconds_since_capture(alert, now)))} ago\n")
    withdrawn = {one.entry_id for one in alert.withdrawn_entries}
    for entry in alert.entries:
        text.append(f"listed {plain(entry.plate)} {plain(entry.state)}", "bold")
        text.append("  LISTED NO LONGER" if entry.entry_id in withdrawn else "", _DOUBT)
        text.append(f"  {about(entry)}, {plain(entry.hot_list_name)}")
        text.append(
            f", record {plain(entry.record_number or '-')}{Text.from_markup(listing(entry, now)).plain}"
        )
        vehicle = entry.vehicle
        parts = (vehicle.year, vehicle.color, vehicle.make, vehicle.model, vehicle.style)
        text.append(f", {' '.join(plain(part) for part in parts if part)}" if any(parts) else "").append("\n")
    return text.append(f"alert  {plain(alert.alert_id)}", "dim")


def link_text(state: LinkState, quiet_seconds: float) -> Text:
    """How fresh the board is. `quiet_seconds` is the time since the last message, a heartbeat perhaps."""
    if state is LinkState.LIVE and quiet_seconds < _FRESH_SECONDS:
        return Text(" LIVE ", "bold black on green")
    words = "CONNECTING" if state is LinkState.CONNECTING else "LINK LOST"
    quiet = f" {duration(timedelta(seconds=quiet_seconds))}" if quiet_seconds >= 1 else ""
    return Text(f" {words}{quiet} ", "bold white on red")


def head(
    link: Text, counts: Counts, now: datetime, *, sound_on: bool, silent: Sequence[str], on_way: int
) -> Text:
    """The first line of the board."""
    text = Text().append_text(link).append(f"  {now:%H:%M:%S} UTC  {counts.open} open")
    if counts.urgent_unseen:
        text.append("  ").append(f" {counts.urgent_unseen} URGENT UNSEEN ", "bold white on red")
    text.append("  ")
    if not sound_on:
        text.append(" SOUND OFF ", "bold white on red")
    elif silent:
        text.append(f"no sound: {', '.join(silent)}", "dim")
    if on_way:
        text.append("  ").append(f"{on_way} being sent", "bold cyan")
    return text
