"""`platewarden agreement`: what agencies let each other have (ENF-051 III.B.1)."""

import hashlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated

import typer

from alpr.audit.v1 import governance_service_pb2 as pb
from alpr.audit.v1 import governance_service_pb2_grpc as rpc
from services.cli.hotlist import parse_moment
from services.cli.options import DATA_DIR, As, DataDir, Json, new_request_id, run_signed_in
from services.cli.output import Output
from services.cli.session import Session
from services.cli.words import AGREEMENT_STATE, DATA_CLASS

app = typer.Typer(no_args_is_help=True, help="Agreements between agencies: propose, accept, end, list.")
AgreementId = Annotated[str, typer.Argument(help="Id of the agreement.")]


@app.command()
def propose(
    provider: Annotated[str, typer.Option("--provider", help="ORI of the agency whose sensors it is about.")],
    recipient: Annotated[str, typer.Option("--recipient", help="ORI of the agency whose lists come in.")],
    document: Annotated[
        Path,
        typer.Option("--document", exists=True, dir_okay=False, help="The signed document; its hash goes."),
    ],
    start: Annotated[
        str, typer.Option("--from", help="It counts from then, for instance 2026-12-01T00:00Z.")
    ],
    end: Annotated[str, typer.Option("--until", help="It counts until then, at most 5 years later.")],
    gives: Annotated[
        list[str],
        typer.Option("--gives", help="hot-list-hits, motor-carrier-hits or reads; may be repeated."),
    ],
    subject: As = "",
    data_dir: DataDir = DATA_DIR,
    as_json: Json = False,
) -> None:
    """Puts an agreement before the other party. Nothing is shared before that party accepts."""

    async def work(session: Session, output: Output) -> None:
        agreement = pb.Agreement(
            provider_ori=provider,
            recipient_ori=recipient,
            data_classes=map(DATA_CLASS.number, gives),
            document_sha256=_digest(document),
            start_time=parse_moment(start),
            end_time=parse_moment(end),
        )
        request = pb.ProposeAgreementRequest(request_id=new_request_id(), agreement=agreement)
        answer = await session.call(_stub(session).ProposeAgreement, request)
        _print(answer.agreement, output)

    run_signed_in(work, data_dir=data_dir, subject=subject, as_json=as_json)


@app.command()
def accept(
    agreement: AgreementId, subject: As = "", data_dir: DataDir = DATA_DIR, as_json: Json = False
) -> None:
    """Accepts what the other party proposed. From then on it is shared, within its period."""

    async def work(session: Session, output: Output) -> None:
        request = pb.AcceptAgreementRequest(request_id=new_request_id(), agreement_id=agreement)
        _print((await session.call(_stub(session).AcceptAgreement, request)).agreement, output)

    run_signed_in(work, data_dir=data_dir, subject=subject, as_json=as_json)


@app.command()
def end(
    agreement: AgreementId,
    reason: Annotated[str, typer.Option("--reason", help="Why; it is recorded.")],
    subject: As = "",
    data_dir: DataDir = DATA_DIR,
    as_json: Json = False,
) -> None:
    """Ends an agreement at once, or turns a proposal down."""

    async def work(session: Session, output: Output) -> None:
        request = pb.EndAgreementRequest(request_id=new_request_id(), agreement_id=agreement, reason=reason)
        _print((await session.call(_stub(session).EndAgreement, request)).agreement, output)

    run_signed_in(work, data_dir=data_dir, subject=subject, as_json=as_json)


@app.command("list")
def list_agreements(subject: As = "", data_dir: DataDir = DATA_DIR, as_json: Json = False) -> None:
    """The agreements of your agency, in any state."""

    async def work(session: Session, output: Output) -> None:
        agreements = [one async for one in _agreements(session)]
        columns = ("agreement", "provider", "recipient", "gives", "state", "from", "until")
        rows = (
            (
                one.agreement_id,
                one.provider_ori,
                one.recipient_ori,
                ", ".join(map(DATA_CLASS.word, one.data_classes)),
                AGREEMENT_STATE.word(one.state),
                f"{one.start_time.ToDatetime():%Y-%m-%d %H:%M}Z",
                f"{one.end_time.ToDatetime():%Y-%m-%d %H:%M}Z",
            )
            for one in agreements
        )
        output.table(agreements, columns, rows)

    run_signed_in(work, data_dir=data_dir, subject=subject, as_json=as_json)


async def _agreements(session: Session) -> AsyncIterator[pb.Agreement]:
    request = pb.ListAgreementsRequest()
    while True:
        answer = await session.call(_stub(session).ListAgreements, request)
        for one in answer.agreements:
            yield one
        if not answer.next_page_token:
            return
        request = pb.ListAgreementsRequest(page_token=answer.next_page_token)


def _print(agreement: pb.Agreement, output: Output) -> None:
    output.result(
        agreement,
        f"Agreement [bold]{agreement.agreement_id}[/]: {agreement.provider_ori} gives "
        f"{agreement.recipient_ori} {', '.join(map(DATA_CLASS.word, agreement.data_classes))}; "
        f"{AGREEMENT_STATE.word(agreement.state)}",
    )


def _digest(document: Path) -> bytes:
    with document.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").digest()


def _stub(session: Session) -> rpc.GovernanceServiceStub:
    return rpc.GovernanceServiceStub(session.channel("audit"))
