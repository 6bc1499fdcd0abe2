"""`platewarden policy`: which clauses allow or refuse what, and the policies themselves."""

from typing import Annotated

import typer

from alpr.audit.v1 import policy_service_pb2 as pb
from alpr.audit.v1 import policy_service_pb2_grpc as rpc
from services.cli.options import DATA_DIR, As, DataDir, Json, run_signed_in
from services.cli.output import Output
from services.cli.session import Session
from services.cli.words import ACCOUNT_STATE, CERTIFICATION, ROLE

app = typer.Typer(
    no_args_is_help=True, help="Who may do what, and which clauses say so: explain, list, actions."
)
_EFFECT = {pb.POLICY_EFFECT_PERMIT: "permits", pb.POLICY_EFFECT_FORBID: "forbids"}


@app.command()
def explain(
    action: Annotated[str, typer.Argument(help="For instance question.reads; `policy actions` lists them.")],
    account: Annotated[
        str, typer.Option("--account", help="Id of the account; your own when left out.")
    ] = "",
    agency: Annotated[str, typer.Option("--agency", help="ORI of the agency of what is acted on.")] = "",
    unit: Annotated[str, typer.Option("--unit", help="Its unit.")] = "",
    person: Annotated[str, typer.Option("--person", help="Id of the account that it is or belongs to.")] = "",
    role: Annotated[str, typer.Option("--role", help="The role that would be granted or taken.")] = "",
    text: Annotated[bool, typer.Option("--text", help="Each policy's text, too.")] = False,
    subject: As = "",
    data_dir: DataDir = DATA_DIR,
    as_json: Json = False,
) -> None:
    """Whether a person may do an action now, and by which clauses. Nothing is done."""

    async def work(session: Session, output: Output) -> None:
        request = pb.ExplainPolicyRequest(
            account_id=account, action=action, agency_ori=agency, unit=unit, person_account_id=person
        )
        if role:
            request.role = ROLE.number(role)
        answer = await session.call(_policies(session).ExplainPolicy, request)
        output.result(answer, "\n".join(_lines(answer, text=text)))

    run_signed_in(work, data_dir=data_dir, subject=subject, as_json=as_json)


@app.command("list")
def list_policies(subject: As = "", data_dir: DataDir = DATA_DIR, as_json: Json = False) -> None:
    """The policies in force, each with its text."""

    async def work(session: Session, output: Output) -> None:
        answer = await session.call(_policies(session).ListPolicies, pb.ListPoliciesRequest())
        output.result(answer, "\n\n".join(one.text for one in answer.policies))

    run_signed_in(work, data_dir=data_dir, subject=subject, as_json=as_json)


@app.command()
def actions(subject: As = "", data_dir: DataDir = DATA_DIR, as_json: Json = False) -> None:
    """Every action that the policies speak of."""

    async def work(session: Session, output: Output) -> None:
        answer = await session.call(_policies(session).ListPolicies, pb.ListPoliciesRequest())
        output.result({"actions": list(answer.actions)}, "\n".join(answer.actions))

    run_signed_in(work, data_dir=data_dir, subject=subject, as_json=as_json)


def _policies(session: Session) -> rpc.PolicyServiceStub:
    return rpc.PolicyServiceStub(session.channel("audit"))


def _lines(answer: pb.ExplainPolicyResponse, *, text: bool) -> list[str]:
    held = ", ".join(map(CERTIFICATION.word, answer.certifications)) or "nothing"
    roles = ", ".join(map(ROLE.word, answer.roles)) or "none"
    lines = [
        "allowed" if answer.allowed else f"refused: {answer.advice}",
        f"account {ACCOUNT_STATE.word(answer.state)}; roles: {roles}; in force: {held}",
    ]
    for one in answer.policies:
        lines.append(f"{_EFFECT[one.effect]}: {one.policy_id}")
        if text:
            lines.append(one.text)
    if not any(one.effect == pb.POLICY_EFFECT_PERMIT for one in answer.policies):
        lines.append("no policy permits it")
    return lines
