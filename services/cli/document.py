"""`platewarden document`: what the agency's people must have read, and who has."""

import hashlib
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from alpr.audit.v1 import document_service_pb2 as pb
from alpr.audit.v1 import document_service_pb2_grpc as rpc
from services.cli.hotlist import parse_moment
from services.cli.locate import CommandError
from services.cli.options import DATA_DIR, As, DataDir, Json, new_request_id, run_signed_in
from services.cli.output import Output
from services.cli.session import Session
from services.cli.words import DOCUMENT_KIND

app = typer.Typer(
    no_args_is_help=True,
    help="Directive, addendum, use banner, guidelines: publish, list, show, acknowledge, readers.",
)
DocumentId = Annotated[str, typer.Argument(help="Id of the version.")]


@app.command()
def publish(
    kind: Annotated[
        str, typer.Argument(help="directive, security-addendum, use-banner or motor-carrier-guidelines.")
    ],
    document: Annotated[
        Path, typer.Argument(exists=True, dir_okay=False, help="The document; its SHA-256 goes.")
    ],
    version: Annotated[str, typer.Option("--version", help="The agency's name of the version.")],
    title: Annotated[str, typer.Option("--title", help="Its title.")],
    shown: Annotated[
        str, typer.Option("--shown", help="What people are shown; the document's own text when left out.")
    ] = "",
    effective: Annotated[
        str, typer.Option("--from", help="In force from then, as 2026-12-01T00:00Z; from now on otherwise.")
    ] = "",
    days: Annotated[
        int, typer.Option("--days", min=0, help="Days for which an acknowledgement counts; 0 is no end.")
    ] = 0,
    subject: As = "",
    data_dir: DataDir = DATA_DIR,
    as_json: Json = False,
) -> None:
    """Publishes a version. From its moment on nobody is let in who has not acknowledged it."""

    async def work(session: Session, output: Output) -> None:
        content = document.read_bytes()
        made = pb.Document(
            kind=DOCUMENT_KIND.number(kind),
            version=version,
            title=title,
            text=shown or _text_of(content),
            sha256=hashlib.sha256(content).digest(),
            acknowledged_days=days,
        )
        if effective:
            made.effective_time.CopyFrom(parse_moment(effective))
        else:
            made.effective_time.FromDatetime(datetime.now(UTC))
        request = pb.PublishDocumentRequest(request_id=new_request_id(), document=made)
        answer = await session.call(_stub(session).PublishDocument, request)
        output.result(answer, f"{answer.document.document_id} is published")

    run_signed_in(work, data_dir=data_dir, subject=subject, as_json=as_json)


@app.command("list")
def list_documents(subject: As = "", data_dir: DataDir = DATA_DIR, as_json: Json = False) -> None:
    """The versions of your agency, and what of them you have acknowledged."""

    async def work(session: Session, output: Output) -> None:
        found = (await session.call(_stub(session).ListDocuments, pb.ListDocumentsRequest())).documents
        rows = (
            (
                DOCUMENT_KIND.word(one.document.kind),
                one.document.version,
                one.document.title,
                one.document.document_id,
                "in force" if one.in_force else "-",
                _standing(one),
            )
            for one in found
        )
        output.table(found, ("kind", "version", "title", "id", "now", "you"), rows)

    run_signed_in(work, data_dir=data_dir, subject=subject, as_json=as_json)


@app.command()
def show(
    document_id: DocumentId, subject: As = "", data_dir: DataDir = DATA_DIR, as_json: Json = False
) -> None:
    """What a version says."""

    async def work(session: Session, output: Output) -> None:
        answer = await session.call(_stub(session).ListDocuments, pb.ListDocumentsRequest())
        for one in answer.documents:
            if one.document.document_id == document_id:
                output.result(one, one.document.text)
                return
        raise CommandError("your agency has no such document; `platewarden document list` shows them")

    run_signed_in(work, data_dir=data_dir, subject=subject, as_json=as_json)


@app.command()
def acknowledge(
    document_id: DocumentId, subject: As = "", data_dir: DataDir = DATA_DIR, as_json: Json = False
) -> None:
    """Says that you have read the version and will follow it. It is recorded in your name."""

    async def work(session: Session, output: Output) -> None:
        request = pb.AcknowledgeDocumentRequest(request_id=new_request_id(), document_id=document_id)
        answer = await session.call(_stub(session).AcknowledgeDocument, request)
        output.result(answer, f"{answer.document.document.title}: {_standing(answer.document)}")

    run_signed_in(work, data_dir=data_dir, subject=subject, as_json=as_json)


@app.command()
def readers(
    document_id: DocumentId, subject: As = "", data_dir: DataDir = DATA_DIR, as_json: Json = False
) -> None:
    """Who of the agency has acknowledged a version, and who has not."""

    async def work(session: Session, output: Output) -> None:
        found: list[pb.Acknowledgement] = []
        request = pb.ListAcknowledgementsRequest(document_id=document_id)
        while True:
            answer = await session.call(_stub(session).ListAcknowledgements, request)
            found.extend(answer.acknowledgements)
            if not answer.next_page_token:
                break
            request.page_token = answer.next_page_token
        rows = ((one.full_name, one.unit, one.account_id, _standing(one)) for one in found)
        output.table(found, ("name", "unit", "account", "acknowledged"), rows)

    run_signed_in(work, data_dir=data_dir, subject=subject, as_json=as_json)


def _standing(one: pb.ListedDocument | pb.Acknowledgement) -> str:
    if not one.HasField("acknowledge_time"):
        needed = not isinstance(one, pb.ListedDocument) or one.required
        return "not acknowledged" if needed else "not asked of you"
    until = f" until {one.acknowledged_until.ToJsonString()}" if one.HasField("acknowledged_until") else ""
    return f"acknowledged {one.acknowledge_time.ToJsonString()}{until}"


def _text_of(content: bytes) -> str:
    try:
        return content.decode("utf-8").strip()
    except UnicodeDecodeError:
        raise CommandError("the document is no plain text; say with --shown what people are shown") from None


def _stub(session: Session) -> rpc.DocumentServiceStub:
    return rpc.DocumentServiceStub(session.channel("audit"))
