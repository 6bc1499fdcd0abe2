"""`platewarden escort`: the vendor's support, watched and cut by the agency's own people."""

import asyncio
from typing import Annotated

import typer

from alpr.audit.v1 import escort_service_pb2 as pb
from alpr.audit.v1 import escort_service_pb2_grpc as rpc
from services.cli.options import DATA_DIR, As, DataDir, Json, new_request_id, run_signed_in
from services.cli.output import Output
from services.cli.session import Session, is_passing
from services.cli.words import ESCORT_SCOPE
from services.common.errors import AlprError

app = typer.Typer(no_args_is_help=True, help="Support by the vendor under escort: begin, cut, list.")
# The sign-in has ended: with a new token the escort goes on.
_SIGN_IN_OVER = "I"
_PAUSE_SECONDS = 1.0


@app.command()
def begin(
    account: Annotated[str, typer.Argument(help="Id of the vendor's account.")],
    scope: Annotated[str, typer.Option("--scope", help="health, or models to change them, too.")],
    minutes: Annotated[int, typer.Option("--minutes", min=1, max=240, help="Longest time it lasts.")],
    reason: Annotated[str, typer.Option("--reason", help="Work order or support request; it is recorded.")],
    subject: As = "",
    data_dir: DataDir = DATA_DIR,
    as_json: Json = False,
) -> None:
    """Escorts a vendor while this command runs, and shows each call. Ctrl-C ends it within 20 seconds."""

    async def work(session: Session, output: Output) -> None:
        request = pb.EscortVendorRequest(
            request_id=new_request_id(),
            vendor_account_id=account,
            scope=ESCORT_SCOPE.number(scope),
            minutes=minutes,
            reason=reason,
        )
        escort = pb.Escort()
        while not escort.HasField("ended_time"):
            try:
                async for event in session.stream(_stub(session).EscortVendor, request):
                    escort = _told(event, escort, output)
            except AlprError as error:
                if not escort.escort_id or not (is_passing(error) or _is_sign_in(error)):
                    raise
                await asyncio.sleep(_PAUSE_SECONDS)
            request = pb.EscortVendorRequest(escort_id=escort.escort_id)

    run_signed_in(work, data_dir=data_dir, subject=subject, as_json=as_json)


@app.command()
def cut(
    escort_id: Annotated[str, typer.Argument(help="Id of the escort.")],
    subject: As = "",
    data_dir: DataDir = DATA_DIR,
    as_json: Json = False,
) -> None:
    """Ends an escort at once."""

    async def work(session: Session, output: Output) -> None:
        request = pb.CutEscortRequest(request_id=new_request_id(), escort_id=escort_id)
        answer = await session.call(_stub(session).CutEscort, request)
        output.result(answer, f"{escort_id} is over; {answer.escort.calls} calls were made")

    run_signed_in(work, data_dir=data_dir, subject=subject, as_json=as_json)


@app.command("list")
def list_escorts(subject: As = "", data_dir: DataDir = DATA_DIR, as_json: Json = False) -> None:
    """Escorts of your agency, newest first."""

    async def work(session: Session, output: Output) -> None:
        answer = await session.call(_stub(session).ListEscorts, pb.ListEscortsRequest(page_size=200))
        rows = (
            (
                one.begin_time.ToJsonString(),
                one.escort_id,
                one.vendor_account_id,
                one.escort_account_id,
                ESCORT_SCOPE.word(one.scope),
                "over" if one.HasField("ended_time") else "now",
                str(one.calls),
            )
            for one in answer.escorts
        )
        names = ("begun", "id", "vendor", "escort", "scope", "state", "calls")
        output.table(answer.escorts, names, rows)

    run_signed_in(work, data_dir=data_dir, subject=subject, as_json=as_json)


def _told(event: pb.EscortVendorResponse, before: pb.Escort, output: Output) -> pb.Escort:
    if event.HasField("call"):
        call = event.call
        output.result(call, f"{call.call_time.ToJsonString()} {call.action} {call.service}".rstrip())
        return before
    escort = event.escort
    if escort.escort_id != before.escort_id:
        output.result(escort, f"escort {escort.escort_id} until {escort.end_time.ToJsonString()}")
    elif escort.HasField("ended_time"):
        output.result(escort, f"the escort is over; {escort.calls} calls were made")
    return escort


def _is_sign_in(error: AlprError) -> bool:
    return error.metadata.get("clauses") == _SIGN_IN_OVER


def _stub(session: Session) -> rpc.EscortServiceStub:
    return rpc.EscortServiceStub(session.channel("audit"))
