"""`platewarden declaration`: what agencies of other states declare in writing (625 ILCS 5/2-130)."""

import hashlib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Column

from alpr.audit.v1 import declaration_service_pb2 as pb
from alpr.audit.v1 import declaration_service_pb2_grpc as rpc
from services.cli.options import DATA_DIR, As, DataDir, Json, new_request_id, run_signed_in
from services.cli.output import Output
from services.cli.session import Session
from services.common.wire import to_datetime, to_timestamp

app = typer.Typer(
    no_args_is_help=True, help="Written declarations of agencies of other states: record, end, list."
)
_HEAD = ("declaration", "agency", "signed by", "until", "excluded offences", "state")


@app.command()
def record(
    agency: Annotated[str, typer.Argument(help="ORI of the agency that declares.")],
    document: Annotated[
        Path, typer.Option("--document", exists=True, dir_okay=False, help="The signed document.")
    ],
    signed_by: Annotated[str, typer.Option("--signed-by", help="Who signed it.")],
    office: Annotated[str, typer.Option("--office", help="The signer's office.")],
    signed: Annotated[
        datetime, typer.Option("--signed", formats=["%Y-%m-%d"], help="Day on which it was signed (UTC).")
    ],
    days: Annotated[int, typer.Option("--days", min=1, help="How long it counts, in days from now.")] = 365,
    exclude_offence: Annotated[
        list[str] | None,
        typer.Option("--exclude-offence", help="Code of an offence that it excludes besides; repeatable."),
    ] = None,
    subject: As = "",
    data_dir: DataDir = DATA_DIR,
    as_json: Json = False,
) -> None:
    """Records a signed declaration that excludes every use which the law names, as `list` shows them."""

    async def work(session: Session, output: Output) -> None:
        stub, now = _stub(session), datetime.now(UTC)
        law = (await session.call(stub.ListDeclarations, pb.ListDeclarationsRequest(page_size=1))).law
        made = pb.Declaration(
            agency_ori=agency,
            document_sha256=hashlib.sha256(document.read_bytes()).digest(),
            signed_by=signed_by,
            office=office,
            sign_time=to_timestamp(signed.replace(tzinfo=UTC)),
            start_time=to_timestamp(now),
            end_time=to_timestamp(now + timedelta(days=days)),
            excluded_uses=[one.use_id for one in law.uses],
            excluded_offence_codes=exclude_offence or [],
        )
        request = pb.RecordDeclarationRequest(request_id=new_request_id(), declaration=made)
        _show((await session.call(stub.RecordDeclaration, request)).declaration, output)

    run_signed_in(work, data_dir=data_dir, subject=subject, as_json=as_json)


@app.command("end")
def end_declaration(
    declaration_id: Annotated[str, typer.Argument(help="Its id, as `list` shows it.")],
    reason: Annotated[str, typer.Option("--reason", help="Why.")],
    subject: As = "",
    data_dir: DataDir = DATA_DIR,
    as_json: Json = False,
) -> None:
    """Ends a declaration before its time. The agency's people are answered nothing from then on."""

    async def work(session: Session, output: Output) -> None:
        request = pb.EndDeclarationRequest(
            request_id=new_request_id(), declaration_id=declaration_id, reason=reason
        )
        _show((await session.call(_stub(session).EndDeclaration, request)).declaration, output)

    run_signed_in(work, data_dir=data_dir, subject=subject, as_json=as_json)


@app.command("list")
def list_declarations(
    page: Annotated[str, typer.Option("--page", help="Token of the next page.")] = "",
    subject: As = "",
    data_dir: DataDir = DATA_DIR,
    as_json: Json = False,
) -> None:
    """Declarations, newest first, and what the law asks of one."""

    async def work(session: Session, output: Output) -> None:
        request = pb.ListDeclarationsRequest(page_token=page)
        answer = await session.call(_stub(session).ListDeclarations, request)
        columns = [Column(name, overflow="fold") for name in _HEAD]
        output.table(answer.declarations, columns, (_row(one) for one in answer.declarations))
        if not as_json:
            law = answer.law
            output.note(f"{law.name}: agencies whose ORI does not begin with {law.home_state} declare")
            for one in law.uses:
                output.note(f"{one.use_id}: not {one.text}")
        if answer.next_page_token:
            output.note(f"more: --page {answer.next_page_token}")

    run_signed_in(work, data_dir=data_dir, subject=subject, as_json=as_json)


def _show(one: pb.Declaration, output: Output) -> None:
    output.result(one, f"Declaration [bold]{one.declaration_id}[/] of {one.agency_ori}: {_state(one)}")


def _row(one: pb.Declaration) -> tuple[str, ...]:
    until = f"{to_datetime(one.end_time):%Y-%m-%d}"
    codes = ", ".join(one.excluded_offence_codes) or "-"
    return one.declaration_id, one.agency_ori, f"{one.signed_by}, {one.office}", until, codes, _state(one)


def _state(one: pb.Declaration) -> str:
    if one.HasField("withdraw_time"):
        return "ended"
    return "in force" if one.in_force else "not in force"


def _stub(session: Session) -> rpc.DeclarationServiceStub:
    return rpc.DeclarationServiceStub(session.channel("audit"))
