"""`platewarden hotlist`: make, upload, activate and list hot lists."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from google.protobuf.timestamp_pb2 import Timestamp
from rich.markup import escape

from alpr.matcher.v1 import hot_list_service_pb2 as pb
from alpr.matcher.v1 import hot_list_service_pb2_grpc as rpc
from services.cli.locate import CommandError
from services.cli.options import DATA_DIR, As, DataDir, Json, new_request_id, run_signed_in
from services.cli.output import Output
from services.cli.session import Session
from services.cli.words import CATEGORY, FORMAT, SOURCE, UPLOAD_KIND
from services.common.wire import to_datetime, to_timestamp

app = typer.Typer(no_args_is_help=True, help="Hot lists: make, upload, approve, activate, compare, list.")
_CHUNK_BYTES = 512 * 1024
# As long as the matcher works on one: ten million rows take some ten minutes.
_LONGEST_UPLOAD_S = 3600.0
# Two versions of ten million rows are compared first, and the new one is got ready.
_LONGEST_ACTIVATION_S = 900.0
_WHOLE = pb.UploadHeader(kind=pb.UPLOAD_KIND_FULL)


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="Name of the list, unique in your agency.")],
    source: Annotated[
        str, typer.Option("--source", help="ncic, leads, sos, agency, federal-dot or icc.")
    ] = "agency",
    subject: As = "",
    data_dir: DataDir = DATA_DIR,
    as_json: Json = False,
) -> None:
    """Makes an empty hot list of your agency."""

    async def work(session: Session, output: Output) -> None:
        hot_list = await create_list(session, name, source)
        output.result(hot_list, f"Hot list [bold]{hot_list.name}[/] is {hot_list.hot_list_id}")

    run_signed_in(work, data_dir=data_dir, subject=subject, as_json=as_json)


@app.command()
def upload(
    hot_list: Annotated[str, typer.Argument(help="Id of the hot list.")],
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, readable=True, help="The file.")],
    file_format: Annotated[
        str,
        typer.Option(
            "--format",
            help="il-leads, il-sos, ncic, ncic-wa, ncic-mn, ncic-tx, csv or json-lines; may be gzip or zip.",
        ),
    ] = "csv",
    attestation: Annotated[
        str, typer.Option("--attest", help="Your words that it is lawful and current.")
    ] = "",
    kind: Annotated[
        str,
        typer.Option("--kind", help="full (the whole list), add (new or changed entries) or remove."),
    ] = "full",
    base_version: Annotated[
        int, typer.Option("--base", min=0, help="For add and remove: the version they change, the newest.")
    ] = 0,
    written: Annotated[
        str, typer.Option("--written", help="When the source wrote the file, for instance 2026-11-25T06:00Z.")
    ] = "",
    expires: Annotated[
        str, typer.Option("--expires", help="When reads shall no longer be compared with this version.")
    ] = "",
    activate_now: Annotated[
        bool, typer.Option("--activate", help="Activate it when it is accepted.")
    ] = False,
    subject: As = "",
    data_dir: DataDir = DATA_DIR,
    as_json: Json = False,
) -> None:
    """Uploads a version of a hot list: all of it or nothing."""

    async def work(session: Session, output: Output) -> None:
        part = pb.UploadHeader(kind=UPLOAD_KIND.number(kind), base_version=base_version)
        for field, text in (("source_time", written), ("expire_time", expires)):
            if text:
                getattr(part, field).CopyFrom(parse_moment(text))
        answer = await upload_version(session, hot_list, file, file_format, attestation, part)
        output.result(answer, told(answer))
        if activate_now:
            activated = await activate_version(session, hot_list, answer.version)
            output.result(activated, f"Active from match revision {activated.match_revision}")

    run_signed_in(work, data_dir=data_dir, subject=subject, as_json=as_json)


@app.command()
def activate(
    hot_list: Annotated[str, typer.Argument(help="Id of the hot list.")],
    version: Annotated[int, typer.Argument(min=1, help="The version; an older one rolls back.")],
    subject: As = "",
    data_dir: DataDir = DATA_DIR,
    as_json: Json = False,
) -> None:
    """Makes a version the one that reads are compared with."""

    async def work(session: Session, output: Output) -> None:
        answer = await activate_version(session, hot_list, version)
        output.result(answer, f"Version {version} is active from match revision {answer.match_revision}")

    run_signed_in(work, data_dir=data_dir, subject=subject, as_json=as_json)


@app.command("list")
def list_lists(subject: As = "", data_dir: DataDir = DATA_DIR, as_json: Json = False) -> None:
    """The hot lists of your agency."""

    async def work(session: Session, output: Output) -> None:
        stub = rpc.HotListServiceStub(session.channel("matcher"))
        lists: list[pb.HotList] = []
        request = pb.ListHotListsRequest()
        while True:
            answer = await session.call(stub.ListHotLists, request)
            lists.extend(answer.hot_lists)
            if not answer.next_page_token:
                break
            request = pb.ListHotListsRequest(page_token=answer.next_page_token)
        columns = ("name", "id", "source", "active version", "entries", "newest version")
        rows = (
            (
                x.name,
                x.hot_list_id,
                SOURCE.word(x.source),
                active_of(x, datetime.now(UTC)),
                f"{x.entry_count:,}",
                str(x.latest_version or "-"),
            )
            for x in lists
        )
        output.table(lists, columns, rows)

    run_signed_in(work, data_dir=data_dir, subject=subject, as_json=as_json)


async def create_list(session: Session, name: str, source: str) -> pb.HotList:
    """The new list.

    Raises:
        CommandError: There is no such source.
        AlprError: Refused.
    """
    stub = rpc.HotListServiceStub(session.channel("matcher"))
    request = pb.CreateHotListRequest(request_id=new_request_id(), name=name, source=SOURCE.number(source))
    answer: pb.CreateHotListResponse = await session.call(stub.CreateHotList, request)
    return answer.hot_list


async def upload_version(
    session: Session,
    hot_list_id: str,
    file: Path,
    file_format: str,
    attestation: str,
    part: pb.UploadHeader = _WHOLE,
) -> pb.UploadHotListVersionResponse:
    """What the matcher counted in `file`; the version is not active yet.

    Args:
        session: Whose call it is.
        hot_list_id: The list.
        file: The file.
        file_format: Its layout in words.
        attestation: The uploader's words that it is lawful and current.
        part: What the file is to the list, and its moments; the other fields are filled in.

    Raises:
        CommandError: There is no such format.
        AlprError: Refused; the violations list the wrong rows.
    """
    size, digest = await asyncio.to_thread(_size_and_digest, file)
    header = pb.UploadHeader(
        request_id=new_request_id(),
        hot_list_id=hot_list_id,
        format=FORMAT.number(file_format),
        sha256=digest,
        size_bytes=size,
        attestation=attestation,
    )
    header.MergeFrom(part)
    stub = rpc.HotListServiceStub(session.channel("matcher"))
    answer: pb.UploadHotListVersionResponse = await session.call(
        stub.UploadHotListVersion, _parts(header, file), deadline=_LONGEST_UPLOAD_S
    )
    return answer


async def activate_version(
    session: Session, hot_list_id: str, version: int
) -> pb.ActivateHotListVersionResponse:
    """The list as it is now active, and the match revision from which it counts.

    Raises:
        AlprError: Refused.
    """
    stub = rpc.HotListServiceStub(session.channel("matcher"))
    request = pb.ActivateHotListVersionRequest(
        request_id=new_request_id(), hot_list_id=hot_list_id, version=version
    )
    answer: pb.ActivateHotListVersionResponse = await session.call(
        stub.ActivateHotListVersion, request, deadline=_LONGEST_ACTIVATION_S
    )
    return answer


def told(answer: pb.UploadHotListVersionResponse) -> str:
    """What became of an upload, in sentences."""
    sentence = (
        f"Version {answer.version}: {answer.row_count:,} rows accepted, {answer.added_count:,} new, "
        f"{answer.removed_count:,} gone ({categories(answer)})"
    )
    for note in answer.notes:
        sentence += f"\n  row {note.row}, column {escape(note.column)}: {escape(note.problem)}"
    if answer.note_count > len(answer.notes):
        sentence += f"\n  and {answer.note_count - len(answer.notes):,} more of such rows"
    if answer.approval_needed:
        sentence += "\n[bold]It removes so much that somebody else must approve it[/] (hotlist approve)"
    return sentence


def parse_moment(text: str) -> Timestamp:
    """The moment that an ISO 8601 text names; without a zone it is this machine's.

    Raises:
        CommandError: It names none.
    """
    try:
        return to_timestamp(datetime.fromisoformat(text).astimezone())
    except (ValueError, OverflowError):
        msg = f"'{text}' is no moment; write it like 2026-11-25T06:00:00Z"
        raise CommandError(msg) from None


def active_of(hot_list: pb.HotList, now: datetime) -> str:
    """The active version in words: "-" for none, and whether it has expired."""
    expired = hot_list.HasField("expire_time") and to_datetime(hot_list.expire_time) <= now
    return f"{hot_list.active_version or '-'}{' (expired)' if expired else ''}"


def categories(answer: pb.UploadHotListVersionResponse) -> str:
    """The counts by category in words, for instance "3 stolen vehicle, 1 missing"."""
    return ", ".join(f"{c.count:,} {CATEGORY.word(c.category).replace('-', ' ')}" for c in answer.categories)


def _size_and_digest(file: Path) -> tuple[int, bytes]:
    with file.open("rb") as opened:
        return file.stat().st_size, hashlib.file_digest(opened, "sha256").digest()


def _parts(
    header: pb.UploadHeader, file: Path
) -> Callable[[], AsyncIterator[pb.UploadHotListVersionRequest]]:
    async def parts() -> AsyncIterator[pb.UploadHotListVersionRequest]:
        yield pb.UploadHotListVersionRequest(header=header)
        with file.open("rb") as opened:
            while chunk := opened.read(_CHUNK_BYTES):
                yield pb.UploadHotListVersionRequest(chunk=chunk)

    return parts
