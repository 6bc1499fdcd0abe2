"""`platewarden retention`: how long reads are kept, and how they ended."""

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Column

from alpr.audit.v1 import settings_service_pb2 as settings_pb
from alpr.audit.v1 import settings_service_pb2_grpc as settings_rpc
from alpr.search.v1 import retention_service_pb2 as pb
from alpr.search.v1 import retention_service_pb2_grpc as rpc
from services.cli.locate import CommandError
from services.cli.options import DATA_DIR, As, DataDir, Json, new_request_id, run_signed_in
from services.cli.output import Output
from services.cli.question import write_receipt
from services.cli.session import Session

app = typer.Typer(no_args_is_help=True, help="How long reads are kept, and how they ended.")
_SHOWN = ("reads", "images", "held_reads", "evidence_packages", "backups_until")


@app.command()
def show(subject: As = "", data_dir: DataDir = DATA_DIR, as_json: Json = False) -> None:
    """How long reads are kept, and what the policy pack allows."""

    async def work(session: Session, output: Output) -> None:
        now = await _now(session)
        output.result(now, _sentence(now))

    run_signed_in(work, data_dir=data_dir, subject=subject, as_json=as_json)


@app.command("set")
def set_days(
    days: Annotated[int, typer.Argument(help="Days that reads are kept from now on.")],
    reason: Annotated[str, typer.Option("--reason", help="Why; it stands in the log.")],
    confirm: Annotated[
        int, typer.Option("--confirm", help="To keep less than now: the days once more. Asked for otherwise.")
    ] = 0,
    subject: As = "",
    data_dir: DataDir = DATA_DIR,
    as_json: Json = False,
) -> None:
    """Changes how long reads are kept; for system administrators. What is then too old is gone for good."""

    async def work(session: Session, output: Output) -> None:
        before = (await _now(session)).days
        request = settings_pb.SetRetentionRequest(
            request_id=new_request_id(), days=days, days_before=before, reason=reason, confirm_days=confirm
        )
        if days < before and not confirm and not as_json:
            request.confirm_days = _confirmed(days, before)
        answer = await session.call(_settings(session).SetRetention, request)
        output.result(answer, _sentence(answer.retention))

    run_signed_in(work, data_dir=data_dir, subject=subject, as_json=as_json)


@app.command()
def purges(
    limit: Annotated[int, typer.Option("--limit", min=1, max=500, help="Most purges of a page.")] = 100,
    page: Annotated[str, typer.Option("--page", help="Token of the next page.")] = "",
    day: Annotated[
        str, typer.Option("--day", help="Only of this day, as 2026-08-27, with its whole certificate.")
    ] = "",
    receipts: Annotated[
        Path | None,
        typer.Option("--receipts", help="Write the receipts of the certificates into this folder."),
    ] = None,
    subject: As = "",
    data_dir: DataDir = DATA_DIR,
    as_json: Json = False,
) -> None:
    """Which days were purged, with their certificates, newest first."""

    async def work(session: Session, output: Output) -> None:
        stub = _retention(session)
        answer = await session.call(stub.ListPurges, pb.ListPurgesRequest(page_size=limit, page_token=page))
        found = [one for one in answer.purges if day in ("", one.day)]
        if receipts is not None:
            for one in found:
                write_receipt(one.outcome_receipt, receipts / f"purge-{one.day}-{one.purge_id[:8]}.json")
        if day and not as_json:
            for one in found:
                for name, value in sorted(one.certificate.items()):
                    output.say(f"[bold]{name}[/] {value}")
            return
        names = ("day", "result", *_SHOWN, "log entry")
        columns = [Column(name.replace("_", " "), overflow="fold") for name in names]
        rows = ((one.day, "purged" if one.done else "given up", *_numbers(one)) for one in found)
        output.table(found, columns, rows)
        if answer.next_page_token:
            output.note(f"more: --page {answer.next_page_token}")

    run_signed_in(work, data_dir=data_dir, subject=subject, as_json=as_json)


@app.command()
def purge(subject: As = "", data_dir: DataDir = DATA_DIR, as_json: Json = False) -> None:
    """Purges now what is over, instead of with the daily run; for system administrators."""

    async def work(session: Session, output: Output) -> None:
        request = pb.RunPurgeRequest(request_id=new_request_id())
        answer = await session.call(_retention(session).RunPurge, request)
        done = "Purging goes on" if answer.under_way else f"{answer.days} day(s) purged"
        output.result(answer, f"{done}; `platewarden retention purges` shows them")

    run_signed_in(work, data_dir=data_dir, subject=subject, as_json=as_json)


def _confirmed(days: int, before: int) -> int:
    """The days that the person types once more."""
    typer.echo(
        f"Reads are kept {before} days. With {days}, every read that is older is out of reach at once, and "
        "the next daily purge deletes it for good; a longer period later does not bring it back.",
        err=True,
    )
    typed: int = typer.prompt("Type the new number of days to confirm", type=int, err=True)
    if typed != days:
        raise CommandError("that is another number; nothing was changed")
    return typed


def _numbers(one: pb.Purge) -> tuple[str, ...]:
    index = str(one.outcome_receipt.log_index) if one.HasField("outcome_receipt") else "-"
    return (*(one.certificate.get(name, "-") for name in _SHOWN), index)


async def _now(session: Session) -> settings_pb.Retention:
    answer: settings_pb.GetRetentionResponse = await session.call(
        _settings(session).GetRetention, settings_pb.GetRetentionRequest()
    )
    return answer.retention


def _sentence(now: settings_pb.Retention) -> str:
    pack = now.pack
    return (
        f"Reads are kept [bold]{now.days}[/] days ({pack.name}: {pack.least_days} to {pack.most_days}); "
        f"records series: {pack.records_series}"
    )


def _settings(session: Session) -> settings_rpc.SettingsServiceStub:
    return settings_rpc.SettingsServiceStub(session.channel("audit"))


def _retention(session: Session) -> rpc.RetentionServiceStub:
    return rpc.RetentionServiceStub(session.channel("search"))
