"""Alerts as lines: for a program, a file, or a terminal that is read by a machine."""

from datetime import UTC, datetime, timedelta

from google.protobuf.timestamp_pb2 import Timestamp
from rich.markup import escape

from alpr.alerts.v1 import alert_service_pb2 as pb
from alpr.type.v1 import hit_pb2
from platewarden_client import AlertEvent, EventKind, Gap
from services.cli.output import Output, message_to_dict
from services.cli.words import CATEGORY, DISPOSITION, ESCALATION_KIND, MATCH_LABEL, VERIFICATION, WARNING


def show(event: AlertEvent | Gap, output: Output) -> None:
    """Prints an event: reasons to doubt and UNVERIFIED first, sound for urgent ones."""
    if isinstance(event, Gap):
        _show_gap(event, output)
        return
    if output.as_json:
        said = {"event": event.kind.value, "alert": message_to_dict(event.alert), "quiet": event.quiet}
        output.json_line(said)
        return
    fresh = event.kind is EventKind.RAISED
    for line in alert_lines(event.alert, fresh=fresh):
        output.console.print(line)
    if fresh and event.alert.severity == pb.SEVERITY_URGENT and output.console.is_terminal:
        output.console.bell()


def _show_gap(gap: Gap, output: Output) -> None:
    since = gap.since.isoformat(timespec="seconds")
    if output.as_json:
        output.json_line({"event": "gap", "since": since, "reason": gap.reason})
    else:
        output.note(f"Alerts may be missing here; it goes on with those of {since}")


def plain(text: str) -> str:
    """`text` without what a terminal would obey or that would change the order of what is read: control
    characters, escape sequences, marks of direction.
    """
    return "".join(one if one.isprintable() else "�" for one in text)


def listing(entry: hit_pb2.MatchedEntry, now: datetime) -> str:
    """How the plate is like the listed one and how old list and entry are, as far as that is known."""
    parts = []
    if entry.match_grade == hit_pb2.MATCH_GRADE_CHECK:
        parts.append("to check only")
    if entry.match_label:
        parts.append(MATCH_LABEL.word(entry.match_label))
    if entry.HasField("list_time"):
        parts.append(f"list of {(now - entry.list_time.ToDatetime(UTC)) // timedelta(hours=1)} h ago")
    if entry.entry_date:
        parts.append(f"entered {_safe(entry.entry_date)}")
    return "".join(f", {part}" for part in parts)


def doubts(alert: pb.Alert) -> list[str]:
    """The reasons to doubt, in capitals."""
    return [WARNING.word(warning).replace("-", " ").upper() for warning in alert.warnings]


def about(entry: hit_pb2.MatchedEntry) -> str:
    """What the entry is about, in capitals."""
    return CATEGORY.word(entry.category).replace("-", " ").upper()


def place_of(alert: pb.Alert) -> str:
    """Where it was, in words where there are some."""
    place = alert.place
    return plain(place.description) or f"{place.latitude:.5f}, {place.longitude:.5f}"


def seconds_since_capture(alert: pb.Alert, now: datetime) -> int:
    """How long ago the camera saw it; 0 when that is later than `now` by this machine's clock."""
    return max(0, int((now - alert.capture_time.ToDatetime(UTC)).total_seconds()))


def alert_lines(alert: pb.Alert, *, fresh: bool) -> list[str]:
    """The alert in a few lines of rich markup; warnings stand first."""
    entry, now = alert.entries[0], datetime.now(UTC)
    doubtful = ", ".join(doubts(alert))
    return [
        f"[bold white on red] {'ALERT' if fresh else 'UPDATE'} [/] [bold]{_safe(alert.plate)}[/]"
        f"{' ' + _safe(alert.state) if alert.state else ''}  [bold]{about(entry)}[/]"
        f"  {_safe(entry.hot_list_name)}" + (f"  [bold yellow]{doubtful}[/]" if doubtful else ""),
        f"  [bold yellow]{_safe(alert.notice.text)}[/]",
        f"  listed {_safe(entry.plate)} {_safe(entry.state)}, record {_safe(entry.record_number or '-')}, "
        f"match {alert.match_probability:.0%}{listing(entry, now)}",
        f"  {escape(place_of(alert))}, captured {seconds_since_capture(alert, now)} s ago by "
        f"{_safe(alert.sensor_id)}  [dim]alert {_safe(alert.alert_id)}[/]",
        *(f"  {line}" for line in waiting(alert, now)),
    ]


def step_line(step: pb.AlertStep) -> str:
    """One thing somebody did: when, what, and who recorded it; no markup."""
    who = ("the telecommunication centre, " if step.by_telecom_center else "") + plain(step.account_id)
    return f"{step.step_time.ToDatetime(UTC):%H:%M:%S} UTC  {_done(step)}  recorded by {who}"


def _done(step: pb.AlertStep) -> str:
    if not step.disposition:
        answer = f" ({plain(step.system)}, {plain(step.response_id)})" if step.system else ""
        return VERIFICATION.word(step.verification_state) + answer
    report = f", report {plain(step.report_number)}" if step.report_number else ""
    teller = f", reported by {plain(step.reported_by)}" if step.reported_by else ""
    return DISPOSITION.word(step.disposition) + report + teller


def waiting(alert: pb.Alert, now: datetime) -> list[str]:
    """What is to be done about the alert until when, and what was not done in time."""
    lines = []
    if alert.HasField("acknowledge_by"):
        lines.append(f"to be acknowledged by the centre {_left(alert.acknowledge_by, now)}")
    if alert.HasField("verify_by"):
        lines.append(f"to be verified {_left(alert.verify_by, now)}")
    for late in alert.escalations:
        word = ESCALATION_KIND.word(late.kind).replace("-", " ")
        lines.append(f"[bold red]ESCALATED[/] {late.escalate_time.ToDatetime(UTC):%H:%M:%S} UTC: {word}")
    return lines


def _left(until: Timestamp, now: datetime) -> str:
    left = int((until.ToDatetime(UTC) - now).total_seconds())
    return f"within {left} s" if left >= 0 else f"[bold red]{-left} s ago[/]"


def _safe(text: str) -> str:
    return escape(plain(text))
