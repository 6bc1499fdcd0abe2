"""`platewarden watch`: alerts as they come, for a dispatcher's terminal."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer
from rich.markup import escape

from alpr.alerts.v1 import alert_service_pb2 as pb
from alpr.alerts.v1 import alert_service_pb2_grpc as rpc
from alpr.type.v1 import hit_pb2
from alpr.type.v1.error_reason_pb2 import ErrorReason
from services.cli.options import DATA_DIR, As, DataDir, Json, run_signed_in
from services.cli.output import Output
from services.cli.session import Session, is_passing
from services.cli.words import CATEGORY, MATCH_LABEL, WARNING
from services.common.errors import AlprError

_PAUSE_SECONDS = 0.5
# A personal stream ends with its token, and a fresh token is a new sign-in; a slow subscriber resumes.
_RESUMABLE = frozenset({ErrorReason.ERROR_REASON_ENTITLEMENT_ENDED, ErrorReason.ERROR_REASON_SLOW_SUBSCRIBER})


def watch(
    subject: As = "",
    category: Annotated[
        list[str] | None,
        typer.Option("--category", help="Besides felony, stolen, AMBER and SILVER; may be repeated."),
    ] = None,
    resume: Annotated[str, typer.Option("--resume", help="Go on after this token.")] = "",
    count: Annotated[
        int, typer.Option("--count", min=0, help="Stop after so many alerts; 0 means never.")
    ] = 0,
    data_dir: DataDir = DATA_DIR,
    as_json: Json = False,
) -> None:
    """Alerts of your agency as they are raised. Goes on after a break where it stopped."""

    async def work(session: Session, output: Output) -> None:
        categories = [CATEGORY.number(text) for text in category or ()]
        seen = 0
        async for message in alerts(session, resume, categories, output):
            if message.WhichOneof("event") == "heartbeat":
                continue
            show(message, output)
            seen += 1
            if seen == count:
                return

    run_signed_in(work, data_dir=data_dir, subject=subject, as_json=as_json)


async def alerts(
    session: Session, resume: str, categories: list[hit_pb2.HotListCategory.ValueType], output: Output
) -> AsyncIterator[pb.SubscribeAlertsResponse]:
    """Messages of the feed without end; a broken stream is taken up again with the last token.

    Raises:
        AlprError: The feed ended for a reason that trying again does not mend.
    """
    stub = rpc.AlertServiceStub(session.channel("alerts"))
    while True:
        request = pb.SubscribeAlertsRequest(resume_token=resume, categories=categories)
        try:
            async for message in session.stream(stub.SubscribeAlerts, request):
                resume = message.resume_token
                yield message
        except AlprError as error:
            if not (is_passing(error) or error.reason in _RESUMABLE):
                raise
            output.note("The stream broke; going on where it stopped")
        await asyncio.sleep(_PAUSE_SECONDS)


def show(message: pb.SubscribeAlertsResponse, output: Output) -> None:
    """Prints an alert: reasons to doubt and UNVERIFIED first, sound for urgent ones."""
    if output.as_json:
        output.json_line(message)
        return
    fresh = message.WhichOneof("event") == "raised"
    alert = message.raised if fresh else message.updated
    for line in alert_lines(alert, fresh=fresh):
        output.console.print(line)
    if fresh and alert.severity == pb.SEVERITY_URGENT and output.console.is_terminal:
        output.console.bell()


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
        parts.append(f"entered {escape(entry.entry_date)}")
    return "".join(f", {part}" for part in parts)


def alert_lines(alert: pb.Alert, *, fresh: bool) -> list[str]:
    """The alert in a few lines of rich markup; warnings stand first."""
    entry = alert.entries[0]
    category = CATEGORY.word(entry.category).replace("-", " ").upper()
    age = datetime.now(UTC) - alert.capture_time.ToDatetime(UTC)
    place = alert.place.description or f"{alert.place.latitude:.5f}, {alert.place.longitude:.5f}"
    doubts = [WARNING.word(w).replace("-", " ").upper() for w in alert.warnings]
    return [
        f"[bold white on red] {'ALERT' if fresh else 'UPDATE'} [/] [bold]{escape(alert.plate)}[/]"
        f"{' ' + escape(alert.state) if alert.state else ''}  [bold]{category}[/]"
        f"  {escape(entry.hot_list_name)}" + (f"  [bold yellow]{', '.join(doubts)}[/]" if doubts else ""),
        f"  [bold yellow]{escape(alert.notice.text)}[/]",
        f"  listed {escape(entry.plate)} {escape(entry.state)}, record {escape(entry.record_number or '-')}, "
        f"match {alert.match_probability:.0%}{listing(entry, datetime.now(UTC))}",
        f"  {escape(place)}, captured {max(0, int(age.total_seconds()))} s ago by {escape(alert.sensor_id)}"
        f"  [dim]alert {alert.alert_id}[/]",
    ]
