"""`platewarden request`: requests of government entities, and what was decided on them (ENF-051 IV.B.3)."""

import hashlib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Column

from alpr.audit.v1 import government_request_service_pb2 as pb
from alpr.audit.v1 import government_request_service_pb2_grpc as rpc
from services.cli.options import DATA_DIR, As, DataDir, Json, new_request_id, run_signed_in
from services.cli.output import Output
from services.cli.session import Session
from services.common.wire import to_timestamp

app = typer.Typer(no_args_is_help=True, help="Requests of government entities: record, decide, list.")
_HEAD = ("request", "entity", "what it is", "purpose", "decision", "decided by", "reason")


@app.command()
def record(
    entity: Annotated[str, typer.Argument(help="The entity that asks.")],
    entity_type: Annotated[str, typer.Option("--type", help="What it is, as county highway department.")],
    person: Annotated[str, typer.Option("--person", help="Who asks for it, with office.")],
    purpose: Annotated[str, typer.Option("--for", help="What for.")],
    document: Annotated[
        Path, typer.Option("--document", exists=True, dir_okay=False, help="The written request.")
    ],
    subject: As = "",
    data_dir: DataDir = DATA_DIR,
    as_json: Json = False,
) -> None:
    """Records a request that has come in now."""

    async def work(session: Session, output: Output) -> None:
        asked = pb.GovernmentRequest(
            entity=entity,
            entity_type=entity_type,
            person=person,
            purpose=purpose,
            document_sha256=hashlib.sha256(document.read_bytes()).digest(),
            receive_time=to_timestamp(datetime.now(UTC) - timedelta(seconds=1)),
        )
        request = pb.RecordGovernmentRequestRequest(request_id=new_request_id(), government_request=asked)
        answer = await session.call(_stub(session).RecordGovernmentRequest, request)
        _show(answer.government_request, output)

    run_signed_in(work, data_dir=data_dir, subject=subject, as_json=as_json)


@app.command()
def decide(
    government_request_id: Annotated[str, typer.Argument(help="Its id, as `list` shows it.")],
    reason: Annotated[str, typer.Option("--reason", help="Why.")],
    grant: Annotated[bool, typer.Option("--grant/--refuse", help="What is decided.")],
    days: Annotated[int, typer.Option("--days", min=1, max=366, help="How long a grant counts.")] = 30,
    subject: As = "",
    data_dir: DataDir = DATA_DIR,
    as_json: Json = False,
) -> None:
    """Decides on a request, once; for the statewide coordinator."""

    async def work(session: Session, output: Output) -> None:
        request = pb.DecideGovernmentRequestRequest(
            request_id=new_request_id(),
            government_request_id=government_request_id,
            decision=pb.GOVERNMENT_REQUEST_DECISION_REFUSED,
            reason=reason,
        )
        if grant:
            request.decision = pb.GOVERNMENT_REQUEST_DECISION_GRANTED
            request.valid_until.CopyFrom(to_timestamp(datetime.now(UTC) + timedelta(days=days)))
        answer = await session.call(_stub(session).DecideGovernmentRequest, request)
        _show(answer.government_request, output)

    run_signed_in(work, data_dir=data_dir, subject=subject, as_json=as_json)


@app.command("list")
def list_requests(
    page: Annotated[str, typer.Option("--page", help="Token of the next page.")] = "",
    subject: As = "",
    data_dir: DataDir = DATA_DIR,
    as_json: Json = False,
) -> None:
    """Requests to your agency, newest first."""

    async def work(session: Session, output: Output) -> None:
        request = pb.ListGovernmentRequestsRequest(page_token=page)
        answer = await session.call(_stub(session).ListGovernmentRequests, request)
        columns = [Column(name, overflow="fold") for name in _HEAD]
        output.table(answer.government_requests, columns, map(_row, answer.government_requests))
        if answer.next_page_token:
            output.note(f"more: --page {answer.next_page_token}")

    run_signed_in(work, data_dir=data_dir, subject=subject, as_json=as_json)


def _show(one: pb.GovernmentRequest, output: Output) -> None:
    words = f"Request [bold]{one.government_request_id}[/] of {one.entity}: {_decision(one)}"
    output.result(one, words)


def _row(one: pb.GovernmentRequest) -> tuple[str, ...]:
    decided = one.decider_account_id or "-", one.reason or "-"
    return one.government_request_id, one.entity, one.entity_type, one.purpose, _decision(one), *decided


def _decision(one: pb.GovernmentRequest) -> str:
    if not one.decision:
        return "not decided"
    return pb.GovernmentRequestDecision.Name(one.decision).rpartition("_")[2].lower()


def _stub(session: Session) -> rpc.GovernmentRequestServiceStub:
    return rpc.GovernmentRequestServiceStub(session.channel("audit"))
