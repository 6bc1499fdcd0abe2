"""`platewarden sign-in`: where you are signed in, and how that ends."""

from typing import Annotated

import typer

from alpr.audit.v1 import sign_in_service_pb2 as pb
from alpr.audit.v1 import sign_in_service_pb2_grpc as rpc
from services.cli.options import DATA_DIR, As, DataDir, Json, new_request_id, run_signed_in
from services.cli.output import Output, folded
from services.cli.session import Session

app = typer.Typer(no_args_is_help=True, help="Sign-ins: list them, end one, end all after a theft.")
Whose = Annotated[str, typer.Option("--account", help="Id of the account; your own when left out.")]


@app.command("list")
def list_sign_ins(
    account: Whose = "", subject: As = "", data_dir: DataDir = DATA_DIR, as_json: Json = False
) -> None:
    """The sign-ins of an account that have not run out, newest first."""

    async def work(session: Session, output: Output) -> None:
        answer = await session.call(_stub(session).ListSignIns, pb.ListSignInsRequest(account_id=account))
        _show(answer.sign_ins, output)

    run_signed_in(work, data_dir=data_dir, subject=subject, as_json=as_json)


@app.command()
def end(
    reason: Annotated[str, typer.Option("--reason", help="Why, for the record.")],
    sign_in: Annotated[str, typer.Argument(help="Id of the sign-in; all of them when left out.")] = "",
    account: Whose = "",
    subject: As = "",
    data_dir: DataDir = DATA_DIR,
    as_json: Json = False,
) -> None:
    """Ends a sign-in, or all: no token of it is accepted any more, and open streams end at once."""

    async def work(session: Session, output: Output) -> None:
        request = pb.EndSignInsRequest(
            request_id=new_request_id(), account_id=account, sign_in_id=sign_in, reason=reason
        )
        _show((await session.call(_stub(session).EndSignIns, request)).sign_ins, output)

    run_signed_in(work, data_dir=data_dir, subject=subject, as_json=as_json)


def _stub(session: Session) -> rpc.SignInServiceStub:
    return rpc.SignInServiceStub(session.channel("audit"))


def _state(one: pb.SignIn) -> str:
    if one.HasField("end_time"):
        return f"ended {one.end_time.ToDatetime():%H:%M:%S}"
    return ("open" if one.open else "quiet") + (", this one" if one.own else "")


def _show(sign_ins: list[pb.SignIn], output: Output) -> None:
    rows = (
        (
            one.sign_in_id,
            one.device or "-",
            ", ".join(one.methods) or "-",
            f"{one.auth_time.ToDatetime():%Y-%m-%d %H:%M}",
            f"{one.seen_time.ToDatetime():%H:%M}",
            _state(one),
        )
        for one in sign_ins
    )
    output.table(sign_ins, folded("id", "device", "by", "signed in (UTC)", "last used", "state"), rows)
