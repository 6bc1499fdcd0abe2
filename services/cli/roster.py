"""`platewarden roster`: who has left, by the personnel office's file, and out within a day."""

import csv
import hashlib
import io
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from alpr.audit.v1 import roster_service_pb2 as pb
from alpr.audit.v1 import roster_service_pb2_grpc as rpc
from services.cli.account import stamp
from services.cli.hotlist import parse_moment
from services.cli.locate import CommandError
from services.cli.options import DATA_DIR, As, DataDir, Json, new_request_id, run_signed_in
from services.cli.output import Output
from services.cli.session import Session

app = typer.Typer(no_args_is_help=True, help="The personnel office's roster: compare, leavers, end.")
COLUMN = "badge_number"


@app.command()
def compare(
    file: Annotated[
        Path,
        typer.Argument(exists=True, dir_okay=False, help=f"CSV in UTF-8 with a column {COLUMN}."),
    ],
    as_of: Annotated[
        str, typer.Option("--as-of", help="Of when the file is, as 2026-12-01T00:00Z; now otherwise.")
    ] = "",
    subject: As = "",
    data_dir: DataDir = DATA_DIR,
    as_json: Json = False,
) -> None:
    """Says who has an account and is not in the file. Nothing is ended; names in the file stay here."""

    async def work(session: Session, output: Output) -> None:
        content = file.read_bytes()
        request = pb.SubmitRosterRequest(
            request_id=new_request_id(),
            badge_numbers=badge_numbers(content),
            sha256=hashlib.sha256(content).digest(),
            as_of_time=parse_moment(as_of) if as_of else stamp(datetime.now(UTC)),
        )
        _table((await session.call(_stub(session).SubmitRoster, request)).leavers, output)

    run_signed_in(work, data_dir=data_dir, subject=subject, as_json=as_json)


@app.command()
def leavers(subject: As = "", data_dir: DataDir = DATA_DIR, as_json: Json = False) -> None:
    """Leavers whose accounts may still be used."""

    async def work(session: Session, output: Output) -> None:
        _table((await session.call(_stub(session).ListLeavers, pb.ListLeaversRequest())).leavers, output)

    run_signed_in(work, data_dir=data_dir, subject=subject, as_json=as_json)


@app.command("end")
def end_leavers(
    number: Annotated[int, typer.Option("--leavers", min=1, help="How many `leavers` showed, at most.")],
    subject: As = "",
    data_dir: DataDir = DATA_DIR,
    as_json: Json = False,
) -> None:
    """Ends the accounts of all leavers at once, each by an act of its own in the log."""

    async def work(session: Session, output: Output) -> None:
        request = pb.EndLeaversRequest(request_id=new_request_id(), leavers=number)
        done = await session.call(_stub(session).EndLeavers, request)
        left = f"; still open: {len(done.left_open)}" if done.left_open else ""
        output.result(done, f"{len(done.ended_account_ids)} accounts are ended{left}")

    run_signed_in(work, data_dir=data_dir, subject=subject, as_json=as_json)


def badge_numbers(content: bytes) -> list[str]:
    """The badge numbers of the file, in its order.

    Raises:
        CommandError: It is no CSV with that column, or a row has none.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise CommandError("the roster is not UTF-8") from None
    rows = csv.DictReader(io.StringIO(text, newline=""))
    if COLUMN not in (rows.fieldnames or ()):
        msg = f"the roster needs a first line with the column {COLUMN}"
        raise CommandError(msg)
    found = []
    for row in rows:
        number = (row[COLUMN] or "").strip()
        if not number:
            msg = f"line {rows.line_num} of the roster has no {COLUMN}"
            raise CommandError(msg)
        found.append(number)
    return found


def _table(found: list[pb.Leaver], output: Output) -> None:
    rows = ((one.full_name, one.account_id, one.unit, one.since_time.ToJsonString()) for one in found)
    output.table(found, ("name", "account", "unit", "since"), rows)


def _stub(session: Session) -> rpc.RosterServiceStub:
    return rpc.RosterServiceStub(session.channel("audit"))
