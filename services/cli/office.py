"""`platewarden office`: who is statewide coordinator, and how the office goes on (ENF-051 III.A)."""

import hashlib
import sys
from pathlib import Path
from typing import Annotated

import typer

from alpr.audit.v1 import office_service_pb2 as pb
from alpr.audit.v1 import office_service_pb2_grpc as rpc
from services.audit import succession
from services.cli.locate import CommandError, founding_environment, read_stack
from services.cli.options import (
    DATA_DIR,
    EXIT_COMMAND,
    As,
    DataDir,
    Json,
    new_request_id,
    run_signed_in,
)
from services.cli.output import Output
from services.cli.session import Session

app = typer.Typer(no_args_is_help=True, help="The statewide coordinator's office: show, offer, accept, fill.")
AccountId = Annotated[str, typer.Argument(help="Account of the successor.")]
Official = Annotated[str, typer.Option("--official", help="Who designates the successor, with title.")]
Document = Annotated[
    Path, typer.Option("--document", exists=True, dir_okay=False, help="The designating document.")
]


@app.command()
def show(subject: As = "", data_dir: DataDir = DATA_DIR, as_json: Json = False) -> None:
    """Who holds the office of your agency, and to whom it is offered."""

    async def work(session: Session, output: Output) -> None:
        answer = await session.call(_stub(session).GetOffice, pb.GetOfficeRequest())
        output.result(answer.office, _words(answer.office))

    run_signed_in(work, data_dir=data_dir, subject=subject, as_json=as_json)


@app.command()
def offer(
    account_id: AccountId,
    official: Official,
    document: Document,
    subject: As = "",
    data_dir: DataDir = DATA_DIR,
    as_json: Json = False,
) -> None:
    """Offers your office to a successor, who accepts within seven days. Until then you hold it."""

    async def work(session: Session, output: Output) -> None:
        made = pb.OfficeOffer(
            successor_account_id=account_id, official=official, document_sha256=_digest(document)
        )
        request = pb.OfferOfficeRequest(request_id=new_request_id(), offer=made)
        answer = await session.call(_stub(session).OfferOffice, request)
        output.result(answer.offer, f"Offer {answer.offer.offer_id}, until {_day(answer.offer)}")

    run_signed_in(work, data_dir=data_dir, subject=subject, as_json=as_json)


@app.command()
def accept(
    offer_id: Annotated[str, typer.Argument(help="The offer.")],
    subject: As = "",
    data_dir: DataDir = DATA_DIR,
    as_json: Json = False,
) -> None:
    """Takes the office that was offered to you. From that moment on the former holder does not hold it."""

    async def work(session: Session, output: Output) -> None:
        request = pb.AcceptOfficeRequest(request_id=new_request_id(), offer_id=offer_id)
        answer = await session.call(_stub(session).AcceptOffice, request)
        output.result(answer.office, _words(answer.office))

    run_signed_in(work, data_dir=data_dir, subject=subject, as_json=as_json)


@app.command()
def fill(
    account_id: AccountId,
    agency: Annotated[str, typer.Option("--agency", help="ORI of the agency.")],
    official: Official,
    document: Document,
    reason: Annotated[str, typer.Option("--reason", help="Why the office is vacant.")],
    admin_url: Annotated[
        str, typer.Option("--admin-url", help="Database URL of the migration credential.")
    ] = "",
    data_dir: DataDir = DATA_DIR,
) -> None:
    """Fills an office whose holder has died or was dismissed, with the migration credential."""
    arguments = ["--agency-ori", agency, "--account-id", account_id, "--official", official]
    arguments += ["--document-sha256", _digest(document).hex(), "--reason", reason]
    try:
        if admin_url:
            sys.exit(succession.main(["--admin-url", admin_url, *arguments]))
        stack = read_stack(data_dir)
        with founding_environment(stack):
            sys.exit(succession.main(["--admin-url", stack.admin_url, *arguments]))
    except CommandError as error:
        Output(as_json=False).sentence_error(str(error))
        sys.exit(EXIT_COMMAND)


def _words(one: pb.Office) -> str:
    holder = f"{one.holder_name} ({one.holder_account_id})" if one.holder_account_id else "VACANT"
    offered = ""
    if one.HasField("offer"):
        until = _day(one.offer)
        offered = f"\n  offered to {one.offer.successor_account_id} until {until} ({one.offer.offer_id})"
    return f"Statewide coordinator of {one.agency_ori}: [bold]{holder}[/]{offered}"


def _day(one: pb.OfficeOffer) -> str:
    return f"{one.expire_time.ToDatetime():%Y-%m-%d %H:%M} UTC"


def _digest(document: Path) -> bytes:
    return hashlib.sha256(document.read_bytes()).digest()


def _stub(session: Session) -> rpc.OfficeServiceStub:
    return rpc.OfficeServiceStub(session.channel("audit"))
