"""`platewarden export`: everything that the agency owns in open formats, and proof that none is missing."""

import json
import sys
from collections.abc import AsyncIterator
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any

import typer
from google.protobuf.message import Message

from alpr.search.v1 import report_service_pb2 as pb
from alpr.search.v1 import report_service_pb2_grpc as rpc
from services.audit import verify_department
from services.audit.export_tables import table_of
from services.cli.audit import export_log
from services.cli.export_lists import LISTS, items_of
from services.cli.export_pages import export_kept
from services.cli.locate import CommandError
from services.cli.options import DATA_DIR, As, DataDir, Json, new_request_id, run_signed_in
from services.cli.output import Output, message_to_dict
from services.cli.question import Asked, with_options
from services.cli.session import Session
from services.common.errors import AlprError
from services.common.receipts import receipt_to_json

app = typer.Typer(
    no_args_is_help=True,
    help="Everything that the agency owns, in open formats: all, log, verify (ENF-051 IV.A.3).",
)
_ENDINGS = {"image/jpeg": "jpg", "image/png": "png"}


@app.command("all")
@with_options
def everything(
    out: Annotated[Path, typer.Option("--out", help="Folder to write; it must be empty or not there.")],
    asked: Asked,
    pictures: Annotated[bool, typer.Option("--pictures", help="The pictures of the reads, too.")] = False,
    page_size: Annotated[int, typer.Option("--page-size", min=1, max=5000, help="Reads of a page.")] = 5000,
) -> None:
    """Reads, alerts, hot lists, configuration, registers, log. What your roles do not open is named."""

    async def work(session: Session, output: Output) -> None:
        _new_folder(out)
        reads = await _export_reads(session, asked, out, page_size, pictures)
        counts, refused = await export_kept(session, asked.justification(), out, pictures=pictures)
        not_included = [*refused, *await _export_lists(session, out)]
        # Last, so that it has what was recorded of all the rest.
        not_included += await _export_log(session, out)
        write_tables(out)
        write_manifest(out, not_included)
        counts = {"reads": reads, **counts}
        output.result(
            {"folder": str(out), **counts, "not_included": not_included},
            f"{', '.join(f'{count:,} {name}' for name, count in counts.items())} in {out}; "
            f"not included: {', '.join(not_included) or 'nothing'}",
        )

    asked.run(work)


@app.command("log")
def add_log(
    folder: Annotated[Path, typer.Argument(help="The export that is to have the log.")],
    subject: As = "",
    data_dir: DataDir = DATA_DIR,
    as_json: Json = False,
) -> None:
    """Puts the log into an export, as an auditor, when the rest is there: it then covers all of it."""

    async def work(session: Session, output: Output) -> None:
        try:
            manifest = json.loads((folder / verify_department.MANIFEST).read_bytes())
        except (OSError, ValueError):
            raise CommandError(f"{folder} is no export") from None
        entries = await export_log(session, folder / "log.jsonl")
        # Names of parts with why they are not there, as `everything` writes them.
        write_manifest(folder, [one for one in manifest["not_included"] if not one.startswith("log (")])
        output.result(
            {"folder": str(folder), "entries": entries}, f"{entries:,} entries of the log in {folder}"
        )

    run_signed_in(work, data_dir=data_dir, subject=subject, as_json=as_json)


@app.command()
def verify(
    folder: Annotated[Path, typer.Argument(help="The export.")],
    key: Annotated[Path, typer.Option("--public-key", help="File with the log's public key.")],
    complete: Annotated[
        bool, typer.Option("--complete", help="Fail when a picture or a part is not there.")
    ] = False,
) -> None:
    """Proves an export offline: exit code 0 when all holds, else 1 with one sentence.

    The same program stands alone in services/audit/verify_department.py and needs nothing but Python.
    """
    sys.exit(
        verify_department.main(["--public-key", str(key), *(["--complete"] if complete else []), str(folder)])
    )


def _new_folder(out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
        if any(out.iterdir()):
            raise CommandError(f"{out} is not empty; name a new folder")
        (out / "reads").mkdir()
    except OSError as error:
        raise CommandError(f"{out} cannot be written: {error.strerror}") from None


async def _export_reads(session: Session, asked: Asked, out: Path, page_size: int, pictures: bool) -> int:
    """The number of reads, page by page; every page of the window that the first one got."""
    stub = rpc.ReportServiceStub(session.channel("search"))
    request = pb.ExportReadsRequest(
        justification=asked.justification(), page_size=page_size, with_pictures=pictures
    )
    count, number, more = 0, 0, True
    while more:
        number += 1
        request.request_id = new_request_id()
        page = await receive_page(session.stream(stub.ExportReads, request), out, number)
        count += page.read_count
        # A page that is not full proves the end, if need be an empty one.
        more = page.read_count == page_size
        request.after_read_id = page.last_read_id or request.after_read_id
        if number == 1:
            request.first_question_id = page.question_receipt.entry_id
            getattr(request, "from").CopyFrom(page.searched_from)
            request.to.CopyFrom(page.searched_to)
    return count


async def receive_page(stream: AsyncIterator[Any], out: Path, number: int) -> pb.ExportedFile:
    """What the page is, once it and its pictures are in `out`.

    Raises:
        CommandError: Something did not arrive as it was announced.
    """
    page, target = pb.ExportedFile(), out / "reads" / f"{number:06}.jsonl"
    wanted, data = b"", bytearray()

    def finish() -> None:
        if sha256(data).digest() != wanted:
            raise CommandError("the export did not arrive whole; begin again")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)

    async for message in stream:
        part = message.WhichOneof("part")
        if part == "data":
            data += message.data
            continue
        if part == "picture":
            finish()
            picture = message.picture
            ending = _ENDINGS.get(picture.media_type, "bin")
            # The service's words name no file of ours: a day and a hash in digits.
            day = "".join(one for one in picture.day if one.isdigit() or one == "-")
            target = out / "pictures" / day / f"{picture.sha256.hex()}.{ending}"
            wanted, data = picture.sha256, bytearray()
        else:
            page, wanted = message.file, message.file.sha256
    finish()
    receipts = {
        "question": receipt_to_json(page.question_receipt),
        "outcome": receipt_to_json(page.outcome_receipt),
        "dissemination": receipt_to_json(page.dissemination_receipt),
    }
    path = out / "reads" / f"{number:06}.receipts.json"
    path.write_text(json.dumps(receipts, indent=1) + "\n", encoding="utf-8")
    return page


async def _export_log(session: Session, out: Path) -> list[str]:
    """Writes the log; its name when the person may not have it."""
    try:
        await export_log(session, out / "log.jsonl")
    except AlprError as error:
        (out / "log.jsonl.part").unlink(missing_ok=True)
        return [f"log ({error.code.name})"]
    return []


async def _export_lists(session: Session, out: Path) -> list[str]:
    """Writes each list as lines of JSON; names of those that the person may not see."""
    refused = []
    for name, one in LISTS.items():
        try:
            items = [item async for item in items_of(session, one)]
        except AlprError as error:
            refused.append(f"{name} ({error.code.name})")
            continue
        (out / f"{name}.jsonl").write_text("".join(map(_line, items)), encoding="utf-8")
    return refused


def _line(item: Message) -> str:
    return json.dumps(message_to_dict(item), ensure_ascii=False, sort_keys=True) + "\n"


def write_tables(out: Path) -> None:
    """Writes the table of every page and list beside it; the log stays as its verifier needs it."""
    for path in sorted(out.rglob("*.jsonl")):
        if path != out / "log.jsonl":
            path.with_suffix(".csv").write_bytes(table_of(path.read_bytes()))


def write_manifest(out: Path, not_included: list[str]) -> None:
    """Writes which files the export has, each with its SHA-256."""
    manifest = out / verify_department.MANIFEST
    files = sorted(path for path in out.rglob("*") if path.is_file() and path != manifest)
    document = {
        "format": verify_department.FORMAT,
        "not_included": not_included,
        "files": [
            {
                "name": path.relative_to(out).as_posix(),
                "sha256": sha256(path.read_bytes()).hexdigest(),
                "size_bytes": path.stat().st_size,
            }
            for path in files
        ],
    }
    manifest.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
