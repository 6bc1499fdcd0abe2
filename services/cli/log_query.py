"""`platewarden audit list`, `mine`, `disclose`, `redact`, `unfinished`, `consistency`: the log is asked."""

import hashlib
import json
import re
from base64 import b64encode
from pathlib import Path
from typing import Annotated, Any

import typer

from alpr.audit.v1 import log_query_service_pb2 as pb
from alpr.audit.v1 import log_query_service_pb2_grpc as rpc
from alpr.audit.v1 import log_service_pb2 as log_pb
from alpr.audit.v1.log_service_pb2_grpc import LogServiceStub
from services.audit.verifier import CONSISTENCY_FORMAT, read_checkpoints
from services.cli.locate import CommandError
from services.cli.options import DATA_DIR, As, DataDir, Json, new_request_id, run_signed_in
from services.cli.output import Output, folded
from services.cli.question import Asked, Page, Window, show_notice, show_record, with_options, write_receipt
from services.cli.session import Session
from services.common.tlog import Note, NoteError

EntryId = Annotated[str, typer.Argument(help="Id of the entry; `audit list` and every receipt show it.")]
EntryKind = Annotated[
    str, typer.Option("--entry-kind", help="query, refusal, intent, outcome, event or genesis.")
]
_SHOWN_OF_MINE = (
    "record_time",
    "kind",
    "action",
    "case_number",
    "purpose",
    "question",
    "result",
    "row_count",
)
_ARGUMENT = re.compile(r"([a-z_0-9]+):[0-9]+:(.*)")
_PAGING = frozenset({"kind", "from_us", "to_us", "page_size", "before_us", "before_read_id"})
_SHOWN = ("record_time", "kind", "action", "actor", "case_number", "result", "entry_id")


@with_options
def entries(
    asked: Asked,
    window: Window,
    page: Page,
    account: Annotated[str, typer.Option("--account", help="Entries of this account only.")] = "",
    of_case: Annotated[str, typer.Option("--of-case", help="Entries of this case number only.")] = "",
    action: Annotated[str, typer.Option("--action", help='For instance "question.reads".')] = "",
    entry_kind: EntryKind = "",
    plate: Annotated[
        str, typer.Option("--plate", help="Questions that named this plate, or a pattern with it.")
    ] = "",
    agency: Annotated[
        str, typer.Option("--agency", help="What people of this agency (ORI) did, or a service for it.")
    ] = "",
) -> None:
    """Entries of the log, newest first (for auditors). A question like any other, with case and purpose."""

    async def work(session: Session, output: Output) -> None:
        request = pb.ListEntriesRequest(
            request_id=new_request_id(),
            justification=asked.justification(),
            account_id=account,
            case_number=of_case,
            action=action,
            kind=entry_kind,
            page_size=min(page.limit, 500),
            page_token=page.token,
            plate=plate,
            agency_ori=agency,
        )
        window.set_in(request)
        stub = rpc.LogQueryServiceStub(session.channel("audit"))
        answer: pb.ListEntriesResponse = await session.call(stub.ListEntries, request)
        asked.keep_receipts(answer)
        if output.as_json:
            output.json_line(answer)
            return
        _show(answer, _SHOWN, output)

    asked.run(work)


@with_options
def mine(
    window: Window,
    page: Page,
    action: Annotated[str, typer.Option("--action", help='For instance "question.reads".')] = "",
    entry_kind: EntryKind = "",
    subject: As = "",
    data_dir: DataDir = DATA_DIR,
    as_json: Json = False,
) -> None:
    """What your own account asked, tried and did, newest first; nobody needs a case number for that."""

    async def work(session: Session, output: Output) -> None:
        request = pb.ListOwnEntriesRequest(
            request_id=new_request_id(),
            action=action,
            kind=entry_kind,
            page_size=min(page.limit, 500),
            page_token=page.token,
        )
        window.set_in(request)
        stub = rpc.LogQueryServiceStub(session.channel("audit"))
        answer: pb.ListOwnEntriesResponse = await session.call(stub.ListOwnEntries, request)
        if output.as_json:
            output.json_line(answer)
            return
        _show(answer, _SHOWN_OF_MINE, output)

    run_signed_in(work, data_dir=data_dir, subject=subject, as_json=as_json)


def _show(
    answer: pb.ListEntriesResponse | pb.ListOwnEntriesResponse, columns: tuple[str, ...], output: Output
) -> None:
    def row(entry: log_pb.LogEntry) -> list[str]:
        values = {one.name: one.value for one in entry.fields}
        values["question"] = question_words(values.get("question", ""))
        return [str(entry.log_index), *(values.get(name, "") for name in columns)]

    show_notice(answer, output)
    output.table(answer.entries, folded("place", *columns), map(row, answer.entries))
    show_record(answer, f"{len(answer.entries)} entries", output)
    if answer.next_page_token:
        output.note(f"There are more: --page {answer.next_page_token}")


@with_options
def disclose(
    entry_id: EntryId,
    asked: Asked,
    field: Annotated[list[str], typer.Option("--field", help="A field to open; may be repeated.")],
    recipient: Annotated[str, typer.Option("--recipient", help="Who gets the receipt.")],
    out: Annotated[Path, typer.Option("--out", help="File for the receipt.")],
) -> None:
    """A receipt that opens the named fields of one entry and keeps all others closed."""

    async def work(session: Session, output: Output) -> None:
        request = pb.DiscloseFieldsRequest(
            request_id=new_request_id(),
            justification=asked.justification(),
            entry_id=entry_id,
            fields=field,
            recipient=recipient,
        )
        stub = rpc.LogQueryServiceStub(session.channel("audit"))
        answer: pb.DiscloseFieldsResponse = await session.call(stub.DiscloseFields, request)
        asked.keep_receipts(answer)
        write_receipt(answer.receipt, out)
        names = ", ".join(one.name for one in answer.receipt.fields)
        output.result(answer, f"Receipt of entry {answer.receipt.log_index} with {names} in {out}")

    asked.run(work)


def question_words(question: str) -> str:
    """What a recorded question asked for, in a line: its arguments that say something, without its paging."""
    said = [found.groups() for line in question.split("\n") if (found := _ARGUMENT.fullmatch(line))]
    if not said:
        return question
    return ", ".join(f"{name} {value}" for name, value in said if value and name not in _PAGING)


def redact(
    entry_id: EntryId,
    field: Annotated[str, typer.Option("--field", help="The field whose value goes.")],
    legal_basis: Annotated[str, typer.Option("--legal-basis", help="The law or order that demands it.")],
    document: Annotated[Path, typer.Option("--document", help="The order; its SHA-256 goes into the log.")],
    subject: As = "",
    data_dir: DataDir = DATA_DIR,
    as_json: Json = False,
) -> None:
    """Takes the value of a field out of the log for ever; the act is an entry, and every proof holds."""

    async def work(session: Session, output: Output) -> None:
        request = pb.RedactFieldRequest(
            request_id=new_request_id(),
            entry_id=entry_id,
            field=field,
            legal_basis=legal_basis,
            document_sha256=_digest(document),
        )
        stub = rpc.LogQueryServiceStub(session.channel("audit"))
        answer: pb.RedactFieldResponse = await session.call(stub.RedactField, request)
        place = answer.receipt.log_index
        output.result(answer, f"{field} of entry {entry_id} is gone; recorded as log entry {place}")

    run_signed_in(work, data_dir=data_dir, subject=subject, as_json=as_json)


@with_options
def unfinished(window: Window, subject: As = "", data_dir: DataDir = DATA_DIR, as_json: Json = False) -> None:
    """Questions and acts that were begun and have no outcome; without --from those of the last day."""

    async def work(session: Session, output: Output) -> None:
        request = pb.ListUnfinishedRequest()
        window.set_in(request)
        stub = rpc.LogQueryServiceStub(session.channel("audit"))
        answer: pb.ListUnfinishedResponse = await session.call(stub.ListUnfinished, request)
        rows = (
            [str(one.log_index), f"{one.record_time.ToDatetime():%Y-%m-%d %H:%M:%S}", one.kind, one.action,
             one.actor, one.entry_id]
            for one in answer.acts
        )  # fmt: skip
        output.table(answer.acts, folded("place", "recorded", "kind", "action", "actor", "entry"), rows)
        output.note(f"{len(answer.acts)} without outcome{', and more' if answer.has_more else ''}")

    run_signed_in(work, data_dir=data_dir, subject=subject, as_json=as_json)


def consistency(
    first: Annotated[Path, typer.Option("--first", help="A checkpoint kept from before.")],
    out: Annotated[Path, typer.Option("--out", help="File for the proof.")],
    subject: As = "",
    data_dir: DataDir = DATA_DIR,
    as_json: Json = False,
) -> None:
    """The proof that the log of now begins with the one of an older checkpoint (audit verify checks it)."""

    async def work(session: Session, output: Output) -> None:
        older = read_first(first)
        proof = await proof_since(session, older)
        out.write_text(json.dumps(proof, indent=1) + "\n", encoding="utf-8")
        size = Note.parse(proof["second"]).head.size
        output.result(
            {"first": older.head.size, "second": size, "file": str(out)},
            f"Proof from {older.head.size:,} to {size:,} entries in {out}",
        )

    run_signed_in(work, data_dir=data_dir, subject=subject, as_json=as_json)


async def proof_since(session: Session, older: Note) -> dict[str, Any]:
    """The proof that the log of now begins with that of `older`, for the verifier. Raises AlprError."""
    stub = LogServiceStub(session.channel("audit"))
    request = log_pb.GetConsistencyProofRequest(first_size=older.head.size)
    answer: log_pb.GetConsistencyProofResponse = await session.call(stub.GetConsistencyProof, request)
    return {
        "format": CONSISTENCY_FORMAT,
        "first": older.text(),
        "second": answer.checkpoint,
        "hashes": [b64encode(one).decode() for one in answer.hashes],
    }


def read_first(path: Path) -> Note:
    """The newest checkpoint of a file, one by itself or as a witness gives them.

    Raises:
        CommandError: There is none.
    """
    try:
        return Note.parse(read_checkpoints(path.read_text(encoding="utf-8"))[-1])
    except OSError as error:
        raise CommandError(f"{path} cannot be read: {error.strerror}") from None
    except (NoteError, IndexError, ValueError):
        raise CommandError(f"{path} holds no checkpoint") from None


def _digest(document: Path) -> str:
    try:
        with document.open("rb") as opened:
            return hashlib.file_digest(opened, "sha256").hexdigest()
    except OSError as error:
        raise CommandError(f"{document} cannot be read: {error.strerror}") from None
