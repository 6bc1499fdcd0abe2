"""`platewarden hold`: legal holds, and what they keep."""

import hashlib
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Column

from alpr.search.v1 import retention_service_pb2 as pb
from alpr.search.v1 import retention_service_pb2_grpc as rpc
from services.cli.locate import CommandError
from services.cli.options import DATA_DIR, As, DataDir, Json, new_request_id, run_signed_in
from services.cli.output import Output, message_to_dict
from services.cli.question import Asked, Window, show_notice, show_record, with_options
from services.cli.search import COLUMNS, row
from services.cli.session import Session
from services.cli.subscription import MotorCarrier, partition

app = typer.Typer(
    no_args_is_help=True, help="Legal holds: reads that outlive the retention period, for a case."
)
HoldId = Annotated[str, typer.Argument(help="Id of the hold; `platewarden hold list` shows it.")]
_COLUMNS = tuple(
    Column(name, overflow="fold")
    for name in ("hold", "case", "from", "to", "plates", "sensors", "kept", "state")
)
_ENDINGS = {"image/jpeg": "jpg", "image/png": "png"}


@app.command()
@with_options
def place(
    asked: Asked,
    window: Window,
    document: Annotated[
        Path,
        typer.Option(
            "--document", help="The order or preservation letter; only its SHA-256 is kept.", exists=True
        ),
    ],
    reason: Annotated[str, typer.Option("--reason", help="What it is for, no names.")],
    plates: Annotated[
        list[str] | None, typer.Option("--plate", help="Plate, exactly; may be repeated.")
    ] = None,
    sensors: Annotated[
        list[str] | None, typer.Option("--sensor", help="Id of a sensor; may be repeated.")
    ] = None,
    motor_carrier: MotorCarrier = False,
) -> None:
    """Places a hold; for statewide coordinators. It covers reads of your agency from --from to --to."""

    async def work(session: Session, output: Output) -> None:
        if window.since is None:
            raise CommandError("say from when reads are held: --from 2026-09-01")
        request = pb.PlaceHoldRequest(
            request_id=new_request_id(),
            justification=asked.justification(),
            plates=plates or [],
            sensor_ids=sensors or [],
            document_sha256=hashlib.sha256(document.read_bytes()).digest(),
            reason=reason,
            partition=partition(motor_carrier),
        )
        window.set_in(request)
        if not request.HasField("to"):
            request.to.FromDatetime(datetime.now(UTC))
        answer = await session.call(_stub(session).PlaceHold, request)
        held = f"{answer.hold.matching_reads} read(s) now"
        output.result(
            answer,
            f"Hold [bold]{answer.hold.hold_id}[/] is in force; it covers {held}. "
            f"Log entry {answer.intent_receipt.log_index}",
        )

    asked.run(work)


@app.command()
def release(
    hold_id: HoldId,
    reason: Annotated[str, typer.Option("--reason", help="Why.")],
    subject: As = "",
    data_dir: DataDir = DATA_DIR,
    as_json: Json = False,
    motor_carrier: MotorCarrier = False,
) -> None:
    """Releases a hold; what it kept is gone at once. For statewide coordinators."""

    async def work(session: Session, output: Output) -> None:
        request = pb.ReleaseHoldRequest(
            request_id=new_request_id(),
            hold_id=hold_id,
            reason=reason,
            partition=partition(motor_carrier),
        )
        answer = await session.call(_stub(session).ReleaseHold, request)
        sentence = f"Released; {answer.released_reads} read(s) that it kept are gone"
        output.result(answer, f"{sentence}. Log entry {answer.outcome_receipt.log_index}")

    run_signed_in(work, data_dir=data_dir, subject=subject, as_json=as_json)


@app.command("list")
def list_holds(
    limit: Annotated[int, typer.Option("--limit", min=1, max=500, help="Most holds of a page.")] = 100,
    page: Annotated[str, typer.Option("--page", help="Token of the next page.")] = "",
    subject: As = "",
    data_dir: DataDir = DATA_DIR,
    as_json: Json = False,
    motor_carrier: MotorCarrier = False,
) -> None:
    """The holds of your agency."""

    async def work(session: Session, output: Output) -> None:
        request = pb.ListHoldsRequest(
            page_size=limit,
            page_token=page,
            partition=partition(motor_carrier),
        )
        answer = await session.call(_stub(session).ListHolds, request)
        output.table(answer.holds, _COLUMNS, map(_hold_row, answer.holds))
        if answer.next_page_token:
            output.note(f"more: --page {answer.next_page_token}")

    run_signed_in(work, data_dir=data_dir, subject=subject, as_json=as_json)


@app.command()
@with_options
def reads(
    hold_id: HoldId,
    asked: Asked,
    limit: Annotated[int, typer.Option("--limit", min=1, max=1000, help="Most reads.")] = 100,
    after: Annotated[str, typer.Option("--after", help="Only reads after this read id.")] = "",
    motor_carrier: MotorCarrier = False,
) -> None:
    """Reads that the hold keeps now that their days are purged."""

    async def work(session: Session, output: Output) -> None:
        request = pb.ListHeldReadsRequest(
            request_id=new_request_id(),
            justification=asked.justification(),
            hold_id=hold_id,
            page_size=limit,
            after_read_id=after,
            partition=partition(motor_carrier),
        )
        answer: pb.ListHeldReadsResponse = await session.call(_stub(session).ListHeldReads, request)
        asked.keep_receipts(answer)
        if output.as_json:
            output.json_line(answer)
            return
        show_notice(answer, output)
        output.table(answer.reads, COLUMNS, map(row, answer.reads))
        show_record(answer, f"{len(answer.reads)} read(s)", output)
        if answer.has_more:
            output.note(f"more: --after {answer.reads[-1].read.read_id}")

    asked.run(work)


@app.command()
@with_options
def image(
    hold_id: HoldId,
    read_id: Annotated[str, typer.Argument(help="Id of the read.")],
    asked: Asked,
    out: Annotated[Path, typer.Option("--out", help="Folder for the picture; made when it is missing.")],
    motor_carrier: MotorCarrier = False,
) -> None:
    """The picture of a held read, as the sensor sent it."""

    async def work(session: Session, output: Output) -> None:
        request = pb.GetHeldReadImageRequest(
            request_id=new_request_id(),
            justification=asked.justification(),
            hold_id=hold_id,
            read_id=read_id,
            partition=partition(motor_carrier),
        )
        answer: pb.GetHeldReadImageResponse = await session.call(_stub(session).GetHeldReadImage, request)
        asked.keep_receipts(answer)
        out.mkdir(parents=True, exist_ok=True)
        path = out / f"{read_id}.{_ENDINGS.get(answer.media_type, 'bin')}"
        path.write_bytes(answer.image)
        if output.as_json:
            answer.ClearField("image")
            output.json_line(message_to_dict(answer) | {"files": [str(path)]})
            return
        show_notice(answer, output)
        output.say(str(path))
        show_record(answer, "1 picture", output)

    asked.run(work)


def _hold_row(one: pb.Hold) -> tuple[str, ...]:
    released = one.HasField("release_time")
    return (
        one.hold_id,
        one.case_number,
        f"{getattr(one, 'from').ToDatetime():%Y-%m-%d %H:%M}",
        f"{one.to.ToDatetime():%Y-%m-%d %H:%M}",
        str(one.plate_count or "-"),
        " ".join(one.sensor_ids) or "-",
        str(one.released_reads if released else one.kept_reads),
        "released" if released else "in force",
    )


def _stub(session: Session) -> rpc.RetentionServiceStub:
    return rpc.RetentionServiceStub(session.channel("search"))
