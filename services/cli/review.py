"""`platewarden review` and `packet`: what may be misuse, what was found, and what a unit did in a week."""

import csv
import io
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from alpr.audit.v1 import packet_service_pb2 as packet_pb
from alpr.audit.v1 import packet_service_pb2_grpc as packet_rpc
from alpr.audit.v1 import review_service_pb2 as pb
from alpr.audit.v1 import review_service_pb2_grpc as rpc
from services.cli.options import DATA_DIR, As, DataDir, Json, new_request_id, run_signed_in
from services.cli.output import Output, folded
from services.cli.packet_page import PACKET_COLUMNS, packet_page, packet_rows
from services.cli.session import Session
from services.cli.words import MISUSE_RULE, REVIEW_FINDING

app = typer.Typer(
    no_args_is_help=True, help="Reviews of what may be misuse: list, open, take, close, sign, own."
)
packet_app = typer.Typer(no_args_is_help=True, help="Weekly packets of a unit: show, sign.")
ReviewId = Annotated[str, typer.Argument(help="Its id.")]
Unit = Annotated[str, typer.Option("--unit", help="The unit; one's own when left out.")]
Week = Annotated[str, typer.Option("--week", help="A Monday, as 2026-11-23; the last week when left out.")]


@app.command("list")
def list_reviews(
    open_only: Annotated[bool, typer.Option("--open", help="Only what is not closed.")] = False,
    subject: As = "",
    data_dir: DataDir = DATA_DIR,
    as_json: Json = False,
) -> None:
    """The reviews, newest first, with what raised them."""

    async def work(session: Session, output: Output) -> None:
        request = pb.ListReviewsRequest(page_size=200, open_only=open_only)
        found = (await session.call(_reviews(session).ListReviews, request)).reviews
        rows = (
            (
                one.open_time.ToJsonString(),
                one.full_name,
                one.unit,
                ", ".join(map(_flag, one.flags)) or one.reason,
                _state(one),
                one.review_id,
            )
            for one in found
        )
        output.table(found, folded("opened", "person", "unit", "because", "state", "id"), rows)

    run_signed_in(work, data_dir=data_dir, subject=subject, as_json=as_json)


@app.command("open")
def open_review(
    account_id: Annotated[str, typer.Argument(help="The person's account.")],
    reason: Annotated[str, typer.Option("--reason", help="Why, without plates and names.")],
    subject: As = "",
    data_dir: DataDir = DATA_DIR,
    as_json: Json = False,
) -> None:
    """Opens a review for another reason than a flag."""

    async def work(session: Session, output: Output) -> None:
        request = pb.OpenReviewRequest(request_id=new_request_id(), account_id=account_id, reason=reason)
        _say(output, await session.call(_reviews(session).OpenReview, request))

    run_signed_in(work, data_dir=data_dir, subject=subject, as_json=as_json)


@app.command()
def take(review_id: ReviewId, subject: As = "", data_dir: DataDir = DATA_DIR, as_json: Json = False) -> None:
    """Takes a review upon oneself."""

    async def work(session: Session, output: Output) -> None:
        request = pb.TakeReviewRequest(request_id=new_request_id(), review_id=review_id)
        _say(output, await session.call(_reviews(session).TakeReview, request))

    run_signed_in(work, data_dir=data_dir, subject=subject, as_json=as_json)


@app.command("close")
def close_review(
    review_id: ReviewId,
    finding: Annotated[str, typer.Argument(help="explained, mistake or misuse.")],
    explanation: Annotated[str, typer.Option("--because", help="Why, without plates and names.")],
    sanction: Annotated[
        str, typer.Option("--sanction", help="Where the sanction is on file; for misuse.")
    ] = "",
    subject: As = "",
    data_dir: DataDir = DATA_DIR,
    as_json: Json = False,
) -> None:
    """States what was found; somebody else signs it."""

    async def work(session: Session, output: Output) -> None:
        request = pb.CloseReviewRequest(
            request_id=new_request_id(),
            review_id=review_id,
            finding=REVIEW_FINDING.number(finding),
            explanation=explanation,
            sanction_reference=sanction,
        )
        _say(output, await session.call(_reviews(session).CloseReview, request))

    run_signed_in(work, data_dir=data_dir, subject=subject, as_json=as_json)


@app.command("sign")
def sign_review(
    review_id: ReviewId, subject: As = "", data_dir: DataDir = DATA_DIR, as_json: Json = False
) -> None:
    """Signs what somebody else found, which closes the review."""

    async def work(session: Session, output: Output) -> None:
        request = pb.SignReviewRequest(request_id=new_request_id(), review_id=review_id)
        _say(output, await session.call(_reviews(session).SignReview, request))

    run_signed_in(work, data_dir=data_dir, subject=subject, as_json=as_json)


@app.command()
def own(subject: As = "", data_dir: DataDir = DATA_DIR, as_json: Json = False) -> None:
    """The closed reviews of oneself."""

    async def work(session: Session, output: Output) -> None:
        found = (await session.call(_reviews(session).ListOwnReviews, pb.ListOwnReviewsRequest())).reviews
        rows = (
            (
                one.close_time.ToJsonString(),
                REVIEW_FINDING.word(one.finding),
                ", ".join(map(MISUSE_RULE.word, one.rules)),
            )
            for one in found
        )
        output.table(found, ("closed", "finding", "rules"), rows)

    run_signed_in(work, data_dir=data_dir, subject=subject, as_json=as_json)


@packet_app.command()
def show(
    unit: Unit = "",
    week: Week = "",
    html: Annotated[Path | None, typer.Option("--html", help="Writes it as a page.")] = None,
    csv_file: Annotated[Path | None, typer.Option("--csv", help="Writes it as a table.")] = None,
    subject: As = "",
    data_dir: DataDir = DATA_DIR,
    as_json: Json = False,
) -> None:
    """What a unit's people did in a week, and what was flagged."""

    async def work(session: Session, output: Output) -> None:
        packet = await _packet(session, unit, week)
        if html:
            html.write_text(packet_page(packet), encoding="utf-8")
        if csv_file:
            csv_file.write_text(_csv(packet), encoding="utf-8", newline="")
        output.table([packet], PACKET_COLUMNS, packet_rows(packet))
        if not as_json:
            output.note(f"unit {packet.unit}, week {packet.week}, {_signed(packet)}")

    run_signed_in(work, data_dir=data_dir, subject=subject, as_json=as_json)


@packet_app.command("sign")
def sign_packet(
    unit: Unit = "", week: Week = "", subject: As = "", data_dir: DataDir = DATA_DIR, as_json: Json = False
) -> None:
    """Shows the packet of a unit and signs what was shown."""

    async def work(session: Session, output: Output) -> None:
        packet = await _packet(session, unit, week)
        output.table([packet], PACKET_COLUMNS, packet_rows(packet))
        request = packet_pb.SignWeeklyPacketRequest(
            request_id=new_request_id(), unit=packet.unit, week=packet.week, sha256=packet.sha256
        )
        answer = await session.call(_packets(session).SignWeeklyPacket, request)
        output.result(answer, f"unit {escape(packet.unit)}, week {packet.week}: {_signed(answer.packet)}")

    run_signed_in(work, data_dir=data_dir, subject=subject, as_json=as_json)


async def _packet(session: Session, unit: str, week: str) -> packet_pb.WeeklyPacket:
    today = datetime.now(UTC).date()
    last = today - timedelta(days=today.weekday() + 7)
    request = packet_pb.GetWeeklyPacketRequest(unit=unit, week=week or last.isoformat())
    found: packet_pb.WeeklyPacket = (await session.call(_packets(session).GetWeeklyPacket, request)).packet
    return found


def _csv(packet: packet_pb.WeeklyPacket) -> str:
    written = io.StringIO()
    table = csv.writer(written)
    table.writerow(("unit", "week", *PACKET_COLUMNS))
    table.writerows((packet.unit, packet.week, *row) for row in packet_rows(packet))
    return written.getvalue()


def _say(output: Output, answer: pb.OpenReviewResponse) -> None:
    output.result(answer, f"review {answer.review.review_id} is {_state(answer.review)}")


def _state(one: pb.Review) -> str:
    if one.HasField("close_time"):
        return f"closed: {REVIEW_FINDING.word(one.finding)}"
    if one.finding:
        return f"to be signed: {REVIEW_FINDING.word(one.finding)}"
    state = "taken" if one.reviewer_account_id else "open"
    return f"{state}, overdue" if one.overdue else state


def _flag(one: pb.MisuseFlag) -> str:
    counted = f" ({' '.join(one.evidence)})" if one.evidence else ""
    return f"{MISUSE_RULE.word(one.rule)}{counted}"


def _signed(packet: packet_pb.WeeklyPacket) -> str:
    if packet.HasField("sign_time"):
        return f"signed {packet.sign_time.ToJsonString()}"
    return "overdue" if packet.overdue else "not signed"


def _reviews(session: Session) -> rpc.ReviewServiceStub:
    return rpc.ReviewServiceStub(session.channel("audit"))


def _packets(session: Session) -> packet_rpc.PacketServiceStub:
    return packet_rpc.PacketServiceStub(session.channel("audit"))
